"""How sure is a share of correct images? Wilson's interval, and the noise between seeds that theory expects."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from bench.statistics.seeds import Interval, check_confidence

Floats = NDArray[np.float64]


def wilson(correct: int, n: int, confidence: float = 0.95) -> Interval:
    """Wilson's score interval of a proportion: images vary, the trained network is fixed.

    (p + z^2 / 2n +- z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n), z the normal quantile
    (Wilson 1927, doi 10.1080/01621459.1927.10502953). The estimate is correct / n.

    Raises
    ------
    ValueError
        Not 0 <= correct <= n, n not positive, or a confidence outside (0, 1).
    """
    if n <= 0 or not 0 <= correct <= n:
        raise ValueError(f"{correct} correct of {n} is no proportion")
    check_confidence(confidence)
    share = correct / n
    low, high = score_bounds(np.array([share]), np.array([n]), stats.norm.ppf(0.5 + confidence / 2))
    return Interval(share, float(low[0]), float(high[0]))


def score_bounds(share: Floats, n: NDArray[Any], quantile: Any) -> tuple[Floats, Floats]:
    """Wilson's bounds of proportions at `n` images each, of any shape, by a quantile of the normal or Student's t.

    For a mean with another variance than p (1 - p) / n, such as one over seeds, `n` is the number of images that would
    have it: the interval keeps within 0 and 1 and is wider on the side where the variance grows (with others compared
    by Franco et al. 2019, PMC6690503).
    """
    square = quantile**2
    centre = (share + square / (2 * n)) / (1 + square / n)
    half = quantile * np.sqrt(share * (1 - share) / n + square / (4 * n * n)) / (1 + square / n)
    low = np.where(share == 0, 0.0, np.maximum(centre - half, 0.0))
    high = np.where(share == 1, 1.0, np.minimum(centre + half, 1.0))
    return low, high


def binomial_floor(error: float, n: int) -> float:
    """The standard deviation between seeds that theory expects on a finite test set: sqrt(error / 2n).

    Jordan 2023 (arXiv 2304.01910): two runs of one configuration differ on about as many images as a calibrated network
    must, so that their test accuracies vary this much although the networks are equally good. Networks that are too
    sure of themselves differ less, and down to half of it was measured: it is no lower limit, and is used only where no
    second seed tells the noise.

    Parameters
    ----------
    error
        1 - accuracy, in [0, 1].
    n
        Number of test images.

    Returns
    -------
    float
        As a fraction: 0.0018 at an error of 0.065 on 10,000 images.
    """
    if n <= 0 or not 0 <= error <= 1:
        raise ValueError(f"no floor for an error of {error} on {n} images")
    return math.sqrt(error / (2 * n))
