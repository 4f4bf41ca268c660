"""What is the effect of tuning? Each value of an axis at its best setting, and the expected best of so many trials."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from bench.jsonutil import canonical
from bench.report.charts.drawing import chart_data
from bench.report.charts.style import DASHES, SERIES, alt, label_expression, width
from bench.report.comparison import Comparison
from bench.report.document import Chart, Column, OmittedChart, Row, Section, Table
from bench.report.estimates import validation_mean
from bench.report.number_format import count, p_value, percent, points, points_interval, spaced
from bench.statistics.tuning_effect import compare_values, expected_best

AXES = ("optimizer", "model", "regularizer", "augmentation")
"""Axes whose values may each need settings of their own, such as a learning rate."""

ALL = "all"
"""The value, of no axis, that holds every configuration."""

MAX_COUNTS = 400
"""Up to so many settings, every number of trials is computed; of more, `MAX_COUNTS` numbers with growing steps."""

COLUMNS = ("axis", "value", "n_trials", "validation", "test")

TITLE = "Expected best against number of trials"
MAX_VALUES = 6
"""Per axis, those with the most trials are drawn."""

MIN_TRIALS = 3
"""Of two settings a line says nothing that the table does not."""

NARROW = 50
"""Pixels of a name in a legend of two columns."""

PANEL_WIDTH = 165
"""Pixels of a panel, two of which stand next to each other."""


def tuning(comparison: Comparison) -> Section:
    """A table per axis at its best settings, and the expected best."""
    by_axis = tuned_frames(comparison)
    expected = expected_best_frame(comparison, list(by_axis))
    networks = " One seed each: seed noise is not included." * comparison.analysis.single_seeds
    # With one trial per value nothing was tuned, and the effects say the same.
    tables = [_axis_table(axis, frame, networks) for axis, frame in by_axis.items() if frame["n_trials"].max() > 1]
    return Section(
        "tuning",
        "Effect of tuning",
        (*tables, _expected_table(expected)),
        notes=tuple(note for axis, frame in by_axis.items() if (note := _never_together(axis, frame))),
        draw=lambda: (expected_best_chart(expected),),
        data=lambda: {"findings": {"at_selected_settings": by_axis, "expected_best": expected}},
    )


def _axis_table(axis: str, frame: pd.DataFrame, networks: str) -> Table:
    return Table(
        name=f"tuned-{axis}",
        title=f"Each {spaced(axis)} at its best setting",
        caption=(
            f"Every {spaced(axis)} at the setting with the best validation accuracy, among all else that varies. A "
            "value with more trials had more chances. “Difference” is to the first row's value, in points, with the "
            "95 % interval on new images: each at its best setting among the combinations of all else that both were "
            f"tried with (“Shared”).{networks}"
        ),
        frame=frame,
        columns=(
            Column("value", "Value", lambda row: row["value"], "text"),
            Column("n_trials", "Trials", lambda row: count(row["n_trials"])),
            Column("setting", "Setting", lambda row: row["label"], "label"),
            Column("validation", "Validation %", lambda row: percent(row["validation"])),
            Column("test", "Test %", lambda row: percent(row["test"])),
            Column("new", "95 % on new images", lambda row: f"{percent(row['low'])} to {percent(row['high'])}"),
            Column("n_shared", "Shared", lambda row: count(row["n_shared"])),
            Column("difference", "Difference", lambda row: points(row["gap_to_best"])),
            Column("interval", "95 % of it", lambda row: points_interval(row["gap_low"], row["gap_high"])),
            Column("p", "p", lambda row: p_value(row["p"])),
        ),
    )


def _never_together(axis: str, frame: pd.DataFrame) -> str:
    """Which values share no combination of all else with the first one, so that nothing is said of a difference."""
    separate = frame["value"][frame["n_shared"].eq(0).fillna(False)].tolist()
    if not separate:
        return ""
    return (
        f"{spaced(axis).capitalize()}: {', '.join(separate)} and {frame['value'].iloc[0]} were never tried with all "
        "else equal, so no difference between them is stated."
    )


def _expected_table(frame: pd.DataFrame) -> Table:
    """A row per value and a column per number of trials, doubled each time."""
    most = int(frame["n_trials"].max()) if len(frame) else 0
    counts = sorted({*(2**power for power in range(most.bit_length()) if 2**power <= most), most} - {0})
    rows = [
        {"axis": axis, "value": value, **dict(zip(group["n_trials"], group["test"], strict=True))}
        for (axis, value), group in frame.groupby(["axis", "value"], sort=False)
    ]

    def at(n: int) -> Callable[[Row], str]:
        return lambda row: percent(row.get(str(n), math.nan))

    return Table(
        name="expected-best",
        title="Expected best against number of trials",
        caption=(
            "Expected test accuracy, in %, of the best on validation among so many settings drawn at random from those "
            "that were run: with equal numbers, values that had more trials have no advantage."
        ),
        frame=pd.DataFrame(rows),
        columns=(
            Column("settings", "Settings of", _settings, "text"),
            *(Column(str(n), "1 trial" if n == 1 else f"{n} trials", at(n)) for n in counts),
        ),
    )


def _settings(row: Row) -> str:
    everything = row["value"] == ALL and not row["axis"]
    return "all configurations" if everything else f"{spaced(row['axis'])}: {row['value']}"


def tuned_frames(comparison: Comparison) -> dict[str, pd.DataFrame]:
    """By axis, a row per value at the setting selected for it on validation, the best on validation first.

    A value is a component's name; its parameters and all other axes are what is selected. Columns are those of
    `bench.statistics.tuning_effect.compare_values` with the `label` of the selected configuration. Axes are left out
    where all components have one name, or fewer than two values were validated.
    """
    compared, estimates = comparison.analysis.trained()
    if estimates is None:
        return {}
    validation = [validation_mean(configuration) for configuration in compared]
    frames = {}
    for axis in AXES:
        values = [component_name(configuration.config.get(axis)) for configuration in compared]
        if len(set(values)) < 2:
            continue
        cells = [
            canonical({name: value for name, value in configuration.config.items() if name != axis})
            for configuration in compared
        ]
        frame = compare_values(values, validation, cells, estimates)
        if len(frame) > 1:
            frames[axis] = frame.assign(label=[compared[index].label for index in frame["selected"]])
    return frames


def expected_best_frame(comparison: Comparison, axes: Sequence[str]) -> pd.DataFrame:
    """`COLUMNS`: the expected metrics of the best on validation of 1, 2, ... settings drawn at random.

    For every value of the given axes with two settings or more, and for all configurations together (`ALL`, without an
    axis). `MAX_COUNTS` says for which numbers.
    """
    compared, estimates = comparison.analysis.not_adaptive()  # what a search proposes is no random draw
    validation = np.array([validation_mean(configuration) for configuration in compared])
    validated = np.flatnonzero(~np.isnan(validation))
    if estimates is None or len(validated) < 2:
        return pd.DataFrame(columns=list(COLUMNS))
    groups: list[tuple[str, str, list[int]]] = [("", ALL, validated.tolist())]
    for axis in axes:
        members: dict[str, list[int]] = {}
        for index in validated.tolist():
            members.setdefault(component_name(compared[index].config.get(axis)), []).append(index)
        groups += [(axis, value, indices) for value, indices in members.items() if len(indices) > 1]
    parts = []
    for axis, value, indices in groups:
        counts = _counts(len(indices))
        of_group, means = validation[indices].tolist(), estimates.means[indices].tolist()
        parts.append(
            pd.DataFrame(
                {
                    "axis": axis,
                    "value": value,
                    "n_trials": counts,
                    "validation": expected_best(of_group, n_trials=counts),
                    "test": expected_best(of_group, means, n_trials=counts),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)[list(COLUMNS)]


def _counts(most: int) -> list[int]:
    """Numbers of trials from 1 to `most`, powers of 2 among them."""
    if most <= MAX_COUNTS:
        return list(range(1, most + 1))
    spread = np.rint(np.geomspace(1, most, MAX_COUNTS)).astype(int).tolist()
    return sorted({*spread, *(2**power for power in range(most.bit_length())), most})


def component_name(component: Any) -> str:
    """A component's name without its parameters, ``flip+crop`` for several, ``none`` for none."""
    if isinstance(component, list):
        return "+".join(map(component_name, component)) or "none"
    return str(component["name"]) if isinstance(component, dict) else str(component)


