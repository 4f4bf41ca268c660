"""Claims on an object store: objects ``claims/<key>.<number>``, of which the highest number counts.

Only exclusive creation is needed. A free claim is taken over by creating the next number, which one driver alone can;
the lower ones are removed after that. An owner rewrites its own object to renew it, and removes it to end it.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from bench.ledger.conditional import create
from bench.ledger.owner import LEASE_SECONDS, Owner, is_dead, owner_bytes, owner_in

LOOK_SECONDS = 60.0
"""How long the store's clock is reckoned from the last look at it."""


@dataclass
class Clock:
    """The store's own time, so that no machine's clock matters; looked up by writing an object."""

    _looked: float = field(default=float("-inf"))
    _then: float = 0.0

    def now(self, fs: Any, folder: str) -> float:
        """Seconds since 1970."""
        if time.monotonic() - self._looked > LOOK_SECONDS:
            fs.pipe_file(f"{folder}/.clock", b"")
            self._then, self._looked = _written(fs, f"{folder}/.clock"), time.monotonic()
        return self._then + time.monotonic() - self._looked


def take(fs: Any, folder: str, key: str, me: Owner, clock: Clock) -> bool:
    """Claim `key` unless a living driver has it."""
    there = _claims(fs, folder, key)
    if there:
        newest = f"{folder}/{key}.{there[-1]}"
        owner = _owner(fs, newest)
        if owner == me:
            return True
        if not (owner and is_dead(owner)):
            try:
                age = abs(clock.now(fs, folder) - _written(fs, newest))
            except FileNotFoundError:  # ended since it was listed
                age = LEASE_SECONDS + 1
            except NotImplementedError:  # a file system without times; then claims end only with their process
                age = 0.0
            # A store whose clock was set back has claims in the future, hence the absolute value.
            if age <= LEASE_SECONDS:
                return False
    try:
        create(fs, f"{folder}/{key}.{there[-1] + 1 if there else 0}", owner_bytes(me))
    except FileExistsError:
        return False
    _remove(fs, [f"{folder}/{key}.{number}" for number in there])
    return True


def holder(fs: Any, folder: str, key: str) -> Owner | None:
    """Who has claimed `key`; None where nobody has, or the claim is half written."""
    there = _claims(fs, folder, key)
    return _owner(fs, f"{folder}/{key}.{there[-1]}") if there else None


def renew(fs: Any, folder: str, key: str, me: Owner) -> None:
    """Show that the claim is alive, if it is mine."""
    if mine := _mine(fs, folder, key, me):
        fs.pipe_file(mine, owner_bytes(me))


def drop(fs: Any, folder: str, key: str, me: Owner) -> None:
    """End the claim, if it is mine."""
    if mine := _mine(fs, folder, key, me):
        _remove(fs, [mine])


def _mine(fs: Any, folder: str, key: str, me: Owner) -> str | None:
    there = _claims(fs, folder, key)
    newest = f"{folder}/{key}.{there[-1]}" if there else ""
    return newest if newest and _owner(fs, newest) == me else None


def _claims(fs: Any, folder: str, key: str) -> list[int]:
    """The numbers of a key's claims, lowest first."""
    numbers = [path.rpartition(".")[2] for path in fs.glob(f"{folder}/{key}.*")]
    return sorted(int(number) for number in numbers if number.isdecimal())


def _owner(fs: Any, path: str) -> Owner | None:
    try:
        return owner_in(fs.cat_file(path))
    except FileNotFoundError:
        return None


def _written(fs: Any, path: str) -> float:
    moment: datetime = fs.modified(path)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _remove(fs: Any, paths: list[str]) -> None:
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            fs.rm_file(path)
