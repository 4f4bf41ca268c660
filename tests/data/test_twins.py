from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from bench.data import Dataset
from bench.data.explore import DuplicateImage, duplicate_images

DATA = Dataset(
    "small",
    ("sock", "hat"),
    np.arange(5 * 12, dtype=np.uint8).reshape(5, 3, 2, 2),
    np.array([0, 0, 1, 0, 1]),
    np.arange(100, 100 + 3 * 12, dtype=np.uint8).reshape(3, 3, 2, 2),
    np.array([0, 1, 1]),
    "00",
    Path("there"),
)


def test_pictures_of_which_each_is_another_have_no_twins() -> None:
    assert duplicate_images(DATA) == ()


def test_a_test_picture_is_found_with_all_its_equals_and_their_labels() -> None:
    train, test = DATA.train_images.copy(), DATA.test_images.copy()
    train[4] = train[1]
    test[2] = train[1]
    assert duplicate_images(replace(DATA, train_images=train, test_images=test)) == (
        DuplicateImage(2, 1, (1, 4), (0, 1)),
    )


def test_one_pixel_less_is_no_twin() -> None:
    test = DATA.test_images.copy()
    test[0] = DATA.train_images[0]
    test[0, 0, 0, 0] += 1
    assert duplicate_images(replace(DATA, test_images=test)) == ()
