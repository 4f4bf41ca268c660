"""A ledger's folder: names of its parts, atomic writes, and listing of its entries."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from bench.errors import UserError
from bench.ledger.entries import folder_of, is_entry_name
from bench.ledger.store import Location, StoreListing

STALE_SECONDS = 24 * 3600.0
"""Age of a temporary file after which its writer is dead: writing an entry takes milliseconds."""

_HINTS = {
    errno.ENOSPC: "The disk is full: free some space there, or choose another folder",
    errno.EDQUOT: "Your quota is used up: free some space there, or choose another folder",
    errno.EFBIG: "The file would be larger than this process may write (see `ulimit -f`)",
    errno.EACCES: "You have no permission to write there: change it, or choose another folder",
    errno.EPERM: "You have no permission to write there: change it, or choose another folder",
    errno.EROFS: "That file system is read-only: choose another folder",
}


def cannot_write(path: Path, error: OSError) -> UserError:
    """The error to show when `path` could not be written."""
    hint = _HINTS.get(error.errno or 0, "Look at the folder, or choose another")
    return UserError(
        f"cannot write {path}: {error.strerror or error}.\n"
        f"  {hint}. What was stored before is safe; the same command goes on from there."
    )


PROBE_BYTES = 2**19
"""Free space that is tested before a run; an entry of 10,000 test images and 6,000 validation images has less."""


def check_writable(folder: Path) -> None:
    """UserError where nothing can be written to `folder` or its first existing parent; nothing is left behind."""
    try:
        existing_folder = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
        with tempfile.TemporaryFile(dir=existing_folder) as file:
            file.write(bytes(PROBE_BYTES))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise cannot_write(folder, error) from error


def write_atomically(data: bytes, target: Path, *, aside: Path) -> Path:
    """Write `data` into the folder `aside`, then move it to `target` in one step and onto the disk.

    Both must be on one file system. An existing file at `target` is replaced. Raises UserError where the disk is full
    or the folder is not writable, and then leaves nothing behind.
    """
    temporary = aside / f"{target.name}.{uuid.uuid4().hex[:12]}"
    try:
        _make_folder(aside)
        _make_folder(target.parent)
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
        _sync_folder(target.parent)
    except OSError as error:
        raise cannot_write(target, error) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    return target


@contextlib.contextmanager
def temporary_beside(target: Path) -> Iterator[BinaryIO]:
    """A new file in the target's folder that replaces it at the end, once it is on the disk; else nothing. OSError."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex[:12]}")
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
        _sync_folder(target.parent)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def remove_stale_files(folder: Path, *, newest: Path) -> None:
    """Remove the temporary files of dead writers from `folder`.

    `newest` is a file that was just written; its time is that of the file system's clock.
    """
    with contextlib.suppress(OSError):
        now = newest.stat().st_mtime
        for path in folder.iterdir():
            if now - path.stat().st_mtime > STALE_SECONDS:
                path.unlink()


def _make_folder(folder: Path) -> None:
    if not folder.is_dir():
        _make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    # Some network file systems do not support this.
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


ENTRIES, INDEX, LEASES, TEMPORARY, CHECKPOINTS = "entries", "index.jsonl", "leases", "tmp", "checkpoints"
RUNGS = "rungs"
"""Scores at the rungs of pruning, in the names of empty files; they are advisory, as leases are."""
LOGS = "logs"
"""Output of trials, a file each, for people."""


def entry_path(root: Path, name: str) -> Path:
    return root / ENTRIES / folder_of(name) / name


def check_folder(root: Path) -> bool:
    """Whether `root` has entries; UserError where it exists and is neither a ledger nor empty."""
    try:
        names = {path.name for path in root.iterdir()}
    except FileNotFoundError:
        return False
    except NotADirectoryError as error:
        raise UserError(f"{root}: a ledger is a folder, and this is a file; choose another location") from error
    except OSError as error:
        raise UserError(f"{root}: cannot be read as a ledger: {error.strerror}") from error
    return check_names(root, names)


def check_names(root: Location, names: set[str]) -> bool:
    """Whether `root`, which contains these `names`, has entries; UserError where it is clearly not a ledger."""
    visible = sorted(name for name in names if not name.startswith("."))
    if visible and not names & {ENTRIES, INDEX, LEASES, TEMPORARY, CHECKPOINTS, RUNGS}:
        raise UserError(
            f"{root}: not a ledger: it has no folder `{ENTRIES}` but holds {', '.join(visible[:3])}"
            f"{', ...' if len(visible) > 3 else ''}; name a ledger, or a new or empty folder"
        )
    return ENTRIES in names


def is_file(file: os.DirEntry[str], folder: bool = False) -> bool:
    """Whether this is a file (or a `folder`), or a link to one; a link to itself is neither."""
    with contextlib.suppress(OSError):
        return file.is_dir() if folder else file.is_file()
    return False


def list_files(root: Path) -> StoreListing:
    """The files within ``entries``; none where the ledger does not exist yet. Raises UserError where it is unreadable.

    Reads no file: 10,000 entries take some ten milliseconds on a local disk. (The folders' modification times would be
    faster to compare, but two changes in one tick of the kernel's clock look like one.)
    """
    listing = StoreListing({}, [])
    try:
        for folder in os.scandir(root / ENTRIES):
            if not is_file(folder, folder=True):
                continue
            for file in os.scandir(folder):
                if is_entry_name(file.name) and folder_of(file.name) == folder.name and is_file(file):
                    listing.entries[file.name] = file
                elif file.name.endswith(".npz"):
                    listing.unexpected_files.append(Path(file.path))
    except FileNotFoundError:
        return listing
    except OSError as error:
        raise UserError(f"{root}: cannot be read as a ledger: {error.filename}: {error.strerror}") from error
    return listing
