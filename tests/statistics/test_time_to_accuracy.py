from __future__ import annotations

import math

import pytest
from statsmodels.duration.survfunc import SurvfuncRight

from bench.statistics.time_to_accuracy import time_to_target


def test_the_first_epoch_at_the_target_counts() -> None:
    found = time_to_target([[0.5, 0.8, 0.7, 0.9]], [40.0], 0.8)
    assert (found.reached, found.seeds, found.epochs, found.seconds) == (1, 1, 2, 20)


def test_a_seed_that_never_arrives_is_slower_than_all() -> None:
    found = time_to_target([[0.5, 0.8], [0.8, 0.8], [0.5, 0.6]], [10.0, 20.0, 10.0], 0.8)
    assert (found.reached, found.epochs, found.seconds) == (2, 2, 10)
    assert time_to_target([[0.1], [0.9]], [1.0, 1.0], 0.8).epochs == math.inf


def test_it_is_the_kaplan_meier_median() -> None:
    reached = [3, 5, 6, 8]
    curves = [[0.0] * (epoch - 1) + [1.0] * (11 - epoch) for epoch in reached] + [[0.0] * 10]
    known = SurvfuncRight([*reached, 10], [1, 1, 1, 1, 0]).quantile(0.5)
    assert time_to_target(curves, [1.0] * 5, 1.0).epochs == known


def test_a_loss_falls_to_its_target_and_what_is_not_finite_does_not() -> None:
    assert time_to_target([[None, 0.5, 0.2]], [3.0], 0.3, higher=False).epochs == 3


def test_no_seed_is_refused() -> None:
    with pytest.raises(ValueError, match="per seed"):
        time_to_target([], [], 0.9)
