"""The index: a cache of all records in one file, so that a ledger of 10,000 entries need not open 10,000 zips.

One line of JSON per entry: ``{"sha256": "0123456789ab", "entry": file name, "bytes": its size, "changed": when,
"record": {...}}``, where the digest is that of the text after it. Only ever appended to, one write per line, so several
drivers may share it. A line that is broken, half written, changed, or about a file that is gone is passed over; an
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
from bench.ledger.entries import LARGEST, LedgerEntry, digest, parse_json
from bench.ledger.record import Record

LEASE_SECONDS = 600.0
"""A claim not renewed for so long is free. Drivers renew every minute, so nine renewals may fail."""


@dataclass(frozen=True)
class LeaseOwner:
    """A process, so described that no other on any machine is taken for it; "" where the system does not tell.

    `host` is a hash and does not give the host's name away. `boot` changes when the machine starts again,
    `namespace` tells containers on one machine apart (their process numbers mean different processes), and
    `started` is the process's start in clock ticks since boot. `token` differs for every set of claims.
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
    return LeaseOwner(_host(), _boot(), _namespace(), pid, _started(pid), uuid.uuid4().hex)


def owner_bytes(owner: LeaseOwner) -> bytes:
    """What a claim of this owner holds."""
    return json.dumps(asdict(owner)).encode()


def owner_in(data: bytes) -> LeaseOwner | None:
    """Who a claim names; None where it is half written, or was changed into what names no process."""
    try:
        owner = LeaseOwner(**json.loads(data))
    except (ValueError, TypeError, RecursionError):
        return None
    texts = (owner.host, owner.boot, owner.namespace, owner.started, owner.token)
    possible = type(owner.pid) is int and 0 < owner.pid < 2**31
    return owner if possible and all(isinstance(text, str) for text in texts) else None


