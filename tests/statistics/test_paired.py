from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from bench.statistics import paired_tests
from bench.statistics.contrasts import difference
from bench.statistics.means import measure
from bench.statistics.paired_tests import mcnemar, one_sided_mcnemar


def runs(seeds: int, images: int, accuracy: float, seed: int = 0) -> NDArray[np.bool_]:
    result: NDArray[np.bool_] = np.random.default_rng(seed).random((seeds, images)) < accuracy
    return result


@pytest.mark.parametrize("null", [-0.2, -0.02, 0.03, 0.15])
def test_two_single_runs_are_held_against_each_other_as_by_tango(null: float) -> None:
    new, base = runs(1, 60, 0.8), runs(1, 60, 0.9, seed=1)
    expected = np.minimum(one_sided_mcnemar(mcnemar(new[0], base[0]), 60, null), 0.5)  # above that nothing is claimed
    found = np.minimum(paired_tests.one_sided(measure([new, base]), 0, 1, null), 0.5)
    assert found == pytest.approx(expected)
    interval = mcnemar(new[0], base[0]).difference
    whole = paired_tests.score_interval(measure([new, base]), 0, 1)
    assert (whole.low, whole.high) == pytest.approx((interval.low, interval.high), abs=1e-6)


def test_on_many_images_it_is_the_t_interval_of_the_components() -> None:
    measured = measure([runs(5, 10_000, 0.9), runs(5, 10_000, 0.91, seed=1)])
    plain, found = difference(measured, 0, 1), paired_tests.score_interval(measured, 0, 1)
    assert (found.estimate, found.low, found.high) == pytest.approx((plain.estimate, plain.low, plain.high), abs=5e-5)


@pytest.mark.parametrize("seeds", [1, 3])
def test_images_that_agree_show_no_more_than_their_number(seeds: int) -> None:
    """Of 50 images none that is worse: what is worse on one in 14 looks so in 2.5 % of cases."""
    same = np.repeat(runs(1, 50, 0.9), seeds, axis=0)
    found = paired_tests.score_interval(measure([same, same]), 0, 1)
    assert found.low == -found.high
    assert -found.low == pytest.approx(1 - 0.025 ** (1 / 50), abs=0.004)
    assert paired_tests.one_sided(measure([same, same]), 0, 1, -0.01)[1] > 0.2


def test_the_interval_ends_where_the_one_sided_tests_decide() -> None:
    measured = measure([runs(3, 200, 0.85), runs(3, 200, 0.9, seed=1), runs(3, 200, 0.9, seed=2)])
    found = paired_tests.score_interval(measured, 0, 1)
    assert paired_tests.one_sided(measured, 0, 1, found.low)[1] == pytest.approx(0.025)
    assert paired_tests.one_sided(measured, 0, 1, found.high)[0] == pytest.approx(0.025)
    assert paired_tests.one_sided(measured, 0, 1, found.estimate) == (0.5, 0.5)


@pytest.mark.parametrize("seeds", [1, 3])
def test_a_few_images_that_all_were_lost_prove_no_more_than_the_binomial_distribution_allows(seeds: int) -> None:
    base = np.ones((seeds, 50), dtype=bool)
    new = base.copy()
    new[:, :4] = False
    worse, _ = paired_tests.one_sided(measure([new, base]), 0, 1, -0.03)
    # Seeds that agree may still differ a little: where that says less than the binomial distribution, it counts.
    assert worse >= stats.binom.sf(3, 50, 0.03) * (1 - 1e-9)
    assert worse == pytest.approx(stats.binom.sf(3, 50, 0.03), rel=0.01)


def test_the_variance_under_a_hypothesis_is_that_of_weights_with_its_mean() -> None:
    weights = np.array([3.0, 90.0, 7.0]) / 100
    tilts = np.linspace(0, 1, 400_001)[:-1]
    values = np.array([-1.0, 0.0, 0.5]) + 0.05
    tilted = weights / (1 + tilts[:, None] * values)
    means = (tilted * values).sum(axis=1)
    found = tilted[np.argmin(np.abs(means))]
    assert paired_tests.variance_under(np.array([-1.0, 0.0, 0.5]), weights, -0.05) == pytest.approx(
        float(found @ values**2), rel=1e-3
    )


def test_all_wrong_against_all_right_has_bounds() -> None:
    measured = measure([np.zeros((2, 50), dtype=bool), np.ones((2, 50), dtype=bool)])
    found = paired_tests.score_interval(measured, 0, 1)
    assert (found.estimate, found.low) == (-1, -1)
    assert -1 < found.high < -0.8
    with pytest.raises(ValueError, match="confidence"):
        paired_tests.score_interval(measured, 0, 1, confidence=1)
