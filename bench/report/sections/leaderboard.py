"""Which configuration is best? Every row with its intervals, its place in the best set, and what it cost."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import pandas as pd

from bench.metrics import METRICS
from bench.report.comparison import Comparison
from bench.report.document import NO_TERMINAL, Cell, Column, Controls, Format, Row, RowStyle, Section, Table
from bench.report.estimates import Estimate
from bench.report.leaderboard_frame import extra_columns, tier
from bench.report.number_format import (
    NOTHING,
    count,
    is_missing,
    level_order,
    magnitude,
    milliseconds,
    number,
    seconds,
    signed,
    unit,
    with_interval,
)
from bench.report.sections.leaderboard_notes import leaderboard_notes
from bench.suite.labels import by_axis

MIN_VALUES = 3
"""A column's best and worst cells are shaded where it has so many different values; of two, one is always worst."""

KEY_DIGITS = 8
"""Digits of a key in a table: enough for a ledger of thousands."""

LESS_IS_BETTER = ("parameters", "flops", "train_seconds", "inference_ms")
PAGE: frozenset[Format] = frozenset({"page"})
TERMINAL: frozenset[Format] = frozenset({"terminal"})
NEW_IMAGES = "95 % on new images"

IN_SET, IN_JOINT_SET, IN_SET_ON_TEST = "●", "○", "◆"
MEANINGS = {
    IN_SET: "not significantly different from the best: each truly best configuration is marked with 95 %.",
    IN_JOINT_SET: "is added where all that are truly best are to be marked at once with 95 %.",
    IN_SET_ON_TEST: "not significantly different from the best of this very test set, where only seeds vary.",
}
SPOKEN = {IN_SET: "in the best set", IN_JOINT_SET: "in the joint best set only", IN_SET_ON_TEST: "on this test set"}


def leaderboard(comparison: Comparison) -> Section:
    """The leaderboard with its notes, and the commands that reproduce its rows."""
    frame = comparison.frame
    table = Table(
        name="leaderboard",
        title="Leaderboard",
        caption=_caption(comparison),
        page_caption=_page_caption(comparison),
        frame=frame,
        columns=tuple(_columns(comparison)),
        style=partial(_style, _remarks(comparison)),
        main=True,
        terminal_rows=None,
        in_full=True,
        essential=lambda row: row["kind"] != "trained" or bool(row["selected"]),
        brief=("test", "seeds"),
        controls=Controls(
            "leaderboard",
            partial(_page_data, frame, METRICS[comparison.metrics[0]].percent, _open_columns(comparison)),
            export_without=("config",),
            sortable=True,
        ),
    )
    rows = [
        {**row, "config": json.loads(row["config"]) if row["config"] else None, "keys": row["keys"].split()}
        for row in frame.to_dict("records")
    ]
    analysis = comparison.analysis
    confirmed = (_confirmed(comparison.confirmed),) if comparison.confirmed else ()
    notes, explanations = leaderboard_notes(comparison)
    return Section(
        "leaderboard",
        "Leaderboard",
        (table, *confirmed, _commands(frame)),
        notes=notes,
        explanations=explanations,
        data=lambda: {
            "leaderboard": rows,
            "findings": {"top": analysis.top, "seed_noise": analysis.seed_noise},
            **({"confirmed": comparison.confirmed.frame.drop(columns="config")} if comparison.confirmed else {}),
        },
    )


def _remarks(comparison: Comparison) -> dict[str, list[str]]:
    """Remarks next to labels: what fresh seeds judge, and what a search proposed where others were listed or drawn."""
    remarks: dict[str, list[str]] = defaultdict(list)
    for label in comparison.confirmed.frame["label"] if comparison.confirmed else ():
        remarks[label].append("confirmed below")
    configurations = comparison.group.configurations
    if not all(configuration.adaptive for configuration in configurations):
        for configuration in configurations:
            if configuration.adaptive:
                remarks[configuration.label].append("proposed by a search")
    return remarks


def _style(remarks: Mapping[str, Sequence[str]], row: Row) -> RowStyle:
    style = row_style(row)
    return replace(style, marks=(*style.marks, *remarks.get(row["label"], ())))


def _confirmed(confirmed: Comparison) -> Table:
    """The selected configuration and its rivals by fresh seeds alone."""
    of_metrics = ("in_best_set", "test", "new", "gap_to_best", "validation", "seeds")
    columns = [column for column in _columns(confirmed) if column.name in ("label", *of_metrics)]
    return Table(
        name="confirmed",
        title="Confirmed with fresh seeds",
        caption=(
            "The configuration selected on validation and those that its seeds did not tell from it there, trained "
            "with seeds by which nothing was selected. The summary judges by these rows; those above are of the "
            "networks that selected."
        ),
        frame=confirmed.frame,
        columns=tuple(columns),
        style=row_style,
        main=True,
        in_full=True,
        terminal_rows=None,
    )


