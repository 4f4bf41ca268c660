"""The one frame that every form of the report is written from: a row per configuration or published figure."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from bench.ledger.record import Metrics, Record
from bench.published.catalogue import Reference
from bench.report.sections import Configuration, Section
from bench.statistics.proportions import wilson
from bench.statistics.seeds import Pooled, pooled_seed_deviation, seed_interval

SEEDS = "seeds on this test set, t with pooled variance"
IMAGES = "Wilson, 1 seed"

NEVER_RANKED = "exclude_from_ranking"
"""The flag of published claims that were refuted: they stay listed, below everything else."""

COLUMNS = (
    *("section", "dataset", "kind", "label", "status", "chosen", "seeds", "seeds_planned"),
    *("test_mean", "test_low", "test_high", "interval", "validation_mean", "gap", "parameters", "flops"),
    *("train_seconds", "epochs", "epochs_run", "diverged", "failed", "pruned", "note", "config", "keys"),
)
"""Accuracies, bounds and the gap are fractions; `interval` names what the bounds cover at 95 %.

`kind` is ``ours`` or ``published``; `status` is ``complete`` (every seed asked for), ``incomplete`` or
``published``. `train_seconds` and `epochs_run` are means over the complete seeds, `epochs` is the budget.
`gap` is training minus validation accuracy; after a refit there is none, the two are of different networks.
`note` joins a published figure's flags with semicolons, `keys` the complete trials' keys with spaces.
"""

APART = ("section", "label", "status", "seed", "epoch", "reason", "key")
_WHOLE = ("seeds", "seeds_planned", "parameters", "flops", "epochs", "diverged", "failed", "pruned")


def leaderboard(section: Section, references: Sequence[Reference], images: int) -> pd.DataFrame:
    """The section's table, sorted by test mean: complete ones and published figures, then incomplete ones.

    Refuted claims come last of all.

    Parameters
    ----------
    section
        Its configurations without a complete seed get no row; `apart` has them.
    references
        Published figures of this dataset; they get no interval.
    images
        Number of test images, for the interval of a single seed.
    """
    shown = [one for one in section.configurations if one.having("complete")]
    pooled = pooled_deviation(section)
    winner = chosen(section)
    rows = [_row(section, one, pooled, images, one is winner) for one in shown]
    rows += [_reference_row(section, reference) for reference in references]
    rows.sort(key=_place)
    return _typed(rows)


def empty() -> pd.DataFrame:
    """The leaderboard of an empty ledger."""
    return _typed([])


def apart(section: Section) -> pd.DataFrame:
    """A row per trial that is never ranked: pruned, diverged or failed, with its last epoch and the reason."""
    rows = [
        {
            "section": section.title,
            "label": one.label,
            "status": record.status,
            "seed": record.seed,
            "epoch": record.result.epochs_run,
            "reason": _reason(record),
            "key": record.key,
        }
        for one in section.configurations
        for record in one.records
        if record.status != "complete"
    ]
    return pd.DataFrame(rows, columns=list(APART))


def pooled_deviation(section: Section) -> Pooled | None:
    """The seed noise of test accuracy, pooled over the section's configurations with two complete seeds or more."""
    return pooled_seed_deviation([seed_accuracies(one) for one in section.configurations])


def chosen(section: Section) -> Configuration | None:
    """The complete configuration with the highest mean validation accuracy, the first by name among equals.

    None where there was no choice: without validation, or with fewer than two complete configurations.
    """
    rated = [(one, validation_mean(one)) for one in section.configurations if one.complete]
    rated = [(one, value) for one, value in rated if not math.isnan(value)]
    return max(rated, key=lambda pair: pair[1])[0] if len(rated) > 1 else None


def validation_mean(one: Configuration) -> float:
    """Mean validation accuracy over complete seeds; nan where the protocol has no validation."""
    return _mean([_accuracy(record.result.validation) for record in one.having("complete")])


def seed_accuracies(one: Configuration) -> list[float]:
    """Test accuracy of each complete seed, as fractions."""
    return [record.result.test["accuracy"] for record in one.having("complete") if record.result.test]


def _row(section: Section, one: Configuration, pooled: Pooled | None, images: int, is_chosen: bool) -> dict[str, Any]:
    done = one.having("complete")
    values = seed_accuracies(one)
    if len(values) > 1 and pooled is not None:
        interval, name = seed_interval(values, pooled), SEEDS
    else:
        interval, name = wilson(round(values[0] * images), images), IMAGES
    return {
        "section": section.title,
        "dataset": section.dataset,
        "kind": "ours",
        "label": one.label,
        "status": "complete" if one.complete else "incomplete",
        "chosen": is_chosen,
        "seeds": len(done),
        "seeds_planned": len(one.planned),
        "test_mean": _mean(values),
        "test_low": max(interval.low, 0.0),
        "test_high": min(interval.high, 1.0),
        "interval": name,
        "validation_mean": validation_mean(one),
        "gap": math.nan if one.config.get("refit") else _mean([_gap(record) for record in done]),
        "parameters": done[0].measured.parameters,
        "flops": done[0].measured.flops,
        "train_seconds": _mean([record.measured.train_seconds for record in done]),
        "epochs": one.config.get("epochs"),
        "epochs_run": _mean([float(record.result.epochs_run) for record in done]),
        "diverged": len(one.having("diverged")),
        "failed": len(one.having("failed")),
        "pruned": len(one.having("pruned")),
        "note": "",
        "config": json.dumps(one.config, sort_keys=True),
        "keys": " ".join(record.key for record in done),
    }


def _reference_row(section: Section, reference: Reference) -> dict[str, Any]:
    notes = [flag.replace("_", " ") for flag in reference.flags]
    value = math.nan if reference.value is None else reference.value
    if reference.value is None:
        notes.insert(0, reference.reported)
    elif reference.metric not in ("test_accuracy", "val_accuracy"):
        notes.insert(0, f"{reference.metric.replace('_', ' ')} {100 * value:.2f}")
    return {
        "section": section.title,
        "dataset": section.dataset,
        "kind": "published",
        "label": f"{reference.model} ({reference.id})",
        "status": "published",
        "chosen": False,
        "test_mean": value if reference.metric == "test_accuracy" else math.nan,
        "validation_mean": value if reference.metric == "val_accuracy" else math.nan,
        "interval": "",
        "parameters": reference.parameters,
        "epochs": reference.epochs,
        "note": "; ".join(filter(None, notes)),
        "config": "",
        "keys": "",
    }


def _place(row: dict[str, Any]) -> tuple[int, float, str]:
    value = row["test_mean"]
    if math.isnan(value):
        return (2, -row["validation_mean"] if not math.isnan(row["validation_mean"]) else math.inf, row["label"])
    if NEVER_RANKED.replace("_", " ") in row["note"]:
        return (3, -value, row["label"])
    return (int(row["status"] == "incomplete"), -value, row["label"])


def _typed(rows: list[dict[str, Any]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    numbers = [name for name in COLUMNS if name.startswith("test_") or name.endswith(("_mean", "_seconds"))]
    floats = dict.fromkeys([*numbers, "gap", "epochs_run"], "float64")
    return frame.astype({**floats, **dict.fromkeys(_WHOLE, "Int64"), "chosen": "bool"})


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


def _gap(record: Record) -> float:
    return _accuracy(record.result.train) - _accuracy(record.result.validation)


def _accuracy(metrics: Metrics | None) -> float:
    return metrics["accuracy"] if metrics else math.nan


def _mean(values: list[float]) -> float:
    return float(np.mean(values)) if values else math.nan
