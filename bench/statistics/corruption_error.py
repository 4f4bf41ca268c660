"""Errors on corrupted images: the mean over corruptions and severities, also relative to a baseline's.

Hendrycks and Dietterich 2019 (arXiv 1903.12261, section 4): CE of a corruption is the sum of a network's errors over
the severities, over that of the baseline; mCE is the mean of CE over corruptions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Errors = NDArray[np.float64]
"""Fractions, shape (seeds, corruptions, severities)."""


def mean_error(errors: Errors) -> NDArray[np.float64]:
    """Of each seed, over corruptions and severities, (seeds,)."""
    means: NDArray[np.float64] = errors.mean(axis=(1, 2))
    return means


def mean_corruption_error(errors: Errors, baseline: Errors) -> NDArray[np.float64]:
    """mCE of each seed, (seeds,), against the mean of the baseline's seeds; 1 is as good as the baseline.

    Raises
    ------
    ValueError
        Not the same corruptions, or the baseline makes no error under one of them.
    """
    reference: Any = baseline.mean(axis=0).sum(axis=1)
    if errors.shape[1:] != baseline.shape[1:] or np.any(reference == 0):
        raise ValueError(f"errors of shape {errors.shape} have no ratio to a baseline of {baseline.shape}")
    ratios: NDArray[np.float64] = (errors.sum(axis=2) / reference).mean(axis=1)
    return ratios
