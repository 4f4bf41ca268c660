"""Where a ledger lies: a few operations on files, in a folder or at a URL; and the entries in them.

Above this interface and written once: the index (`bench.ledger.index`), leases (`bench.ledger.leases`) and pending
uploads (`bench.ledger.ledger`).
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from bench.errors import UserError
from bench.ledger.entries import MAX_ENTRY_BYTES, folder_of, is_entry_name

ENTRIES, INDEX, LEASES, TEMPORARY, CHECKPOINTS = "entries", "index.jsonl", "leases", "tmp", "checkpoints"
RUNGS = "rungs"
"""Scores at the rungs of pruning, in the names of empty files; they are advisory, as leases are."""
TENSORBOARD = "tensorboard"
"""Where ``--log tensorboard`` writes unless it names a folder; of a run elsewhere, before its first entry is here."""
LOGS = "logs"
"""Output of trials, a file each, for people."""
RESULTS = "results"
"""The ledger that commands take where neither `--results` nor BENCH_RESULTS names one."""

Location = Path | str
"""A file of a ledger, or the ledger itself: a path on this machine's disks, a URL elsewhere."""
State = tuple[int, int | None]
"""The size of a file in bytes, and a number that changes with its content; None where the store provides none."""


class StoreUnavailableError(UserError):
    """A store that cannot be reached or written just now; its content is not affected."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """What a listing says of a file.

    `changed` is a number that changes with the content, `modified` the seconds since 1970 of the latest write, by the
    store's clock; None where the store provides none. A link to nothing, or a pipe, is not `regular` and never read.
    """

    size: int
    changed: int | None = None
    modified: float | None = None
    regular: bool = True

    @property
    def state(self) -> State:
        return self.size, self.changed


class EntrySource(Protocol):
    """What entries can be copied from: a `Store`, or a `bench.ledger.packed_ledger.Pack`."""

    @property
    def root(self) -> Location: ...
    def check(self) -> bool:
        """Whether the ledger exists; UserError where the location clearly has other content."""

    def list(self, folder: str) -> dict[str, StoredFile]:
        """The files in a folder and in the folders there, by path; none where it does not exist."""

    def read(self, path: str, max_bytes: int = MAX_ENTRY_BYTES) -> bytes:
        """A file's bytes; FileNotFoundError or another OSError where it cannot be read or is larger."""

    def read_many(self, files: Iterable[tuple[str, StoredFile]]) -> Iterator[tuple[str, bytes | OSError]]:
        """The bytes of many files, by path, or why one cannot be read."""


class Store(EntrySource, Protocol):
    """Files of a ledger by path, such as ``entries/ab/ab12...-0123456789ab.npz``.

    `bench.ledger.file_store.FileStore` or `bench.ledger.url_store.UrlStore`. `root` is its name for messages. `local`
    is a folder of this machine for what is not shared: checkpoints, and pending entries. Any method may raise
    UserError; those of a `UrlStore` StoreUnavailableError.
    """

    @property
    def local(self) -> Path: ...

    def check(self, writable: bool = False) -> bool:
        """Whether the ledger exists; UserError where the location clearly has other content.

        With `writable` UserError, too, where entries or leases cannot be written; nothing is left behind.
        """

    def write(self, path: str, data: bytes, if_absent: bool = False) -> None:
        """Write a file, completely or not at all; `if_absent`, FileExistsError where there is one, of any content.

        In one that holds the same bytes only the time may change.
        """

    def delete(self, path: str) -> None:
        """Delete a file, if there is one."""


@runtime_checkable
class AppendableStore(Store, Protocol):
    """A store whose files can be appended to; objects in a bucket cannot."""

    def append(self, path: str, lines: Sequence[bytes]) -> None:
        """Append lines to a file, each by one write and on a line of its own."""


_URL = re.compile(r"([a-z][a-z0-9+.-]+):/{1,2}", re.IGNORECASE)
"""One slash too, since `pathlib` writes ``s3://bucket`` so."""
_LOCAL_SCHEME = re.compile(r"(?:file|local)://", re.IGNORECASE)


