"""The checksum of the user's own files: of their bytes, not of where or when they were written."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import stat
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from bench.arrays import MAX_MEMORY_FRACTION
from bench.data.search_paths import user_cache
from bench.errors import UserError
from bench.system import memory

SETTLED_SECONDS = 3.0
"""Files changed this shortly before they are read are read again the next time.

A file system's clock ticks in steps (two seconds on FAT): within one, a file can change and keep its times.
"""


def checksum(root: Path, names: Sequence[str]) -> str:
    """SHA-256 (hex) over names and contents of files below a folder, whatever their order.

    It is remembered in the user cache and taken from there as long as every file has its size, times (that of the
    last change of the file's entry among them, which no program can set) and inode.

    Raises
    ------
    UserError
        A file cannot be read; the message names it.
    """
    return _remembered(
        root, root, names, lambda: combined((name, hashlib.sha256(read(root / name)).hexdigest()) for name in names)
    )


def file_checksum(path: Path) -> str:
    """SHA-256 (hex) over the contents of one file, whatever its name; remembered, and errors, as in `checksum`."""
    return _remembered(path, path.parent, [path.name], lambda: hashlib.sha256(read(path)).hexdigest())


def _remembered(subject: Path, root: Path, names: Sequence[str], digest: Callable[[], str]) -> str:
    started_at = time.time()
    state, latest = _state(root, names)
    note_path = _note(subject)
    try:
        remembered = json.loads(note_path.read_text())
        if remembered["state"] == state:
            return str(remembered["checksum"])
    except (OSError, ValueError, KeyError, TypeError):
        pass  # never noted, or half a file: compute it
    digest_value = digest()
    if latest < started_at - SETTLED_SECONDS:
        _write(note_path, json.dumps({"state": state, "checksum": digest_value}))
    return digest_value


def correct(subject: Path, checksum: str) -> None:
    """Forget what is remembered of a file or folder if its contents have another checksum."""
    note_path = _note(subject)
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        if json.loads(note_path.read_text())["checksum"] != checksum:
            note_path.unlink()


def _note(subject: Path) -> Path:
    return user_cache() / "checksums" / f"{hashlib.sha256(os.fsencode(subject)).hexdigest()[:20]}.json"


def combined(digests: Iterable[tuple[str, str]]) -> str:
    """The checksum of files from their names and their own SHA-256 (hex)."""
    hasher = hashlib.sha256()
    for name, digest in sorted(digests):
        hasher.update(os.fsencode(f"{name}\0{digest}\n"))
    return hasher.hexdigest()


def read(path: Path) -> bytes:
    """A file's bytes; UserError as in `check_file`, and where it is larger than memory allows."""
    check_file(path)
    try:
        size = path.stat().st_size
        if size > MAX_MEMORY_FRACTION * memory():
            raise UserError(f"{path} has {size / 2**30:.1f} GiB, more than half of the memory there is")
        return path.read_bytes()
    except (OSError, MemoryError) as error:
        raise UserError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error


def check_file(path: Path) -> None:
    """UserError where a path is no file that ends: it cannot be read, is a folder, a pipe or a device."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from error
    if stat.S_ISDIR(mode):
        raise UserError(f"{path} cannot be read: {os.strerror(errno.EISDIR)}")
    if not stat.S_ISREG(mode):
        raise UserError(f"{path} is a pipe, a socket or a device: give a file")


def _state(root: Path, names: Iterable[str]) -> tuple[str, float]:
    """A hash of what the file system says about the files, and when the last of them changed."""
    hasher = hashlib.sha256()
    latest = 0
    for name in names:
        path = os.path.join(root, name)  # noqa: PTH118 (a Path each takes ten times as long)
        try:
            status = os.stat(path)  # noqa: PTH116
        except OSError as error:
            raise UserError(f"{path} cannot be read: {error.strerror or error}") from error
        attributes = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_dev)
        hasher.update(os.fsencode(f"{name}\0{attributes}\n"))
        latest = max(latest, status.st_mtime_ns, status.st_ctime_ns)
    return hasher.hexdigest(), latest / 1e9


def _write(path: Path, text: str) -> None:
    """Whole or not at all; a cache that cannot be written to costs time, nothing else."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=".", delete=False) as temporary:
            temporary.write(text)
        Path(temporary.name).replace(path)
    except OSError:
        pass
