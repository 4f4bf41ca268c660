"""How robust are the networks? Errors on corrupted test images: relative to a baseline, by corruption and severity."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from bench.components.data_questions import CORRUPTIONS, SEVERITIES
from bench.report.charts.drawing import chart_data
from bench.report.charts.style import alt, fitted
from bench.report.comparison import Comparison
from bench.report.document import Chart, Column, OmittedChart, Row, Section, Table
from bench.report.estimates import MODERATED, Estimate, noise_of, seed_values
from bench.report.grouping import Configuration
from bench.report.number_format import count, counted, percent, points
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
"""Percent of errors above which a cell's text is light."""
LIGHT_TEXT, DARK_TEXT = "#fefefe", "#1a1a1a"
"""None of the theme's colours: a dark page turns those, and the cells' colours stay."""


def robustness(comparison: Comparison) -> Section:
    """Mean corruption errors, and a table and a heat map of every corruption and severity."""
    errors = errors_of(comparison)
    section = Section("robustness", TITLE)
    if not errors:
        return section
    baseline = baseline_of(errors)
    summary, cells = summary_frame(errors, baseline, comparison.accuracies), severity_frame(errors)
    return Section(
        section.name,
        TITLE,
        (_summary_table(summary, baseline, errors[baseline], _remarks(comparison, errors)), _severity_table(cells)),
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
        if names:
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


def errorless(tested: Tested) -> list[str]:
    """The corruptions under which no seed makes an error; over a baseline's of 0 an error has no ratio."""
    names, errors, _ = tested
    return [name for name, error in zip(names, errors.sum(axis=(0, 2)), strict=True) if error == 0]


def summary_frame(errors: dict[str, Tested], baseline: str, accuracies: Mapping[str, Estimate]) -> pd.DataFrame:
    """A row per configuration: clean error, mean error under corruption, mCE, each with 95 % over seeds; fractions.

    `accuracies` are those on clean images, by label. mCE is nan where the baseline makes no error under a corruption.
    """
    values = {"corrupted": {label: mean_error(table).tolist() for label, (_, table, _) in errors.items()}}
    of_baseline = errors[baseline][1]
    if not errorless(errors[baseline]):
        values["mce"] = {
            label: mean_corruption_error(table, of_baseline).tolist() for label, (_, table, _) in errors.items()
        }
    noise = {name: noise_of(by_label) for name, by_label in values.items()}
    rows = []
    for label, (_, table, _) in errors.items():
        accuracy = accuracies[label]
        low, high = (accuracy.low, accuracy.high) if accuracy.interval == MODERATED else (math.nan, math.nan)
        intervals = {"clean": Interval(1 - accuracy.mean, 1 - high, 1 - low)}
        for name, by_label in values.items():
            most = 1.0 if name == "corrupted" else math.inf
            intervals[name] = _interval(by_label[label], noise[name].get(label), most)
        row: dict[str, float | str] = {"label": label, "baseline": label == baseline, "seeds": len(table)}
        for name in ("clean", "corrupted", "mce"):
            interval = intervals.get(name, Interval(math.nan, math.nan, math.nan))
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
            interval = _interval(values, noise.get(label), 1.0)
            bounds = {"error": interval.estimate, "low": interval.low, "high": interval.high}
            rows.append({"label": label, "corruption": name, "severity": severity, **bounds, "seeds": len(values)})
    return pd.DataFrame(rows)


def _interval(values: Sequence[float], noise: PooledDeviation | None, most: float) -> Interval:
    """Over seeds, within 0 and `most`."""
    if noise is None:
        return Interval(float(np.mean(values)), math.nan, math.nan)
    bounds = seed_interval(values, noise)
    return Interval(bounds.estimate, max(bounds.low, 0.0), min(bounds.high, most))


def _wider_side(estimate: float, low: float, high: float) -> float:
    """What stands after ±: near 0 and 100 % the sides differ."""
    return max(high - estimate, estimate - low)


def _written(name: str) -> Any:
    def cell(row: Row) -> str:
        side = _wider_side(row[name], row[f"{name}_low"], row[f"{name}_high"])
        return percent(row[name]) if math.isnan(side) else f"{percent(row[name])} ± {percent(side)}"

    return cell


def _remarks(comparison: Comparison, errors: dict[str, Tested]) -> str:
    """How many images there are, and which configurations are left out."""
    n_images = comparison.analysis.correctness.images
    others = sum(
        any(record.result.robustness for record in member.records) and member.label not in errors
        for member in trained(comparison)
    )
    left_out = f" {counted(others, 'configuration')} tested on other corruptions or lacking seeds: left out."
    return f" Each of the {n_images:,} test images is corrupted once per corruption and severity." + left_out * (
        others > 0
    )


def _summary_table(summary: pd.DataFrame, baseline: str, tested: Tested, remarks: str) -> Table:
    names, without = tested[0], errorless(tested)
    no_ratio = f" mCE is not defined here: “{baseline}” makes no error under {_words(without)}."
    return Table(
        name="robustness",
        title="Mean corruption error",
        caption=(
            f"Errors on test images under {_words(names)}, each at five severities, the same images for every network."
            f"{remarks} mCE (Hendrycks and Dietterich 2019) is the mean over corruptions of the error over that of "
            f"“{baseline}”: below 100 is better than it. That baseline is the least accurate on clean images of those "
            "without augmentation and regularizer. ±: 95 % over seeds on this test set, the baseline's mean taken as "
            "it is. Nothing is selected by these errors." + no_ratio * bool(without)
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


def _words(names: Sequence[str]) -> str:
    return ", ".join(name.replace("_", " ") for name in names)


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
    side = _wider_side(row["error"], row["low"], row["high"])
    return f"{100 * row['error']:.1f}" + ("" if math.isnan(side) else f" ± {100 * side:.1f}")


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
    text = alt.condition(f"datum.error > {DARK}", alt.value(LIGHT_TEXT), alt.value(DARK_TEXT))
    layers = [
        base.mark_rect(stroke="#ffffff", strokeWidth=1).encode(color=colours),
        base.mark_text(fontSize=10).encode(text=alt.Text("error:Q", format=".0f"), color=text),
    ]
    return alt.LayerChart(layer=layers, width=alt.Step(CELL), height=alt.Step(CELL - 12), title=title)
