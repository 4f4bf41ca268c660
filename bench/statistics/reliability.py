"""Calibration: reliability diagrams and the expected calibration error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.metrics import ECE_BINS

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


def bin_of(confidence: Confidences, bins: int = ECE_BINS) -> NDArray[np.int_]:
    """The number of the bin, from 0, that each confidence in [0, 1] falls into; a bin holds its upper end."""
    bins_of: NDArray[np.int_] = np.clip(np.ceil(confidence.astype(np.float64) * bins).astype(int) - 1, 0, bins - 1)
    return bins_of


def calibration_error(confidence: Confidences, correct: NDArray[np.bool_]) -> float:
    """Expected calibration error of n images: sum over 15 equally wide bins of |sum of (right - confidence)| / n.

    Guo et al. 2017 (arXiv 1706.04599, equations 2 to 5). nan where a confidence is nan.
    """
    probabilities = confidence.astype(np.float64)
    if np.isnan(probabilities).any():
        return float("nan")
    gaps = np.bincount(bin_of(probabilities), weights=correct - probabilities, minlength=ECE_BINS)
    return float(np.abs(gaps).sum() / len(probabilities))


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
    bin_numbers = bin_of(probabilities, bins)
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
