"""Numbers as people read them: the leaderboard's cells, shared by terminal, Markdown and HTML."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from bench.metrics import METRICS
from bench.report.estimates import WILSON, Estimate
from bench.report.leaderboard_frame import extra_columns

NOTHING = "–"
KEY_DIGITS = 8
"""Of a key in a table: as many as tell it from the others of a ledger of thousands."""

NEW_IMAGES = "95 % on new images"
TIED, TIED_JOINTLY, TIED_HERE = "tied with the best", "tied all at once only", "tied on this test set"

FIXED = {
    "generalization_gap": "Train − val.",
    "seeds": "Seeds",
    "parameters": "Parameters",
    "flops": "FLOPs",
    "seconds": "Training s",
    "epochs": "Epochs",
}
"""Cell to its column's heading, in order, for those that are the same in every leaderboard."""


@dataclass(frozen=True)
class Row:
    """A leaderboard row, ready to print: `marks` are short remarks that belong beside the label, `ties` those of
    `in_best_set`."""

    label: str
    published: bool
    chosen: bool
    tied: bool
    ties: tuple[str, ...]
    incomplete: bool
    marks: tuple[str, ...]
    cells: dict[str, str]
    numbers: dict[str, Any]


def rows(frame: pd.DataFrame) -> list[Row]:
    """Turn every row of a leaderboard frame into text; `numbers` keeps the frame's own values."""
    return [_row({str(name): value for name, value in row.items()}) for row in frame.to_dict("records")]


def headings(shown: list[Row], metrics: Sequence[str] = ("accuracy",)) -> dict[str, str]:
    """The columns worth showing: without the epochs where all rows have the same, as the protocol says.

    The configuration's name and its marks stand before them.
    """
    epochs = {row.cells["epochs"] for row in shown} - {NOTHING}
    first, *extra = metrics
    of = f" {METRICS[first].heading}" if extra else ""
    return {
        "test": f"Test {METRICS[first].heading}{unit(first)}",
        **{extra_columns(name)[0]: f"Test {METRICS[name].heading}{unit(name)}" for name in extra},
        "validation": f"Validation{of}{unit(first)}",
        **{name: text for name, text in FIXED.items() if name != "epochs" or len(epochs) > 1},
    }


def told_headings(shown: list[Row], metrics: Sequence[str] = ("accuracy",)) -> dict[str, str]:
    """`headings` with the interval on new images after the test figure, where any row has one, for plain tables."""
    found = {}
    for name, text in headings(shown, metrics).items():
        found[name] = text
        if name == "test" and any(row.cells["new"] != NOTHING for row in shown):
            found["new"] = NEW_IMAGES
    return found


def told_marks(row: Row) -> tuple[str, ...]:
    """The row's marks with those of ties with the best, for plain tables."""
    chosen, *others = row.marks or ("",)
    return tuple(filter(None, (chosen, *row.ties, *others) if row.chosen else (*row.ties, chosen, *others)))


def _ties(row: dict[str, Any]) -> tuple[str, ...]:
    """In which sets of `bench.statistics.best_set` a row is; what was not judged is not said."""
    tied, jointly, here = (
        not pd.isna(row[name]) and bool(row[name])
        for name in ("in_best_set", "in_joint_best_set", "in_best_set_on_test")
    )
    words = [TIED] if tied else [TIED_JOINTLY] if jointly else []
    return (*words, *([TIED_HERE] if here else []))


def unit(metric: str) -> str:
    """What a heading or a figure ends in."""
    return " %" if METRICS[metric].percent else ""


def number(value: float, metric: str) -> str:
    """A metric's value: in percent with two decimals, or as it is with four."""
    if METRICS[metric].percent:
        return percent(value)
    return NOTHING if math.isnan(value) else f"{value:.4f}"


def percent(value: float) -> str:
    """A fraction in percent with two decimals."""
    return NOTHING if pd.isna(value) else f"{100 * value:.2f}"


def figure(found: Estimate, metric: str) -> str:
    """``88.35 ± 0.21`` for an interval over seeds, ``88.35 [87.71, 88.97]`` for Wilson's over images."""
    mean = number(found.mean, metric)
    if math.isnan(found.low):
        return mean
    if found.interval == WILSON:
        return f"{mean} [{number(found.low, metric)}, {number(found.high, metric)}]"
    # Bounds lie within 0 and 1, near which the sides differ: the wider one is told.
    return f"{mean} ± {number(max(found.high - found.mean, found.mean - found.low), metric)}"


def ranked(row: dict[str, Any]) -> str:
    """The test figure of the metric that ranks."""
    return figure(Estimate(row["test_mean"], row["test_low"], row["test_high"], row["interval"]), row["metric"])


def _between(low: float, high: float, metric: str) -> str:
    return NOTHING if pd.isna(low) else f"{number(low, metric)} to {number(high, metric)}"


def count(value: Any) -> str:
    """A whole number with thousands separators."""
    return NOTHING if pd.isna(value) else f"{value:,}"


def counted(number: int, thing: str) -> str:
    """``1 trial``, ``2 trials``."""
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


def _row(row: dict[str, Any]) -> Row:
    published = row["kind"] in ("imported", "published")
    metric = row["metric"]
    return Row(
        label=row["label"],
        published=published,
        chosen=bool(row["selected"]),
        tied=not pd.isna(row["in_best_set"]) and bool(row["in_best_set"]),
        ties=_ties(row),
        incomplete=row["status"] == "incomplete",
        marks=_marks(row),
        cells={
            "test": ranked(row),
            "new": _between(row["new_low"], row["new_high"], metric),
            **{extra_columns(name)[0]: _extra(row, name) for name in METRICS if extra_columns(name)[0] in row},
            "validation": number(row["validation_mean"], metric),
            "generalization_gap": _signed(row["generalization_gap"], metric),
            "seeds": _seeds(row),
            "parameters": count(row["parameters"]),
            "flops": _short(row["flops"]),
            "seconds": _seconds(row["train_seconds"]),
            "epochs": _epochs(row),
            "key": row["keys"][:KEY_DIGITS] or NOTHING,
        },
        numbers=row,
    )


def _signed(value: float, metric: str) -> str:
    if math.isnan(value):
        return NOTHING
    return (f"{100 * value:+.2f}" if METRICS[metric].percent else f"{value:+.4f}").replace("-", "−")


def _extra(row: dict[str, Any], metric: str) -> str:
    return figure(Estimate(*(row[column] for column in extra_columns(metric))), metric)


def _marks(row: dict[str, Any]) -> tuple[str, ...]:
    if row["kind"] == "published":
        return ("published", *filter(None, row["note"].split("; ")))
    if row["kind"] == "imported":
        return tuple(row["note"].split("; "))
    marks = ["chosen by validation"] if row["selected"] else []
    if row["status"] == "incomplete":
        marks += ["incomplete", *row["missing_seeds"].split("; ")]
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
