"""What a page begins with: a sentence, four answers, a chart with published results."""

from __future__ import annotations

from made_ledger import FLIP, L2, Ledger, config

from bench.published import find
from bench.report import build, to_html
from bench.report.document import Chart, Summary, Tile


def begun(ledger: Ledger, *references: str) -> Summary:
    return build(ledger.records, ledger.predictions, "title", references=find(references)).summaries[0]


def answers(summary: Summary) -> dict[str, Tile]:
    return {tile.heading: tile for tile in summary.tiles}


def three(ledger: Ledger, seeds: int) -> Ledger:
    for settings, accuracy in ({}, 0.9), ({"regularizer": L2}, 0.895), ({"augmentation": FLIP}, 0.7):
        ledger.add(config(**settings), [accuracy, accuracy + 0.002, accuracy + 0.001][:seeds])
    return ledger


def test_four_answers_stand_on_top(ledger: Ledger) -> None:
    summary = begun(three(ledger, 3), "lab-e-baseline", "readme_2conv_kefth")
    told = answers(summary)
    assert summary.opening == (
        "3 configurations with 3 seeds each were trained on fashion_mnist; the one selected on validation reaches "
        "90.10\u00a0% test accuracy with these networks."
    )
    assert (told["Who leads"].label, told["Who leads"].value[:5]) == ("mlp", "90.10")
    different = told["What is really different"]
    assert different.value == "1 of 3 worse than the best"
    assert different.text.startswith("2 are tied with the best; the next, mlp · flip, is 20.00 points behind (")
    assert told["Where it errs"].section == "classes" and " → " in told["Where it errs"].value
    assert told["Against published results"].value.endswith(" of 2")


def test_too_few_seeds_answer_that_nothing_is_known_yet(ledger: Ledger) -> None:
    different = answers(begun(three(ledger, 2)))["What is really different"]
    assert different.value == "not known yet"
    assert different.text == "2 seeds each: another may reverse any order. Run with `--seeds 3` or more."


def test_published_results_near_the_measured_are_dashed_lines(ledger: Ledger) -> None:
    summary = begun(three(ledger, 3), "lab-e-baseline", "readme_2conv_kefth", "cnn_3_128_claim")
    assert summary.draw is not None
    chart = summary.draw()
    assert isinstance(chart, Chart)
    drawn = (
        {str(value["label"]) for values in chart.chart.to_dict()["datasets"].values() for value in values}
        if ("datasets" in chart.chart.to_dict())
        else {str(row.get("label")) for layer in chart.chart.to_dict()["layer"] for row in layer["data"]["values"]}
    )
    assert any("lab-e-baseline" in label for label in drawn)
    assert not any("claim" in label for label in drawn)


def test_an_empty_ledger_has_no_answers_and_a_page(ledger: Ledger) -> None:
    ledger.add_ended(config(), 0, "failed", 0)
    summary = begun(ledger)
    assert (summary.opening, summary.tiles) == ("", ())
    assert '<meta property="og:title" content="title">' in to_html(build(ledger.records, ledger.predictions, "title"))
