from __future__ import annotations

import numpy as np
import pytest

from bench.statistics.noise import moderated
from bench.statistics.seeds import pooled_seed_deviation


def test_configurations_that_agree_are_pooled_whole() -> None:
    values = np.array([[0.90, 0.902, 0.904], [0.93, 0.9321, 0.9339], [0.95, 0.9522, 0.9542]])
    pooled = pooled_seed_deviation(values.tolist())
    found = moderated(values.var(axis=1, ddof=1), np.full(3, 1e-6), np.full(3, 3))
    assert pooled is not None and found is not None
    assert found.variances == pytest.approx([pooled.deviation**2] * 3)
    assert found.degrees.tolist() == [6, 6, 6]


def test_what_is_pooled_is_the_ratio_to_independent_flips() -> None:
    found = moderated(np.array([2.0, 8.0]), np.array([1.0, 4.0]), np.array([3, 3]))
    assert found is not None
    assert found.variances == pytest.approx([2.0, 8.0])


def test_unequal_noise_is_found_at_the_strength_it_was_drawn_with() -> None:
    """Smyth's model itself: s0^2 = 3 and d0 = 6, so that 4 degrees of its own weigh 4 in 10."""
    generator = np.random.default_rng(0)
    truth = 3 * 6 / generator.chisquare(6, 4000)
    own = truth * generator.chisquare(4, 4000) / 4
    found = moderated(own, np.ones(4000), np.full(4000, 5))
    assert found is not None
    assert found.degrees[0] == pytest.approx(10, rel=0.1)
    slope, intercept = np.polyfit(own, found.variances, 1)
    assert (slope, intercept) == pytest.approx((0.4, 0.6 * 3), rel=0.1)


def test_a_far_noisier_configuration_keeps_its_noise() -> None:
    between = np.array([1.0, 0.8, 1.1, 0.9, 1.2, 1.0, 40.0])
    found = moderated(between, np.ones(7), np.full(7, 10))
    assert found is not None
    assert found.variances[-1] > 25
    assert found.variances[0] < 1.8


def test_a_single_seed_borrows_all_its_noise() -> None:
    found = moderated(np.array([2.0, np.nan]), np.array([1.0, 3.0]), np.array([4, 1]))
    assert found is not None
    assert found.variances == pytest.approx([2.0, 6.0])
    assert found.degrees.tolist() == [3, 3]


def test_single_seeds_alone_tell_no_noise() -> None:
    assert moderated(np.array([np.nan]), np.array([1.0]), np.array([1])) is None
