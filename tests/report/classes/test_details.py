from __future__ import annotations

import json
import math
import re

import numpy as np
import pytest
from made_ledger import CLASSES, L2, Ledger, config
from sklearn.metrics import classification_report

from bench.errors import UserError
from bench.metrics import Predictions, calibration_error
from bench.report import build, to_html, to_json, to_markdown
from bench.report.classes.class_tables import comparison_data, configuration_tables
from bench.report.classes.details import Details


def built(ledger: Ledger, *patterns: str) -> tuple[Details, ...]:
    return build(ledger.records, ledger.predictions, "title", details=patterns).comparisons[0].details


def exchange(ledger: Ledger, number: int, **arrays: np.ndarray) -> None:
    """Give a record's predictions other arrays."""
    key = ledger.records[number].key
    old = ledger.stored[key]
    ledger.stored[key] = Predictions(**{**vars(old), **arrays})


def test_seeds_are_counted_together_but_support_counts_images_once(ledger: Ledger) -> None:
    ledger.add(config(), [0.88, 0.9])
    (one,) = built(ledger)
    assert one.seeds == (0, 1)
    assert one.confusion.sum() == 2000
    assert one.metrics.support.tolist() == [100] * 10
    assert one.metrics.recall.mean() == pytest.approx(0.89)
    assert one.classes == tuple(CLASSES)


def test_every_form_shows_what_sklearns_classification_report_says(ledger: Ledger) -> None:
    ledger.add(config(), [0.88, 0.9, 0.87])
    predictions = [ledger.predictions(record.key) for record in ledger.records]
    known = classification_report(
        np.concatenate([one.labels for one in predictions]),
        np.concatenate([one.predicted for one in predictions]),
        target_names=CLASSES,
        output_dict=True,
    )
    report = build(ledger.records, ledger.predictions, "title")
    rows = json.loads(to_json(report))["comparisons"][0]["per_class"][0]["classes"]
    page = " ".join(re.sub(r"<[^>]+>", " ", re.sub(r"<small>[^<]*</small>", "", to_html(report))).split())
    for row in rows:
        expected = known[row["class"]]
        assert row["precision"] == pytest.approx(expected["precision"])
        assert row["recall"] == pytest.approx(expected["recall"])
        assert row["f1"] == pytest.approx(expected["f1-score"])
        assert row["support"] * 3 == expected["support"]
        cells = [row["class"], *(f"{100 * expected[name]:.2f}" for name in ("precision", "recall", "f1-score")), "100"]
        assert f"| {' | '.join(cells)} |" in re.sub(r" \([\d.–]+\)", "", to_markdown(report))
        assert " ".join(cells) in page


def test_each_figure_lies_within_its_interval_and_the_page_shows_it(ledger: Ledger) -> None:
    ledger.add(config(), [0.88, 0.9, 0.87])
    report = build(ledger.records, ledger.predictions, "title")
    row = json.loads(to_json(report))["comparisons"][0]["per_class"][0]["classes"][0]
    low, high = row["recall_interval"]
    assert low < row["recall"] < high
    assert f"<small>{100 * low:.1f}–{100 * high:.1f}</small>" in to_html(report)


def test_the_selected_configuration_comes_first_then_the_twenty_best(ledger: Ledger) -> None:
    for number in range(30):
        ledger.add(config(batch_size=number + 1), [0.9 - number / 100], validation=[0.6 + number / 100])
    shown = built(ledger)
    assert [one.label for one in shown[:2]] == ["mlp · batch_size=30", "mlp · batch_size=1"]
    assert [one.selected for one in shown] == [True] + [False] * 20


def test_detail_shows_what_it_names_by_label_wildcard_or_key(ledger: Ledger) -> None:
    for number in range(30):
        ledger.add(config(batch_size=number + 1), [0.9 - number / 100], validation=[0.9 - number / 100])
    labels = {one.label for one in built(ledger)}
    assert "mlp · batch_size=28" not in labels
    for pattern in ("batch_size=28", "*=2?", ledger.records[27].key):
        assert {one.label for one in built(ledger, pattern)} >= labels | {"mlp · batch_size=28"}, pattern


def test_an_empty_detail_names_nothing(ledger: Ledger) -> None:
    ledger.add(config(), [0.9])
    with pytest.raises(UserError, match="--details '': no configuration"):
        built(ledger, "")


def test_detail_that_names_nothing_is_refused_with_the_nearest_label(ledger: Ledger) -> None:
    ledger.add(config(), [0.9])
    ledger.add(config(regularizer=L2), [0.9])
    with pytest.raises(UserError, match=r"(?s)--details 'mlp · l3'.*did you mean 'mlp · l2'\?.*\n  mlp"):
        built(ledger, "mlp · l3")


