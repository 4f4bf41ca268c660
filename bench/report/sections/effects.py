"""What is the effect of each axis, and which pairs of axes interact? On strata in which all else is equal."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap

import pandas as pd

from bench.errors import plural
from bench.report.charts.drawing import chart_data
from bench.report.charts.style import BLUE, GREY, LEGEND_NAME, SOFT, WHOLE, alt, fitted, label_expression
from bench.report.comparison import Comparison
from bench.report.document import Cell, Chart, Column, OmittedChart, Row, Section, Table
from bench.report.grouping import Configuration
from bench.report.number_format import count, level_order, p_value, points, points_interval, spaced
from bench.report.sections.budget import trained
from bench.statistics.factor_effects import (
    EFFECT_COLUMNS,
    INTERACTION_COLUMNS,
    MEAN,
    interactions,
    main_effects,
    strata_of,
)
from bench.statistics.means import MeanEstimates, subset
from bench.suite.labels import by_axis

NONE = "none"
"""The value that others are compared with, where an axis has it."""

MAX_INTERACTIONS = 10
MAX_VALUES = 12
"""Of an axis with more values the largest effects are drawn."""

ROW = 24
"""Pixels per value."""

PLOT, HALF = 210, 195
"""Pixels of the plot next to names, and of each of two names on one line."""

TITLE_WIDTH = 70
"""Characters of a panel's title on one line."""

SIGNED = "datum.value === 0 ? '0' : format(datum.value, '+.2~f')"
"""A tick: 0 has no sign."""

CLEAR, UNCLEAR = "95 % interval without 0 (filled)", "with 0 (hollow)"
UNIT = "points of test accuracy"
EFFECTS, INTERACTIONS = "Effect of each setting", "Interactions of settings"


def effects(comparison: Comparison) -> Section:
    """Main effects and interactions, as tables and charts."""
    main, pairs = effects_frames(comparison)
    networks = " One seed each: seed noise is not included." * comparison.analysis.single_seeds
    missing = (
        " Strata are missing because the grid has no such pair, or pruning or failure left none: what survives pruning "
        "is a biased sample." * bool((main["missing"] > 0).any())
    )
    main_table = Table(
        name="effects",
        title="Effects",
        caption=(
            "Effect of a value on test accuracy, in points, with everything else equal: against “none” where the axis "
            "has it or the other one of two values, else against the mean of its values. 95 % intervals, each by "
            "itself, on new images and on this test set; p is on new images. Strata are the combinations of all other "
            f"axes in which the values could be compared.{missing}{networks}"
        ),
        frame=main,
        columns=(
            Column("axis", "Axis", lambda row: spaced(row["axis"]), "text"),
            Column("value", "Value", lambda row: row["value"], "label"),
            Column("against", "Against", lambda row: row["against"], "label"),
            Column("effect", "Effect", _effect),
            Column("new", "On new images", lambda row: points_interval(row["low"], row["high"])),
            Column("this", "On this test set", lambda row: points_interval(row["this_low"], row["this_high"])),
            Column("p", "p", lambda row: p_value(row["p"])),
            Column("n_strata", "Strata", lambda row: count(row["n_strata"])),
            Column("missing", "Missing", lambda row: count(row["missing"])),
        ),
    )
    pairs_table = Table(
        name="interactions",
        title="Interactions",
        caption=(
            f"The strongest {MAX_INTERACTIONS} two-way interactions at most: what two values do together beyond the "
            "sum of their effects, in points, on strata that have every pair of values. As the strongest of many, they "
            f"are overestimated; p (Holm) accounts for how many were tested, the interval does not.{networks}"
        ),
        frame=pairs,
        columns=(
            Column("first", "Value", lambda row: _named(row["axis"], row["value"], ": "), "text"),
            Column("second", "With", lambda row: _named(row["with_axis"], row["with_value"], ": "), "text"),
            Column("effect", "Interaction", _effect),
            Column("new", "On new images", lambda row: points_interval(row["low"], row["high"])),
            Column("p", "p (Holm)", lambda row: p_value(row["p_holm"])),
            Column("n_strata", "Strata", lambda row: count(row["n_strata"])),
            Column("missing", "Missing", lambda row: count(row["missing"])),
        ),
    )
    return Section(
        "effects",
        "Effects of the settings",
        (main_table, pairs_table),
        notes=_left_out(comparison, set(main["axis"])),
        draw=lambda: (effects_chart(main), interactions_chart(pairs)),
        data=lambda: {"findings": {"effects": main, "interactions": pairs}},
    )


