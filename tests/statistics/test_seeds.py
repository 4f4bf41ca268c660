from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bench.statistics.intervals import PooledDeviation, pooled_seed_deviation, seed_interval


def test_pooling_weighs_each_group_by_its_degrees_of_freedom() -> None:
    # Variances 1 (2 degrees) and 8 (1 degree): (2 * 1 + 1 * 8) / 3.
    pooled = pooled_seed_deviation([[1.0, 2.0, 3.0], [0.0, 4.0]])
    assert pooled is not None
    assert pooled.deviation == pytest.approx((10 / 3) ** 0.5)
    assert pooled.degrees == 3


def test_pooling_ignores_how_far_apart_the_configurations_are() -> None:
    near, far = [[0.1, 0.2], [0.3, 0.4]], [[0.1, 0.2], [100.3, 100.4]]
    pooled = [pooled_seed_deviation(groups) for groups in (near, far)]
    assert [one.deviation for one in pooled if one] == pytest.approx([0.005**0.5] * 2)


def test_single_seeds_give_nothing_to_pool() -> None:
    assert pooled_seed_deviation([[0.9], [0.8], []]) is None


def test_one_group_gives_the_textbook_t_interval() -> None:
    values = [0.883, 0.885, 0.881, 0.886]
    pooled = pooled_seed_deviation([values])
    assert pooled is not None
    interval = seed_interval(values, pooled)
    low, high = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert (interval.low, interval.high) == pytest.approx((low, high))
    assert interval.estimate == pytest.approx(np.mean(values))


def test_half_width_with_the_printed_t_quantile() -> None:
    # t(.975, 10) = 2.228 in every printed table; sigma / sqrt(n) = 0.3 / 3.
    interval = seed_interval([1.0] * 9, PooledDeviation(0.3, 10))
    assert interval.high - interval.estimate == pytest.approx(0.2228, abs=1e-4)


def test_the_pooled_interval_covers_at_three_seeds() -> None:
    generator = np.random.default_rng(0)
    hits = 0
    for _ in range(400):
        groups = generator.normal(0.0, 1.0, (8, 3))
        pooled = pooled_seed_deviation(groups.tolist())
        assert pooled is not None
        interval = seed_interval(groups[0].tolist(), pooled)
        hits += interval.low <= 0.0 <= interval.high
    assert 0.92 <= hits / 400 <= 0.98


@pytest.mark.parametrize(("values", "confidence"), [([], 0.95), ([0.9], 0.0), ([0.9], 1.0)])
def test_an_interval_refuses_what_has_none(values: list[float], confidence: float) -> None:
    with pytest.raises(ValueError):
        seed_interval(values, PooledDeviation(0.1, 4), confidence)
