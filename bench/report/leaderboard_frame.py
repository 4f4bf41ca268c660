"""The frame that every form of the report is written from: a row per configuration or published result."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import astuple, replace
from typing import Any

import pandas as pd

from bench.ledger.record import Record, RunInfo
from bench.metrics import METRICS
from bench.published.reference_data import Reference
from bench.report.analysis import RankStatistics
from bench.report.estimates import (
    MODERATED,
    Estimate,
    estimate,
    mean,
    metric_value,
    seed_noise,
    seed_values,
    select_on_validation,
    validation_mean,
)
from bench.report.grouping import Configuration, TrialGroup
from bench.statistics.intervals import PooledDeviation

NEVER_RANKED = "exclude_from_ranking"
"""The flag of published results that were refuted: they are listed below everything else."""

COLUMNS = (
    *("comparison", "dataset", "kind", "label", "status", "selected", "seeds", "seeds_planned", "missing_seeds"),
    *("test_mean", "test_low", "test_high", "interval", "new_low", "new_high"),
    *("in_best_set", "in_joint_best_set", "in_best_set_on_test", "gap_to_best", "below_seed_noise"),
    *("validation_mean", "train_mean", "generalization_gap"),
    *("parameters", "flops", "train_seconds", "inference_ms", "epochs", "epochs_run"),
    *("diverged", "failed", "pruned", "note", "config", "keys", "command", "metric"),
)
"""Accuracies, bounds and gaps are fractions; `interval` names the 95 % interval of `test_low` and `test_high`.

- `kind` is ``trained``, ``imported`` (from its predictions alone, `bench.ledger.record`) or ``published``; `status`
  is ``complete`` (every planned seed), ``incomplete`` or ``published``; `selected` marks the best on validation.
- `missing_seeds` names the seeds that are in no mean, with why: ``seeds 2, 3 diverged; seed 4 not run``.
- `new_low` and `new_high` are the 95 % interval on new images: seeds and images vary.
- `in_best_set` and `in_joint_best_set` say whether a complete configuration may be the best, each by itself and all at
  once (`bench.statistics.best_set`), `in_best_set_on_test` whether it may be the best of this very test set; NA where
  that was not tested.
- `gap_to_best` is the difference of its mean to that of the best complete one, `below_seed_noise` whether seeds alone
  make as large a difference. All these are of accuracy and are there where accuracy ranks.
- `metric` is what `test_mean`, its bounds, `validation_mean` and `generalization_gap` (training minus validation; none
  after a refit) are of: the metric that ranks. Each further metric adds four columns: ``test_ece``, ``test_ece_low``,
  ``test_ece_high`` and ``test_ece_interval`` for `ece`.
- `parameters` are those that were trained, as papers and torchinfo count: the running mean and variance of batch
  normalisation, which Keras counts too, are apart. `flops` are of one image's forward pass, a multiply-add as two.
- `train_seconds` and `epochs_run` are means over the complete seeds, `epochs` is the budget; so is `inference_ms`, the
  milliseconds of an image in the test's forward passes.
- `note` joins a published result's flags with semicolons, `keys` the complete trials' keys with spaces; `command`
  reproduces those trials.
