"""Every form of an image file is right, or refused by name."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pngs import GREY_ALPHA, PALETTE, RGB, RGBA, png

from bench.data.image_file import ColourError, decode


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def grey(data: bytes) -> list[list[int]]:
    """As grey pixels, which the file must count as."""
    return decode(data, 1, strict=True)[0].tolist()


def colour(data: bytes) -> list[list[list[int]]]:
    return decode(data, 3).transpose(1, 2, 0).tolist()


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("transparent", [True, False])
def test_the_transparent_value_of_a_grey_png_is_black(bits: int, transparent: bool) -> None:
    highest = 2**bits - 1
    values = np.array([[highest, 0], [highest // 2, highest]])
    shown = [[255, 0], [values[1, 0] * 255 // highest, 255]]
    assert grey(png(values, bits)) == shown
    chunk = struct.pack(">H", highest)
    assert grey(png(values, bits, transparent=chunk)) == [[0, 0], [shown[1][0], 0]]
    assert colour(png(values, bits, transparent=chunk)) == [[[value] * 3 for value in row] for row in
                                                            [[0, 0], [shown[1][0], 0]]]  # fmt: skip


def test_of_16_bits_only_the_very_value_is_transparent() -> None:
    values = np.array([[0x8020, 0x8021]])
    assert grey(png(values, 16, transparent=struct.pack(">H", 0x8020))) == [[0, 0x80]]


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_of_a_transparent_value_only_the_pictures_own_bits_count(bits: int) -> None:
    highest = 2**bits - 1
    chunk = struct.pack(">H", 2**bits * 3 + highest)
    assert grey(png(np.array([[highest, 1]]), bits, transparent=chunk)) == [[0, 255 // highest]]


@pytest.mark.parametrize("bits", [8, 16])
def test_grey_with_alpha_is_grey_and_laid_on_black(bits: int) -> None:
    scale = 257 if bits == 16 else 1
    values = np.array([[[200, 255], [200, 0], [200, 128]]]) * scale
    assert grey(png(values, bits, GREY_ALPHA)) == [[200, 0, 100]]


def test_palettes_have_one_transparent_entry_or_many() -> None:
    palette = bytes((10, 20, 30, 200, 100, 50, 8, 8, 8))
    values = np.array([[0, 1, 2]])
    for bits in (2, 4, 8):
        assert colour(png(values, bits, PALETTE, b"\xff\x00", palette)) == [[[10, 20, 30], [0, 0, 0], [8, 8, 8]]]
        many = colour(png(values, bits, PALETTE, b"\x80\x00\xff", palette))
        assert many == [[[5, 10, 15], [0, 0, 0], [8, 8, 8]]]


def test_colours_of_8_bits_have_a_transparent_one() -> None:
    values = np.array([[[9, 8, 7], [9, 8, 6]]])
    chunk = struct.pack(">HHH", 9, 8, 256 + 7)
    assert colour(png(values, 8, RGB, chunk)) == [[[0, 0, 0], [9, 8, 6]]]


def test_colours_of_16_bits_are_cut_and_refused_with_a_transparent_one() -> None:
    values = np.array([[[9 * 256 + 5, 8 * 256, 7 * 256]]])
    assert colour(png(values, 16, RGB)) == [[[9, 8, 7]]]
    assert colour(png(np.dstack([values, [[0]]]), 16, RGBA)) == [[[0, 0, 0]]]
    with pytest.raises(ValueError, match="one of its colours of 16 bits is transparent"):
        decode(png(values, 16, RGB, bytes(6)), 3)


def test_a_pgm_of_16_bits_is_grey() -> None:
    assert grey(b"P5 2 1 65535\n" + struct.pack(">HH", 0x80FF, 0xFFFF)) == [[0x80, 0xFF]]
    assert grey(b"P5 2 1 1000\n" + struct.pack(">HH", 500, 1000)) == [[0x80, 0xFF]]


def tiff(mode: str, **tags: int) -> bytes:
    """A TIFF file of two pixels, 0 and 32,768 or the like, with tags changed after it was written."""
    numbers = {"bits": 258, "meaning": 262}
    values = np.array([[0, 32768]], np.uint16) if mode == "I;16" else np.zeros((1, 2, 3), np.uint8)
    data = saved(Image.fromarray(values, None if mode == "I;16" else "LAB"), "tiff")
    for name, value in tags.items():
        at = data.index(struct.pack("<HHI", numbers[name], 3, 1)) + 8
        data = data[:at] + struct.pack("<H", value) + data[at + 2 :]
    return data


def test_a_tiff_says_what_its_values_mean() -> None:
    assert grey(tiff("I;16")) == [[0, 128]]
    assert grey(tiff("I;16", meaning=0)) == [[255, 127]]
    with pytest.raises(ValueError, match="its pixels have 12 bits"):
        decode(tiff("I;16", bits=12), 1)


@pytest.mark.filterwarnings("ignore:'mode' parameter is deprecated")
def test_other_forms_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="its pixels are of Pillow's mode LAB"):
        decode(tiff("LAB"), 3)
    for values in (np.zeros((2, 2), np.float32), np.zeros((2, 2), np.int32)):
        with pytest.raises(ValueError, match="its pixels are 32-bit numbers or have a sign"):
            decode(saved(Image.fromarray(values), "tiff"), 1)


@pytest.mark.parametrize(
    ("mode", "kind", "value", "shown"),
    [
        ("CMYK", "tiff", (0, 255, 255, 0), [255, 0, 0]),
        ("YCbCr", "tiff", (128, 128, 128), [128, 128, 128]),
        ("RGBA", "webp", (40, 80, 120, 0), [0, 0, 0]),
        ("RGBX", "tiff", (1, 2, 3, 4), [1, 2, 3]),
        ("1", "bmp", 1, [255, 255, 255]),
    ],
)
def test_colours_become_red_green_and_blue(mode: str, kind: str, value: Any, shown: list[int]) -> None:
    options = {"lossless": True, "exact": True} if kind == "webp" else {}
    assert colour(saved(Image.new(mode, (2, 2), value), kind, **options))[0][0] == shown


def test_of_an_animation_the_first_frame_counts() -> None:
    frames = [Image.new("L", (2, 2), value) for value in (7, 90)]
    for kind in ("gif", "png", "tiff"):
        data = saved(frames[0], kind, save_all=True, append_images=frames[1:])
        assert decode(data, 1)[0].tolist() == [[7, 7], [7, 7]], kind


def test_a_gif_has_a_transparent_entry() -> None:
    image = Image.fromarray(np.array([[0, 200]], np.uint8))
    assert decode(saved(image, "gif", transparency=200), 1)[0].tolist() == [[0, 0]]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_camera_is_turned_back_whatever_the_bits(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    lying = np.arange(6, dtype=np.uint8).reshape(2, 3) * 40
    as_8 = decode(saved(Image.fromarray(lying), "png", exif=exif), 1)
    deep = Image.fromarray(lying.astype(np.uint16) * 257)
    np.testing.assert_array_equal(decode(saved(deep, "png", exif=exif), 1), as_8)
    assert as_8.shape == ((1, 2, 3) if orientation < 5 else (1, 3, 2))


def test_a_picture_larger_than_any_is_not_unpacked() -> None:
    wide = png(np.zeros((1, 1), np.uint8), 8)
    header = b"IHDR" + struct.pack(">II", 20_000, 20_000) + wide[24:29]
    wide = wide[:12] + header + struct.pack(">I", zlib.crc32(header)) + wide[33:]
    with pytest.raises(ValueError, match=r"it is too large .* exceeds limit"):
        decode(wide, 1)


def test_damaged_pixels_of_a_png_are_noticed() -> None:
    """Seven bytes were put into the compressed pixels, of which Pillow makes others and says nothing."""
    pixels = (
        "789c63b89b67cbbda1814165d1df7eeb090c1b9bf6f8ba6c6598f8f05df8b5930c"
        + "1103c72dc54475"
        + "2a1cceb7f293000fb40f86"
    )
    damaged = png(np.zeros((5, 6)), 8)
    start, end = damaged.index(b"IDAT"), damaged.index(b"IEND")
    chunk = b"IDAT" + bytes.fromhex(pixels)
    wrong_checksum = struct.pack(">I", zlib.crc32(chunk) ^ 1)
    damaged = damaged[: start - 4] + struct.pack(">I", len(chunk) - 4) + chunk + wrong_checksum + damaged[end - 4 :]
    with pytest.raises(ValueError, match="it is damaged"):
        decode(damaged, 1)


def test_a_palette_counts_as_colour() -> None:
    with pytest.raises(ColourError):
        decode(saved(Image.new("P", (2, 2)), "png"), 1, strict=True)
