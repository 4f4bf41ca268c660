from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pytest
from scipy import stats

from bench.statistics.tuning_effect import expected_best, gain_of_best

SCORES = [0.2, 0.9, 0.5, 0.7, 0.6]


def test_without_replacement_it_is_the_mean_over_all_choices() -> None:
    known = [np.mean([max(some) for some in combinations(SCORES, n_trials)]) for n_trials in range(1, 6)]
    assert expected_best(SCORES).tolist() == pytest.approx(known)


def test_with_replacement_it_is_the_mean_over_all_sequences() -> None:
    """The estimate of Dodge et al. 2019."""
    known = [np.mean([max(some) for some in product(SCORES, repeat=n_trials)]) for n_trials in range(1, 6)]
    assert expected_best(SCORES, replacement=True).tolist() == pytest.approx(known)


def test_validation_chooses_and_test_is_told() -> None:
    validation, test = [1.0, 2.0, 3.0, 4.0], [0.8, 0.9, 0.95, 0.85]
    pairs = list(zip(validation, test, strict=True))
    known = [np.mean([max(some)[1] for some in combinations(pairs, n_trials)]) for n_trials in range(1, 5)]
    assert expected_best(validation, test).tolist() == pytest.approx(known)
    assert expected_best(validation, test)[-1] == pytest.approx(0.85)


def test_equals_on_validation_are_chosen_by_lot() -> None:
    assert expected_best([1.0, 1.0], [0.0, 1.0]).tolist() == pytest.approx([0.5, 0.5])


def test_thousands_of_tries_neither_overflow_nor_lose_weight() -> None:
    assert expected_best(np.ones(1000).tolist()) == pytest.approx(np.ones(1000))


@pytest.mark.parametrize(("n_trials", "sigma"), [(1, 0), (2, 0.56419), (5, 1.16296), (10, 1.53875), (100, 2.50759)])
def test_luck_of_the_best_of_equals_as_printed(n_trials: int, sigma: float) -> None:
    # Harter 1961, Biometrika 48, table 1.
    assert gain_of_best(n_trials) == pytest.approx(sigma, abs=1e-5)


def test_luck_of_three_thousand_equals_by_scipys_normal_quantile() -> None:
    """The largest of n uniform values is Beta(n, 1), so its normal quantile has the mean asked for."""
    known = stats.beta(3000, 1).expect(stats.norm.ppf, lb=0.9, ub=1)
    assert gain_of_best(3000, 0.002) == pytest.approx(0.002 * known, rel=1e-4)


@pytest.mark.parametrize("figures", [[], [0.5, float("nan")]])
def test_figures_must_be_there(figures: list[float]) -> None:
    with pytest.raises(ValueError, match="finite"):
        expected_best(figures)


def test_some_numbers_of_tries_are_those_of_all() -> None:
    assert expected_best(SCORES, n_trials=[1, 4]).tolist() == expected_best(SCORES)[[0, 3]].tolist()
