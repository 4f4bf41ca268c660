"""A look at a dataset, in the terminal."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.data.explore import Exploration

BLOCKS = " ▁▂▃▄▅▆▇█"
BINS = 32
"""Bars of the histogram: eight values each."""

HEIGHT = 6
"""Lines of the histogram."""


def print_exploration(found: Exploration, console: Console) -> None:
    """Print sizes, classes, pixel values with their histogram, and duplicates; pictures need a page."""
    channels, height, width = found.shape
    colour = {1: "grey", 3: "colour"}.get(channels, f"{channels} channels")
    train, test = found.counts["train"], found.counts["test"]
    console.print(Text(found.name, style="bold"))
    console.print(
        f"{train.sum():,} training and {test.sum():,} test pictures, {height} x {width} {colour}, "
        f"{len(found.classes)} classes",
        highlight=False,
    )
    console.print(Text(f"read from {found.source}", style="dim"))
    console.print()
    console.print(_classes(found))
    console.print()
    console.print(_values(found))
    console.print()
    whole = found.pixels[0].histogram
    for line in bars(whole):
        console.print(Text(line.rstrip() or " "))
    console.print(Text("─" * BINS))
    console.print(Text(f"0{'pixel value':^{BINS - 4}}255", style="dim"))
    if whole[0] > whole.sum() / 10:
        console.print(Text(f"{whole[0] / whole.sum():.1%} of the values are 0; the bars leave them out", style="dim"))
    console.print()
    for line in duplicate_lines(found):
        console.print(line, highlight=False)


def bars(histogram: NDArray[np.int64]) -> list[str]:
    """A histogram of 256 values as lines of block characters, the tallest bar filling them.

    Values of 0 are left out where they are more than a tenth of all: a black background would hide everything else.
    """
    counts = histogram.copy()
    if counts[0] > counts.sum() / 10:
        counts[0] = 0
    binned = counts.reshape(BINS, -1).sum(axis=1)
    steps = len(BLOCKS) - 1
    levels = np.ceil(binned / max(int(binned.max()), 1) * HEIGHT * steps).astype(int)
    return ["".join(BLOCKS[min(max(level - row * steps, 0), steps)] for level in levels) for row in range(HEIGHT)][::-1]


def duplicate_lines(found: Exploration) -> list[str]:
    """A line on each sort of exact duplicates."""
    lines = []
    for one in found.duplicates:
        share = f", {one.otherwise:,} of them with another label" if one.pictures else ""
        lines.append(f"exact duplicates {one.where}: {one.pictures or 'none'}{share}")
    return lines


def _classes(found: Exploration) -> Table:
    table = Table("Class", box=None, pad_edge=False, header_style="bold")
    for heading in ("Training", "Share", "Test"):
        table.add_column(heading, justify="right")
    total = found.counts["train"].sum()
    for name, train, test in zip(found.classes, found.counts["train"], found.counts["test"], strict=True):
        table.add_row(Text(name), f"{train:,}", f"{train / total:.1%}", f"{test:,}")
    return table


def _values(found: Exploration) -> Table:
    table = Table("Pixels", box=None, pad_edge=False, header_style="bold")
    for heading in ("Minimum", "Maximum", "Mean", "Std. dev."):
        table.add_column(heading, justify="right")
    for one in found.pixels:
        table.add_row(one.channel, str(one.minimum), str(one.maximum), f"{one.mean:.2f}", f"{one.deviation:.2f}")
    return table
