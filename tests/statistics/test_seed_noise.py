from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bench.statistics.intervals import pooled_seed_deviation
from bench.statistics.seed_noise import moderated


def test_configurations_that_agree_are_pooled() -> None:
    values = np.array([[0.90, 0.902, 0.904], [0.93, 0.9321, 0.9339], [0.95, 0.9522, 0.9542]])
    pooled = pooled_seed_deviation(values.tolist())
    found = moderated(values.var(axis=1, ddof=1), np.full(3, 1e-6), np.full(3, 3))
    assert pooled is not None and found is not None
    assert found.variances == pytest.approx([pooled.deviation**2] * 3, rel=0.02)
    assert (found.degrees > 5).all() and (found.degrees <= 6).all()
    assert not found.is_outlier.any()


def test_what_is_pooled_is_the_ratio_to_independent_flips() -> None:
    found = moderated(np.array([2.0, 8.0]), np.array([1.0, 4.0]), np.array([3, 3]))
    assert found is not None
    assert found.variances == pytest.approx([2.0, 8.0], rel=0.02)


def test_unequal_noise_is_found_at_the_strength_it_was_drawn_with() -> None:
    """Smyth's model itself: s0^2 = 3 and d0 = 6, so that 4 degrees of its own weigh 4 in 10."""
    generator = np.random.default_rng(0)
    truth = 3 * 6 / generator.chisquare(6, 4000)
    own = truth * generator.chisquare(4, 4000) / 4
    found = moderated(own, np.ones(4000), np.full(4000, 5))
    assert found is not None
    assert np.median(found.degrees) == pytest.approx(10, rel=0.25)
    # The highest look as if they were unlike the others, and keep their own.
    usual = own < np.quantile(own, 0.8)
    slope, intercept = np.polyfit(own[usual], found.variances[usual], 1)
    assert (slope, intercept) == pytest.approx((0.4, 0.6 * 3), rel=0.25)


def test_a_far_noisier_configuration_keeps_its_noise() -> None:
    between = np.array([1.0, 0.8, 1.1, 0.9, 1.2, 1.0, 40.0])
    found = moderated(between, np.ones(7), np.full(7, 10))
    assert found is not None
    assert found.variances[-1] > 35
    assert found.variances[0] < 1.1
    assert found.is_outlier.tolist() == [False] * 6 + [True]
    assert found.p[-1] < 0.001 < found.p[0]


def test_another_recipes_noisy_runs_do_not_widen_ones_own() -> None:
    """Two of one recipe and one of another, three seeds each: plainly pooled the first had 3.9 instead of .4."""
    alone = moderated(np.array([0.4, 0.4]), np.ones(2), np.full(2, 3))
    found = moderated(np.array([0.4, 0.4, 11.0]), np.ones(3), np.full(3, 3))
    assert alone is not None and found is not None
    half, beside = (stats.t.ppf(0.975, one.degrees[0]) * one.variances[0] ** 0.5 for one in (alone, found))
    assert beside < 1.4 * half
    assert found.raw_variances.tolist() == pytest.approx([0.4, 0.4, 11.0])


@pytest.mark.parametrize(("spread", "least"), [(1.0, 0.91), (100.0, 0.8)])
def test_the_noisiest_of_configurations_is_covered(spread: float, least: float) -> None:
    """Variances a hundredfold apart, five seeds each: plainly pooled, the noisiest of ten is covered in 72 %."""
    generator = np.random.default_rng(0)
    hits = []
    for _ in range(200):
        truth = np.exp(generator.uniform(0, np.log(spread), 10))
        found = moderated(truth * generator.chisquare(4, 10) / 4, np.ones(10), np.full(10, 5))
        assert found is not None
        noisiest = int(np.argmax(truth))
        half = stats.t.ppf(0.975, found.degrees[noisiest]) * found.variances[noisiest] ** 0.5
        hits.append(abs(generator.normal(0, truth[noisiest] ** 0.5)) <= half)
    assert np.mean(hits) >= least


def test_a_single_seed_borrows_all_its_noise() -> None:
    found = moderated(np.array([2.0, np.nan]), np.array([1.0, 3.0]), np.array([4, 1]))
    assert found is not None
    assert found.variances == pytest.approx([2.0, 6.0])
    assert found.degrees.tolist() == [3, 3]


def test_single_seeds_alone_tell_no_noise() -> None:
    assert moderated(np.array([np.nan]), np.array([1.0]), np.array([1])) is None
