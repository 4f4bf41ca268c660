"""Fractions, long tails and wrong labels: nested, the same for a seed, on the training part alone."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest

from bench.data.training_part import (
    TrainingPart,
    all_images,
    asymmetric,
    exponential,
    symmetric,
    training_part,
    true_labels,
)
from bench.errors import UserError

CLASSES = 10
LABELS = np.random.RandomState(0).permutation(np.repeat(np.arange(CLASSES), 600))
TRAIN = np.arange(5400)


def part(
    seed: int = 0,
    fraction: float = 1.0,
    imbalance: Any = all_images,
    label_noise: Any = true_labels,
    train: Any = TRAIN,
) -> TrainingPart:
    return training_part(LABELS, CLASSES, train, seed, fraction, imbalance, label_noise)


def test_the_default_changes_nothing() -> None:
    everything = part()
    assert np.array_equal(everything.indices, TRAIN)
    assert np.array_equal(everything.labels, LABELS) and everything.n_wrong == 0


def test_the_images_of_a_fraction_are_among_those_of_a_larger_one() -> None:
    smaller, larger = part(fraction=0.01).indices, part(fraction=0.1).indices
    assert set(smaller) < set(larger) < set(TRAIN)
    sizes = np.bincount(LABELS[TRAIN])
    assert np.array_equal(np.bincount(LABELS[larger]), np.floor(sizes * 0.1 + 0.5))
    assert set(part(fraction=0.1, imbalance=partial(exponential, ratio=100.0)).indices) < set(larger)


def test_a_seed_draws_the_same_images_again_and_another_seed_others() -> None:
    assert np.array_equal(part(3, 0.1).indices, part(3, 0.1).indices)
    assert len(set(part(3, 0.1).indices) & set(part(4, 0.1).indices)) < 200


def test_a_long_tail_decays_from_the_first_class_to_the_last() -> None:
    sizes = exponential(np.full(CLASSES, 540), ratio=100.0)
    assert sizes[0] == 540 and sizes[-1] == 5  # 5.4
    assert np.allclose(sizes[1:] / sizes[:-1], 100 ** (-1 / 9), atol=0.05)
    drawn = part(imbalance=partial(exponential, ratio=100.0)).indices
    assert np.array_equal(np.bincount(LABELS[drawn]), exponential(np.bincount(LABELS[TRAIN]), ratio=100.0))


@pytest.mark.parametrize("noise", [symmetric, asymmetric])
def test_wrong_labels_are_as_many_as_asked_for_and_never_outside_of_the_part(noise: Any) -> None:
    noisy = part(fraction=0.5, label_noise=partial(noise, rate=0.3))
    wrong = noisy.labels != LABELS
    assert set(np.flatnonzero(wrong)) <= set(noisy.indices)
    assert noisy.n_wrong == wrong.sum() == pytest.approx(0.3 * len(noisy.indices), rel=0.1)


def test_symmetric_noise_reaches_all_other_classes_and_asymmetric_the_next_one() -> None:
    moved = {name: (part(label_noise=partial(noise, rate=0.4)).labels[TRAIN] - LABELS[TRAIN]) % CLASSES
             for name, noise in (("symmetric", symmetric), ("asymmetric", asymmetric))}  # fmt: skip
    counts = np.bincount(moved["symmetric"], minlength=CLASSES)
    assert counts[1:].min() > 0.6 * counts[1:].max()
    assert set(moved["asymmetric"]) == {0, 1}


def test_an_image_has_the_same_label_at_every_fraction_and_a_higher_rate_changes_all_that_a_lower_one_does() -> None:
    low, high = (partial(symmetric, rate=rate) for rate in (0.2, 0.4))
    few, many = part(fraction=0.1, label_noise=low), part(label_noise=low)
    assert np.array_equal(few.labels[few.indices], many.labels[few.indices])
    worse = part(label_noise=high).labels
    changed = many.labels != LABELS
    assert np.array_equal(many.labels[changed], worse[changed])


def test_a_class_without_images_is_refused() -> None:
    with pytest.raises(
        UserError, match=r"fraction: 0\.0005 leaves class 0 none of its \d+ training images, and 9 more"
    ):
        part(fraction=0.0005)
    with pytest.raises(UserError, match="imbalance leaves class 9 none of its"):
        part(fraction=0.1, imbalance=partial(exponential, ratio=150.0))


def test_what_the_user_s_code_returns_is_checked() -> None:
    with pytest.raises(UserError, match="at most what it has"):
        part(imbalance=lambda sizes: sizes + 1)
    with pytest.raises(UserError, match="whole numbers from 0 to 9"):
        part(label_noise=lambda labels, *_: labels + 1)
    with pytest.raises(UserError, match="need two classes"):
        symmetric(np.zeros(4, int), 1, np.random.RandomState(0), rate=0.5)
