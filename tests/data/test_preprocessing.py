from __future__ import annotations

import numpy as np
import pytest

from bench.data import Dataset
from bench.data.prepare import column_standardize, standardize


def test_standardize_gives_each_channel_mean_0_and_deviation_1() -> None:
    images = np.random.RandomState(0).randint(0, [[[90]], [[255]]], (3000, 2, 5, 4)).astype(np.uint8)
    statistics = standardize(images)
    scaled = (images / 255 - statistics.mean) / statistics.std
    np.testing.assert_allclose(scaled.mean(axis=(0, 2, 3)), 0, atol=1e-6)
    np.testing.assert_allclose(scaled.std(axis=(0, 2, 3)), 1, atol=1e-6)


def test_standardize_does_not_divide_by_zero() -> None:
    statistics = standardize(np.full((2, 1, 3, 3), 255, np.uint8))
    assert statistics.mean.item() == statistics.std.item() == 1


def test_standardize_is_the_same_to_the_bit_in_any_order() -> None:
    images = np.random.RandomState(1).randint(0, 256, (2500, 1, 3, 3)).astype(np.uint8)
    forwards, backwards = (standardize(part) for part in (images, images[::-1]))
    assert forwards.mean.tobytes() == backwards.mean.tobytes()
    assert forwards.std.tobytes() == backwards.std.tobytes()


def test_standardize_gives_fashion_mnists_well_known_figures(fashion_mnist: Dataset) -> None:
    statistics = standardize(fashion_mnist.train_images)
    assert statistics.mean.item() == pytest.approx(0.2860, abs=5e-5)
    assert statistics.std.item() == pytest.approx(0.3530, abs=5e-5)


def test_standardize_without_pictures_is_an_error() -> None:
    with pytest.raises(ValueError, match="no pixels"):
        standardize(np.zeros((0, 1, 3, 3), np.uint8))


def test_columns_are_standardised_by_their_own_mean_and_deviation() -> None:
    images = np.random.default_rng(0).integers(0, 256, (7, 1, 5, 4), np.uint8)
    images[..., 3] = 9
    found = column_standardize(images)
    unit = images / 255
    np.testing.assert_allclose(found.mean, unit.mean((0, 1, 2)), rtol=1e-6)
    np.testing.assert_allclose(found.std, [*unit.std((0, 1, 2))[:3], 1], rtol=1e-6)