def is_url(text: object) -> bool:
    """Whether this is a URL other than that of a local folder."""
    return not _LOCAL_SCHEME.match(str(text)) and _URL.match(str(text)) is not None


def open_store(root: Location | Store) -> Store:
    """The store of a path or a URL; a store is returned as it is.

    Raises
    ------
    UserError
        The URL's protocol is unknown, or the library for it is not installed.
    """
    if not isinstance(root, Path | str):
        return root
    if not is_url(root):
        from bench.ledger.file_store import FileStore

        return FileStore(Path(_LOCAL_SCHEME.sub("", str(root))))
    from bench.ledger.url_store import UrlStore

    return UrlStore(_URL.sub(r"\1://", str(root), count=1))


def with_results(command: str, results: object) -> str:
    """A command of bench with `--results`, unless that ledger is the default."""
    is_default = str(results) == RESULTS and not os.environ.get("BENCH_RESULTS")
    return command if is_default else f"{command} --results {shlex.quote(str(results))}"


def check_names(root: Location, names: set[str]) -> bool:
    """Whether `root`, which contains these `names`, has entries; UserError where it is clearly not a ledger."""
    visible = sorted(name for name in names if not name.startswith("."))
    if visible and not names & {ENTRIES, INDEX, LEASES, TEMPORARY, CHECKPOINTS, RUNGS, TENSORBOARD}:
        raise UserError(
            f"{root}: not a ledger: it has no folder `{ENTRIES}` but holds {', '.join(visible[:3])}"
            f"{', ...' if len(visible) > 3 else ''}; name a ledger, or a new or empty folder"
        )
    return ENTRIES in names


# --- entries in a store ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StoreListing:
    """The files within ``entries``: those named as an entry and in the right folder, and other ``.npz`` files."""

    entries: dict[str, StoredFile]
    unexpected_files: list[Location]


UNEXPECTED_REASON = "not named as an entry, in the wrong folder, or no file"
"""Why one of `StoreListing.unexpected_files` is not read."""


def entry_path(name: str) -> str:
    """The path in a store of the entry `name`."""
    return f"{ENTRIES}/{folder_of(name)}/{name}"


def location(store: EntrySource, path: str) -> Location:
    """The path or URL of a store's file."""
    return store.root / path if isinstance(store.root, Path) else f"{store.root}/{path}"


def entry_location(store: EntrySource, name: str) -> Location:
    """The path or URL of the entry `name`."""
    return location(store, entry_path(name))


def list_entries(store: EntrySource) -> StoreListing:
    """All entries, unread; none where the ledger does not exist yet."""
    listing = StoreListing({}, [])
    for path, file in store.list(ENTRIES).items():
        name = path.rpartition("/")[2]
        if file.regular and is_entry_name(name) and path == entry_path(name):
            listing.entries[name] = file
        elif name.endswith(".npz"):
            listing.unexpected_files.append(location(store, path))
    return listing


def entry_names(store: Store, key: str) -> list[str]:
    """The names of a key's entries, at a cost that hardly grows with the ledger."""
    files = store.list(f"{ENTRIES}/{folder_of(key)}")
    names = [path.rpartition("/")[2] for path, file in files.items() if file.regular]
    return [name for name in names if name.startswith(f"{key}-") and is_entry_name(name)]


def read_entries(store: EntrySource, files: Mapping[str, StoredFile]) -> Iterator[tuple[str, bytes | OSError]]:
    """The bytes of listed entries, by name, or why one cannot be read."""
    for path, data in store.read_many((entry_path(name), file) for name, file in files.items()):
        yield path.rpartition("/")[2], data


def put_entry(store: Store, name: str, data: bytes) -> Location:
    """Store an entry, completely or not at all; a damaged one of that name is replaced."""
    path = entry_path(name)
    try:
        store.write(path, data, if_absent=True)
    except FileExistsError:
        # The name has a digest of the content, which is equal unless it was damaged.
        intact = False
        with contextlib.suppress(OSError):
            intact = store.read(path) == data
        if not intact:
            store.write(path, data)
    return location(store, path)
