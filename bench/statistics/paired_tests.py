"""Is one configuration worse than another by more than a bound? A score test that also holds on few test images."""

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
    """`difference` is the accuracy of ours minus theirs; the counts are of images that only one of them got right."""

    difference: Interval
    only_ours: int
    only_theirs: int
    p: float


def mcnemar(ours: NDArray[Any], theirs: NDArray[Any], confidence: float = 0.95) -> McNemar:
    """McNemar's exact test of two single runs on the same images (statsmodels; Dietterich 1998).

    It asks whether the images that only one of them got right fall evenly. The difference has the interval of
    `paired_interval`, for which the number of such images is random too: new images may have more or fewer. The two may
    disagree in borderline cases, where p lies near 1 - confidence. Neither says anything about other seeds: for
    configurations with several seeds, `bench.statistics.factor_effects.difference`.

    Parameters
    ----------
    ours, theirs
        Which images each got right: booleans of shape (images,).

    Raises
    ------
    ValueError
        Shapes differ or are not (images,), or a confidence outside (0, 1).
    """
    if ours.shape != theirs.shape or ours.ndim != 1 or not len(ours):
        raise ValueError(f"two runs on the same images are wanted, not shapes {ours.shape} and {theirs.shape}")
    first, second = ours.astype(bool), theirs.astype(bool)
    only_ours = int(np.count_nonzero(first & ~second))
    only_theirs = int(np.count_nonzero(second & ~first))
    interval = paired_interval(only_ours, only_theirs, len(ours), confidence)
    if only_ours + only_theirs == 0:
        return McNemar(interval, 0, 0, 1.0)
    table = [[int(np.count_nonzero(first & second)), only_ours], [only_theirs, 0]]
    return McNemar(interval, only_ours, only_theirs, float(statsmodels_mcnemar(table, exact=True).pvalue))


def paired_interval(only_ours: int, only_theirs: int, images: int, confidence: float = 0.95) -> Interval:
    """Tango's score interval of the difference of two proportions on the same images (1998, Statistics in Medicine 17).

    It holds all differences that the score test (`score`) does not reject, and covers 94 to 100 % from 50 images on
    (``benchmarks/coverage.py``; Fagerland, Lydersen and Laake 2014, doi 10.1002/sim.6148, recommend it). Clopper and
    Pearson's interval given the number of differing images covers as little as 40 %: it leaves out that this number
    varies.

    Parameters
    ----------
    only_ours, only_theirs
        How many images only one of the two got right.
    images
        Number of test images.

    Raises
    ------
    ValueError
        Counts that do not fit into the images, or a confidence outside (0, 1).
    """
    if min(only_ours, only_theirs) < 0 or only_ours + only_theirs > images or images < 1:
        raise ValueError(f"{only_ours} and {only_theirs} images of {images} are no counts of a pair")
    check_confidence(confidence)
    z = float(stats.norm.ppf(0.5 + confidence / 2))
    estimate = (only_ours - only_theirs) / images

    def excess(difference: float, sign: int) -> float:
        gap, variance = _score_parts(only_ours, only_theirs, images, difference)
        return sign * gap - z * math.sqrt(variance)

    nearly = 1e-9  # at the estimate itself the variance may be 0, which is a root and no bound
    low = -1.0 if estimate - nearly <= -1 else brentq(excess, -1.0, estimate - nearly, args=(1,))
    high = 1.0 if estimate + nearly >= 1 else brentq(excess, estimate + nearly, 1.0, args=(-1,))
    return Interval(estimate, float(low), float(high))


def score(only_ours: int, only_theirs: int, images: int, difference: float) -> float:
    """Tango's score statistic of "ours is better by `difference`": standard normal where that is true.

    (b - c - n d) / sqrt(n (2 q + d (1 - d))), where q is the likeliest chance of an image that only theirs gets right,
    given the difference. At d = 0 this is McNemar's (b - c) / sqrt(b + c).
    """
    gap, variance = _score_parts(only_ours, only_theirs, images, difference)
    if abs(gap) < 1e-9:
        return 0.0
    return gap / math.sqrt(variance) if variance > 0 else math.copysign(math.inf, gap)


