from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bench.statistics.mcnemar import mcnemar, one_sided


def runs(both: int, ours: int, theirs: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    counts = (both, ours, theirs, neither)
    return np.repeat([True, True, False, False], counts), np.repeat([True, False, True, False], counts)


def test_the_textbooks_table() -> None:
    """Agresti, Categorical Data Analysis, table 10.1: 86 against 150 of 1,600 changed their mind; z = -4.17."""
    found = mcnemar(*runs(794, 150, 86, 570))
    assert (found.only_ours, found.only_theirs) == (150, 86)
    assert found.difference.estimate == pytest.approx(64 / 1600)
    assert found.p == pytest.approx(stats.binomtest(86, 236).pvalue)
    assert found.p == pytest.approx(2 * stats.norm.sf(4.17), rel=0.3)


def test_the_interval_leaves_out_zero_just_where_p_is_small() -> None:
    for ours in range(10, 40):
        found = mcnemar(*runs(900, ours, 15, 50))
        assert (found.p < 0.05) == (not found.difference.low <= 0 <= found.difference.high)


def test_five_against_none_is_not_enough() -> None:
    assert mcnemar(*runs(90, 5, 0, 5)).p == pytest.approx(2 / 2**5)


def test_equal_runs_do_not_differ() -> None:
    found = mcnemar(*runs(90, 0, 0, 10))
    assert (found.p, found.difference.low, found.difference.high) == (1, 0, 0)


def test_runs_on_other_images_are_refused() -> None:
    with pytest.raises(ValueError, match="same images"):
        mcnemar(np.ones(3, dtype=bool), np.ones(4, dtype=bool))


def test_one_sided_p_at_a_bound_of_the_interval_is_what_lies_outside_it() -> None:
    generator = np.random.default_rng(3)
    ours, theirs = generator.random(2000) < 0.91, generator.random(2000) < 0.9
    found = mcnemar(ours, theirs)
    at_least_high, _ = one_sided(found, 2000, found.difference.high)
    _, at_most_low = one_sided(found, 2000, found.difference.low)
    assert at_least_high == pytest.approx(0.025)
    assert at_most_low == pytest.approx(0.025)


def test_a_difference_that_no_share_could_give_is_ruled_out() -> None:
    ours = np.ones(100, dtype=bool)
    theirs = ours.copy()
    theirs[0] = False
    found = mcnemar(ours, theirs)
    assert one_sided(found, 100, -0.05) == (1.0, 0.0)
    assert one_sided(found, 100, 0.05) == (0.0, 1.0)
    assert one_sided(mcnemar(ours, ours), 100) == (1.0, 1.0)
