"""Which images did each configuration get right? The predictions of every complete trial, read once."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.metrics import Predictions
from bench.report.grouping import Configuration


@dataclass(frozen=True, eq=False)
class Correctness:
    """`right` by label, booleans of shape (seeds, images), of the configurations that saw the same `images` images.

    `checksum` is the SHA-256 of those images' labels, `checksums` and `accuracies` those of each complete trial by key.
    A configuration of other test labels than most is not in `right`: it cannot be compared with them.
    """

    right: dict[str, NDArray[np.bool_]]
    images: int
    checksum: str
    checksums: dict[str, str]
    accuracies: dict[str, float]


def look(configurations: Sequence[Configuration], predictions: Callable[[str], Predictions]) -> Correctness:
    """Read the predictions of every complete trial; a byte per image is kept."""
    tables: dict[str, list[NDArray[np.bool_]]] = {}
    checksums: dict[str, str] = {}
    accuracies: dict[str, float] = {}
    for one in configurations:
        for record in one.with_status("complete"):
            said = predictions(record.key)
            right = said.labels == said.predicted
            tables.setdefault(one.label, []).append(right)
            checksums[record.key] = hashlib.sha256(said.labels.astype("<u2").tobytes()).hexdigest()
            accuracies[record.key] = float(np.count_nonzero(right) / len(right))
    if not checksums:
        return Correctness({}, 0, "", {}, {})
    (checksum, _), *_ = Counter(checksums.values()).most_common(1)
    same = {
        one.label: np.stack(tables[one.label])
        for one in configurations
        if one.label in tables and {checksums[r.key] for r in one.with_status("complete")} == {checksum}
    }
    images = next((table.shape[1] for table in same.values()), 0)
    return Correctness(same, images, checksum, checksums, accuracies)
