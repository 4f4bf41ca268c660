"""Which pairs of axes do more, or less, together than each alone?"""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pandas as pd
from statsmodels.stats.multitest import multipletests

from bench.statistics.cells import Level, cells_of, varying
from bench.statistics.effects import tabulate, weigh
from bench.statistics.measured import Measured
from bench.statistics.noise import Floats

COLUMNS = ("axis", "level", "with_axis", "with_level", "effect", "low", "high", "this_low", "this_high", "p",
           "p_holm", "below_floor", "cells", "missing")  # fmt: skip


def interactions(
    axes: pd.DataFrame, measured: Measured, top: int | None = None, confidence: float = 0.95
) -> pd.DataFrame:
    """Two-way interactions by size, the strongest first: what two levels do together beyond the sum of their effects.

    In each cell (a combination of all other axes) that has every pair of levels of the two axes: the value less the
    means of its row and its column, plus the mean of all, averaged over such cells. As in the factorial analysis of
    variance; rows and columns of one pair of axes sum to 0. Of an axis with two levels the first is left out, as it
    says the same with the other sign: two axes of two levels have one interaction, and one test.

    Parameters
    ----------
    axes, measured
        As for `bench.statistics.effects.main_effects`.
    top
        How many are kept; all by default.

    Returns
    -------
    pd.DataFrame
        `COLUMNS`; pairs of axes without a matching cell are left out. `p` is of each by itself, `p_holm` over all that
        were looked at, before the strongest were picked (Holm, statsmodels), which bounds and p do not allow for.
    """
    rows: list[dict[str, object]] = []
    weights: list[Floats] = []
    for first, second in combinations(varying(axes), 2):
        cells = cells_of(axes, [first, second])
        ours = list(dict.fromkeys(level[0] for level in cells.levels))
        theirs = list(dict.fromkeys(level[1] for level in cells.levels))
        pairs: list[Level] = list(product(ours, theirs))
        matched = cells.matched(pairs)
        if not matched:
            continue
        for mine, yours in product(*(levels[1:] if len(levels) == 2 else levels for levels in (ours, theirs))):
            shares: dict[Level, float] = {
                (one, other): ((one == mine) - 1 / len(ours)) * ((other == yours) - 1 / len(theirs))
                for one, other in pairs
            }
            rows.append({"axis": first, "level": mine, "with_axis": second, "with_level": yours,
                         "cells": len(matched), "missing": cells.count - len(matched)})  # fmt: skip
            weights.append(weigh(cells, matched, shares, len(axes)))
    found = tabulate(rows, weights, measured, [name for name in COLUMNS if name != "p_holm"], confidence)
    found["p_holm"] = multipletests(found["p"], method="holm")[1] if len(found) else np.array([])
    found = found.sort_values("effect", key=lambda values: -values.abs(), kind="stable", ignore_index=True)
    return found.head(top)[list(COLUMNS)] if top is not None else found[list(COLUMNS)]
