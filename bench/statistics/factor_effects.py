"""What does each value of an axis change, alone and together with another? Main effects, interactions, contrasts.

A stratum is one combination of values of all other axes; effects are averaged over strata.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, product

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.stats.multitest import multipletests

from bench.statistics.intervals import check_confidence
from bench.statistics.means import MeanEstimates, satterthwaite
from bench.statistics.seed_noise import Floats

Value = tuple[str, ...]


@dataclass(frozen=True)
class Strata:
    """Rows grouped by stratum (a combination of values of all other axes) and value of the axes in question.

    `members` maps (stratum number, value) to row numbers; `values` are those of the axes in question in the order of
    first appearance; `count` is the number of strata.
    """

    members: dict[tuple[int, Value], list[int]]
    values: tuple[Value, ...]
    count: int

    @cached_property
    def having(self) -> dict[Value, set[int]]:
        """The strata that have each value."""
        strata: dict[Value, set[int]] = {}
        for stratum, value in self.members:
            strata.setdefault(value, set()).add(stratum)
        return strata

    def matched(self, levels: Sequence[Value]) -> list[int]:
        """The strata that have every one of these values."""
        if len(levels) > len(self.members):  # a random search gives every configuration another value
            return []
        return sorted(set.intersection(*sorted((self.having.get(value, set()) for value in levels), key=len)))


def varying(axes: pd.DataFrame) -> list[str]:
    """The axes with two values or more."""
    return [axis for axis in axes.columns if axes[axis].nunique(dropna=False) > 1]


def strata_of(axes: pd.DataFrame, inner: Sequence[str]) -> Strata:
    """Group the rows of `axes` by the values of `inner`, one stratum per combination of the other columns."""
    outer = [axis for axis in axes.columns if axis not in inner]
    numbers: dict[tuple[object, ...], int] = {}
    members: dict[tuple[int, Value], list[int]] = {}
    outer_values = zip(*(axes[axis] for axis in outer), strict=True) if outer else [()] * len(axes)
    inner_values = zip(*(axes[axis] for axis in inner), strict=True)
    for row, (outer_value, inner_value) in enumerate(zip(outer_values, inner_values, strict=True)):
        number = numbers.setdefault(tuple(outer_value), len(numbers))
        members.setdefault((number, tuple(inner_value)), []).append(row)
    return Strata(members, tuple(dict.fromkeys(inner_value for _, inner_value in members)), len(numbers))


NOISE_STANDARD_ERRORS = 2.0
"""A difference below so many standard errors of the seeds is within seed noise: 1 in 20 is larger by chance."""


@dataclass(frozen=True, eq=False)
class ContrastEffects:
    """Effects in the unit of the means, as fractions, arrays of shape (m,).

    `low` and `high` hold on new images (seeds and images vary), `this_low` and `this_high` on this test set (seeds
    vary; nan without seed noise). `p` is two-sided, on new images, of each effect by itself, against the null effect (0
    by default).
    """

    estimate: Floats
    low: Floats
    high: Floats
    this_low: Floats
    this_high: Floats
    p: Floats


@dataclass(frozen=True)
class Difference:
    """One effect, with the fields of `ContrastEffects`.

    `seeds_counted` is False where no configuration has two seeds: the effect then holds for these networks only.
    """

    estimate: float
    low: float
    high: float
    this_low: float
    this_high: float
    p: float
    seeds_counted: bool


def difference(
    estimates: MeanEstimates, first: int, second: int, confidence: float = 0.95, null: float = 0.0
) -> Difference:
    """The mean of configuration number `first` minus that of `second`.

    The comparison is paired over images: the covariance is subtracted. Equal seed numbers are not paired. `p` is
    against a difference of `null`.

    Raises
    ------
    ValueError
        A confidence outside (0, 1).
    IndexError
        No configuration has this number.
    """
    weights = np.zeros((1, len(estimates.means)))
    weights[0, first] += 1
    weights[0, second] -= 1
    effect = contrasts(estimates, weights, confidence, null)
    return Difference(
        estimate=float(effect.estimate[0]),
        low=float(effect.low[0]),
        high=float(effect.high[0]),
        this_low=float(effect.this_low[0]),
        this_high=float(effect.this_high[0]),
        p=float(effect.p[0]),
        seeds_counted=estimates.noise is not None,
    )


def contrasts(
    estimates: MeanEstimates, weights: Floats, confidence: float = 0.95, null: float = 0.0
) -> ContrastEffects:
    """Weighted sums of the means, such as differences and the effects of a factor.

    w'm +- t sqrt(w'Vw), V the covariance of the means over new seeds and images; Satterthwaite's degrees of freedom,
    at most those that all seeds together have.

    Parameters
    ----------
    estimates
        k configurations.
    weights
        Shape (m, k), a row per effect.
    confidence
        Coverage of each interval by itself, in (0, 1).
    null
        The effect that `p` is against.
    """
    check_confidence(confidence)
    estimate = weights @ estimates.means
    variances = variance(estimates, weights)
    quantile_level = 0.5 + confidence / 2
    no_bounds = np.full(len(estimate), np.nan)
    if estimates.noise is None:
        degrees = np.full(len(estimate), estimates.images - 1.0)
        this_low, this_high = no_bounds, no_bounds
    else:
        seed_parts = weights**2 * (estimates.noise.variances / estimates.seeds)
        seed_variances = seed_parts.sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            seed_degrees = seed_variances**2 / (seed_parts**2 / estimates.noise.degrees).sum(axis=1)
        seed_degrees = np.clip(np.nan_to_num(seed_degrees, nan=1.0), 1.0, estimates.noise.total)
        degrees = satterthwaite(variances, seed_variances, seed_degrees, estimates.images)
        half_width = stats.t.ppf(quantile_level, seed_degrees) * np.sqrt(seed_variances)
        this_low, this_high = estimate - half_width, estimate + half_width
    half_width = stats.t.ppf(quantile_level, degrees) * np.sqrt(variances)
    with np.errstate(divide="ignore", invalid="ignore"):
        t_statistic = np.where(estimate == null, 0.0, np.abs(estimate - null) / np.sqrt(variances))
    return ContrastEffects(
        estimate,
        estimate - half_width,
        estimate + half_width,
        this_low,
        this_high,
        2 * stats.t.sf(t_statistic, degrees),
    )


def seed_error(estimates: MeanEstimates, weights: Floats) -> Floats:
    """The standard error by seeds alone of each row's weighted sum of the means, shape (m,).

    For a difference of two configurations as noisy as each other this is s sqrt(1 / s1 + 1 / s2). Where no
    configuration has two seeds it is what theory expects of flips, `bench.statistics.intervals.binomial_noise`.
    """
    seed_variances = estimates.independent if estimates.noise is None else estimates.noise.variances
    result: Floats = np.sqrt(weights**2 @ (seed_variances / estimates.seeds))
    return result


def variance(estimates: MeanEstimates, weights: Floats) -> Floats:
    """w'Vw of each row of `weights`, shape (m, k), V the covariance of the means over new seeds and new images.

    From the images themselves: V of thousands of configurations would be millions of numbers.
    """
    columns = np.flatnonzero(weights.any(axis=0))
    deviations = estimates.deviations if len(columns) == len(estimates.means) else estimates.deviations[columns]
    weighted = weights[:, columns].astype(deviations.dtype) @ deviations
    covariance = np.einsum("mn,mn->m", weighted, weighted, dtype=np.float64) / (estimates.images - 1) / estimates.images
    result: Floats = covariance + weights**2 @ estimates.seed_variances
    return result


MEAN = "mean"
EFFECT_COLUMNS = (
    "axis",
    "value",
    "against",
    "effect",
    "low",
    "high",
    "this_low",
    "this_high",
    "p",
    "below_seed_noise",
    "n_strata",
    "missing",
)


def main_effects(
    axes: pd.DataFrame, estimates: MeanEstimates, against: dict[str, str] | None = None, confidence: float = 0.95
) -> pd.DataFrame:
    """The effect of every value of every axis that varies, over strata in which all other axes are equal.

    Against the mean, the effect of a value is its accuracy minus the mean of all values, averaged over the strata that
    have them all; against a reference value, the difference of the two, averaged over the strata that have both. In a
    full grid these are the main effects of the factorial design (Box, Hunter and Hunter, Statistics for Experimenters,
    chapter 5), the grid fixed, seeds and images random.

    Parameters
    ----------
    axes
        A row per configuration in the order of `estimates` and a column per axis, values as text. Full-budget
        configurations only.
    estimates
        The same configurations.
    against
        Axis to the value that its others are compared with; other axes are compared with the mean.

    Returns
    -------
    pd.DataFrame
        `EFFECT_COLUMNS`, a row per axis and value, in the order of first appearance. Effects and bounds are fractions
        (as in `ContrastEffects`), nan where no stratum matches. `below_seed_noise` says whether an effect is within
        `NOISE_STANDARD_ERRORS` standard errors of the seeds. `n_strata` counts the strata that were used, `missing`
        those that were left out because pruning, failure or the shape of the grid left a value without its partner:
        what survives pruning is a selected sample, so print it.

    Raises
    ------
    ValueError
        Rows do not match, or `against` names an unknown axis or value.
    """
    _check(axes, estimates, against or {})
    rows: list[dict[str, object]] = []
    weights: list[Floats] = []
    for axis in varying(axes):
        strata = strata_of(axes, [axis])
        reference = (against or {}).get(axis)
        axis_values = [value for (value,) in strata.values]
        complete_strata = strata.matched([(other,) for other in axis_values]) if reference is None else []
        for value in axis_values:
            if value == reference:
                continue
            compared = axis_values if reference is None else [value, reference]
            matched_strata = complete_strata if reference is None else strata.matched([(other,) for other in compared])
            rows.append(
                {
                    "axis": axis,
                    "value": value,
                    "against": reference or MEAN,
                    "n_strata": len(matched_strata),
                    "missing": strata.count - len(matched_strata),
                }
            )
            if not matched_strata:
                continue
            contrast = (
                dict.fromkeys(compared, -1 / len(compared)) if reference is None else {reference: -1.0, value: 0.0}
            )
            contrast[value] += 1
            weights.append(
                weigh(strata, matched_strata, {(other,): weight for other, weight in contrast.items()}, len(axes))
            )
    return tabulate(rows, weights, estimates, EFFECT_COLUMNS, confidence)


def weigh(strata: Strata, matched_strata: Sequence[int], contrast: dict[tuple[str, ...], float], count: int) -> Floats:
    """A row of weights: each value's weight, spread evenly over matched strata and a stratum's configurations."""
    row = np.zeros(count)
    for stratum in matched_strata:
        for value, weight in contrast.items():
            members = strata.members[stratum, value]
            row[members] += weight / len(members) / len(matched_strata)
    return row


def tabulate(
    rows: list[dict[str, object]],
    weights: list[Floats],
    estimates: MeanEstimates,
    columns: Sequence[str],
    confidence: float,
) -> pd.DataFrame:
    """The rows with the effects of their contrasts; nan for rows without a stratum, which have no weights."""
    frame = pd.DataFrame(rows)
    if not rows:
        return pd.DataFrame(columns=list(columns))
    frame[["effect", "low", "high", "this_low", "this_high", "p"]] = np.nan
    frame["below_seed_noise"] = False
    if weights:
        effects = contrasts(estimates, np.stack(weights), confidence)
        has_strata = frame["n_strata"] > 0
        frame.loc[has_strata, "effect"] = effects.estimate
        for name in ("low", "high", "this_low", "this_high", "p"):
            frame.loc[has_strata, name] = getattr(effects, name)
        frame.loc[has_strata, "below_seed_noise"] = np.abs(effects.estimate) < NOISE_STANDARD_ERRORS * seed_error(
            estimates, np.stack(weights)
        )
    return frame[list(columns)]


def _check(axes: pd.DataFrame, estimates: MeanEstimates, against: dict[str, str]) -> None:
    if len(axes) != len(estimates.means):
        raise ValueError(f"{len(axes)} rows of axes do not match {len(estimates.means)} configurations")
    for axis, value in against.items():
        if axis not in axes.columns or value not in set(axes[axis]):
            raise ValueError(f"no configuration has {axis} {value!r}, so nothing can be compared with it")


INTERACTION_COLUMNS = (
    "axis",
    "value",
    "with_axis",
    "with_value",
    "effect",
    "low",
    "high",
    "this_low",
    "this_high",
    "p",
    "p_holm",
    "below_seed_noise",
    "n_strata",
    "missing",
)


def interactions(
    axes: pd.DataFrame, estimates: MeanEstimates, top: int | None = None, confidence: float = 0.95
) -> pd.DataFrame:
    """Two-way interactions by size, the strongest first: what two values do together beyond the sum of their effects.

    In each stratum that has every pair of values of the two axes: the accuracy minus the means of its row and its
    column, plus the overall mean, averaged over such strata, as in the factorial analysis of variance. Rows and columns
    of one pair of axes sum to 0. The first of two values of an axis is left out, since its interaction is that of the
    second with the other sign: two axes of two values have one interaction and one test.

    Parameters
    ----------
    axes, estimates
        As for `bench.statistics.factor_effects.main_effects`.
    top
        How many to return; all by default.

    Returns
    -------
    pd.DataFrame
        `INTERACTION_COLUMNS`; pairs of axes without a matching stratum are left out. `p` and the bounds are of each
        interaction by itself; `p_holm` is Holm's correction over all interactions, before the strongest were selected.
    """
    rows: list[dict[str, object]] = []
    weights: list[Floats] = []
    for first, second in combinations(varying(axes), 2):
        strata = strata_of(axes, [first, second])
        first_values = list(dict.fromkeys(value[0] for value in strata.values))
        second_values = list(dict.fromkeys(value[1] for value in strata.values))
        pairs: list[Value] = list(product(first_values, second_values))
        matched_strata = strata.matched(pairs)
        if not matched_strata:
            continue
        for first_value, second_value in product(
            *(levels[1:] if len(levels) == 2 else levels for levels in (first_values, second_values))
        ):
            contrast: dict[Value, float] = {
                (row_value, column_value): ((row_value == first_value) - 1 / len(first_values))
                * ((column_value == second_value) - 1 / len(second_values))
                for row_value, column_value in pairs
            }
            rows.append(
                {
                    "axis": first,
                    "value": first_value,
                    "with_axis": second,
                    "with_value": second_value,
                    "n_strata": len(matched_strata),
                    "missing": strata.count - len(matched_strata),
                }
            )
            weights.append(weigh(strata, matched_strata, contrast, len(axes)))
    table = tabulate(rows, weights, estimates, [name for name in INTERACTION_COLUMNS if name != "p_holm"], confidence)
    table["p_holm"] = multipletests(table["p"], method="holm")[1] if len(table) else np.array([])
    table = table.sort_values("effect", key=lambda values: -values.abs(), kind="stable", ignore_index=True)
    return table.head(top)[list(INTERACTION_COLUMNS)] if top is not None else table[list(INTERACTION_COLUMNS)]
