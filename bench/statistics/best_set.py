"""Which configurations may be the best? Multiple comparisons with the best, with simulated critical values."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from bench.statistics.intervals import check_confidence
from bench.statistics.means import MeanEstimates, satterthwaite, subset
from bench.statistics.seed_noise import Floats

N_DRAWS = 10_000

MAX_COMPARED = 500
"""Where more configurations than this pass the screening, all of them stay in the set without a comparison."""

SCREENING_ERROR = 0.005
"""Error rate of the screening step: a tenth of 0.05, as in Romano, Shaikh and Wolf (2014)."""

N_REFERENCES = 16
"""The screening compares each configuration with the so many highest means only, which have the most power."""


ROUNDING_ERROR = 1e-12
"""Relative rounding error of the variance of a difference; far below the variance of a single image."""


@dataclass(frozen=True, eq=False)
class BestSet:
    """Which configurations may be the best; arrays of shape (k,).

    `in_set` holds each truly best configuration with the given confidence, each by itself; `in_joint_set` holds all of
    them at once with that confidence and is therefore larger. `gap_to_best` is the highest mean minus each mean. `p`
    and `p_joint` are the p-values against "no other configuration is better".
    """

    in_set: NDArray[np.bool_]
    in_joint_set: NDArray[np.bool_]
    gap_to_best: Floats
    p: Floats
    p_joint: Floats


def find_best_set(
    estimates: MeanEstimates, confidence: float = 0.95, n_draws: int = N_DRAWS, seed: int = 0, higher: bool = True
) -> BestSet:
    """The configurations that are not significantly different from the best, at two kinds of confidence.

    *Each*: a configuration that is truly best stays in the set with this confidence. Hsu's multiple comparisons with
    the best (1984, Annals of Statistics 12, 1136-1144; Hsu 1996, Multiple Comparisons, chapter 4): number i leaves
    where the largest of (mean_j - mean_i) / se_ij over j exceeds its quantile when all are equal.

    *All at once*: as in the model confidence set of Hansen, Lunde and Nason (2011, doi 10.3982/ECTA5771), for a set K
    "all of K are best" is rejected where the largest of those over i in K and all j exceeds its quantile when all are
    equal. A configuration leaves when every such K with it is rejected (closed testing: Marcus, Peritz and Gabriel
    1976), which is equivalent to dropping the worst until one stays. When all configurations are equal, 95 of 100
    suites keep all of them, whatever their number.

    Both have two steps (Romano, Shaikh and Wolf 2014, doi 10.3982/ECTA9011). The screening step drops configurations
    that are clearly worse, at an error of `SCREENING_ERROR` by Bonferroni's inequality over all pairs. The second step
    compares the others at the remaining error. Where more than `MAX_COMPARED` remain, all of them stay: the set is then
    larger, and its confidence holds.

    The quantiles are simulated: means are drawn from their estimated covariance over new seeds and images, and the seed
    variance is drawn from its sampling distribution, so that few seeds widen the set. Where configurations differ in
    noise and have few seeds, the noise of the noisiest is underestimated and a true best is dropped more often than
    promised (``benchmarks/coverage.py`` measures how often).

    Parameters
    ----------
    estimates
        k configurations, of full budget and the same protocol. With `fixed_images` the set is that of this test set.
    confidence
        In (0, 1).
    n_draws, seed
        Of the joint null distribution; the same seed gives the same set.
    higher
        Whether higher means are better.
    """
    check_confidence(confidence)
    means = estimates.means if higher else -estimates.means
    screening_error = min(SCREENING_ERROR, (1 - confidence) / 10)
    p_each = _screen(estimates, means)
    p_joint = p_each.copy()
    candidates = np.flatnonzero(p_each > screening_error)
    if len(candidates) > MAX_COMPARED:
        p_each[candidates] = p_joint[candidates] = 1.0
    else:
        candidate_estimates = subset(estimates, candidates.tolist())
        candidate_estimates = replace(candidate_estimates, deviations=candidate_estimates.deviations.astype(np.float64))
        candidate_p_each, candidate_p_joint = _compare_all_pairs(candidate_estimates, means[candidates], n_draws, seed)
        p_each[candidates], p_joint[candidates] = (
            np.minimum(candidate_p_each + screening_error, 1.0),
            np.minimum(candidate_p_joint + screening_error, 1.0),
        )
    return BestSet(p_each > 1 - confidence, p_joint > 1 - confidence, means.max() - means, p_each, p_joint)


def fixed_images(estimates: MeanEstimates) -> MeanEstimates:
    """The same estimates with the test images fixed: seeds alone vary, and results hold for this test set only."""
    zeros = np.zeros(len(estimates.means))
    return replace(estimates, independent=zeros, deviations=zeros[:, None])


def _compare_all_pairs(estimates: MeanEstimates, means: Floats, n_draws: int, seed: int) -> tuple[Floats, Floats]:
    """p-values of configurations that are compared all with all: of each by itself, and jointly."""
    count = len(means)
    variance = _difference_variances(estimates.covariance)
    max_lead = _t_statistic(means[:, None] - means[None, :], variance).max(axis=0)
    order = np.argsort(max_lead, kind="stable")
    null = _null_distribution(estimates, variance, n_draws, np.random.default_rng(seed))
    p_each = (1 + np.count_nonzero(null >= max_lead[:, None], axis=1)) / (1 + n_draws)
    # Step down from the whole set: the configuration with the largest lead against it leaves next.
    null_max = np.full(n_draws, -np.inf, dtype=np.float32)
    p_steps = np.empty(count)
    for step, index in enumerate(order):
        np.maximum(null_max, null[index], out=null_max)
        p_steps[step] = (1 + np.count_nonzero(null_max >= max_lead[index])) / (1 + n_draws)
    p_joint = np.empty(count)
    p_joint[order] = np.maximum.accumulate(p_steps[::-1])[::-1]
    p_each[order[0]] = p_joint[order[0]] = 1.0
    return p_each, p_joint


def _screen(estimates: MeanEstimates, means: Floats) -> Floats:
    """Bonferroni's p-values against "none of the `N_REFERENCES` best is better than this one", over all pairs.

    Student's t of the difference over new seeds and images, with Satterthwaite's degrees of freedom.
    """
    count = len(means)
    references = np.argsort(-means, kind="stable")[:N_REFERENCES]
    covariance = (estimates.deviations @ estimates.deviations[references].T).astype(np.float64)
    covariance /= (estimates.images - 1) * estimates.images
    variance = np.maximum(estimates.variances[:, None] + estimates.variances[references] - 2 * covariance, 0.0)
    degrees: Floats | float = estimates.images - 1.0
    if estimates.noise is not None:
        seed_parts = estimates.noise.variances / estimates.seeds
        squares = seed_parts**2 / estimates.noise.degrees
        pair_parts = seed_parts[:, None] + seed_parts[references]
        with np.errstate(divide="ignore", invalid="ignore"):
            seed_degrees = np.nan_to_num(pair_parts**2 / (squares[:, None] + squares[references]), nan=1.0)
        seed_degrees = np.clip(seed_degrees, 1.0, estimates.noise.total)
        degrees = satterthwaite(variance, pair_parts, seed_degrees, estimates.images)
    p_pairs = stats.t.sf(_t_statistic(means[references] - means[:, None], variance), degrees)
    result: Floats = np.minimum(p_pairs.min(axis=1) * count * (count - 1), 1.0)
    return result


def _difference_variances(covariance: Floats) -> Floats:
    """Variance of each difference of two means, shape (k, k).

    Exactly 0 for two configurations that are correct on the same images, so that no rounding error is divided by.
    """
    diagonal = np.diag(covariance)
    sums = diagonal[:, None] + diagonal[None, :]
    differences = sums - 2 * covariance
    return np.where(differences > ROUNDING_ERROR * sums, differences, 0.0)


def _t_statistic(gap: Floats, variance: Floats) -> Floats:
    """gap / sqrt(variance), and 0 where both are."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(gap == 0, 0.0, gap / np.sqrt(variance))