def _commands(frame: pd.DataFrame) -> Table:
    return Table(
        name="commands",
        title="Commands that reproduce each row",
        caption=(
            "Each trains the row's trials again, from their records alone, and compares the results: equal to the bit "
            "on the same machine and versions."
        ),
        frame=frame[frame["command"] != ""],
        columns=(
            Column("label", "Configuration", lambda row: row["label"], "label"),
            Column("command", "Command", lambda row: Cell(row["command"], "code"), "text"),
        ),
        formats=PAGE,
        folded=True,
    )


def row_style(row: Row) -> RowStyle:
    """Whether a row is selected, published or incomplete, and its remarks."""
    note = [remark for remark in row["note"].split("; ") if remark]
    if row["kind"] == "published":
        return RowStyle(("published",), ("published", *note))
    marks = ["selected on validation"] if row["selected"] else []
    if row["status"] != "incomplete":
        if row["kind"] == "imported":
            return RowStyle((), tuple(note))
        return RowStyle(("selected",) if row["selected"] else (), (*marks, *note))
    missing = ("incomplete", *row["missing_seeds"].split("; "))
    return RowStyle(("incomplete",), (*note,) if row["kind"] == "imported" else (*marks, *missing))


def test_columns(comparison: Comparison) -> dict[str, str]:
    """Column of the frame to heading, of each metric displayed on test and validation."""
    first, *extra = comparison.metrics
    of = f" {METRICS[first].heading}" if extra else ""
    return {
        "test_mean": f"Test {METRICS[first].heading}{unit(first)}",
        **{extra_columns(name)[0]: f"Test {METRICS[name].heading}{unit(name)}" for name in extra},
        "validation_mean": f"Validation{of}{unit(first)}",
    }


def _columns(comparison: Comparison) -> list[Column]:
    """The label, the metrics, then what the configuration is and what it cost."""
    label = Column("label", "Configuration", lambda row: row["label"], "label", short="Config.")
    key = Column("key", "Key", lambda row: row["keys"][:KEY_DIGITS] or NOTHING, priority=3, formats=TERMINAL)
    shades = {
        name: _shades(comparison.frame, name, comparison.metrics)
        for name in [*test_columns(comparison), *LESS_IS_BETTER]
    }

    def written(row: Row, column: str, text: str, style: str = "") -> Cell:
        order = math.nan if is_missing(row[column]) else float(row[column])
        return Cell(text, style or shades.get(column, {}).get(row["label"], ""), order)

    return [label, *_metric_columns(comparison, written), *_cost_columns(comparison, written), key]


Written = Callable[..., Cell]
"""Makes the cell of a row in a column of the frame from its text, with the number that sorts and its shade."""


def _metric_columns(comparison: Comparison, written: Written) -> list[Column]:
    """Test metrics with their intervals and what they say about the best, and validation."""
    frame, headings = comparison.frame, test_columns(comparison)
    first, *extra = comparison.metrics

    def of_metric(metric: str, column: str, row: Row) -> Cell:
        estimate = Estimate(*(row[name] for name in extra_columns(metric)))
        return written(row, column, with_interval(estimate, metric))

    def gap_to_best(row: Row) -> Cell:
        faint = "faint" if _true(row["below_seed_noise"]) else ""
        return written(row, "gap_to_best", number(row["gap_to_best"], row["metric"]), faint)

    def test(row: Row) -> Cell:
        return written(row, "test_mean", test_estimate(row))

    def validation(row: Row) -> Cell:
        return written(row, "validation_mean", number(row["validation_mean"], row["metric"]))

    heading = headings["test_mean"]
    short = "Test %" if heading == "Test accuracy %" else heading.removeprefix("Test ")
    columns = [Column("test", heading, test, short=short, priority=0)]
    if frame["in_best_set"].notna().any():
        columns.insert(0, Column("in_best_set", "Best set", _best_set_cell, "symbol", priority=4))
    limits = interval_limits(frame)
    if limits:
        ends = " to ".join(number(end, first) for end in limits)
        columns.append(Column("interval", ends, partial(interval_cell, limits), "drawing", formats=PAGE))
    # With a single seed both intervals are equal: a column of nothing else would say everything twice.
    if frame.loc[frame["seeds"].gt(1).fillna(False), "new_low"].notna().any():
        columns.append(Column("new", NEW_IMAGES, partial(_new_images, written), short="New images", priority=6))
    if frame["gap_to_best"].notna().any():
        columns.append(Column("gap_to_best", "Gap to best", gap_to_best, formats=NO_TERMINAL))
    for metric in extra:
        column = extra_columns(metric)[0]
        short = headings[column].removeprefix("Test ")
        columns.append(Column(column, headings[column], partial(of_metric, metric, column), short=short, priority=5))
    short = "Val. %" if METRICS[first].percent else "Val."
    return [*columns, Column("validation", headings["validation_mean"], validation, short=short, priority=1)]


