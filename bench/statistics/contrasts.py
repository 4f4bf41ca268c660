"""Do configurations differ? Sums and differences of means with the interval of their shared images and own seeds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from bench.statistics.measured import Measured, satterthwaite
from bench.statistics.noise import Floats
from bench.statistics.seeds import check_confidence

FAINT = 2.0
"""Standard errors of the seeds within which a difference is faint: seeds alone make 1 in 20 as large."""


@dataclass(frozen=True, eq=False)
class Effects:
    """Effects in the unit of the means, as fractions, arrays of shape (m,).

    `low` and `high` hold on new images (seeds and images vary), `this_low` and `this_high` on this test set (seeds
    vary; nan without seed noise). `p` is two-sided, on new images, of each effect by itself, against the effect asked
    about (0 unless told).
    """

    estimate: Floats
    low: Floats
    high: Floats
    this_low: Floats
    this_high: Floats
    p: Floats


@dataclass(frozen=True)
class Difference:
    """One effect, its fields as in `Effects`; `seeds_counted` is False where it speaks of these networks only."""

    estimate: float
    low: float
    high: float
    this_low: float
    this_high: float
    p: float
    seeds_counted: bool


def difference(measured: Measured, ours: int, theirs: int, confidence: float = 0.95, null: float = 0.0) -> Difference:
    """The mean of configuration number `ours` minus that of `theirs`.

    The shared images pair them (their covariance is taken off); equal seed numbers pair nothing. `p` is against a
    difference of `null`.

    Raises
    ------
    ValueError
        A confidence outside (0, 1).
    IndexError
        No configuration has this number.
    """
    weights = np.zeros((1, len(measured.means)))
    weights[0, ours] += 1
    weights[0, theirs] -= 1
    found = contrasts(measured, weights, confidence, null)
    return Difference(
        estimate=float(found.estimate[0]),
        low=float(found.low[0]),
        high=float(found.high[0]),
        this_low=float(found.this_low[0]),
        this_high=float(found.this_high[0]),
        p=float(found.p[0]),
        seeds_counted=measured.noise is not None,
    )


def contrasts(measured: Measured, weights: Floats, confidence: float = 0.95, null: float = 0.0) -> Effects:
    """Weighted sums of the means, such as differences and the effects of a factor.

    w'm +- t sqrt(w'Vw), V the covariance of the means over new seeds and images; Satterthwaite's degrees of freedom,
    at most those that all seeds together have.

    Parameters
    ----------
    measured
        k configurations.
    weights
        Shape (m, k), a row per effect.
    confidence
        Coverage of each interval by itself, in (0, 1).
    null
        The effect that `p` is against.
    """
    check_confidence(confidence)
    estimate = weights @ measured.means
    spread = variance(measured, weights)
    level = 0.5 + confidence / 2
    nothing = np.full(len(estimate), np.nan)
    if measured.noise is None:
        degrees = np.full(len(estimate), measured.images - 1.0)
        this_low, this_high = nothing, nothing
    else:
        parts = weights**2 * (measured.noise.variances / measured.seeds)
        seeds = parts.sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            of_seeds = seeds**2 / (parts**2 / measured.noise.degrees).sum(axis=1)
        of_seeds = np.clip(np.nan_to_num(of_seeds, nan=1.0), 1.0, measured.noise.total)
        degrees = satterthwaite(spread, seeds, of_seeds, measured.images)
        half = stats.t.ppf(level, of_seeds) * np.sqrt(seeds)
        this_low, this_high = estimate - half, estimate + half
    half = stats.t.ppf(level, degrees) * np.sqrt(spread)
    with np.errstate(divide="ignore", invalid="ignore"):
        score = np.where(estimate == null, 0.0, np.abs(estimate - null) / np.sqrt(spread))
    return Effects(estimate, estimate - half, estimate + half, this_low, this_high, 2 * stats.t.sf(score, degrees))


def seed_error(measured: Measured, weights: Floats) -> Floats:
    """The standard error by seeds alone of each row's weighted sum of the means, shape (m,).

    For a difference of two configurations as noisy as each other this is s sqrt(1 / s1 + 1 / s2). Where no
    configuration has two seeds it is what theory expects of flips, `bench.statistics.proportions.binomial_floor`.
    """
    noise = measured.independent if measured.noise is None else measured.noise.variances
    result: Floats = np.sqrt(weights**2 @ (noise / measured.seeds))
    return result


def variance(measured: Measured, weights: Floats) -> Floats:
    """w'Vw of each row of `weights`, shape (m, k), V the covariance of the means over new seeds and new images.

    From the images themselves: V of thousands of configurations would be millions of numbers.
    """
    used = np.flatnonzero(weights.any(axis=0))
    rows = measured.deviations if len(used) == len(measured.means) else measured.deviations[used]
    by_image = weights[:, used].astype(rows.dtype) @ rows
    shared = np.einsum("mn,mn->m", by_image, by_image, dtype=np.float64) / (measured.images - 1) / measured.images
    result: Floats = shared + weights**2 @ measured.beyond
    return result
