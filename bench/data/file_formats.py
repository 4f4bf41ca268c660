"""How are a dataset's files read? Four IDX files, or one archive of which the members are read where it lies."""

from __future__ import annotations

import gzip
import hashlib
import io
import math
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.data.catalogue import DATASETS, DatasetInfo, FileInfo
from bench.errors import UserError

_UNSIGNED_BYTE = 0x08
_GZIP_MAGIC = b"\x1f\x8b"


def unpack(raw: bytes) -> bytes:
    """The bytes of a file, unpacked where they are gzip-compressed (the first ones tell, not the file's name).

    ValueError where these data are truncated or damaged.
    """
    if not raw.startswith(_GZIP_MAGIC):
        return raw
    try:
        return gzip.decompress(raw)
    except EOFError as error:
        raise ValueError(f"its gzip data are truncated: it ends too early, after {len(raw):,} bytes") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"its gzip data are damaged ({error})") from error


def parse(data: bytes) -> NDArray[np.uint8]:
    """The array in unpacked IDX bytes, as a read-only view of them.

    The format is on http://yann.lecun.com/exdb/mnist/: two zero bytes, the type of the values, the number
    of dimensions, each dimension as 4 bytes, then the values with the last dimension changing fastest.

    Raises
    ------
    ValueError
        Not IDX data of unsigned bytes, or more or fewer values than the header promises.
    """
    if not data:
        raise ValueError("it is empty")
    if len(data) < 4 or data[:3] != bytes((0, 0, _UNSIGNED_BYTE)):
        raise ValueError("it holds no IDX data of unsigned bytes")
    start = 4 + 4 * data[3]
    if len(data) < start:
        raise ValueError("it is truncated within its header")
    shape = tuple(int(size) for size in np.frombuffer(data[4:start], dtype=">u4"))
    expected, actual = math.prod(shape), len(data) - start
    if actual != expected:
        how = "it is truncated" if actual < expected else "it is too long"
        raise ValueError(f"{how}: its header promises {expected:,} values, {actual:,} follow")
    return np.frombuffer(data, dtype=np.uint8, offset=start).reshape(shape)


def verify(info: DatasetInfo, file: FileInfo, path: Path) -> None:
    """Make sure that `path` is `file`; errors as in `verified`. An archive is not held in memory."""
    if not file.as_distributed:
        verified(info, file, path)
        return
    try:
        with path.open("rb") as stream:
            checksum = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise _unreadable(info, file, path, error) from error
    if checksum != file.sha256:
        raise _other_file(info, file, path, checksum)


def verified(info: DatasetInfo, file: FileInfo, path: Path) -> bytes:
    """The unpacked bytes of an IDX `file` from `path`: the very ones whose checksum was compared.

    Raises
    ------
    UserError
        The file cannot be read, is truncated or damaged, or is another file; the message names it, and
        says which one it is where the catalogue knows.
    """
    if file.as_distributed:
        return _unpacked(info, file, path, verified_archive(info, file, path))
    data = _unpacked(info, file, path, _bytes(info, file, path))
    checksum = hashlib.sha256(data).hexdigest()
    if checksum == file.sha256:
        return data
    _name_the_other(info, file, path, checksum)
    try:
        parse(data)
    except ValueError as error:
        raise _wrong(info, file, path, str(error)) from error
    reason = f"it is damaged or another release (SHA-256 of its unpacked bytes {checksum}, expected {file.sha256})"
    raise _wrong(info, file, path, reason)


def verified_archive(info: DatasetInfo, file: FileInfo, path: Path) -> bytes:
    """The bytes of a file as it is distributed, which are then read from memory; errors as in `verified`."""
    data = _bytes(info, file, path)
    checksum = hashlib.sha256(data).hexdigest()
    if checksum != file.sha256:
        raise _other_file(info, file, path, checksum)
    return data


def _other_file(info: DatasetInfo, file: FileInfo, path: Path, checksum: str) -> UserError:
    """Why a file with this checksum is not the one that is distributed."""
    _name_the_other(info, file, path, checksum)
    if info.layout == "idx":
        # Another dataset's file of this name, and what is wrong with the compression, tell more than a checksum does.
        data = _unpacked(info, file, path, _bytes(info, file, path))
        _name_the_other(info, file, path, hashlib.sha256(data).hexdigest())
    return _wrong(info, file, path, f"it is damaged or another release (SHA-256 {checksum}, expected {file.sha256})")


def _bytes(info: DatasetInfo, file: FileInfo, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(info, file, path, error) from error


def _unpacked(info: DatasetInfo, file: FileInfo, path: Path, data: bytes) -> bytes:
    try:
        return unpack(data)
    except ValueError as error:
        raise _wrong(info, file, path, str(error)) from error


def _name_the_other(info: DatasetInfo, file: FileInfo, path: Path, sha256: str) -> None:
    known = _known(info, sha256)
    if known is not None:
        raise UserError(f"{path} holds {known}, not {info.title}'s {file.title}.\n{_remedy(info, file)}")


def _known(info: DatasetInfo, sha256: str) -> str | None:
    """A file of the catalogue in words, by its checksum."""
    for other in (info, *DATASETS.values()):
        for file in other.files:
            if file.sha256 == sha256:
                return f"{other.title}'s {file.title}"
    return None


def _unreadable(info: DatasetInfo, file: FileInfo, path: Path, error: OSError) -> UserError:
    return UserError(f"{path} cannot be read: {error.strerror or error}\n{_remedy(info, file)}")


def _wrong(info: DatasetInfo, file: FileInfo, path: Path, reason: str) -> UserError:
    return UserError(f"{path} does not hold {info.title}'s {file.title}: {reason}.\n{_remedy(info, file)}")


def _remedy(info: DatasetInfo, file: FileInfo) -> str:
    return (
        f"  Put {info.title}'s own {file.distributed} there; or remove what is wrong there, or point --data-dir or\n"
        f"  BENCH_DATA at another folder, and then run `bench data fetch {info.name}`."
    )


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
    """A zip of compressed IDX files. The images lie on their side there, and letters are counted from 1."""
    (path,) = paths
    data = verified_archive(info, info.files[0], path)
    parts = []
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for members, count in ((info.train_members, info.train_size), (info.test_members, info.test_size)):
                images, labels = (_parse(path, unpack(archive.read(member))) for member in members)
                upright = np.ascontiguousarray(_images(info, path, images, count).swapaxes(2, 3))
                parts.append((upright, _labels(info, path, labels - labels.min(initial=255), count)))
    except (KeyError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise UserError(f"{path} does not hold {info.title}: {error}") from error
    train, test = parts
    return Arrays(*train, *test)


def read_cifar(info: DatasetInfo, paths: list[Path]) -> Arrays:
    """A tar of binary batches: records of one or more labels, the last of which is the class, and an image.

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
        raise UserError(f"{path}: found {size:,} bytes for {count:,} images of {info.shape}")
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
        return parse(data)
    except ValueError as error:
        raise UserError(f"{path}: {error}") from error