def _cost_columns(comparison: Comparison, written: Written) -> list[Column]:
    """Gap, seeds, sizes, time, and epochs where they differ."""

    def of(column: str, text_of: Callable[[Row], str]) -> Callable[[Row], Cell]:
        return lambda row: written(row, column, text_of(row))

    gap = of("generalization_gap", lambda row: signed(row["generalization_gap"], row["metric"]))
    parameters = of("parameters", lambda row: count(row["parameters"]))
    flops = of("flops", lambda row: magnitude(row["flops"]))
    time = of("train_seconds", lambda row: seconds(row["train_seconds"]))
    columns = [
        Column("generalization_gap", "Train − val.", gap, short="Gap", priority=7),
        Column("seeds", "Seeds", of("seeds", _seeds), priority=2),
        Column("parameters", "Parameters", parameters, short="Params", priority=8),
        Column("flops", "FLOPs", flops, formats=NO_TERMINAL),
        Column("seconds", "Training s", time, short="Train s", priority=9),
    ]
    if comparison.frame["inference_ms"].notna().any():
        inference = of("inference_ms", lambda row: milliseconds(row["inference_ms"]))
        columns.append(Column("inference", "Inference ms per image", inference, formats=NO_TERMINAL))
    if len(set(map(_epochs, comparison.frame.to_dict("records"))) - {NOTHING}) > 1:
        columns.insert(1, Column("epochs", "Epochs", of("epochs_run", _epochs), formats=NO_TERMINAL))
    return columns


def test_estimate(row: Row) -> str:
    """The test metric that ranks, with its interval."""
    estimate = Estimate(row["test_mean"], row["test_low"], row["test_high"], row["interval"])
    return with_interval(estimate, row["metric"])


def _best_set_cell(row: Row) -> Cell:
    if is_missing(row["in_best_set"]):
        return Cell("")
    symbols, order = "", 0.0
    if row["in_best_set"]:
        symbols, order = IN_SET, 1.0
    elif _true(row["in_joint_best_set"]):
        symbols, order = IN_JOINT_SET, 0.5
    if _true(row["in_best_set_on_test"]):
        symbols, order = symbols + IN_SET_ON_TEST, order + 0.25
    return Cell(symbols, order=order, spoken=", ".join(SPOKEN[symbol] for symbol in symbols))


def _true(value: Any) -> bool:
    return not is_missing(value) and bool(value)


def _new_images(written: Written, row: Row) -> Cell:
    low, high, metric = row["new_low"], row["new_high"], row["metric"]
    text = NOTHING if is_missing(low) else f"[{number(low, metric)}, {number(high, metric)}]"
    return written(row, "new_low", text)


def _seeds(row: Row) -> str:
    if row["kind"] == "published":
        return NOTHING
    if row["status"] == "incomplete":
        return f"{row['seeds']} of {row['seeds_planned']}"
    return "1 seed" if row["seeds"] == 1 else str(row["seeds"])


def _epochs(row: Row) -> str:
    if is_missing(row["epochs_run"]) or row["epochs_run"] == row["epochs"]:
        return count(row["epochs"])
    return f"{row['epochs_run']:.1f} of {row['epochs']}"


def _shades(frame: pd.DataFrame, column: str, metrics: Sequence[str]) -> dict[str, str]:
    """``best`` and ``worst`` by label, among the complete configurations trained here."""
    complete = frame[(frame["kind"] == "trained") & (frame["status"] == "complete") & frame[column].notna()]
    values = complete.set_index("label")[column].astype(float)
    if values.nunique() < MIN_VALUES:
        return {}
    metric = next((name for name in metrics[1:] if extra_columns(name)[0] == column), metrics[0])
    less = column in LESS_IS_BETTER or METRICS[metric].ascending
    styles = {values.min(): "best" if less else "worst", values.max(): "worst" if less else "best"}
    return {str(label): styles[value] for label, value in values.items() if value in styles}


