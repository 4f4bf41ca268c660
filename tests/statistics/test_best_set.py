from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from arch.bootstrap import MCS
from scipy import stats

from bench.statistics.best_set import MAX_COMPARED, SCREENING_ERROR, find_best_set, fixed_images
from bench.statistics.means import MeanEstimates, measure


def suite(errors: list[float], seeds: int, generator: np.random.Generator, images: int = 2000) -> list[np.ndarray]:
    hard = generator.beta(0.3, 0.9, images)
    return [generator.random((seeds, images)) >= (hard * 4 * error).clip(0, 1) for error in errors]


def known(means: list[float], variance: float) -> MeanEstimates:
    """Means whose images are independent, and whose seeds add nothing."""
    count, images = len(means), 10**6
    deviations = np.sqrt(variance * (images - 1) * images) * np.eye(count)
    return MeanEstimates(np.array(means), np.ones(count, dtype=int), images, None, np.zeros(count), deviations)


def test_equal_configurations_give_the_studentized_range() -> None:
    """All are kept at once just where their range is below q(.05; 10, inf), 4.474 (Harter 1960), at .045."""
    means = [0.0, *[0.0] * 8, 1.0]
    assert stats.studentized_range.ppf(0.95, 10, np.inf) == pytest.approx(4.474, abs=0.001)
    quantile = stats.studentized_range.ppf(0.95 + SCREENING_ERROR, 10, np.inf)
    for close, tied in ((1.03, True), (0.97, False)):
        found = find_best_set(known(means, (close / quantile) ** 2), n_draws=40_000)
        assert bool(found.in_joint_set[0]) is tied


def test_two_configurations_give_the_one_sided_test_each_and_the_two_sided_at_once() -> None:
    found = find_best_set(known([0.0, 2**0.5 * 1.5], 1.0), n_draws=200_000)
    assert found.p == pytest.approx([stats.norm.sf(1.5) + SCREENING_ERROR, 1.0], abs=0.003)
    assert found.p_joint == pytest.approx([2 * stats.norm.sf(1.5) + SCREENING_ERROR, 1.0], abs=0.003)


def test_equal_configurations_give_dunnetts_one_sided_quantile() -> None:
    """A configuration stays by itself just where the best of 9 others leads by less than d(.05; 9, inf), 2.42."""
    quantile = 2.42
    draws = np.random.default_rng(0).standard_normal((400_000, 10))
    lead = (draws[:, 1:] - draws[:, :1]).max(axis=1) / 2**0.5
    assert np.quantile(lead, 0.95) == pytest.approx(quantile, abs=0.01)
    for close, tied in ((1.04, True), (0.95, False)):
        gap = np.quantile(lead, 0.95 + SCREENING_ERROR) * 2**0.5 / close
        found = find_best_set(known([0.0, *[0.0] * 8, gap], 1.0), n_draws=40_000)
        assert bool(found.in_set[0]) is tied
        assert found.in_joint_set[0]


def test_the_sets_of_the_model_confidence_set_on_single_runs() -> None:
    """Where only images vary, arch's MCS (Hansen, Lunde and Nason 2011) bootstraps what is drawn here."""
    for number, errors in enumerate([[0.1, 0.1, 0.1, 0.2, 0.2], [0.1, 0.2, 0.1, 0.15, 0.25]]):
        tables = suite(errors, 1, np.random.default_rng(number))
        theirs = MCS(1.0 - np.vstack(tables).T, size=0.05, reps=400, block_size=1, method="R", seed=0)
        theirs.compute()
        ours = find_best_set(measure(tables)).in_joint_set
        assert np.flatnonzero(ours).tolist() == sorted(theirs.included)


