from __future__ import annotations

import numpy as np
import pytest

from bench.statistics.contrasts import difference
from bench.statistics.means import MeanEstimates, measure, new_images
from bench.statistics.tuning_effect import compare_values

LEVELS = ["sgd", "sgd", "sgd", "adam", "adam"]


def suite() -> MeanEstimates:
    generator = np.random.default_rng(0)
    return measure(generator.random((3, 1000)) >= error for error in (0.2, 0.1, 0.12, 0.15, 0.11))


def test_each_level_stands_at_the_setting_validation_chose() -> None:
    measured = suite()
    found = compare_values(LEVELS, [0.7, 0.85, 0.9, 0.91, 0.88], [0, 1, 2, 2, 1], measured)
    assert found["value"].tolist() == ["adam", "sgd"]
    assert found["selected"].tolist() == [3, 2]  # not 1 and 4, which test better
    assert found["n_trials"].tolist() == [2, 3]
    test = new_images(measured, 2)
    assert found.loc[1, ["test", "low", "high"]].tolist() == [test.estimate, test.low, test.high]
    gap = difference(measured, 2, 3)
    assert found.loc[1, ["gap_to_best", "gap_low", "gap_high"]].tolist() == [gap.estimate, gap.low, gap.high]
    assert np.isnan(found.loc[0, "gap_to_best"])


def test_a_setting_without_validation_is_no_try() -> None:
    found = compare_values(LEVELS, [0.7, 0.85, np.nan, np.nan, np.nan], [0] * 5, suite())
    assert found[["value", "n_trials", "selected"]].to_numpy().tolist() == [["sgd", 2, 1]]


def test_a_difference_is_of_cells_that_both_values_were_tried_in() -> None:
    """Cell 1 alone is shared: number 1 against 4, neither of which is its value's best."""
    measured = suite()
    found = compare_values(LEVELS, [0.7, 0.85, 0.9, 0.91, 0.88], [0, 1, 2, 3, 1], measured)
    gap = difference(measured, 1, 4)
    assert found.loc[1, ["n_shared", "gap_to_best", "p"]].tolist() == [1, gap.estimate, gap.p]
    apart = compare_values(LEVELS, [0.7, 0.85, 0.9, 0.91, 0.88], [0, 1, 2, 3, 4], measured)
    assert apart["n_shared"].iloc[1] == 0 and apart.loc[1, ["gap_to_best", "gap_low", "p"]].isna().all()


def test_lengths_must_match() -> None:
    with pytest.raises(ValueError, match="5 configurations"):
        compare_values(["sgd"], [0.7], [0], suite())
