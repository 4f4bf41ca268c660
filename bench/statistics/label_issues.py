"""Which images do many networks get wrong in the same way, and what would leaving some out change?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.statistics.per_class import Classes


def wrong_by_majority(labels: Classes, predicted: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The wrong class that more than half of the seeds give an image, and how many of them do.

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
    ordered = np.sort(predicted, axis=0)
    # Whatever more than half of the seeds say stands in the middle of them.
    middle = ordered[len(predicted) // 2]
    agreeing = np.count_nonzero(predicted == middle, axis=0)
    wrong = (2 * agreeing > len(predicted)) & (middle != labels)
    return np.where(wrong, middle.astype(np.int64), -1), np.where(wrong, agreeing, 0).astype(np.int64)


def wrong_by_all(labels: Classes, predicted: Sequence[NDArray[Any]]) -> NDArray[np.bool_]:
    """Which images every seed of every configuration gives the same class, not their label's; shape (images,).

    `predicted` has an array of shape (seeds, images) per configuration. Networks that agree against a label say that
    the label is worth a look, no more: they have learnt from the same training labels (Northcutt et al. 2021, arXiv
    2103.14749, find about half of such candidates to be wrong).
    """
    every = np.concatenate(list(predicted))
    agreed: NDArray[np.bool_] = (every == every[0]).all(axis=0) & (every[0] != labels)
    return agreed


def accuracy_without(right: NDArray[np.bool_], left_out: NDArray[np.bool_]) -> float:
    """The accuracy of all seeds, shape (seeds, images), on the images that are not left out; nan where none is left."""
    kept = right[:, ~left_out]
    return float(kept.mean()) if kept.size else float("nan")
