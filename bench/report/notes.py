"""What a reader must know before comparing rows: luck, noise, what is missing and what the intervals leave out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from bench.metrics import METRICS
from bench.report.cells import FIXED, NOTHING, counted, headings, number
from bench.report.cells import rows as cells_of
from bench.report.estimates import NO_INTERVAL, WILSON, median_noise, seed_noise, seed_values
from bench.report.findings.analysis import Analysis
from bench.report.grouping import Configuration, TrialGroup
from bench.statistics.factor_effects import variance
from bench.statistics.intervals import binomial_noise
from bench.statistics.means import MeanEstimates, subset
from bench.statistics.seed_noise import SeedNoise
from bench.statistics.tuning_effect import gain_of_best

FEW_IMAGES = 100
"""Test images below which intervals are rough: they cover 91 to 98 % where 95 % is meant
(``benchmarks/coverage.py``)."""

FEW_DEGREES = 4
"""Degrees of freedom of all seeds together below which nearly nothing is known of their noise."""

NAMED = 3
"""Configurations named in a note."""

DOUBTED = 0.1
"""p of the F test from which a configuration's noise is not shown to differ from the others'."""


def notes_on(group: TrialGroup, ours: pd.DataFrame, metrics: Sequence[str], analysis: Analysis) -> tuple[str, ...]:
    """The notes on a leaderboard; `trained` are its rows without the published ones, the first of `metrics` ranks."""
    metric = METRICS[metrics[0]]
    planned = sum(len(one.planned) for one in group.configurations)
    missing = sum(one.missing for one in group.configurations)
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
    notes += _few(analysis)
    notes += _noise(group, metrics[0], analysis)
    if (ours["interval"] == WILSON).any():
        notes.append(
            "Where there is 1 seed, the brackets are Wilson's 95 % interval over images for that one network; they "
            "leave out how much another seed would differ."
        )
    if analysis.networks_alone and len(analysis.numbers) > 1:
        notes.append(
            "No configuration has two seeds, so nothing here counts how seeds differ: differences and effects are "
            "those of these networks on new images, other seeds may turn them round, and no row is marked as tied "
            "with the best."
        )
    if analysis.seeds_agree:
        notes.append(
            "The seeds of each configuration are right on the same test images, so that no noise between seeds was "
            "measured: intervals allow for a flip or two besides the images, and further seeds may differ by more."
        )
    if (ours["interval"] == NO_INTERVAL).any():
        notes.append(f"Where there is 1 seed, {metric.heading} has no interval.")
    notes += _missing(group, ours, metrics)
    if (ours["status"] == "incomplete").any():
        notes.append(
            "Configurations without all their seeds stand below the others and cannot be chosen. Their figures are "
            "those of the seeds that ended well, which is no fair sample where the others diverged, failed or were "
            "pruned."
        )
    return tuple(notes)


def _few(analysis: Analysis) -> list[str]:
    """Where images or seeds are too few for their intervals."""
    found = []
    measured = analysis.measured
    if measured is None:
        return []
    if measured.images < FEW_IMAGES:
        found.append(
            f"{counted(measured.images, 'test image')}: too few for exact intervals, which cover 91 to 98 % here "
            "instead of 95 %, and for small differences."
        )
    if measured.noise is not None and measured.noise.total < FEW_DEGREES:
        degrees = counted(measured.noise.total, "degree")
        found.append(
            f"Too few seeds: {degrees} of freedom in all tell how seeds differ, so that intervals over seeds are wide "
            "and say little. Five seeds of two configurations have eight."
        )
    return found


def _noise(group: TrialGroup, metric: str, analysis: Analysis) -> list[str]:
    """How seeds differ, what of that is flips of single images, and whose seeds differ otherwise than the others'."""
    accuracy = metric == "accuracy"
    measured = analysis.measured if accuracy else None
    groups = [found for one in group.configurations if len(found := seed_values(one, metric)) > 1]
    typical = median_noise(seed_noise(group, metric))
    if typical is None:
        return []
    deviation = analysis.seed_noise if measured else typical.deviation
    points = " points" if METRICS[metric].percent else ""
    degrees = sum(len(one) - 1 for one in groups)
    noise = (
        f"Seed noise: a standard deviation of {number(deviation, metric)}{points} between the seeds of the middle "
        f"configuration, moderated over {counted(len(groups), 'configuration')} with {counted(degrees, 'degree')} of "
        "freedom."
    )
    if measured is None or measured.noise is None:
        return [noise]
    flips = float(np.sqrt(np.mean(measured.independent)))
    theory = binomial_noise(1 - float(np.mean(measured.means)), measured.images)
    noise += (
        f" Flips of single images alone make {100 * flips:.2f} points of it on {measured.images:,} test images "
        f"(√(error / 2n) expects {100 * theory:.2f}). Faint gaps are those that seeds alone make: 2 s √(1/s1 + 1/s2)."
    )
    return [noise, *_collapsed(analysis.numbers, measured.noise), *_alone(analysis.numbers, measured, measured.noise)]


