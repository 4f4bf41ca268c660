"""Claims on a disk: a file ``claims/<key>`` that names its owner; creating it exclusively is taking it."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from bench.ledger.owner import LEASE_SECONDS, Owner, is_dead, owner_bytes, owner_in

MOST_BYTES = 4096
"""A claim has some 200."""
EMPTY_SECONDS = 10.0
"""A claim that names nobody for so long is free: its driver was killed between making the file and writing to it."""


def take(path: Path, me: Owner) -> bool:
    """Claim `path` unless a living driver has it. Raises OSError."""
    return _create(path, me) or holder(path) == me or (_is_free(path) and _take_over(path, me))


def renew(path: Path, me: Owner) -> None:
    """Show that the claim is alive, if it is mine. Raises OSError."""
    if holder(path) == me:
        os.utime(path)  # without a time given, a file server sets its own


def drop(path: Path, me: Owner) -> None:
    """End the claim, if it is mine. Raises OSError."""
    with _locked(path):
        if holder(path) == me:
            path.unlink()


def _create(path: Path, me: Owner) -> bool:
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


def _take_over(path: Path, me: Owner) -> bool:
    # Two drivers may find the same claim dead. The lock, which the system frees when its holder dies, lets the
    # second look again and see the first one's new claim. A third may create one in between: then we lose.
    with _locked(path):
        if not _is_free(path):
            return False
        path.unlink(missing_ok=True)
        return _create(path, me)


def _is_free(path: Path) -> bool:
    owner = holder(path)
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


def holder(path: Path) -> Owner | None:
    """Who has the claim; None where there is none, or it is half written."""
    try:
        # A pipe or a device in its place is neither waited for nor read without an end.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            return owner_in(file.read(MOST_BYTES))
    except OSError:
        return None
