"""Which classes does a configuration tell apart? Per-class figures, confusion matrix and calibration."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.ledger.record import Predictions, Record
from bench.published.reference_data import PublishedClasses
from bench.report.figures import value
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
from bench.statistics.reliability import calibration_error, reliability


@dataclass(frozen=True, eq=False)
class SeedPredictions:
    """The predictions of a configuration's complete seeds on the same images.

    `labels` are class numbers, shape (images,). The others have shape (seeds, images): class numbers, and the
    probabilities of the predicted and of the true class, nan where the predictions were made without any.
    """

    labels: NDArray[np.unsignedinteger[Any]]
    predicted: NDArray[np.unsignedinteger[Any]]
    confidence: NDArray[np.float32]
    true_class_probability: NDArray[np.float32]

    @property
    def right(self) -> NDArray[np.bool_]:
        """Which images each seed got right, shape (seeds, images)."""
        right: NDArray[np.bool_] = self.predicted == self.labels
        return right

    @property
    def seeds(self) -> int:
        return len(self.predicted)

    @property
    def images(self) -> int:
        return len(self.labels)


def seed_predictions(one: Configuration, predictions: Callable[[str], Predictions]) -> SeedPredictions:
    """Read the predictions of a configuration's complete seeds, by seed; there is at least one."""
    said = [predictions(record.key) for record in one.having("complete")]
    return SeedPredictions(
        said[0].labels,
        np.stack([p.predicted for p in said]),
        np.stack([p.confidence for p in said]),
        np.stack([p.true_class_probability for p in said]),
    )


MAX_PAIRS = 10
MAX_COMPARED = 28
"""Of so many configurations every two get intervals of their differences; their number grows with the square."""
CALIBRATION = ("bin", "low", "high", "confidence", "accuracy", "count")


@dataclass(frozen=True, eq=False)
class Details:
    """A configuration's per-class figures, from the predictions of all its complete seeds counted together.

    `figures` are scikit-learn's of all seeds' predictions, but `figures.support` counts test images once; `bounds` maps
    each figure to its 95 % interval on new images, shape (classes, 2), nan where the figure is of no image. `matrix`
    holds the counts over all `seeds` (row: true class).

    `differences` maps the label of another shown configuration to half the width of the 95 % interval of the difference
    in each figure, shape (classes,); of two configurations the first shown one has it.

    `calibration` has a row per bin of the confidence, columns `CALIBRATION`: a bin lies above `low` up to `high`;
    `count` is the images of one seed on the average, the rest means over what all seeds said, nan in an empty bin. It
    is empty, and `ece`, `nll` and `confidence` nan, where there are no confidences; these three are means over seeds.

    `theirs` are published figures by class of the system that this configuration repeats.
    """

    label: str
    chosen: bool
    leader: bool
    seeds: tuple[int, ...]
    images: int
    classes: tuple[str, ...]
    accuracy: float
    figures: PerClass
    bounds: dict[ClassMetric, NDArray[np.float64]]
    differences: dict[str, dict[ClassMetric, NDArray[np.float64]]]
    matrix: NDArray[np.int64]
    pairs: tuple[ConfusedPair, ...]
    calibration: pd.DataFrame
    ece: float
    nll: float
    confidence: float
    theirs: tuple[PublishedClasses, ...] = ()


def details_of(
    shown: Sequence[Configuration],
    said: Mapping[str, SeedPredictions],
    chosen: Sequence[str] = (),
    leaders: Sequence[str] = (),
    theirs: Mapping[str, Sequence[PublishedClasses]] | None = None,
) -> tuple[Details, ...]:
    """The details of configurations in the order given.

    Parameters
    ----------
    shown, said
        The configurations, and what they said of the test images by label.
    chosen, leaders
        Labels of what validation chose and of those that lead.
    theirs
        Published figures by class, by the label of the configuration that repeats their system.
    """
    classes = _classes(shown, said)
    found = []
    for group in _same_images(shown, said):
        first = said[group[0].label]
        together = class_intervals(
            first.labels, [said[one.label].predicted for one in group], len(classes), MAX_COMPARED
        )
        found += [
            _details(one, said[one.label], classes, together, group, number, one.label in chosen, one.label in leaders)
            for number, one in enumerate(group)
        ]
    order = {one.label: place for place, one in enumerate(shown)}
    found.sort(key=lambda one: order[one.label])
    return tuple(replace(one, theirs=tuple((theirs or {}).get(one.label, ()))) for one in found)


