from __future__ import annotations

import pytest
from statsmodels.stats.proportion import confint_proportions_2indep

from bench.statistics.intervals import Interval, wilson
from bench.statistics.versus_published import placement

OURS = Interval(0.93, 0.925, 0.935)


@pytest.mark.parametrize(("published", "place"), [(0.936, "above"), (0.935, "within"), (0.92, "below")])
def test_a_figure_is_held_against_our_interval(published: float, place: str) -> None:
    assert placement(published, OURS).place == place


def test_a_single_run_brings_its_own_images() -> None:
    assert placement(0.936, OURS, 10_000).place == "within"
    assert placement(0.94, OURS, 10_000).place == "above"


def test_the_gap_of_two_single_runs_is_newcombes() -> None:
    """His method 10, as statsmodels has it; 56 of 70 less 48 of 80 is .0524 to .3339 (Newcombe 1998, table II)."""
    found = placement(56 / 70, wilson(48, 80), 70)
    low, high = confint_proportions_2indep(56, 70, 48, 80, method="newcomb")
    assert (found.gap.low, found.gap.high) == pytest.approx((low, high))
    assert (found.gap.low, found.gap.high) == pytest.approx((0.0524, 0.3339), abs=5e-5)


def test_percent_are_refused() -> None:
    with pytest.raises(ValueError, match="no fraction"):
        placement(93.5, OURS)
