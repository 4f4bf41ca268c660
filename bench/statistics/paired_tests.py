"""Tests and intervals of the difference of two configurations on the same images: McNemar, Tango's score test."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.optimize import brentq
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar

from bench.statistics.intervals import Interval, check_confidence
from bench.statistics.means import MeanEstimates, satterthwaite
from bench.statistics.seed_noise import Floats


@dataclass(frozen=True)
class McNemar:
    """`difference` is the accuracy of the first run minus that of the second.

    The counts are of images that only the first, and only the second, classified correctly.
    """

    difference: Interval
    only_first: int
    only_second: int
    p: float


def mcnemar(first_correct: NDArray[Any], second_correct: NDArray[Any], confidence: float = 0.95) -> McNemar:
    """McNemar's exact test of two single runs on the same images (statsmodels; Dietterich 1998).

    The null hypothesis is that an image that only one run classifies correctly is as likely to be of either. The
    interval is that of `paired_interval`, for which the number of such images is random too; test and interval may
    disagree where p lies near 1 - confidence. Neither holds for other seeds: for configurations with several seeds use
    `bench.statistics.contrasts.difference`.

    Parameters
    ----------
    ours, theirs
        Whether each run classified each image correctly: booleans of shape (images,).

    Raises
    ------
    ValueError
        Shapes differ or are not (images,), or a confidence outside (0, 1).
    """
    if first_correct.shape != second_correct.shape or first_correct.ndim != 1 or not len(first_correct):
        raise ValueError(
            f"expected two runs on the same images, not shapes {first_correct.shape} and {second_correct.shape}"
        )
    first, second = first_correct.astype(bool), second_correct.astype(bool)
    only_first = int(np.count_nonzero(first & ~second))
    only_second = int(np.count_nonzero(second & ~first))
    interval = paired_interval(only_first, only_second, len(first_correct), confidence)
    if only_first + only_second == 0:
        return McNemar(interval, 0, 0, 1.0)
    table = [[int(np.count_nonzero(first & second)), only_first], [only_second, 0]]
    return McNemar(interval, only_first, only_second, float(statsmodels_mcnemar(table, exact=True).pvalue))


def paired_interval(only_first: int, only_second: int, images: int, confidence: float = 0.95) -> Interval:
    """Tango's score interval of the difference of two proportions on the same images (1998, Statistics in Medicine 17).

    It holds all differences that the score test (`score`) does not reject and covers 94 to 100 % from 50 images on
    (``benchmarks/coverage.py``; Fagerland, Lydersen and Laake 2014, doi 10.1002/sim.6148, recommend it). Clopper and
    Pearson's interval given the number of discordant images covers as little as 40 %, since it takes that number as
    fixed.

    Parameters
    ----------
    only_first, only_second
        Number of images that only the first, and only the second, classified correctly.
    images
        Number of test images.

    Raises
    ------
    ValueError
        Counts that exceed the number of images, or a confidence outside (0, 1).
    """
    if min(only_first, only_second) < 0 or only_first + only_second > images or images < 1:
        raise ValueError(f"{only_first} and {only_second} discordant images are impossible with {images} images")
    check_confidence(confidence)
    z = float(stats.norm.ppf(0.5 + confidence / 2))
    estimate = (only_first - only_second) / images

    def excess(difference: float, sign: int) -> float:
        gap, variance = _score_parts(only_first, only_second, images, difference)
        return sign * gap - z * math.sqrt(variance)

    epsilon = 1e-9  # at the estimate itself the variance may be 0, a root that is no bound
    low = -1.0 if estimate - epsilon <= -1 else brentq(excess, -1.0, estimate - epsilon, args=(1,))
    high = 1.0 if estimate + epsilon >= 1 else brentq(excess, estimate + epsilon, 1.0, args=(-1,))
    return Interval(estimate, float(low), float(high))


def score(only_first: int, only_second: int, images: int, difference: float) -> float:
    """Tango's score statistic of "the first is better by `difference`": standard normal where that is true.

    (b - c - n d) / sqrt(n (2 q + d (1 - d))), where q is the maximum-likelihood probability that only the second is
    correct on an image, given the difference. At d = 0 this is McNemar's (b - c) / sqrt(b + c).
    """
    gap, variance = _score_parts(only_first, only_second, images, difference)
    if abs(gap) < 1e-9:
        return 0.0
    return gap / math.sqrt(variance) if variance > 0 else math.copysign(math.inf, gap)


def _score_parts(only_first: int, only_second: int, images: int, difference: float) -> tuple[float, float]:
    """The score statistic's numerator and variance."""
    linear = (2 * images - only_first + only_second) * difference - only_first - only_second
    constant = -only_second * difference * (1 - difference)
    root = math.sqrt(max(linear * linear - 8 * images * constant, 0.0))
    second_only_probability = (root - linear) / (4 * images)
    variance = images * (2 * second_only_probability + difference * (1 - difference))
    return only_first - only_second - images * difference, max(variance, 0.0)


