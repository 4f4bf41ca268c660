"""Is a file what it should be? Checked by SHA-256 of the unpacked bytes at every load."""

from __future__ import annotations

import hashlib
from pathlib import Path

from bench.data import idx
from bench.data.catalogue import DATASETS, DatasetInfo, FileInfo
from bench.suite.errors import UserError


def verified(info: DatasetInfo, file: FileInfo, path: Path) -> bytes:
    """The unpacked bytes of `file` from `path`.

    Raises
    ------
    UserError
        The file cannot be read, is truncated or damaged, or is another file; the message names it, and
        says which one it is where the catalogue knows.
    """
    try:
        data = idx.read(path)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}\n{_remedy(info, file)}") from error
    except ValueError as error:
        raise _wrong(info, file, path, str(error)) from error
    found = hashlib.sha256(data).hexdigest()
    if found == file.sha256:
        return data
    known = _known(info, found)
    if known is not None:
        raise UserError(f"{path} holds {known}, not {info.title}'s {file.title}.\n{_remedy(info, file)}")
    try:
        idx.parse(data)
    except ValueError as error:
        raise _wrong(info, file, path, str(error)) from error
    reason = f"it is damaged or another release (SHA-256 of its unpacked bytes {found}, expected {file.sha256})"
    raise _wrong(info, file, path, reason)


def _known(info: DatasetInfo, sha256: str) -> str | None:
    """A file of the catalogue in words, by its checksum."""
    for other in (info, *DATASETS.values()):
        for file in other.files:
            if file.sha256 == sha256:
                return f"{other.title}'s {file.title}"
    return None


def _wrong(info: DatasetInfo, file: FileInfo, path: Path, reason: str) -> UserError:
    return UserError(f"{path} does not hold {info.title}'s {file.title}: {reason}.\n{_remedy(info, file)}")


def _remedy(info: DatasetInfo, file: FileInfo) -> str:
    return (
        f"  Put {info.title}'s own {file.name}.gz there; or remove what is wrong there, or point --data-dir or\n"
        f"  BENCH_DATA at another folder, and then run `bench data fetch {info.name}`."
    )
