"""Leases: which driver trains which trial, so that several drivers share a ledger without doing work twice.

A lease names its owner. It ends when it is released, when its owner is a dead process of this machine, or ten minutes
after its last renewal. Leases are advisory: a duplicate run is harmless, since both entries are kept and one counts.

The lease of a key is the file ``leases/<key>.<number>`` with the highest number. Who takes over an expired one writes
the next number on condition that there is none, so only one of several drivers gets it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import platform
import re
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path

from bench.errors import UserError
from bench.ledger.entries import check_key
from bench.ledger.store import LEASES, Location, Store, StoredFile, StoreUnavailableError, open_store

LEASE_SECONDS = 600.0
"""A lease that is not renewed for so long expires. Drivers renew every minute, so nine renewals may fail."""
EMPTY_LEASE_SECONDS = 10.0
"""An empty lease expires after this: its machine was switched off before the content was on the disk."""
MAX_LEASE_BYTES = 4096
"""A lease has some 200."""
CLOCK_SECONDS = 60.0
"""How long the store's clock is extrapolated from its last reading, while no lease seems to have expired."""


_PATH = re.compile(rf"{LEASES}/([0-9a-f]+)\.([0-9]{{1,9}})")
"""A lease's path: its key and number."""


class Leases:
    """The leases of one driver in the ledger `root`.

    A trial may be published between reading the ledger and acquiring its lease: so acquire first, then `Ledger.refresh`
    and check whether the trial is still missing. Methods may be called from several threads.
    """

    def __init__(self, root: Location | Store) -> None:
        self._store = open_store(root)
        self._store.check()
        self._me = this_process()
        self._clock = Clock(self._store)
        self._held: set[str] = set()
        self._guard = threading.Lock()

    def acquire(self, key: str) -> bool:
        """Acquire the lease of `key`; False where another living driver has it.

        Raises UserError where the folder cannot be written. While the store is unavailable every key is granted, so
        that the run goes on.
        """
        check_key(key)
        try:
            acquired = self._acquire(key)
        except StoreUnavailableError:
            acquired = True
        if acquired:
            with self._guard:
                self._held.add(key)
        return acquired

    def holder(self, key: str) -> LeaseOwner | None:
        """Who has the lease of `key`; None where nobody has, or that is not known."""
        with contextlib.suppress(OSError, UserError):
            if leases := self._leases(key):
                return self._owner(leases[-1][1])
        return None

    def waiting_for(self, keys: Iterable[str]) -> str:
        """A line on who has the leases of `keys`, and how long to wait for them at most."""
        holders = Counter(describe_owner(self.holder(key)) for key in keys)
        holder_texts = "; ".join(
            f"{count} trial{'s' * (count != 1)} with {holder}" for holder, count in holders.items()
        )
        return f"waiting for {holder_texts}; leases of dead drivers expire after {LEASE_SECONDS / 60:.0f} minutes"

    def release(self, key: str) -> None:
        """Release `key`; nothing happens where this driver does not have it."""
        check_key(key)
        with self._guard, contextlib.suppress(OSError, UserError):  # then it expires
            self._held.discard(key)
            if path := self._own_lease(key):
                self._store.delete(path)

    def release_all(self) -> None:
        """Release all that are held."""
        for key in self._snapshot():
            self.release(key)

    def renew_all(self) -> None:
        """Renew all that are held; to be called about once a minute."""
        newest: dict[str, tuple[int, str]] = {}
        with contextlib.suppress(OSError, UserError):
            for path in self._store.list(LEASES):  # once for all: with a thousand trials each listing takes long
                if match := _PATH.fullmatch(path):
                    newest[match[1]] = max(newest.get(match[1], (-1, "")), (int(match[2]), path))
        for key in self._snapshot():
            _, path = newest.get(key, (-1, ""))
            # Under the guard: one that is released between reading and writing would come back, and outlive its trial.
            with self._guard, contextlib.suppress(OSError, UserError):  # then it expires
                if path and key in self._held and self._owner(path) == self._me:
                    self._store.write(path, owner_bytes(self._me))

    def _acquire(self, key: str) -> bool:
        leases = self._leases(key)
        if leases:
            _, path, file = leases[-1]
            try:
                owner = self._owner(path)
            except FileNotFoundError:
                pass  # released since it was listed
            else:
                if owner == self._me:
                    return True
                if not (owner and is_dead(owner)) and not self._is_expired(file):
                    return False
        new_path = f"{LEASES}/{key}.{leases[-1][0] + 1 if leases else 0}"
        try:
            self._store.write(new_path, owner_bytes(self._me), if_absent=True)
        except FileExistsError:
            return False
        expired = [path for _, path, _ in leases]
        # While the folder was listed another driver may have taken over: written the next and deleted the last one.
        is_only = all(path in (new_path, *expired) for _, path, _ in self._leases(key))
        for path in expired if is_only else [new_path]:
            self._store.delete(path)
        return is_only

    def _leases(self, key: str) -> list[tuple[int, str, StoredFile]]:
        """The numbers, paths and files of a key's leases, lowest number first."""
        matches = ((_PATH.fullmatch(path), path, file) for path, file in self._store.list(LEASES).items())
        leases = [(int(match[2]), path, file) for match, path, file in matches if match and match[1] == key]
        return sorted(leases, key=lambda lease: lease[0])

    def _own_lease(self, key: str) -> str | None:
        leases = self._leases(key)
        return leases[-1][1] if leases and self._owner(leases[-1][1]) == self._me else None

    def _owner(self, path: str) -> LeaseOwner | None:
        """Who a lease names; None where it is half written. Raises FileNotFoundError."""
        try:
            return owner_in(self._store.read(path, MAX_LEASE_BYTES))
        except FileNotFoundError:
            raise
        except OSError:
            return None

    def _is_expired(self, lease: StoredFile) -> bool:
        written, limit = lease.modified, LEASE_SECONDS if lease.size else EMPTY_LEASE_SECONDS
        if written is None:  # a file system without times: leases expire with their process only
            return False
        # Where the store's clock was set back, leases are in the future until they are renewed, hence the `abs`.
        return all(abs(self._clock.now(exact) - written) > limit for exact in (False, True))

    def _snapshot(self) -> list[str]:
        with self._guard:
            return sorted(self._held)


@dataclass
class Clock:
    """The store's clock, which is read by writing a file; the machines' clocks are not used."""

    store: Store
    _read_at: float = field(default=float("-inf"))
    _then: float = 0.0

    def now(self, exact: bool) -> float:
        """Seconds since 1970, nan where unknown; extrapolated from a reading of the last minute unless `exact`."""
        if exact or time.monotonic() - self._read_at > CLOCK_SECONDS:
            path = f"{LEASES}/.clock"
            self.store.write(path, b"")
            file = self.store.list(LEASES).get(path)
            self._then = file.modified if file and file.modified is not None else math.nan
            self._read_at = time.monotonic()
        return self._then + time.monotonic() - self._read_at


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
