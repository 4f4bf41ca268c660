from __future__ import annotations

import pytest
from made_ledger import CLASSES, L2, Ledger, config

from bench.report import build


def test_seeds_are_counted_together_but_support_counts_images_once(ledger: Ledger) -> None:
    ledger.add(config(), [0.88, 0.9])
    (one,) = build(ledger.records, ledger.predictions, "title").parts[0].details
    assert one.seeds == (0, 1)
    assert one.matrix.sum() == 2000
    assert one.figures.support.tolist() == [100] * 10
    assert one.figures.recall.mean() == pytest.approx(0.89)
    assert one.classes == tuple(CLASSES)


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
