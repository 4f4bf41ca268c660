"""A store in a folder of this machine, or in one that it mounts; and how bench writes a file whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import tempfile
import uuid
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from bench.errors import UserError
from bench.ledger.entries import MAX_ENTRY_BYTES, too_large
from bench.ledger.store import ENTRIES, LEASES, RUNGS, TEMPORARY, StoredFile, check_names

STALE_SECONDS = 24 * 3600.0
"""Age of a temporary file after which its writer is dead: writing an entry takes milliseconds."""
PROBE_BYTES = 2**19
"""Free space that is tested before a run; an entry of 10,000 test images and 6,000 validation images has less."""
LIST_DEPTH = 2
"""Folders within a listed one that are looked into; a link may lead back to where it is."""

_HINTS = {
    errno.ENOSPC: "The disk is full: free some space there, or choose another folder",
    errno.EDQUOT: "Your quota is used up: free some space there, or choose another folder",
    errno.EFBIG: "The file would be larger than this process may write (see `ulimit -f`)",
    errno.EACCES: "You have no permission to write there: change it, or choose another folder",
    errno.EPERM: "You have no permission to write there: change it, or choose another folder",
    errno.EROFS: "That file system is read-only: choose another folder",
}


class FileStore:
    """See `bench.ledger.store.AppendableStore`; a file is written to a temporary one, synced and renamed."""

    def __init__(self, root: Path) -> None:
        self.root = self.local = root
        self._swept = False

    def check(self, writable: bool = False) -> bool:
        exists = _check_folder(self.root)
        if writable:
            for name in (ENTRIES, LEASES, TEMPORARY):
                check_writable(self.root / name)
        return exists

    def list(self, folder: str) -> dict[str, StoredFile]:
        """Reads no file: 10,000 entries take some ten milliseconds on a local disk.

        (The folders' modification times would be faster to compare, but two changes in one tick of the kernel's clock
        look like one.)
        """
        files: dict[str, StoredFile] = {}
        try:
            _list(self.root / folder, folder, LIST_DEPTH, files)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise UserError(f"{self.root}: cannot be read as a ledger: {error.filename}: {error.strerror}") from error
        return files

    def read(self, path: str, max_bytes: int = MAX_ENTRY_BYTES) -> bytes:
        # Non-blocking, since it may be a pipe or a device.
        with os.fdopen(os.open(self.root / path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise OSError(errno.EINVAL, "no file")
            if status.st_size > max_bytes:
                raise too_large()
            return file.read()

    def read_many(self, files: Iterable[tuple[str, StoredFile]]) -> Iterator[tuple[str, bytes | OSError]]:
        for path, _ in files:
            try:
                yield path, self.read(path)
            except OSError as error:
                yield path, error

    def write(self, path: str, data: bytes, if_absent: bool = False) -> None:
        # Leases and rungs are advisory, so they need not survive a power failure.
        durable = not path.startswith((LEASES, RUNGS))
        target = self.root / path
        if not if_absent and self._holds(path, data):
            with contextlib.suppress(OSError):  # another user's file is replaced
                os.utime(target)  # without a time given, a file server sets its own
                return
        write_atomically(data, target, aside=self.root / TEMPORARY, if_absent=if_absent, durable=durable)
        if durable and not self._swept:
            remove_stale_files(self.root / TEMPORARY, newest=target)
            self._swept = True

    def append(self, path: str, lines: Sequence[bytes]) -> None:
        descriptor = os.open(self.root / path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NONBLOCK, 0o666)
        try:
            # A killed writer may have left half a line; the next one must start on a new line.
            end = os.lseek(descriptor, 0, os.SEEK_END)
            if end and os.pread(descriptor, 1, end - 1) != b"\n":
                os.write(descriptor, b"\n")
            for line in lines:
                os.write(descriptor, line)
        finally:
            os.close(descriptor)

    def delete(self, path: str) -> None:
        try:
            (self.root / path).unlink(missing_ok=True)
        except OSError as error:
            raise UserError(f"cannot remove {self.root / path}: {error.strerror or error}") from error

    def _holds(self, path: str, data: bytes) -> bool:
        with contextlib.suppress(OSError):
            return self.read(path, len(data)) == data
        return False


def _list(folder: Path, name: str, depth: int, files: dict[str, StoredFile]) -> None:
    for file in os.scandir(folder):
        path = f"{name}/{file.name}"
        try:
            if depth and file.is_dir():
                _list(Path(file.path), path, depth - 1, files)
                continue
            status = file.stat()
            files[path] = StoredFile(status.st_size, status.st_ctime_ns, status.st_mtime, stat.S_ISREG(status.st_mode))
        except FileNotFoundError:  # removed since, or a link to nothing
            if file.is_symlink():
                files[path] = StoredFile(0, regular=False)
        except OSError as error:
            if error.errno != errno.ELOOP:
                raise
            files[path] = StoredFile(0, regular=False)


def write_atomically(data: bytes, target: Path, *, aside: Path, if_absent: bool = False, durable: bool = True) -> None:
    """Write `data` into the folder `aside`, then move it to `target` in one step and, if `durable`, onto the disk.

    Both must be on one file system. An existing file at `target` is replaced; with `if_absent` it stays and
    FileExistsError is raised. Raises UserError where the disk is full or the folder is not writable, and then leaves
    nothing behind.
    """
    temporary = aside / f"{target.name}.{uuid.uuid4().hex[:12]}"
    created = True
    try:
        _make_folder(aside)
        _make_folder(target.parent)
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        if if_absent:
            created = _create(target, temporary)
        else:
            temporary.replace(target)
        if durable:  # also where another driver has created it and may not have come to this yet
            _sync_folder(target.parent)
    except OSError as error:
        raise cannot_write(target, error) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    if not created:
        raise FileExistsError(target)


def _create(target: Path, temporary: Path) -> bool:
    """Give a file its name, unless there is one of that name: then False."""
    try:
        target.hardlink_to(temporary)
    except FileExistsError:
        return False
    except OSError:  # a file system without links
        try:
            os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
        except FileExistsError:
            return False
        temporary.replace(target)
    return True


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


def cannot_write(path: Path, error: OSError) -> UserError:
    """The error to show when `path` could not be written."""
    hint = _HINTS.get(error.errno or 0, "Look at the folder, or choose another")
    return UserError(
        f"cannot write {path}: {error.strerror or error}.\n"
        f"  {hint}. What was stored before is safe; the same command goes on from there."
    )


def _check_folder(root: Path) -> bool:
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
