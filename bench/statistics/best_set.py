"""Which configurations cannot be told from the best? Drawn critical values, seeds and images counted."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from bench.statistics.intervals import check_confidence
from bench.statistics.means import MeanEstimates, satterthwaite, subset
from bench.statistics.seed_noise import Floats

DRAWS = 10_000

MOST = 500
"""More configurations than this that are not surely behind are not compared with each other: all stay in the set."""

SURELY = 0.005
"""The error that the first step may make, of the whole: a tenth of .05 as in Romano, Shaikh and Wolf (2014)."""

HIGHEST = 16
"""By mean, those that others are surely behind of; any would do, the highest tell the most."""


ROUNDING = 1e-12
"""Of the sum of two variances: what the difference of two equal rows keeps by rounding, far below a single image's."""


@dataclass(frozen=True, eq=False)
class BestSet:
    """`tied` marks the configurations that may be the best; `behind` is how far the mean lies below the highest.

    A configuration that is truly best is in `tied` with the confidence asked for, each by itself; in `jointly` all that
    are truly best are, at once: the stricter promise, for which fewer are left out. `p` and `p_jointly` are the
    p-values against "this one is as good as any". Arrays of shape (k,).
    """

    tied: NDArray[np.bool_]
    jointly: NDArray[np.bool_]
    behind: Floats
    p: Floats
    p_jointly: Floats


def find_best_set(
    measured: MeanEstimates, confidence: float = 0.95, draws: int = DRAWS, seed: int = 0, higher: bool = True
) -> BestSet:
    """The configurations that cannot be told from the best, by two promises.

    *Each*: a configuration that is truly best stays in the set with this confidence. Hsu's multiple comparisons with
    the best (1984, Annals of Statistics 12, 1136-1144; Hsu 1996, Multiple Comparisons, chapter 4): number i leaves
    where the largest of (mean_j - mean_i) / se_ij over j exceeds its quantile when all are equal.

    *All at once*: as in the model confidence set of Hansen, Lunde and Nason (2011, doi 10.3982/ECTA5771), for a set K
    "all of K are best" is rejected where the largest of those over i in K and all j exceeds its quantile when all are
    equal. A configuration leaves when every such K with it is rejected (closed testing: Marcus, Peritz and Gabriel
    1976), which comes to dropping the worst until one stays. With all configurations equal this set drops none of them
    in 95 of 100 suites, whatever their number.

    Both have two steps (Romano, Shaikh and Wolf 2014, doi 10.3982/ECTA9011, whose first step finds in the same way
    which inequalities matter). First those leave that are surely behind, at an error of `SURELY` by Bonferroni's
    inequality over all pairs: they cannot be the best and need not be guarded against. The others are compared at what
    is left of the error. Where more than `MOST` are left, all of those stay, which keeps the error and drops fewer.

    The quantiles are drawn: means from their estimated covariance over new seeds and images, with a seed noise drawn
    anew each time from what its degrees of freedom allow: few seeds widen the set. Where configurations differ in noise
    and have few seeds, the noise of the noisiest is taken for less than it is, and a true best is dropped more often
    than promised (``benchmarks/coverage.py`` has the figures).

    Parameters
    ----------
    measured
        k configurations, of full budget and the same protocol. With `fixed_images` the set is that of this test set.
    confidence
        In (0, 1).
    draws, seed
        Of the joint null distribution; the same seed gives the same set.
    higher
        Whether higher means are better.
    """
    check_confidence(confidence)
    means = measured.means if higher else -measured.means
    surely = min(SURELY, (1 - confidence) / 10)
    each = _behind_some(measured, means)
    jointly = each.copy()
    near = np.flatnonzero(each > surely)
    if len(near) > MOST:
        each[near] = jointly[near] = 1.0
    else:
        left = subset(measured, near.tolist())
        left = replace(left, deviations=left.deviations.astype(np.float64))
        by_itself, at_once = _compared(left, means[near], draws, seed)
        each[near], jointly[near] = np.minimum(by_itself + surely, 1.0), np.minimum(at_once + surely, 1.0)
    return BestSet(each > 1 - confidence, jointly > 1 - confidence, means.max() - means, each, jointly)


def fixed_images(measured: MeanEstimates) -> MeanEstimates:
    """What was measured, with seeds alone as what may vary: of this test set, and no other."""
    nothing = np.zeros(len(measured.means))
    return replace(measured, independent=nothing, deviations=nothing[:, None])


