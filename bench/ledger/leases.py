"""Claims: which driver is at work on which key, so that several drivers share a ledger without doing work twice.

A claim names its owner. It ends when it is released, when its owner is a dead process of this machine, or when nobody
has renewed it for ten minutes. Claims save work and guard nothing: should two drivers ever run one trial, both entries
are kept and one counts. How they are stored: `bench.ledger.file_store` and `bench.ledger.url_store`.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable

from bench.ledger.address import open_store
from bench.ledger.entries import check_key
from bench.ledger.store import LEASE_SECONDS, Location, Store, StoreUnavailableError, described, this_process


class Leases:
    """The claims of one driver in the ledger `root`.

    A trial may be published between looking at the ledger and claiming its key: so claim first, then
    `Ledger.refresh` and look whether it is still missing. Methods may be called from several threads.
    """

    def __init__(self, root: Location | Store) -> None:
        self._store = open_store(root)
        self._store.check()
        self._me = this_process()
        self._held: set[str] = set()
        self._guard = threading.Lock()

    def acquire(self, key: str) -> bool:
        """Take `key`, if nobody else is at work on it; True when it is ours now (or was before).

        Raises UserError when the folder cannot be written. A ledger that is away for the moment does not stop the
        work: the key counts as ours.
        """
        check_key(key)
        try:
            taken = self._store.acquire(key, self._me)
        except StoreUnavailableError:
            taken = True
        if taken:
            with self._guard:
                self._held.add(key)
        return taken

    def waiting_for(self, keys: Iterable[str]) -> str:
        """A line on who is at work on keys that could not be claimed, and how long to wait for them at most."""
        holders = Counter(described(self._store.holder(key)) for key in keys)
        each = "; ".join(f"{count} trial{'s' * (count != 1)} claimed by {who}" for who, count in holders.items())
        return (
            f"waiting for {each}; what a driver that is gone has claimed is free after {LEASE_SECONDS / 60:.0f} minutes"
        )

    def release(self, key: str) -> None:
        """Give `key` back; nothing happens when it is not ours (any more)."""
        check_key(key)
        with self._guard:
            self._held.discard(key)
        self._store.release(key, self._me)

    def release_all(self) -> None:
        """Give back all that are held."""
        for key in self._snapshot():
            self.release(key)

    def renew_all(self) -> None:
        """Show that this driver is still at work; to be called about once a minute."""
        for key in self._snapshot():
            self._store.renew(key, self._me)

    def _snapshot(self) -> list[str]:
        with self._guard:
            return sorted(self._held)
