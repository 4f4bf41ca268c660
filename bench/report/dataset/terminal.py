"""A look at a dataset, in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.data.explore import TITLES, Exploration, PixelStatistics

BLOCKS = " ▁▂▃▄▅▆▇█"
BINS = 32
"""Bars of the histogram: eight values each."""

HEIGHT = 6
"""Lines of the histogram."""


def print_exploration(found: Exploration, console: Console) -> None:
    """Print sizes, classes, pixel values with their histogram, and duplicates; images need a page."""
    channels, height, width = found.shape
    colour = {1: "grey", 3: "colour"}.get(channels, f"{channels} channels")
    console.print(Text(found.name, style="bold"))
    console.print(
        f"{sizes(found)} images, {height} x {width} {colour}, {len(found.classes)} classes",
        highlight=False,
    )
    console.print(Text(f"read from {found.source}", style="dim"))
    console.print()
    console.print(_classes(found))
    console.print()
    console.print(_values("Pixels", found.pixels))
    console.print()
    if found.validation_pixels:
        console.print(_values("Validation", found.validation_pixels))
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


def sizes(found: Exploration) -> str:
    """How many images each part has: ``60,000 training and 10,000 test``."""
    *others, last = (f"{counts.sum():,} {TITLES[part]}" for part, counts in found.counts.items())
    return f"{', '.join(others)} and {last}"


def duplicate_lines(found: Exploration) -> list[str]:
    """A line on each sort of exact duplicates."""
    lines = []
    for one in found.duplicates:
        share = f", {one.otherwise:,} of them with another label" if one.images else ""
        lines.append(f"exact duplicates {one.where}: {one.images or 'none'}{share}")
    return lines


def _classes(found: Exploration) -> Table:
    table = Table("Class", box=None, pad_edge=False, header_style="bold")
    parts = [part for part in found.counts if part != "train"]
    for heading in ("Training", "Share", *(TITLES[part].capitalize() for part in parts)):
        table.add_column(heading, justify="right")
    train = found.counts["train"]
    for i, name in enumerate(found.classes):
        others = [f"{found.counts[part][i]:,}" for part in parts]
        table.add_row(Text(name), f"{train[i]:,}", f"{train[i] / train.sum():.1%}", *others)
    return table


def _values(title: str, pixels: Sequence[PixelStatistics]) -> Table:
    table = Table(title, box=None, pad_edge=False, header_style="bold")
    for heading in ("Minimum", "Maximum", "Mean", "Std. dev."):
        table.add_column(heading, justify="right")
    for one in pixels:
        table.add_row(one.channel, str(one.minimum), str(one.maximum), f"{one.mean:.2f}", f"{one.deviation:.2f}")
    return table