def _score_parts(only_ours: int, only_theirs: int, images: int, difference: float) -> tuple[float, float]:
    """The score statistic's numerator and variance."""
    linear = (2 * images - only_ours + only_theirs) * difference - only_ours - only_theirs
    constant = -only_theirs * difference * (1 - difference)
    root = math.sqrt(max(linear * linear - 8 * images * constant, 0.0))
    only_theirs_chance = (root - linear) / (4 * images)
    variance = images * (2 * only_theirs_chance + difference * (1 - difference))
    return only_ours - only_theirs - images * difference, max(variance, 0.0)


def one_sided_mcnemar(found: McNemar, images: int, null: float = 0.0) -> tuple[float, float]:
    """p-values against "the difference is at least `null`" and against "it is at most `null`".

    At a `null` of 0 those of McNemar's exact test. Else those of the score test, so that at a p of 2.5 % the null lies
    on the bound of `mcnemar`'s 95 % interval; from 50 images on it rules out a drop wrongly in 2.9 % at most where
    2.5 % is promised. A claim of a difference beyond `null` is besides held against the exact binomial test of the case
    that all differing images are on one side, where the normal approximation is too bold.

    Parameters
    ----------
    images
        Number of test images.
    null
        As a fraction.
    """
    apart, net = found.only_ours + found.only_theirs, found.only_ours - found.only_theirs
    if null == 0:
        return float(stats.binom.cdf(found.only_ours, apart, 0.5)), float(
            stats.binom.sf(found.only_ours - 1, apart, 0.5)
        )
    statistic = score(found.only_ours, found.only_theirs, images, null)
    below, above = float(stats.norm.cdf(statistic)), float(stats.norm.sf(statistic))
    if null < 0:
        return max(below, float(stats.binom.sf(-net - 1, images, -null))), above
    return below, max(above, float(stats.binom.sf(net - 1, images, null)))


EQUAL = 1e-6
"""Differences of images nearer to each other than this are equal: they are quotients of small numbers of seeds."""
_ROUNDING = 6
_INSIDE = 1 - 1e-9
"""How near to its bounds a difference may be sought: at -1 and 1 every image differs, and nothing varies."""


def one_sided(measured: MeanEstimates, ours: int, theirs: int, null: float) -> tuple[float, float]:
    """p-values against "the difference is at least `null`" and against "it is at most `null`", on new images.

    The difference is the mean of configuration number `ours` minus that of `theirs`. Its variance is not estimated from
    the images alone: two configurations that agree on all of 50 images have shown none, although they may well differ
    by several points on others. It is the variance under the hypothesis: of all distributions of an image's difference
    whose mean is `null`, the one under which the observed differences are likeliest (`variance_under`). To this comes
    what seeds differ by on any images. With one seed each that is Tango's test (`bench.statistics.paired_tests.score`).

    Parameters
    ----------
    null
        A fraction in [-1, 1]; at its ends the two would differ on every image.
    """
    return _p_values(_observe(measured, ours, theirs), null)


def score_interval(measured: MeanEstimates, ours: int, theirs: int, confidence: float = 0.95) -> Interval:
    """The differences that neither p-value of `one_sided` rules out at (1 - `confidence`) / 2.

    Raises
    ------
    ValueError
        A confidence outside (0, 1).
    """
    check_confidence(confidence)
    level = (1 - confidence) / 2
    observed = _observe(measured, ours, theirs)
    estimate = observed.estimate

    def bound(end: float, side: int) -> float:
        def beyond(null: float) -> float:
            return _p_values(observed, null)[side] - level

        # At the estimate itself both p-values are 0.5.
        if (abs(estimate) >= _INSIDE and estimate * end > 0) or beyond(end) >= 0:
            return round(end)
        return float(brentq(beyond, end, estimate, xtol=1e-12))

    return Interval(estimate, bound(-_INSIDE, 1), bound(_INSIDE, 0))