def expected_best_chart(frame: pd.DataFrame) -> Chart | OmittedChart:
    """A panel per axis, a line per value."""
    frame = frame[frame.groupby("axis")["n_trials"].transform("max") >= MIN_TRIALS]
    if not len(frame):
        return OmittedChart(TITLE, "fewer than three configurations were validated")
    drawn = [(str(axis), _largest(rows)) for axis, rows in frame.groupby("axis", sort=False)]
    panels = [
        _panel(
            rows, f"by {axis}" if axis else "all configurations", last=number >= len(drawn) - 2, first=number % 2 == 0
        )
        for number, (axis, rows) in enumerate(drawn)
    ]
    cut = any(rows["value"].nunique() > MAX_VALUES for _, rows in frame.groupby("axis"))
    caption = (
        "Expected test accuracy of the setting selected on validation among so many, drawn at random from those that "
        "were run: of these networks, not of other seeds. Compare values at the same number of trials: more trials are "
        "more chances. Lines end where a value's settings do; what further settings would bring is unknown."
        + f" Of axes with more than {MAX_VALUES} values those with the most trials are drawn."
        * cut
    )
    chart = alt.concat(*panels, columns=2, spacing=14).resolve_scale(color="independent", strokeDash="independent")
    return Chart("expected-best", TITLE, caption, chart)


