"""The one frame that every form of the report is written from: a row per configuration or published figure."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import astuple
from typing import Any

import pandas as pd

from bench.ledger.record import Record
from bench.metrics import METRICS
from bench.published.reference_data import Reference
from bench.report.estimates import (
    MODERATED,
    Estimate,
    chosen,
    estimate,
    mean,
    seed_noise,
    seed_values,
    validation_mean,
)
from bench.report.figures import value
from bench.report.findings.standings import RankStatistics
from bench.report.grouping import Configuration, TrialGroup
from bench.statistics.intervals import PooledDeviation

NEVER_RANKED = "exclude_from_ranking"
"""The flag of published claims that were refuted: they stay listed, below everything else."""

COLUMNS = (
    *("section", "dataset", "kind", "label", "status", "chosen", "seeds", "seeds_planned", "missing"),
    *("test_mean", "test_low", "test_high", "interval", "new_low", "new_high"),
    *("tied", "tied_jointly", "tied_here", "behind", "below_seed_noise"),
    *("validation_mean", "train_mean", "gap", "parameters", "flops", "train_seconds", "epochs", "epochs_run"),
    *("diverged", "failed", "pruned", "note", "config", "keys", "command", "metric"),
)
"""Accuracies, bounds and gaps are fractions; `interval` names what `test_low` and `test_high` cover at 95 %.

`new_low` and `new_high` are the 95 % interval on new images, seeds and images varying; `tied` and `tied_jointly` say
whether a configuration may be the best of the complete ones (`bench.statistics.best_set`), each by
itself and all at once,
and `tied_here` whether it may be the best of this test set; NA where that was not judged. `behind` is how far the mean
lies behind the best complete one, `below_seed_noise` whether seeds alone make as large a difference. All these are of
accuracy and are there where accuracy ranks.

`metric` is what `test_mean`, its bounds, `validation_mean` and `gap` are of, the one that ranks. Every further metric
that a suite shows adds three columns, ``test_ece``, ``test_ece_low`` and ``test_ece_high`` for `ece`.
`kind` is ``ours``, ``added`` (from its predictions alone, `bench.ledger.external`) or ``published``; `status` is
``complete`` (every seed asked for), ``incomplete`` or ``published``; `missing` names the seeds that are in no mean of
an incomplete one, with why, ``seeds 2, 3 diverged; seed 4 not run``. `train_seconds` and `epochs_run` are means over
the complete seeds, `epochs` is the budget.
`gap` is training minus validation accuracy; after a refit there is none, the two are of different networks.
`note` joins a published figure's flags with semicolons, `keys` the complete trials' keys with spaces; `command` runs
those trials again and says whether they agree.
"""

APART = ("section", "label", "status", "seed", "epoch", "reason", "key")
_OF_ADDED: dict[str, Any] = {
    "train_seconds": math.nan,
    "epochs": None,
    "epochs_run": math.nan,
    "command": "",
    "note": "added; not trained here, protocol unknown",
}
"""What stands in the row of a configuration that was added from its predictions alone."""
_WHOLE = ("seeds", "seeds_planned", "parameters", "flops", "epochs", "diverged", "failed", "pruned")


def leaderboard(
    group: TrialGroup,
    references: Sequence[Reference],
    images: int,
    metrics: Sequence[str] = ("accuracy",),
    standings: Mapping[str, RankStatistics] | None = None,
    repeat: str = "bench reproduce",
) -> pd.DataFrame:
    """The section's table, the best test mean first: complete ones and published figures, then incomplete ones.

    Refuted claims come last of all.

    Parameters
    ----------
    section
        Its configurations without a complete seed get no row; `apart` has them.
    references
        Published figures of this dataset; they get no interval.
    images
        Number of test images, for the interval of a single seed.
    metrics
        What is shown; the first one ranks.
    standings
        By label, what the predictions say of the accuracy: `bench.report.findings.analysis.Analysis.standings`.
    repeat
        The command that runs trials again, to which each row adds its keys.
    """
    shown = [one for one in group.configurations if one.having("complete")]
    noise = {metric: seed_noise(group, metric) for metric in metrics}
    winner = chosen(group, metrics[0])
    judged = standings or {}
    rows = [_row(group, one, noise, images, one is winner, judged.get(one.label), repeat) for one in shown]
    rows += [_reference_row(group, reference, metrics) for reference in references]
    rows.sort(key=_place)
    return _typed(rows, metrics[1:])


def empty() -> pd.DataFrame:
    """The leaderboard of an empty ledger."""
    return _typed([], ())


def extra_columns(metric: str) -> tuple[str, str, str, str]:
    """The columns of a metric that is shown and does not rank: mean, lower and upper bound, and the interval's kind."""
    return f"test_{metric}", f"test_{metric}_low", f"test_{metric}_high", f"test_{metric}_interval"


def apart(group: TrialGroup) -> pd.DataFrame:
    """A row per trial that is never ranked: pruned, diverged or failed, with its last epoch and the reason."""
    rows = [
        {
            "section": group.title,
            "label": one.label,
            "status": record.status,
            "seed": record.seed,
            "epoch": record.last_epoch,
            "reason": _reason(record),
            "key": record.key,
        }
        for one in group.configurations
        for record in one.records
        if record.status != "complete"
    ]
    return pd.DataFrame(rows, columns=list(APART))