def variance_under(values: Floats, shares: Floats, mean: float) -> float:
    """The variance of an image's difference, were its mean `mean`.

    That of the empirical likelihood's distribution (Owen 2001, Empirical Likelihood, section 2.9): weights on the
    observed values whose mean is `mean`, as near to equal as can be. An image's difference lies between -1 and 1, and
    an end that no image has shown may hold weight too: it is what the images were too few to show.

    Parameters
    ----------
    values, shares
        The differences that were observed, ours less theirs, and the share of images that has each.
    mean
        In (-1, 1).
    """
    if float(shares @ values) < mean:
        values, mean = -values, -mean
    # The mean is to be lowered, by weights 1 / (1 + tilt * away), the tilt being 0 where nothing has to change.
    away = values - mean
    most = 1 / (1 + mean)
    scale = 1 + most * away
    if scale.min() > 0 and shares @ (away / scale) >= 0:
        # Even so the observed values' mean is too high: the rest of the weight lies on -1.
        weights = shares / scale
        return float(weights @ away**2 + max(1 - weights.sum(), 0.0) * (1 + mean) ** 2)

    def pull(tilt: float) -> float:
        return float(shares @ (away / (1 + tilt * away)))

    end = most * _INSIDE
    tilt = 0.0 if pull(0) <= 0 else end if pull(end) >= 0 else brentq(pull, 0, end)
    weights = shares / (1 + tilt * away)
    return float(weights @ away**2 / weights.sum())


@dataclass(frozen=True, eq=False)
class _Observed:
    """What images showed: their mean difference, how often each, and what seeds add to the variance of the mean."""

    estimate: float
    values: Floats
    shares: Floats
    images: int
    seeds: float
    degrees: float


def _observe(measured: MeanEstimates, ours: int, theirs: int) -> _Observed:
    differences = (measured.deviations[ours] - measured.deviations[theirs]).astype(np.float64)
    differences += measured.means[ours] - measured.means[theirs]
    values, counts = np.unique(np.round(differences, _ROUNDING), return_counts=True)
    seeds = float(measured.beyond[ours] + measured.beyond[theirs])
    degrees = _degrees(measured, ours, theirs, float(differences.var(ddof=1)) / measured.images + seeds)
    shares = counts / measured.images
    return _Observed(float(differences.mean()), values, shares, measured.images, seeds, degrees)


def _p_values(observed: _Observed, null: float) -> tuple[float, float]:
    null = min(max(null, -_INSIDE), _INSIDE)
    estimate, images = observed.estimate, observed.images
    if estimate == null:
        return 0.5, 0.5
    variance = variance_under(observed.values, observed.shares, null) / images + observed.seeds
    score = (estimate - null) / np.sqrt(variance)
    below, above = float(stats.t.cdf(score, observed.degrees)), float(stats.t.sf(score, observed.degrees))
    # The claim of a difference beyond `null` may rest on an image or two, where no sum of images is normal: it is held
    # against the case that whole images differ, and all in one direction, as
    # `bench.statistics.paired_tests.one_sided_mcnemar` does.
    alone = float(stats.binom.sf(np.ceil(abs(estimate) * images - EQUAL) - 1, images, abs(null)))
    if estimate < null < 0:
        return max(below, alone), above
    return below, max(above, alone) if estimate > null > 0 else above


def _degrees(measured: MeanEstimates, ours: int, theirs: int, variance: float) -> float:
    """Satterthwaite's, of the `variance` that was observed: only what seeds add is uncertain."""
    if measured.noise is None:
        return float("inf")
    places = [ours, theirs]
    parts = measured.noise.variances[places] / measured.seeds[places]
    part = float(parts.sum())
    if part == 0:
        return measured.images - 1.0
    of_seeds = float(np.clip(part**2 / (parts**2 / measured.noise.degrees[places]).sum(), 1.0, measured.noise.total))
    return float(satterthwaite(variance, part, of_seeds, measured.images))
