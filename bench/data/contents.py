"""The checksum of the user's own files: of their bytes, not of where or when they were written."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from bench.data.places import user_cache
from bench.suite.errors import UserError

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
    begun = time.time()
    state, latest = _state(root, names)
    note = user_cache() / "checksums" / f"{hashlib.sha256(os.fsencode(subject)).hexdigest()[:20]}.json"
    try:
        noted = json.loads(note.read_text())
        if noted["state"] == state:
            return str(noted["checksum"])
    except (OSError, ValueError, KeyError, TypeError):
        pass  # never noted, or half a file: the contents tell
    found = digest()
    if latest < begun - SETTLED_SECONDS:
        _write(note, json.dumps({"state": state, "checksum": found}))
    return found


def combined(digests: Iterable[tuple[str, str]]) -> str:
    """The checksum of files from their names and their own SHA-256 (hex)."""
    whole = hashlib.sha256()
    for name, digest in sorted(digests):
        whole.update(os.fsencode(f"{name}\0{digest}\n"))
    return whole.hexdigest()


def read(path: Path) -> bytes:
    """A file's bytes; UserError where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from error


def _state(root: Path, names: Iterable[str]) -> tuple[str, float]:
    """A hash of what the file system says about the files, and when the last of them changed."""
    whole = hashlib.sha256()
    latest = 0
    for name in names:
        path = os.path.join(root, name)  # noqa: PTH118 (a Path each takes ten times as long)
        try:
            stat = os.stat(path)  # noqa: PTH116
        except OSError as error:
            raise UserError(f"{path} cannot be read: {error.strerror or error}") from error
        facts = (stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino, stat.st_dev)
        whole.update(os.fsencode(f"{name}\0{facts}\n"))
        latest = max(latest, stat.st_mtime_ns, stat.st_ctime_ns)
    return whole.hexdigest(), latest / 1e9


def _write(path: Path, text: str) -> None:
    """Whole or not at all; a cache that cannot be written to costs time, nothing else."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=".", delete=False) as aside:
            aside.write(text)
        Path(aside.name).replace(path)
    except OSError:
        pass
