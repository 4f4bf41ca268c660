"""Importances of a search's parameters: what varies the metric over the search space, and whether anything does."""

from __future__ import annotations

import numpy as np

from bench.statistics.parameter_importance import MIN_CONFIGURATIONS, parameter_importances


def test_the_fraction_of_each_parameter_is_that_of_its_variance() -> None:
    """u1 uniform on 0 to 1 has variance 1/12, twice a fair coin 1: weights make it 75 to 25."""
    rng = np.random.default_rng(0)
    values = np.column_stack([rng.random(400), rng.integers(0, 2, 400), rng.random(400)])
    results = 6 * values[:, 0] + 2 * values[:, 1]  # variances 36 / 12 = 3 and 4 / 4 = 1
    importances = parameter_importances(values, [0, 2, 0], results)
    assert importances is not None and importances.explained > 0.95
    slope, coin, nothing = importances.parameters
    assert abs(slope.mean - 0.75) < 0.05 and abs(coin.mean - 0.25) < 0.05 and nothing.mean < 0.02
    assert all(part.low <= part.mean <= part.high for part in importances.parameters)


def test_a_sample_that_crowds_at_the_best_is_weighted_as_the_whole_space() -> None:
    """Of a search most of whose values lie where the other parameter decides, the first one still explains more."""
    rng = np.random.default_rng(1)
    crowded = np.where(rng.random(300) < 0.8, rng.uniform(0.9, 1.0, 300), rng.random(300))
    values = np.column_stack([crowded, rng.random(300)])
    results = 3 * values[:, 0] + values[:, 1]
    assert np.var(3 * values[:, 0]) < 5 * np.var(values[:, 1]), "in the sample the two differ less than 9 to 1"
    importances = parameter_importances(values, [0, 0], results)
    assert importances is not None
    first, second = importances.parameters
    assert first.mean > 0.8 > 0.2 > second.mean


def test_noise_explains_nothing_of_what_was_left_out() -> None:
    rng = np.random.default_rng(2)
    importances = parameter_importances(rng.random((60, 3)), [0, 0, 0], rng.normal(size=60))
    assert importances is not None and importances.explained < 0.1


def test_too_few_or_equal_results_have_no_importance() -> None:
    values = np.random.default_rng(3).random((MIN_CONFIGURATIONS, 2))
    assert parameter_importances(values[:-1], [0, 0], np.arange(MIN_CONFIGURATIONS - 1.0)) is None
    assert parameter_importances(values, [0, 0], np.full(MIN_CONFIGURATIONS, 0.9)) is None


def test_the_same_results_have_the_same_importances() -> None:
    rng = np.random.default_rng(4)
    values, results = rng.random((40, 2)), rng.random(40)
    assert parameter_importances(values, [0, 0], results) == parameter_importances(values, [0, 0], results)
