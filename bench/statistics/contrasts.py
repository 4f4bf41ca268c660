"""Differences and other weighted sums of mean accuracies, with intervals over seeds and images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from bench.statistics.intervals import check_confidence
from bench.statistics.means import MeanEstimates, satterthwaite
from bench.statistics.paired_tests import paired_interval
from bench.statistics.seed_noise import Floats

NOISE_STANDARD_ERRORS = 2.0
"""A difference below so many standard errors of the seeds is within seed noise: 1 in 20 is larger by chance."""

MIN_SEEDS = 3
"""Seeds of each configuration from which differences are tested. With fewer, seed noise is hardly known: in simulated
suites of single runs, the set that is tied with the best loses a true best in more than half."""


@dataclass(frozen=True, eq=False)
class ContrastEffects:
    """Effects in the unit of the means, as fractions, arrays of shape (m,).

    `low` and `high` hold on new images (seeds and images vary), `this_low` and `this_high` on this test set (seeds
    vary; nan without seed noise). `p` is two-sided, on new images, of each effect by itself, against the null effect (0
    by default); nan where a configuration has fewer than `MIN_SEEDS` seeds.
    """

    estimate: Floats
    low: Floats
    high: Floats
    this_low: Floats
    this_high: Floats
    p: Floats


@dataclass(frozen=True)
class Difference:
    """One effect, with the fields of `ContrastEffects`.

    `seeds_counted` is False where no configuration has two seeds: the effect then holds for these networks only.
    """

    estimate: float
    low: float
    high: float
    this_low: float
    this_high: float
    p: float
    seeds_counted: bool


def difference(
    estimates: MeanEstimates, first: int, second: int, confidence: float = 0.95, null: float = 0.0
) -> Difference:
    """The mean of configuration number `first` minus that of `second`.

    The comparison is paired over images: the covariance is subtracted. Equal seed numbers are not paired. `p` is
    against a difference of `null`. Where no configuration has two seeds the bounds are Tango's
    (`bench.statistics.paired_tests.paired_interval`), of these two networks only.

    Raises
    ------
    ValueError
        A confidence outside (0, 1).
    IndexError
        No configuration has this number.
    """
    weights = np.zeros((1, len(estimates.means)))
    weights[0, first] += 1
    weights[0, second] -= 1
    effect = contrasts(estimates, weights, confidence, null)
    low, high = float(effect.low[0]), float(effect.high[0])
    if estimates.noise is None and first != second and (estimates.seeds[[first, second]] == 1).all():
        low, high = _of_two_networks(estimates, first, second, confidence)
    return Difference(
        estimate=float(effect.estimate[0]),
        low=low,
        high=high,
        this_low=float(effect.this_low[0]),
        this_high=float(effect.this_high[0]),
        p=float(effect.p[0]),
        seeds_counted=estimates.noise is not None,
    )


def _of_two_networks(estimates: MeanEstimates, first: int, second: int, confidence: float) -> tuple[float, float]:
    """Tango's bounds of the difference of two single runs."""
    right = [estimates.deviations[index] + estimates.means[index] > 0.5 for index in (first, second)]
    only_first = int(np.count_nonzero(right[0] & ~right[1]))
    only_second = int(np.count_nonzero(right[1] & ~right[0]))
    interval = paired_interval(only_first, only_second, estimates.images, confidence)
    return interval.low, interval.high


def contrasts(
    estimates: MeanEstimates, weights: Floats, confidence: float = 0.95, null: float = 0.0
) -> ContrastEffects:
    """Weighted sums of the means, such as differences and the effects of a factor.

    w'm +- t sqrt(w'Vw), V the covariance of the means over new seeds and images; Satterthwaite's degrees of freedom,
    at most those that all seeds together have.

    Parameters
    ----------
    estimates
        k configurations.
    weights
        Shape (m, k), a row per effect.
    confidence
        Coverage of each interval by itself, in (0, 1).
    null
        The effect that `p` is against.
    """
    check_confidence(confidence)
    estimate = weights @ estimates.means
    variances = variance(estimates, weights)
    quantile_level = 0.5 + confidence / 2
    no_bounds = np.full(len(estimate), np.nan)
    if estimates.noise is None:
        degrees = np.full(len(estimate), estimates.images - 1.0)
        this_low, this_high = no_bounds, no_bounds
    else:
        seed_parts = weights**2 * (estimates.noise.variances / estimates.seeds)
        seed_variances = seed_parts.sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            seed_degrees = seed_variances**2 / (seed_parts**2 / estimates.noise.degrees).sum(axis=1)
        seed_degrees = np.clip(np.nan_to_num(seed_degrees, nan=1.0), 1.0, estimates.noise.total)
        degrees = satterthwaite(variances, seed_variances, seed_degrees, estimates.images)
        half_width = stats.t.ppf(quantile_level, seed_degrees) * np.sqrt(seed_variances)
        this_low, this_high = estimate - half_width, estimate + half_width
    half_width = stats.t.ppf(quantile_level, degrees) * np.sqrt(variances)
    with np.errstate(divide="ignore", invalid="ignore"):
        t_statistic = np.where(estimate == null, 0.0, np.abs(estimate - null) / np.sqrt(variances))
    few_seeds = (weights != 0) @ (estimates.seeds < MIN_SEEDS)
    return ContrastEffects(
        estimate,
        estimate - half_width,
        estimate + half_width,
        this_low,
        this_high,
        np.where(few_seeds, np.nan, 2 * stats.t.sf(t_statistic, degrees)),
    )


def seed_error(estimates: MeanEstimates, weights: Floats) -> Floats:
    """The standard error by seeds alone of each row's weighted sum of the means, shape (m,).

    For a difference of two configurations as noisy as each other this is s sqrt(1 / s1 + 1 / s2). Where no
    configuration has two seeds it is what theory expects of flips, `bench.statistics.intervals.binomial_noise`.
    """
    seed_variances = estimates.independent if estimates.noise is None else estimates.noise.variances
    result: Floats = np.sqrt(weights**2 @ (seed_variances / estimates.seeds))
    return result


def variance(estimates: MeanEstimates, weights: Floats) -> Floats:
    """w'Vw of each row of `weights`, shape (m, k), V the covariance of the means over new seeds and new images.

    From the images themselves: V of thousands of configurations would be millions of numbers.
    """
    columns = np.flatnonzero(weights.any(axis=0))
    deviations = estimates.deviations if len(columns) == len(estimates.means) else estimates.deviations[columns]
    weighted = weights[:, columns].astype(deviations.dtype) @ deviations
    covariance = np.einsum("mn,mn->m", weighted, weighted, dtype=np.float64) / (estimates.images - 1) / estimates.images
    result: Floats = covariance + weights**2 @ estimates.seed_variances
    return result
