"""Which level of an axis is better when each has its own tuning? Each at the setting that validation chose for it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from bench.statistics.contrasts import difference
from bench.statistics.measured import Measured, new_images

COLUMNS = ("level", "tries", "chosen", "validation", "test", "low", "high",
           "behind", "behind_low", "behind_high", "p")  # fmt: skip


def compare_levels(
    levels: Sequence[str], validation: Sequence[float], measured: Measured, confidence: float = 0.95
) -> pd.DataFrame:
    """One row per level, the best on validation first: its chosen setting, how many were tried, its test figure.

    A level with more tries gets more chances (Sivaprasad et al., arXiv 1910.11758), so the number stands beside it;
    `bench.statistics.tries.expected_best` shows what equal numbers would have given. Validation chooses, so the test
    figures are of settings that the test images had no part in choosing, and their intervals hold.

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
