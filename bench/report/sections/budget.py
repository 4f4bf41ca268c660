"""What did it cost, and what did pruning save? Epochs and seconds by status, and the decisions at each rung."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from bench.report.charts.drawing import chart_data
from bench.report.charts.style import BLUE, GREY, INK, SKY, WIDTH, alt
from bench.report.comparison import Comparison
from bench.report.document import Chart, Column, OmittedChart, Row, Section, Table
from bench.report.grouping import NOT_RUN, SKIPPED, STATUSES, Configuration, status_text
from bench.report.number_format import NOTHING, count

COLUMNS = ("status", "trials", "epochs", "seconds", "saved_epochs")

SPENT, RUNGS = "Epochs spent", "Decisions of pruning"
TRAINED, SAVED = "trained", "saved by pruning"
STOPPED, CONTINUED = "stopped", "continued"


def budget(comparison: Comparison) -> Section:
    """Epochs and seconds by status, and what was saved."""
    frame = budget_frame(trained(comparison))
    saved = bool((frame["saved_epochs"] > 0).any())
    total = {"status": "total", **frame[["trials", "epochs", "seconds", "saved_epochs"]].sum().to_dict()}
    columns = [
        Column("status", "Trials", lambda row: status_text(row["status"]), "text"),
        Column("trials", "Number", lambda row: count(int(row["trials"]))),
        Column("epochs", "Epochs trained", lambda row: _spent(row, count(int(row["epochs"])))),
        Column("seconds", "Seconds of training", lambda row: _spent(row, f"{row['seconds']:,.0f}")),
    ]
    if saved:
        columns.append(Column("saved", "Epochs saved", lambda row: count(int(row["saved_epochs"]))))
    table = Table(
        name="budget",
        title="Budget",
        caption="Epochs and seconds of training, without evaluation, by status."
        + " Saved epochs are those of a full budget that pruning cut off or never started." * saved,
        frame=pd.concat([frame, pd.DataFrame([total])], ignore_index=True) if len(frame) > 1 else frame,
        columns=tuple(columns),
    )
    return Section(
        "budget",
        "Budget",
        (table,),
        draw=lambda: (epochs_chart(frame), rungs_chart(comparison)),
        data=lambda: {"findings": {"budget": frame}},
        folded=len(frame) == 1,
    )


def trained(comparison: Comparison) -> list[Configuration]:
    """The configurations that were not imported."""
    return [configuration for configuration in comparison.group.configurations if not configuration.imported]


def budget_frame(configurations: Sequence[Configuration]) -> pd.DataFrame:
    """`COLUMNS`, a row per status that occurs.

    `epochs` and `seconds` (of training, without evaluation) are what the trials took, `saved_epochs` what their full
    budget would have taken beyond that: of pruned trials, and of the seeds that were never started because pruning had
    ended their configuration. Other seeds without a record are not run yet, and save nothing.
    """
    rows: list[tuple[str, int, int, float, int]] = []
    for status in STATUSES:
        trials = [
            (configuration, record) for configuration in configurations for record in configuration.with_status(status)
        ]
        if not trials:
            continue
        epochs = [record.result.epochs_run for _, record in trials]
        left = sum(_epochs(configuration) for configuration, _ in trials) - sum(epochs)
        seconds = sum(record.run_info.train_seconds for _, record in trials)
        rows.append((status, len(trials), sum(epochs), seconds, max(left, 0) if status == "pruned" else 0))
    if skipped := sum(configuration.skipped for configuration in configurations):
        rows.append(
            (
                SKIPPED,
                skipped,
                0,
                0.0,
                sum(configuration.skipped * _epochs(configuration) for configuration in configurations),
            )
        )
    if missing := sum(configuration.missing for configuration in configurations):
        rows.append((NOT_RUN, missing, 0, 0.0, 0))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _epochs(configuration: Configuration) -> int:
    return int(configuration.config.get("epochs") or 0)


def _spent(row: Row, text: str) -> str:
    return NOTHING if row["status"] in (SKIPPED, NOT_RUN) else text


def epochs_chart(frame: pd.DataFrame) -> Chart | OmittedChart:
    """Epochs by status; a single bar would say nothing."""
    rows = epochs_by_kind(frame.assign(status=frame["status"].map(status_text)))
    if len(rows) < 2:
        return OmittedChart(SPENT, "all trials ended the same way")
    total = int(rows.loc[rows["kind"] == TRAINED, "epochs"].sum())
    caption = (
        f"Epochs that trials of each status trained, {total:,} in all, and those that pruning saved. Epochs of "
        "different configurations are not equally long, so this is no measure of time."
    )
    kinds = list(dict.fromkeys(rows["kind"]))
    colours = {TRAINED: BLUE, SAVED: SKY}
    base = alt.Chart(chart_data(rows)).encode(
        y=alt.Y("status:N", sort=list(dict.fromkeys(rows["status"])), title=None),
        x=alt.X("epochs:Q", title="epochs", stack=None, axis=alt.Axis(format="~s", tickCount=5, tickMinStep=1)),
        tooltip=["status:N", "kind:N", alt.Tooltip("epochs:Q", format=","), alt.Tooltip("trials:Q", format=",")],
    )
    bars = base.mark_bar(stroke=GREY, strokeWidth=0.5).encode(
        yOffset=alt.YOffset("kind:N", sort=kinds),
        color=alt.Color(
            "kind:N",
            scale=alt.Scale(domain=kinds, range=[colours[kind] for kind in kinds]),
            legend=alt.Legend(title=None, columns=2) if len(kinds) > 1 else None,
        ),
    )
    texts = base.mark_text(align="left", dx=5).encode(text="text:N", yOffset=alt.YOffset("kind:N", sort=kinds))
    return Chart("budget", SPENT, caption, alt.layer(bars, texts).properties(width=WIDTH - 130, height=alt.Step(20)))


def rungs_chart(comparison: Comparison) -> Chart | OmittedChart:
    """Trials at each rung: stopped or continued."""
    rows = rung_decisions(comparison)
    if not len(rows):
        return OmittedChart(RUNGS, "no trial ran under pruning")
    caption = (
        "Trials compared at each rung of successive halving, by their validation accuracy there. A stopped one is "
        "never ranked: what it would have reached is unknown."
    )
    most = int(rows.groupby("rung")["trials"].sum().max())
    scale = alt.Scale(domain=[CONTINUED, STOPPED], range=[BLUE, SKY])
    base = alt.Chart(chart_data(rows)).encode(
        y=alt.Y("rung:N", sort=list(dict.fromkeys(rows["rung"])), title=None),
        x=alt.X("trials:Q", title="trials", stack="zero", axis=alt.Axis(format="d", tickCount=min(most, 5))),
        order=alt.Order("order:Q"),
        tooltip=["rung:N", "decision:N", "trials:Q"],
    )
    bars = base.mark_bar(height=18, stroke=GREY, strokeWidth=0.5).encode(
        color=alt.Color("decision:N", scale=scale, legend=alt.Legend(title=None, columns=2))
    )
    texts = base.mark_text(align="right", dx=-4, fontWeight="bold").encode(
        text=alt.Text("trials:Q"), color=alt.condition("datum.order == 0", alt.value("#ffffff"), alt.value(INK))
    )
    return Chart("pruning", RUNGS, caption, alt.layer(bars, texts).properties(width=WIDTH - 90, height=alt.Step(28)))


def epochs_by_kind(frame: pd.DataFrame) -> pd.DataFrame:
    """Columns status, trials, kind (trained or saved), epochs, text; a row per number above 0."""
    parts = [
        frame[["status", "trials"]].assign(kind=kind, epochs=frame[column].astype("int64"))
        for kind, column in ((TRAINED, "epochs"), (SAVED, "saved_epochs"))
    ]
    rows = pd.concat(parts, ignore_index=True)
    rows = rows[rows["epochs"] > 0].reset_index(drop=True)
    text = [
        f"{epochs:,} by {trials:,} trial{'s' * (trials != 1)}" if kind == TRAINED else f"{epochs:,} saved"
        for kind, epochs, trials in zip(rows["kind"], rows["epochs"], rows["trials"], strict=True)
    ]
    return rows.assign(text=text)


def rung_decisions(comparison: Comparison) -> pd.DataFrame:
    """Columns epoch, rung, decision, order (in the bar), trials; from the decisions in the records."""
    decisions = [
        (int(decision["epoch"]), STOPPED if decision["decision"] == "stop" else CONTINUED)
        for configuration in comparison.group.configurations
        for record in configuration.records
        for decision in (record.pruning or {}).get("decisions", [])
    ]
    rows = pd.DataFrame(decisions, columns=["epoch", "decision"]).value_counts().reset_index(name="trials")
    order = rows["decision"].eq(STOPPED).astype(int)
    rows = rows.assign(rung=[f"epoch {epoch}" for epoch in rows["epoch"]], order=order)
    return rows.sort_values(["epoch", "order"], ignore_index=True)
