"""Which rows does a page show in full? Of very many configurations the leading ones; the others stand in short."""

from __future__ import annotations

import numpy as np
import pandas as pd

MOST = 1000
"""Configurations, and rows of any other table, that a page shows in full: more would take seconds to open."""

ELSEWHERE = "with every figure in what --csv and --json write"


def leading(frame: pd.DataFrame, most: int = MOST) -> list[int]:
    """Places in a leaderboard of its first `most` configurations, the chosen one, added and published rows.

    In the leaderboard's order, which is that of the test means; all places where there are no more than that.
    """
    ours = (frame["kind"] == "trained").to_numpy()
    always = ~ours | frame["selected"].fillna(False).to_numpy(dtype=bool)
    return np.flatnonzero(always | (np.cumsum(ours) <= most)).tolist()
