"""What do wrong training labels and long tails cost? Accuracy by their rate and ratio, everything else equal."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from bench.report.charts.drawing import chart_data
from bench.report.charts.style import HEIGHT, SERIES, SHAPES, WIDTH, alt, legend
from bench.report.comparison import Comparison
from bench.report.document import Chart, Column, OmittedChart, Section, Table
from bench.report.estimates import Estimate, seed_values
from bench.report.grouping import Configuration, families
from bench.report.number_format import mean_count, points, points_interval, with_interval
from bench.report.sections.budget import trained
from bench.statistics.contrasts import difference
from bench.statistics.intervals import Interval
from bench.suite.labels import axis_label

COLUMNS = (
    "family",
    "label",
    "value",
    "kind",
    "amount",
    "images",
    "wrong",
    "accuracy",
    "low",
    "high",
    "interval",
    "difference",
    "difference_low",
    "difference_high",
)
SECTION_TITLES = {"label_noise": "Wrong training labels", "imbalance": "Long tails"}
CHART_TITLES = {"label_noise": "Accuracy and wrong training labels", "imbalance": "Accuracy and long tails"}
AMOUNTS = {
    "label_noise": "training labels that are wrong in %",
    "imbalance": "images of the first class over the last one",
}
MAX_FAMILIES = 6


def label_noise(comparison: Comparison) -> Section:
    """Accuracy by the fraction of wrong training labels."""
    return _section(comparison, "label_noise")


def imbalance(comparison: Comparison) -> Section:
    """Accuracy by the ratio of a long tail."""
    return _section(comparison, "imbalance")


def _section(comparison: Comparison, axis: str) -> Section:
    frame = changed_frame(comparison, axis)
    name, words, title = axis.replace("_", "-"), axis.replace("_", " "), SECTION_TITLES[axis]
    if not len(frame):
        return Section(name, title)
    networks = " One seed each: seed noise is not included." * comparison.analysis.single_seeds
    wrong = (Column("wrong", "Wrong labels", lambda row: mean_count(row["wrong"])),) if axis == "label_noise" else ()
    table = Table(
        name=name,
        title=title,
        caption=(
            f"Mean test accuracy of configurations that differ in {words} alone, with 95 % intervals as in the "
            "leaderboard; validation and test labels are the true ones, and test classes as large as they are. "
            "Difference: from the same configuration without it, in points, with the 95 % interval on new "
            f"images.{networks}"
        ),
        frame=frame,
        columns=(
            Column("family", "Configuration", lambda row: row["family"], "label"),
            Column("value", words.capitalize(), lambda row: row["value"], "text"),
            Column("images", "Training images", lambda row: mean_count(row["images"])),
            *wrong,
            Column(
                "accuracy",
                "Test accuracy %",
                lambda row: with_interval(
                    Estimate(row["accuracy"], row["low"], row["high"], row["interval"]), "accuracy"
                ),
            ),
            Column("difference", "Difference", lambda row: points(row["difference"])),
            Column(
                "difference_interval",
                "95 % of it",
                lambda row: points_interval(row["difference_low"], row["difference_high"]),
            ),
        ),
    )
    return Section(
        name,
        title,
        (table,),
        draw=lambda: (changed_chart(frame, axis),),
        data=lambda: {"findings": {axis: frame}},
    )


def changed_frame(comparison: Comparison, axis: str) -> pd.DataFrame:
    """`COLUMNS`, a row per complete configuration of each family that has two values of the axis or more.

    `amount` is the fraction of wrong labels in percent, or the ratio of the tail (1 for none, nan for another's code).
    """
    rows: list[dict[str, float | str]] = []
    for family, members in families(trained(comparison), axis).items():
        complete = [member for member in members if member.complete and seed_values(member)]
        if len(complete) < 2:
            continue
        plain = next((member for member in complete if _is_plain(member, axis)), None)
        family_rows = [_row(comparison, family, member, plain, axis) for member in complete]
        rows += sorted(family_rows, key=lambda row: (row["kind"] != "none", row["kind"], row["amount"]))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _row(
    comparison: Comparison, family: str, member: Configuration, plain: Configuration | None, axis: str
) -> dict[str, float | str]:
    accuracy, effect = comparison.accuracies[member.label], _difference(comparison, member, plain)
    return {
        "family": family,
        "label": member.label,
        **_amounts(member, axis),
        "accuracy": accuracy.mean,
        "low": accuracy.low,
        "high": accuracy.high,
        "interval": accuracy.interval,
        "difference": effect.estimate,
        "difference_low": effect.low,
        "difference_high": effect.high,
    }


def _difference(comparison: Comparison, member: Configuration, plain: Configuration | None) -> Interval:
    """Of the mean accuracies, on new images; nan for the plain configuration itself, and without one."""
    analysis = comparison.analysis
    labels = {member.label} | ({plain.label} if plain else set())
    if analysis.estimates is None or len(labels) < 2 or not labels <= analysis.indices.keys():
        return Interval(math.nan, math.nan, math.nan)
    assert plain is not None
    effect = difference(analysis.estimates, analysis.indices[member.label], analysis.indices[plain.label])
    return Interval(effect.estimate, effect.low, effect.high)


def _is_plain(member: Configuration, axis: str) -> bool:
    return axis not in member.config or member.config[axis]["name"] == "none"


def _amounts(member: Configuration, axis: str) -> dict[str, float | str]:
    value, plain = member.config.get(axis, {"name": "none"}), _is_plain(member, axis)
    infos = [record.run_info for record in member.with_status("complete")]
    images = float(np.mean([info.train_images or math.nan for info in infos]))
    wrong = float(np.mean([math.nan if info.wrong_labels is None else info.wrong_labels for info in infos]))
    if axis == "label_noise":
        wrong = 0.0 if plain else wrong
        amount = 0.0 if plain else 100 * wrong / images
    else:
        amount = 1.0 if plain else float(value.get("ratio", math.nan))
    return {
        "value": axis_label(value, axis, all_parameters=True),
        "kind": value["name"],
        "amount": amount,
        "images": images,
        "wrong": wrong,
    }


def changed_chart(frame: pd.DataFrame, axis: str) -> Chart | OmittedChart:
    """A line per family and kind, from the configuration without it on."""
    title = CHART_TITLES[axis]
    rows = frame[np.isfinite(frame["amount"])]
    families_drawn = list(dict.fromkeys(rows["family"]))[:MAX_FAMILIES]
    parts = []
    for family in families_drawn:
        family_rows = rows[rows["family"] == family]
        for kind in dict.fromkeys(family_rows.loc[family_rows["kind"] != "none", "kind"]):
            line = family_rows[family_rows["kind"].isin(["none", kind])]
            parts.append(line.assign(line=f"{family}, {kind}" if axis == "label_noise" else family))
    if not parts:
        return OmittedChart(title, "no values that have a number")
    drawn = pd.concat(parts, ignore_index=True)
    drawn = drawn.assign(**{name: 100 * drawn[name] for name in ("accuracy", "low", "high")})
    lines = list(dict.fromkeys(drawn["line"]))
    names = lines[: len(SERIES)]
    drawn = drawn[drawn["line"].isin(names)]
    scale = alt.Scale(type="log" if axis == "imbalance" else "linear")
    x = alt.X("amount:Q", scale=scale, title=AMOUNTS[axis], axis=alt.Axis(tickCount=5))
    base = alt.Chart(
        chart_data(drawn.drop(columns=["interval", "difference", "difference_low", "difference_high"]))
    ).encode(
        x=x,
        color=alt.Color(
            "line:N", scale=alt.Scale(domain=names, range=list(SERIES[: len(names)])), legend=legend(names)
        ),
    )
    y = alt.Y("accuracy:Q", scale=alt.Scale(zero=False), title="test accuracy in %")
    marks = base.mark_point(filled=True, size=55, opacity=1).encode(
        y=y,
        shape=alt.Shape(
            "line:N", scale=alt.Scale(domain=names, range=list(SHAPES[: len(names)])), legend=legend(names)
        ),
        tooltip=[
            alt.Tooltip("label:N", title="configuration"),
            alt.Tooltip("value:N", title=axis.replace("_", " ")),
            alt.Tooltip("accuracy:Q", title="test accuracy in %", format=".2f"),
        ],
    )
    layers = [
        base.mark_line(strokeWidth=1.2, opacity=0.7).encode(y=y),
        base.mark_rule(strokeWidth=2).encode(y=alt.Y("low:Q", title="test accuracy in %"), y2="high:Q"),
        marks,
    ]
    n_families = rows["family"].nunique()
    cut = n_families > MAX_FAMILIES or len(lines) > len(names)
    caption = "Mean test accuracy with 95 % intervals; everything else is equal." + cut * (
        f" The first {len(names)} lines are drawn; the table has all."
    )
    return Chart(axis.replace("_", "-"), title, caption, alt.LayerChart(layer=layers, width=WIDTH, height=HEIGHT))
