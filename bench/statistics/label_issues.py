"""Which test labels may be wrong? Images that many networks misclassify in the same way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.statistics.per_class import Classes


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
