from __future__ import annotations

import json
import re

import numpy as np
import pytest
from made_ledger import CLASSES, L2, Ledger, config
from sklearn.metrics import classification_report

from bench.report import build, to_html, to_json, to_markdown


def test_seeds_are_counted_together_but_support_counts_images_once(ledger: Ledger) -> None:
    ledger.add(config(), [0.88, 0.9])
    (one,) = build(ledger.records, ledger.predictions, "title").parts[0].details
    assert one.seeds == (0, 1)
    assert one.matrix.sum() == 2000
    assert one.figures.support.tolist() == [100] * 10
    assert one.figures.recall.mean() == pytest.approx(0.89)
    assert one.classes == tuple(CLASSES)


def test_every_form_shows_what_sklearns_classification_report_says(ledger: Ledger) -> None:
    ledger.add(config(), [0.88, 0.9, 0.87])
    said = [ledger.predictions(record.key) for record in ledger.records]
    known = classification_report(
        np.concatenate([one.labels for one in said]),
        np.concatenate([one.predicted for one in said]),
        target_names=CLASSES,
        output_dict=True,
    )
    report = build(ledger.records, ledger.predictions, "title")
    rows = json.loads(to_json(report))["sections"][0]["per_class"][0]["classes"]
    page = re.sub(r"<[^>]+>", " ", to_html(report))
    for row in rows:
        expected = known[row["class"]]
        assert row["precision"] == pytest.approx(expected["precision"])
        assert row["recall"] == pytest.approx(expected["recall"])
        assert row["f1"] == pytest.approx(expected["f1-score"])
        assert row["support"] * 3 == expected["support"]
        cells = [row["class"], *(f"{100 * expected[name]:.2f}" for name in ("precision", "recall", "f1-score")), "100"]
        assert f"| {' | '.join(cells)} |" in to_markdown(report)
        assert " ".join(cells) in " ".join(page.split())


def test_the_chosen_comes_first_and_at_most_eight_per_dataset(ledger: Ledger) -> None:
    for number in range(10):
        ledger.add(config(batch_size=number + 1), [0.9 - number / 100], validation=[0.8 + number / 100])
    shown = build(ledger.records, ledger.predictions, "title").parts[0].details
    assert len(shown) == 8
    assert [one.label for one in shown[:2]] == ["mlp · batch_size=10", "mlp · batch_size=1"]
    assert [one.chosen for one in shown] == [True] + [False] * 7


def test_predictions_are_read_for_the_shown_only(ledger: Ledger) -> None:
    for number in range(20):
        ledger.add(config(batch_size=number + 1), [0.9 - number / 100])
    asked = []

    def predictions(key: str):  # type: ignore[no-untyped-def]
        asked.append(key)
        return ledger.predictions(key)

    build(ledger.records, predictions, "title")
    assert len(set(asked)) <= 9


def test_classes_without_names_are_numbered(ledger: Ledger) -> None:
    ledger.add(config(regularizer=L2), [0.9])
    ledger.records[0].result.classes.clear()
    (one,) = build(ledger.records, ledger.predictions, "title").parts[0].details
    assert one.classes == tuple("0123456789")
