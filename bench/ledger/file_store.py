"""A ledger's home in a folder of this machine, or one that it mounts."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from bench.errors import UserError
from bench.ledger.entries import LARGEST, LedgerEntry, folder_of, is_entry_name, too_large
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
    place,
    sweep,
)
from bench.ledger.store import (
    LEASE_SECONDS,
    IndexedFiles,
    LeaseOwner,
    StoredFile,
    StoreListing,
    Written,
    append_index,
    index_line,
    is_dead,
    owner_bytes,
    owner_in,
    read_index,
)

MOST_BYTES = 4096
"""A claim has some 200."""
EMPTY_SECONDS = 10.0
"""A claim that names nobody for so long is free: its driver was killed between making the file and writing to it."""


def acquire_file(path: Path, me: LeaseOwner) -> bool:
    """Claim `path` unless a living driver has it. Raises OSError."""
    return _create(path, me) or file_holder(path) == me or (_is_free(path) and _take_over(path, me))


def renew_file(path: Path, me: LeaseOwner) -> None:
    """Show that the claim is alive, if it is mine. Raises OSError."""
    if file_holder(path) == me:
        os.utime(path)  # without a time given, a file server sets its own


def release_file(path: Path, me: LeaseOwner) -> None:
    """End the claim, if it is mine. Raises OSError."""
    with _locked(path):
        if file_holder(path) == me:
            path.unlink()


def _create(path: Path, me: LeaseOwner) -> bool:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    except FileExistsError:
        return False
    try:
        os.write(descriptor, owner_bytes(me))
    except OSError:
        path.unlink()
        raise
    finally:
        os.close(descriptor)
    return True


def _take_over(path: Path, me: LeaseOwner) -> bool:
    # Two drivers may find the same claim dead. The lock, which the system frees when its holder dies, lets the
    # second look again and see the first one's new claim. A third may create one in between: then we lose.
    with _locked(path):
        if not _is_free(path):
            return False
        path.unlink(missing_ok=True)
        return _create(path, me)


def _is_free(path: Path) -> bool:
    owner = file_holder(path)
    try:
        claim = path.stat()
    except FileNotFoundError:
        return True
    if owner and is_dead(owner):
        return True
    # Both times are the file system's: no matter whose clock is wrong. Should that one be set back, claims lie in
    # the future until they are renewed, hence the absolute value.
    _lock_file(path).touch()
    age = abs(_lock_file(path).stat().st_mtime - claim.st_mtime)
    return age > (LEASE_SECONDS if claim.st_size else EMPTY_SECONDS)


def _lock_file(path: Path) -> Path:
    return path.with_name(".lock")


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with _lock_file(path).open("ab") as file:
        # A file system without locks leaves a small chance of a trial run twice, which does no harm.
        with contextlib.suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def file_holder(path: Path) -> LeaseOwner | None:
    """Who has the claim; None where there is none, or it is half written."""
    try:
        # A pipe or a device in its place is neither waited for nor read without an end.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            return owner_in(file.read(MOST_BYTES))
    except OSError:
        return None


class FileStore:
    """See `bench.ledger.store.Store`; an entry is put by writing aside, syncing and renaming."""

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
        path = place(data, self.location(name), aside=self.root / TEMPORARY)
        if not self._swept:
            sweep(self.root / TEMPORARY, newest=path)
            self._swept = True
        return path

    def read_index(self, files: dict[str, StoredFile]) -> IndexedFiles:
        path = self.root / INDEX
        with contextlib.suppress(OSError):
            if path.is_file():  # a pipe would be waited for
                with path.open("rb") as lines:
                    return read_index(lines, files)
        return IndexedFiles([], {})

    def add_to_index(self, entry: LedgerEntry) -> None:
        with contextlib.suppress(OSError):
            stat = self.location(entry.name).stat()
            append_index(self.root / INDEX, [(entry, (stat.st_size, stat.st_ctime_ns))])

    def update_index(self, entries: list[Written], everything: Callable[[], Iterable[Written]]) -> None:
        known = list(everything())
        if 2 * len(entries) < len(known) or not (self.root / INDEX).exists():
            append_index(self.root / INDEX, entries)
            return
        # Anew, or each copy of a ledger would double it.
        lines = b"".join(index_line(entry, state) for entry, state in known)
        with contextlib.suppress(UserError):
            place(lines, self.root / INDEX, aside=self.root / TEMPORARY)

    def distrust(self, name: str) -> None:
        with contextlib.suppress(OSError):
            os.utime(self.location(name))  # so that it was touched since its line was written

    def acquire(self, key: str, me: LeaseOwner) -> bool:
        path = self.root / LEASES / key
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            return acquire_file(path, me)
        except OSError as error:
            raise cannot_write(path, error) from error

    def holder(self, key: str) -> LeaseOwner | None:
        return file_holder(self.root / LEASES / key)

    def renew(self, key: str, me: LeaseOwner) -> None:
        # Where this fails, and where `drop` does, the claim ends by its age.
        with contextlib.suppress(OSError):
            renew_file(self.root / LEASES / key, me)

    def release(self, key: str, me: LeaseOwner) -> None:
        with contextlib.suppress(OSError):
            release_file(self.root / LEASES / key, me)

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
    if path.stat().st_size > LARGEST:
        raise too_large()
    return path.read_bytes()
