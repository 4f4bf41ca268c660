from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.data import Dataset
from bench.data.explore import Part, duplicates, explore, pixels
from bench.suite.schema import Tail


@pytest.fixture
def small() -> Dataset:
    """Seven training images of 2 x 2 in colour, of two classes, one of them with two images; three to test."""
    train = np.arange(7 * 12, dtype=np.uint8).reshape(7, 3, 2, 2)
    test = np.arange(100, 100 + 3 * 12, dtype=np.uint8).reshape(3, 3, 2, 2)
    labels = np.array([0, 0, 1, 0, 0, 1, 0]), np.array([0, 1, 1])
    return Dataset("small", ("sock", "hat"), train, labels[0], test, labels[1], "00", Path("there"))


def parts(data: Dataset) -> dict[str, Part]:
    return {"train": (data.train_images, data.train_labels), "test": (data.test_images, data.test_labels)}


def test_the_figures_of_fashion_mnists_first_48000_are_as_published(fashion_mnist: Dataset) -> None:
    (whole,) = pixels(fashion_mnist.train_images[:48_000])
    assert (whole.minimum, whole.maximum) == (0, 255)
    assert (round(whole.mean, 2), round(whole.deviation, 2)) == (72.80, 89.97)
    assert whole.histogram.sum() == 48_000 * 28 * 28


def test_colour_is_told_by_channel(small: Dataset) -> None:
    found = pixels(small.train_images)
    assert [one.channel for one in found] == ["all", "red", "green", "blue"]
    for one, values in zip(found[1:], small.train_images.swapaxes(0, 1), strict=True):
        assert (one.minimum, one.maximum) == (values.min(), values.max())
        assert one.mean == pytest.approx(values.mean())
        assert one.deviation == pytest.approx(values.std())


def test_counts_samples_and_means_are_of_their_classes(small: Dataset) -> None:
    found = explore(small, samples=3)
    assert {part: counts.tolist() for part, counts in found.counts.items()} == {"train": [5, 2], "test": [1, 2]}
    np.testing.assert_array_equal(found.samples[0], small.train_images[[0, 1, 3]])
    np.testing.assert_array_equal(found.samples[1, :2], small.train_images[[2, 5]])
    np.testing.assert_allclose(found.class_means[1], small.train_images[[2, 5]].mean(axis=0))
    np.testing.assert_allclose(found.mean_image, small.train_images.mean(axis=0))


def test_exact_duplicates_are_counted_within_and_across_the_parts(small: Dataset) -> None:
    assert [one.images for one in duplicates(parts(small))] == [0, 0, 0]
    train, test = small.train_images.copy(), small.test_images.copy()
    train[3] = train[6] = train[0]  # all three of class 0
    train[5] = train[1]  # class 1 and class 0
    test[2] = test[1]  # both of class 1
    test[0] = train[2]  # class 0, and class 1 among the training images
    found = duplicates(parts(replace(small, train_images=train, test_images=test)))
    assert [(one.where, one.images, one.otherwise) for one in found] == [
        ("within the training part", 3, 1),
        ("within the test part", 1, 0),
        ("of training images in the test part", 1, 1),
    ]


def test_a_split_is_looked_at_as_trials_make_it(small: Dataset) -> None:
    train = small.train_images.copy()
    train[5] = train[0]  # class 1 in the tail, class 0 before it
    found = explore(replace(small, train_images=train), validation=Tail(tail=0.3))
    assert {part: counts.tolist() for part, counts in found.counts.items()} == {
        "train": [3, 1],
        "validation": [2, 1],
        "test": [1, 2],
    }
    assert [one.mean for one in found.pixels] == [one.mean for one in pixels(train[:4])]
    assert [one.mean for one in found.validation_pixels] == [one.mean for one in pixels(train[4:])]
    np.testing.assert_allclose(found.mean_image, train[:4].mean(axis=0))
    assert {one.where: (one.images, one.otherwise) for one in found.duplicates if one.images} == {
        "of training images in the validation part": (1, 1)
    }


def test_the_split_of_fashion_mnist_has_the_published_figures(fashion_mnist: Dataset) -> None:
    found = explore(fashion_mnist, validation=Tail(tail=0.2))
    assert (found.counts["train"].sum(), found.counts["validation"].sum()) == (48_000, 12_000)
    assert (round(found.pixels[0].mean, 2), round(found.pixels[0].deviation, 2)) == (72.80, 89.97)
