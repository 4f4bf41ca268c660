"""What does each axis do, and which pairs of axes do more together? On cells in which all else is equal."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from bench.report.grouping import Configuration
from bench.statistics.factor_effects import EFFECT_COLUMNS as EFFECTS
from bench.statistics.factor_effects import INTERACTION_COLUMNS as INTERACTIONS
from bench.statistics.factor_effects import interactions, main_effects, strata_of
from bench.statistics.means import MeanEstimates
from bench.suite.labels import by_axis

NONE = "none"
"""The level that others are compared with, where an axis has it."""

MOST_INTERACTIONS = 10


def axes_of(configurations: Sequence[Configuration]) -> pd.DataFrame:
    """A row per configuration and a column per axis that varies, levels as they stand in labels."""
    levels = by_axis([one.config for one in configurations])
    return pd.DataFrame(levels, index=[one.label for one in configurations], dtype=object)


def factors(
    configurations: Sequence[Configuration], numbers: Sequence[Configuration], measured: MeanEstimates | None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Main effects and the strongest two-way interactions of `numbers`, the configurations that are compared.

    Columns as in `bench.statistics.factor_effects` and `bench.statistics.factor_effects`; `missing` counts the cells of
    all `configurations` that were left out, also those of which pruning or failure left nothing. A level that has no
    matching cell gets no row.
    """
    if measured is None or len(numbers) < 2:
        return pd.DataFrame(columns=list(EFFECTS)), pd.DataFrame(columns=list(INTERACTIONS))
    whole = axes_of(configurations)
    axes = whole.loc[[one.label for one in numbers]]
    against = {str(axis): NONE for axis in axes.columns if axes[axis].nunique() > 1 and NONE in set(axes[axis])}
    effects = main_effects(axes, measured, against)
    together = interactions(axes, measured, MOST_INTERACTIONS)
    every = {axis: _cells(whole, axis) for axis in dict.fromkeys(effects["axis"])}
    effects["missing"] = [every[axis] - used for axis, used in zip(effects["axis"], effects["n_strata"], strict=True)]
    together["missing"] = [
        _cells(whole, first, second) - used
        for first, second, used in zip(together["axis"], together["with_axis"], together["n_strata"], strict=True)
    ]
    return effects[effects["n_strata"] > 0].reset_index(drop=True), together


def _cells(axes: pd.DataFrame, *inner: str) -> int:
    return strata_of(axes, inner).count
