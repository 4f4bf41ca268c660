"""Several ledgers read as one; nothing is copied."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bench.ledger.entries import LedgerEntry
from bench.ledger.ledger import FINISHED, Ledger, precedence_key
from bench.ledger.record import Record
from bench.ledger.weights_files import weights_of
from bench.metrics import Predictions


@dataclass(frozen=True)
class ClassCounts:
    """What the table of a trial's classes needs of its predictions: an image count per class, shape (n_classes,)."""

    correct: NDArray[np.int64]
    labels: NDArray[np.int64]
    predicted: NDArray[np.int64]


class JoinedLedgers:
    """The records of ledgers, of a key that several have the one that counts.

    Predictions are read once where a report reads them; `counts` remembers what the pages of configurations need.
    """

    def __init__(self, ledgers: Sequence[Ledger]) -> None:
        self.ledgers = tuple(ledgers)
        self.counts: dict[str, ClassCounts] = {}

    @cached_property
    def _ledger_of(self) -> dict[str, Ledger]:
        best: dict[str, tuple[tuple[int, float, str], Ledger]] = {}
        for ledger in self.ledgers:
            for record in ledger.records():
                rank = precedence_key(ledger.entries_of(record.key)[0])
                if record.key not in best or rank < best[record.key][0]:
                    best[record.key] = rank, ledger
        return {key: ledger for key, (_, ledger) in best.items()}

    def reread(self) -> None:
        """Read the ledgers again, after an entry turned out to be damaged."""
        for ledger in self.ledgers:
            ledger.reread()
        self.__dict__.pop("_ledger_of", None)

    def records(self) -> list[Record]:
        """The record that counts for each key, by key."""
        return [self._ledger_of[key].record(key) for key in sorted(self._ledger_of)]

    def entries_of(self, key: str) -> list[LedgerEntry]:
        """The entries of a key in all ledgers, each once, the one that counts first."""
        by_name = {stored.name: stored for ledger in self.ledgers for stored in ledger.entries_of(key)}
        return sorted(by_name.values(), key=precedence_key)

    def replicates(self, key: str) -> list[Record]:
        """The finished records of a key other than the one that counts."""
        return [stored.record for stored in self.entries_of(key)[1:] if stored.record.status in FINISHED]

    def predictions(self, key: str) -> Predictions:
        """The test predictions of the record that counts; errors as `Ledger.predictions`."""
        predictions = self._ledger_of[key].predictions(key)
        if key not in self.counts:
            size = int(max(predictions.labels.max(), predictions.predicted.max())) + 1
            self.counts[key] = ClassCounts(
                *(
                    np.bincount(classes, minlength=size).astype(np.int64)
                    for classes in (
                        predictions.labels[predictions.correct],
                        predictions.labels,
                        predictions.predicted,
                    )
                )
            )
        return predictions

    def weights(self, key: str) -> list[str]:
        """The names of the files with a trial's weights."""
        return [file.name for file in weights_of(self._ledger_of[key], key)]