def one_sided_mcnemar(test: McNemar, images: int, null: float = 0.0) -> tuple[float, float]:
    """p-values against "the difference is at least `null`" and against "it is at most `null`".

    At a `null` of 0 those of McNemar's exact test, else those of the score test, so that at a p of 2.5 % the null lies
    on the bound of `mcnemar`'s 95 % interval. From 50 images on, it rejects a true drop in at most 2.9 % where 2.5 % is
    nominal. A difference beyond `null` must also pass the exact binomial test of the case that all discordant images
    are on one side, where the normal approximation is anti-conservative.

    Parameters
    ----------
    images
        Number of test images.
    null
        As a fraction.
    """
    discordant, net_difference = test.only_first + test.only_second, test.only_first - test.only_second
    if null == 0:
        return float(stats.binom.cdf(test.only_first, discordant, 0.5)), float(
            stats.binom.sf(test.only_first - 1, discordant, 0.5)
        )
    statistic = score(test.only_first, test.only_second, images, null)
    below, above = float(stats.norm.cdf(statistic)), float(stats.norm.sf(statistic))
    if null < 0:
        return max(below, float(stats.binom.sf(-net_difference - 1, images, -null))), above
    return below, max(above, float(stats.binom.sf(net_difference - 1, images, null)))


EQUAL_TOLERANCE = 1e-6
"""Differences closer than this are equal: they are quotients of small numbers of seeds."""
_DECIMALS = 6
_INNER = 1 - 1e-9
"""Differences are searched for up to this: at -1 and 1 every image differs, and the variance is 0."""


def one_sided(estimates: MeanEstimates, first: int, second: int, null: float) -> tuple[float, float]:
    """p-values against "the difference is at least `null`" and against "it is at most `null`", on new images.

    The difference is the mean of configuration number `first` minus that of `second`. The
    variance is that under the hypothesis: of all distributions of an image's difference with mean `null`, the one that
    maximizes the likelihood of the observed differences (`variance_under`). (The observed variance would be 0 for two
    configurations that agree on all of 50 images, although they may differ by several points on others.) The variance
    between seeds is added. With one seed each, this is Tango's test (`score`).

    Parameters
    ----------
    null
        A fraction in [-1, 1].
    """
    return _p_values(_observe(estimates, first, second), null)


def score_interval(estimates: MeanEstimates, first: int, second: int, confidence: float = 0.95) -> Interval:
    """The differences that neither p-value of `one_sided` rejects at (1 - `confidence`) / 2.

    Raises
    ------
    ValueError
        A confidence outside (0, 1).
    """
    check_confidence(confidence)
    tail = (1 - confidence) / 2
    observed = _observe(estimates, first, second)
    estimate = observed.estimate

    def bound(end: float, side: int) -> float:
        def beyond(null: float) -> float:
            return _p_values(observed, null)[side] - tail

        # At the estimate itself both p-values are 0.5.
        if (abs(estimate) >= _INNER and estimate * end > 0) or beyond(end) >= 0:
            return round(end)
        return float(brentq(beyond, end, estimate, xtol=1e-12))

    return Interval(estimate, bound(-_INNER, 1), bound(_INNER, 0))