def interval_limits(frame: pd.DataFrame) -> tuple[float, float] | None:
    """The range of test metrics that the rows' intervals span, widened to include published results near it."""
    rows = frame[frame["kind"].ne("published") & frame["test_mean"].notna()]
    if rows.empty:
        return None
    low = min(float(rows[name].fillna(rows["test_mean"]).min()) for name in ("test_low", "new_low"))
    high = max(float(rows[name].fillna(rows["test_mean"]).max()) for name in ("test_high", "new_high"))
    margin = max(high - low, 0.002)
    others = frame.loc[frame["kind"] == "published", "test_mean"]
    near = others[others.between(low - margin, high + margin)].tolist()
    low, high = min([low, *near]), max([high, *near])
    edge = 0.04 * max(high - low, 0.002)
    return max(low - edge, 0.0), min(high + edge, 1.0 if METRICS[rows["metric"].iloc[0]].percent else math.inf)


def interval_cell(limits: tuple[float, float], row: Row) -> Cell:
    """The row's metric and intervals on the common scale, in percent of the width, as custom properties of CSS.

    ``--a`` is the metric, ``--l`` to ``--h`` its interval on this test set, ``--m`` to ``--n`` on new images.
    """

    def position(value: float) -> float:
        return round(100 * (value - limits[0]) / (limits[1] - limits[0]), 2)

    value = row["test_mean"]
    if math.isnan(value) or not limits[0] <= value <= limits[1]:
        return Cell("")
    bounds = {"a": value}
    if not math.isnan(row["test_low"]) and row["test_low"] != row["test_high"]:
        bounds |= {"l": row["test_low"], "h": row["test_high"]}
        new = {"m": row["new_low"], "n": row["new_high"]}
        bounds |= {name: min(max(bound, limits[0]), limits[1]) for name, bound in new.items() if not math.isnan(bound)}
    css = ";".join(f"--{name}:{position(bound):g}" for name, bound in bounds.items())
    return Cell("", "flag" if row["kind"] == "published" else "", css=css)


def _caption(comparison: Comparison) -> str:
    frame, metric = comparison.frame, METRICS[comparison.metrics[0]]
    parts = [
        "Next to each mean is its 95 % interval: ± over seeds on this test set, brackets (Wilson’s) over images for a "
        "single seed."
    ]
    if frame["in_best_set"].notna().any():
        symbols = {IN_SET, *(symbol for row in frame.to_dict("records") for symbol in _best_set_cell(row).text)}
        parts += [f"{symbol} {meaning}" for symbol, meaning in MEANINGS.items() if symbol in symbols]
    points = ", in points" if metric.percent else ""
    parts.append(f"Train − val. is training minus validation {metric.heading}{points}.")
    parts.append(
        "Parameters are those trained (running statistics of batch normalisation apart); FLOPs are of one image's "
        "forward pass, a multiply-add as two."
    )
    return " ".join(parts)


def _page_caption(comparison: Comparison) -> str:
    """What the page draws."""
    frame = comparison.frame
    wider = bool((frame["new_low"] < frame["test_low"]).any())
    parts = [
        f"The strip draws the interval thick{', the one on new images thin' * wider}; published results stand upright."
    ]
    if frame["below_seed_noise"].fillna(False).any():
        parts.append("Grey: seeds alone make as large a gap, 2 s √(1/s1 + 1/s2).")
    if any(_shades(frame, name, comparison.metrics) for name in [*test_columns(comparison), *LESS_IS_BETTER]):
        parts.append("Shaded: best (blue) and worst (orange) of a column among complete configurations.")
    return " ".join(parts)


def _open_columns(comparison: Comparison) -> list[str]:
    """The columns that a page displays at first; the others wait under “Columns”."""
    extra = [extra_columns(metric)[0] for metric in comparison.metrics[1:]]
    frame = comparison.frame
    budgets = frame.loc[frame["kind"] == "trained", "epochs"].nunique() > 1
    return ["in_best_set", "test", "interval", *extra, "seconds", "seeds", *(["epochs"] if budgets else [])]


def _page_data(
    frame: pd.DataFrame, percent: bool, open_columns: Sequence[str], positions: Sequence[int]
) -> dict[str, Any]:
    """What the page's script needs: whether metrics are fractions, columns open at first, tiers, values on each axis.

    Axes are a list of different values and, per row, the position in it, or null for a published result.
    """
    rows = frame.iloc[list(positions)]
    configured = [index for index, kind in enumerate(rows["kind"]) if kind == "trained"]
    configs = [json.loads(rows["config"].iloc[index]) for index in configured]
    axes = []
    for axis, values in by_axis(configs).items():
        different = sorted(set(values), key=level_order)
        of_row: list[int | None] = [None] * len(rows)
        for index, value in zip(configured, values, strict=True):
            of_row[index] = different.index(value)
        axes.append({"name": axis.replace("_", " "), "values": different, "rows": of_row})
    return {
        "percent": percent,
        "open": list(open_columns),
        "tiers": [tier(row) for row in rows.to_dict("records")],
        "axes": axes,
    }
