from __future__ import annotations

import math

import numpy as np
import pytest

from bench.statistics.per_class import accuracy_without, wrong_by_all, wrong_by_majority

LABELS = np.array([0, 0, 1, 2], dtype=np.uint8)


def test_more_than_half_of_the_seeds_must_give_the_same_wrong_class() -> None:
    predicted = np.array([[1, 1, 0, 2], [1, 2, 0, 2], [2, 0, 0, 1]], dtype=np.uint8)
    wrong, seeds = wrong_by_majority(LABELS, predicted)
    assert wrong.tolist() == [1, -1, 0, -1]
    assert seeds.tolist() == [2, 0, 3, 0]


def test_half_of_the_seeds_is_not_enough() -> None:
    wrong, _ = wrong_by_majority(LABELS, np.array([[1, 0, 1, 2], [0, 1, 1, 2]], dtype=np.uint8))
    assert wrong.tolist() == [-1, -1, -1, -1]


def test_of_one_seed_every_mistake_counts() -> None:
    wrong, seeds = wrong_by_majority(LABELS, np.array([[1, 0, 1, 0]], dtype=np.uint8))
    assert wrong.tolist() == [1, -1, -1, 0]
    assert seeds.tolist() == [1, 0, 0, 1]


def test_all_networks_must_give_the_same_wrong_class() -> None:
    ours = np.array([[1, 1, 1, 0], [1, 1, 1, 0]], dtype=np.uint8)
    theirs = np.array([[1, 2, 1, 0]], dtype=np.uint8)
    assert wrong_by_all(LABELS, [ours, theirs]).tolist() == [True, False, False, True]


def test_accuracy_of_what_is_left() -> None:
    right = np.array([[True, False, True, True], [True, False, False, True]])
    assert accuracy_without(right, np.array([False, True, False, False])) == pytest.approx(5 / 6)
    assert math.isnan(accuracy_without(right, np.ones(4, dtype=bool)))
