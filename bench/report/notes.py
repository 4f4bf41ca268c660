"""What a reader must know before comparing rows: luck, noise, what is missing and what the intervals leave out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from bench.report.cells import FIXED, NOTHING, counted, headings, number
from bench.report.cells import rows as cells_of
from bench.report.claims.analysis import Analysis
from bench.report.estimates import IMAGES, ONE_SEED, pooled_deviation, seed_values
from bench.report.sections import Section
from bench.statistics.contrasts import variance
from bench.statistics.measured import subset
from bench.statistics.tries import gain_of_best
from bench.suite.metrics import METRICS


def notes_on(section: Section, ours: pd.DataFrame, metrics: Sequence[str], analysis: Analysis) -> tuple[str, ...]:
    """The notes on a leaderboard; `ours` are its rows without the published ones, the first of `metrics` ranks."""
    metric = METRICS[metrics[0]]
    planned = sum(len(one.planned) for one in section.configurations)
    missing = sum(one.missing for one in section.configurations)
    left = (f"Not run yet: {missing:,} of {counted(planned, 'trial')}.",) if missing else ()
    if ours.empty:
        return left
    notes = list(left)
    if len(ours) > 1:
        notes.append(
            f"The table is sorted by mean test {metric.heading}. That order is descriptive: validation chooses, test "
            f"judges.{_luck(analysis)}"
        )
    if metrics[0] != "accuracy":
        notes.append(
            f"Ties, differences and effects are judged by accuracy, whose noise over images is known; {metric.heading} "
            "ranks the table, and no row of it is marked as tied."
        )
    pooled = pooled_deviation(section, metrics[0])
    if pooled is not None:
        groups = [found for one in section.configurations if len(found := seed_values(one, metrics[0])) > 1]
        points = " points" if metric.percent else ""
        noise = (
            f"Seed noise: a standard deviation of {number(pooled.deviation, metrics[0])}{points} between seeds, pooled "
            f"over {counted(len(groups), 'configuration')} with {counted(pooled.degrees, 'degree')} of freedom."
        )
        if metrics[0] == "accuracy" and analysis.measured:
            noise += (
                f" Theory expects at least {100 * analysis.floor:.2f} points on {analysis.seen.images:,} test images "
                f"(√(error / 2n) at the mean error); smaller gaps to the best say nothing."
            )
        notes.append(noise)
    if (ours["interval"] == IMAGES).any():
        notes.append(
            "Where there is 1 seed, the brackets are Wilson's 95 % interval over images for that one network; they "
            "leave out how much another seed would differ."
        )
    if analysis.networks_alone and len(analysis.numbers) > 1:
        notes.append(
            "No configuration has two seeds, so nothing here counts how seeds differ: ties, differences and effects "
            "are those of these networks on new images, and other seeds may turn them round."
        )
    if analysis.seeds_agree:
        notes.append(
            "The seeds of each configuration are right on the same test images, so that no noise between seeds was "
            "measured: intervals count images only, and further seeds may differ."
        )
    if (ours["interval"] == ONE_SEED).any():
        notes.append(f"Where there is 1 seed, {metric.heading} has no interval.")
    notes += _missing(section, ours, metrics)
    if (ours["status"] == "incomplete").any():
        notes.append(
            "Configurations without all their seeds stand below the others and cannot be chosen. Their figures are "
            "those of the seeds that ended well, which is no fair sample where the others diverged, failed or were "
            "pruned."
        )
    return tuple(notes)


def _missing(section: Section, ours: pd.DataFrame, metrics: Sequence[str]) -> list[str]:
    """Which figures some rows lack although the protocol has them."""
    shown = cells_of(ours)
    titles = {name: text for name, text in headings(shown, metrics).items() if name not in FIXED}
    if all(one.config.get("validation") == "none" for one in section.configurations if not one.added):
        del titles["validation"]
    lacking = [text.removesuffix(" %") for name, text in titles.items() if any(r.cells[name] == NOTHING for r in shown)]
    if not lacking:
        return []
    why = "They were made before it was measured, or there are too few classes."
    return [f"{NOTHING} in a column: the records do not tell it ({', '.join(lacking)}). {why}"]


def _luck(analysis: Analysis) -> str:
    """How far the top of a list of equals would lie above them, were all as noisy as those tied with the best."""
    measured, tied = analysis.measured, analysis.tied
    if measured is None or tied is None or np.count_nonzero(tied.tied) < 2:
        return ""
    equals = subset(measured, np.flatnonzero(tied.tied).tolist())
    alike, own = len(equals.means), float(equals.variances.sum())
    shared = (float(variance(equals, np.ones((1, alike)))[0]) - own) / (alike * (alike - 1))
    count = len(measured.means)
    gain = gain_of_best(count, max(own / alike - shared, 0.0) ** 0.5)
    return f" Of {count} equal configurations the highest would lie {100 * gain:.2f} points above them by luck."
