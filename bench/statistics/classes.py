"""Which classes are told apart? Precision, recall and F1 per class, the confusion matrix, its worst pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_fscore_support

Classes = NDArray[np.integer[Any]]


@dataclass(frozen=True)
class PerClass:
    """Arrays of shape (n_classes,): precision, recall and F1 as fractions, support as a count of labels."""

    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    f1: NDArray[np.float64]
    support: NDArray[np.int64]


@dataclass(frozen=True)
class Confused:
    """How often images of class `true` were taken for `predicted`; `share` is of the images of class `true`."""

    true: str
    predicted: str
    count: int
    share: float


def per_class(labels: Classes, predicted: Classes, n_classes: int) -> PerClass:
    """Precision, recall, F1 and support of every class (scikit-learn's `precision_recall_fscore_support`).

    Parameters
    ----------
    labels, predicted
        Class numbers in [0, n_classes), shape (n,).
    n_classes
        Classes that nothing was predicted for, or that have no image, get 0.

    Raises
    ------
    ValueError
        Shapes differ, or a class number is out of range.
    """
    _check(labels, predicted, n_classes)
    precision, recall, f1, support = precision_recall_fscore_support(
        labels, predicted, labels=np.arange(n_classes), zero_division=0
    )
    return PerClass(precision, recall, f1, support.astype(np.int64))


def confusion(labels: Classes, predicted: Classes, n_classes: int) -> NDArray[np.int64]:
    """Count images by true class (row) and predicted class (column), shape (n_classes, n_classes).

    Raises
    ------
    ValueError
        Shapes differ, or a class number is out of range.
    """
    _check(labels, predicted, n_classes)
    cells = labels.astype(np.int64) * n_classes + predicted
    counts = np.bincount(cells, minlength=n_classes * n_classes).astype(np.int64)
    return counts.reshape(n_classes, n_classes)


def most_confused(matrix: NDArray[np.int64], classes: Sequence[str], top: int) -> list[Confused]:
    """The `top` pairs of true and wrongly predicted class by count; pairs that never occur are left out.

    `matrix` is `confusion`'s; among equal counts the smaller class numbers come first.
    """
    wrong = matrix.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:top]
    pairs = [divmod(int(cell), matrix.shape[1]) for cell in order]
    totals = matrix.sum(axis=1)
    return [
        Confused(classes[row], classes[column], int(wrong[row, column]), float(wrong[row, column] / totals[row]))
        for row, column in pairs
        if wrong[row, column]
    ]


def _check(labels: Classes, predicted: Classes, n_classes: int) -> None:
    if labels.shape != predicted.shape or labels.ndim != 1:
        raise ValueError(f"labels of shape {labels.shape} and predictions of shape {predicted.shape} do not match")
    for name, values in (("label", labels), ("predicted class", predicted)):
        if values.size and (values.min() < 0 or values.max() >= n_classes):
            raise ValueError(f"a {name} lies outside the {n_classes} classes")
