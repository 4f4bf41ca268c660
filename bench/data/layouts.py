"""How are a dataset's files read? Four IDX files, or one archive of which the members are read where it lies."""

from __future__ import annotations

import io
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.data import idx
from bench.data.catalogue import DatasetInfo
from bench.data.verify import verified, verified_archive
from bench.suite.errors import UserError


@dataclass(frozen=True)
class Arrays:
    """Images as uint8 (N, C, H, W), labels as int64 (N,)."""

    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.int64]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.int64]


def read(info: DatasetInfo, paths: list[Path]) -> Arrays:
    """A dataset's arrays from its files, in the order of `info.files`, each of them verified first.

    Raises
    ------
    UserError
        A file is truncated, damaged or another one; or does not hold what the catalogue says.
    """
    return READERS[info.layout](info, paths)


def read_idx(info: DatasetInfo, paths: list[Path]) -> Arrays:
    """Four files: training images and labels, test images and labels."""
    contents = [verified(info, file, path) for file, path in zip(info.files, paths, strict=True)]
    parts = [_parse(path, data) for path, data in zip(paths, contents, strict=True)]
    return Arrays(
        _images(info, paths[0], parts[0], info.train_size),
        _labels(info, paths[1], parts[1], info.train_size),
        _images(info, paths[2], parts[2], info.test_size),
        _labels(info, paths[3], parts[3], info.test_size),
    )


def read_emnist(info: DatasetInfo, paths: list[Path]) -> Arrays:
    """A zip of compressed IDX files. The pictures lie on their side there, and letters are counted from 1."""
    (path,) = paths
    data = verified_archive(info, info.files[0], path)
    parts = []
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for members, count in ((info.train_members, info.train_size), (info.test_members, info.test_size)):
                images, labels = (_parse(path, idx.unpack(archive.read(member))) for member in members)
                upright = np.ascontiguousarray(_images(info, path, images, count).swapaxes(2, 3))
                parts.append((upright, _labels(info, path, labels - labels.min(initial=255), count)))
    except (KeyError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise UserError(f"{path} does not hold {info.title}: {error}") from error
    train, test = parts
    return Arrays(*train, *test)


def read_cifar(info: DatasetInfo, paths: list[Path]) -> Arrays:
    """A tar of binary batches: records of one or more labels, the last of which is the class, and a picture.

    The format is on https://www.cs.toronto.edu/~kriz/cifar.html ("binary version").
    """
    (path,) = paths
    data = verified_archive(info, info.files[0], path)
    wanted = dict.fromkeys((*info.train_members, *info.test_members), b"")
    try:
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            for member in archive:
                stream = archive.extractfile(member) if member.name in wanted else None
                if stream is not None:
                    wanted[member.name] = stream.read()
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path} does not hold {info.title}: {error}") from error
    train = _records(info, path, [wanted[member] for member in info.train_members], info.train_size)
    test = _records(info, path, [wanted[member] for member in info.test_members], info.test_size)
    return Arrays(*train, *test)


READERS: dict[str, Callable[[DatasetInfo, list[Path]], Arrays]] = {
    "idx": read_idx,
    "emnist": read_emnist,
    "cifar": read_cifar,
}


def _records(
    info: DatasetInfo, path: Path, batches: list[bytes], count: int
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    pixels = int(np.prod(info.shape))
    size = sum(map(len, batches))
    width = size // count
    if width <= pixels or width * count != size or any(len(batch) % width for batch in batches):
        raise UserError(f"{path}: found {size:,} bytes for {count:,} pictures of {info.shape}")
    records = [np.frombuffer(batch, dtype=np.uint8).reshape(-1, width) for batch in batches]
    images = np.concatenate([batch[:, -pixels:] for batch in records])
    labels = np.concatenate([batch[:, -pixels - 1] for batch in records])
    return _images(info, path, images, count), _labels(info, path, labels, count)


def _images(info: DatasetInfo, path: Path, array: NDArray[np.uint8], count: int) -> NDArray[np.uint8]:
    if array.size != count * int(np.prod(info.shape)) or len(array) != count:
        raise UserError(f"{path}: found an array of shape {array.shape}, expected {count} images of {info.shape}")
    return array.reshape(count, *info.shape)


def _labels(info: DatasetInfo, path: Path, array: NDArray[np.uint8], count: int) -> NDArray[np.int64]:
    if array.shape != (count,) or int(array.max(initial=0)) >= len(info.classes):
        raise UserError(f"{path}: expected {count} labels below {len(info.classes)}, found shape {array.shape}")
    return array.astype(np.int64)


def _parse(path: Path, data: bytes) -> NDArray[np.uint8]:
    try:
        return idx.parse(data)
    except ValueError as error:
        raise UserError(f"{path}: {error}") from error
