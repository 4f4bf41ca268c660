from __future__ import annotations

import pytest
from statsmodels.stats.proportion import confint_proportions_2indep

from bench.statistics.intervals import Interval, wilson
from bench.statistics.versus_published import published_gap

OURS = Interval(0.93, 0.925, 0.935)


@pytest.mark.parametrize(("published", "place"), [(0.936, "below"), (0.935, "within"), (0.92, "above")])
def test_a_figure_is_held_against_our_interval(published: float, place: str) -> None:
    assert published_gap(published, OURS).position == place


def test_a_single_run_brings_its_own_images() -> None:
    assert published_gap(0.936, OURS, 10_000).position == "within"
    assert published_gap(0.94, OURS, 10_000).position == "below"


def test_the_gap_of_two_single_runs_is_newcombes() -> None:
    """His method 10, as statsmodels has it; 56 of 70 less 48 of 80 is .0524 to .3339 (Newcombe 1998, table II)."""
    found = published_gap(48 / 80, wilson(56, 70), 80)
    low, high = confint_proportions_2indep(56, 70, 48, 80, method="newcomb")
    assert (found.gap.low, found.gap.high) == pytest.approx((low, high))
    assert (found.gap.low, found.gap.high) == pytest.approx((0.0524, 0.3339), abs=5e-5)


def test_percent_are_refused() -> None:
    with pytest.raises(ValueError, match="no fraction"):
        published_gap(93.5, OURS)