def _largest(rows: pd.DataFrame) -> pd.DataFrame:
    counts = rows.groupby("value", sort=False)["n_trials"].max().nlargest(MAX_VALUES)
    return rows[rows["value"].isin(set(counts.index))]


def _panel(rows: pd.DataFrame, title: str, last: bool, first: bool) -> alt.Chart:
    values = list(dict.fromkeys(rows["value"]))
    data = rows.assign(validation=100 * rows["validation"], test=100 * rows["test"])
    most = int(data["n_trials"].max())
    legend = None
    if len(values) > 1:
        columns = 2 if max(map(width, values)) <= NARROW else 1
        labels = label_expression(values, PANEL_WIDTH)
        legend = alt.Legend(title=None, columns=columns, labelExpr=labels, symbolType="stroke", symbolSize=300)
    colours = alt.Scale(domain=values, range=list(SERIES[: len(values)]))
    dashes = alt.Scale(domain=values, range=[list(dash) for dash in DASHES[: len(values)]])
    chart: alt.Chart = (
        alt.Chart(chart_data(data[["value", "n_trials", "validation", "test"]]))
        .mark_line(strokeWidth=2, point=alt.OverlayMarkDef(size=18) if most <= 40 else False)
        .encode(
            x=alt.X(
                "n_trials:Q",
                title="settings run" if last else None,
                axis=alt.Axis(values=_ticks(most), format="d", grid=False),
            ),
            y=alt.Y(
                "test:Q",
                title="test accuracy in %" if first else None,
                scale=alt.Scale(zero=False),
                axis=alt.Axis(tickCount=4),
            ),
            color=alt.Color("value:N", scale=colours, legend=legend),
            strokeDash=alt.StrokeDash("value:N", scale=dashes, legend=legend),
            tooltip=[
                alt.Tooltip("value:N"),
                alt.Tooltip("n_trials:Q", title="settings run"),
                alt.Tooltip("test:Q", title="expected test accuracy in %", format=".2f"),
                alt.Tooltip("validation:Q", title="on validation", format=".2f"),
            ],
        )
        .properties(width=PANEL_WIDTH, height=110, title=title)
    )
    return chart


def _ticks(most: int) -> list[int]:
    """At most six whole numbers from 1 on."""
    step = -(-most // 6)
    return [1, *range(step * 2 if step == 1 else step, most + 1, step)]
