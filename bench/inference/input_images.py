"""Images of any source as a network's input: image files, folders of them, .npy and .npz arrays."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.arrays import ArrayError, open_arrays
from bench.components.base import Component
from bench.components.datasets import ImageFolder
from bench.data.image_file import ColourError, decode
from bench.data.npz import images_of
from bench.errors import UserError

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
"""Of the files in a folder that are taken; a file that is named is read whatever its name."""
ARRAY_NAMES = ("images", "test_images")
"""The arrays of an .npz file that are taken, the first that it has."""

Images = NDArray[np.uint8]
"""(N, H, W, C)."""


def read_images(paths: Sequence[Path], shape: tuple[int, int, int], dataset: Component) -> tuple[list[str], Images]:
    """A name for each image, and their pixels (N, H, W, C) for a network that takes (C, H, W).

    As the trial's data set has it: `image_folder` with a `size` resizes, with `channels: 1` makes colour grey; all
    others take images of their size, and no colour where they are grey. Grey becomes colour where the network takes
    that.

    Raises
    ------
    UserError
        A file that does not exist, cannot be read, is no image, or one that the data set's rule refuses.
    """
    names: list[str] = []
    parts: list[Images] = []
    for path in paths:
        for file in _files(path):
            if file.suffix in (".npy", ".npz"):
                array = _array_images(file, shape)
                names += [f"{file}[{index}]" for index in range(len(array))]
                parts.append(array)
            else:
                names.append(str(file))
                parts.append(_file_image(file, shape, dataset))
    return names, np.concatenate(parts)


def _files(path: Path) -> list[Path]:
    """The file itself, or the images below a folder, by name."""
    if not path.exists():
        raise UserError(f"{path}: there is no such file or folder")
    if not path.is_dir():
        return [path]
    try:
        files = sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    if not files:
        raise UserError(f"{path}: holds no image file ({', '.join(SUFFIXES)}); name a folder that does, or files")
    return files


def _file_image(file: Path, shape: tuple[int, int, int], dataset: Component) -> Images:
    channels, height, width = shape
    resizes = isinstance(dataset, ImageFolder) and dataset.size is not None
    makes_grey = isinstance(dataset, ImageFolder) and dataset.channels == 1
    try:
        pixels = decode(file.read_bytes(), channels, (height, width) if resizes else None, strict=not makes_grey)
    except OSError as error:
        raise UserError(f"{file}: cannot be read: {error.strerror or error}") from error
    except ColourError as error:
        raise UserError(
            f"{file}: is in colour, and the network was trained on grey images ({dataset.name})\n"
            "  save it in grey, and light on dark where the training images are"
        ) from error
    except ValueError as error:
        raise UserError(f"{file}: cannot be read as an image: {error}") from error
    if pixels.shape[1:] != (height, width):
        raise UserError(
            f"{file}: is {pixels.shape[1]} x {pixels.shape[2]} (height x width), the network takes {height} x {width} "
            f"({dataset.name}, which resizes nothing)\n  resize it to {height} x {width} first"
        )
    return pixels.transpose(1, 2, 0)[None]


def _array_images(file: Path, shape: tuple[int, int, int]) -> Images:
    """The images of an .npy file, or of an .npz file's array `images` or `test_images`."""
    try:
        name, array = _array(file)
    except ArrayError as error:
        raise UserError(f"{file}: {error}") from error
    except OSError as error:
        raise UserError(f"{file}: cannot be read: {error.strerror or error}") from error
    if array.ndim == len(shape) - 1 or (array.ndim == 3 and array.shape[2] == shape[0] == 3):  # a single image
        array = array[None]
    images = images_of(file, name, array)
    if images.shape[1:] != shape:
        channels, height, width = images.shape[1:]
        raise UserError(
            f"{file}: {name} are {height} x {width} with {channels} channels; the network takes "
            f"{shape[1]} x {shape[2]} with {shape[0]}"
        )
    return images.transpose(0, 2, 3, 1)


def _array(file: Path) -> tuple[str, NDArray[Any]]:
    if file.suffix == ".npy":
        try:
            return "the array", np.load(file, allow_pickle=False)
        except (ValueError, EOFError) as error:
            raise ArrayError(f"no NumPy array: {error}") from error
    with open_arrays(file) as archive:
        names = [name for name in ARRAY_NAMES if name in archive.members] or list(archive.members)
        if not names or (len(archive.members) > 1 and names[0] not in ARRAY_NAMES):
            raise ArrayError(f"has no array {ARRAY_NAMES[0]!r}; it has {archive.listed}")
        return names[0], archive.array(names[0])
