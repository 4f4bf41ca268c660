"""The variance between seeds of each configuration, moderated over configurations (empirical Bayes)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

Floats = NDArray[np.float64]

_MIN_RATIO = 1e-4
"""Smallest ratio to the average: two seeds may agree exactly, and a variance of 0 has no likelihood."""
_PRIOR_DEGREES = np.array([1.0, 2, 4, 8, 16, 32, 64, 1e7])
"""Values of the prior's degrees of freedom d0; at the last all pooled variances are equal."""
_EQUAL_PRIOR = 0.5
"""Prior probability of the last value of d0; the others are equally likely."""
_OUTLIER_PRIOR = 0.1
"""Prior probability that a configuration is an outlier: its noise is larger and unrelated to the others."""
_OUTLIER_RANGE = 1e4
"""Largest ratio of an outlier's variance to the pooled one."""
_ITERATIONS = 40
_OUTLIER_THRESHOLD = 0.5
"""Posterior probability from which a configuration counts as an outlier."""


@dataclass(frozen=True, eq=False)
class SeedNoise:
    """Variance of one seed's value for each configuration, its degrees of freedom, and the total of all.

    `outlier_probability` is the posterior probability that a configuration's noise is unrelated to the others',
    `raw_variances` the variance of its own seeds (nan for one seed), and `p` the two-sided p-value of the F test of
    that against the pooled variance of the others (nan where one of the two is missing). Arrays of shape (k,).
    """

    variances: Floats
    degrees: Floats
    total: int
    outlier_probability: Floats
    raw_variances: Floats
    p: Floats

    @property
    def is_outlier(self) -> NDArray[np.bool_]:
        """Configurations whose variance is that of their own seeds, since it is unrelated to the others."""
        return self.outlier_probability > _OUTLIER_THRESHOLD


def moderated(between: Floats, expected: Floats, seeds: NDArray[np.int_]) -> SeedNoise | None:
    """Moderate the variance between seeds over configurations, except for outliers.

    The ratio of each configuration's variance to the expected one is pooled. Ratios of configurations that are no
    outliers are modelled as s0^2 F(d, d0), so that the moderated ratio is (d0 s0^2 + d s^2) / (d0 + d) with d0 + d
    degrees of freedom, at most all there are (Smyth 2004, doi 10.2202/1544-6115.1027, "moderated t"). With a chance of
    `_UNLIKE` a configuration is an outlier, such as after a collapsed seed: it keeps its own variance and degrees of
    freedom and is not pooled (robust moderation: Phipson et al. 2016, doi 10.1214/16-AOAS920). For each d0, s0^2 and
    the outliers come from expectation maximization that starts at the median. The result is averaged over d0 by its
    posterior, variances by the mean and degrees of freedom by the harmonic mean, since few configurations determine d0
    poorly (``benchmarks/coverage.py``).

    Parameters
    ----------
    between, expected, seeds
        Variance between seeds (nan for one seed), the expected variance that it is proportional to, and the number of
        seeds, each of shape (configurations,). For accuracy `expected` is that of independent flips; 1 where it is not
        known.

    Returns
    -------
    SeedNoise | None
        Configurations with one seed get the pooled variance. None where no configuration has two seeds.
    """
    has_noise = (seeds > 1) & (expected > 0)
    own_degrees = np.where(has_noise, seeds - 1.0, 0.0)
    total = int(own_degrees.sum())
    if total == 0:
        return None
    ratio = np.zeros(len(seeds))
    ratio[has_noise] = between[has_noise] / expected[has_noise]
    raw_variances = np.where(has_noise, ratio * expected, np.nan)
    pooled = float(np.average(ratio, weights=own_degrees))
    if pooled == 0 or np.count_nonzero(has_noise) == 1:
        no_p = np.full(len(seeds), np.nan)
        total_degrees = np.full(len(seeds), float(total))
        return SeedNoise(pooled * expected, total_degrees, total, np.zeros(len(seeds)), raw_variances, no_p)
    prior, pooled_probability, prior_weights = _fit_prior(
        np.maximum(ratio[has_noise], _MIN_RATIO * pooled), own_degrees[has_noise]
    )
    pooled_probabilities = np.ones((len(_PRIOR_DEGREES), len(seeds)))
    pooled_probabilities[:, has_noise] = pooled_probability
    pooled_degrees = np.maximum((pooled_probabilities * own_degrees).sum(axis=1), 1.0)[:, None]
    d0 = _PRIOR_DEGREES[:, None]
    moderated_ratio = (d0 * prior[:, None] + own_degrees * ratio) / (d0 + own_degrees)
    degrees = np.minimum(d0 + own_degrees, np.maximum(pooled_degrees, own_degrees))
    variances = prior_weights @ (pooled_probabilities * moderated_ratio + (1 - pooled_probabilities) * ratio)
    inverse_degrees = prior_weights @ (
        pooled_probabilities / degrees + (1 - pooled_probabilities) / np.maximum(own_degrees, 1.0)
    )
    outlier_probability = prior_weights @ (1 - pooled_probabilities)
    p = _f_test(ratio, own_degrees, own_degrees * (1 - outlier_probability))
    return SeedNoise(
        variances * expected, np.minimum(1 / inverse_degrees, total), total, outlier_probability, raw_variances, p
    )


