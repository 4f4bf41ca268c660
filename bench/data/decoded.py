"""Images of any kind to arrays of one shape, which the user cache saves: each data set is decoded once."""

from __future__ import annotations

import hashlib
import json
import math
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.arrays import MAX_MEMORY_FRACTION
from bench.data.local_files import user_cache
from bench.errors import UserError
from bench.system import memory

DECODER = 2
"""Raised whenever the same image would be decoded to other pixels than before."""

DIGESTS = "sha256.json"
"""The checksums of the arrays in a folder of the cache, next to them."""

Arrays = dict[str, NDArray[Any]]

Notify = Callable[[str], None]


@dataclass(frozen=True)
class ImagePart:
    """Images of a part, before they are decoded.

    `items` begins anew at each call: what a message calls an image, the image (a file's bytes, a Pillow image or an
    array) and its label.
    """

    count: int
    items: Callable[[], Iterator[tuple[str, Any, Any]]]


def decode_parts(
    what: str, parts: Mapping[str, ImagePart], size: tuple[int, int] | None, channels: int | None
) -> dict[str, tuple[NDArray[np.uint8], list[Any]]]:
    """Pixels (N, C, H, W) and labels of each part; without `channels` grey where every image is grey.

    Raises
    ------
    UserError
        An image cannot be read or has another size than the first, or there are more pixels than there is memory for.
    """
    from bench.data.image_file import ColourError

    if channels is not None:
        return _decode_parts(what, parts, size, channels, False)
    try:
        return _decode_parts(what, parts, size, 1, True)
    except ColourError:
        return _decode_parts(what, parts, size, 3, False)


def _decode_parts(
    what: str, parts: Mapping[str, ImagePart], size: tuple[int, int] | None, channels: int, strict: bool
) -> dict[str, tuple[NDArray[np.uint8], list[Any]]]:
    """With `strict`, ColourError at the first image that has colour."""
    from bench.data.image_file import pixels_of

    count = sum(part.count for part in parts.values())
    if size is not None:  # before the first image is made that large
        _check_memory(what, count, (channels, *size))
    decoded: dict[str, tuple[NDArray[np.uint8], list[Any]]] = {}
    first: tuple[str, tuple[int, ...]] | None = None
    for part_name, part in parts.items():
        labels: list[Any] = []
        for name, source, label in part.items():
            try:
                image = pixels_of(source, channels, size, strict)
            except ValueError as error:
                raise UserError(f"{name} cannot be read as an image: {error}\n  mend or remove it") from error
            if first is None:
                first = name, image.shape
                _check_memory(what, count, image.shape)
            if image.shape != first[1]:
                raise _other_size(name, image.shape, *first)
            if not labels:
                decoded[part_name] = np.empty((part.count, *image.shape), dtype=np.uint8), labels
            decoded[part_name][0][len(labels)] = image
            labels.append(label)
    return decoded


def _check_memory(what: str, count: int, shape: tuple[int, ...]) -> None:
    needed = count * math.prod(shape)
    available = memory()
    if needed > MAX_MEMORY_FRACTION * available:
        raise UserError(
            f"{what}: {count:,} images of {shape[1]} x {shape[2]} take {needed / 2**30:.1f} GiB, more than half of "
            f"the {available / 2**30:.1f} GiB that this machine or container has; "
            "have them made smaller with `size: [HEIGHT, WIDTH]`"
        )


def _other_size(name: str, shape: tuple[int, ...], first: str, expected: tuple[int, ...]) -> UserError:
    return UserError(
        f"{name} is {shape[1]} x {shape[2]} (height x width), while {first} is {expected[1]} x {expected[2]}: "
        f"make them one size, or have all resized with `size: [{expected[1]}, {expected[2]}]`"
    )


def cache_folder(sha256: str, *details: object) -> Path:
    """Where the arrays of these contents are saved; `details` and Pillow's version tell how they were decoded."""
    import PIL

    name = "-".join(map(str, (sha256[:32], *details, f"pillow-{PIL.__version__}", DECODER)))
    return user_cache() / "decoded" / name


def recall(folder: Path) -> Arrays | None:
    """The arrays of an earlier time, mapped; None where there are none, not all, or others than were written."""
    arrays: Arrays = {}
    try:
        for name, digest in json.loads((folder / DIGESTS).read_text()).items():
            array = np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
            arrays[name] = np.asarray(array)  # a plain array, which pickles without being copied first
            if _digest(arrays[name]) != digest:
                return None
    except (OSError, ValueError, EOFError, AttributeError, TypeError):
        return None
    return arrays


def _digest(array: NDArray[Any]) -> str:
    """SHA-256 (hex) over the type, the shape and the values."""
    hasher = hashlib.sha256(f"{array.dtype} {array.shape}".encode())
    hasher.update(np.ascontiguousarray(array).data)
    return hasher.hexdigest()


def save(arrays: Mapping[str, NDArray[Any]], folder: Path) -> bool:
    """Put all arrays into place at once; False where the cache cannot be written to, which costs time only."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".", dir=folder.parent, ignore_cleanup_errors=True) as temporary:
            fresh = Path(temporary, "arrays")
            fresh.mkdir()
            for name, array in arrays.items():
                np.save(fresh / f"{name}.npy", array, allow_pickle=False)
            (fresh / DIGESTS).write_text(json.dumps({name: _digest(array) for name, array in arrays.items()}))
            try:
                fresh.rename(folder)
            except OSError:  # an incomplete or damaged one, or another process was faster
                for path in fresh.iterdir():
                    path.replace(folder / path.name)
    except OSError:
        return False
    return True