def test_seed_noise_widens_the_set() -> None:
    tables = suite([0.1, 0.12, 0.15], 4, np.random.default_rng(0))
    steady = find_best_set(measure(tables))
    for table in tables:
        table[0, : 2000 // 5] = False
    noisy = find_best_set(measure(tables))
    assert not steady.in_set[2]
    assert noisy.in_set.all()


def test_the_best_is_always_in_and_the_order_of_configurations_is_nothing() -> None:
    tables = suite([0.2, 0.1, 0.15, 0.11], 3, np.random.default_rng(0))
    found, turned = find_best_set(measure(tables)), find_best_set(measure(tables[::-1]))
    assert found.p[found.gap_to_best == 0] == [1.0]
    assert found.in_set.tolist() == turned.in_set[::-1].tolist()
    assert found.p == pytest.approx(turned.p[::-1], abs=0.02)


def test_lower_may_be_better() -> None:
    found = find_best_set(known([0.1, 0.9], 1e-4), higher=False)
    assert found.in_set.tolist() == [True, False]
    assert found.gap_to_best == pytest.approx([0.0, 0.8])


def test_identical_configurations_are_tied() -> None:
    table = np.random.default_rng(0).random((1, 500)) < 0.9
    assert find_best_set(measure([table, table])).in_set.all()


@pytest.mark.parametrize("more", [0, MAX_COMPARED])
def test_copies_of_a_configuration_do_not_tie_the_others(more: int) -> None:
    """Where seeds seem to add nothing, all that two copies differ by is rounding; nothing may be divided by that."""
    generator = np.random.default_rng(1)
    hard = generator.random(4000)
    levels = [*np.linspace(0.08, 0.12, 40), *[0.9] * more]
    tables = [hard + generator.normal(0, 0.1, (3, 4000)) > level for level in levels]
    once, found = (
        find_best_set(replace(some, independent=some.noise.variances), n_draws=500).in_set[:40]
        for some in (measure(tables), measure([*tables, *(table.copy() for table in tables[:20])]))
        if some.noise is not None
    )
    assert once.sum() < 20 and found.sum() < 20


def test_equal_configurations_stay_19_times_in_20() -> None:
    generator = np.random.default_rng(0)
    found = [find_best_set(measure(suite([0.1] * 6, 3, generator, 1000)), n_draws=1000) for _ in range(100)]
    assert np.mean([1 - one.in_set.mean() for one in found]) <= 0.05
    assert np.mean([not one.in_joint_set.all() for one in found]) <= 0.1


def test_fewer_stay_each_by_itself_than_all_at_once() -> None:
    """The set that holds all of the best at once is the larger one, and leaves less out."""
    generator = np.random.default_rng(0)
    found = [find_best_set(measure(suite([0.1, *[0.115] * 5], 5, generator)), n_draws=1000) for _ in range(30)]
    assert all((one.in_joint_set | ~one.in_set).all() for one in found)
    out, at_once = (
        1 - np.mean([one[1:] for one in sets])
        for sets in zip(*((f.in_set, f.in_joint_set) for f in found), strict=True)
    )
    assert out > at_once + 0.1


def test_on_this_test_set_seeds_alone_tell_the_best() -> None:
    """Ten seeds tell a point apart on these images, of which other images leave less sure."""
    generator = np.random.default_rng(0)
    found = [measure(suite([0.1], 10, generator, 1000)[0] for _ in range(5)) for _ in range(10)]
    here = sum(find_best_set(fixed_images(one), n_draws=1000).in_set.sum() for one in found)
    assert here < sum(find_best_set(one, n_draws=1000).in_set.sum() for one in found) - 3


def test_a_true_best_of_much_noise_stays_with_few_seeds() -> None:
    """One of six equal configurations has ten times the others' noise; pooled plainly, it was left out in a third."""
    generator = np.random.default_rng(0)
    out = []
    for _ in range(60):
        tables = suite([0.1] * 5, 5, generator, 1000)
        hard = generator.beta(0.3, 0.9, 1000) * 0.4
        luck = generator.normal(1, 0.5, (5, 1)).clip(0, 2)
        noisy = generator.random((5, 1000)) >= (hard * luck).clip(0, 1)
        out.append(not find_best_set(measure([*tables, noisy]), n_draws=1000).in_set[-1])
    assert np.mean(out) <= 0.12


def test_of_very_many_those_that_are_surely_behind_leave_first() -> None:
    """The best ten of 600 are compared jointly; the 590 others lie 20 standard errors below them."""
    generator = np.random.default_rng(0)
    means = [*generator.normal(0, 1, 10), *generator.normal(-30, 1, 590)]
    found = find_best_set(known(means, 1.0))
    alone = find_best_set(known(means[:10], 1.0))
    assert found.in_set.tolist() == [*alone.in_set, *[False] * 590]
    assert found.p[:10] == pytest.approx(alone.p)
    assert found.p[10:].max() < SCREENING_ERROR


def test_very_many_that_are_equal_all_stay() -> None:
    found = find_best_set(measure(suite([0.1] * (MAX_COMPARED + 1), 1, np.random.default_rng(0), 200)))
    assert found.in_set.all()


def test_seed_noise_counts_among_very_many_too() -> None:
    """A gap that the images alone would call sure is within what two seeds of so much noise may differ."""
    generator = np.random.default_rng(0)
    tables = suite([0.1, 0.14, *[0.4] * MAX_COMPARED], 2, generator, 500)
    steady = find_best_set(measure(tables))
    for table in tables[::2]:
        table[0, :100] = False
    noisy = find_best_set(measure(tables))
    assert noisy.in_set.sum() > steady.in_set.sum()
