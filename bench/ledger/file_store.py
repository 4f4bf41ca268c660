"""A store in a folder of this machine, or in one that it mounts."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from bench.errors import UserError
from bench.ledger.entries import MAX_ENTRY_BYTES, LedgerEntry, folder_of, is_entry_name, too_large
from bench.ledger.files import (
    ENTRIES,
    INDEX,
    LEASES,
    TEMPORARY,
    cannot_write,
    check_folder,
    check_writable,
    entry_path,
    is_file,
    list_files,
    remove_stale_files,
    write_atomically,
)
from bench.ledger.store import (
    LEASE_SECONDS,
    EntryState,
    IndexedFiles,
    LeaseOwner,
    StoredFile,
    StoreListing,
    append_index,
    index_line,
    is_dead,
    owner_bytes,
    owner_in,
    read_index,
)

MAX_LEASE_BYTES = 4096
"""A lease has some 200."""
EMPTY_LEASE_SECONDS = 10.0
"""An empty lease expires after this: its driver was killed between creating and writing the file."""


def acquire_file(path: Path, owner: LeaseOwner) -> bool:
    """Acquire the lease `path` unless a living driver has it. Raises OSError."""
    return _create(path, owner) or file_holder(path) == owner or (_is_available(path) and _replace_expired(path, owner))


def renew_file(path: Path, owner: LeaseOwner) -> None:
    """Renew the lease, if `owner` has it. Raises OSError."""
    if file_holder(path) == owner:
        os.utime(path)  # without a time given, a file server sets its own


def release_file(path: Path, owner: LeaseOwner) -> None:
    """Release the lease, if `owner` has it. Raises OSError."""
    with _locked(path):
        if file_holder(path) == owner:
            path.unlink()


def _create(path: Path, owner: LeaseOwner) -> bool:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    except FileExistsError:
        return False
    try:
        os.write(descriptor, owner_bytes(owner))
    except OSError:
        path.unlink()
        raise
    finally:
        os.close(descriptor)
    return True


def _replace_expired(path: Path, owner: LeaseOwner) -> bool:
    # Two drivers may find the same lease expired. Under the lock, which the system releases when its holder dies, the
    # second sees the first one's new lease. A third may create one in between: then this driver does not get it.
    with _locked(path):
        if not _is_available(path):
            return False
        path.unlink(missing_ok=True)
        return _create(path, owner)


def _is_available(path: Path) -> bool:
    owner = file_holder(path)
    try:
        lease = path.stat()
    except FileNotFoundError:
        return True
    if owner and is_dead(owner):
        return True
    # Both times are of the file system's clock. Where it was set back, leases are in the future until they are
    # renewed, hence the absolute value.
    _lock_file(path).touch()
    age = abs(_lock_file(path).stat().st_mtime - lease.st_mtime)
    return age > (LEASE_SECONDS if lease.st_size else EMPTY_LEASE_SECONDS)


def _lock_file(path: Path) -> Path:
    return path.with_name(".lock")


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with _lock_file(path).open("ab") as file:
        # Without locks two drivers may get one lease; a duplicate run is harmless.
        with contextlib.suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def file_holder(path: Path) -> LeaseOwner | None:
    """Who has the lease; None where there is none, or it is half written."""
    try:
        # Non-blocking and limited: the file may be a pipe or a device.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            return owner_in(file.read(MAX_LEASE_BYTES))
    except OSError:
        return None


class FileStore:
    """See `bench.ledger.store.Store`; an entry is written to a temporary file, synced and renamed."""

    def __init__(self, root: Path) -> None:
        self.root = self.local = root
        self._swept = False

    def check(self) -> bool:
        return check_folder(self.root)

    def check_writable(self) -> None:
        for name in (ENTRIES, LEASES, TEMPORARY):
            check_writable(self.root / name)

    def location(self, name: str) -> Path:
        return entry_path(self.root, name)

    def listing(self) -> StoreListing:
        return list_files(self.root)

    def names_of(self, key: str) -> Iterable[str]:
        with contextlib.suppress(FileNotFoundError):
            for file in os.scandir(self.root / ENTRIES / folder_of(key)):
                if file.name.startswith(f"{key}-") and is_entry_name(file.name) and is_file(file):
                    yield file.name

    def read(self, name: str) -> bytes:
        return _read(self.location(name))

    def read_all(self, files: Iterable[tuple[str, StoredFile]]) -> Iterator[tuple[str, bytes | OSError]]:
        for name, file in files:
            try:
                yield name, _read(Path(file.path))
            except OSError as error:
                yield name, error

    def put(self, name: str, data: bytes) -> Path:
        path = write_atomically(data, self.location(name), aside=self.root / TEMPORARY)
        if not self._swept:
            remove_stale_files(self.root / TEMPORARY, newest=path)
            self._swept = True
        return path

    def read_index(self, files: dict[str, StoredFile]) -> IndexedFiles:
        path = self.root / INDEX
        with contextlib.suppress(OSError):
            if path.is_file():  # not a pipe, which would block
                with path.open("rb") as lines:
                    return read_index(lines, files)
        return IndexedFiles([], {})

    def add_to_index(self, entry: LedgerEntry) -> None:
        with contextlib.suppress(OSError):
            stat = self.location(entry.name).stat()
            append_index(self.root / INDEX, [(entry, (stat.st_size, stat.st_ctime_ns))])

    def update_index(self, entries: list[EntryState], everything: Callable[[], Iterable[EntryState]]) -> None:
        all_entries = list(everything())
        if 2 * len(entries) < len(all_entries) or not (self.root / INDEX).exists():
            append_index(self.root / INDEX, entries)
            return
        # Rewritten, since appending would double the index of each copied ledger.
        lines = b"".join(index_line(entry, state) for entry, state in all_entries)
        with contextlib.suppress(UserError):
            write_atomically(lines, self.root / INDEX, aside=self.root / TEMPORARY)

    def distrust(self, name: str) -> None:
        with contextlib.suppress(OSError):
            os.utime(self.location(name))  # a touched file does not match its line

    def acquire(self, key: str, owner: LeaseOwner) -> bool:
        path = self.root / LEASES / key
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            return acquire_file(path, owner)
        except OSError as error:
            raise cannot_write(path, error) from error

    def holder(self, key: str) -> LeaseOwner | None:
        return file_holder(self.root / LEASES / key)

    def renew(self, key: str, owner: LeaseOwner) -> None:
        # Where this or `release` fails, the lease expires.
        with contextlib.suppress(OSError):
            renew_file(self.root / LEASES / key, owner)

    def release(self, key: str, owner: LeaseOwner) -> None:
        with contextlib.suppress(OSError):
            release_file(self.root / LEASES / key, owner)

    def mark(self, folder: str, name: str) -> None:
        with contextlib.suppress(OSError):
            path = self.root / folder
            path.mkdir(parents=True, exist_ok=True)
            (path / name).touch()

    def marks(self, folder: str) -> list[str]:
        with contextlib.suppress(OSError):
            return [file.name for file in os.scandir(self.root / folder)]
        return []


def _read(path: Path) -> bytes:
    if path.stat().st_size > MAX_ENTRY_BYTES:
        raise too_large()
    return path.read_bytes()
