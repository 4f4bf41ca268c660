from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bench.statistics.measured import measure, new_images, this_test_set
from bench.statistics.proportions import wilson
from bench.statistics.seeds import pooled_seed_deviation, seed_interval


def made(seeds: int, generator: np.random.Generator, spread: float = 0.0, images: int = 2000) -> np.ndarray:
    """Seeds that are right with an image's own chance, 90 % in the mean, each seed's errors scaled by its luck."""
    errors = 0.8 * generator.beta(0.2, 1.4, images)
    return generator.random((seeds, images)) >= errors * generator.normal(1, spread, (seeds, 1)).clip(0.75, 1.25)


def test_one_configuration_has_the_textbook_variance_of_a_two_way_mean() -> None:
    """(MS_seeds + MS_images - MS_rest) / nS, from a table whose seeds differ by more than chance."""
    right = made(5, np.random.default_rng(3), 0.1)
    accuracies, shares, mean = right.mean(axis=1), right.mean(axis=0), right.mean()
    by_seed = 2000 * accuracies.var(ddof=1)
    by_image = 5 * shares.var(ddof=1)
    rest = ((right - shares - accuracies[:, None] + mean) ** 2).sum() / (4 * 1999)
    assert by_seed > rest
    assert measure([right]).covariance[0, 0] == pytest.approx((by_seed + by_image - rest) / 10_000)


def test_this_test_set_gives_the_pooled_t_interval_where_configurations_agree() -> None:
    right = made(5, np.random.default_rng(1))
    interval = this_test_set(measure([right]), 0)
    values = right.mean(axis=1).tolist()
    pooled = pooled_seed_deviation([values])
    assert interval is not None and pooled is not None
    known = seed_interval(values, pooled)
    assert (interval.low, interval.high) == pytest.approx((known.low, known.high))


def test_new_images_widen_the_interval() -> None:
    measured = measure([made(5, np.random.default_rng(number)) for number in range(4)])
    narrow, wide = this_test_set(measured, 0), new_images(measured, 0)
    assert narrow is not None
    assert wide.low < narrow.low < narrow.high < wide.high


def test_many_seeds_leave_the_images_alone() -> None:
    """The limit of many seeds: a z interval of the images' own difficulty."""
    right = made(400, np.random.default_rng(0))
    found = new_images(measure([right]), 0)
    assert found.high - found.estimate == pytest.approx(1.96 * stats.sem(right.mean(axis=0)), rel=0.03)


def test_one_seed_gives_wilson_and_nothing_on_this_test_set() -> None:
    single = made(1, np.random.default_rng(0))
    measured = measure([single, made(3, np.random.default_rng(1))])
    assert new_images(measured, 0) == wilson(int(single.sum()), 2000)
    assert this_test_set(measured, 0) is None


def test_no_mistake_at_all_still_has_an_interval() -> None:
    found = new_images(measure([np.ones((3, 500), dtype=bool)]), 0)
    assert found.low == wilson(500, 500).low


@pytest.mark.parametrize("seeds", [3, 10])
def test_the_interval_on_new_images_covers(seeds: int) -> None:
    generator = np.random.default_rng(5)
    truth = 1 - 0.8 * 0.2 / 1.6
    hits = 0
    for _ in range(60):
        measured = measure([made(seeds, generator, 0.08, 1000) for _ in range(4)])
        bounds = [new_images(measured, number) for number in range(4)]
        hits += sum(one.low <= truth <= one.high for one in bounds)
    assert 0.91 <= hits / 240 <= 0.99


def test_other_images_are_refused() -> None:
    with pytest.raises(ValueError, match="same test images"):
        measure([np.ones((2, 10), dtype=bool), np.ones((2, 11), dtype=bool)])
    with pytest.raises(ValueError, match="nothing to measure"):
        measure([])
