"""A look at a dataset, as one page that opens offline: no script, no request, images within it."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.data.explore import TITLES, Exploration, PixelStatistics
from bench.report.page import environment

BLOCKS = " ▁▂▃▄▅▆▇█"
TERMINAL_BINS = 32
"""Bars of the histogram: eight values each."""

HISTOGRAM_LINES = 6
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
    console.print(_class_table(found))
    console.print()
    console.print(_pixel_table("Pixels", found.pixels))
    console.print()
    if found.validation_pixels:
        console.print(_pixel_table("Validation", found.validation_pixels))
        console.print()
    whole = found.pixels[0].histogram
    for line in bars(whole):
        console.print(Text(line.rstrip() or " "))
    console.print(Text("─" * TERMINAL_BINS))
    console.print(Text(f"0{'pixel value':^{TERMINAL_BINS - 4}}255", style="dim"))
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
    binned = counts.reshape(TERMINAL_BINS, -1).sum(axis=1)
    steps = len(BLOCKS) - 1
    levels = np.ceil(binned / max(int(binned.max()), 1) * HISTOGRAM_LINES * steps).astype(int)
    return [
        "".join(BLOCKS[min(max(level - row * steps, 0), steps)] for level in levels) for row in range(HISTOGRAM_LINES)
    ][::-1]


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


def _class_table(found: Exploration) -> Table:
    table = Table("Class", box=None, pad_edge=False, header_style="bold")
    parts = [part for part in found.counts if part != "train"]
    for heading in ("Training", "Share", *(TITLES[part].capitalize() for part in parts)):
        table.add_column(heading, justify="right")
    train = found.counts["train"]
    for i, name in enumerate(found.classes):
        others = [f"{found.counts[part][i]:,}" for part in parts]
        table.add_row(Text(name), f"{train[i]:,}", f"{train[i] / train.sum():.1%}", *others)
    return table


def _pixel_table(title: str, pixels: Sequence[PixelStatistics]) -> Table:
    table = Table(title, box=None, pad_edge=False, header_style="bold")
    for heading in ("Minimum", "Maximum", "Mean", "Std. dev."):
        table.add_column(heading, justify="right")
    for one in pixels:
        table.add_row(one.channel, str(one.minimum), str(one.maximum), f"{one.mean:.2f}", f"{one.deviation:.2f}")
    return table


Samples = Sequence[tuple[str, NDArray[np.uint8]]]
"""Rows of images, each with what it shows: uint8 (n, C, H, W)."""

PAGE_BINS = 64
"""Bars of the histogram: four values each."""

SAMPLE_SIDE = 56
"""Pixels of the page that the longer side of a small image takes."""


def data_page(found: Exploration, augmented: Samples = ()) -> str:
    """The page as text; `augmented` are rows of images before and after augmentation, the first the originals."""
    whole = found.pixels[0].histogram
    _, height, width = found.shape
    counts = found.counts
    return (
        environment()
        .get_template("data.html.j2")
        .render(
            found=found,
            sizes=sizes(found),
            parts=[TITLES[part].capitalize() for part in counts],
            values=[(title, of) for title, of in (("", found.pixels), ("validation", found.validation_pixels)) if of],
            rows=[
                {
                    "name": name,
                    "counts": [int(numbers[i]) for numbers in counts.values()],
                    "width": round(100 * int(counts["train"][i]) / max(int(counts["train"].max()), 1), 1),
                    "samples": strip(found.samples[i, : min(int(counts["train"][i]), found.samples.shape[1])]),
                    "mean": strip(np.rint(found.class_means[i : i + 1]).astype(np.uint8)),
                }
                for i, name in enumerate(found.classes)
            ],
            mean_image=strip(np.rint(found.mean_image[None]).astype(np.uint8)),
            histogram=_bars(whole),
            black=float(whole[0] / whole.sum()) if _zero_dominates(whole) else None,
            duplicates=duplicate_lines(found),
            augmented=[(label, strip(images)) for label, images in augmented],
            scale=max(1, round(SAMPLE_SIDE / max(height, width))),
        )
    )


def strip(images: NDArray[np.uint8]) -> dict[str, Any]:
    """Images (n, C, H, W) side by side, a pixel apart, as a PNG for an `src`, with its width and height."""
    from PIL import Image

    count, channels, height, width = images.shape
    line = np.zeros((height, count * (width + 1) - 1, 4), dtype=np.uint8)
    for i, image in enumerate(images):
        at = slice(i * (width + 1), i * (width + 1) + width)
        line[:, at, :3] = image.transpose(1, 2, 0) if channels == 3 else image[0][:, :, None]
        line[:, at, 3] = 255
    file = io.BytesIO()
    Image.fromarray(line).save(file, "PNG", optimize=True)
    encoded = base64.b64encode(file.getvalue()).decode("ascii")
    return {"src": f"data:image/png;base64,{encoded}", "width": line.shape[1], "height": height}


def _bars(histogram: NDArray[np.int64]) -> list[float]:
    """Heights of the histogram's bars in [0, 1]."""
    counts = histogram.copy()
    if _zero_dominates(histogram):
        counts[0] = 0
    binned = counts.reshape(PAGE_BINS, -1).sum(axis=1)
    return [round(float(height), 4) for height in binned / max(int(binned.max()), 1)]


def _zero_dominates(histogram: NDArray[np.int64]) -> bool:
    """Whether black pixels are so many that every other bar would be flat."""
    return bool(histogram[0] > histogram.sum() / 10)
