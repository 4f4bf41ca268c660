"""Who holds a claim, and whether that process is surely dead.

What cannot be told (another machine or container, no ``/proc``) counts as alive; then a claim ends by its age.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import uuid
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

LEASE_SECONDS = 600.0
"""A claim not renewed for so long is free. Drivers renew every minute, so nine renewals may fail."""


@dataclass(frozen=True)
class Owner:
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


def this_process() -> Owner:
    """The running process, with a fresh token."""
    pid = os.getpid()
    return Owner(_host(), _boot(), _namespace(), pid, _started(pid), uuid.uuid4().hex)


def owner_bytes(owner: Owner) -> bytes:
    """What a claim of this owner holds."""
    return json.dumps(asdict(owner)).encode()


def owner_in(data: bytes) -> Owner | None:
    """Who a claim names; None where it is half written, or was changed into what names no process."""
    try:
        owner = Owner(**json.loads(data))
    except (ValueError, TypeError, RecursionError):
        return None
    texts = (owner.host, owner.boot, owner.namespace, owner.started, owner.token)
    possible = type(owner.pid) is int and 0 < owner.pid < 2**31
    return owner if possible and all(isinstance(text, str) for text in texts) else None


def is_dead(owner: Owner) -> bool:
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


def described(owner: Owner | None) -> str:
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
