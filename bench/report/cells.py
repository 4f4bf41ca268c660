"""Numbers as people read them: the leaderboard's cells, shared by terminal, Markdown and HTML."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pandas as pd

from bench.report.frame import IMAGES

NOTHING = "–"

HEADINGS = {
    "test": "Test accuracy %",
    "validation": "Validation %",
    "gap": "Train − val.",
    "seeds": "Seeds",
    "parameters": "Parameters",
    "flops": "FLOPs",
    "seconds": "Training s",
    "epochs": "Epochs",
}
"""Cell to its column's heading, in order; the configuration's name and its marks stand before them."""


@dataclass(frozen=True)
class Row:
    """A leaderboard row, ready to print: `marks` are short remarks that belong beside the label."""

    label: str
    published: bool
    chosen: bool
    incomplete: bool
    marks: tuple[str, ...]
    cells: dict[str, str]
    numbers: dict[str, Any]


def rows(frame: pd.DataFrame) -> list[Row]:
    """Turn every row of a leaderboard frame into text; `numbers` keeps the frame's own values."""
    return [_row({str(name): value for name, value in row.items()}) for row in frame.to_dict("records")]


def headings(shown: list[Row]) -> dict[str, str]:
    """The columns worth showing: `HEADINGS`, without the epochs where all rows have the same, as the protocol says."""
    epochs = {row.cells["epochs"] for row in shown} - {NOTHING}
    return {name: text for name, text in HEADINGS.items() if name != "epochs" or len(epochs) > 1}


def percent(value: float) -> str:
    """A fraction in percent with two decimals."""
    return NOTHING if pd.isna(value) else f"{100 * value:.2f}"


def accuracy(row: dict[str, Any]) -> str:
    """``88.35 ± 0.21`` for a t interval, ``88.35 [87.71, 88.97]`` for Wilson's, which is not symmetric."""
    if pd.isna(row["test_low"]):
        return percent(row["test_mean"])
    if row["interval"] == IMAGES:
        return f"{percent(row['test_mean'])} [{percent(row['test_low'])}, {percent(row['test_high'])}]"
    # Bounds are cut off at 0 and 1, so the wider side is the interval's half-width.
    half = max(row["test_high"] - row["test_mean"], row["test_mean"] - row["test_low"])
    return f"{percent(row['test_mean'])} ± {100 * half:.2f}"


def count(value: Any) -> str:
    """A whole number with thousands separators."""
    return NOTHING if pd.isna(value) else f"{value:,}"


def _row(row: dict[str, Any]) -> Row:
    published = row["kind"] == "published"
    return Row(
        label=row["label"],
        published=published,
        chosen=bool(row["chosen"]),
        incomplete=row["status"] == "incomplete",
        marks=_marks(row),
        cells={
            "test": accuracy(row),
            "validation": percent(row["validation_mean"]),
            "gap": NOTHING if pd.isna(row["gap"]) else f"{100 * row['gap']:+.2f}".replace("-", "−"),
            "seeds": _seeds(row),
            "parameters": count(row["parameters"]),
            "flops": _short(row["flops"]),
            "seconds": _seconds(row["train_seconds"]),
            "epochs": _epochs(row),
        },
        numbers=row,
    )


def _marks(row: dict[str, Any]) -> tuple[str, ...]:
    if row["kind"] == "published":
        return ("published", *filter(None, row["note"].split("; ")))
    marks = ["chosen by validation"] if row["chosen"] else []
    if row["status"] == "incomplete":
        marks.append("incomplete")
    marks += [f"{row[status]} {status}" for status in ("diverged", "failed", "pruned") if row[status]]
    return tuple(marks)


def _seeds(row: dict[str, Any]) -> str:
    if row["kind"] == "published":
        return NOTHING
    if row["status"] == "incomplete":
        return f"{row['seeds']} of {row['seeds_planned']}"
    return "1 seed" if row["seeds"] == 1 else str(row["seeds"])


def _epochs(row: dict[str, Any]) -> str:
    if pd.isna(row["epochs_run"]) or row["epochs_run"] == row["epochs"]:
        return count(row["epochs"])
    return f"{row['epochs_run']:.1f} of {row['epochs']}"


def _short(value: Any) -> str:
    if pd.isna(value):
        return NOTHING
    for unit, size in (("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return str(value)


def _seconds(value: float) -> str:
    if math.isnan(value):
        return NOTHING
    return f"{value:.1f}" if value < 100 else f"{value:,.0f}"
