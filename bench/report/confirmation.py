"""`confirm: N`: the configuration that validation selected and its rivals, judged by seeds that were not selected by.

The validation figure that selects and the test figure that is reported share their networks, so that the latter is
biased for other seeds. Fresh seeds are not: they follow the highest seed of the suite.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from scipy import stats

from bench.ledger.record import Record
from bench.metrics import Predictions
from bench.report.analysis import analyse
from bench.report.comparison import Comparison
from bench.report.estimates import complete_metrics, metric_values, noise_of, select_on_validation
from bench.report.grouping import Configuration, TrialGroup, group_trials
from bench.report.leaderboard_frame import leaderboard_frame, not_ranked
from bench.suite.trial import Trial, with_seed

MAX_CONFIRMED = 8
"""Configurations of a comparison that are trained with fresh seeds: the selected one and its nearest rivals."""

CONFIDENCE = 0.95
"""One-sided: a configuration is a rival unless the selected one is better on validation with this confidence."""


def rivals(group: TrialGroup, metric: str = "accuracy") -> list[Configuration]:
    """The configuration selected on validation, and those that its seeds do not tell from it there; the best first.

    Student's t of the difference of two means over seeds, with the variance between seeds moderated over the group's
    complete configurations. Nothing where nothing was selected.
    """
    selected = select_on_validation(group, metric)
    if selected is None:
        return []
    by_label = {
        configuration.label: values
        for configuration in group.configurations
        if configuration.complete
        and (values := metric_values(configuration.with_status("complete"), "validation", metric))
    }
    noise, best = noise_of(by_label), by_label[selected.label]
    gaps: dict[str, float] = {selected.label: -math.inf}
    for label, values in by_label.items():
        if label == selected.label or label not in noise:
            continue
        gap = abs(float(np.mean(best) - np.mean(values)))
        pair = [(noise[selected.label], len(best)), (noise[label], len(values))]
        error = math.sqrt(sum(pooled.deviation**2 / n_seeds for pooled, n_seeds in pair))
        if gap <= stats.t.ppf(CONFIDENCE, min(pooled.degrees for pooled, _ in pair)) * error:
            gaps[label] = gap
    nearest = sorted(gaps, key=lambda label: (gaps[label], label))[:MAX_CONFIRMED]
    by_name = {configuration.label: configuration for configuration in group.configurations}
    return [by_name[label] for label in nearest]


def fresh_trials(
    trials: Sequence[Trial],
    records: Sequence[Record],
    predictions: Callable[[str], Predictions],
    n_seeds: int,
    metric: str = "accuracy",
) -> list[Trial]:
    """The trials with fresh seeds of what validation selects among these trials' records, comparison by comparison."""
    keys = {trial.key for trial in trials}
    completed = complete_metrics([record for record in records if record.key in keys], predictions, [metric])
    first = max((trial.seed for trial in trials), default=-1) + 1
    by_configuration = {trial.config_key: trial for trial in trials}
    return [
        with_seed(by_configuration[configuration.identity], seed)
        for group in group_trials(completed, trials)
        for configuration in rivals(group, metric)
        if configuration.identity in by_configuration
        for seed in range(first, first + n_seeds)
    ]


def confirmed_comparison(
    group: TrialGroup,
    fresh: Sequence[Trial],
    records: Sequence[Record],
    predictions: Callable[[str], Predictions],
    metrics: Sequence[str],
    reproduce_command: str,
) -> Comparison | None:
    """The same configurations by their fresh seeds alone; None where none of a group has some.

    `selected` of its frame is what the grid's validation selected.
    """
    seeds: dict[str, list[int]] = {}
    for trial in fresh:
        seeds.setdefault(trial.config_key, []).append(trial.seed)
    by_configuration: dict[str, list[Record]] = {}
    for record in sorted(records, key=lambda record: record.seed):
        by_configuration.setdefault(record.config_key or "", []).append(record)
    members = tuple(
        replace(
            configuration,
            records=tuple(by_configuration.get(configuration.identity, ())),
            planned=tuple(seeds[configuration.identity]),
        )
        for configuration in group.configurations
        if configuration.identity in seeds
    )
    selected = select_on_validation(group, metrics[0])
    if not members or selected is None:
        return None
    confirmed = replace(group, configurations=members)
    analysis = analyse(confirmed, predictions, metrics[0])
    images = analysis.correctness.images
    frame = leaderboard_frame(confirmed, (), images, metrics, analysis.rank_statistics, reproduce_command)
    frame["selected"] = frame["label"] == selected.label
    return Comparison(
        group=confirmed,
        frame=frame,
        not_ranked=not_ranked(confirmed),
        metrics=tuple(metrics),
        analysis=analysis,
        references=(),
        reproductions={},
        details=(),
    )


def most_confirmed(sizes: Sequence[int], n_seeds: int) -> int:
    """At most so many trials with fresh seeds, of comparisons of so many configurations."""
    return sum(min(MAX_CONFIRMED, size) * n_seeds for size in sizes if size > 1)
