"""How noisy is each configuration's seed? Its own few seeds, steadied by those of the configurations that are alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

Floats = NDArray[np.float64]

_LEAST = 1e-4
"""Of the average: variances are raised to this, as two seeds may agree exactly, and 0 has no likelihood."""
_PRIORS = np.array([1.0, 2, 4, 8, 16, 32, 64, 1e7])
"""The degrees of freedom d0 that the spread of the variances may have; at the last, all that are alike are equal."""
_EQUAL = 0.5
"""How likely the last is before the data are seen; the others share the rest."""
_UNLIKE = 0.1
"""How likely a configuration is to have a noise of its own, above that of the others, before the data are seen."""
_RANGE = 1e4
"""By which factor such a variance may lie above the others'."""
_ROUNDS = 40
_SHOWN = 0.5
"""From this probability on a configuration is named as unlike the others."""


@dataclass(frozen=True, eq=False)
class SeedNoise:
    """Variance of one seed's figure for each configuration, its degrees of freedom, and those of all together.

    `unlike` is how likely a configuration's noise is to have nothing to do with the others', `own` the variance that
    its own seeds alone show (nan for one seed), and `p` the two-sided p-value of the F test of that against what the
    others that are alike show (nan where one of the two is missing). Arrays of shape (k,).
    """

    variances: Floats
    degrees: Floats
    total: int
    unlike: Floats
    own: Floats
    p: Floats

    @property
    def apart(self) -> NDArray[np.bool_]:
        """Which configurations rest on their own seeds, as their noise is unlike that of the others."""
        return self.unlike > _SHOWN


def moderated(between: Floats, expected: Floats, seeds: NDArray[np.int_]) -> SeedNoise | None:
    """Pool the variance between seeds over the configurations that are alike in it.

    What is pooled is the ratio of each configuration's variance to the expected one. The ratios of those that are alike
    are taken as s0^2 F(d, d0), so that the moderated one is (d0 s0^2 + d s^2) / (d0 + d) with d0 + d degrees of
    freedom, at most all there are (Smyth 2004, doi 10.2202/1544-6115.1027, "moderated t"). With a chance of `_UNLIKE` a
    configuration is unlike the others, such as where a seed collapsed: it keeps its own variance and degrees of freedom
    and tells nothing about the others (robust moderation: Phipson et al. 2016, doi 10.1214/16-AOAS920). For each d0,
    s0^2 and who is unlike come from expectation and maximisation that starts at the median, and what follows is
    averaged over d0 by its likelihood: variances by the mean, degrees of freedom by the harmonic mean, since too few
    configurations leave d0 open (``benchmarks/coverage.py``).

    Parameters
    ----------
    between, expected, seeds
        Variance between seeds (nan for one seed), what it is in proportion to, and the number of seeds, each of shape
        (configurations,). `expected` is that of independent flips for accuracy, and 1 where nothing is known.

    Returns
    -------
    SeedNoise | None
        Configurations with one seed get what the others tell. None where no configuration tells any noise.
    """
    told = (seeds > 1) & (expected > 0)
    own = np.where(told, seeds - 1.0, 0.0)
    total = int(own.sum())
    if total == 0:
        return None
    ratio = np.zeros(len(seeds))
    ratio[told] = between[told] / expected[told]
    alone = np.where(told, ratio * expected, np.nan)
    pooled = float(np.average(ratio, weights=own))
    if pooled == 0 or np.count_nonzero(told) == 1:
        nothing = np.full(len(seeds), np.nan)
        whole = np.full(len(seeds), float(total))
        return SeedNoise(pooled * expected, whole, total, np.zeros(len(seeds)), alone, nothing)
    prior, alike, likely = _fitted(np.maximum(ratio[told], _LEAST * pooled), own[told])
    every = np.ones((len(_PRIORS), len(seeds)))
    every[:, told] = alike
    all_alike = np.maximum((every * own).sum(axis=1), 1.0)[:, None]
    d0 = _PRIORS[:, None]
    steadied = (d0 * prior[:, None] + own * ratio) / (d0 + own)
    degrees = np.minimum(d0 + own, np.maximum(all_alike, own))
    variances = likely @ (every * steadied + (1 - every) * ratio)
    inverse = likely @ (every / degrees + (1 - every) / np.maximum(own, 1.0))
    unlike = likely @ (1 - every)
    p = _p_of_own(ratio, own, own * (1 - unlike))
    return SeedNoise(variances * expected, np.minimum(1 / inverse, total), total, unlike, alone, p)


def subset(noise: SeedNoise, rows: NDArray[np.int_]) -> SeedNoise:
    """The noise of some of the configurations, in this order."""
    arrays = (noise.unlike, noise.own, noise.p)
    return SeedNoise(noise.variances[rows], noise.degrees[rows], noise.total, *(one[rows] for one in arrays))


def _p_of_own(ratio: Floats, own: Floats, weight: Floats) -> Floats:
    """The F test of each ratio against the mean of the others, weighted by degrees of freedom that are alike."""
    others = weight.sum() - weight
    with np.errstate(divide="ignore", invalid="ignore"):
        quotient = ratio / (((weight * ratio).sum() - weight * ratio) / others)
        below = stats.f.cdf(quotient, own, others)
    return np.where((own > 0) & (others > 0), 2 * np.minimum(below, 1 - below), np.nan)


def _fitted(ratio: Floats, own: Floats) -> tuple[Floats, Floats, Floats]:
    """s0^2 for each d0 of `_PRIORS`, how likely each ratio is to be alike, shape (d0, ratios), and each d0 to be."""
    d0 = _PRIORS[:, None]
    half, half0 = own / 2, d0 / 2
    constant = special.gammaln(half + half0) - special.gammaln(half) - special.gammaln(half0)
    prior = np.full(len(_PRIORS), float(np.median(ratio * own / stats.chi2.median(own))))
    for _ in range(_ROUNDS + 1):
        x = own * ratio / prior[:, None]
        # Densities of the ratio's logarithm, in which a range of factors is even.
        like = np.log1p(-_UNLIKE) + constant + half * np.log(x / d0) - (half + half0) * np.log1p(x / d0)
        unlike = np.log(_UNLIKE / np.log(_RANGE) * special.gammainc(half, x / 2) + 1e-300)
        each = np.logaddexp(like, unlike)
        alike = np.exp(like - each)
        # The likelihood's derivative by log s0^2, set to 0, as a fixed point.
        weight = np.maximum((alike * own).sum(axis=1), 1e-9)
        last, prior = prior, prior * (alike * (own + d0) * x / (d0 + x)).sum(axis=1) / weight
    chances = np.where(np.arange(len(_PRIORS)) == len(_PRIORS) - 1, _EQUAL, (1 - _EQUAL) / (len(_PRIORS) - 1))
    likely = special.softmax(each.sum(axis=1) + np.log(chances))
    return last, alike, likely