def subset(noise: SeedNoise, rows: NDArray[np.int_]) -> SeedNoise:
    """The noise of some of the configurations, in this order."""
    arrays = (noise.outlier_probability, noise.raw_variances, noise.p)
    return SeedNoise(noise.variances[rows], noise.degrees[rows], noise.total, *(array[rows] for array in arrays))


def _f_test(ratio: Floats, degrees: Floats, pooled_degrees: Floats) -> Floats:
    """The F test of each ratio against the mean of the others, weighted by pooled degrees of freedom."""
    other_degrees = pooled_degrees.sum() - pooled_degrees
    with np.errstate(divide="ignore", invalid="ignore"):
        f = ratio / (((pooled_degrees * ratio).sum() - pooled_degrees * ratio) / other_degrees)
        lower_tail = stats.f.cdf(f, degrees, other_degrees)
    return np.where((degrees > 0) & (other_degrees > 0), 2 * np.minimum(lower_tail, 1 - lower_tail), np.nan)


def _fit_prior(ratio: Floats, degrees: Floats) -> tuple[Floats, Floats, Floats]:
    """Per d0: s0^2, the probability that each ratio is pooled, shape (d0, ratios), and the posterior of d0."""
    d0 = _PRIOR_DEGREES[:, None]
    half, half0 = degrees / 2, d0 / 2
    constant = special.gammaln(half + half0) - special.gammaln(half) - special.gammaln(half0)
    prior = np.full(len(_PRIOR_DEGREES), float(np.median(ratio * degrees / stats.chi2.median(degrees))))
    for _ in range(_ITERATIONS + 1):
        x = degrees * ratio / prior[:, None]
        # Densities of the log ratio: an outlier's factor is log-uniform.
        log_pooled = np.log1p(-_OUTLIER_PRIOR) + constant + half * np.log(x / d0) - (half + half0) * np.log1p(x / d0)
        log_outlier = np.log(_OUTLIER_PRIOR / np.log(_OUTLIER_RANGE) * special.gammainc(half, x / 2) + 1e-300)
        log_likelihood = np.logaddexp(log_pooled, log_outlier)
        pooled_probability = np.exp(log_pooled - log_likelihood)
        # Fixed point of the derivative of the likelihood by log s0^2.
        total_weight = np.maximum((pooled_probability * degrees).sum(axis=1), 1e-9)
        previous_prior, prior = (
            prior,
            prior * (pooled_probability * (degrees + d0) * x / (d0 + x)).sum(axis=1) / total_weight,
        )
    prior_probabilities = np.where(
        np.arange(len(_PRIOR_DEGREES)) == len(_PRIOR_DEGREES) - 1,
        _EQUAL_PRIOR,
        (1 - _EQUAL_PRIOR) / (len(_PRIOR_DEGREES) - 1),
    )
    prior_weights = special.softmax(log_likelihood.sum(axis=1) + np.log(prior_probabilities))
    return previous_prior, pooled_probability, prior_weights
