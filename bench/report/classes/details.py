"""Precision, recall, F1, confusion and calibration of a configuration, from what its seeds predicted."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.ledger.record import Record
from bench.metrics import Predictions, calibration_error
from bench.published.reference_data import PublishedClasses
from bench.report.estimates import metric_value
from bench.report.grouping import Configuration
from bench.statistics.per_class import (
    ClassIntervals,
    ClassMetric,
    ConfusedPair,
    PerClass,
    class_intervals,
    confusion,
    most_confused,
    per_class,
)
from bench.statistics.reliability import calibrated_error, reliability

MAX_PAIRS = 10
MAX_COMPARED = 28
"""So many configurations get intervals of all pairwise differences; the number of pairs grows quadratically."""
CALIBRATION = ("bin", "low", "high", "confidence", "accuracy", "count")


@dataclass(frozen=True, eq=False)
class SeedPredictions:
    """The predictions of a configuration's complete seeds on the same images.

    `labels` are class numbers, shape (images,). The others have shape (seeds, images): class numbers, and the
    probabilities of the predicted and of the true class, nan where the predictions hold no probabilities.
    """

    labels: NDArray[np.unsignedinteger[Any]]
    predicted: NDArray[np.unsignedinteger[Any]]
    confidence: NDArray[np.float32]
    true_class_probability: NDArray[np.float32]

    @property
    def correct(self) -> NDArray[np.bool_]:
        """Which images each seed classified correctly, shape (seeds, images)."""
        correct: NDArray[np.bool_] = self.predicted == self.labels
        return correct

    @property
    def n_seeds(self) -> int:
        return len(self.predicted)


def seed_predictions(configuration: Configuration, predictions: Callable[[str], Predictions]) -> SeedPredictions:
    """The predictions of a configuration's complete seeds, in the order of the seeds; there is at least one."""
    by_seed = [predictions(record.key) for record in configuration.with_status("complete")]
    return SeedPredictions(
        by_seed[0].labels,
        np.stack([p.predicted for p in by_seed]),
        np.stack([p.confidence for p in by_seed]),
        np.stack([p.true_class_probability for p in by_seed]),
    )


@dataclass(frozen=True, eq=False)
class Details:
    """A configuration's results per class, from the pooled predictions of all its complete seeds.

    `metrics` are scikit-learn's over all seeds, but `metrics.support` counts each test image once; `intervals` maps
    each metric to its 95 % interval on new images, shape (classes, 2), nan for a class without images. `confusion`
    holds the counts over all `seeds` (row: true class).

    `differences` maps the label of another configuration with details to half the width of the 95 % interval of the
    difference in each metric, shape (classes,); each pair is stored with the first of the two.

    `calibration` has a row per confidence bin, columns `CALIBRATION`: a bin is the interval (low, high]; `count` is the
    number of images per seed; confidence and accuracy are means over all seeds, nan in an empty bin. It is empty, and
    `ece`, `ece_calibrated` (what chance alone makes of it), `nll` and `mean_confidence` are nan, where there are no
    confidences; these four are means over seeds.

    `published` are the published results per class of the system that this configuration repeats.
    """

    label: str
    selected: bool
    top: bool
    seeds: tuple[int, ...]
    n_images: int
    classes: tuple[str, ...]
    accuracy: float
    metrics: PerClass
    intervals: dict[ClassMetric, NDArray[np.float64]]
    differences: dict[str, dict[ClassMetric, NDArray[np.float64]]]
    confusion: NDArray[np.int64]
    confused_pairs: tuple[ConfusedPair, ...]
    calibration: pd.DataFrame
    ece: float
    ece_calibrated: float
    nll: float
    mean_confidence: float
    published: tuple[PublishedClasses, ...] = ()


def details_of(
    configurations: Sequence[Configuration],
    predictions: Mapping[str, SeedPredictions],
    selected: Sequence[str] = (),
    top: Sequence[str] = (),
    published: Mapping[str, Sequence[PublishedClasses]] | None = None,
) -> tuple[Details, ...]:
    """The details of configurations, in the same order.

    Parameters
    ----------
    configurations, predictions
        The configurations, and their predictions by label.
    selected, top
        Labels of those selected on validation and of the top configurations.
    published
        Published results per class, by the label of the configuration that repeats their system.
    """
    classes = _class_names(configurations, predictions)
    by_label: dict[str, Details] = {}
    for group in _by_test_images(configurations, predictions):
        labels = predictions[group[0].label].labels
        group_bounds = class_intervals(
            labels, [predictions[c.label].predicted for c in group], len(classes), MAX_COMPARED
        )
        for index, configuration in enumerate(group):
            details = _details(configuration, predictions[configuration.label], classes, group_bounds, group, index)
            by_label[details.label] = details
    return tuple(
        replace(
            by_label[c.label],
            selected=c.label in selected,
            top=c.label in top,
            published=tuple((published or {}).get(c.label, ())),
        )
        for c in configurations
    )


