"""Precision, recall and F1 of each class, confusion matrix, test labels that may be wrong; over seeds and images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from sklearn.metrics import precision_recall_fscore_support

from bench.statistics.contrasts import contrasts
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
    """Images of class `true` that were predicted as `predicted`; `fraction` is of all images of class `true`."""

    true: str
    predicted: str
    count: int
    fraction: float


def per_class(labels: Classes, predicted: Classes, n_classes: int) -> PerClass:
    """Precision, recall, F1 and support of every class (scikit-learn's `precision_recall_fscore_support`).

    Parameters
    ----------
    labels, predicted
        Class numbers in [0, n_classes), shape (n,).
    n_classes
        A class that was never predicted, or that has no image, gets 0.

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
    errors = matrix.copy()
    np.fill_diagonal(errors, 0)
    order = np.argsort(-errors, axis=None, kind="stable")[:top]
    pairs = [divmod(int(cell), matrix.shape[1]) for cell in order]
    totals = matrix.sum(axis=1)
    return [
        ConfusedPair(classes[row], classes[column], int(errors[row, column]), float(errors[row, column] / totals[row]))
        for row, column in pairs
        if errors[row, column]
    ]


def _check(labels: Classes, predicted: Classes, n_classes: int) -> None:
    if labels.shape != predicted.shape or labels.ndim != 1:
        raise ValueError(f"labels of shape {labels.shape} and predictions of shape {predicted.shape} do not match")
    for name, values in (("label", labels), ("predicted class", predicted)):
        if values.size and (values.min() < 0 or values.max() >= n_classes):
            raise ValueError(f"a {name} lies outside the {n_classes} classes")


ClassMetric = Literal["precision", "recall", "f1"]
CLASS_METRICS: tuple[ClassMetric, ...] = get_args(ClassMetric)


@dataclass(frozen=True, eq=False)
class ClassIntervals:
    """One metric of k configurations and c classes, as fractions.

    `value`, `low` and `high` have shape (k, c): the metric over all seeds together and its bounds on new images, nan
    without an image. `half_width` has shape (pairs, c): half the width of the interval of the difference, for the pairs
    of the first configurations in the order of `itertools.combinations`.
    """

    value: Floats
    low: Floats
    high: Floats
    half_width: Floats


@dataclass(frozen=True, eq=False)
class _Counts:
    """Numerator and denominator of a metric of one class, by seed and image, shape (seeds, images)."""

    numerator: Floats
    denominator: Floats


def class_intervals(
    labels: Classes, predicted: Sequence[NDArray[Any]], n_classes: int, paired: int = 0, confidence: float = 0.95
) -> dict[ClassMetric, ClassIntervals]:
    """Precision, recall and F1 of every class with their intervals when seeds and images vary.

    Each is a ratio of two counts. Its variance over new seeds and images is that of its linear part (numerator - ratio
    * denominator) / mean(denominator), decomposed by seeds and images as in `bench.statistics.means` (Cochran 1977,
    Sampling Techniques, section 6.3, for the linear part). New images have the same class sizes, so that images vary
    within their true class. The seed noise of a class is moderated over configurations. The interval is Wilson's at the
    number of images that would have this variance, with Student's t for the normal quantile (compared with others by
    Franco et al. 2019, PMC6690503); for one seed this is Wilson's own interval, over images alone. F1 is transformed
    from the Jaccard index J, F1 = 2J / (1 + J).

    Parameters
    ----------
    labels
        Class numbers in [0, n_classes), shape (images,), at least two.
    predicted
        Per configuration class numbers of shape (seeds, images).
    n_classes
        Classes of the data.
    paired
        How many of the first configurations get intervals of their differences: mean +- t sqrt(variance), paired over
        images, each at `confidence` by itself.

    Raises
    ------
    ValueError
        No configuration, shapes that differ, or a confidence outside (0, 1).
    """
    check_confidence(confidence)
    if not predicted or any(classes.ndim != 2 or classes.shape[1:] != labels.shape for classes in predicted):
        shapes = [classes.shape for classes in predicted]
        raise ValueError(f"labels of shape {labels.shape} and predictions of shapes {shapes} do not match")
    pairs = list(combinations(range(min(paired, len(predicted))), 2))
    intervals = {
        metric: ClassIntervals(*(np.full((size, n_classes), np.nan) for size in (*[len(predicted)] * 3, len(pairs))))
        for metric in CLASS_METRICS
    }
    weights = np.zeros((len(pairs), len(predicted)))
    for row, (first, second) in enumerate(pairs):
        weights[row, first], weights[row, second] = 1, -1
    class_sizes = np.bincount(labels, minlength=n_classes)
    for class_number in range(n_classes):
        of_class = labels == class_number
        relevant = np.flatnonzero(
            of_class | np.any([np.any(classes == class_number, axis=0) for classes in predicted], axis=0)
        )
        predicted_as = [classes[:, relevant] == class_number for classes in predicted]
        for metric in CLASS_METRICS:
            counts = [_counts(metric, of_class[relevant], classes) for classes in predicted_as]
            estimates = _ratio_estimates(counts, labels[relevant], class_sizes)
            _fill(intervals[metric], class_number, metric, counts, estimates, weights, confidence)
    return intervals


def _counts(metric: ClassMetric, of_class: NDArray[np.bool_], predicted_as: NDArray[np.bool_]) -> _Counts:
    true_positives = (predicted_as & of_class).astype(np.float64)
    if metric == "precision":
        return _Counts(true_positives, predicted_as.astype(np.float64))
    if metric == "recall":
        return _Counts(true_positives, np.broadcast_to(of_class, predicted_as.shape).astype(np.float64))
    return _Counts(2 * true_positives, predicted_as.astype(np.float64) + of_class)


def _fill(
    intervals: ClassIntervals,
    class_number: int,
    metric: ClassMetric,
    counts: list[_Counts],
    estimates: MeanEstimates,
    weights: Floats,
    confidence: float,
) -> None:
    has_images = np.array([item.denominator.sum() > 0 for item in counts])
    intervals.value[has_images, class_number] = estimates.means[has_images]
    # F1 counts a true positive twice.
    n_images = np.array([(item.denominator > 0).sum() / item.denominator.shape[0] for item in counts])
    low, high = _score(metric, estimates, n_images, confidence)
    intervals.low[has_images, class_number], intervals.high[has_images, class_number] = (
        low[has_images],
        high[has_images],
    )
    if len(weights):
        in_both = (np.abs(weights) @ has_images) == 2
        difference_effects = contrasts(estimates, weights, confidence)
        intervals.half_width[in_both, class_number] = (difference_effects.high - difference_effects.estimate)[in_both]


def _ratio_estimates(counts: list[_Counts], labels: Classes, class_sizes: NDArray[np.int_]) -> MeanEstimates:
    """The ratios with the variance components of their linear parts, which are 0 on all other images."""
    images = int(class_sizes.sum())
    seeds = np.array([item.numerator.shape[0] for item in counts])
    ratios, between_seeds, independent = (np.zeros(len(counts)) for _ in range(3))
    image_parts = np.zeros((len(counts), counts[0].numerator.shape[1]))
    for i, item in enumerate(counts):
        total = item.denominator.sum()
        if total == 0:
            continue
        ratios[i] = item.numerator.sum() / total
        linear = (item.numerator - ratios[i] * item.denominator) * (seeds[i] * images / total)
        image_parts[i] = linear.mean(axis=0)
        sum_of_squares = float(np.sum(linear**2))
        if seeds[i] == 1:
            # The independent variance of a calibrated network is half of that over images (`binomial_noise`).
            independent[i] = sum_of_squares / (2 * images * images)
            continue
        seed_squares = float(np.sum((linear.sum(axis=1) / images) ** 2))
        residual = max(0.0, sum_of_squares - images * seed_squares - seeds[i] * float(np.sum(image_parts[i] ** 2)))
        between_seeds[i] = seed_squares / (seeds[i] - 1)
        independent[i] = residual / ((seeds[i] - 1) * (images - 1)) / images
    # Images vary within their class. All other images have a linear part of 0: one column for them together.
    of_class = np.eye(len(class_sizes))[labels]
    means = image_parts @ of_class / np.maximum(class_sizes, 1)
    left_out = -means * np.sqrt(class_sizes - of_class.sum(axis=0))
    deviations = np.hstack([image_parts - means[:, labels], left_out])
    return MeanEstimates(ratios, seeds, images, moderated(between_seeds, independent, seeds), independent, deviations)


def _score(metric: ClassMetric, estimates: MeanEstimates, n_images: Floats, confidence: float) -> tuple[Floats, Floats]:
    """Wilson's interval with the effective number of images; for one seed the actual number."""
    ratio = estimates.means
    proportion, slope = (ratio / (2 - ratio), 2 / (2 - ratio) ** 2) if metric == "f1" else (ratio, np.ones_like(ratio))
    variance = estimates.variances
    has_seeds = (estimates.seeds > 1) & (variance > 0) & (proportion > 0) & (proportion < 1)
    safe_variance = np.where(has_seeds, variance, 1.0)
    n = np.where(has_seeds, proportion * (1 - proportion) / (safe_variance * slope**2), np.maximum(n_images, 1))
    probability = 0.5 + confidence / 2
    quantile = np.full(len(ratio), stats.norm.ppf(probability))
    if estimates.noise is not None:
        seed_part = estimates.noise.variances / estimates.seeds
        degrees = satterthwaite(
            safe_variance, np.where(has_seeds, seed_part, 0.0), estimates.noise.degrees, estimates.images
        )
        quantile = np.where(has_seeds, stats.t.ppf(probability, degrees), quantile)
    low, high = score_bounds(proportion, n, quantile)
    return (2 * low / (1 + low), 2 * high / (1 + high)) if metric == "f1" else (low, high)


# --- test labels that may be wrong ----------------------------------------------------------------


def wrong_by_majority(labels: Classes, predicted: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The wrong class that more than half of the seeds predict, and how many of them do.

    Parameters
    ----------
    labels
        Class numbers, shape (images,).
    predicted
        Class numbers, shape (seeds, images).

    Returns
    -------
    tuple
        Two arrays of shape (images,): the class, -1 where most seeds are right or do not agree; and the seeds, 0 there.
    """
    sorted_classes = np.sort(predicted, axis=0)
    # A class that more than half of the seeds predict is the median of the sorted predictions.
    majority = sorted_classes[len(predicted) // 2]
    votes = np.count_nonzero(predicted == majority, axis=0)
    wrong = (2 * votes > len(predicted)) & (majority != labels)
    return np.where(wrong, majority.astype(np.int64), -1), np.where(wrong, votes, 0).astype(np.int64)


def wrong_by_all(labels: Classes, predicted: Sequence[NDArray[Any]]) -> NDArray[np.bool_]:
    """Images to which every seed of every configuration gives the same wrong class; booleans of shape (images,).

    `predicted` has an array of shape (seeds, images) per configuration. Such labels are candidates only, since the
    networks learnt from the same training labels: Northcutt et al. 2021 (arXiv 2103.14749) find about half of such
    candidates to be wrong.
    """
    all_predictions = np.concatenate(list(predicted))
    issues: NDArray[np.bool_] = (all_predictions == all_predictions[0]).all(axis=0) & (all_predictions[0] != labels)
    return issues


def accuracy_without(correct: NDArray[np.bool_], excluded: NDArray[np.bool_]) -> float:
    """The accuracy of all seeds, shape (seeds, images), on the images that are not excluded; nan where none remains."""
    included = correct[:, ~excluded]
    return float(included.mean()) if included.size else float("nan")
