"""What does each axis do? The effect of its levels, everything else equal, with the interval of a contrast."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from bench.statistics.cells import Cells, cells_of, varying
from bench.statistics.contrasts import FAINT, contrasts, seed_error
from bench.statistics.measured import Measured
from bench.statistics.noise import Floats

MEAN = "mean"
COLUMNS = ("axis", "level", "against", "effect", "low", "high", "this_low", "this_high", "p", "below_floor", "cells",
           "missing")  # fmt: skip


def main_effects(
    axes: pd.DataFrame, measured: Measured, against: dict[str, str] | None = None, confidence: float = 0.95
) -> pd.DataFrame:
    """The effect of every level of every axis that varies, over cells in which all else is equal.

    A cell is one combination of all the other axes. Against the mean, a level's effect is its value less the mean of
    all levels, averaged over the cells that have them all; against a level, the difference of the two, averaged over
    the cells that have both. In a full grid these are the main effects of the factorial design (Box, Hunter and Hunter,
    Statistics for Experimenters, chapter 5), the grid fixed, seeds and images random.

    Parameters
    ----------
    axes
        A row per configuration in `measured`'s order and a column per axis, levels as text. Full-budget
        configurations only.
    measured
        The same configurations.
    against
        Axis to the level its others are compared with; axes that it leaves out are compared with the mean.

    Returns
    -------
    pd.DataFrame
        `COLUMNS`, a row per axis and level, in the order of first appearance. Effects and bounds are fractions (bounds
        and p as in `bench.statistics.contrasts.Effects`), nan where no cell matches. `below_floor` says whether an
        effect is within `FAINT` standard errors of the seeds. `cells` counts those used and `missing` those left out
        because pruning, failure or the shape of the grid left a level without its partner: what survives pruning is a
        selected sample, so print it.

    Raises
    ------
    ValueError
        Rows do not match, or `against` names an axis or a level that is not there.
    """
    _check(axes, measured, against or {})
    rows: list[dict[str, object]] = []
    weights: list[Floats] = []
    for axis in varying(axes):
        cells = cells_of(axes, [axis])
        base = (against or {}).get(axis)
        levels = [level for (level,) in cells.levels]
        whole = cells.matched([(one,) for one in levels]) if base is None else []
        for level in levels:
            if level == base:
                continue
            wanted = levels if base is None else [level, base]
            matched = whole if base is None else cells.matched([(one,) for one in wanted])
            rows.append({"axis": axis, "level": level, "against": base or MEAN,
                         "cells": len(matched), "missing": cells.count - len(matched)})  # fmt: skip
            if not matched:
                continue
            shares = dict.fromkeys(wanted, -1 / len(wanted)) if base is None else {base: -1.0, level: 0.0}
            shares[level] += 1
            weights.append(weigh(cells, matched, {(name,): share for name, share in shares.items()}, len(axes)))
    return tabulate(rows, weights, measured, COLUMNS, confidence)


def weigh(cells: Cells, matched: Sequence[int], shares: dict[tuple[str, ...], float], count: int) -> Floats:
    """A row of weights: each level's share spread evenly over the matched cells, and over a cell's configurations."""
    row = np.zeros(count)
    for cell in matched:
        for level, share in shares.items():
            members = cells.members[cell, level]
            row[members] += share / len(members) / len(matched)
    return row


def tabulate(
    rows: list[dict[str, object]],
    weights: list[Floats],
    measured: Measured,
    columns: Sequence[str],
    confidence: float,
) -> pd.DataFrame:
    """The rows with the figures of their contrasts, of which there is one per row with a cell; nan for the others."""
    frame = pd.DataFrame(rows)
    if not rows:
        return pd.DataFrame(columns=list(columns))
    frame[["effect", "low", "high", "this_low", "this_high", "p"]] = np.nan
    frame["below_floor"] = False
    if weights:
        found = contrasts(measured, np.stack(weights), confidence)
        there = frame["cells"] > 0
        frame.loc[there, "effect"] = found.estimate
        for name in ("low", "high", "this_low", "this_high", "p"):
            frame.loc[there, name] = getattr(found, name)
        frame.loc[there, "below_floor"] = np.abs(found.estimate) < FAINT * seed_error(measured, np.stack(weights))
    return frame[list(columns)]


def _check(axes: pd.DataFrame, measured: Measured, against: dict[str, str]) -> None:
    if len(axes) != len(measured.means):
        raise ValueError(f"{len(axes)} rows of axes do not match {len(measured.means)} configurations")
    for axis, level in against.items():
        if axis not in axes.columns or level not in set(axes[axis]):
            raise ValueError(f"there is no {axis} {level!r} to compare with")
