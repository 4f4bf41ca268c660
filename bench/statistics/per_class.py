"""How sure is a class's precision, recall or F1, and how sure is the difference of two configurations in it?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from sklearn.metrics import precision_recall_fscore_support

from bench.statistics.factor_effects import contrasts
from bench.statistics.intervals import check_confidence, score_bounds
from bench.statistics.means import MeanEstimates, satterthwaite
from bench.statistics.seed_noise import Floats, moderated

Classes = NDArray[np.integer[Any]]


@dataclass(frozen=True)
class PerClass:
    """Arrays of shape (n_classes,): precision, recall and F1 as fractions, support as a count of labels."""

    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    f1: NDArray[np.float64]
    support: NDArray[np.int64]


@dataclass(frozen=True)
class ConfusedPair:
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


def most_confused(matrix: NDArray[np.int64], classes: Sequence[str], top: int) -> list[ConfusedPair]:
    """The `top` pairs of true and wrongly predicted class by count; pairs that never occur are left out.

    `matrix` is `confusion`'s; among equal counts the smaller class numbers come first.
    """
    wrong = matrix.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:top]
    pairs = [divmod(int(cell), matrix.shape[1]) for cell in order]
    totals = matrix.sum(axis=1)
    return [
        ConfusedPair(classes[row], classes[column], int(wrong[row, column]), float(wrong[row, column] / totals[row]))
        for row, column in pairs
        if wrong[row, column]
    ]


def _check(labels: Classes, predicted: Classes, n_classes: int) -> None:
    if labels.shape != predicted.shape or labels.ndim != 1:
        raise ValueError(f"labels of shape {labels.shape} and predictions of shape {predicted.shape} do not match")
    for name, values in (("label", labels), ("predicted class", predicted)):
        if values.size and (values.min() < 0 or values.max() >= n_classes):
            raise ValueError(f"a {name} lies outside the {n_classes} classes")


Figure = Literal["precision", "recall", "f1"]
FIGURES: tuple[Figure, ...] = get_args(Figure)


@dataclass(frozen=True, eq=False)
class Bounds:
    """One figure of k configurations and c classes, as fractions.

    `value`, `low` and `high` have shape (k, c): the figure of all seeds counted together and its bounds on new images,
    nan where it is of no image. `half` has shape (pairs, c): half the width of the interval of the difference, for the
    pairs of the first configurations in the order of `itertools.combinations`.
    """

    value: Floats
    low: Floats
    high: Floats
    half: Floats


@dataclass(frozen=True, eq=False)
class _Cells:
    """Of one class, what a figure is the ratio of: counts of shape (seeds, images), of the images that matter."""

    above: Floats
    below: Floats


def bounds(
    labels: Classes, predicted: Sequence[NDArray[Any]], n_classes: int, paired: int = 0, confidence: float = 0.95
) -> dict[Figure, Bounds]:
    """Precision, recall and F1 of every class with their intervals when seeds and images vary.

    Each is a ratio of two counts. Its variance over new seeds and images is that of its linear part
    (above - ratio * below) / mean(below), taken apart by seeds and images as `bench.statistics.means` does with
    right and wrong (Cochran 1977, Sampling Techniques, section 6.3, for the linear part). New images come with as many
    of each class, as test parts are made, so that images vary within their true class. The seed noise of a class is
    steadied by the other configurations. The interval is Wilson's at the number of images that would have this
    variance, with Student's t for the normal quantile (compared with others by Franco et al. 2019, PMC6690503); for one
    seed this is Wilson's own, and speaks of the images alone. F1 is taken as the share J of the images that are of the
    class or called so which are both, F1 = 2J / (1 + J).

    Parameters
    ----------
    labels
        Class numbers in [0, n_classes), shape (images,), at least two.
    predicted
        Per configuration class numbers of shape (seeds, images).
    n_classes
        Classes of the data.
    paired
        How many of the first configurations get the intervals of their differences: mean +- t sqrt(variance), with the
        covariance of the shared images taken off, each at `confidence` by itself.

    Raises
    ------
    ValueError
        No configuration, shapes that differ, or a confidence outside (0, 1).
    """
    check_confidence(confidence)
    if not predicted or any(one.ndim != 2 or one.shape[1:] != labels.shape for one in predicted):
        shapes = [one.shape for one in predicted]
        raise ValueError(f"labels of shape {labels.shape} and predictions of shapes {shapes} do not match")
    pairs = list(combinations(range(min(paired, len(predicted))), 2))
    found = {
        figure: Bounds(*(np.full((size, n_classes), np.nan) for size in (*[len(predicted)] * 3, len(pairs))))
        for figure in FIGURES
    }
    weights = np.zeros((len(pairs), len(predicted)))
    for row, (ours, theirs) in enumerate(pairs):
        weights[row, ours], weights[row, theirs] = 1, -1
    sizes = np.bincount(labels, minlength=n_classes)
    for number in range(n_classes):
        of_class = labels == number
        matters = np.flatnonzero(of_class | np.any([np.any(one == number, axis=0) for one in predicted], axis=0))
        said = [one[:, matters] == number for one in predicted]
        for figure in FIGURES:
            cells = [_cells(figure, of_class[matters], one) for one in said]
            measured = _measured(cells, labels[matters], sizes)
            _fill(found[figure], number, figure, cells, measured, weights, confidence)
    return found


def _cells(figure: Figure, of_class: NDArray[np.bool_], said: NDArray[np.bool_]) -> _Cells:
    both = (said & of_class).astype(np.float64)
    if figure == "precision":
        return _Cells(both, said.astype(np.float64))
    if figure == "recall":
        return _Cells(both, np.broadcast_to(of_class, said.shape).astype(np.float64))
    return _Cells(2 * both, said.astype(np.float64) + of_class)


def _fill(
    into: Bounds,
    number: int,
    figure: Figure,
    cells: list[_Cells],
    measured: MeanEstimates,
    weights: Floats,
    confidence: float,
) -> None:
    there = np.array([one.below.sum() > 0 for one in cells])
    into.value[there, number] = measured.means[there]
    # F1 counts an image twice that is of the class and called so.
    counts = np.array([(one.below > 0).sum() / one.below.shape[0] for one in cells])
    low, high = _score(figure, measured, counts, confidence)
    into.low[there, number], into.high[there, number] = low[there], high[there]
    if len(weights):
        both = (np.abs(weights) @ there) == 2
        width = contrasts(measured, weights, confidence)
        into.half[both, number] = (width.high - width.estimate)[both]


def _measured(cells: list[_Cells], labels: Classes, sizes: NDArray[np.int_]) -> MeanEstimates:
    """The ratios with the variance components of their linear parts, which are 0 on all images left out."""
    images = int(sizes.sum())
    seeds = np.array([one.above.shape[0] for one in cells])
    ratios, between, independent = (np.zeros(len(cells)) for _ in range(3))
    shares = np.zeros((len(cells), cells[0].above.shape[1]))
    for i, one in enumerate(cells):
        total = one.below.sum()
        if total == 0:
            continue
        ratios[i] = one.above.sum() / total
        linear = (one.above - ratios[i] * one.below) * (seeds[i] * images / total)
        shares[i] = linear.mean(axis=0)
        square = float(np.sum(linear**2))
        if seeds[i] == 1:
            # A calibrated network's next seed flips half as much as its images vary (`binomial_floor`).
            independent[i] = square / (2 * images * images)
            continue
        by_seed = float(np.sum((linear.sum(axis=1) / images) ** 2))
        rest = max(0.0, square - images * by_seed - seeds[i] * float(np.sum(shares[i] ** 2)))
        between[i] = by_seed / (seeds[i] - 1)
        independent[i] = rest / ((seeds[i] - 1) * (images - 1)) / images
    # Images vary within their class; those left out, 0 each, lie as far from its mean: a column for them all.
    of_class = np.eye(len(sizes))[labels]
    means = shares @ of_class / np.maximum(sizes, 1)
    left_out = -means * np.sqrt(sizes - of_class.sum(axis=0))
    deviations = np.hstack([shares - means[:, labels], left_out])
    return MeanEstimates(ratios, seeds, images, moderated(between, independent, seeds), independent, deviations)


def _score(figure: Figure, measured: MeanEstimates, counts: Floats, confidence: float) -> tuple[Floats, Floats]:
    """Wilson's interval with as many images as give the variance; of one seed, the images it has."""
    ratio = measured.means
    share, slope = (ratio / (2 - ratio), 2 / (2 - ratio) ** 2) if figure == "f1" else (ratio, np.ones_like(ratio))
    variance = measured.variances
    several = (measured.seeds > 1) & (variance > 0) & (share > 0) & (share < 1)
    safe = np.where(several, variance, 1.0)
    n = np.where(several, share * (1 - share) / (safe * slope**2), np.maximum(counts, 1))
    level = 0.5 + confidence / 2
    quantile = np.full(len(ratio), stats.norm.ppf(level))
    if measured.noise is not None:
        part = measured.noise.variances / measured.seeds
        degrees = satterthwaite(safe, np.where(several, part, 0.0), measured.noise.degrees, measured.images)
        quantile = np.where(several, stats.t.ppf(level, degrees), quantile)
    low, high = score_bounds(share, n, quantile)
    return (2 * low / (1 + low), 2 * high / (1 + high)) if figure == "f1" else (low, high)
