"""Which classes does a configuration tell apart? Per-class figures, confusion matrix and curves of the top few."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.ledger.record import Predictions
from bench.report.sections import Configuration, Section
from bench.statistics.classes import Confused, PerClass, confusion, most_confused, per_class

PAIRS = 10


@dataclass(frozen=True)
class Details:
    """A configuration's per-class figures, from the predictions of all its complete seeds counted together.

    `figures.support` counts test images once, not once per seed; `matrix` holds the counts over all `seeds`
    (row: true class). `curves` maps ``train_accuracy`` and ``val_accuracy`` to one list per seed.
    """

    label: str
    chosen: bool
    seeds: tuple[int, ...]
    images: int
    classes: tuple[str, ...]
    figures: PerClass
    matrix: NDArray[np.int64]
    pairs: tuple[Confused, ...]
    curves: dict[str, list[list[float | None]]]


def details(
    section: Section, frame: pd.DataFrame, predictions: Callable[[str], Predictions], most: int
) -> tuple[Details, ...]:
    """The chosen configuration first, then the best by test mean, at most `most` in all."""
    ours = frame[frame["kind"] == "ours"].sort_values("chosen", ascending=False, kind="stable")
    by_label = {one.label: one for one in section.configurations}
    return tuple(
        _details(by_label[label], bool(is_chosen), predictions)
        for label, is_chosen in zip(ours["label"][:most], ours["chosen"][:most], strict=True)
    )


def _details(one: Configuration, is_chosen: bool, predictions: Callable[[str], Predictions]) -> Details:
    done = one.having("complete")
    said = [predictions(record.key) for record in done]
    labels = np.concatenate([p.labels for p in said])
    predicted = np.concatenate([p.predicted for p in said])
    names = next((record.result.classes for record in done if record.result.classes), [])
    size = max(len(names), int(max(labels.max(initial=0), predicted.max(initial=0))) + 1)
    classes = tuple(names) + tuple(str(number) for number in range(len(names), size))
    pooled = per_class(labels, predicted, size)
    matrix = confusion(labels, predicted, size)
    return Details(
        label=one.label,
        chosen=is_chosen,
        seeds=tuple(record.seed for record in done),
        images=len(said[0].labels),
        classes=classes,
        figures=PerClass(pooled.precision, pooled.recall, pooled.f1, pooled.support // len(said)),
        matrix=matrix,
        pairs=tuple(most_confused(matrix, classes, PAIRS)),
        curves={
            name: [record.result.curves[name] for record in done if record.result.curves.get(name)]
            for name in ("train_accuracy", "val_accuracy")
        },
    )
