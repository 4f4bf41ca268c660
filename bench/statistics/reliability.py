"""Is a network right as often as it says? Reliability by confidence, and the expected calibration error."""

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

    A bin lies above `low` up to and with `high`. `count` is the images of a seed on the average; `confidence` and
    `accuracy` are means over what all seeds said within the bin, nan where that is nothing.
    """

    low: Floats
    high: Floats
    confidence: Floats
    accuracy: Floats
    count: Floats


def bin_of(confidence: Confidences, bins: int = ECE_BINS) -> NDArray[np.int_]:
    """The number of the bin, from 0, that each confidence in [0, 1] falls into; a bin holds its upper end."""
    numbers: NDArray[np.int_] = np.clip(np.ceil(confidence.astype(np.float64) * bins).astype(int) - 1, 0, bins - 1)
    return numbers


def calibration_error(confidence: Confidences, right: NDArray[np.bool_]) -> float:
    """Expected calibration error of n images: sum over 15 equally wide bins of |sum of (right - confidence)| / n.

    Guo et al. 2017 (arXiv 1706.04599, equations 2 to 5). nan where a confidence is not known.
    """
    sure = confidence.astype(np.float64)
    if np.isnan(sure).any():
        return float("nan")
    gaps = np.bincount(bin_of(sure), weights=right - sure, minlength=ECE_BINS)
    return float(np.abs(gaps).sum() / len(sure))


def reliability(confidence: Confidences, right: NDArray[np.bool_], bins: int = ECE_BINS) -> Reliability:
    """What a reliability diagram shows (Guo et al. 2017, arXiv 1706.04599, figure 1), over several seeds.

    Parameters
    ----------
    confidence
        Probability of the predicted class, in [0, 1], shape (seeds, images).
    right
        Whether the prediction was right, of the same shape.

    Raises
    ------
    ValueError
        Shapes differ or have not two dimensions, or a confidence is not known.
    """
    if confidence.shape != right.shape or confidence.ndim != 2:
        raise ValueError(f"confidences of shape {confidence.shape} and answers of shape {right.shape} do not match")
    if np.isnan(confidence).any():
        raise ValueError("a confidence is not known")
    sure = confidence.astype(np.float64).ravel()
    where = bin_of(sure, bins)
    counts = np.bincount(where, minlength=bins)
    edges = np.arange(bins + 1) / bins
    with np.errstate(invalid="ignore"):
        return Reliability(
            low=edges[:-1],
            high=edges[1:],
            confidence=np.bincount(where, weights=sure, minlength=bins) / counts,
            accuracy=np.bincount(where, weights=right.ravel(), minlength=bins) / counts,
            count=counts / confidence.shape[0],
        )
