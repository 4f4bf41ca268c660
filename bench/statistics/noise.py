"""How noisy is each configuration's seed? Its own few seeds, steadied by all the others'."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]

_LEAST = 1e-3
"""Ratios are raised to this: two seeds may agree to the image, and a variance of 0 has no likelihood."""
_WEIGHTS = np.geomspace(1, 100, 25)
"""The degrees of freedom d0 that a prior may have; beyond, everything is pooled."""
_ROUNDS = 60
_EVIDENCE = 1.0
"""How many nats unequal noise must win to be believed (Akaike's criterion): a spread of few seeds looks unequal."""


@dataclass(frozen=True)
class SeedNoise:
    """Variance of one seed's accuracy for each configuration, its degrees of freedom, and those of all together."""

    variances: Floats
    degrees: Floats
    total: int


def moderated(between: Floats, independent: Floats, seeds: NDArray[np.int_]) -> SeedNoise | None:
    """Pool the variance between seeds, as far as the configurations agree on it.

    What is pooled is the ratio of each configuration's variance between seeds to that of independent flips, since the
    latter differs between networks of 90 and 96 % and is known well. The ratios are taken as s0^2 F(d, d0): s0^2 and d0
    by marginal likelihood, then (d0 s0^2 + d s^2) / (d0 + d) with d0 + d degrees of freedom, at most all there are
    (Smyth 2004, doi 10.2202/1544-6115.1027, sections 3 and 6, "moderated t"). Configurations that agree are pooled
    whole; where one is far noisier than the others, it keeps most of its own noise. Plain pooling covers as well on the
    average, and the noisiest configuration less often (``benchmarks/coverage.py``).

    Parameters
    ----------
    between, independent, seeds
        `between_seeds` and `independent` of `bench.statistics.components.Components`, and the number of seeds, each
        of shape (configurations,).

    Returns
    -------
    SeedNoise | None
        Configurations with one seed get the pooled ratio alone. None where no configuration tells any noise.
    """
    told = (seeds > 1) & (independent > 0)
    own = np.where(told, seeds - 1.0, 0.0)
    total = int(own.sum())
    if total == 0:
        return None
    ratio = np.zeros(len(seeds))
    ratio[told] = between[told] / independent[told]
    prior, weight = _prior(ratio[told], own[told])
    if np.isinf(weight):
        return SeedNoise(prior * independent, np.full(len(seeds), float(total)), total)
    steadied = (weight * prior + own * ratio) / (weight + own)
    return SeedNoise(steadied * independent, np.minimum(weight + own, total), total)


def _prior(ratio: Floats, own: Floats) -> tuple[float, float]:
    """s0^2 and d0 of the likeliest s0^2 F(own, d0); d0 is inf where all is pooled."""
    pooled = float(np.average(ratio, weights=own))
    if len(ratio) < 2 or pooled == 0:
        return pooled, np.inf
    ratio = np.maximum(ratio, _LEAST)
    scale = np.full(len(_WEIGHTS), pooled)
    for _ in range(_ROUNDS):
        # The likelihood's derivative by log s0^2, set to 0, as a fixed point.
        x = own * ratio / scale[:, None]
        scale = scale * ((own + _WEIGHTS[:, None]) * x / (_WEIGHTS[:, None] + x)).sum(axis=1) / own.sum()
    likelihood = stats.f.logpdf(ratio / scale[:, None], own, _WEIGHTS[:, None]).sum(axis=1) - len(ratio) * np.log(scale)
    whole = stats.gamma.logpdf(ratio, own / 2, scale=2 * max(pooled, _LEAST) / own).sum()
    best = int(np.argmax(likelihood))
    if likelihood[best] - whole < _EVIDENCE:
        return pooled, np.inf
    return float(scale[best]), float(_WEIGHTS[best])
