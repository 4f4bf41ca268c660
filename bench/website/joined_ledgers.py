"""Several ledgers read as one; nothing is copied."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bench.ledger.entries import LedgerEntry
from bench.ledger.ledger import FINISHED, Ledger, precedence_key
from bench.ledger.record import Record
from bench.ledger.weights_files import WeightsFile, list_weights, order_weights
from bench.metrics import PredictedClasses, Predictions


@dataclass(frozen=True)
class ClassCounts:
    """What the table of a trial's classes needs of its predictions: an image count per class, shape (n_classes,)."""

    correct: NDArray[np.int64]
    labels: NDArray[np.int64]
    predicted: NDArray[np.int64]


class JoinedLedgers:
    """The records of ledgers, of a key that several have the one that counts.

    Predicted classes are read once where a report reads them; `counts` remembers what pages of configurations need.
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
        return self._ledger_of[key].predictions(key)

    def predicted_classes(self, key: str) -> PredictedClasses:
        """The labels and predicted classes of the record that counts; errors as `Ledger.predictions`."""
        classes = self._ledger_of[key].predicted_classes(key)
        if key not in self.counts:
            labels, predicted = classes.labels, classes.predicted
            size = int(max(labels.max(), predicted.max())) + 1
            self.counts[key] = ClassCounts(
                *(
                    np.bincount(images, minlength=size).astype(np.int64)
                    for images in (labels[labels == predicted], labels, predicted)
                )
            )
        return classes

    def weights(self, key: str) -> list[str]:
        """The names of the files with a trial's weights."""
        ledger = self._ledger_of[key]
        return [file.name for file in order_weights(ledger, key, self._weights_of[ledger][key])]

    @cached_property
    def _weights_of(self) -> dict[Ledger, dict[str, list[WeightsFile]]]:
        """The files with weights by key, listed once: a listing for each of many trials grows with their square."""
        listed: dict[Ledger, dict[str, list[WeightsFile]]] = {ledger: defaultdict(list) for ledger in self.ledgers}
        for ledger, by_key in listed.items():
            for file in list_weights(ledger.store):
                by_key[file.key].append(file)
        return listed