def _details(
    configuration: Configuration,
    predictions: SeedPredictions,
    classes: tuple[str, ...],
    group_bounds: dict[ClassMetric, ClassIntervals],
    group: Sequence[Configuration],
    index: int,
) -> Details:
    labels, predicted = np.tile(predictions.labels, predictions.n_seeds), predictions.predicted.ravel()
    pooled = per_class(labels, predicted, len(classes))
    matrix = confusion(labels, predicted, len(classes))
    records = configuration.with_status("complete")
    return Details(
        label=configuration.label,
        selected=False,
        top=False,
        seeds=tuple(record.seed for record in records),
        n_images=len(predictions.labels),
        classes=classes,
        accuracy=float(predictions.correct.mean()),
        metrics=PerClass(pooled.precision, pooled.recall, pooled.f1, pooled.support // predictions.n_seeds),
        intervals={metric: np.stack([b.low[index], b.high[index]], axis=1) for metric, b in group_bounds.items()},
        differences=_differences(group_bounds, group, index),
        confusion=matrix,
        confused_pairs=tuple(most_confused(matrix, classes, MAX_PAIRS)),
        **_calibration(records, predictions),
    )


def _differences(
    group_bounds: dict[ClassMetric, ClassIntervals], group: Sequence[Configuration], index: int
) -> dict[str, dict[ClassMetric, NDArray[np.float64]]]:
    """Half widths to the later ones of the group; rows of `half` are in the order of `itertools.combinations`."""
    compared = min(len(group), MAX_COMPARED)
    if index >= compared:
        return {}
    start = index * compared - index * (index + 1) // 2 - index - 1
    return {
        group[other].label: {metric: b.half_width[start + other] for metric, b in group_bounds.items()}
        for other in range(index + 1, compared)
    }


def _calibration(records: Sequence[Record], predictions: SeedPredictions) -> dict[str, Any]:
    confidence, correct = predictions.confidence, predictions.correct
    if np.isnan(confidence).any():
        empty = pd.DataFrame(columns=list(CALIBRATION))
        return {"calibration": empty, **dict.fromkeys(("ece", "ece_calibrated", "nll", "mean_confidence"), math.nan)}
    bins = reliability(confidence, correct)
    columns = (range(1, len(bins.low) + 1), bins.low, bins.high, bins.confidence, bins.accuracy, bins.count)
    probabilities = predictions.true_class_probability.astype(np.float64)
    return {
        "calibration": pd.DataFrame(dict(zip(CALIBRATION, columns, strict=True))),
        "ece": float(np.mean([calibration_error(c, r) for c, r in zip(confidence, correct, strict=True)])),
        "ece_calibrated": float(np.mean([calibrated_error(c) for c in confidence])),
        "nll": float(np.mean([_nll(record, p) for record, p in zip(records, probabilities, strict=True)])),
        "mean_confidence": float(confidence.mean(dtype=np.float64)),
    }


def _nll(record: Record, true_class_probability: NDArray[np.float64]) -> float:
    """The record's own; else from its predictions, nan where a stored probability was rounded to 0."""
    stored = metric_value(record, "test", "log_loss")
    if not math.isnan(stored):
        return stored
    return float(-np.log(true_class_probability).mean()) if true_class_probability.min() > 0 else math.nan


def _class_names(
    configurations: Sequence[Configuration], predictions: Mapping[str, SeedPredictions]
) -> tuple[str, ...]:
    """The names of the classes; numbers where the records have none."""
    records = (record for configuration in configurations for record in configuration.with_status("complete"))
    names: list[str] = max((record.result.classes for record in records), key=len, default=[])
    highest = (int(max(p.labels.max(initial=0), p.predicted.max(initial=0))) for p in predictions.values())
    size = max(len(names), 1 + max(highest, default=-1))
    return (*names, *(str(number) for number in range(len(names), size)))


def _by_test_images(
    configurations: Sequence[Configuration], predictions: Mapping[str, SeedPredictions]
) -> list[list[Configuration]]:
    """Groups with the same test labels: only configurations tested on the same images can be compared."""
    groups: dict[bytes, list[Configuration]] = {}
    for configuration in configurations:
        groups.setdefault(predictions[configuration.label].labels.tobytes(), []).append(configuration)
    return list(groups.values())