def _details(
    one: Configuration,
    answers: SeedPredictions,
    classes: tuple[str, ...],
    together: dict[ClassMetric, ClassIntervals],
    group: Sequence[Configuration],
    number: int,
    is_chosen: bool,
    leads: bool,
) -> Details:
    labels, predicted = np.tile(answers.labels, answers.seeds), answers.predicted.ravel()
    pooled = per_class(labels, predicted, len(classes))
    matrix = confusion(labels, predicted, len(classes))
    done = one.having("complete")
    return Details(
        label=one.label,
        chosen=is_chosen,
        leader=leads,
        seeds=tuple(record.seed for record in done),
        images=answers.images,
        classes=classes,
        accuracy=float(answers.right.mean()),
        figures=PerClass(pooled.precision, pooled.recall, pooled.f1, pooled.support // answers.seeds),
        bounds={figure: np.stack([its.low[number], its.high[number]], axis=1) for figure, its in together.items()},
        differences=_differences(together, group, number),
        matrix=matrix,
        pairs=tuple(most_confused(matrix, classes, MAX_PAIRS)),
        **_calibration(done, answers),
    )


def _differences(
    together: dict[ClassMetric, ClassIntervals], group: Sequence[Configuration], number: int
) -> dict[str, dict[ClassMetric, NDArray[np.float64]]]:
    """Half widths to the later ones of the group; rows of `half` are in the order of `itertools.combinations`."""
    compared = min(len(group), MAX_COMPARED)
    if number >= compared:
        return {}
    start = number * compared - number * (number + 1) // 2 - number - 1
    return {
        group[other].label: {figure: its.half_width[start + other] for figure, its in together.items()}
        for other in range(number + 1, compared)
    }


def _calibration(done: Sequence[Record], answers: SeedPredictions) -> dict[str, Any]:
    if np.isnan(answers.confidence).any():
        nothing = pd.DataFrame(columns=list(CALIBRATION))
        return {"calibration": nothing, "ece": math.nan, "nll": math.nan, "confidence": math.nan}
    found = reliability(answers.confidence, answers.right)
    columns = (range(1, len(found.low) + 1), found.low, found.high, found.confidence, found.accuracy, found.count)
    errors = [calibration_error(sure, right) for sure, right in zip(answers.confidence, answers.right, strict=True)]
    likelihoods = [
        _nll(record, true) for record, true in zip(done, answers.true_class_probability.astype(np.float64), strict=True)
    ]
    return {
        "calibration": pd.DataFrame(dict(zip(CALIBRATION, columns, strict=True))),
        "ece": float(np.mean(errors)),
        "nll": float(np.mean(likelihoods)),
        "confidence": float(answers.confidence.mean(dtype=np.float64)),
    }


def _nll(record: Record, true_class_probability: NDArray[np.float64]) -> float:
    """As training measured it; else from the predictions, where a probability that rounds to 0 leaves none."""
    kept = value(record, "test", "nll")
    if not math.isnan(kept):
        return kept
    return float(-np.log(true_class_probability).mean()) if true_class_probability.min() > 0 else math.nan


def _classes(shown: Sequence[Configuration], said: Mapping[str, SeedPredictions]) -> tuple[str, ...]:
    """The names of the classes; numbers where the records have none."""
    names: list[str] = max(
        (record.result.classes for one in shown for record in one.having("complete")), key=len, default=[]
    )
    highest = (int(max(its.labels.max(initial=0), its.predicted.max(initial=0))) for its in said.values())
    size = max(len(names), 1 + max(highest, default=-1))
    return (*names, *(str(number) for number in range(len(names), size)))


def _same_images(shown: Sequence[Configuration], said: Mapping[str, SeedPredictions]) -> list[list[Configuration]]:
    """The configurations by what they were tested on: only those on the same images can be compared."""
    groups: dict[bytes, list[Configuration]] = {}
    for one in shown:
        groups.setdefault(said[one.label].labels.tobytes(), []).append(one)
    return list(groups.values())
