"""The interface of stores, lease owners, and the index.

The index is a cache of all records in one file, so that a ledger of 10,000 entries need not open 10,000 zips.

One line of JSON per entry: ``{"sha256": "0123456789ab", "entry": file name, "bytes": its size, "changed": when,
"record": {...}}``, where the digest is that of the text after it. Only ever appended to, one write per line, so several
drivers may share it. A line that is broken, half written, changed, or about a missing file is ignored; an
entry without a line is read from its own file and gets one. What comes after more bytes than an index can have is not
read.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import json
import os
import platform
import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from dataclasses import asdict, dataclass
from functools import cache
from io import BufferedIOBase
from pathlib import Path
from typing import Protocol

from bench.errors import UserError
from bench.ledger.entries import MAX_ENTRY_BYTES, LedgerEntry, digest, parse_json
from bench.ledger.record import Record

LEASE_SECONDS = 600.0
"""A lease that is not renewed for so long expires. Drivers renew every minute, so nine renewals may fail."""


@dataclass(frozen=True)
class LeaseOwner:
    """The process that has a lease, unique over machines; fields are "" where the system does not provide them.

    `host` is a hash, so that the host's name stays private. `boot` changes when the machine restarts, `namespace`
    differs between containers of one machine (whose process numbers mean different processes), and `started` is the
    process's start in clock ticks since boot. `token` differs for every set of leases.
    """

    host: str
    boot: str
    namespace: str
    pid: int
    started: str
    token: str


def this_process() -> LeaseOwner:
    """The running process, with a fresh token."""
    pid = os.getpid()
    return LeaseOwner(_host_id(), _boot_id(), _pid_namespace(), pid, _start_time(pid), uuid.uuid4().hex)


def owner_bytes(owner: LeaseOwner) -> bytes:
    """The content of a lease of this owner."""
    return json.dumps(asdict(owner)).encode()


def owner_in(data: bytes) -> LeaseOwner | None:
    """The owner that a lease names; None where it is half written or not valid."""
    try:
        owner = LeaseOwner(**json.loads(data))
    except (ValueError, TypeError, RecursionError):
        return None
    texts = (owner.host, owner.boot, owner.namespace, owner.started, owner.token)
    possible = type(owner.pid) is int and 0 < owner.pid < 2**31
    return owner if possible and all(isinstance(text, str) for text in texts) else None


def is_dead(owner: LeaseOwner) -> bool:
    """Whether the process is known to have ended."""
    if owner.host != _host_id():
        return False
    if owner.boot and _boot_id() and owner.boot != _boot_id():
        return True
    if owner.namespace != _pid_namespace():
        return False
    try:
        os.kill(owner.pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        pass  # alive, and another user's
    # Process numbers are reused; the start time differs then.
    started = _start_time(owner.pid)
    return bool(owner.started and started and started != owner.started)


def describe_owner(owner: LeaseOwner | None) -> str:
    """A lease's owner for messages; another machine is known by a hash alone."""
    if owner is None:
        return "another driver"
    if owner.host != _host_id():
        return f"a driver on another machine (process {owner.pid} there)"
    container = "" if owner.namespace == _pid_namespace() else ", in another container"
    return f"process {owner.pid} of this machine{container}"


def _start_time(pid: int) -> str:
    """Field 22 of ``/proc/<pid>/stat`` (see proc(5)), "ended" for a zombie, "" where it may not be read."""
    fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()  # the name in brackets may hold anything
    if not fields:
        return ""
    return "ended" if fields[0] in "ZX" else fields[19]


@cache
def _host_id() -> str:
    # Cloned machines share a machine-id and containers may lack one, hence the name as well.
    identity = _read("/etc/machine-id") or str(uuid.getnode())
    return hashlib.sha256(f"{identity} {platform.node()}".encode()).hexdigest()[:16]


@cache
def _boot_id() -> str:
    return _read("/proc/sys/kernel/random/boot_id")


@cache
def _pid_namespace() -> str:
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""


Location = Path | str
"""A file of a ledger, or the ledger itself: a path on this machine's disks, a URL elsewhere."""
State = tuple[int, int | None]
"""The size of a file in bytes, and a number that changes with its content; None where the store provides none."""
EntryState = tuple[LedgerEntry, State]
"""An entry and the state of its file."""


class StoreUnavailableError(UserError):
    """A store that cannot be reached or written just now; its content is not affected."""


class FileStat(Protocol):
    """What detects a changed file; `os.stat_result` has it."""

    @property
    def st_size(self) -> int: ...
    @property
    def st_ctime_ns(self) -> int | None: ...


class StoredFile(Protocol):
    """A listed file; `os.DirEntry` is one."""

    @property
    def path(self) -> str: ...
    def stat(self) -> FileStat: ...


def state_of(file: StoredFile) -> State:
    """The state of a listed file. Raises OSError."""
    stat = file.stat()
    return stat.st_size, stat.st_ctime_ns


@dataclass(frozen=True, slots=True)
class StoreListing:
    """The files within ``entries``: those named as an entry and in the right folder, and other ``.npz`` files."""

    entries: dict[str, StoredFile]
    unexpected_files: list[Location]


UNEXPECTED_REASON = "not named as an entry, in the wrong folder, or no file"
"""Why one of `StoreListing.unexpected_files` is not read."""


@dataclass(frozen=True, slots=True)
class IndexedFiles:
    """The entries of an index whose files exist.

    The files of `same` have not changed since their lines were written. Those of `moved`, by name, have the same size
    and were touched since, as by copying: their lines are valid if the digest in the name is.
    """

    same: list[LedgerEntry]
    moved: dict[str, LedgerEntry]