def _collapsed(numbers: Sequence[Configuration], noise: SeedNoise) -> list[str]:
    """Whose seeds differ so much more than the others' that they are no part of the pooled noise, seed by seed."""
    far = np.flatnonzero(noise.is_outlier)
    found = []
    for place in far[:NAMED]:
        one = numbers[place]
        seeds = ", ".join(
            f"{record.seed}: {100 * record.result.test['accuracy']:.2f}"
            for record in one.with_status("complete")
            if record.result.test
        )
        found.append(
            f"The seeds of “{one.label}” differ far more than those of the others: its intervals rest on them alone, "
            f"those of the others do not. Test accuracy, in %, by seed: {seeds}. Where some seeds collapse and others "
            "do not, a mean says little."
        )
    if len(far) > NAMED:
        found.append(f"The same holds for {len(far) - NAMED:,} more configurations.")
    return found


def _alone(numbers: Sequence[Configuration], measured: MeanEstimates, noise: SeedNoise) -> list[str]:
    """The intervals by their own seeds alone of those that are pooled with others, which may not be alike."""
    own = np.sqrt(noise.raw_variances / measured.seeds) * stats.t.ppf(0.975, np.maximum(measured.seeds - 1, 1))
    half = np.sqrt(noise.variances / measured.seeds) * stats.t.ppf(0.975, noise.degrees)
    with np.errstate(divide="ignore", invalid="ignore"):
        unlike = (noise.p < DOUBTED) & ~noise.is_outlier & (np.abs(np.log2(own / half)) > 1)
    places = sorted(np.flatnonzero(unlike).tolist(), key=lambda place: float(noise.p[place]))
    return [
        f"“{numbers[place].label}” by its own seeds alone: {100 * measured.means[place]:.2f} ± {100 * own[place]:.2f} "
        f"on this test set. They differ {'less' if own[place] < half[place] else 'more'} than those of the others "
        f"(F test, p = {noise.p[place]:.3f}), whose noise its interval shares."
        for place in places[:NAMED]
    ]


def _missing(group: TrialGroup, ours: pd.DataFrame, metrics: Sequence[str]) -> list[str]:
    """Which figures some rows lack although the protocol has them."""
    shown = cells_of(ours)
    titles = {name: text for name, text in headings(shown, metrics).items() if name not in FIXED}
    if all(one.config.get("validation") == "none" for one in group.configurations if not one.imported):
        del titles["validation"]
    lacking = [text.removesuffix(" %") for name, text in titles.items() if any(r.cells[name] == NOTHING for r in shown)]
    if not lacking:
        return []
    why = "They were made before it was measured, or there are too few classes."
    return [f"{NOTHING} in a column: the records do not tell it ({', '.join(lacking)}). {why}"]


def _luck(analysis: Analysis) -> str:
    """How far the top of a list of equals would lie above them, were all as noisy as those tied with the best."""
    measured, tied = analysis.measured, analysis.tied
    if measured is None or tied is None or np.count_nonzero(tied.in_set) < 2:
        return ""
    equals = subset(measured, np.flatnonzero(tied.in_set).tolist())
    alike, own = len(equals.means), float(equals.variances.sum())
    shared = (float(variance(equals, np.ones((1, alike)))[0]) - own) / (alike * (alike - 1))
    count = len(measured.means)
    gain = gain_of_best(count, max(own / alike - shared, 0.0) ** 0.5)
    return f" Of {count} equal configurations the highest would lie {100 * gain:.2f} points above them by luck."
