from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import classification_report, confusion_matrix

from bench.statistics.per_class import ConfusedPair, confusion, most_confused, per_class

LABELS = np.array([0, 0, 0, 0, 1, 1, 1, 2], dtype=np.uint8)
PREDICTED = np.array([0, 0, 0, 1, 1, 1, 0, 1], dtype=np.uint8)


def test_figures_per_class_by_hand() -> None:
    figures = per_class(LABELS, PREDICTED, 4)
    assert figures.precision.tolist() == pytest.approx([3 / 4, 2 / 4, 0, 0])
    assert figures.recall.tolist() == pytest.approx([3 / 4, 2 / 3, 0, 0])
    assert figures.f1.tolist() == pytest.approx([3 / 4, 4 / 7, 0, 0])
    assert figures.support.tolist() == [4, 3, 1, 0]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1))
def test_figures_are_those_of_sklearns_classification_report(pairs: list[tuple[int, int]]) -> None:
    labels, predicted = np.array(pairs, dtype=np.uint8).T
    figures = per_class(labels, predicted, 6)
    known = classification_report(labels, predicted, labels=range(6), output_dict=True, zero_division=0)
    for number in range(6):
        row = known[str(number)]
        assert figures.precision[number] == pytest.approx(row["precision"])
        assert figures.recall[number] == pytest.approx(row["recall"])
        assert figures.f1[number] == pytest.approx(row["f1-score"])
        assert figures.support[number] == row["support"]
    assert (confusion(labels, predicted, 6) == confusion_matrix(labels, predicted, labels=range(6))).all()


def test_confusion_counts_true_classes_in_rows() -> None:
    assert confusion(LABELS, PREDICTED, 3).tolist() == [[3, 1, 0], [1, 2, 0], [0, 1, 0]]


def test_confusion_of_bytes_does_not_overflow() -> None:
    high = np.full(300, 99, dtype=np.uint8)
    assert confusion(high, high, 100)[99, 99] == 300


def test_most_confused_pairs_come_by_count_and_leave_out_the_diagonal_and_zeros() -> None:
    matrix = np.array([[50, 3, 7], [3, 40, 0], [0, 0, 9]])
    assert most_confused(matrix, ["a", "b", "c"], 10) == [
        ConfusedPair("a", "c", 7, 7 / 60),
        ConfusedPair("a", "b", 3, 3 / 60),
        ConfusedPair("b", "a", 3, 3 / 43),
    ]
    assert len(most_confused(matrix, ["a", "b", "c"], 1)) == 1


def test_a_class_out_of_range_is_refused_rather_than_dropped() -> None:
    with pytest.raises(ValueError, match="predicted class lies outside the 3 classes"):
        confusion(LABELS, PREDICTED + np.uint8(2), 3)


def test_predictions_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match="do not match"):
        per_class(LABELS, PREDICTED[:-1], 3)
