"""The scores at the rungs of pruning, in a ledger's store, where several drivers share them."""

from __future__ import annotations

import contextlib
import hashlib
import time

from bench.errors import UserError
from bench.execution.pruning import Rung
from bench.ledger.store import RUNGS, Store

MAX_FRACTION = 0.05
"""At most this fraction of the time goes into listing a rung's scores, which takes long at a URL."""


class SharedRungs:
    """Scores at the rungs of pruning in a ledger's store, so that several drivers prune together.

    Each score is an empty file ``rungs/GROUP/EPOCH/KEY=SCORE``. They are advisory: where the store cannot be reached, a
    driver decides by what it knows.
    """

    def __init__(self, store: Store):
        self.store = store
        self._not_before: dict[Rung, float] = {}

    def scores(self, rung: Rung) -> list[tuple[str, float]] | None:
        """Keys of trials and their scores; None if they were listed a moment ago, or cannot be."""
        start = time.monotonic()
        if start < self._not_before.get(rung, start):
            return None
        scores: list[tuple[str, float]] | None = None
        with contextlib.suppress(UserError):
            paths = sorted(self.store.list(self._folder(rung)))
            scores = []
            for path in paths:
                key, _, text = path.rpartition("/")[2].partition("=")
                with contextlib.suppress(ValueError):  # another program's file
                    if 0 <= (score := float(text)) <= 1:  # not nan
                        scores.append((key, score))
        now = time.monotonic()
        self._not_before[rung] = now + (now - start) / MAX_FRACTION
        return scores

    def add(self, rung: Rung, key: str, score: float) -> None:
        with contextlib.suppress(UserError):
            self.store.write(f"{self._folder(rung)}/{key}={float(score)!r}", b"")

    def _folder(self, rung: Rung) -> str:
        return f"{RUNGS}/{hashlib.sha256(rung.group.encode()).hexdigest()[:16]}/{rung.epoch}"
