"""How do the leaders differ from each other? Differences of mean accuracy with their intervals, pair by pair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.statistics.factor_effects import NOISE_STANDARD_ERRORS, difference, seed_error
from bench.statistics.means import MeanEstimates
from bench.statistics.paired_tests import mcnemar

CONFIGURATIONS = "seeds and images"
TWO_RUNS = "two runs (McNemar, exact)"

COLUMNS = ("ours", "theirs", "difference", "low", "high", "this_low", "this_high", "p", "kind", "below_seed_noise")


def pairs(
    leaders: Sequence[str],
    places: Mapping[str, int],
    measured: MeanEstimates,
    right: Mapping[str, NDArray[np.bool_]],
) -> pd.DataFrame:
    """A row for each two leaders: the accuracy of `ours` minus that of `theirs`, the better placed one being ours.

    Bounds and p are on new images, `this_low` and `this_high` on this test set, each at 95 % by itself
    (`bench.statistics.factor_effects`). Two configurations of one run each have McNemar's exact p and Tango's interval,
    which speak of these two networks only: `kind` says which.

    Parameters
    ----------
    leaders
        Labels, at least two for a row.
    places, measured
        Label to place in `measured`.
    right
        By label, which images each seed got right, shape (seeds, images).

    Returns
    -------
    pd.DataFrame
        `COLUMNS`; `below_seed_noise` marks a difference that seeds alone make as large in 1 of 20 cases.
    """
    rows = []
    for ours, theirs in combinations(leaders, 2):
        if len(right[ours]) == len(right[theirs]) == 1:
            runs = mcnemar(right[ours][0], right[theirs][0])
            figures = (runs.difference.estimate, runs.difference.low, runs.difference.high, np.nan, np.nan, runs.p)
            kind = TWO_RUNS
        else:
            found = difference(measured, places[ours], places[theirs])
            figures = (found.estimate, found.low, found.high, found.this_low, found.this_high, found.p)
            kind = CONFIGURATIONS
        weights = np.zeros((1, len(measured.means)))
        weights[0, places[ours]], weights[0, places[theirs]] = 1, -1
        faint = abs(figures[0]) < NOISE_STANDARD_ERRORS * float(seed_error(measured, weights)[0])
        rows.append((ours, theirs, *figures, kind, faint))
    return pd.DataFrame(rows, columns=list(COLUMNS))