def _compared(measured: MeanEstimates, means: Floats, draws: int, seed: int) -> tuple[Floats, Floats]:
    """p-values of configurations that are compared all with all: of each by itself, and all at once."""
    count = len(means)
    variance = _differences(measured.covariance)
    lead = _ratio(means[:, None] - means[None, :], variance).max(axis=0)
    order = np.argsort(lead, kind="stable")
    null = _null(measured, variance, draws, np.random.default_rng(seed))
    each = (1 + np.count_nonzero(null >= lead[:, None], axis=1)) / (1 + draws)
    # From the whole set downwards, the next to leave has the largest lead against it.
    largest = np.full(draws, -np.inf, dtype=np.float32)
    steps = np.empty(count)
    for place, number in enumerate(order):
        np.maximum(largest, null[number], out=largest)
        steps[place] = (1 + np.count_nonzero(largest >= lead[number])) / (1 + draws)
    jointly = np.empty(count)
    jointly[order] = np.maximum.accumulate(steps[::-1])[::-1]
    each[order[0]] = jointly[order[0]] = 1.0
    return each, jointly


def _behind_some(measured: MeanEstimates, means: Floats) -> Floats:
    """Bonferroni's p-values against "none of the `HIGHEST` is better than this one", over all pairs of the suite.

    Student's t of the difference over new seeds and images, with Satterthwaite's degrees of freedom.
    """
    count = len(means)
    first = np.argsort(-means, kind="stable")[:HIGHEST]
    shared = (measured.deviations @ measured.deviations[first].T).astype(np.float64)
    shared /= (measured.images - 1) * measured.images
    variance = np.maximum(measured.variances[:, None] + measured.variances[first] - 2 * shared, 0.0)
    degrees: Floats | float = measured.images - 1.0
    if measured.noise is not None:
        parts = measured.noise.variances / measured.seeds
        squares = parts**2 / measured.noise.degrees
        both = parts[:, None] + parts[first]
        with np.errstate(divide="ignore", invalid="ignore"):
            of_seeds = np.nan_to_num(both**2 / (squares[:, None] + squares[first]), nan=1.0)
        of_seeds = np.clip(of_seeds, 1.0, measured.noise.total)
        degrees = satterthwaite(variance, both, of_seeds, measured.images)
    alone = stats.t.sf(_ratio(means[first] - means[:, None], variance), degrees)
    result: Floats = np.minimum(alone.min(axis=1) * count * (count - 1), 1.0)
    return result


def _differences(covariance: Floats) -> Floats:
    """Variance of each difference of two means, shape (k, k).

    Exactly 0 for two that were right on the same images: by what rounding leaves there nothing can be divided.
    """
    own = np.diag(covariance)
    both = own[:, None] + own[None, :]
    found = both - 2 * covariance
    return np.where(found > ROUNDING * both, found, 0.0)


def _ratio(gap: Floats, variance: Floats) -> Floats:
    """gap / sqrt(variance), and 0 where both are."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(gap == 0, 0.0, gap / np.sqrt(variance))


def _null(measured: MeanEstimates, variance: Floats, draws: int, generator: np.random.Generator) -> NDArray[np.float32]:
    """For each configuration the largest lead any other has on it when all are equal, shape (k, draws)."""
    count = len(measured.means)
    values, vectors = np.linalg.eigh(measured.shared)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    drawn = root @ generator.standard_normal((count, draws))
    drawn += np.sqrt(_beyond(measured, draws, generator)) * generator.standard_normal((count, draws))
    means: NDArray[np.float32] = drawn.astype(np.float32)
    with np.errstate(divide="ignore"):
        scale = np.where(variance > 0, 1 / np.sqrt(variance), 0.0).astype(np.float32)
    found = np.empty_like(means)
    work = np.empty_like(means)
    for number in range(count):
        np.subtract(means, means[number], out=work)
        work *= scale[:, number, None]
        work.max(axis=0, out=found[number])
    return found


def _beyond(measured: MeanEstimates, draws: int, generator: np.random.Generator) -> Floats:
    """`MeanEstimates.beyond` as it may truly be, given how few seeds it was estimated from, shape (k, draws).

    Configurations that were pooled share most of what they know of their noise, and so its error.
    """
    if measured.noise is None:
        return np.zeros((len(measured.means), draws))
    noise = measured.noise
    alike = ~noise.apart
    shared = float(np.min(noise.degrees[alike] ** 2 / noise.total)) if alike.any() else 0.0
    common = generator.chisquare(shared, draws) if shared > 0 else np.zeros(draws)
    alone = noise.degrees - np.where(alike, shared, 0.0)
    drawn = 2 * generator.standard_gamma(np.maximum(alone, 0.0)[:, None] / 2, (len(alone), draws))
    drawn += np.where(alike[:, None], common, 0.0)
    scale = noise.degrees[:, None] / np.maximum(drawn, 1e-12)
    beyond = np.maximum(scale * noise.variances[:, None] - measured.independent[:, None], 0.0)
    result: Floats = beyond / measured.seeds[:, None]
    return result