def _left_out(comparison: Comparison, axes: set[str]) -> tuple[str, ...]:
    """Which configurations and axes have no part in effects, since they were drawn or chosen by a search.

    `axes` are those of which there are effects.
    """
    configurations = trained(comparison)
    adaptive = sum(configuration.adaptive for configuration in configurations)
    points = [configuration.search for configuration in configurations if configuration.search]
    drawn = sorted({parameter.label for point in points for parameter in point.rule.parameters})
    notes = [f"Drawn by a search, so no values of an axis: {', '.join(drawn)}."] if drawn else []
    if listed := sorted(axes & {axis for configuration in configurations for axis in configuration.drawn_axes}):
        notes.append(f"Of {', '.join(map(spaced, listed))}, the listed values are compared, without what was drawn.")
    if adaptive:
        notes.append(
            f"{plural(adaptive, 'configuration')} that an adaptive search proposed {'is' if adaptive == 1 else 'are'} "
            "left out: chosen by the results of others."
        )
    return tuple(notes)


def _effect(row: Row) -> Cell:
    return Cell(points(row["effect"]), "faint" if row["below_seed_noise"] else "")


def axes_of(configurations: Sequence[Configuration]) -> pd.DataFrame:
    """A row per configuration and a column per axis that varies, values as in labels."""
    values = by_axis([configuration.config for configuration in configurations])
    return pd.DataFrame(values, index=[configuration.label for configuration in configurations], dtype=object)


