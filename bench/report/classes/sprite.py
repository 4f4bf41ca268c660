"""Many small images in one: how a page shows test images without a request."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

COLUMNS = 24
LONGEST = 64
"""Pixels of the longer side; larger images are reduced to it."""
SHOWN_SIDE = 84
"""Pixels of the page that the longer side of a small image takes."""


@dataclass(frozen=True, eq=False)
class Sprite:
    """Images in rows of `COLUMNS`, as a PNG. `places` maps an image's number to its place, from 0.

    `width` and `height` are those of one image, `scale` how many pixels of the page one of its pixels takes.
    """

    png: bytes
    width: int
    height: int
    places: dict[int, int]

    @property
    def scale(self) -> int:
        return max(1, round(SHOWN_SIDE / max(self.width, self.height)))

    @property
    def source(self) -> str:
        """For an `src` or a `url()`."""
        return f"data:image/png;base64,{base64.b64encode(self.png).decode('ascii')}"


def sprite(images: NDArray[np.uint8], numbers: Sequence[int]) -> Sprite:
    """Put some of the images (N, C, H, W) side by side, those of `numbers` in this order, each once."""
    from PIL import Image

    places = {number: place for place, number in enumerate(dict.fromkeys(numbers))}
    height, width = _reduced(*images.shape[2:])
    rows = math.ceil(len(places) / COLUMNS)
    grey = images.shape[1] != 3
    sheet = Image.new("L" if grey else "RGB", (COLUMNS * width, max(rows, 1) * height))
    for number, place in places.items():
        pixels = images[number]
        one = Image.fromarray(pixels[0] if grey else pixels.transpose(1, 2, 0))
        if one.size != (width, height):
            one = one.resize((width, height), Image.Resampling.LANCZOS)
        row, column = divmod(place, COLUMNS)
        sheet.paste(one, (column * width, row * height))
    file = io.BytesIO()
    sheet.save(file, "PNG", optimize=True)
    return Sprite(file.getvalue(), width, height, places)


def _reduced(height: int, width: int) -> tuple[int, int]:
    factor = min(1.0, LONGEST / max(height, width))
    return max(1, round(height * factor)), max(1, round(width * factor))
