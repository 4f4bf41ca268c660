"""Calibration: the bins of a reliability diagram."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.metrics import ECE_BINS, confidence_bins

Confidences = NDArray[np.floating[Any]]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Reliability:
    """Equally wide bins of the top confidence, arrays of shape (bins,).

    A bin holds confidences in (low, high]. `count` is the mean number of images per seed; `confidence` and `accuracy`
    are means over the predictions of all seeds in the bin, nan in an empty bin.
    """

    low: Floats
    high: Floats
    confidence: Floats
    accuracy: Floats
    count: Floats


def calibrated_error(confidence: Confidences, bins: int = ECE_BINS) -> float:
    """The expected calibration error that a perfectly calibrated network with these confidences has, by chance.

    Each prediction is then correct with the probability that it states, so that a bin's sum of hits minus confidences
    has mean 0 and variance sum p (1 - p); the mean of its absolute value is sqrt(2 / pi) of the deviation, by the
    normal approximation. The error of few images is above 0 however good the network (Roelofs et al. 2022, arXiv
    2012.08668).

    Parameters
    ----------
    confidence
        Probability of the predicted class of one seed, in [0, 1], shape (images,).
    """
    probabilities = np.clip(confidence.astype(np.float64), 0.0, 1.0)
    bin_numbers = confidence_bins(probabilities, bins)
    variances = np.bincount(bin_numbers, weights=probabilities * (1 - probabilities), minlength=bins)
    return float(np.sqrt(2 / np.pi * variances).sum() / len(probabilities))


def reliability(confidence: Confidences, correct: NDArray[np.bool_], bins: int = ECE_BINS) -> Reliability:
    """The bins of a reliability diagram (Guo et al. 2017, arXiv 1706.04599, figure 1), over several seeds.

    Parameters
    ----------
    confidence
        Probability of the predicted class, in [0, 1], shape (seeds, images).
    correct
        Whether the prediction was correct, of the same shape.

    Raises
    ------
    ValueError
        Shapes differ or have not two dimensions, or a confidence is nan.
    """
    if confidence.shape != correct.shape or confidence.ndim != 2:
        raise ValueError(f"shapes {confidence.shape} of confidences and {correct.shape} of predictions do not match")
    if np.isnan(confidence).any():
        raise ValueError("a confidence is nan")
    probabilities = confidence.astype(np.float64).ravel()
    bin_numbers = confidence_bins(probabilities, bins)
    counts = np.bincount(bin_numbers, minlength=bins)
    edges = np.arange(bins + 1) / bins
    with np.errstate(invalid="ignore"):
        return Reliability(
            low=edges[:-1],
            high=edges[1:],
            confidence=np.bincount(bin_numbers, weights=probabilities, minlength=bins) / counts,
            accuracy=np.bincount(bin_numbers, weights=correct.ravel(), minlength=bins) / counts,
            count=counts / confidence.shape[0],
        )