"""

LeaderboardRow = dict[str, Any]
"""A value for each of `COLUMNS` and of the columns of further metrics."""

NOT_RANKED = ("comparison", "label", "status", "seed", "epoch", "reason", "key")
_IMPORTED: LeaderboardRow = {
    "train_seconds": math.nan,
    "inference_ms": math.nan,
    "epochs": None,
    "epochs_run": math.nan,
    "command": "",
    "note": "imported; not trained here, protocol unknown",
}
"""Columns of a configuration that was imported from its predictions alone."""
_INTEGERS = ("seeds", "seeds_planned", "parameters", "flops", "epochs", "diverged", "failed", "pruned")


def leaderboard_frame(
    group: TrialGroup,
    references: Sequence[Reference],
    images: int,
    metrics: Sequence[str] = ("accuracy",),
    rank_statistics: Mapping[str, RankStatistics] | None = None,
    reproduce_command: str = "bench reproduce",
) -> pd.DataFrame:
    """`COLUMNS`, the best test mean first: complete and published ones, incomplete ones, refuted published results.

    Parameters
    ----------
    group
        Its configurations without a complete seed get no row; `not_ranked` has them.
    references
        Published results of this data set; they get no interval.
    images
        Number of test images, for the interval of a single seed.
    metrics
        The metrics displayed; the first one ranks.
    rank_statistics
        By label, what the predictions tell of the accuracy: `bench.report.analysis.Analysis.rank_statistics`.
    reproduce_command
        The command that runs trials again, to which each row adds its keys.
    """
    noise = {metric: seed_noise(group, metric) for metric in metrics}
    selected = select_on_validation(group, metrics[0])
    statistics = rank_statistics or {}
    rows = [
        _row(
            group,
            configuration,
            noise,
            images,
            configuration is selected,
            statistics.get(configuration.label),
            reproduce_command,
        )
        for configuration in group.configurations
        if configuration.with_status("complete")
    ]
    rows += [_published_row(group, reference, metrics) for reference in references]
    rows.sort(key=_rank)
    return _typed(rows, metrics[1:])


def metric_estimate(
    configuration: Configuration,
    metric: str,
    pooled: PooledDeviation | None,
    images: int,
    statistics: RankStatistics | None,
) -> Estimate:
    """The mean of a configuration's seeds on test, in every section; of accuracy with the interval of `statistics`."""
    estimated = estimate(seed_values(configuration, metric), metric, pooled, images)
    bounds = statistics.test_interval if statistics and metric == "accuracy" else None
    return replace(estimated, low=bounds.low, high=bounds.high, interval=MODERATED) if bounds else estimated


def empty_leaderboard() -> pd.DataFrame:
    """The leaderboard of an empty ledger."""
    return _typed([], ())


def extra_columns(metric: str) -> tuple[str, str, str, str]:
    """The columns of a metric that is displayed and does not rank: mean, bounds, name of the interval."""
    return f"test_{metric}", f"test_{metric}_low", f"test_{metric}_high", f"test_{metric}_interval"


def not_ranked(group: TrialGroup) -> pd.DataFrame:
    """`NOT_RANKED`: a row per pruned, timed out, diverged or failed trial, with its last epoch and the reason."""
    rows = [
        (group.title, configuration.label, record.status, record.seed, record.last_epoch, _reason(record), record.key)
        for configuration in group.configurations
        for record in configuration.records
        if record.status != "complete"
    ]
    return pd.DataFrame(rows, columns=list(NOT_RANKED))


def _row(
    group: TrialGroup,
    configuration: Configuration,
    noise: dict[str, dict[str, PooledDeviation]],
    images: int,
    selected: bool,
    statistics: RankStatistics | None,
    reproduce_command: str,
) -> LeaderboardRow:
    complete = configuration.with_status("complete")
    estimates = {
        name: metric_estimate(configuration, name, by_label.get(configuration.label), images, statistics)
        for name, by_label in noise.items()
    }
    metric, *extra = estimates
    gaps = [metric_value(r, "train", metric) - metric_value(r, "validation", metric) for r in complete]
    row = {
        "comparison": group.title,
        "dataset": group.dataset,
        "kind": "imported" if configuration.imported else "trained",
        "label": configuration.label,
        "status": "complete" if configuration.complete else "incomplete",
        "selected": selected,
        "seeds": len(complete),
        "seeds_planned": len(configuration.planned),
        "missing_seeds": "; ".join(configuration.excluded),
        "test_mean": estimates[metric].mean,
        "test_low": estimates[metric].low,
        "test_high": estimates[metric].high,
        "interval": estimates[metric].interval,
        **(statistics.columns() if statistics and metric == "accuracy" else {}),
        "validation_mean": validation_mean(configuration, metric),
        "train_mean": mean([metric_value(record, "train", metric) for record in complete]),
        "generalization_gap": math.nan if configuration.config.get("refit") else mean(gaps),
        "parameters": _parameters(complete[0].run_info),
        "flops": complete[0].run_info.flops,
        "train_seconds": mean([record.run_info.train_seconds for record in complete]),
        "inference_ms": mean([1000 / speed for record in complete if (speed := record.run_info.images_per_second)]),
        "epochs": configuration.config.get("epochs"),
        "epochs_run": mean([float(record.result.epochs_run) for record in complete]),
        "diverged": len(configuration.with_status("diverged")),
        "failed": len(configuration.with_status("failed")),
        "pruned": len(configuration.with_status("pruned")),
        "note": "",
        "config": json.dumps(configuration.config, sort_keys=True),
        "keys": " ".join(record.key for record in complete),
        "command": " ".join([reproduce_command, *(record.key for record in complete)]),
        "metric": metric,
    }
    for name in extra:
        row |= zip(extra_columns(name), astuple(estimates[name]), strict=True)
    return {**row, **(_IMPORTED if configuration.imported else {})}


