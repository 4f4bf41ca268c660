from __future__ import annotations

import hashlib

import numpy as np
import pytest

from bench.data import Dataset
from bench.data.prepare import split
from bench.errors import UserError
from bench.suite.schema import Stratified, Tail

MIXED = np.random.RandomState(7).permutation(np.repeat(np.arange(10), 100))
LOW, HIGH = np.tile(MIXED[MIXED < 5], 20), np.tile(MIXED[MIXED >= 5], 20)


def test_tail_is_the_last_fraction_unshuffled() -> None:
    train, validation = split(MIXED, Tail(tail=0.2))
    np.testing.assert_array_equal(train, np.arange(800))
    np.testing.assert_array_equal(validation, np.arange(800, 1000))


def test_tail_rounds_as_keras_does() -> None:
    train, validation = split(np.array([0, 1] * 3 + [0]), Tail(tail=0.5))
    assert (len(train), len(validation)) == (3, 4)


def test_tail_on_fashion_mnist_is_the_last_12000(fashion_mnist: Dataset) -> None:
    train, validation = split(fashion_mnist.train_labels, Tail(tail=0.2))
    assert (len(train), validation[0], validation[-1]) == (48_000, 48_000, 59_999)


@pytest.mark.parametrize(
    "labels",
    [
        pytest.param(np.sort(MIXED), id="sorted"),
        pytest.param(np.sort(MIXED)[::-1], id="sorted downwards"),
        pytest.param(np.concatenate([MIXED[MIXED != 3], MIXED[MIXED == 3]]), id="one class at the end"),
        pytest.param(np.concatenate([MIXED[:500], np.sort(MIXED[500:])]), id="the second half sorted"),
        pytest.param(np.concatenate([LOW[:9000], HIGH[:7000], LOW[9000:], HIGH[7000:]]), id="high classes mostly late"),
    ],
)
def test_tail_is_refused_where_labels_are_ordered(labels: np.ndarray) -> None:
    with pytest.raises(UserError, match=r"labels are ordered or too few(.|\n)*\{stratified: 0.2\}"):
        split(labels, Tail(tail=0.2))


@pytest.mark.parametrize("labels", [[0, 0, 0, 1, 1, 1, 1, 1, 1, 1], [1, 0, 1, 0, 1, 0, 1, 0, 0, 0]])
def test_tail_is_refused_where_a_part_lacks_a_class(labels: list[int]) -> None:
    with pytest.raises(UserError, match="one part lacks a class"):
        split(np.array(labels), Tail(tail=0.2))


def test_tail_accepts_random_orders() -> None:
    random = np.random.RandomState(0)
    for _ in range(200):
        split(random.permutation(MIXED), Tail(tail=0.2))


def test_stratified_takes_the_same_share_of_every_class() -> None:
    train, validation = split(MIXED, Stratified(stratified=0.1))
    assert np.bincount(MIXED[validation]).tolist() == [10] * 10
    np.testing.assert_array_equal(np.sort(np.concatenate([train, validation])), np.arange(1000))
    assert np.all(np.diff(train) > 0)
    assert np.all(np.diff(validation) > 0)


def test_stratified_on_fashion_mnist_is_the_same_for_ever(fashion_mnist: Dataset) -> None:
    _, validation = split(fashion_mnist.train_labels, Stratified(stratified=0.1))
    digest = hashlib.sha256(validation.astype("<i8").tobytes()).hexdigest()
    assert digest == "49f9b2ff1d1c5a9d30c4cb4307a20a6369cc9b9cfcf7b8550df3302d4c9ba99d"


def test_stratified_does_not_disturb_other_random_numbers() -> None:
    np.random.seed(3)
    expected = np.random.random_sample()
    np.random.seed(3)
    split(MIXED, Stratified(stratified=0.1))
    assert np.random.random_sample() == expected


def test_stratified_needs_every_class_in_each_part() -> None:
    with pytest.raises(UserError, match="of the 1 images of class 1"):
        split(np.array([0, 0, 0, 0, 1]), Stratified(stratified=0.5))


def test_none_keeps_everything_for_training() -> None:
    train, validation = split(MIXED, "none")
    np.testing.assert_array_equal(train, np.arange(1000))
    assert validation.size == 0
