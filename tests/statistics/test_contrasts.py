from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bench.statistics.contrasts import contrasts, difference
from bench.statistics.means import measure, new_images
from bench.statistics.paired_tests import paired_interval


def pair(seeds: int, generator: np.random.Generator, worse: float = 1.0) -> list[np.ndarray]:
    """Two configurations that find the same images hard; the second's errors are scaled by `worse`."""
    errors = 0.7 * generator.beta(0.2, 1.2, 2000)
    return [generator.random((seeds, 2000)) >= errors * scale for scale in (1.0, worse)]


def test_single_runs_get_tangos_interval_and_no_p() -> None:
    ours, theirs = pair(1, np.random.default_rng(0), 1.2)
    found = difference(measure([ours, theirs]), 0, 1)
    only_first, only_second = int((ours[0] & ~theirs[0]).sum()), int((theirs[0] & ~ours[0]).sum())
    known = paired_interval(only_first, only_second, 2000)
    assert (found.estimate, found.low, found.high) == pytest.approx((known.estimate, known.low, known.high))
    assert not found.seeds_counted
    assert np.isnan(found.this_low) and np.isnan(found.p)


def test_this_test_set_gives_the_two_sample_t_interval_of_the_seeds() -> None:
    tables = [np.tile(np.arange(1000) < 900, (3, 1)) for _ in range(2)]
    for table, extra in ((tables[0], (0, 4, 8)), (tables[1], (20, 24, 28))):
        for row, more in zip(table, extra, strict=True):
            row[900 : 900 + more] = True
    found = difference(measure(tables), 1, 0)
    known = stats.ttest_ind(tables[1].mean(axis=1), tables[0].mean(axis=1)).confidence_interval()
    # Equal deviations of .4 points, but pooled as a ratio to each one's own flips: nearly the same.
    assert found.estimate == pytest.approx(0.02)
    assert (found.this_low, found.this_high) == pytest.approx((known.low, known.high), abs=0.0006)


def test_shared_images_make_the_difference_surer_than_the_means() -> None:
    measured = measure(pair(5, np.random.default_rng(1)))
    found, single = difference(measured, 0, 1), new_images(measured, 0)
    apart = 2**0.5 * (single.high - single.low)
    assert found.high - found.low < 0.75 * apart


def test_equal_seed_numbers_pair_nothing() -> None:
    ours, theirs = pair(5, np.random.default_rng(2))
    shuffled = theirs[np.random.default_rng(0).permutation(5)]
    assert difference(measure([ours, theirs]), 0, 1) == difference(measure([ours, shuffled]), 0, 1)


def test_a_configuration_does_not_differ_from_itself() -> None:
    found = difference(measure(pair(3, np.random.default_rng(0))), 1, 1)
    assert (found.estimate, found.low, found.high, found.p) == (0, 0, 0, 1)


@pytest.mark.parametrize("seeds", [3, 10])
def test_the_difference_of_equal_configurations_covers_zero(seeds: int) -> None:
    generator = np.random.default_rng(0)
    found = [difference(measure(pair(seeds, generator)), 0, 1) for _ in range(100)]
    assert np.mean([one.low <= 0 <= one.high for one in found]) >= 0.9
    assert all((one.p < 0.05) == (not one.low <= 0 <= one.high) for one in found)


def test_a_contrast_is_linear_in_its_weights() -> None:
    measured = measure(pair(4, np.random.default_rng(0), 1.3))
    found = contrasts(measured, np.array([[1.0, -1.0], [10.0, -10.0]]))
    assert found.estimate[1] == pytest.approx(10 * found.estimate[0])
    assert found.low[1] == pytest.approx(10 * found.low[0])
    assert found.p[1] == pytest.approx(found.p[0])


def test_p_against_another_difference_than_none_belongs_to_the_interval() -> None:
    measured = measure(pair(5, np.random.default_rng(4), 1.1))
    found = difference(measured, 0, 1)
    for bound in (found.low, found.high):
        assert difference(measured, 0, 1, null=bound).p == pytest.approx(0.05)
    assert difference(measured, 0, 1, null=found.estimate).p == pytest.approx(1)
