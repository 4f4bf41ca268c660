"""What must be known before rows are compared: selection bias, noise, missing seeds, what the intervals leave out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats

from bench.metrics import METRICS
from bench.report.analysis import Analysis
from bench.report.comparison import Comparison
from bench.report.estimates import NO_INTERVAL, WILSON, median_noise, seed_noise, seed_values
from bench.report.grouping import Configuration
from bench.report.leaderboard_frame import extra_columns
from bench.report.number_format import NOTHING, counted, number
from bench.statistics.contrasts import MIN_SEEDS, variance
from bench.statistics.intervals import binomial_noise
from bench.statistics.means import MeanEstimates, subset
from bench.statistics.seed_noise import SeedNoise
from bench.statistics.tuning_effect import gain_of_best

MIN_IMAGES = 100
"""Test images below which intervals are rough: their coverage is 91 to 98 % in place of 95 %
(``benchmarks/coverage.py``)."""

MIN_DEGREES = 4
"""Degrees of freedom of all seeds together below which the seed noise is hardly known."""

MAX_NAMED = 3
"""Configurations named in a note."""

F_TEST_LEVEL = 0.1
"""p of the F test from which a configuration's noise is not shown to differ from the others'."""


def leaderboard_notes(comparison: Comparison) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The notes on a comparison's leaderboard, and what explains its numbers."""
    group, analysis = comparison.group, comparison.analysis
    metric = METRICS[comparison.metrics[0]]
    rows = comparison.frame[comparison.frame["kind"] != "published"]
    trained = rows[rows["kind"] == "trained"]
    missing = sum(configuration.missing for configuration in group.configurations)
    planned = sum(len(configuration.planned) for configuration in group.configurations)
    notes = [f"Not run yet: {missing:,} of {counted(planned, 'trial')}."] if missing else []
    explanations: list[str] = []
    if trained.empty:
        return tuple(notes), ()
    if len(trained) > 1:
        explanations.append(
            f"The table is sorted by mean test {metric.heading}, which is descriptive: configurations are selected on "
            f"validation and evaluated once on test.{_selection_bias(analysis)}"
        )
    if adaptive := sum(configuration.adaptive for configuration in group.configurations):
        notes.append(
            f"{counted(adaptive, 'configuration')} of {len(group.configurations):,} were proposed by an adaptive "
            "search, which chose them by validation results (section Search)."
        )
    if comparison.metrics[0] != "accuracy":
        notes.append(
            "The best set, differences and effects are of accuracy, whose noise over images is known; "
            f"{metric.heading} ranks the table, and no row is marked as in the best set."
        )
    notes += _few(analysis)
    noise, outliers = _noise(comparison)
    notes += outliers
    explanations += noise
    if (trained["interval"] == WILSON).any():
        explanations.append(
            "With 1 seed, the brackets are Wilson's 95 % interval over images for that one network; they leave out how "
            "much another seed would differ."
        )
    if analysis.single_seeds and len(analysis.compared) > 1:
        notes.append(
            "No configuration has two seeds, so nothing accounts for seed noise: differences and effects are those of "
            "these networks on new images, and other seeds may reverse them."
        )
    if analysis.identical_seeds:
        notes.append(
            "The seeds of each configuration classify the same test images correctly, so that no seed noise was "
            "measured: intervals allow for one or two images besides, and further seeds may differ by more."
        )
    if (trained["interval"] == NO_INTERVAL).any():
        notes.append(f"With 1 seed, {metric.heading} has no interval.")
    if analysis.best_set and analysis.untested:
        notes.append(
            f"{counted(len(analysis.untested), 'configuration')} with fewer than {MIN_SEEDS} seeds: no p, and no place "
            "in the best set."
        )
    notes += _missing_values(comparison, trained)
    if (trained["status"] == "incomplete").any():
        notes.append(
            "Configurations without all their seeds stand below the others and cannot be selected. Their means are of "
            "the complete seeds, a biased sample where the others ended early."
        )
    return tuple(notes), tuple(explanations)


def _few(analysis: Analysis) -> list[str]:
    """Whether images or seeds are too few for their intervals."""
    estimates, notes = analysis.estimates, []
    if estimates is None:
        return []
    if estimates.images < MIN_IMAGES:
        notes.append(
            f"{counted(estimates.images, 'test image')}: too few for exact intervals, which cover 91 to 98 % "
            "in place of 95 %, and for small differences."
        )
    if estimates.noise is not None and estimates.noise.total < MIN_DEGREES:
        degrees = counted(estimates.noise.total, "degree")
        notes.append(
            f"Too few seeds: seed noise is estimated with {degrees} of freedom in all, so that intervals over seeds "
            "are wide. Five seeds of two configurations have eight."
        )
    return notes


