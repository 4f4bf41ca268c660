"""How much do seeds move a figure? The pooled deviation and the interval that rests on it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats


@dataclass(frozen=True)
class Interval:
    """An estimate with its lower and upper bound, in the unit of the values."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True)
class Pooled:
    """Standard deviation between seeds, pooled over configurations, with its degrees of freedom (at least 1)."""

    deviation: float
    degrees: float


def pooled_seed_deviation(groups: Iterable[Sequence[float]]) -> Pooled | None:
    """Pool the variance between seeds over configurations.

    sqrt(sum_i sum_j (x_ij - mean_i)^2 / sum_i (n_i - 1)), the within-group mean square of a one-way analysis of
    variance (Box, Hunter and Hunter, Statistics for Experimenters, chapter 4). It takes the seed noise to be the same
    in every configuration, as with runs of one network on the same data; where that is not known,
    `bench.statistics.noise.moderated`.

    Parameters
    ----------
    groups
        One sequence per configuration: a figure per seed. Groups of fewer than two values add nothing.

    Returns
    -------
    Pooled | None
        In the unit of the values; None when no group has two values.
    """
    arrays = [np.asarray(group, dtype=float) for group in groups]
    degrees = sum(max(array.size - 1, 0) for array in arrays)
    if degrees == 0:
        return None
    squares = sum(float(np.sum((array - array.mean()) ** 2)) for array in arrays if array.size)
    return Pooled(math.sqrt(squares / degrees), degrees)


def seed_interval(values: Sequence[float], pooled: Pooled, confidence: float = 0.95) -> Interval:
    """The interval of a configuration's mean on this test set: seeds vary, images are fixed.

    mean +- t(degrees) * deviation / sqrt(n), Student's t with the degrees of freedom of the deviation. It says nothing
    about new images.

    Parameters
    ----------
    values
        The figure of each seed, shape (n,), n at least 1.
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
    half = float(stats.t.ppf(0.5 + confidence / 2, pooled.degrees)) * pooled.deviation / math.sqrt(len(values))
    return Interval(mean, mean - half, mean + half)


def check_confidence(confidence: float) -> None:
    """Raise ValueError unless `confidence` lies in (0, 1)."""
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, not {confidence}")