def _row(
    group: TrialGroup,
    one: Configuration,
    noise: dict[str, dict[str, PooledDeviation]],
    images: int,
    is_chosen: bool,
    standing: RankStatistics | None,
    repeat: str,
) -> dict[str, Any]:
    done = one.having("complete")
    found = {name: estimate(seed_values(one, name), name, of.get(one.label), images) for name, of in noise.items()}
    if standing and standing.this and "accuracy" in found:
        found["accuracy"] = Estimate(found["accuracy"].mean, standing.this.low, standing.this.high, MODERATED)
    metric, *extra = found
    more = {
        column: part for name in extra for column, part in zip(extra_columns(name), astuple(found[name]), strict=True)
    }
    return {
        "section": group.title,
        "dataset": group.dataset,
        "kind": "added" if one.added else "ours",
        "label": one.label,
        "status": "complete" if one.complete else "incomplete",
        "chosen": is_chosen,
        "seeds": len(done),
        "seeds_planned": len(one.planned),
        "missing": "; ".join(one.absent),
        "test_mean": found[metric].mean,
        "test_low": found[metric].low,
        "test_high": found[metric].high,
        "interval": found[metric].interval,
        **(_judged(standing) if standing and metric == "accuracy" else {}),
        "validation_mean": validation_mean(one, metric),
        "train_mean": mean([value(record, "train", metric) for record in done]),
        "gap": math.nan if one.config.get("refit") else mean([_gap(record, metric) for record in done]),
        "parameters": done[0].run_info.parameters,
        "flops": done[0].run_info.flops,
        "train_seconds": mean([record.run_info.train_seconds for record in done]),
        "epochs": one.config.get("epochs"),
        "epochs_run": mean([float(record.result.epochs_run) for record in done]),
        "diverged": len(one.having("diverged")),
        "failed": len(one.having("failed")),
        "pruned": len(one.having("pruned")),
        "note": "",
        "config": json.dumps(one.config, sort_keys=True),
        "keys": " ".join(record.key for record in done),
        "command": " ".join([repeat, *(record.key for record in done)]),
        "metric": metric,
        **more,
        **(_OF_ADDED if one.added else {}),
    }


def _judged(standing: RankStatistics) -> dict[str, Any]:
    return {
        "new_low": standing.new.low,
        "new_high": standing.new.high,
        "tied": standing.tied,
        "tied_jointly": standing.jointly,
        "tied_here": standing.here,
        "behind": standing.behind,
        "below_seed_noise": standing.below_seed_noise,
    }


def _reference_row(group: TrialGroup, reference: Reference, metrics: Sequence[str]) -> dict[str, Any]:
    notes = [flag.replace("_", " ") for flag in reference.flags]
    number = math.nan if reference.value is None else reference.value
    place = (reference.part, reference.figure)
    columns = {("test", metrics[0]): "test_mean", ("validation", metrics[0]): "validation_mean"}
    columns |= {("test", name): extra_columns(name)[0] for name in metrics[1:]}
    if reference.value is None:
        notes.insert(0, reference.reported)
    elif place not in columns:
        notes.insert(0, f"{reference.metric.replace('_', ' ')} {100 * number:.2f}")
    return {
        "test_mean": math.nan,
        "validation_mean": math.nan,
        "section": group.title,
        "dataset": group.dataset,
        "kind": "published",
        "label": f"{reference.model} ({reference.id})",
        "status": "published",
        "chosen": False,
        "missing": "",
        "interval": "",
        "parameters": reference.parameters,
        "epochs": reference.epochs,
        "note": "; ".join(filter(None, notes)),
        "config": "",
        "keys": "",
        "command": "",
        "metric": metrics[0],
        **({columns[place]: number} if place in columns else {}),
    }


def _place(row: dict[str, Any]) -> tuple[int, float, str]:
    better = METRICS[row["metric"]].better
    figure = row["test_mean"]
    if math.isnan(figure):
        rated = row["validation_mean"]
        return (2, math.inf if math.isnan(rated) else -better(rated), row["label"])
    if NEVER_RANKED.replace("_", " ") in row["note"]:
        return (3, -better(figure), row["label"])
    return (int(row["status"] == "incomplete"), -better(figure), row["label"])


def _typed(rows: list[dict[str, Any]], extra: Sequence[str]) -> pd.DataFrame:
    columns = [*COLUMNS, *(column for metric in extra for column in extra_columns(metric))]
    frame = pd.DataFrame(rows, columns=columns)
    texts = {extra_columns(metric)[3] for metric in extra}
    numbers = [name for name in columns if name.startswith("test_") or name.endswith(("_mean", "_seconds"))]
    numbers = [name for name in numbers if name not in texts]
    floats = dict.fromkeys([*numbers, "new_low", "new_high", "behind", "gap", "epochs_run"], "float64")
    truths = dict.fromkeys(["tied", "tied_jointly", "tied_here", "below_seed_noise"], "boolean")
    return frame.astype({**floats, **truths, **dict.fromkeys(_WHOLE, "Int64"), "chosen": "bool"})


def _reason(record: Record) -> str:
    if record.status == "failed":
        failure = record.failure or {}
        text = ": ".join(filter(None, [failure.get("kind", ""), failure.get("message", "")]))
        return text.strip().splitlines()[0] if text.strip() else "no reason was recorded"
    if record.status == "diverged":
        return "the loss was no longer finite"
    decisions = (record.pruning or {}).get("decisions") or [{}]
    score = decisions[-1].get("val_accuracy")
    return "below the cut of its rung" + (f" with {100 * score:.2f} % validation accuracy" if score is not None else "")


def _gap(record: Record, metric: str) -> float:
    return value(record, "train", metric) - value(record, "validation", metric)
