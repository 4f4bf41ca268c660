"""Which level of an axis is better when each has its own tuning, and what did more tries bring?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from bench.report.estimates import validation_mean
from bench.report.grouping import Configuration
from bench.statistics.means import MeanEstimates
from bench.statistics.tuning_effect import compare_values, expected_best

AXES = ("optimizer", "model", "regularizer", "augmentation")
"""Axes whose levels may each need settings of their own, be it a rate or everything else."""

EVERYTHING = "all"
"""The level of `tries` that holds every configuration."""

EVERY = 400
"""Up to so many settings every number of tries is looked at; of more, `EVERY` numbers, ever further apart."""

TRIES = ("axis", "value", "n_trials", "validation", "test")


def tuned(numbers: Sequence[Configuration], measured: MeanEstimates | None) -> dict[str, pd.DataFrame]:
    """By axis, a row per level at the setting that validation accuracy chose for it, the best on validation first.

    A level is an entry's name; its parameters and all other axes are what is chosen. Columns are those of
    `bench.statistics.tuning_effect.compare_values` with the `label` of the chosen configuration. Axes are left out
    where all entries have one name, or fewer than two levels have a validation figure.
    """
    if measured is None:
        return {}
    validation = [validation_mean(one) for one in numbers]
    found = {}
    for axis in AXES:
        levels = [name_of(one.config.get(axis)) for one in numbers]
        if len(set(levels)) < 2:
            continue
        table = compare_values(levels, validation, measured)
        if len(table) > 1:
            found[axis] = table.assign(label=[numbers[place].label for place in table["selected"]])
    return found


def tries(numbers: Sequence[Configuration], measured: MeanEstimates | None, axes: Sequence[str]) -> pd.DataFrame:
    """`TRIES`: the expected figures of the best on validation of 1, 2, ... settings tried at random.

    For every level of the named axes with two settings or more, and for all configurations together (`EVERYTHING`, its
    axis empty): with equal numbers of tries, levels that had more are no longer favoured. `EVERY` says
    which numbers.
    """
    validation = np.array([validation_mean(one) for one in numbers])
    rated = np.flatnonzero(~np.isnan(validation))
    if measured is None or len(rated) < 2:
        return pd.DataFrame(columns=list(TRIES))
    groups: list[tuple[str, str, list[int]]] = [("", EVERYTHING, rated.tolist())]
    for axis in axes:
        members: dict[str, list[int]] = {}
        for place in rated.tolist():
            members.setdefault(name_of(numbers[place].config.get(axis)), []).append(place)
        groups += [(axis, level, places) for level, places in members.items() if len(places) > 1]
    parts = [
        pd.DataFrame(
            {
                "axis": axis,
                "value": level,
                "n_trials": (at := _numbers(len(places))),
                "validation": expected_best(validation[places].tolist(), n_trials=at),
                "test": expected_best(validation[places].tolist(), measured.means[places].tolist(), n_trials=at),
            }
        )
        for axis, level, places in groups
    ]
    return pd.concat(parts, ignore_index=True)[list(TRIES)]


def _numbers(most: int) -> list[int]:
    """Numbers of tries from 1 to `most`, powers of 2 among them."""
    if most <= EVERY:
        return list(range(1, most + 1))
    spread = np.rint(np.geomspace(1, most, EVERY)).astype(int).tolist()
    return sorted({*spread, *(2**power for power in range(most.bit_length())), most})


def name_of(entry: Any) -> str:
    """An entry's name without its parameters, ``flip+crop`` for several, ``none`` for no entry."""
    if isinstance(entry, list):
        return "+".join(name_of(one) for one in entry) or "none"
    return str(entry["name"]) if isinstance(entry, dict) else str(entry)