def _parameters(run_info: RunInfo) -> int | None:
    trained = run_info.parameters_trainable
    return run_info.parameters if trained is None else trained


def _published_row(group: TrialGroup, reference: Reference, metrics: Sequence[str]) -> LeaderboardRow:
    notes = [flag.replace("_", " ") for flag in reference.flags]
    value = math.nan if reference.value is None else reference.value
    metric = (reference.part, reference.metric_name)
    columns = {("test", metrics[0]): "test_mean", ("validation", metrics[0]): "validation_mean"}
    columns |= {("test", name): extra_columns(name)[0] for name in metrics[1:]}
    if reference.value is None:
        notes.insert(0, reference.reported)
    elif metric not in columns:
        notes.insert(0, f"{reference.metric.replace('_', ' ')} {100 * value:.2f}")
    return {
        "test_mean": math.nan,
        "validation_mean": math.nan,
        "comparison": group.title,
        "dataset": group.dataset,
        "kind": "published",
        "label": f"{reference.model} ({reference.id})",
        "status": "published",
        "selected": False,
        "missing_seeds": "",
        "interval": "",
        "parameters": reference.parameters,
        "epochs": reference.epochs,
        "note": "; ".join(filter(None, notes)),
        "config": "",
        "keys": "",
        "command": "",
        "metric": metrics[0],
        **({columns[metric]: value} if metric in columns else {}),
    }


def tier(row: Mapping[Any, Any]) -> int:
    """What keeps a row in its place however a table is sorted: 0 for complete and published ones.

    1 for incomplete ones, 2 for published results without a test metric, 3 for refuted ones.
    """
    if math.isnan(row["test_mean"]):
        return 2
    if NEVER_RANKED.replace("_", " ") in row["note"]:
        return 3
    return int(row["status"] == "incomplete")


def _rank(row: LeaderboardRow) -> tuple[int, float, str]:
    better = METRICS[row["metric"]].better
    score = row["validation_mean"] if math.isnan(row["test_mean"]) else row["test_mean"]
    return (tier(row), math.inf if math.isnan(score) else -better(score), row["label"])


def _typed(rows: list[LeaderboardRow], extra: Sequence[str]) -> pd.DataFrame:
    columns = [*COLUMNS, *(column for metric in extra for column in extra_columns(metric))]
    frame = pd.DataFrame(rows, columns=columns)
    texts = {extra_columns(metric)[3] for metric in extra}
    numbers = [name for name in columns if name.startswith("test_") or name.endswith(("_mean", "_seconds"))]
    numbers = [name for name in numbers if name not in texts]
    numbers += ["new_low", "new_high", "gap_to_best", "generalization_gap", "epochs_run", "inference_ms"]
    booleans = ("in_best_set", "in_joint_best_set", "in_best_set_on_test", "below_seed_noise")
    return frame.astype(
        {
            **dict.fromkeys(numbers, "float64"),
            **dict.fromkeys(booleans, "boolean"),
            **dict.fromkeys(_INTEGERS, "Int64"),
            "selected": "bool",
        }
    )


def _reason(record: Record) -> str:
    if record.status == "failed":
        failure = record.failure or {}
        text = ": ".join(filter(None, [failure.get("kind", ""), failure.get("message", "")]))
        return text.strip().splitlines()[0] if text.strip() else "no reason was recorded"
    if record.status == "diverged":
        return "the loss was no longer finite"
    if record.status == "timed_out":
        return f"after {record.run_info.train_seconds / 60:.3g} min of training (`max_minutes`)"
    decisions = (record.pruning or {}).get("decisions") or [{}]
    score = decisions[-1].get("val_accuracy")
    return "below the cut of its rung" + (f" with {100 * score:.2f} % validation accuracy" if score is not None else "")
