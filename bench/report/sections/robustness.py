"""How robust are the networks? Errors on corrupted test images: relative to a baseline, by corruption and severity."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from bench.components.data_questions import CORRUPTIONS, SEVERITIES
from bench.report.charts.drawing import chart_data
from bench.report.charts.style import alt, fitted
from bench.report.comparison import Comparison
from bench.report.document import Chart, Column, OmittedChart, Row, Section, Table
from bench.report.estimates import noise_of, seed_values
from bench.report.grouping import Configuration
from bench.report.number_format import count, percent, points
from bench.report.sections.budget import trained
from bench.statistics.corruption_error import Errors, mean_corruption_error, mean_error
from bench.statistics.intervals import Interval, PooledDeviation, seed_interval

TITLE = "Robustness"
CHART = "Errors by corruption and severity"
MAX_PANELS = 6
CELL = 34
"""Pixels."""

PALETTE = ("#fff7ec", "#fdbb84", "#e34a33", "#7f0000")
DARK = 45
"""Percent of errors above which a cell's text is white."""


def robustness(comparison: Comparison) -> Section:
    """Mean corruption errors, and a table and a heat map of every corruption and severity."""
    errors = errors_of(comparison)
    section = Section("robustness", TITLE)
    if not errors:
        return section
    baseline = baseline_of(errors)
    summary, cells = summary_frame(errors, baseline), severity_frame(errors)
    n_images = comparison.analysis.correctness.images
    of_images = (
        f" Each of the {n_images:,} test images is corrupted once per corruption and severity." if n_images else ""
    )
    return Section(
        section.name,
        TITLE,
        (_summary_table(summary, baseline, next(iter(errors.values()))[0], of_images), _severity_table(cells)),
        draw=lambda: (heat_map(cells, summary),),
        data=lambda: {"findings": {"robustness": summary, "corruptions": cells}},
    )


Tested = tuple[list[str], Errors, Configuration]
"""The corruptions, the errors of each seed, and whose they are."""


def errors_of(comparison: Comparison) -> dict[str, Tested]:
    """By label, of the complete configurations that were tested on the corruptions that most were tested on."""
    tested: dict[str, Tested] = {}
    for member in trained(comparison):
        results = [record.result.robustness for record in member.with_status("complete")]
        if not member.complete or not results or any(not result for result in results):
            continue
        names = [name for name in CORRUPTIONS if all(name in result for result in results if result)]
        errors = np.array([[1 - np.array(result[name]) for name in names] for result in results if result])
        tested[member.label] = names, errors, member
    by_names: dict[tuple[str, ...], int] = {}
    for names, _, _ in tested.values():
        by_names[tuple(names)] = by_names.get(tuple(names), 0) + 1
    most = max(by_names, key=lambda names: by_names[names], default=())
    return {label: result for label, result in tested.items() if tuple(result[0]) == most}


def baseline_of(errors: dict[str, Tested]) -> str:
    """The label of the least accurate configuration on clean images, of those without augmentation and regularizer."""
    plain = [
        label
        for label, (_, _, member) in errors.items()
        if not member.config["augmentation"] and not member.config["regularizer"]
    ]
    return min(plain or errors, key=lambda label: float(np.mean(seed_values(errors[label][2]))))


def summary_frame(errors: dict[str, Tested], baseline: str) -> pd.DataFrame:
    """A row per configuration: clean error, mean error under corruption, mCE, each with 95 % over seeds; fractions."""
    columns = {
        "clean": {label: [1 - value for value in seed_values(member)] for label, (_, _, member) in errors.items()},
        "corrupted": {label: mean_error(table).tolist() for label, (_, table, _) in errors.items()},
        "mce": {
            label: mean_corruption_error(table, errors[baseline][1]).tolist() for label, (_, table, _) in errors.items()
        },
    }
    noise = {name: noise_of(values) for name, values in columns.items()}
    rows = []
    for label in errors:
        row: dict[str, float | str] = {
            "label": label,
            "baseline": label == baseline,
            "seeds": len(columns["clean"][label]),
        }
        for name, by_label in columns.items():
            interval = _interval(by_label[label], noise[name].get(label))
            row |= {name: interval.estimate, f"{name}_low": interval.low, f"{name}_high": interval.high}
        rows.append(row)
    return pd.DataFrame(rows).sort_values("corrupted", kind="stable").reset_index(drop=True)


def severity_frame(errors: dict[str, Tested]) -> pd.DataFrame:
    """A row per configuration, corruption and severity: error, with 95 % over seeds; fractions."""
    by_cell: dict[tuple[str, int], dict[str, list[float]]] = {}
    for label, (names, table, _) in errors.items():
        for position, name in enumerate(names):
            for severity in SEVERITIES:
                by_cell.setdefault((name, severity), {})[label] = table[:, position, severity - 1].tolist()
    rows = []
    for (name, severity), by_label in by_cell.items():
        noise = noise_of(by_label)
        for label, values in by_label.items():
            interval = _interval(values, noise.get(label))
            bounds = {"error": interval.estimate, "low": interval.low, "high": interval.high}
            rows.append({"label": label, "corruption": name, "severity": severity, **bounds, "seeds": len(values)})
    return pd.DataFrame(rows)


def _interval(values: Sequence[float], noise: PooledDeviation | None) -> Interval:
    if noise is None:
        return Interval(float(np.mean(values)), math.nan, math.nan)
    return seed_interval(values, noise)


def _written(name: str) -> Any:
    def cell(row: Row) -> str:
        half = (row[f"{name}_high"] - row[f"{name}_low"]) / 2
        return percent(row[name]) if math.isnan(half) else f"{percent(row[name])} ± {percent(half)}"

    return cell