def _null_distribution(
    estimates: MeanEstimates, variance: Floats, n_draws: int, generator: np.random.Generator
) -> NDArray[np.float32]:
    """Largest t statistic of any other configuration over each one when all are equal, shape (k, n_draws)."""
    count = len(estimates.means)
    values, vectors = np.linalg.eigh(estimates.image_covariance)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    sampled = root @ generator.standard_normal((count, n_draws))
    sampled += np.sqrt(_draw_seed_variances(estimates, n_draws, generator)) * generator.standard_normal(
        (count, n_draws)
    )
    means: NDArray[np.float32] = sampled.astype(np.float32)
    with np.errstate(divide="ignore"):
        scale = np.where(variance > 0, 1 / np.sqrt(variance), 0.0).astype(np.float32)
    max_leads = np.empty_like(means)
    buffer = np.empty_like(means)
    for index in range(count):
        np.subtract(means, means[index], out=buffer)
        buffer *= scale[:, index, None]
        buffer.max(axis=0, out=max_leads[index])
    return max_leads


def _draw_seed_variances(estimates: MeanEstimates, n_draws: int, generator: np.random.Generator) -> Floats:
    """Draws of `MeanEstimates.seed_variances` from its sampling distribution, shape (k, n_draws).

    Pooled configurations share most of their estimate of the noise, and so its error.
    """
    if estimates.noise is None:
        return np.zeros((len(estimates.means), n_draws))
    noise = estimates.noise
    pooled = ~noise.is_outlier
    common_degrees = float(np.min(noise.degrees[pooled] ** 2 / noise.total)) if pooled.any() else 0.0
    common_draws = generator.chisquare(common_degrees, n_draws) if common_degrees > 0 else np.zeros(n_draws)
    remaining_degrees = noise.degrees - np.where(pooled, common_degrees, 0.0)
    chi_squares = 2 * generator.standard_gamma(
        np.maximum(remaining_degrees, 0.0)[:, None] / 2, (len(remaining_degrees), n_draws)
    )
    chi_squares += np.where(pooled[:, None], common_draws, 0.0)
    scale = noise.degrees[:, None] / np.maximum(chi_squares, 1e-12)
    seed_variances = np.maximum(scale * noise.variances[:, None] - estimates.independent[:, None], 0.0)
    result: Floats = seed_variances / estimates.seeds[:, None]
    return result