def _noise(comparison: Comparison) -> tuple[list[str], list[str]]:
    """How seeds differ, how much of that is single images; and whose seeds differ unlike the others'."""
    metric, analysis = comparison.metrics[0], comparison.analysis
    estimates = analysis.estimates if metric == "accuracy" else None
    n_seeds = [
        len(values)
        for configuration in comparison.group.configurations
        if len(values := seed_values(configuration, metric)) > 1
    ]
    median = median_noise(seed_noise(comparison.group, metric))
    if median is None:
        return [], []
    deviation = analysis.seed_noise if estimates else median.deviation
    points = " points" if METRICS[metric].percent else ""
    note = (
        f"Seed noise: a standard deviation of {number(deviation, metric)}{points} between the seeds of the median "
        f"configuration, moderated over {counted(len(n_seeds), 'configuration')} with "
        f"{counted(sum(n_seeds) - len(n_seeds), 'degree')} of freedom."
    )
    if estimates is None or estimates.noise is None:
        return [note], []
    flips = float(np.sqrt(np.mean(estimates.independent)))
    theory = binomial_noise(1 - float(np.mean(estimates.means)), estimates.images)
    note += (
        f" Independent flips of single images make {100 * flips:.2f} points of it on {estimates.images:,} test images "
        f"(√(error / 2n) predicts {100 * theory:.2f}). Grey gaps are those that seeds alone make: 2 s √(1/s1 + 1/s2)."
    )
    outliers = _outliers(analysis.compared, estimates.noise)
    return [note], [*outliers, *_separate_intervals(analysis.compared, estimates, estimates.noise)]


def _outliers(compared: Sequence[Configuration], noise: SeedNoise) -> list[str]:
    """Whose seeds differ so much more than the others' that they are not pooled with them, seed by seed."""
    outliers = np.flatnonzero(noise.is_outlier)
    notes = []
    for index in outliers[:MAX_NAMED]:
        configuration = compared[index]
        seeds = ", ".join(
            f"{record.seed}: {100 * record.result.test['accuracy']:.2f}"
            for record in configuration.with_status("complete")
            if record.result.test
        )
        notes.append(
            f"The seeds of “{configuration.label}” differ far more than those of the others: its intervals rest on "
            f"them alone, those of the others do not. Test accuracy, in %, by seed: {seeds}. Where some seeds collapse "
            "and others do not, a mean says little."
        )
    if len(outliers) > MAX_NAMED:
        notes.append(f"The same holds for {len(outliers) - MAX_NAMED:,} more configurations.")
    return notes


def _separate_intervals(compared: Sequence[Configuration], estimates: MeanEstimates, noise: SeedNoise) -> list[str]:
    """The intervals by their own seeds alone of configurations whose noise may differ from the pooled noise."""
    alone = np.sqrt(noise.raw_variances / estimates.seeds) * stats.t.ppf(0.975, np.maximum(estimates.seeds - 1, 1))
    half = np.sqrt(noise.variances / estimates.seeds) * stats.t.ppf(0.975, noise.degrees)
    with np.errstate(divide="ignore", invalid="ignore"):
        unlike = (noise.p < F_TEST_LEVEL) & ~noise.is_outlier & (np.abs(np.log2(alone / half)) > 1)
    indices = sorted(np.flatnonzero(unlike).tolist(), key=lambda index: float(noise.p[index]))
    return [
        f"“{compared[i].label}” by its own seeds alone: {100 * estimates.means[i]:.2f} ± {100 * alone[i]:.2f} "
        f"on this test set. They differ {'less' if alone[i] < half[i] else 'more'} than those of the others "
        f"(F test, p = {noise.p[i]:.3f}), whose noise its interval shares."
        for i in indices[:MAX_NAMED]
    ]


def _missing_values(comparison: Comparison, trained: pd.DataFrame) -> list[str]:
    """Which metrics some rows lack although the protocol has them."""
    first, *extra = comparison.metrics
    names = {"test_mean": f"Test {METRICS[first].heading}"}
    names |= {extra_columns(name)[0]: f"Test {METRICS[name].heading}" for name in extra}
    if any(
        configuration.config.get("validation") != "none"
        for configuration in comparison.group.configurations
        if not configuration.imported
    ):
        names["validation_mean"] = f"Validation {METRICS[first].heading}" if extra else "Validation"
    missing = [text for column, text in names.items() if trained[column].isna().any()]
    if not missing:
        return []
    why = "They were made before it was measured, or there are too few classes."
    return [f"{NOTHING} in a column: the records lack it ({', '.join(missing)}). {why}"]


def _selection_bias(analysis: Analysis) -> str:
    """How far the highest of equal configurations would lie above them, were all as noisy as those of the best set."""
    estimates, best_set = analysis.estimates, analysis.best_set
    if estimates is None or best_set is None or np.count_nonzero(best_set.in_set) < 2:
        return ""
    equals = subset(estimates, [analysis.ranked[index] for index in np.flatnonzero(best_set.in_set)])
    count, alone = len(equals.means), float(equals.variances.sum())
    shared = (float(variance(equals, np.ones((1, count)))[0]) - alone) / (count * (count - 1))
    n = len(estimates.means)
    gain = gain_of_best(n, max(alone / count - shared, 0.0) ** 0.5)
    return f" Of {n} equal configurations the highest would lie {100 * gain:.2f} points above them by chance."
