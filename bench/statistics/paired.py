"""Is one configuration worse than another by more than a bound? A score test that also holds on few test images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats
from scipy.optimize import brentq

from bench.statistics.measured import Measured, satterthwaite
from bench.statistics.noise import Floats
from bench.statistics.seeds import Interval, check_confidence

EQUAL = 1e-6
"""Differences of images nearer to each other than this are equal: they are quotients of small numbers of seeds."""
_ROUNDING = 6
_INSIDE = 1 - 1e-9
"""How near to its bounds a difference may be sought: at -1 and 1 every image differs, and nothing varies."""


def one_sided(measured: Measured, ours: int, theirs: int, null: float) -> tuple[float, float]:
    """p-values against "the difference is at least `null`" and against "it is at most `null`", on new images.

    The difference is the mean of configuration number `ours` minus that of `theirs`. Its variance is not estimated from
    the images alone: two configurations that agree on all of 50 images have shown none, although they may well differ
    by several points on others. It is the variance under the hypothesis: of all distributions of an image's difference
    whose mean is `null`, the one under which the observed differences are likeliest (`variance_under`). To this comes
    what seeds differ by on any images. With one seed each that is Tango's test (`bench.statistics.mcnemar.score`).

    Parameters
    ----------
    null
        A fraction in [-1, 1]; at its ends the two would differ on every image.
    """
    return _p_values(_observe(measured, ours, theirs), null)


def score_interval(measured: Measured, ours: int, theirs: int, confidence: float = 0.95) -> Interval:
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


def _observe(measured: Measured, ours: int, theirs: int) -> _Observed:
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
    # against the case that whole images differ, and all in one direction, as `bench.statistics.mcnemar.one_sided` does.
    alone = float(stats.binom.sf(np.ceil(abs(estimate) * images - EQUAL) - 1, images, abs(null)))
    if estimate < null < 0:
        return max(below, alone), above
    return below, max(above, alone) if estimate > null > 0 else above


def _degrees(measured: Measured, ours: int, theirs: int, variance: float) -> float:
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