def effects_frames(comparison: Comparison) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Main effects and the strongest two-way interactions of the configurations that have all their seeds.

    Columns as in `bench.statistics.factor_effects`; `missing` counts all strata that were left out, also those of which
    pruning or failure left nothing. A value without a matching stratum gets no row.
    """
    compared, estimates = comparison.analysis.not_adaptive()
    if estimates is None or len(compared) < 2:
        return pd.DataFrame(columns=list(EFFECT_COLUMNS)), pd.DataFrame(columns=list(INTERACTION_COLUMNS))
    planned = [configuration for configuration in trained(comparison) if not configuration.adaptive]
    drawn = {axis for configuration in compared for axis in configuration.drawn_axes}
    main, pairs = _main(compared, estimates, planned), _pairs(compared, estimates, planned)
    parts = [main[~main["axis"].isin(drawn)]]
    for axis in drawn:
        part = _main(*_without_draws({axis}, compared, estimates, planned))
        parts.append(part[part["axis"] == axis])
    order = list(axes_of(planned).columns)
    main = pd.concat([part for part in parts if len(part)] or parts[:1])
    main = main.sort_values("value", key=lambda column: column.map(level_order), kind="stable").sort_values(
        "axis", key=lambda column: column.map(order.index), kind="stable", ignore_index=True
    )
    listed = _pairs(*_without_draws(drawn, compared, estimates, planned))
    pairs = listed if len(listed) else pairs[~(pairs["axis"].isin(drawn) | pairs["with_axis"].isin(drawn))]
    return main[main["n_strata"] > 0].reset_index(drop=True), pairs.reset_index(drop=True)


def _without_draws(
    axes: set[str], compared: Sequence[Configuration], estimates: MeanEstimates, planned: Sequence[Configuration]
) -> tuple[list[Configuration], MeanEstimates, list[Configuration]]:
    """Those whose values of these axes were listed: a drawn value has no other configuration to be compared with."""
    rows = [index for index, configuration in enumerate(compared) if not configuration.drawn_axes & axes]
    return (
        [compared[index] for index in rows],
        subset(estimates, rows),
        [configuration for configuration in planned if not configuration.drawn_axes & axes],
    )


def _main(
    compared: Sequence[Configuration], estimates: MeanEstimates, planned: Sequence[Configuration]
) -> pd.DataFrame:
    """Main effects of `compared`, `missing` being of the strata of all that were planned."""
    if len(compared) < 2:
        return pd.DataFrame(columns=list(EFFECT_COLUMNS))
    all_axes = axes_of(planned)
    axes = all_axes.loc[[configuration.label for configuration in compared]]
    against = {}
    for axis in axes.columns:
        values = sorted(set(axes[axis]), key=level_order)
        if len(values) == 2 or (len(values) > 1 and NONE in values):
            against[str(axis)] = NONE if NONE in values else values[0]
    main = main_effects(axes, estimates, against)
    n_strata = {axis: strata_of(all_axes, (axis,)).count for axis in dict.fromkeys(main["axis"])}
    main["missing"] = [n_strata[axis] - used for axis, used in zip(main["axis"], main["n_strata"], strict=True)]
    return main


def _pairs(
    compared: Sequence[Configuration], estimates: MeanEstimates, planned: Sequence[Configuration]
) -> pd.DataFrame:
    """The strongest interactions of `compared`, `missing` being of the strata of all that were planned."""
    if len(compared) < 2:
        return pd.DataFrame(columns=list(INTERACTION_COLUMNS))
    all_axes = axes_of(planned)
    axes = all_axes.loc[[configuration.label for configuration in compared]]
    pairs = interactions(axes, estimates, MAX_INTERACTIONS)
    pairs["missing"] = [
        strata_of(all_axes, (first, second)).count - used
        for first, second, used in zip(pairs["axis"], pairs["with_axis"], pairs["n_strata"], strict=True)
    ]
    return pairs


def effects_chart(frame: pd.DataFrame) -> Chart | OmittedChart:
    """A dot with its intervals per value of every axis."""
    rows = _drawn(frame) if len(frame) else frame
    if not len(rows):
        return OmittedChart(EFFECTS, "no two complete configurations differ in one axis alone")
    limits = _limits(rows)
    baselines = fitted(dict.fromkeys(map(str, rows["against"])), LEGEND_NAME - 40)
    panels = [
        _panel(
            group,
            f"{spaced(str(axis))}, against {_against(baselines[str(against)])}",
            limits,
            last=axis == rows["axis"].iloc[-1],
        )
        for (axis, against), group in rows.groupby(["axis", "against"], sort=False)
    ]
    cut = frame.groupby("axis").size().max() > MAX_VALUES
    missing = int(rows["missing"].max())
    caption = " ".join(
        sentence
        for sentence in (
            "Difference in mean test accuracy with everything else equal, over all complete configurations that have "
            "a counterpart. Thick bars: 95 % on this test set; thin bars: on new images; each by itself, without "
            "correction for their number. An effect holds for the settings of this grid.",
            f"Of axes with more than {MAX_VALUES} values the largest effects are drawn." * bool(cut),
            f"Up to {missing} combinations of the other axes lack a counterpart and are left out." * (missing > 0),
        )
        if sentence
    )
    chart = alt.vconcat(*panels, spacing=14).resolve_scale(color="shared", shape="shared")
    return Chart("effects", EFFECTS, caption, chart)


def interactions_chart(frame: pd.DataFrame) -> Chart | OmittedChart:
    """A dot with its intervals per pair of values."""
    rows = frame[frame["effect"].notna()].head(MAX_INTERACTIONS)
    if not len(rows):
        return OmittedChart(INTERACTIONS, "no two axes were crossed over complete configurations")
    first = list(map(_named, rows["axis"], rows["value"]))
    second = list(map(_named, rows["with_axis"], rows["with_value"]))
    cut = fitted(dict.fromkeys([*first, *second]), HALF)
    rows = rows.assign(
        value=[f"{value} × {other}" for value, other in zip(first, second, strict=True)],
        cut=[f"{cut[value]} × {cut[other]}" for value, other in zip(first, second, strict=True)],
        clear=rows["p_holm"] < 0.05,
    )
    caption = (
        f"What two settings do together beyond the sum of their effects, the strongest {len(rows)}; thick bars: 95 % "
        "on this test set; thin bars: on new images. Filled: p < 5 % after Holm's correction over all tested. "
        "The largest of many are overestimated."
    )
    return Chart(
        "interactions", INTERACTIONS, caption, _panel(rows, "", _limits(rows), last=True, wide=True), folded=True
    )


def _named(axis: str, value: str, separator: str = " ") -> str:
    """A value with its axis, unless it names that itself (``batch_size=64``, ``label noise symmetric``)."""
    return value if value.startswith((f"{axis}=", f"{spaced(axis)} ")) else f"{spaced(axis)}{separator}{value}"


def _drawn(frame: pd.DataFrame) -> pd.DataFrame:
    """Values that have an effect, the largest of each axis, in the frame's order; `clear` where 0 is excluded."""
    rows = frame[frame["effect"].notna()]
    largest = rows.assign(size=rows["effect"].abs()).groupby("axis", sort=False)["size"].nlargest(MAX_VALUES)
    rows = rows.loc[sorted(largest.index.get_level_values(-1))]
    return rows.assign(clear=(rows["low"] > 0) | (rows["high"] < 0))


