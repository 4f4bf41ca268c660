"""Charts: their data are the report's frames, and what would say nothing is left out with its reason."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from made_charts import chart, comparison, drawn, grid, pruned, rows, why_omitted
from made_ledger import BASE, Ledger, config

from bench.published import find
from bench.report.charts.style import BLUE
from bench.report.document import Cell, Column
from bench.report.epoch_curves import epoch_curves
from bench.report.sections.effects import effects_frames
from bench.report.sections.leaderboard import leaderboard
from bench.report.sections.tuning import expected_best_frame


def test_accuracy_against_time_shows_the_leaderboards_figures() -> None:
    made = comparison(grid())
    shown = {row["label"]: row for row in rows(chart(made, "time"))}
    board = made.frame.set_index("label")
    assert set(shown) == set(board.index)
    for label, row in shown.items():
        assert row["y"] == pytest.approx(100 * board.loc[label, "test_mean"], rel=1e-5)
        assert row["x"] == board.loc[label, "train_seconds"]
        assert row["low"] == pytest.approx(100 * board.loc[label, "test_low"], rel=1e-5)
        assert row["new_high"] == pytest.approx(100 * board.loc[label, "new_high"], rel=1e-5)


def test_accuracy_against_inference_time_stands_where_trials_measured_it() -> None:
    made = grid()
    assert not [chart for chart in drawn(comparison(made)) if chart.title == "Accuracy against inference time"]
    for place, record in enumerate(made.records):
        speed = 1000.0 * (1 + place // 3)
        made.records[place] = replace(record, run_info=replace(record.run_info, images_per_second=speed))
    measured = comparison(made)
    assert sorted(row["x"] for row in rows(chart(measured, "inference"))) == pytest.approx([0.25, 1 / 3, 0.5, 1])
    column = next(c for c in leaderboard(measured).tables[0].columns if c.name == "inference")
    assert sorted(cell_text(column, row) for row in measured.frame.to_dict("records")) == ["0.25", "0.333", "0.5", "1"]


def cell_text(column: Column, row: Any) -> str:
    cell = column.cell(row)
    return cell.text if isinstance(cell, Cell) else cell


def test_the_front_holds_what_no_other_beats_in_both() -> None:
    front = {row["x"]: row["front"] for row in rows(chart(comparison(grid()), "time"))}
    assert front == {10: True, 20: True, 40: True, 80: True}
    made = grid()
    for place in range(3):
        record = made.records[place]
        made.records[place] = replace(record, run_info=replace(record.run_info, train_seconds=30.0))
    front = {row["x"]: row["front"] for row in rows(chart(comparison(made), "time"))}
    assert front == {20: True, 30: False, 40: True, 80: True}


def test_published_figures_with_known_parameters_are_hollow_and_never_on_the_front() -> None:
    references = [replace(one, dataset="fashion_mnist") for one in find(["lab-e-baseline"])]
    known = replace(references[0], parameters=1000, value=0.99)
    refuted = replace(known, id="refuted", flags=("exclude_from_ranking",))
    shown = [r for r in rows(chart(comparison(grid(), [known, refuted]), "parameters")) if r["role"] == "published"]
    assert [(row["x"], row["y"], row["front"]) for row in shown] == [(1000, 99, False)]


def test_the_chosen_configuration_is_named_first() -> None:
    made = comparison(grid())
    chosen = made.frame.loc[made.frame["selected"], "label"].item()
    shown = next(row for row in rows(chart(made, "time")) if row["label"] == chosen)
    assert shown["kind"].startswith(f"{chosen} (selected")


def test_effects_are_those_of_the_analysis() -> None:
    made = comparison(grid())
    shown = {row["value"]: row["effect"] for row in rows(chart(made, "effects")) if "value" in row}
    frame = effects_frames(made)[0].set_index("value")["effect"]
    assert set(shown) == set(frame.index)
    assert all(shown[level] == pytest.approx(100 * frame[level], rel=1e-5, abs=1e-9) for level in shown)


def test_learning_curves_band_spans_the_seeds() -> None:
    made = comparison(grid())
    label = made.analysis.top[0]
    last = next(r for r in rows(chart(made, "curves")) if r["label"] == label and r["epoch"] == 5 and "low" in r)
    frame = epoch_curves(made.group)
    seeds = frame[(frame["label"] == label) & (frame["epoch"] == 5)]["val_accuracy"]
    assert [last["low"], last["mean"], last["high"]] == pytest.approx(
        [100 * seeds.min(), 100 * seeds.mean(), 100 * seeds.max()], rel=1e-5
    )


def test_pruned_trials_are_drawn_to_where_they_ended() -> None:
    made = comparison(pruned(grid()))
    figure = chart(made, "curves")
    ends = {row["key"]: row["epoch"] for row in rows(figure) if row.get("last")}
    assert sorted(ends.values()) == [1, 2]
    assert "Dotted: 2 pruned trials." in figure.caption


def test_over_fitting_starts_at_the_least_validation_loss() -> None:
    assert {row["text"] for row in rows(chart(comparison(grid()), "losses")) if "text" in row} == {"epoch 3"}


def test_budget_and_rungs_count_what_pruning_did() -> None:
    made = comparison(pruned(grid()))
    spent = {(row["status"], row["kind"]): row["epochs"] for row in rows(chart(made, "budget"))}
    assert spent["complete", "trained"] == 60
    assert spent["pruned", "trained"] == 3
    assert spent["pruned", "saved by pruning"] == 7
    judged = {(row["rung"], row["decision"]): row["trials"] for row in rows(chart(made, "pruning"))}
    assert judged == {("epoch 1", "continued"): 1, ("epoch 1", "stopped"): 1, ("epoch 2", "stopped"): 1}


def test_tries_are_those_of_the_analysis() -> None:
    made = comparison(grid())
    expected = expected_best_frame(made, [])
    everything = expected[expected["axis"] == ""]
    shown = [row for row in rows(chart(made, "expected-best")) if row["value"] == "all"]
    assert [row["test"] for row in shown] == pytest.approx(list(100 * everything["test"]), rel=1e-5)


def test_heat_map_holds_the_shares_of_the_true_class() -> None:
    made = comparison(grid())
    one = next(one for one in made.details if one.selected)
    shown = rows(chart(made, "confusion"))
    assert [row["count"] for row in shown] == one.confusion.ravel().tolist()
    assert sum(row["fraction"] for row in shown if row["true"] == one.classes[0]) == pytest.approx(100, rel=1e-4)


def test_reliability_is_of_the_leaders_bins() -> None:
    made = comparison(grid())
    one = next(one for one in made.details if one.label == made.analysis.top[0])
    shown = [row for row in rows(chart(made, "calibration")) if row.get("label") == one.label]
    kept = one.calibration[one.calibration["count"] >= 10]
    assert [row["accuracy"] for row in shown] == pytest.approx(list(100 * kept["accuracy"]), rel=1e-5)


def test_one_configuration_leaves_out_what_compares(ledger: Ledger) -> None:
    ledger.add(config(), [0.88])
    reasons = why_omitted(comparison(ledger))
    assert "fewer than two complete configurations" in reasons["Accuracy against training time"]
    assert reasons["Decisions of pruning"] == "no trial ran under pruning"
    assert "Learning curves" not in reasons


def test_a_single_epoch_has_no_curve(ledger: Ledger) -> None:
    ledger.add(config(epochs=1), [0.88])
    assert why_omitted(comparison(ledger))["Learning curves"] == "no trial has a curve of two epochs or more"


def test_a_part_of_failures_alone_has_no_chart(ledger: Ledger) -> None:
    ledger.add_ended(config(), 0, "failed", 0, failure={"kind": "MemoryError", "message": "no room"})
    made = comparison(ledger)
    assert len(why_omitted(made)) == 12


def test_many_configurations_are_thinned_and_the_caption_says_so(ledger: Ledger) -> None:
    for number in range(60):
        ledger.add(config(optimizer={**BASE["optimizer"], "lr": 0.001 * (number + 1)}), [0.7 + 0.003 * number])
    made = comparison(ledger)
    curves = chart(made, "curves")
    leaders = len(made.analysis.top)
    assert len({row["label"] for row in rows(curves)}) == leaders + 30
    assert f"30 of the {60 - leaders} other configurations" in curves.caption


def test_series_colours_can_be_told_on_dark_paper_too() -> None:
    from importlib.resources import files

    from bench.report.charts import style

    css = (files("bench.report") / "templates" / "charts.css").read_text("utf-8")
    for colour in {*style.SERIES, style.GREY, style.RULE}:
        assert f'[fill="{colour}"]' in css
        assert f'[stroke="{colour}"]' in css
    assert BLUE in style.SERIES