def test_the_difference_of_two_has_an_interval_where_they_share_their_images(ledger: Ledger) -> None:
    ledger.add(config(), [0.88, 0.9])
    ledger.add(config(regularizer=L2), [0.86, 0.87])
    one, other = built(ledger)
    assert list(one.differences) == [other.label]
    assert other.differences == {}
    assert one.differences[other.label]["recall"].shape == (10,)
    assert (one.differences[other.label]["recall"] > 0).all()


def test_intervals_of_differences_are_those_of_their_pair(ledger: Ledger) -> None:
    for number in range(5):
        ledger.add(config(batch_size=number + 1), [0.9 - number / 20])
    every = built(ledger)
    alone = Ledger()
    alone.records = [r for r in ledger.records if r.config["batch_size"] in (2, 4)]
    alone.stored = ledger.stored
    first, _ = built(alone)
    apart = every[1].differences[every[3].label]["f1"]
    assert apart == pytest.approx(next(iter(first.differences.values()))["f1"])


def test_a_class_without_test_images_has_dashes_and_no_interval(ledger: Ledger) -> None:
    ledger.add(config(), [0.9])
    labels = ledger.stored[ledger.records[0].key].labels.copy()
    labels[labels == 3] = 2
    exchange(ledger, 0, labels=labels, predicted=labels)
    report = build(ledger.records, ledger.predictions, "title")
    table, *_ = configuration_tables(report.comparisons[0].details[0], 1)
    assert [table.cells[column.name][3].full for column in table.columns] == ["Dress", "–", "–", "–", "0"]
    assert json.loads(to_json(report))["comparisons"][0]["per_class"][0]["classes"][3]["recall_interval"] is None


def test_calibration_is_a_mean_over_seeds(ledger: Ledger) -> None:
    ledger.add(config(), [0.88, 0.9])
    generator = np.random.default_rng(0)
    for number in range(2):
        exchange(ledger, number, confidence=generator.random(1000).astype(np.float32))
    (one,) = built(ledger)
    predictions = [ledger.predictions(record.key) for record in ledger.records]
    errors = [calibration_error(p.confidence, p.predicted == p.labels) for p in predictions]
    assert one.ece == pytest.approx(np.mean(errors))
    assert one.calibration["count"].sum() == pytest.approx(1000)
    assert len(one.calibration) == 15


def test_predictions_without_confidences_have_no_calibration(ledger: Ledger) -> None:
    ledger.add(config(), [0.9])
    nothing = np.full(1000, np.nan, dtype=np.float32)
    exchange(ledger, 0, confidence=nothing, true_class_probability=nothing)
    report = build(ledger.records, ledger.predictions, "title")
    (one,) = report.comparisons[0].details
    assert math.isnan(one.ece) and math.isnan(one.nll)
    assert len(one.calibration) == 0
    assert json.loads(to_json(report))["comparisons"][0]["per_class"][0]["ece"] is None
    assert ">Calibration</h3>" not in to_html(report)


def test_a_hundred_classes_stay_a_small_page(ledger: Ledger) -> None:
    names = [f"class number {number}" for number in range(100)]
    ledger.images = 10_000
    for number in range(20):
        ledger.add(config(batch_size=number + 1), [0.7 - number / 100], classes=names)
    comparison = build(ledger.records, ledger.predictions, "title").comparisons[0]
    first, second = (configuration_tables(comparison.details[number], number + 1) for number in range(2))
    assert (len(first[0].rows), len(second[0].rows)) == (100, 12)
    assert len(second[2].rows) == 20
    assert second[2].columns[-1].heading == "all others"
    assert len(json.dumps(comparison_data(comparison), separators=(",", ":"))) < 700_000


def test_lab_document_b_stands_beside_the_configuration_that_repeats_its_network(ledger: Ledger) -> None:
    ledger.add(config(), [0.9])
    ledger.add(config(regularizer=L2), [0.9])
    repeats = {"lab-b-vgg": [ledger.records[1].config]}
    report = build(ledger.records, ledger.predictions, "title", reproductions=repeats)
    theirs = {one.label: [found.reference for found in one.published] for one in report.comparisons[0].details}
    assert theirs == {"mlp": [], "mlp · l2": ["lab-b-hyperband-vgg"]}
    details = report.comparisons[0].details[1 if report.comparisons[0].details[1].published else 0]
    shirt = f"| Shirt | {100 * details.metrics.precision[6]:.2f} | 81 | {100 * details.metrics.recall[6]:.2f} | 78 |"
    assert shirt in to_markdown(report)
    assert "| Shirt | 94 | 0 | 46 | 23 | 54 | 0 | 777 | 0 | 6 | 0 |" in to_markdown(report)
    assert "the row of ankle boot is cut off" in to_html(report).lower()


def test_classes_without_names_are_numbered(ledger: Ledger) -> None:
    ledger.add(config(regularizer=L2), [0.9])
    ledger.records[0].result.classes.clear()
    (one,) = built(ledger)
    assert one.classes == tuple("0123456789")
