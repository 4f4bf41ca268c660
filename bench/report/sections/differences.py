"""How do the top configurations differ from each other? Differences of mean accuracy with intervals, pair by pair."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from bench.report.analysis import MAX_TOP
from bench.report.comparison import Comparison
from bench.report.document import Cell, Column, Row, Section, Table
from bench.report.number_format import points, points_interval
from bench.statistics.contrasts import NOISE_STANDARD_ERRORS, difference, seed_error

SEEDS_AND_IMAGES = "seeds and images"
TWO_RUNS = "two runs (Tango)"
DIAGONAL = "·"

COLUMNS = ("first", "second", "difference", "low", "high", "this_low", "this_high", "p", "kind", "below_seed_noise")


def differences(comparison: Comparison) -> Section:
    """A matrix of the top configurations, above its diagonal: below it the same would stand with the other sign."""
    frame = differences_frame(comparison)
    labels = list(dict.fromkeys([*frame["first"], *frame["second"]]))
    pairs: dict[tuple[str, str], dict[Any, Any]] = {}
    for row in frame.to_dict("records"):
        pairs[row["first"], row["second"]] = row

    def against(label: str) -> Callable[[Row], Cell]:
        def cell(row: Row) -> Cell:
            pair = pairs.get((row["label"], label))
            if pair is None:
                return Cell(DIAGONAL if row["label"] == label else "")
            text = f"{points(pair['difference'])} {points_interval(pair['low'], pair['high'])}"
            return Cell(text, "faint" if pair["below_seed_noise"] else "")

        return cell

    exact = " Two single runs have Tango's interval, which is of these two networks only." * bool(
        (frame["kind"] == TWO_RUNS).any()
    )
    numbers = {label: str(number) for number, label in enumerate(labels, start=1)}
    table = Table(
        name="pairs",
        title="Pairwise differences",
        caption=(
            "Test accuracy of the row minus that of the column, in points, with the 95 % interval on new images of "
            "each pair by itself: among many pairs some exclude 0 by chance, so the best set is not read from here. "
            f"The configurations are paired by the images they share.{exact} Grey: seeds alone make as large a "
            "difference (2 s √(1/s1 + 1/s2), s the standard deviation between seeds)."
        ),
        frame=pd.DataFrame({"label": labels}),
        columns=(
            Column("label", "Configuration", lambda row: f"{numbers[row['label']]}. {row['label']}", "label"),
            *(Column(numbers[label], numbers[label], against(label)) for label in labels),
        ),
    )
    return Section("differences", "Pairwise differences", (table,), data=lambda: {"findings": {"differences": frame}})


def differences_frame(comparison: Comparison) -> pd.DataFrame:
    """A row for each two of the top configurations and the next best, `MAX_TOP` in all.

    Returns
    -------
    pd.DataFrame
        `COLUMNS`: `difference` is the accuracy of `first` minus that of `second`. Bounds and p are on new images,
        `this_low` and `this_high` on this test set, each at 95 % by itself (`bench.statistics.contrasts`), as
        everywhere on the page. Where no configuration has two seeds the interval is Tango's, which is of these two
        networks only: `kind` says which. No p with fewer than `bench.statistics.contrasts.MIN_SEEDS` seeds.
        `below_seed_noise` marks a difference that seeds alone make as large in 1 of 20 cases.
    """
    analysis = comparison.analysis
    estimates = analysis.estimates
    if estimates is None:
        return pd.DataFrame(columns=list(COLUMNS))
    indices = analysis.indices
    rows = []
    for first, second in combinations(list(dict.fromkeys([*analysis.top, *analysis.by_mean]))[:MAX_TOP], 2):
        contrast = difference(estimates, indices[first], indices[second])
        values = (contrast.estimate, contrast.low, contrast.high, contrast.this_low, contrast.this_high, contrast.p)
        kind = SEEDS_AND_IMAGES if contrast.seeds_counted else TWO_RUNS
        weights = np.zeros((1, len(estimates.means)))
        weights[0, indices[first]], weights[0, indices[second]] = 1, -1
        noise = NOISE_STANDARD_ERRORS * float(seed_error(estimates, weights)[0])
        rows.append((first, second, *values, kind, abs(values[0]) < noise))
    return pd.DataFrame(rows, columns=list(COLUMNS))