def _limits(rows: pd.DataFrame) -> tuple[float, float]:
    bounds = rows[["effect", "low", "high", "this_low", "this_high"]]
    low, high = min(0.0, float(bounds.min().min())), max(0.0, float(bounds.max().max()))
    margin = 0.05 * max(high - low, 0.001)
    return 100 * (low - margin), 100 * (high + margin)


def _against(against: str) -> str:
    return "the mean of its values" if against == MEAN else f"“{against}”"


def _panel(
    rows: pd.DataFrame, title: str, limits: tuple[float, float], last: bool, wide: bool = False
) -> alt.LayerChart:
    data = pd.DataFrame(
        {
            "value": rows["value"],
            "cut": rows.get("cut", rows["value"]),
            **{name: 100 * rows[name] for name in ("effect", "low", "high", "this_low", "this_high")},
            "p": rows["p"],
            "n_strata": rows["n_strata"],
            "clear": rows["clear"].map({True: CLEAR, False: UNCLEAR}),
        }
    )
    scale = alt.Scale(domain=list(limits), nice=False)
    axis = alt.Axis(title=UNIT if last else None, labelExpr=SIGNED, tickCount=5)
    values = list(data["value"])
    # Names of pairs are too long to stand next to the plot of a narrow page.
    names = None if wide else alt.Axis(labelExpr=label_expression(values, WHOLE - PLOT), grid=True)
    base = alt.Chart(chart_data(data)).encode(y=alt.Y("value:N", sort=values, title=None, axis=names))
    fill = alt.Scale(domain=[CLEAR, UNCLEAR], range=[BLUE, "#ffffff"])
    marks = base.mark_point(size=70, opacity=1, fillOpacity=1, stroke=BLUE, strokeWidth=1.5).encode(
        x=alt.X("effect:Q", scale=scale, axis=axis),
        fill=alt.Fill("clear:N", scale=fill, legend=None),
        tooltip=[
            alt.Tooltip("value:N", title="setting"),
            alt.Tooltip("effect:Q", title=UNIT, format="+.3f"),
            alt.Tooltip("low:Q", title="95 % on new images, from", format="+.3f"),
            alt.Tooltip("high:Q", title="to", format="+.3f"),
            alt.Tooltip("p:Q", title="p", format=".2~g"),
            alt.Tooltip("n_strata:Q", title="strata"),
        ],
    )
    zero = alt.Chart(chart_data(pd.DataFrame({"zero": [0]})))
    layers = [
        zero.mark_rule(color=GREY).encode(x=alt.X("zero:Q", scale=scale)),
        base.mark_rule(strokeWidth=1, color=SOFT).encode(x=alt.X("low:Q", scale=scale), x2="high:Q"),
        base.mark_rule(strokeWidth=3, color=BLUE, opacity=0.6).encode(
            x=alt.X("this_low:Q", scale=scale), x2="this_high:Q"
        ),
        marks,
    ]
    if wide:
        layers.append(base.mark_text(align="left", baseline="bottom", dy=-8).encode(x=alt.value(0), text="cut:N"))
    return alt.LayerChart(
        layer=layers,
        width=WHOLE - 40 if wide else PLOT,
        height=alt.Step(2 * ROW if wide else ROW),
        title=wrap(title, TITLE_WIDTH) or alt.Undefined,
    )
