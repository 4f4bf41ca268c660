"""What does trying more bring? The expected best of n settings, and what the best of n equals gains by luck."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import integrate, special, stats

from bench.statistics.noise import Floats


def expected_best(
    chosen_by: Sequence[float],
    scores: Sequence[float] | None = None,
    replacement: bool = False,
    tries: Sequence[int] | None = None,
) -> Floats:
    """Expected score of the best of 1, 2, ..., N tries, when N were made; or of as many as `tries` names.

    Exact, by order statistics. By default the n tries are drawn from those N without replacement: the i-th lowest is
    the best of them with probability C(i - 1, n - 1) / C(N, n), which makes the estimate unbiased (Tang et al. 2020,
    arXiv 2004.14544); with replacement, (i / N)^n - ((i - 1) / N)^n (Dodge et al. 2019, arXiv 1909.03004, equation 6),
    which is too low.

    Parameters
    ----------
    chosen_by
        What the best is chosen by, such as the mean on validation, shape (N,); higher is better. Of equals each is as
        likely.
    scores
        What is then reported, such as the mean on test, shape (N,); `chosen_by` itself by default.
    tries
        Numbers of tries, of 1 to N. All of them take time and memory by N squared.

    Returns
    -------
    NDArray
        A figure for each of `tries`; by default of shape (N,), place n - 1 for n tries.

    Raises
    ------
    ValueError
        No figure, one that is not finite, or lengths that differ.
    """
    by = np.asarray(chosen_by, dtype=float)
    told = by if scores is None else np.asarray(scores, dtype=float)
    if by.ndim != 1 or not len(by) or by.shape != told.shape or not np.all(np.isfinite([by, told])):
        raise ValueError("the expected best needs finite figures, and one score for each")
    groups = np.unique(by, return_inverse=True)[1]
    means = np.bincount(groups, weights=told) / np.bincount(groups)
    ordered = means[np.sort(groups)]
    count = len(by)
    rank = np.arange(1, count + 1)
    drawn = (rank if tries is None else np.asarray(tries, dtype=int))[:, None]
    if replacement:
        chances = (rank / count) ** drawn - ((rank - 1) / count) ** drawn
    else:
        chances = np.exp(_log_choose(rank - 1, drawn - 1) - _log_choose(np.array(count), drawn))
    best: Floats = chances @ ordered
    return best


def gain_of_best(tries: int, deviation: float = 1.0) -> float:
    """By how much the highest of n equal configurations is expected to lie above them: luck, in units of `deviation`.

    n times the integral of x phi(x) Phi(x)^(n - 1): the mean of the largest of n standard normal values (Harter 1961,
    doi 10.1093/biomet/48.1-2.151); 2.51 for 100. `deviation` is that of a configuration's mean.

    Raises
    ------
    ValueError
        Fewer than one try.
    """
    if tries < 1:
        raise ValueError(f"the best of {tries} is nothing")
    value, _ = integrate.quad(
        lambda x: x * tries * np.exp(stats.norm.logpdf(x) + (tries - 1) * stats.norm.logcdf(x)), -40, 40,
        points=[0.0, float(stats.norm.ppf(1 - 0.5 / tries))], limit=200,
    )  # fmt: skip
    return float(value) * deviation


def _log_choose(total: Floats | np.ndarray, some: Floats | np.ndarray) -> Floats:
    """log of total over some, -inf where `some` is more."""
    possible = some <= total
    rest = np.where(possible, total - some, 0)
    value = special.gammaln(total + 1.0) - special.gammaln(some + 1.0) - special.gammaln(rest + 1.0)
    return np.where(possible, value, -np.inf)
