"""How does accuracy depend on the number of training images? Points per fraction, and a power law through them."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pandas as pd

from bench.report.charts.drawing import chart_data
from bench.report.charts.style import HEIGHT, SERIES, SHAPES, WIDTH, alt, legend
from bench.report.comparison import Comparison
from bench.report.document import Chart, Column, OmittedChart, Row, Section, Table
from bench.report.estimates import Estimate, seed_values
from bench.report.grouping import Configuration, families
from bench.report.number_format import NOTHING, count, mean_count, with_interval
from bench.report.sections.budget import trained
from bench.statistics.intervals import Interval
from bench.statistics.power_law import MIN_POINTS, PowerLaw, fit_power_law

TITLE = "Accuracy and the number of training images"
POINT_COLUMNS = (
    "family",
    "label",
    "fraction",
    "images",
    "accuracy",
    "low",
    "high",
    "interval",
    "standard_error",
    "seeds",
)
MAX_FAMILIES = 6
CURVE_POINTS = 40
HALF_WIDTHS = 2 * 1.96
"""A 95 % interval in standard errors."""


def training_size(comparison: Comparison) -> Section:
    """A row per fraction, and a fitted law per family of configurations that differ in the fraction alone."""
    points = size_points(comparison)
    laws = fitted_laws(points)
    largest = float(points["images"].max()) if len(points) else math.nan
    section = Section("training-size", "Number of training images")
    if not len(points):
        return section
    rows = [
        {"family": family, "points": int((points["family"] == family).sum()), **_columns(law, 2 * largest)}
        for family, law in laws.items()
    ]
    return Section(
        section.name,
        section.title,
        (_points_table(points), _laws_table(pd.DataFrame(rows), 2 * largest)),
        draw=lambda: (size_chart(points, laws),),
        data=lambda: {
            "findings": {"training_size": points, "power_laws": pd.DataFrame(rows)},
        },
    )


def size_points(comparison: Comparison) -> pd.DataFrame:
    """`POINT_COLUMNS`, a row per configuration of each family that was trained on two numbers of images or more."""
    rows = []
    for family, members in families(trained(comparison), "fraction").items():
        points = [point for member in members if (point := _point(comparison, member)) is not None]
        if len({point["images"] for point in points}) > 1:
            rows += sorted(({"family": family, **point} for point in points), key=lambda point: point["images"])
    return pd.DataFrame(rows, columns=list(POINT_COLUMNS))


def _point(comparison: Comparison, member: Configuration) -> dict[str, float | str] | None:
    """Estimates of a configuration with all its seeds, with the mean number of images that they were trained on."""
    images = [record.run_info.train_images for record in member.with_status("complete")]
    values = seed_values(member)
    if not member.complete or not values or None in images:
        return None
    accuracy = comparison.accuracies[member.label]
    return {
        "label": member.label,
        "fraction": float(member.config.get("fraction", 1.0)),
        "images": float(np.mean([number for number in images if number is not None])),
        "accuracy": accuracy.mean,
        "low": accuracy.low,
        "high": accuracy.high,
        "interval": accuracy.interval,
        "standard_error": (accuracy.high - accuracy.low) / HALF_WIDTHS,
        "seeds": len(values),
    }


def fitted_laws(points: pd.DataFrame) -> dict[str, PowerLaw | None]:
    """The law of each family; None where there are too few points."""
    return {
        str(family): fit_power_law(
            rows["images"].to_numpy(float), 1 - rows["accuracy"].to_numpy(float), rows["standard_error"].to_numpy(float)
        )
        for family, rows in points.groupby("family", sort=False)
    }


def _columns(law: PowerLaw | None, twice: float) -> dict[str, float]:
    columns: dict[str, float] = {}
    intervals = {"exponent": law.exponent, "offset": law.offset, "error_at_twice": law.error(twice)} if law else {}
    for name in ("exponent", "offset", "error_at_twice"):
        interval = intervals.get(name, Interval(math.nan, math.nan, math.nan))
        columns |= {name: interval.estimate, f"{name}_low": interval.low, f"{name}_high": interval.high}
    return columns


def _points_table(points: pd.DataFrame) -> Table:
    return Table(
        name="training-size",
        title="Accuracy by fraction",
        caption=(
            "Mean test accuracy of configurations that differ in fraction alone, with 95 % intervals as in the "
            "leaderboard. A seed draws its own images, those of a fraction among those of a larger one: intervals over "
            "seeds cover that draw."
        ),
        frame=points,
        columns=(
            Column("family", "Configuration", lambda row: row["family"], "label"),
            Column("fraction", "Fraction %", lambda row: f"{100 * row['fraction']:g}"),
            Column("images", "Training images", lambda row: mean_count(row["images"])),
            Column("accuracy", "Test accuracy %", lambda row: with_interval(_estimate(row), "accuracy")),
            Column("seeds", "Seeds", lambda row: count(row["seeds"])),
        ),
    )


def _estimate(row: Row) -> Estimate:
    return Estimate(row["accuracy"], row["low"], row["high"], row["interval"])


def _laws_table(rows: pd.DataFrame, twice: float) -> Table:
    def bounds(name: str, digits: int, factor: float = 1.0) -> Callable[[Row], str]:
        def cell(row: Row) -> str:
            value, low, high = (factor * row[column] for column in (name, f"{name}_low", f"{name}_high"))
            return NOTHING if math.isnan(value) else f"{value:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"

        return cell

    return Table(
        name="power-laws",
        title="Fitted power laws",
        caption=(
            "error = a / n^b + c, n the number of training images, fitted to the mean errors by least squares of their "
            f"logarithms, where there are {MIN_POINTS} fractions or more. Brackets: the middle 95 % of fits to errors "
            "drawn anew within the intervals above; that the law is the right one is assumed. The error at "
            f"{round(twice):,} images, twice the most that was trained on, is extrapolated."
        ),
        frame=rows,
        columns=(
            Column("family", "Configuration", lambda row: row["family"], "label"),
            Column("points", "Fractions", lambda row: count(row["points"])),
            Column("exponent", "b", bounds("exponent", 2)),
            Column("offset", "c %", bounds("offset", 1, 100)),
            Column("twice", f"Error % at {round(twice):,} images", bounds("error_at_twice", 1, 100)),
        ),
    )


def size_chart(points: pd.DataFrame, laws: dict[str, PowerLaw | None]) -> Chart | OmittedChart:
    """Points with intervals over a logarithmic axis, and the fitted laws."""
    best = points.groupby("family")["accuracy"].max().sort_values(ascending=False)
    names = [name for name in laws if name in set(best.index[:MAX_FAMILIES])]
    rows = points[points["family"].isin(names)]
    scale = alt.Scale(type="log", nice=False)
    x = alt.X("images:Q", scale=scale, title="training images (logarithmic)", axis=alt.Axis(format="~s", tickCount=5))
    colours = alt.Color(
        "family:N", scale=alt.Scale(domain=names, range=list(SERIES[: len(names)])), legend=legend(names)
    )
    shapes = alt.Shape(
        "family:N", scale=alt.Scale(domain=names, range=list(SHAPES[: len(names)])), legend=legend(names)
    )
    percents = rows.assign(**{name: 100 * rows[name] for name in ("accuracy", "low", "high")})
    y = alt.Y("accuracy:Q", scale=alt.Scale(zero=False), title="test accuracy in %")
    base = alt.Chart(chart_data(percents.drop(columns=["interval", "standard_error"]))).encode(x=x, color=colours)
    layers = [
        base.mark_rule(strokeWidth=2).encode(y=alt.Y("low:Q", title="test accuracy in %"), y2="high:Q"),
        base.mark_point(filled=True, size=55, opacity=1).encode(
            y=y,
            shape=shapes,
            tooltip=[
                alt.Tooltip("label:N", title="configuration"),
                alt.Tooltip("images:Q", title="training images", format=",.0f"),
                alt.Tooltip("accuracy:Q", title="test accuracy in %", format=".2f"),
            ],
        ),
    ]
    curves = _curves(rows, laws)
    if len(curves):
        lines = alt.Chart(chart_data(curves)).mark_line(strokeWidth=1.3, opacity=0.8)
        layers.insert(0, lines.encode(x=x, y=y, color=colours))
    left = f" The best {MAX_FAMILIES} of {len(laws)} families are drawn." * (len(laws) > MAX_FAMILIES)
    caption = (
        "Mean test accuracy with 95 % intervals; lines: error = a / n^b + c, fitted where there are "
        f"{MIN_POINTS} fractions or more.{left}"
    )
    return Chart("training-size", TITLE, caption, alt.LayerChart(layer=layers, width=WIDTH, height=HEIGHT))


def _curves(points: pd.DataFrame, laws: dict[str, PowerLaw | None]) -> pd.DataFrame:
    parts = []
    for family, rows in points.groupby("family", sort=False):
        law = laws[str(family)]
        if law is not None:
            n = np.geomspace(rows["images"].min(), rows["images"].max(), CURVE_POINTS)
            accuracy = 100 * (1 - law.curve(n))
            parts.append(pd.DataFrame({"family": family, "images": n, "accuracy": accuracy}))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["family", "images", "accuracy"])
