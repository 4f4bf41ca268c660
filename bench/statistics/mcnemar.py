"""Do two trained networks differ on these images? One run against one run, and of these weights only."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.optimize import brentq
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar

from bench.statistics.seeds import Interval, check_confidence


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
    configurations with several seeds, `bench.statistics.contrasts.difference`.

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


def one_sided(found: McNemar, images: int, null: float = 0.0) -> tuple[float, float]:
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
