"""What does each value of an axis change, alone and together with another? Main effects and interactions.

A stratum is one combination of values of all other axes; effects are averaged over strata.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, product

import numpy as np
import pandas as pd
from statsmodels.stats.multitest import multipletests

from bench.statistics.contrasts import NOISE_STANDARD_ERRORS, contrasts, difference, seed_error
from bench.statistics.means import MeanEstimates
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

    def matched(self, values: Sequence[Value]) -> list[int]:
        """The strata that have every one of these values."""
        if len(values) > len(self.members):  # a random search gives every configuration another value
            return []
        return sorted(set.intersection(*sorted((self.having.get(value, set()) for value in values), key=len)))


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
    have them all; against a reference value, the difference of the two, averaged over the strata that have both. Of two
    values the second is compared with the first: their effects against the mean would be half of it, twice. In a
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
        axis_values = [value for (value,) in strata.values]
        reference = (against or {}).get(axis, axis_values[0] if len(axis_values) == 2 else None)
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
        for number, row in enumerate(weights):
            if estimates.noise is None and np.array_equal(np.sort(row[row != 0]), [-1.0, 1.0]):
                pair = difference(estimates, int(row.argmax()), int(row.argmin()), confidence)
                effects.low[number], effects.high[number] = pair.low, pair.high
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
            *(values[1:] if len(values) == 2 else values for values in (first_values, second_values))
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
    tested = table["p"].notna()
    table["p_holm"] = np.nan
    if tested.any():
        table.loc[tested, "p_holm"] = multipletests(table.loc[tested, "p"], method="holm")[1]
    table = table.sort_values("effect", key=lambda values: -values.abs(), kind="stable", ignore_index=True)
    return table.head(top)[list(INTERACTION_COLUMNS)] if top is not None else table[list(INTERACTION_COLUMNS)]