class Store(Protocol):
    """Entries, their index and leases: `bench.ledger.file_store.FileStore` or `bench.ledger.url_store.UrlStore`.

    `root` is its name for messages. `local` is a folder of this machine for what is not shared: checkpoints, and
    pending entries. Any method may raise UserError; those of a `UrlStore` StoreUnavailableError.
    """

    @property
    def root(self) -> Location: ...
    @property
    def local(self) -> Path: ...
    def check(self) -> bool:
        """Whether the ledger exists; UserError where the location clearly has other content."""

    def check_writable(self) -> None:
        """UserError where entries or leases cannot be written; nothing is left behind."""

    def location(self, name: str) -> Location:
        """The path or URL of the entry `name`."""

    def listing(self) -> StoreListing:
        """All entries; none where the ledger does not exist yet."""

    def names_of(self, key: str) -> Iterable[str]:
        """The names of a key's entries, at a cost that does not grow with the ledger."""

    def read(self, name: str) -> bytes:
        """An entry's bytes; FileNotFoundError or another OSError where it cannot be read."""

    def read_all(self, files: Iterable[tuple[str, StoredFile]]) -> Iterator[tuple[str, bytes | OSError]]:
        """The bytes of many entries, by name, or why one cannot be read."""

    def put(self, name: str, data: bytes) -> Location:
        """Store an entry, completely or not at all; a damaged one of that name is replaced."""

    def read_index(self, files: dict[str, StoredFile]) -> IndexedFiles:
        """The entries that the index has of `files`."""

    def add_to_index(self, entry: LedgerEntry) -> None:
        """Add an entry that was just stored to the index."""

    def update_index(self, entries: list[EntryState], everything: Callable[[], Iterable[EntryState]]) -> None:
        """Add entries that the index lacks; `everything` returns all entries."""

    def distrust(self, name: str) -> None:
        """Make the index ignore an entry that is damaged."""

    def acquire(self, key: str, me: LeaseOwner) -> bool:
        """Acquire the lease of a key; False where another driver has it."""

    def holder(self, key: str) -> LeaseOwner | None:
        """Who has the lease of a key; None where that is not known."""

    def renew(self, key: str, me: LeaseOwner) -> None:
        """Renew the lease, if `me` has it."""

    def release(self, key: str, me: LeaseOwner) -> None:
        """Release the lease, if `me` has it."""

    def mark(self, folder: str, name: str) -> None:
        """Create an empty file in a folder of the ledger; a failure is ignored."""

    def marks(self, folder: str) -> list[str]:
        """The names of the files in a folder of the ledger; none where it cannot be read."""


BYTES_PER_ENTRY = 2**16
"""Room for a line of the index; most have a tenth."""
_LINE = re.compile(rb'\{"sha256":"([0-9a-f]{12})",')


def max_index_bytes(files: Sized) -> int:
    """How large an index of so many entries can be."""
    return MAX_ENTRY_BYTES + BYTES_PER_ENTRY * len(files)


def read_index(index: BufferedIOBase, files: Mapping[str, StoredFile]) -> IndexedFiles:
    """The entries of an index whose file is among `files` (by name) with the size it had.

    An index from elsewhere may be endless or unpack to more than memory holds, so at most `max_index_bytes` are read.
    """
    parsed_entries: dict[str, tuple[LedgerEntry, bool]] = {}
    remaining_bytes = max_index_bytes(files)
    with _garbage_collection_paused():
        while remaining_bytes > 0 and (line := index.readline(remaining_bytes)):
            remaining_bytes -= len(line)
            if parsed := _parse(line, files):
                parsed_entries[parsed[0].name] = parsed
    return IndexedFiles(
        [entry for entry, same in parsed_entries.values() if same],
        {name: entry for name, (entry, same) in parsed_entries.items() if not same},
    )


@contextlib.contextmanager
def _garbage_collection_paused() -> Iterator[None]:
    """Records have no cycles: garbage collections took a third of the reading time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def append_index(path: Path, entries: Iterable[EntryState]) -> None:
    """Add a line for each entry and its file's state; a failure is ignored, since the index is only a cache."""
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NONBLOCK, 0o666)
        try:
            # A killed writer may have left half a line; the next one must start on a new line.
            end = os.lseek(descriptor, 0, os.SEEK_END)
            if end and os.pread(descriptor, 1, end - 1) != b"\n":
                os.write(descriptor, b"\n")
            for entry, state in entries:
                os.write(descriptor, index_line(entry, state))
        finally:
            os.close(descriptor)


def index_line(entry: LedgerEntry, state: State) -> bytes:
    """An entry's line."""
    size, changed = state
    data = {"entry": entry.name, "bytes": size, "changed": changed, "record": entry.record.to_json()}
    text = json.dumps(data, sort_keys=True, separators=(",", ":"))[1:].encode()
    return b'{"sha256":"%b",%b\n' % (digest(text).encode(), text)


def _parse(line: bytes, files: Mapping[str, StoredFile]) -> tuple[LedgerEntry, bool] | None:
    """The entry of a line, and whether its file has not changed since the line was written."""
    line = line.rstrip(b"\n")
    if not (match := _LINE.match(line)) or digest(memoryview(line)[match.end() :]) != match[1].decode():
        return None
    try:
        data = parse_json(line)
        name = data["entry"]
        size, changed = state_of(files[name])
        if size != data["bytes"]:
            return None
        record = Record.from_json(data["record"])
    except (ValueError, TypeError, KeyError, OSError, RecursionError):
        return None
    if not name.startswith(f"{record.key}-"):
        return None
    return LedgerEntry(name, record), changed is not None and changed == data.get("changed")