def variance_under(values: Floats, fractions: Floats, mean: float) -> float:
    """The variance of an image's difference under the hypothesis that its mean is `mean`.

    By empirical likelihood (Owen 2001, Empirical Likelihood, section 2.9): the weights on the observed values, as equal
    as possible, whose mean is `mean`. The bounds -1 and 1 may hold weight although no image was observed there.

    Parameters
    ----------
    values, fractions
        The observed differences, first minus second, and the fraction of images that has each.
    mean
        In (-1, 1).
    """
    if float(fractions @ values) < mean:
        values, mean = -values, -mean
    # Weights 1 / (1 + tilt * distances) lower the mean; a tilt of 0 leaves it.
    distances = values - mean
    max_tilt = 1 / (1 + mean)
    scale = 1 + max_tilt * distances
    if scale.min() > 0 and fractions @ (distances / scale) >= 0:
        # The mean of the observed values is still too high: the remaining weight lies on -1.
        weights = fractions / scale
        return float(weights @ distances**2 + max(1 - weights.sum(), 0.0) * (1 + mean) ** 2)

    def tilted_mean(tilt: float) -> float:
        return float(fractions @ (distances / (1 + tilt * distances)))

    last_tilt = max_tilt * _INNER
    tilt = (
        0.0 if tilted_mean(0) <= 0 else last_tilt if tilted_mean(last_tilt) >= 0 else brentq(tilted_mean, 0, last_tilt)
    )
    weights = fractions / (1 + tilt * distances)
    return float(weights @ distances**2 / weights.sum())


@dataclass(frozen=True, eq=False)
class _Observed:
    """Observed differences: their mean, the fraction of images with each value, and the variance due to seeds."""

    estimate: float
    values: Floats
    fractions: Floats
    images: int
    seeds: float
    degrees: float


def _observe(estimates: MeanEstimates, first: int, second: int) -> _Observed:
    differences = (estimates.deviations[first] - estimates.deviations[second]).astype(np.float64)
    differences += estimates.means[first] - estimates.means[second]
    values, counts = np.unique(np.round(differences, _DECIMALS), return_counts=True)
    seed_variance = float(estimates.seed_variances[first] + estimates.seed_variances[second])
    degrees = _degrees(estimates, first, second, float(differences.var(ddof=1)) / estimates.images + seed_variance)
    fractions = counts / estimates.images
    return _Observed(float(differences.mean()), values, fractions, estimates.images, seed_variance, degrees)


def _p_values(observed: _Observed, null: float) -> tuple[float, float]:
    null = min(max(null, -_INNER), _INNER)
    estimate, images = observed.estimate, observed.images
    if estimate == null:
        return 0.5, 0.5
    variance = variance_under(observed.values, observed.fractions, null) / images + observed.seeds
    score = (estimate - null) / np.sqrt(variance)
    below, above = float(stats.t.cdf(score, observed.degrees)), float(stats.t.sf(score, observed.degrees))
    # With few discordant images the sum is not normal: a difference beyond `null` must also pass the binomial test of
    # the case that whole images differ, all in one direction, as in `one_sided_mcnemar`.
    p_binomial = float(stats.binom.sf(np.ceil(abs(estimate) * images - EQUAL_TOLERANCE) - 1, images, abs(null)))
    if estimate < null < 0:
        return max(below, p_binomial), above
    return below, max(above, p_binomial) if estimate > null > 0 else above


def _degrees(estimates: MeanEstimates, first: int, second: int, variance: float) -> float:
    """Satterthwaite's degrees of freedom of the observed `variance`."""
    if estimates.noise is None:
        return float("inf")
    pair = [first, second]
    seed_parts = estimates.noise.variances[pair] / estimates.seeds[pair]
    seed_variance = float(seed_parts.sum())
    if seed_variance == 0:
        return estimates.images - 1.0
    seed_degrees = float(
        np.clip(seed_variance**2 / (seed_parts**2 / estimates.noise.degrees[pair]).sum(), 1.0, estimates.noise.total)
    )
    return float(satterthwaite(variance, seed_variance, seed_degrees, estimates.images))
