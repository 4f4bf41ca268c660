from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bench.statistics.intervals import Interval
from bench.statistics.paired_tests import McNemar, mcnemar, one_sided_mcnemar, paired_interval


def runs(both: int, ours: int, theirs: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    counts = (both, ours, theirs, neither)
    return np.repeat([True, True, False, False], counts), np.repeat([True, False, True, False], counts)


def test_the_textbooks_table() -> None:
    """Agresti, Categorical Data Analysis, table 10.1: 86 against 150 of 1,600 changed their mind; z = -4.17."""
    found = mcnemar(*runs(794, 150, 86, 570))
    assert (found.only_first, found.only_second) == (150, 86)
    assert found.difference.estimate == pytest.approx(64 / 1600)
    assert found.p == pytest.approx(stats.binomtest(86, 236).pvalue)
    assert found.p == pytest.approx(2 * stats.norm.sf(4.17), rel=0.3)


def test_tangos_interval_of_a_printed_table() -> None:
    """Fagerland, Lydersen and Laake 2014, doi 10.1002/sim.6148: 1 against 7 of 21 children, Tango's -.517 to -.026."""
    found = mcnemar(*runs(1, 1, 7, 12)).difference
    assert (found.low, found.high) == pytest.approx((-0.517, -0.026), abs=0.0005)


def test_the_interval_covers_where_errors_are_unlike() -> None:
    """Given the number of differing images, Clopper and Pearson's covers 53 to 99 % of these."""
    generator = np.random.default_rng(0)
    for images in (50, 200, 1000, 10_000):
        for ours, theirs in ((0.05, 0.05), (0.10, 0.02), (0.20, 0.02), (0.50, 0.01), (0.04, 0.0005), (0.0, 0.3)):
            draws = generator.multinomial(images, [ours, theirs, 1 - ours - theirs], 1000)
            pairs, counts = np.unique(draws[:, :2], axis=0, return_counts=True)
            some = generator.choice(len(pairs), min(len(pairs), 200), replace=False)
            bounds = [paired_interval(int(pairs[i, 0]), int(pairs[i, 1]), images) for i in some]
            held = [one.low <= ours - theirs <= one.high for one in bounds]
            assert np.average(held, weights=counts[some]) >= 0.9


def test_the_interval_agrees_with_mcnemars_p_but_on_the_border() -> None:
    for ours in range(10, 40):
        found = mcnemar(*runs(900, ours, 15, 50))
        assert (found.p < 0.05) == (not found.difference.low <= 0 <= found.difference.high) or 0.02 < found.p < 0.1


def test_five_against_none_is_not_enough() -> None:
    assert mcnemar(*runs(90, 5, 0, 5)).p == pytest.approx(2 / 2**5)


def test_equal_runs_do_not_differ_here_and_may_on_other_images() -> None:
    """Tango's bounds without a differing image are z^2 / (n + z^2)."""
    found = mcnemar(*runs(90, 0, 0, 10))
    assert found.p == 1
    assert (found.difference.low, found.difference.high) == pytest.approx((-0.036994, 0.036994), abs=1e-5)


def test_runs_that_differ_on_every_image_have_bounds_within_one() -> None:
    assert paired_interval(20, 0, 20).high == 1
    assert paired_interval(0, 20, 20).low == -1
    with pytest.raises(ValueError, match="discordant images are impossible"):
        paired_interval(30, 1, 30)


def test_runs_on_other_images_are_refused() -> None:
    with pytest.raises(ValueError, match="same images"):
        mcnemar(np.ones(3, dtype=bool), np.ones(4, dtype=bool))


def test_one_sided_p_at_a_bound_of_the_interval_is_what_lies_outside_it() -> None:
    generator = np.random.default_rng(3)
    ours, theirs = generator.random(2000) < 0.91, generator.random(2000) < 0.9
    found = mcnemar(ours, theirs)
    at_least_high, _ = one_sided_mcnemar(found, 2000, found.difference.high)
    _, at_most_low = one_sided_mcnemar(found, 2000, found.difference.low)
    assert at_least_high == pytest.approx(0.025)
    assert at_most_low == pytest.approx(0.025)


def test_few_images_rule_out_no_small_drop() -> None:
    """Of 50 images no two runs that agree on all can rule out a drop of 5 points; 1,000 images can."""
    for images, ruled_out in ((50, False), (1000, True)):
        ours = np.ones(images, dtype=bool)
        found = mcnemar(ours, ours)
        assert (one_sided_mcnemar(found, images, -0.05)[1] <= 0.025) is ruled_out
        assert one_sided_mcnemar(found, images) == (1.0, 1.0)


@pytest.mark.parametrize(("images", "drop", "only_new"), [(50, 0.01, 0.05), (50, 0.05, 0.0), (200, 0.005, 0.01)])
def test_a_drop_is_ruled_out_wrongly_no_more_often_than_promised(images: int, drop: float, only_new: float) -> None:
    """Exactly, over all counts: where NEW is worse by just `drop`, "not worse" is said in 2.9 % at most."""
    wrong = {"kept": 0.0, "worse": 0.0}
    chances = [only_new, only_new + drop, 1 - 2 * only_new - drop]
    for ours in range(min(images, 40)):
        for theirs in range(min(images - ours, 40)):
            chance = stats.multinomial.pmf([ours, theirs, images - ours - theirs], images, chances)
            if chance < 1e-7:
                continue
            found = McNemar(Interval(0, 0, 0), ours, theirs, 1.0)
            worse, kept = one_sided_mcnemar(found, images, -drop)
            wrong["kept"] += chance * (kept <= 0.025)
            wrong["worse"] += chance * (worse <= 0.025)
    assert wrong["kept"] <= 0.03
    assert wrong["worse"] <= 0.03
