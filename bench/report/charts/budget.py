"""Where did the epochs go? Trial-epochs by status, and what pruning decided at each rung."""

from __future__ import annotations

import altair as alt
import pandas as pd

from bench.report.charts.figure import Figure, LeftOut, values
from bench.report.charts.theme import BLUE, GREY, INK, SKY, WIDTH
from bench.report.report import Comparison

SPENT, RUNGS = "Epochs spent", "What pruning decided"

TRAINED, SAVED = "trained", "saved by pruning"
STOPPED, WENT_ON = "stopped", "went on"


def spent(comparison: Comparison) -> Figure | LeftOut:
    """Trial-epochs by status, from `part.analysis.budget`; a bar alone would say nothing."""
    rows = epochs(comparison)
    if len(rows) < 2:
        return LeftOut(SPENT, "all trials ended the same way", "budget")
    total = int(rows.loc[rows["kind"] == TRAINED, "epochs"].sum())
    caption = (
        f"Epochs that trials of each status trained, {total:,} in all, and those that pruning saved. Epochs of "
        "different configurations are not equally long, so this is no measure of time."
    )
    kinds = list(dict.fromkeys(rows["kind"]))
    colours = {TRAINED: BLUE, SAVED: SKY}
    base = alt.Chart(values(rows)).encode(
        y=alt.Y("status:N", sort=list(dict.fromkeys(rows["status"])), title=None),
        x=alt.X("epochs:Q", title="trial-epochs", stack=None, axis=alt.Axis(format="~s", tickCount=5, tickMinStep=1)),
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
    told = base.mark_text(align="left", dx=5).encode(text="text:N", yOffset=alt.YOffset("kind:N", sort=kinds))
    chart = alt.layer(bars, told).properties(width=WIDTH - 130, height=alt.Step(20))
    return Figure("budget", SPENT, caption, chart, "budget")


def rungs(comparison: Comparison) -> Figure | LeftOut:
    """Configurations judged at each rung: stopped or let through."""
    rows = decisions(comparison)
    if not len(rows):
        return LeftOut(RUNGS, "no trial ran under pruning", "budget")
    caption = (
        "Trials judged at each rung of successive halving, by their validation accuracy there. A stopped one is never "
        "ranked: what it would have reached is not known."
    )
    most = int(rows.groupby("rung")["trials"].sum().max())
    scale = alt.Scale(domain=[WENT_ON, STOPPED], range=[BLUE, SKY])
    base = alt.Chart(values(rows)).encode(
        y=alt.Y("rung:N", sort=list(dict.fromkeys(rows["rung"])), title=None),
        x=alt.X("trials:Q", title="trials", stack="zero", axis=alt.Axis(format="d", tickCount=min(most, 5))),
        order=alt.Order("place:Q"),
        tooltip=["rung:N", "decision:N", "trials:Q"],
    )
    bars = base.mark_bar(height=18, stroke=GREY, strokeWidth=0.5).encode(
        color=alt.Color("decision:N", scale=scale, legend=alt.Legend(title=None, columns=2))
    )
    told = base.mark_text(align="right", dx=-4, fontWeight="bold").encode(
        text=alt.Text("trials:Q"), color=alt.condition("datum.place == 0", alt.value("#ffffff"), alt.value(INK))
    )
    chart = alt.layer(bars, told).properties(width=WIDTH - 90, height=alt.Step(28))
    return Figure("rungs", RUNGS, caption, chart, "budget")


def epochs(comparison: Comparison) -> pd.DataFrame:
    """Columns status, trials, kind (trained or saved), epochs, text; a row per figure above 0."""
    told = comparison.analysis.budget
    comparisons = [
        told[["status", "trials"]].assign(kind=kind, epochs=told[column].astype("int64"))
        for kind, column in ((TRAINED, "epochs"), (SAVED, "saved_epochs"))
    ]
    rows = pd.concat(comparisons, ignore_index=True)
    rows = rows[rows["epochs"] > 0].reset_index(drop=True)
    text = [
        f"{count:,} by {trials:,} trial{'s' * (trials != 1)}" if kind == TRAINED else f"{count:,} saved"
        for kind, count, trials in zip(rows["kind"], rows["epochs"], rows["trials"], strict=True)
    ]
    return rows.assign(text=text)


def decisions(comparison: Comparison) -> pd.DataFrame:
    """Columns epoch, rung, decision, place (in the bar), trials; from what the records say was decided."""
    told = [
        (int(decision["epoch"]), STOPPED if decision["decision"] == "stop" else WENT_ON)
        for one in comparison.group.configurations
        for record in one.records
        for decision in (record.pruning or {}).get("decisions", [])
    ]
    counted = pd.DataFrame(told, columns=["epoch", "decision"]).value_counts().reset_index(name="trials")
    counted = counted.assign(
        rung=[f"epoch {epoch}" for epoch in counted["epoch"]], place=counted["decision"].eq(STOPPED).astype(int)
    )
    return counted.sort_values(["epoch", "place"], ignore_index=True)
