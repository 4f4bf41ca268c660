"""Which level of an axis is better when each has its own tuning? Each at the setting that validation chose for it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import integrate, special, stats

from bench.statistics.factor_effects import difference
from bench.statistics.means import MeanEstimates, new_images
from bench.statistics.seed_noise import Floats


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


COLUMNS = ("level", "tries", "chosen", "validation", "test", "low", "high",
           "behind", "behind_low", "behind_high", "p")  # fmt: skip


def compare_levels(
    levels: Sequence[str], validation: Sequence[float], measured: MeanEstimates, confidence: float = 0.95
) -> pd.DataFrame:
    """One row per level, the best on validation first: its chosen setting, how many were tried, its test figure.

    A level with more tries gets more chances (Sivaprasad et al., arXiv 1910.11758), so the number stands beside it;
    `bench.statistics.tuning_effect.expected_best` shows what equal numbers would have given. Validation chooses, so the
    test figures are of settings that the test images had no part in choosing, and their intervals hold.

    Parameters
    ----------
    levels, validation
        Per configuration in `measured`'s order: its level of the axis, and its mean on validation (higher is better;
        nan: not to be chosen). Shape (k,).
    measured
        The same configurations.

    Returns
    -------
    pd.DataFrame
        `COLUMNS`. `chosen` is the configuration's number; `test`, `low`, `high` its mean and interval on new images;
        `behind` is that mean minus the first row's, with its interval on new images and p (nan in the first row). A
        level without a validation figure is left out.

    Raises
    ------
    ValueError
        Lengths differ.
    """
    if not len(levels) == len(validation) == len(measured.means):
        raise ValueError(f"{len(levels)} levels, {len(validation)} figures, {len(measured.means)} configurations")
    frame = pd.DataFrame({"level": list(levels), "validation": np.asarray(validation, dtype=float)}).dropna()
    best = frame.loc[frame.groupby("level", sort=False)["validation"].idxmax()] if len(frame) else frame
    tries = frame["level"].value_counts()
    best = best.sort_values("validation", ascending=False, kind="stable")
    rows: list[dict[str, object]] = []
    for number, level, figure in zip(best.index, best["level"], best["validation"], strict=True):
        test = new_images(measured, int(number), confidence)
        row: dict[str, object] = {
            "level": level,
            "tries": int(tries[level]),
            "chosen": int(number),
            "validation": figure,
            "test": test.estimate,
            "low": test.low,
            "high": test.high,
        }
        if rows:
            gap = difference(measured, int(number), int(best.index[0]), confidence)
            row |= {"behind": gap.estimate, "behind_low": gap.low, "behind_high": gap.high, "p": gap.p}
        rows.append(row)
    return pd.DataFrame(rows, columns=list(COLUMNS))
