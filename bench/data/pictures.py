"""One picture file to its pixels, by Pillow."""

from __future__ import annotations

import io
import warnings

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

GREY = frozenset(("1", "L", "LA", "La", "I;16", "I;16L", "I;16B", "I;16N"))
"""Pillow's modes of pictures without colour; a palette (P) counts as colour."""


class ColourError(Exception):
    """A picture has colour where none was expected."""


def decode(data: bytes, channels: int, size: tuple[int, int] | None = None, strict: bool = False) -> NDArray[np.uint8]:
    """Pixels of a picture file, uint8 of shape (channels, H, W).

    Turned upright as its EXIF data tell; what is transparent is black; 16 bits are cut to their upper 8; of an
    animation the first frame. `size` (height, width) resizes, with an antialiased bilinear filter, to the whole
    picture: its proportions may change.

    Raises
    ------
    ColourError
        With `strict`, where a picture in colour is to have one channel.
    ValueError
        The bytes are no picture that Pillow can read, or not all of it, or one of 32-bit values; says which.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            with Image.open(io.BytesIO(data)) as opened:
                return _pixels(opened, channels, size, strict)
        except (ColourError, _UnfitError):
            raise
        except UnidentifiedImageError as error:
            raise ValueError("it is no picture, or damaged at its beginning") from error
        except Exception as error:  # Pillow's decoders raise whatever they stumble over
            raise ValueError(f"it is damaged ({error})") from error


class _UnfitError(ValueError):
    """A sound picture that we do not take."""


def _pixels(opened: Image.Image, channels: int, size: tuple[int, int] | None, strict: bool) -> NDArray[np.uint8]:
    if opened.mode in ("I", "F"):
        raise _UnfitError("its pixels are 32-bit numbers; save it with 8 or 16 bits")
    if strict and channels == 1 and opened.mode not in GREY:
        raise ColourError
    image = ImageOps.exif_transpose(opened)
    if image.mode.startswith("I;16"):  # Pillow's own conversion would cut at 255
        image = Image.fromarray((np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8))
    if image.has_transparency_data:
        whole = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", whole.size, (0, 0, 0, 255)), whole)
    image = image.convert("L" if channels == 1 else "RGB")
    if size is not None and image.size != (size[1], size[0]):
        image = image.resize((size[1], size[0]), Image.Resampling.BILINEAR)
    pixels = np.asarray(image, dtype=np.uint8)
    return pixels[None] if channels == 1 else pixels.transpose(2, 0, 1)
