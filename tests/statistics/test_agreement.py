from __future__ import annotations

import numpy as np
import pytest

from bench.statistics.intervals import PooledDeviation, pooled_seed_deviation
from bench.statistics.versus_published import agreement


def test_both_sides_noise_counts() -> None:
    """3 seeds of deviation .003, and one run of theirs: 2.0739 (t, 22) * .003 * sqrt(1/3 + 1)."""
    found = agreement(0.88, 3, 0.885, PooledDeviation(0.003, 22))
    assert (found.difference, found.half_width) == pytest.approx((-0.005, 0.007184), abs=1e-6)
    assert found.position == "within"


@pytest.mark.parametrize(("ours", "word"), [(0.891, "above"), (0.871, "below"), (0.8812, "within")])
def test_the_word_says_where_ours_lies(ours: float, word: str) -> None:
    assert agreement(ours, 3, 0.881, PooledDeviation(0.003, 22)).position == word


def test_a_deviation_taken_as_known_gets_the_normal_quantile() -> None:
    assert agreement(0.5, 1, 0.5, 0.01).half_width == pytest.approx(1.959964 * 0.01 * 2**0.5)


def test_different_images_and_rounding_widen_it() -> None:
    same = agreement(0.9, 2, 0.9, 0.002)
    sampled = agreement(0.9, 2, 0.9, 0.002, sampling=2 * 0.9 * 0.1 / 10_000)
    assert sampled.half_width > 1.9 * same.half_width
    assert agreement(0.9, 2, 0.9, 0.002, rounding=0.005).half_width == pytest.approx(same.half_width + 0.005)


@pytest.mark.parametrize("seeds", [1, 3, 10])
def test_one_more_run_of_an_equal_network_lies_within_95_times_in_100(seeds: int) -> None:
    """Five configurations with three seeds each give the noise; all are equal to theirs."""
    generator = np.random.default_rng(0)
    within = 0
    for _ in range(2000):
        noise = pooled_seed_deviation(generator.normal(0.9, 0.003, (5, 3)))
        ours, theirs = generator.normal(0.9, 0.003, seeds).mean(), generator.normal(0.9, 0.003)
        assert noise is not None
        within += agreement(ours, seeds, theirs, noise).position == "within"
    assert 0.935 < within / 2000 < 0.965


def test_no_seeds_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one seed"):
        agreement(0.9, 0, 0.9, 0.01)
