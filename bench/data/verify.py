"""Is a file what it should be? Checked by SHA-256 at every load, of the unpacked bytes where theirs is known."""

from __future__ import annotations

import hashlib
from pathlib import Path

from bench.data import idx
from bench.data.catalogue import DATASETS, DatasetInfo, FileInfo
from bench.suite.errors import UserError


def verify(info: DatasetInfo, file: FileInfo, path: Path) -> None:
    """Make sure that `path` is `file`; errors as in `verified`. An archive is not held in memory."""
    if not file.as_distributed:
        verified(info, file, path)
        return
    try:
        with path.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise _unreadable(info, file, path, error) from error
    if found != file.sha256:
        raise _other_file(info, file, path, found)


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
    found = hashlib.sha256(data).hexdigest()
    if found == file.sha256:
        return data
    _name_the_other(info, file, path, found)
    try:
        idx.parse(data)
    except ValueError as error:
        raise _wrong(info, file, path, str(error)) from error
    reason = f"it is damaged or another release (SHA-256 of its unpacked bytes {found}, expected {file.sha256})"
    raise _wrong(info, file, path, reason)


def verified_archive(info: DatasetInfo, file: FileInfo, path: Path) -> bytes:
    """The bytes of a file as it is distributed, which are then read from memory; errors as in `verified`."""
    data = _bytes(info, file, path)
    found = hashlib.sha256(data).hexdigest()
    if found != file.sha256:
        raise _other_file(info, file, path, found)
    return data


def _other_file(info: DatasetInfo, file: FileInfo, path: Path, found: str) -> UserError:
    """Why a file with this checksum is not the one that is distributed."""
    _name_the_other(info, file, path, found)
    if info.layout == "idx":
        # Another dataset's file of this name, and what is wrong with the compression, tell more than a checksum does.
        data = _unpacked(info, file, path, _bytes(info, file, path))
        _name_the_other(info, file, path, hashlib.sha256(data).hexdigest())
    return _wrong(info, file, path, f"it is damaged or another release (SHA-256 {found}, expected {file.sha256})")


def _bytes(info: DatasetInfo, file: FileInfo, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(info, file, path, error) from error


def _unpacked(info: DatasetInfo, file: FileInfo, path: Path, data: bytes) -> bytes:
    try:
        return idx.unpack(data)
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
