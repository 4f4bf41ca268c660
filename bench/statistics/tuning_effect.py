"""Effect of tuning: each value of an axis at its best setting on validation, and the best of n trials."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
import pandas as pd
from scipy import integrate, special, stats

from bench.statistics.contrasts import difference
from bench.statistics.means import MeanEstimates, new_images
from bench.statistics.seed_noise import Floats


def expected_best(
    selected_by: Sequence[float],
    scores: Sequence[float] | None = None,
    replacement: bool = False,
    n_trials: Sequence[int] | None = None,
) -> Floats:
    """Expected score of the best of n out of N trials, for n = 1, 2, ..., N or for the values in `n_trials`.

    Exact, by order statistics. By default the n trials are drawn without replacement: the i-th lowest is
    the best of them with probability C(i - 1, n - 1) / C(N, n), which makes the estimate unbiased (Tang et al. 2020,
    arXiv 2004.14544); with replacement, (i / N)^n - ((i - 1) / N)^n (Dodge et al. 2019, arXiv 1909.03004, equation 6),
    which is too low.

    Parameters
    ----------
    selected_by
        What the best is selected by, such as the mean on validation, shape (N,); higher is better. Ties are broken at
        random.
    scores
        What is reported, such as the mean on test, shape (N,); `selected_by` itself by default.
    n_trials
        Values of n, 1 to N. Time and memory grow with their number times N.

    Returns
    -------
    NDArray
        A score for each of `n_trials`; by default of shape (N,), for 1 to N trials.

    Raises
    ------
    ValueError
        No score, one that is not finite, or lengths that differ.
    """
    selection_scores = np.asarray(selected_by, dtype=float)
    reported = selection_scores if scores is None else np.asarray(scores, dtype=float)
    if (
        selection_scores.ndim != 1
        or not len(selection_scores)
        or selection_scores.shape != reported.shape
        or not np.all(np.isfinite([selection_scores, reported]))
    ):
        raise ValueError("the expected best needs finite values, and one score for each")
    groups = np.unique(selection_scores, return_inverse=True)[1]
    means = np.bincount(groups, weights=reported) / np.bincount(groups)
    ordered = means[np.sort(groups)]
    count = len(selection_scores)
    rank = np.arange(1, count + 1)
    sizes = (rank if n_trials is None else np.asarray(n_trials, dtype=int))[:, None]
    if replacement:
        probabilities = (rank / count) ** sizes - ((rank - 1) / count) ** sizes
    else:
        probabilities = np.exp(_log_choose(rank - 1, sizes - 1) - _log_choose(np.array(count), sizes))
    best: Floats = probabilities @ ordered
    return best


def gain_of_best(n_trials: int, deviation: float = 1.0) -> float:
    """Selection bias: how far the highest of n equal configurations is expected to lie above their mean.

    n times the integral of x phi(x) Phi(x)^(n - 1): the mean of the largest of n standard normal values (Harter 1961,
    doi 10.1093/biomet/48.1-2.151); 2.51 for 100. `deviation` is that of a configuration's mean.

    Raises
    ------
    ValueError
        Fewer than one trial.
    """
    if n_trials < 1:
        raise ValueError(f"the best of {n_trials} trials is undefined")
    value, _ = integrate.quad(
        lambda x: x * n_trials * np.exp(stats.norm.logpdf(x) + (n_trials - 1) * stats.norm.logcdf(x)), -40, 40,
        points=[0.0, float(stats.norm.ppf(1 - 0.5 / n_trials))], limit=200,
    )  # fmt: skip
    return float(value) * deviation


def _log_choose(total: Floats | np.ndarray, chosen: Floats | np.ndarray) -> Floats:
    """Logarithm of the binomial coefficient, -inf where `chosen` exceeds `total`."""
    possible = chosen <= total
    unchosen = np.where(possible, total - chosen, 0)
    value = special.gammaln(total + 1.0) - special.gammaln(chosen + 1.0) - special.gammaln(unchosen + 1.0)
    return np.where(possible, value, -np.inf)


TUNING_COLUMNS = ("value", "n_trials", "selected", "validation", "test", "low", "high",
           "n_shared", "gap_to_best", "gap_low", "gap_high", "p")  # fmt: skip


def compare_values(
    axis_values: Sequence[str],
    validation: Sequence[float],
    cells: Sequence[Hashable],
    estimates: MeanEstimates,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """One row per value of an axis, the best on validation first: its selected setting, number of trials, test mean.

    A value with more trials has more chances (Sivaprasad et al., arXiv 1910.11758), so their number is given;
    `expected_best` compares equal numbers. The settings are selected on validation, so the test images had no part in
    the selection and the intervals hold.

    Parameters
    ----------
    axis_values, validation, cells
        Per configuration in the order of `estimates`: its value of the axis, its mean on validation (higher is better;
        nan: not eligible), and what stands for the values of all other axes. Shape (k,).
    estimates
        The same configurations.

    Returns
    -------
    pd.DataFrame
        `TUNING_COLUMNS`. `selected` is the configuration's number; `test_mean`, `low`, `high` its mean and interval on
        new images. `gap_to_best` is the difference to the first row's value, with its interval on new images and p:
        both at their best on validation among the `n_shared` cells that both were tried in, nan without any and in the
        first row. A value without a validation score is left out.

    Raises
    ------
    ValueError
        Lengths differ.
    """
    if not len(axis_values) == len(validation) == len(cells) == len(estimates.means):
        raise ValueError(
            f"{len(axis_values)} values, {len(validation)} validation scores, {len(cells)} cells, "
            f"{len(estimates.means)} configurations"
        )
    columns = {"value": list(axis_values), "validation": np.asarray(validation, dtype=float), "cell": list(cells)}
    table = pd.DataFrame(columns).dropna(subset="validation")
    selected = table.loc[table.groupby("value", sort=False)["validation"].idxmax()] if len(table) else table
    n_trials = table["value"].value_counts()
    selected = selected.sort_values("validation", ascending=False, kind="stable")
    rows: list[dict[str, object]] = []
    for index, value, validation_score in zip(selected.index, selected["value"], selected["validation"], strict=True):
        test_mean = new_images(estimates, int(index), confidence)
        row: dict[str, object] = {
            "value": value,
            "n_trials": int(n_trials[value]),
            "selected": int(index),
            "validation": validation_score,
            "test": test_mean.estimate,
            "low": test_mean.low,
            "high": test_mean.high,
        }
        shared, pair = _best_in_shared_cells(table, value, selected["value"].iloc[0]) if rows else (None, None)
        row["n_shared"] = shared
        if pair is not None:
            difference_to_first = difference(estimates, *pair, confidence)
            row |= {
                "gap_to_best": difference_to_first.estimate,
                "gap_low": difference_to_first.low,
                "gap_high": difference_to_first.high,
                "p": difference_to_first.p,
            }
        rows.append(row)
    return pd.DataFrame(rows, columns=list(TUNING_COLUMNS)).astype({"n_shared": "Int64"})


def _best_in_shared_cells(table: pd.DataFrame, value: str, first: str) -> tuple[int, tuple[int, int] | None]:
    """How many cells two values of an axis share, and each one's configuration that is best on validation in these."""
    of_value, of_first = (table[table["value"] == name] for name in (value, first))
    shared = set(of_value["cell"]) & set(of_first["cell"])
    if not shared:
        return 0, None
    in_shared = [rows[rows["cell"].isin(shared)] for rows in (of_value, of_first)]
    by_validation = [rows.sort_values("validation", ascending=False, kind="stable") for rows in in_shared]
    best, best_first = (rows.index.astype(int).tolist()[0] for rows in by_validation)
    return len(shared), (best, best_first)