def _summary_table(summary: pd.DataFrame, baseline: str, names: list[str], of_images: str) -> Table:
    return Table(
        name="robustness",
        title="Mean corruption error",
        caption=(
            f"Errors on test images under {', '.join(name.replace('_', ' ') for name in names)}, each at five "
            f"severities, the same images for every network.{of_images} mCE (Hendrycks and Dietterich 2019) is the "
            f"mean over corruptions of the error over that of “{baseline}”: below 100 is better than it. That baseline "
            "is the least accurate on clean images of those without augmentation and regularizer. ±: 95 % over seeds "
            "on this test set, the baseline's mean taken as it is. Nothing is selected by these errors."
        ),
        frame=summary,
        columns=(
            Column("label", "Configuration", lambda row: row["label"], "label"),
            Column("clean", "Clean error %", _written("clean")),
            Column("corrupted", "Mean error under corruption %", _written("corrupted")),
            Column("increase", "Increase", lambda row: points(row["corrupted"] - row["clean"])),
            Column("mce", "mCE %", _written("mce")),
            Column("seeds", "Seeds", lambda row: count(row["seeds"])),
        ),
    )


def _severity_table(cells: pd.DataFrame) -> Table:
    """A row per configuration and corruption, a column per severity."""
    keys = ["label", "corruption"]
    wide = cells.assign(text=[_cell_text(row) for row in cells.to_dict("records")])
    frame = wide.pivot_table(index=keys, columns="severity", values="text", aggfunc="first", sort=False).reset_index()
    frame = frame.merge(cells.groupby(keys)["error"].mean().rename("mean").reset_index(), on=keys)
    order = {name: position for position, name in enumerate(CORRUPTIONS)}
    frame = frame.sort_values("corruption", key=lambda names: names.map(order), kind="stable").reset_index(drop=True)
    severities = tuple(
        Column(f"severity-{severity}", f"Severity {severity}", partial(_text_of, str(severity)))
        for severity in SEVERITIES
    )
    return Table(
        name="corruptions",
        title="Errors by corruption and severity",
        caption="Mean errors in percent over seeds ± 95 % on this test set.",
        frame=frame.rename(columns=str),
        columns=(
            Column("corruption", "Corruption", lambda row: row["corruption"].replace("_", " "), "text"),
            Column("label", "Configuration", lambda row: row["label"], "label"),
            *severities,
            Column("mean", "Mean", lambda row: percent(row["mean"])),
        ),
        in_full=True,
    )


def _text_of(name: str, row: Row) -> str:
    return str(row[name])


def _cell_text(row: Row) -> str:
    half = (row["high"] - row["low"]) / 2
    return f"{100 * row['error']:.1f}" + ("" if math.isnan(half) else f" ± {100 * half:.1f}")


def heat_map(cells: pd.DataFrame, summary: pd.DataFrame) -> Chart | OmittedChart:
    """A panel per configuration, of the lowest mean errors and the baseline."""
    labels = list(summary["label"][:MAX_PANELS])
    baseline = summary.loc[summary["baseline"], "label"].iloc[0]
    labels = labels if baseline in labels else [*labels[: MAX_PANELS - 1], baseline]
    names = list(dict.fromkeys(cells["corruption"]))
    titles = fitted(labels, len(SEVERITIES) * CELL)
    panels = [
        _panel(cells[cells["label"] == label], titles[label], names, i % 2 == 0) for i, label in enumerate(labels)
    ]
    rows = [alt.hconcat(*panels[start : start + 2], spacing=12) for start in range(0, len(panels), 2)]
    chart = alt.vconcat(*rows, spacing=16).resolve_scale(color="shared")
    left = (
        f" The {MAX_PANELS} configurations with the lowest mean error are drawn, or the baseline instead of the last."
    )
    caption = "Mean errors in percent on corrupted test images, over seeds; darker is worse." + left * (
        len(summary) > MAX_PANELS
    )
    return Chart("robustness", CHART, caption, chart)


def _panel(cells: pd.DataFrame, title: str, names: list[str], with_names: bool) -> alt.LayerChart:
    rows = cells.assign(
        error=100 * cells["error"],
        low=100 * cells["low"],
        high=100 * cells["high"],
        corruption=cells["corruption"].str.replace("_", " "),
    )
    order = [name.replace("_", " ") for name in names]
    axis = alt.Axis(domain=False, ticks=False) if with_names else None
    base = alt.Chart(chart_data(rows)).encode(
        x=alt.X("severity:O", title="severity", axis=alt.Axis(labelAngle=0, domain=False, ticks=False)),
        y=alt.Y("corruption:N", sort=order, title=None, axis=axis),
        tooltip=[
            alt.Tooltip("label:N", title="configuration"),
            alt.Tooltip("corruption:N"),
            alt.Tooltip("severity:O"),
            alt.Tooltip("error:Q", title="error in %", format=".1f"),
            alt.Tooltip("low:Q", title="95 %, from", format=".1f"),
            alt.Tooltip("high:Q", title="to", format=".1f"),
        ],
    )
    scale = alt.Scale(domain=[0, 100], range=list(PALETTE))
    colours = alt.Color("error:Q", scale=scale, legend=None)
    text = alt.condition(f"datum.error > {DARK}", alt.value("#ffffff"), alt.value("#1c2024"))
    layers = [
        base.mark_rect(stroke="#ffffff", strokeWidth=1).encode(color=colours),
        base.mark_text(fontSize=10).encode(text=alt.Text("error:Q", format=".0f"), color=text),
    ]
    return alt.LayerChart(layer=layers, width=alt.Step(CELL), height=alt.Step(CELL - 12), title=title)
