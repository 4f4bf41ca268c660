"""One image file to its pixels, by Pillow."""

from __future__ import annotations

import io
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

GREY = frozenset(("1", "L", "LA", "La", "I;16", "I;16L", "I;16B", "I;16N"))
"""Pillow's modes of images without colour; a palette (P) counts as colour."""

COLOUR = frozenset(("P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr"))
"""Pillow's modes of images in colour that it converts to red, green and blue."""

PNG = b"\x89PNG\r\n\x1a\n"
"""What a PNG file begins with."""

LEVELS = {"L;2": 3, "L;4": 15}
"""The largest value of a grey PNG of 2 or 4 bits, by Pillow's name of the form in the file: it reads 255 there."""

WHITE_IS_ZERO, PHOTOMETRIC = 0, 262
"""A TIFF file's tag of what its values mean, and its value where the lowest is white."""


class ColourError(Exception):
    """An image has colour where none was expected."""


def pixels_of(
    source: Any, channels: int, size: tuple[int, int] | None = None, strict: bool = False
) -> NDArray[np.uint8]:
    """As `decode`, of a file's bytes, a Pillow image, or an array (H, W), (H, W, C) or (C, H, W) of uint8."""
    if isinstance(source, bytes):
        return decode(source, channels, size, strict)
    image = source if isinstance(source, Image.Image) else _from_array(np.asarray(source))
    try:
        return _pixels(image, channels, size, strict)
    except (ColourError, _UnfitError):
        raise
    except Exception as error:  # Pillow's decoders raise whatever they stumble over
        raise ValueError(f"it is damaged ({error})") from error


def _from_array(array: NDArray[Any]) -> Image.Image:
    if array.dtype.kind in "iu" and array.dtype != np.uint8 and array.size and 0 <= array.min() <= array.max() <= 255:
        array = array.astype(np.uint8)
    if array.dtype != np.uint8:
        raise ValueError(f"its values are of type {array.dtype}, expected whole numbers from 0 to 255")
    if array.ndim == 3 and array.shape[0] in (1, 3) and array.shape[2] not in (1, 3):
        array = array.transpose(1, 2, 0)
    if array.ndim not in (2, 3) or 0 in array.shape or (array.ndim == 3 and array.shape[2] not in (1, 3)):
        raise ValueError(f"its shape is {array.shape}, expected (height, width) with 1 or 3 channels")
    return Image.fromarray(np.ascontiguousarray(array[:, :, 0] if array.shape[2:] == (1,) else array))


def decode(data: bytes, channels: int, size: tuple[int, int] | None = None, strict: bool = False) -> NDArray[np.uint8]:
    """Pixels of an image file, uint8 of shape (channels, H, W).

    Turned upright as its EXIF data tell; what is transparent is black; 16 bits are cut to their upper 8; of an
    animation the first frame. `size` (height, width) resizes, with an antialiased bilinear filter, to the whole
    image: its proportions may change.

    Raises
    ------
    ColourError
        With `strict`, where an image in colour is to have one channel.
    ValueError
        The bytes are no image that Pillow can read, or not all of it, or one whose values it cannot scale to 8 bits
        or to colours; says which.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            if data.startswith(PNG):  # whose checksums Pillow compares only where it is asked to
                with Image.open(io.BytesIO(data)) as unread:
                    unread.verify()
            with Image.open(io.BytesIO(data)) as opened:
                return _pixels(opened, channels, size, strict)
        except (ColourError, _UnfitError):
            raise
        except UnidentifiedImageError as error:
            raise ValueError("it is no image, or damaged at its beginning") from error
        except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
            raise ValueError(f"it is too large ({error})") from error
        except Exception as error:  # Pillow's decoders raise whatever they stumble over
            raise ValueError(f"it is damaged ({error})") from error


class _UnfitError(ValueError):
    """A sound image that we do not take."""


def _pixels(opened: Image.Image, channels: int, size: tuple[int, int] | None, strict: bool) -> NDArray[np.uint8]:
    form = _form(opened)  # before the pixels are read, which forgets it
    # Pillow has 16 grey bits under the mode I where the file is a PGM, and of PNG in earlier versions.
    deep = opened.mode.startswith("I;16") or (opened.mode == "I" and opened.format in ("PNG", "PPM"))
    _refuse(opened, form, deep)
    if strict and channels == 1 and not deep and opened.mode not in GREY and form != "LA;16B":
        raise ColourError
    image = ImageOps.exif_transpose(opened)
    transparent = image.info.get("transparency")
    if deep:
        image = _of_16_bits(image, transparent, opened)
    elif image.mode in ("1", "L") and isinstance(transparent, int):
        grey = np.array(image.convert("L"))
        highest = LEVELS.get(form, 255)  # of a value in the file, which the transparent one is
        grey[grey == (transparent & highest) * (255 // highest)] = 0
        image = Image.fromarray(grey)
    elif image.has_transparency_data:
        image = _on_black(image)
    image = image.convert("L" if channels == 1 else "RGB")
    if size is not None and image.size != (size[1], size[0]):
        image = image.resize((size[1], size[0]), Image.Resampling.BILINEAR)
    pixels = np.asarray(image, dtype=np.uint8)
    return pixels[None] if channels == 1 else pixels.transpose(2, 0, 1)


def _form(opened: Image.Image) -> str:
    """Pillow's name of the form that the pixels have in the file, its "raw mode"; empty where it tells none."""
    tiles = getattr(opened, "tile", None)
    raw_mode = tiles[0][3] if tiles else ""
    return str(raw_mode[0] if isinstance(raw_mode, tuple) and raw_mode else raw_mode)


def _refuse(opened: Image.Image, form: str, deep: bool) -> None:
    """_UnfitError for a sound image of which no 8-bit pixels can be made, or only wrong ones."""
    if not deep and opened.mode in ("I", "F"):
        raise _UnfitError("its pixels are 32-bit numbers or have a sign; save it with 8 or 16 bits")
    if not deep and opened.mode not in GREY | COLOUR:
        raise _UnfitError(f"its pixels are of Pillow's mode {opened.mode}; save it in grey or in red, green and blue")
    if form == "I;12":
        raise _UnfitError("its pixels have 12 bits; save it with 8 or 16 bits")
    if form == "RGB;16B" and "transparency" in opened.info:
        raise _UnfitError(
            "one of its colours of 16 bits is transparent, and Pillow reads 8 bits of them; save it with an alpha "
            "channel or with 8 bits"
        )


def _of_16_bits(image: Image.Image, transparent: object, opened: Image.Image) -> Image.Image:
    """The upper 8 bits of grey values; Pillow's own conversion would cut at 255 and lose the transparent value."""
    values = np.asarray(image).astype(np.uint16)
    if getattr(opened, "tag_v2", {}).get(PHOTOMETRIC) == WHITE_IS_ZERO:
        values = 65535 - values
    if isinstance(transparent, int):
        values[values == transparent] = 0
    return Image.fromarray((values >> 8).astype(np.uint8))


def _on_black(image: Image.Image) -> Image.Image:
    if image.mode in ("La", "RGBa"):  # multiplied by their transparency already
        image = image.convert({"La": "LA", "RGBa": "RGBA"}[image.mode])
    transparent = image.info.get("transparency")
    if image.mode == "RGB" and isinstance(transparent, tuple):  # 8 of 16 bits count
        image.info["transparency"] = tuple(value & 255 for value in transparent)
    with_alpha = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", with_alpha.size, (0, 0, 0, 255)), with_alpha)
