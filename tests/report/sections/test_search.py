"""What a report says and draws of searches, and what it leaves out because of them."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from made_ledger import Ledger, config

from bench.report import Report, build
from bench.report.charts.drawing import svg
from bench.report.document import OmittedChart, Section
from bench.suite.search_space import SearchedParameter, SearchPoint, SearchRule

OPTIMIZER = config()["optimizer"]
PARAMETERS = [
    SearchedParameter(
        name="model.mlp.hidden", axis="model", key="hidden", kind="choice", values=[[64], [128], [256, 128]]
    ),
    SearchedParameter(name="optimizer.adam.lr", axis="optimizer", key="lr", kind="log_uniform", values=[1e-4, 1e-1]),
    SearchedParameter(name="batch_size..value", axis="batch_size", key="value", kind="choice", values=[64, 128]),
]


def searched(ledger: Ledger, algorithm: str, count: int = 30, identity: str = "search") -> None:
    """Add a search whose best learning rate is 0.003, and of which every tenth trial was pruned."""
    adaptive = {"startup": 10, "batch": 5} if algorithm == "tpe" else {}
    rule = SearchRule.model_validate({"algorithm": algorithm, "seed": 0, "parameters": PARAMETERS, **adaptive})
    for number in range(count):
        hidden, lr, batch_size = rule.random_values(number)
        settings = config(
            model={**config()["model"], "hidden": hidden}, optimizer={**OPTIMIZER, "lr": lr}, batch_size=batch_size
        )
        point = SearchPoint(id=identity, rule=rule, number=number, trials=40)
        accuracy = 0.9 - 0.03 * abs(math.log10(lr) + 2.5)
        if number % 10 == 9:
            ledger.add_ended(settings, 0, "pruned", 2)
            curves = {"train_loss": [0.5, 0.5], "val_accuracy": [accuracy - 0.2, accuracy - 0.1]}
            ledger.records[-1] = replace(ledger.records[-1], result=replace(ledger.records[-1].result, curves=curves))
        else:
            ledger.add(settings, [accuracy], [accuracy + 0.001])
        ledger.records[-1] = replace(ledger.records[-1], search=point.note(), config_key=f"{identity}{number}")


def report_of(ledger: Ledger) -> Report:
    return build(ledger.records, ledger.predictions, "Made")


def section_of(report: Report, name: str) -> Section:
    return next(section for section in report.sections[0] if section.name == name)


@pytest.fixture
def adaptive() -> Report:
    ledger = Ledger()
    searched(ledger, "tpe")
    return report_of(ledger)


def test_a_report_says_how_configurations_were_chosen(adaptive: Report) -> None:
    section = section_of(adaptive, "search")
    first, warning = section.sentences
    assert first.startswith(
        "30 configurations of model.hidden (one of [64], [128], [256, 128]); optimizer.lr (log-unif"
    )
    assert "the first 10 drawn at random, the others proposed 5 at a time" in first
    assert "biased upwards on validation" in first
    assert "no part in effects" in warning and "after its first random draws" in warning
    (row,) = section.tables[0].rows
    assert (row["trained"], row["stopped"], row["method"]) == (30, 3, "adaptive (tree-structured Parzen estimator)")
    table = next(table for table in section.tables if table.name == "importance-1")
    fractions = {row["parameter"]: row["mean"] for row in table.rows}
    assert fractions["optimizer.lr"] > 0.6 > 0.2 > max(fractions["model.hidden"], fractions["batch_size"])
    assert "resampled configurations" in table.caption


def test_charts_mark_pruned_points_and_have_logarithmic_axes(adaptive: Report) -> None:
    section = section_of(adaptive, "search")
    importance, parallel, parameters = section.drawn
    spec: dict[str, Any] = parameters.chart.to_dict(validate=False)  # type: ignore[union-attr]
    panels = {panel["encoding"]["x"]["title"]: panel for panel in spec["vconcat"]}
    assert list(panels) == ["model.hidden", "optimizer.lr (logarithmic)", "batch_size"]
    assert panels["optimizer.lr (logarithmic)"]["encoding"]["x"]["scale"] == {
        "type": "log",
        "domain": [1e-4, 1e-1],
        "nice": False,
    }
    kinds = [value["kind"] for value in spec["datasets"][panels["batch_size"]["data"]["name"]]]
    assert (kinds.count("random"), kinds.count("proposed"), kinds.count("stopped early")) == (9, 18, 3)
    assert "of one that was stopped early" in parameters.caption  # type: ignore[union-attr]
    for chart in (importance, parallel, parameters):
        assert not isinstance(chart, OmittedChart)
        assert svg(chart).startswith("<svg")


def test_drawn_values_are_no_values_of_an_axis_and_adaptive_ones_have_no_effects() -> None:
    ledger = Ledger()
    for batch_size in (64, 128):
        for rate in (0.001, 0.01):
            ledger.add(config(optimizer={**OPTIMIZER, "lr": rate}, batch_size=batch_size), [0.88 + batch_size / 1e4])
    listed = section_of(report_of(ledger), "effects").tables[0].rows
    searched(ledger, "tpe")
    leaderboard = section_of(report_of(ledger), "leaderboard")
    marked = ["proposed by a search" in style.marks for style in leaderboard.tables[0].styles]
    assert (marked.count(True), marked.count(False)) == (18, 13), "none of the grid's rows, none of the random draws"
    assert "20 configurations of 34 were proposed by an adaptive search, which chose them by val" in " ".join(
        leaderboard.remarks
    )
    effects = section_of(report_of(ledger), "effects")
    assert str(effects.tables[0].rows) == str(listed)
    assert {row["axis"] for row in listed} == {"optimizer", "batch_size"}
    assert (
        "20 configurations that an adaptive search proposed are left out: chosen by the results of others."
        in effects.notes
    )
    assert "Of batch size, optimizer, the listed values are compared, without what was drawn." in effects.notes

    random_only = Ledger()
    searched(random_only, "random")
    section = section_of(report_of(random_only), "effects")
    assert section.tables[0].rows == []
    assert section.notes == ("Drawn by a search, so no values of an axis: batch_size, model.hidden, optimizer.lr.",)


def test_what_random_draws_would_bring_is_estimated_from_random_draws(adaptive: Report) -> None:
    ledger = Ledger()
    searched(ledger, "random")
    assert section_of(report_of(ledger), "tuning").filled("page")
    table = next(table for table in section_of(adaptive, "tuning").tables if table.name == "expected-best")
    assert table.columns[-1].heading == "9 trials", "the first ten draws, of which pruning ended the last"


def test_noise_alone_has_no_importance_chart_and_a_grid_has_no_search() -> None:
    ledger = Ledger()
    searched(ledger, "random", 14)
    mixed = [r.result.validation for r in reversed(ledger.records) if r.result.validation]
    complete = iter(mixed)
    ledger.records = [
        replace(r, result=replace(r.result, validation={"accuracy": 0.8 + 0.01 * (n * 7 % 5), "loss": 0.3}))
        if r.status == "complete" and next(complete)
        else r
        for n, r in enumerate(ledger.records)
    ]
    assert isinstance(section_of(report_of(ledger), "search").drawn[0], OmittedChart)
    grid = Ledger()
    grid.add(config(), [0.88])
    assert not section_of(report_of(grid), "search").filled("page")


def test_trials_that_pruning_ended_are_counted_whatever_ranks() -> None:
    ledger = Ledger()
    searched(ledger, "random")
    report = build(ledger.records, ledger.predictions, "Made", metrics=("loss",))
    (row,) = section_of(report, "search").tables[0].rows
    assert (row["trained"], row["stopped"]) == (30, 3)


def test_the_best_of_a_search_has_all_its_seeds() -> None:
    ledger = Ledger()
    searched(ledger, "random")
    (before,) = section_of(report_of(ledger), "search").tables[0].rows
    best = next(n for n, r in enumerate(ledger.records) if (r.search or {})["number"] == before["best_number"] - 1)
    ledger.add_ended(ledger.records[best].config, 1, "failed", 0)
    ledger.records[-1] = replace(
        ledger.records[-1], search=ledger.records[best].search, config_key=ledger.records[best].config_key
    )
    (row,) = section_of(report_of(ledger), "search").tables[0].rows
    assert row["best_number"] != before["best_number"] and row["validation"] < before["validation"]


def test_a_random_search_leaves_effects_and_interactions_of_listed_values_as_they_are() -> None:
    def of_listed() -> Ledger:
        ledger = Ledger()
        for batch_size in (64, 128):
            for rate in (0.001, 0.01):
                settings = config(optimizer={**OPTIMIZER, "lr": rate}, batch_size=batch_size)
                ledger.add(settings, [0.7 + batch_size / 1e3 * (1 + (rate == 0.01))])
        return ledger

    listed, mixed = of_listed(), of_listed()
    searched(mixed, "random")
    alone, both = (section_of(report_of(ledger), "effects") for ledger in (listed, mixed))
    for of_alone, of_both in zip(alone.tables, both.tables, strict=True):
        values = [[(row["effect"], row["n_strata"]) for row in table.rows] for table in (of_alone, of_both)]
        assert values[0] and values[0] == values[1]


@pytest.mark.parametrize(
    "changed",
    [
        {"axis": "regularizer", "key": "rate"},
        {"key": "momentum"},
        {"position": 0},
        {"kind": "choice", "values": [7.0]},
        {"values": ["a", "b"]},
        {"values": [-1.0, 0.1]},
        {"values": [0.1]},
    ],
    ids=str,
)
def test_a_note_of_a_search_that_does_not_fit_its_configuration_is_ignored(changed: dict[str, Any]) -> None:
    ledger = Ledger()
    searched(ledger, "random", 3)
    note = ledger.records[0].search or {}
    parameters = [p | changed if p["axis"] == "optimizer" else p for p in note["rule"]["parameters"]]
    rule = note["rule"] | {"parameters": parameters}
    ledger.records[0] = replace(ledger.records[0], search=note | {"rule": rule})
    section = section_of(report_of(ledger), "search")
    (row,) = section.tables[0].rows
    assert row["trained"] == 2 and section.drawn
