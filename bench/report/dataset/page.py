"""A look at a dataset, as one page that opens offline: no script, no request, images within it."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.data.explore import TITLES, Exploration
from bench.report.dataset.terminal import duplicate_lines, sizes
from bench.report.page import environment

Samples = Sequence[tuple[str, NDArray[np.uint8]]]
"""Rows of images, each with what it shows: uint8 (n, C, H, W)."""

BARS = 64
"""Bars of the histogram: four values each."""

SHOWN_SIDE = 56
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
            black=float(whole[0] / whole.sum()) if _hides(whole) else None,
            duplicates=duplicate_lines(found),
            augmented=[(label, strip(images)) for label, images in augmented],
            scale=max(1, round(SHOWN_SIDE / max(height, width))),
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
    if _hides(histogram):
        counts[0] = 0
    binned = counts.reshape(BARS, -1).sum(axis=1)
    return [round(float(height), 4) for height in binned / max(int(binned.max()), 1)]


def _hides(histogram: NDArray[np.int64]) -> bool:
    """Whether black pixels are so many that every other bar would be flat."""
    return bool(histogram[0] > histogram.sum() / 10)
