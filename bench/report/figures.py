"""The figures of a record by metric: read, or told by its predictions where it was made before the metric was."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Literal

from bench.ledger.record import Metrics, Predictions, Record
from bench.statistics.stored_metrics import figures

Part = Literal["train", "validation", "test"]

SAME_AS_ACCURACY = ("precision_micro", "recall_micro", "recall_weighted", "f1_micro")
"""Where every image has one class and gets one, these are the share of images that are right."""


def value(record: Record, part: Part, metric: str) -> float:
    """A record's figure; nan where it has none."""
    found: Metrics | None = getattr(record.result, part)
    return found.get(metric, math.nan) if found else math.nan


def values(records: Sequence[Record], part: Part, metric: str) -> list[float]:
    """The figures of those records that have it, in their order."""
    found = (value(record, part, metric) for record in records)
    return [one for one in found if not math.isnan(one)]


def completed(
    records: Sequence[Record], predictions: Callable[[str], Predictions], metrics: Sequence[str]
) -> list[Record]:
    """The records with those of `metrics` that they lack, as far as they can still be told.

    The test part's come from the predictions, which are asked for only where one is missing. Of the other parts,
    which left no predictions, only what accuracy and loss imply.
    """
    return [_completed(record, predictions, metrics) if record.status == "complete" else record for record in records]


def _completed(record: Record, predictions: Callable[[str], Predictions], metrics: Sequence[str]) -> Record:
    if all(found is None or not set(metrics) - found.keys() for found in _parts(record).values()):
        return record
    train, validation, test = (_implied(found, record) for found in _parts(record).values())
    if test is not None and set(metrics) - test.keys():
        kept = predictions(record.key)
        classes = len(record.result.classes) or int(max(kept.labels.max(), kept.predicted.max())) + 1
        test = {**figures(**asdict(kept), n_classes=classes), **test}
    return replace(record, result=replace(record.result, train=train, validation=validation, test=test))


def _parts(record: Record) -> dict[str, Metrics | None]:
    return {"train": record.result.train, "validation": record.result.validation, "test": record.result.test}


def _implied(found: Metrics | None, record: Record) -> Metrics | None:
    if found is None or "accuracy" not in found:
        return found
    implied = dict.fromkeys(SAME_AS_ACCURACY, found["accuracy"])
    if (record.config.get("loss") or {}).get("name") == "cross_entropy" and "loss" in found:
        implied["nll"] = found["loss"]
    return {**implied, **found}
