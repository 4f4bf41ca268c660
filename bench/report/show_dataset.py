"""A data set in the terminal, and as one page that opens offline: no script, no request, images embedded."""

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
from bench.report.html import environment

BLOCKS = " ▁▂▃▄▅▆▇█"
TERMINAL_BINS = 32
"""Bars of the histogram: eight values each."""

HISTOGRAM_LINES = 6
"""Lines of the histogram."""


def print_exploration(exploration: Exploration, console: Console) -> None:
    """Print sizes, classes, pixel values with their histogram, and duplicates; images need a page."""
    channels, height, width = exploration.shape
    colour = {1: "grey", 3: "colour"}.get(channels, f"{channels} channels")
    console.print(Text(exploration.name, style="bold"))
    console.print(
        f"{sizes(exploration)} images, {height} x {width} {colour}, {len(exploration.classes)} classes",
        highlight=False,
    )
    console.print(Text(f"read from {exploration.source}", style="dim"))
    console.print()
    console.print(_class_table(exploration))
    console.print()
    console.print(_pixel_table("Pixels", exploration.pixels))
    console.print()
    if exploration.validation_pixels:
        console.print(_pixel_table("Validation", exploration.validation_pixels))
        console.print()
    histogram = exploration.pixels[0].histogram
    for line in bars(histogram):
        console.print(Text(line.rstrip() or " "))
    console.print(Text("─" * TERMINAL_BINS))
    console.print(Text(f"0{'pixel value':^{TERMINAL_BINS - 4}}255", style="dim"))
    if histogram[0] > histogram.sum() / 10:
        console.print(
            Text(f"{histogram[0] / histogram.sum():.1%} of the values are 0; not in the histogram", style="dim")
        )
    console.print()
    for line in duplicate_lines(exploration):
        console.print(line, highlight=False)


def bars(histogram: NDArray[np.int64]) -> list[str]:
    """A histogram of 256 values as lines of block characters, scaled to the tallest bar.

    Values of 0 are left out where they are more than a tenth of all, as with a black background.
    """
    counts = histogram.copy()
    if counts[0] > counts.sum() / 10:
        counts[0] = 0
    binned = counts.reshape(TERMINAL_BINS, -1).sum(axis=1)
    steps = len(BLOCKS) - 1
    heights = np.ceil(binned / max(int(binned.max()), 1) * HISTOGRAM_LINES * steps).astype(int)
    return [
        "".join(BLOCKS[min(max(height - row * steps, 0), steps)] for height in heights)
        for row in range(HISTOGRAM_LINES)
    ][::-1]


def sizes(exploration: Exploration) -> str:
    """How many images each part has: ``60,000 training and 10,000 test``."""
    *others, last = (f"{counts.sum():,} {TITLES[part]}" for part, counts in exploration.counts.items())
    return f"{', '.join(others)} and {last}"


def duplicate_lines(exploration: Exploration) -> list[str]:
    """A line per kind of exact duplicates."""
    lines = []
    for duplicates in exploration.duplicates:
        relabelled = f", {duplicates.otherwise:,} of them with another label" if duplicates.images else ""
        lines.append(f"exact duplicates {duplicates.where}: {duplicates.images or 'none'}{relabelled}")
    return lines


def _class_table(exploration: Exploration) -> Table:
    table = Table("Class", box=None, pad_edge=False, header_style="bold")
    parts = [part for part in exploration.counts if part != "train"]
    for heading in ("Training", "Fraction", *(TITLES[part].capitalize() for part in parts)):
        table.add_column(heading, justify="right")
    train = exploration.counts["train"]
    for i, name in enumerate(exploration.classes):
        others = [f"{exploration.counts[part][i]:,}" for part in parts]
        table.add_row(Text(name), f"{train[i]:,}", f"{train[i] / train.sum():.1%}", *others)
    return table


def _pixel_table(title: str, pixels: Sequence[PixelStatistics]) -> Table:
    table = Table(title, box=None, pad_edge=False, header_style="bold")
    for heading in ("Minimum", "Maximum", "Mean", "Std. dev."):
        table.add_column(heading, justify="right")
    for channel in pixels:
        values = (str(channel.minimum), str(channel.maximum), f"{channel.mean:.2f}", f"{channel.deviation:.2f}")
        table.add_row(channel.channel, *values)
    return table


Samples = Sequence[tuple[str, NDArray[np.uint8]]]
"""Rows of uint8 images (n, C, H, W), each with a caption."""

PAGE_BINS = 64
"""Bars of the histogram: four values each."""

SAMPLE_SIDE = 56
"""Pixels of the page that the longer side of a small image takes."""


def data_page(exploration: Exploration, augmented: Samples = ()) -> str:
    """The page as text; `augmented` are rows of images before and after augmentation, the first the originals."""
    histogram = exploration.pixels[0].histogram
    _, height, width = exploration.shape
    counts = exploration.counts
    return (
        environment()
        .get_template("data.html.j2")
        .render(
            exploration=exploration,
            sizes=sizes(exploration),
            parts=[TITLES[part].capitalize() for part in counts],
            values=[
                (title, pixels)
                for title, pixels in (("", exploration.pixels), ("validation", exploration.validation_pixels))
                if pixels
            ],
            rows=[
                {
                    "name": name,
                    "counts": [int(numbers[i]) for numbers in counts.values()],
                    "width": round(100 * int(counts["train"][i]) / max(int(counts["train"].max()), 1), 1),
                    "samples": strip(
                        exploration.samples[i, : min(int(counts["train"][i]), exploration.samples.shape[1])]
                    ),
                    "mean": strip(np.rint(exploration.class_means[i : i + 1]).astype(np.uint8)),
                }
                for i, name in enumerate(exploration.classes)
            ],
            mean_image=strip(np.rint(exploration.mean_image[None]).astype(np.uint8)),
            histogram=_bars(histogram),
            black=float(histogram[0] / histogram.sum()) if _zero_dominates(histogram) else None,
            duplicates=duplicate_lines(exploration),
            augmented=[(label, strip(images)) for label, images in augmented],
            scale=max(1, round(SAMPLE_SIDE / max(height, width))),
        )
    )


def strip(images: NDArray[np.uint8]) -> dict[str, Any]:
    """Images (n, C, H, W) side by side, a pixel apart, as a PNG for an `src`, with its width and height."""
    from PIL import Image

    count, channels, height, width = images.shape
    strip_image = np.zeros((height, count * (width + 1) - 1, 4), dtype=np.uint8)
    for i, image in enumerate(images):
        columns = slice(i * (width + 1), i * (width + 1) + width)
        strip_image[:, columns, :3] = image.transpose(1, 2, 0) if channels == 3 else image[0][:, :, None]
        strip_image[:, columns, 3] = 255
    file = io.BytesIO()
    Image.fromarray(strip_image).save(file, "PNG", optimize=True)
    encoded = base64.b64encode(file.getvalue()).decode("ascii")
    return {"src": f"data:image/png;base64,{encoded}", "width": strip_image.shape[1], "height": height}


def _bars(histogram: NDArray[np.int64]) -> list[float]:
    """Heights of the histogram's bars in [0, 1]."""
    counts = histogram.copy()
    if _zero_dominates(histogram):
        counts[0] = 0
    binned = counts.reshape(PAGE_BINS, -1).sum(axis=1)
    return [round(float(height), 4) for height in binned / max(int(binned.max()), 1)]


def _zero_dominates(histogram: NDArray[np.int64]) -> bool:
    """Whether there are so many black pixels that every other bar would be flat."""
    return bool(histogram[0] > histogram.sum() / 10)
