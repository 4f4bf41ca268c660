"""Sections on the number of training images, wrong labels, long tails and corrupted images."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_ledger import FLIP, Ledger, config

import bench.report
from bench.report.build_report import build
from bench.report.csv_json import to_json
from bench.report.document import Chart, Report, Section
from bench.report.html import to_html
from bench.report.markdown import to_markdown
from bench.report.sections.robustness import DARK_TEXT, LIGHT_TEXT

FRACTIONS = (0.01, 0.02, 0.05, 0.1, 0.3)
NAMES = ("training-size", "label-noise", "imbalance", "robustness")


def error(images: float) -> float:
    return 2.0 * images**-0.4 + 0.08


def add(
    made: Ledger, accuracies: list[float], train_images: int, fares: Any = None, wrong: int = 0, **changes: Any
) -> None:
    """A configuration whose records say on how many images they were trained, and how they fared under corruptions."""
    start = len(made.records)
    made.add(config(**changes), accuracies)
    for position in range(start, len(made.records)):
        record = made.records[position]
        info = replace(record.run_info, train_images=train_images, wrong_labels=wrong)
        result = replace(record.result, robustness=fares and fares(position - start))
        made.records[position] = replace(record, run_info=info, result=result)


def asked(images: int = 2000) -> Ledger:
    """A ledger with an answer to each question."""
    made = Ledger(images=images)
    for augmentation, better in ((None, 0.0), (FLIP, 0.02)):
        for fraction in FRACTIONS:
            count = round(54_000 * fraction)
            accuracy = 1 - error(count) + better
            add(
                made,
                [accuracy + change for change in (-0.004, 0.0, 0.004)],
                count,
                fraction=fraction,
                augmentation=augmentation or [],
            )
    for rate, lost in ((0.2, 0.03), (0.4, 0.09)):
        noise = {"name": "symmetric", "rate": rate}
        add(made, [0.85 - lost, 0.853 - lost], 5400, wrong=round(rate * 5400), fraction=0.1, label_noise=noise)
    add(made, [0.7, 0.71], 2000, fraction=0.1, imbalance={"name": "exponential", "ratio": 100.0})
    return made


def corrupted(made: Ledger) -> Ledger:
    def losing(lost: float) -> Any:
        return lambda seed: {
            name: [0.88 - lost * depth * severity - 0.002 * seed for severity in range(1, 6)]
            for name, depth in (("fog", 0.02), ("jpeg", 0.005), ("rotate", 0.1))
        }

    add(made, [0.88, 0.882, 0.884], 54_000, losing(1.0), robustness=["fog", "jpeg", "rotate"])
    add(made, [0.89, 0.892, 0.894], 54_000, losing(0.5), robustness=["fog", "jpeg", "rotate"], augmentation=FLIP)
    return made


def report_of(made: Ledger) -> Report:
    return build(made.records, made.predictions, "Asked")


def section(report: Report, name: str) -> Section:
    return next(section for sections in report.sections for section in sections if section.name == name)


def test_a_report_without_such_trials_has_none_of_the_sections(full: Ledger) -> None:
    report = report_of(full)
    for name in NAMES:
        empty = section(report, name)
        assert not empty.tables and not empty.drawn and not empty.values()


def test_a_power_law_is_fitted_to_each_family(ledger: Ledger) -> None:
    report = report_of(asked())
    points, laws = section(report, "training-size").tables
    assert [cell.text for cell in points.cells["fraction"]] == ["1", "2", "5", "10", "30"] * 2
    least = next(i for i, row in enumerate(points.rows) if row["family"] == "mlp")
    interval = points.cells["accuracy"][least].text
    assert re.fullmatch(r"75\.\d\d.±.\d\.\d\d", interval)
    ranked = section(report, "leaderboard").tables[0].cells["test"]
    assert interval in {cell.text for cell in ranked}, "as on the leaderboard"
    rows = {row["family"]: row for row in laws.rows}
    assert len(rows) == 2
    plain = rows["mlp"]
    assert plain["exponent_low"] < 0.4 < plain["exponent_high"] and plain["exponent"] == pytest.approx(0.4, abs=0.1)
    assert plain["error_at_twice_low"] < error(32_400) < plain["error_at_twice_high"]
    (chart,) = section(report, "training-size").drawn
    assert isinstance(chart, Chart)


def test_too_few_fractions_get_points_and_no_law(ledger: Ledger) -> None:
    for fraction in FRACTIONS[:3]:
        add(ledger, [0.8, 0.81], round(54_000 * fraction), fraction=fraction)
    points, laws = section(report_of(ledger), "training-size").tables
    assert len(points.rows) == 3
    assert laws.cells["exponent"][0].text == "–"


def test_wrong_labels_and_long_tails_are_held_against_the_same_without_them() -> None:
    report = report_of(asked())
    (noise,) = section(report, "label-noise").tables
    assert [cell.text for cell in noise.cells["value"]] == ["none", "symmetric rate=0.2", "symmetric rate=0.4"]
    assert [cell.text for cell in noise.cells["wrong"]] == ["0", "1,080", "2,160"]
    losses = [cell.text for cell in noise.cells["difference"]]
    assert losses[0] == "–" and losses[1].startswith("−") and float(losses[2][1:]) > float(losses[1][1:])
    (tail,) = section(report, "imbalance").tables
    assert [cell.text for cell in tail.cells["value"]] == ["none", "exponential ratio=100"]


def test_a_difference_has_the_interval_of_the_pair() -> None:
    (noise,) = section(report_of(asked()), "label-noise").tables
    plain, weak, strong = noise.rows
    assert np.isnan(plain["difference_low"])
    for row in (weak, strong):
        assert row["difference_low"] < row["difference"] == pytest.approx(row["accuracy"] - plain["accuracy"])
        assert row["difference"] < row["difference_high"] < 0
    assert re.fullmatch(r"\[−\d\.\d\d,\u00a0−\d\.\d\d\]", noise.cells["difference_interval"][1].text)


def test_interactions_name_an_axis_once() -> None:
    _, interactions = section(report_of(asked()), "effects").tables
    named = {cell.text for cell in interactions.cells["first"] + interactions.cells["second"]}
    assert "augmentation: none" in named and any(re.fullmatch(r"fraction=0\.\d+", text) for text in named)
    assert not any("fraction: fraction" in text for text in named)


def test_every_section_has_the_leaderboards_accuracies() -> None:
    report = report_of(corrupted(asked()))
    ranked = {row["label"]: row for row in report.frame.to_dict("records")}
    size, noise, tail = (section(report, name).tables[0].rows for name in NAMES[:3])
    for row in (*size, *noise, *tail):
        of_leaderboard = ranked[row["label"]]
        assert (row["accuracy"], row["low"], row["high"]) == tuple(
            of_leaderboard[name] for name in ("test_mean", "test_low", "test_high")
        )
    for row in section(report, "robustness").tables[0].rows:
        of_leaderboard = ranked[row["label"]]
        assert (1 - row["clean_high"], 1 - row["clean_low"]) == pytest.approx(
            (of_leaderboard["test_low"], of_leaderboard["test_high"])
        )


def test_records_that_do_not_say_on_how_many_images_they_were_trained_are_displayed(ledger: Ledger) -> None:
    """Their keys are those of trials without questions, so they may be of before there were any."""
    ledger.add(config(), [0.88, 0.882])
    add(ledger, [0.85, 0.853], 54_000, wrong=10_800, label_noise={"name": "symmetric", "rate": 0.2})
    add(ledger, [0.7, 0.71], 20_000, imbalance={"name": "exponential", "ratio": 100.0})
    report = report_of(ledger)
    (noise,), (tail,) = (section(report, name).tables for name in ("label-noise", "imbalance"))
    assert [cell.text for cell in noise.cells["images"]] == ["–", "54,000"]
    assert [cell.text for cell in noise.cells["wrong"]] == ["0", "10,800"]
    assert [row["amount"] for row in noise.rows] == [0, 20]
    assert [row["amount"] for row in tail.rows] == [1, 100]


def test_a_baseline_without_errors_gives_no_ratio(ledger: Ledger) -> None:
    add(ledger, [1.0, 1.0], 500, lambda _: {"fog": [1.0] * 5, "rotate": [0.9] * 5}, robustness=["fog", "rotate"])
    add(ledger, [1.0, 1.0], 500, lambda _: {"fog": [0.9] * 5, "rotate": [0.9] * 5}, robustness=["fog", "rotate"],
        augmentation=FLIP)  # fmt: skip
    report = report_of(ledger)
    summary, _ = section(report, "robustness").tables
    assert [cell.text for cell in summary.cells["mce"]] == ["–", "–"]
    assert "mCE is not defined here: “mlp” makes no error under fog." in summary.caption
    assert "NaN" not in to_json(report)


def test_configurations_tested_on_other_corruptions_are_counted(ledger: Ledger) -> None:
    add(corrupted(ledger), [0.8, 0.81], 500, lambda _: {"fog": [0.7] * 5}, robustness=["fog"], batch_size=64)
    summary, _ = section(report_of(ledger), "robustness").tables
    assert len(summary.rows) == 2
    assert "1 configuration tested on other corruptions or lacking seeds: left out." in summary.caption


def test_a_dark_page_leaves_the_heat_maps_texts_as_they_are() -> None:
    css = (Path(bench.report.__file__).parent / "templates/charts.css").read_text()
    assert not {LIGHT_TEXT, DARK_TEXT} & set(re.findall(r'\[fill="(#\w+)"\]', css))


def test_mean_corruption_error_is_relative_to_the_plain_configuration(ledger: Ledger) -> None:
    summary, cells = section(report_of(corrupted(ledger)), "robustness").tables
    by_label = {row["label"]: row for row in summary.rows}
    assert by_label["mlp"]["baseline"] and by_label["mlp"]["mce"] == pytest.approx(1.0)
    assert by_label["mlp · flip"]["mce"] < 1
    lost = np.mean([0.12 + depth * severity for depth in (0.02, 0.005, 0.1) for severity in range(1, 6)]) + 0.002
    assert by_label["mlp"]["corrupted"] == pytest.approx(lost)
    means = {(row["label"], row["corruption"]): row["mean"] for row in cells.rows}
    assert means["mlp", "rotate"] == pytest.approx(0.12 + 0.3 + 0.002)
    assert len(cells.rows) == 6 and "±" in cells.cells["severity-5"][0].text


def test_the_sections_are_on_the_page_in_markdown_and_in_json() -> None:
    report = report_of(corrupted(asked()))
    page, text = to_html(report), to_markdown(report)
    for name in NAMES:
        assert re.search(rf'<section class="topic[^"]*" id="{name}">', page)
    assert "Fitted power laws" in text and "Mean corruption error" in text and "Severity 5" in text
    findings = json.loads(to_json(report))["comparisons"][0]["findings"]
    assert {"training_size", "power_laws", "label_noise", "imbalance", "robustness", "corruptions"} <= findings.keys()
