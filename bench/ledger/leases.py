"""Leases: which driver trains which trial, so that several drivers share a ledger without doing work twice.

A lease names its owner. It ends when it is released, when its owner is a dead process of this machine, or ten minutes
after its last renewal. Leases are advisory: a duplicate run is harmless, since both entries are kept and one counts.
How they are stored: `bench.ledger.file_store` and `bench.ledger.url_store`.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable

from bench.ledger.address import open_store
from bench.ledger.entries import check_key
from bench.ledger.store import LEASE_SECONDS, Location, Store, StoreUnavailableError, describe_owner, this_process


class Leases:
    """The leases of one driver in the ledger `root`.

    A trial may be published between reading the ledger and acquiring its lease: so acquire first, then `Ledger.refresh`
    and check whether the trial is still missing. Methods may be called from several threads.
    """

    def __init__(self, root: Location | Store) -> None:
        self._store = open_store(root)
        self._store.check()
        self._me = this_process()
        self._held: set[str] = set()
        self._guard = threading.Lock()

    def acquire(self, key: str) -> bool:
        """Acquire the lease of `key`; False where another living driver has it.

        Raises UserError where the folder cannot be written. While the store is unavailable every key is granted, so
        that the run goes on.
        """
        check_key(key)
        try:
            acquired = self._store.acquire(key, self._me)
        except StoreUnavailableError:
            acquired = True
        if acquired:
            with self._guard:
                self._held.add(key)
        return acquired

    def waiting_for(self, keys: Iterable[str]) -> str:
        """A line on who has the leases of `keys`, and how long to wait for them at most."""
        holders = Counter(describe_owner(self._store.holder(key)) for key in keys)
        holder_texts = "; ".join(
            f"{count} trial{'s' * (count != 1)} with {holder}" for holder, count in holders.items()
        )
        return f"waiting for {holder_texts}; leases of dead drivers expire after {LEASE_SECONDS / 60:.0f} minutes"

    def release(self, key: str) -> None:
        """Release `key`; nothing happens where this driver does not have it."""
        check_key(key)
        with self._guard:
            self._held.discard(key)
        self._store.release(key, self._me)

    def release_all(self) -> None:
        """Release all that are held."""
        for key in self._snapshot():
            self.release(key)

    def renew_all(self) -> None:
        """Renew all that are held; to be called about once a minute."""
        for key in self._snapshot():
            self._store.renew(key, self._me)

    def _snapshot(self) -> list[str]:
        with self._guard:
            return sorted(self._held)