def is_dead(owner: LeaseOwner) -> bool:
    """Whether the process is known to have ended."""
    if owner.host != _host():
        return False
    if owner.boot and _boot() and owner.boot != _boot():
        return True
    if owner.namespace != _namespace():
        return False
    try:
        os.kill(owner.pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        pass  # alive, and another user's
    # Process numbers are used again; the start time tells the new process from the old.
    started = _started(owner.pid)
    return bool(owner.started and started and started != owner.started)


def described(owner: LeaseOwner | None) -> str:
    """A claim's owner for people; from here another machine is known by a hash alone."""
    if owner is None:
        return "another driver"
    if owner.host != _host():
        return f"a driver on another machine (process {owner.pid} there)"
    inside = "" if owner.namespace == _namespace() else ", in another container"
    return f"process {owner.pid} of this machine{inside}"


def _started(pid: int) -> str:
    """Field 22 of ``/proc/<pid>/stat`` (see proc(5)), "ended" for a zombie, "" where it may not be read."""
    parts = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()  # the name in brackets may hold anything
    if not parts:
        return ""
    return "ended" if parts[0] in "ZX" else parts[19]


@cache
def _host() -> str:
    # Cloned machines share a machine-id and containers may lack one, hence the name as well.
    identity = _read("/etc/machine-id") or str(uuid.getnode())
    return hashlib.sha256(f"{identity} {platform.node()}".encode()).hexdigest()[:16]


@cache
def _boot() -> str:
    return _read("/proc/sys/kernel/random/boot_id")


@cache
def _namespace() -> str:
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
"""The size of a file in bytes, and a number that differs when it was changed; None where its store tells none."""
Written = tuple[LedgerEntry, State]
"""An entry and the state of its file."""


class StoreUnavailableError(UserError):
    """A home that cannot be reached or written just now; nothing of what it holds is in doubt."""


class FileStat(Protocol):
    """What tells a changed file from the same one; `os.stat_result` has it."""

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
    """The files within ``entries``: those named as an entry and lying where it should, and other ``.npz`` files."""

    entries: dict[str, StoredFile]
    unexpected_files: list[Location]


UNEXPECTED = "not named as an entry, in the wrong folder, or no file"
"""Why one of `StoreListing.unexpected_files` is passed over."""


@dataclass(frozen=True, slots=True)
class IndexedFiles:
    """What an index knows of the files that it was asked about.

    The files of `same` are as they were when their lines were written. Those of `moved`, by name, have the size they
    had and were touched since, as copying does: what their lines say holds if the digest in their names does.
    """

    same: list[LedgerEntry]
    moved: dict[str, LedgerEntry]


class Store(Protocol):
    """A place for entries, their index and claims:
    `bench.ledger.file_store.FileStore` or `bench.ledger.url_store.UrlStore`.

    `root` is its name for people. `local` is a folder of this machine for what need not be shared: checkpoints, and
    entries that could not be sent. Any method may raise UserError; of a `Remote`, AwayError.
    """

    @property
    def root(self) -> Location: ...
    @property
    def local(self) -> Path: ...
    def check(self) -> bool:
        """Whether a ledger is here already; UserError where this is, or clearly holds, something else."""

    def check_writable(self) -> None:
        """UserError where entries or claims cannot be written; nothing is left behind."""

    def location(self, name: str) -> Location:
        """Where the entry `name` lies."""

    def listing(self) -> StoreListing:
        """What there is; nothing where there is no ledger yet."""

    def names_of(self, key: str) -> Iterable[str]:
        """The names of a key's entries, at a cost that does not grow with the ledger."""

    def read(self, name: str) -> bytes:
        """An entry's bytes; FileNotFoundError or another OSError where that cannot be."""

    def read_all(self, files: Iterable[tuple[str, StoredFile]]) -> Iterator[tuple[str, bytes | OSError]]:
        """The bytes of many, by name, or why one cannot be read."""

    def put(self, name: str, data: bytes) -> Location:
        """Store an entry, whole or not at all, in place of a damaged one of that name."""

    def read_index(self, files: dict[str, StoredFile]) -> IndexedFiles:
        """What the index knows of `files`."""

    def add_to_index(self, entry: LedgerEntry) -> None:
        """Let the index know of an entry that was just put."""

    def update_index(self, entries: list[Written], everything: Callable[[], Iterable[Written]]) -> None:
        """Let the index know of entries that it lacked; `everything` gives all of them."""

    def distrust(self, name: str) -> None:
        """Let no index speak for an entry that proved damaged."""

    def acquire(self, key: str, me: LeaseOwner) -> bool:
        """Claim a key; False where another driver is at work on it."""

    def holder(self, key: str) -> LeaseOwner | None:
        """Who has claimed a key; None where that is not known."""

    def renew(self, key: str, me: LeaseOwner) -> None:
        """Show that the claim is alive, if it is mine."""

    def release(self, key: str, me: LeaseOwner) -> None:
        """End the claim, if it is mine."""

    def mark(self, folder: str, name: str) -> None:
        """Create an empty file in a folder of the ledger; a failure is ignored."""

    def marks(self, folder: str) -> list[str]:
        """The names of the files in a folder of the ledger; none where it cannot be read."""


BYTES_PER_ENTRY = 2**16
"""Most lines have a tenth."""
_LINE = re.compile(rb'\{"sha256":"([0-9a-f]{12})",')


def most_bytes(files: Sized) -> int:
    """How large an index of so many entries can be."""
    return LARGEST + BYTES_PER_ENTRY * len(files)


def read_index(index: BufferedIOBase, files: Mapping[str, StoredFile]) -> IndexedFiles:
    """The entries of an index whose file is among `files` (by name) with the size it had.

    What others made may be endless, or unpack to more than memory holds: no more of it is read than an index can have.
    """
    found: dict[str, tuple[LedgerEntry, bool]] = {}
    left = most_bytes(files)
    with _uncollected():
        while left > 0 and (line := index.readline(left)):
            left -= len(line)
            if parsed := _parse(line, files):
                found[parsed[0].name] = parsed
    return IndexedFiles(
        [entry for entry, same in found.values() if same],
        {name: entry for name, (entry, same) in found.items() if not same},
    )


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Records are kept and hold no cycles: looking for garbage among them took a third of the reading's time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def append_index(path: Path, entries: Iterable[Written]) -> None:
    """Add a line for each entry and its file's state; a failure is ignored, since the index is only a cache."""
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NONBLOCK, 0o666)
        try:
            # A writer that was killed may have left half a line, which must not swallow this one.
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
    """The entry of a line, and whether its file is in the state that the line was written of."""
    line = line.rstrip(b"\n")
    if not (found := _LINE.match(line)) or digest(memoryview(line)[found.end() :]) != found[1].decode():
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
