"""Intervals of a proportion over images (Wilson) and of a mean over seeds (pooled deviation, Student's t)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]


def wilson(n_correct: int, n: int, confidence: float = 0.95) -> Interval:
    """Wilson's score interval of a proportion: images vary, the trained network is fixed.

    (p + z^2 / 2n +- z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n), z the normal quantile
    (Wilson 1927, doi 10.1080/01621459.1927.10502953). The estimate is correct / n.

    Raises
    ------
    ValueError
        Not 0 <= correct <= n, n not positive, or a confidence outside (0, 1).
    """
    if n <= 0 or not 0 <= n_correct <= n:
        raise ValueError(f"{n_correct} correct of {n} is no proportion")
    check_confidence(confidence)
    proportion = n_correct / n
    low, high = score_bounds(np.array([proportion]), np.array([n]), stats.norm.ppf(0.5 + confidence / 2))
    return Interval(proportion, float(low[0]), float(high[0]))


def score_bounds(proportion: Floats, n: NDArray[Any], quantile: Any) -> tuple[Floats, Floats]:
    """Wilson's bounds of proportions at `n` images each, of any shape, by a quantile of the normal or Student's t.

    For a mean with another variance than p (1 - p) / n, such as one over seeds, `n` is the number of images that would
    have it: the interval keeps within 0 and 1 and is wider on the side where the variance grows (with others compared
    by Franco et al. 2019, PMC6690503).
    """
    squared = quantile**2
    center = (proportion + squared / (2 * n)) / (1 + squared / n)
    half_width = quantile * np.sqrt(proportion * (1 - proportion) / n + squared / (4 * n * n)) / (1 + squared / n)
    low = np.where(proportion == 0, 0.0, np.maximum(center - half_width, 0.0))
    high = np.where(proportion == 1, 1.0, np.minimum(center + half_width, 1.0))
    return low, high


def binomial_noise(error: float, n: int) -> float:
    """The standard deviation between seeds that theory expects on a finite test set: sqrt(error / 2n).

    Jordan 2023 (arXiv 2304.01910): two runs of one configuration differ on about as many images as a calibrated network
    must, so that their test accuracies vary this much although the networks are equally good. Overconfident networks
    differ less (down to half of it was measured), so it is no lower limit; it is used only where no configuration has a
    second seed.

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
        raise ValueError(f"no binomial noise for an error of {error} on {n} images")
    return math.sqrt(error / (2 * n))


@dataclass(frozen=True)
class Interval:
    """An estimate with its lower and upper bound, in the unit of the values."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True)
class PooledDeviation:
    """Standard deviation between seeds, pooled over configurations, with its degrees of freedom (at least 1)."""

    deviation: float
    degrees: float


def pooled_seed_deviation(groups: Iterable[Sequence[float]]) -> PooledDeviation | None:
    """Pool the variance between seeds over configurations.

    sqrt(sum_i sum_j (x_ij - mean_i)^2 / sum_i (n_i - 1)), the within-group mean square of a one-way analysis of
    variance (Box, Hunter and Hunter, Statistics for Experimenters, chapter 4). It assumes the same seed noise in every
    configuration; where that is not known, use `bench.statistics.seed_noise.moderated`.

    Parameters
    ----------
    groups
        One sequence per configuration: a value per seed. Groups of fewer than two values add nothing.

    Returns
    -------
    PooledDeviation | None
        In the unit of the values; None when no group has two values.
    """
    arrays = [np.asarray(group, dtype=float) for group in groups]
    degrees = sum(max(array.size - 1, 0) for array in arrays)
    if degrees == 0:
        return None
    sum_of_squares = sum(float(np.sum((array - array.mean()) ** 2)) for array in arrays if array.size)
    return PooledDeviation(math.sqrt(sum_of_squares / degrees), degrees)


def seed_interval(values: Sequence[float], pooled: PooledDeviation, confidence: float = 0.95) -> Interval:
    """The interval of a configuration's mean on this test set: seeds vary, images are fixed.

    mean +- t(degrees) * deviation / sqrt(n), Student's t with the degrees of freedom of the deviation. It does not hold
    for new images.

    Parameters
    ----------
    values
        The value of each seed, shape (n,), n at least 1.
    pooled
        The deviation between seeds: from `pooled_seed_deviation`, or moderated.
    confidence
        Coverage, in (0, 1).

    Raises
    ------
    ValueError
        No values, or a confidence outside (0, 1).
    """
    if len(values) == 0:
        raise ValueError("an interval needs at least one value")
    check_confidence(confidence)
    mean = float(np.mean(values))
    half_width = float(stats.t.ppf(0.5 + confidence / 2, pooled.degrees)) * pooled.deviation / math.sqrt(len(values))
    return Interval(mean, mean - half_width, mean + half_width)


def check_confidence(confidence: float) -> None:
    """Raise ValueError unless `confidence` lies in (0, 1)."""
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, not {confidence}")
