from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from bench.statistics.intervals import pooled_seed_deviation, seed_interval, wilson
from bench.statistics.means import measure, new_images, this_test_set


def made(seeds: int, generator: np.random.Generator, spread: float = 0.0, images: int = 2000) -> np.ndarray:
    """Seeds that are right with an image's own chance, 90 % in the mean, each seed's errors scaled by its luck."""
    errors = 0.8 * generator.beta(0.2, 1.4, images)
    return generator.random((seeds, images)) >= errors * generator.normal(1, spread, (seeds, 1)).clip(0.75, 1.25)


def test_one_configuration_has_the_textbook_variance_of_a_two_way_mean() -> None:
    """(MS_seeds + MS_images - MS_rest) / nS, from a table whose seeds differ by more than chance."""
    right = made(5, np.random.default_rng(3), 0.1)
    accuracies, shares, mean = right.mean(axis=1), right.mean(axis=0), right.mean()
    by_seed = 2000 * accuracies.var(ddof=1)
    by_image = 5 * shares.var(ddof=1)
    rest = ((right - shares - accuracies[:, None] + mean) ** 2).sum() / (4 * 1999)
    assert by_seed > rest
    assert measure([right]).covariance[0, 0] == pytest.approx((by_seed + by_image - rest) / 10_000)


def test_this_test_set_gives_about_the_t_interval_of_a_lone_configuration() -> None:
    right = made(5, np.random.default_rng(1), 0.1)
    interval = this_test_set(measure([right]), 0)
    values = right.mean(axis=1).tolist()
    pooled = pooled_seed_deviation([values])
    assert interval is not None and pooled is not None
    known = seed_interval(values, pooled)
    assert (interval.low, interval.high) == pytest.approx((known.low, known.high), abs=0.004)


def test_new_images_widen_the_interval() -> None:
    measured = measure([made(5, np.random.default_rng(number)) for number in range(4)])
    narrow, wide = this_test_set(measured, 0), new_images(measured, 0)
    assert narrow is not None
    assert wide.low < narrow.low < narrow.high < wide.high


def test_many_seeds_leave_the_images_alone() -> None:
    """The limit of many seeds: a z interval of the images' own difficulty."""
    right = made(400, np.random.default_rng(0))
    found = new_images(measure([right]), 0)
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * stats.sem(right.mean(axis=0)), rel=0.03)


def test_single_seeds_give_wilson_and_nothing_on_this_test_set() -> None:
    single = made(1, np.random.default_rng(0))
    measured = measure([single, made(1, np.random.default_rng(1))])
    assert new_images(measured, 0) == wilson(int(single.sum()), 2000)
    assert this_test_set(measured, 0) is None


def test_a_single_seed_has_the_noise_that_the_others_tell() -> None:
    """Wilson's interval leaves out how seeds differ, and covers 65 to 88 % of a row with one seed."""
    generator = np.random.default_rng(4)
    hits, wilsons = [], []
    for _ in range(150):
        tables = [made(1, generator, 0.2, 4000), *(made(5, generator, 0.2, 4000) for _ in range(4))]
        found = new_images(measure(tables), 0)
        alone = wilson(int(tables[0].sum()), 4000)
        hits.append(found.low <= 0.9 <= found.high)
        wilsons.append(alone.low <= 0.9 <= alone.high)
    assert np.mean(hits) >= 0.92
    assert np.mean(wilsons) <= 0.85


@pytest.mark.parametrize("images", [50, 200])
@pytest.mark.parametrize("seeds", [2, 3, 10])
def test_intervals_cover_on_few_images(images: int, seeds: int) -> None:
    """With t alone these covered as little as 77 %."""
    generator = np.random.default_rng(images + seeds)
    hits: dict[str, list[bool]] = {"this": [], "new": []}
    for _ in range(60):
        errors = 0.8 * generator.beta(0.1, 1.4, (4, images))
        measured = measure(generator.random((seeds, images)) >= one for one in errors)
        for number in range(4):
            this, new = this_test_set(measured, number), new_images(measured, number)
            hits["new"].append(new.low <= 1 - 0.8 * 0.1 / 1.5 <= new.high)
            hits["this"].append(this is not None and this.low <= 1 - errors[number].mean() <= this.high)
    assert np.mean(hits["this"]) >= 0.92
    assert np.mean(hits["new"]) >= 0.9


@pytest.mark.parametrize("seeds", [2, 3])
def test_new_images_are_never_surer_than_this_test_set(seeds: int) -> None:
    """Two seeds of one configuration have t = 12.7 on this test set, and fewer doubts about images of thousands."""
    for number in range(20):
        measured = measure([made(seeds, np.random.default_rng(number), 0.1)])
        this, new = this_test_set(measured, 0), new_images(measured, 0)
        assert this is not None
        assert new.low <= this.low <= this.estimate <= this.high <= new.high


def test_a_collapse_widens_no_other_interval() -> None:
    """One seed in ten collapses: pooled, it widened all others by a quarter and more."""
    generator = np.random.default_rng(0)
    tables = [made(10, generator) for _ in range(4)]
    alone = [this_test_set(measure(tables), number) for number in range(4)]
    collapsed = made(10, generator)
    collapsed[3] = generator.random(2000) < 0.1
    measured = measure([*tables, collapsed])
    beside = [this_test_set(measured, number) for number in range(5)]
    for first, second in zip(alone, beside[:4], strict=True):
        assert first is not None and second is not None
        assert second.high - second.low == pytest.approx(first.high - first.low, rel=0.05)
    assert beside[4] is not None and beside[4].low < 0.75
    assert measured.noise is not None
    assert measured.noise.is_outlier.tolist() == [False] * 4 + [True]


def test_flips_are_in_proportion_to_what_theory_expects_as_the_table_shows() -> None:
    """Networks that are sure of themselves flip less than sqrt(error / 2n): here only one error in four flips."""
    generator = np.random.default_rng(0)
    hard = generator.random(10_000) < 0.075
    doubtful = (generator.random(10_000) < 0.05) & ~hard
    tables = [~hard & ~(doubtful & (generator.random((seeds, 10_000)) < 0.5)) for seeds in (5, 5, 1)]
    flips = np.sqrt(measure(tables).independent)
    assert flips == pytest.approx([np.sqrt(0.046 / 4 / 10_000)] * 3, rel=0.05)
    assert flips[2] < 0.6 * np.sqrt(0.1 / 20_000)


def test_no_mistake_at_all_still_has_an_interval() -> None:
    found = new_images(measure([np.ones((3, 500), dtype=bool)]), 0)
    assert found.low == wilson(500, 500).low


@pytest.mark.parametrize("seeds", [3, 10])
def test_the_interval_on_new_images_covers(seeds: int) -> None:
    generator = np.random.default_rng(5)
    truth = 1 - 0.8 * 0.2 / 1.6
    hits = 0
    for _ in range(60):
        measured = measure([made(seeds, generator, 0.08, 1000) for _ in range(4)])
        bounds = [new_images(measured, number) for number in range(4)]
        hits += sum(one.low <= truth <= one.high for one in bounds)
    assert 0.91 <= hits / 240 <= 0.99


def test_other_images_are_refused() -> None:
    with pytest.raises(ValueError, match="same test images"):
        measure([np.ones((2, 10), dtype=bool), np.ones((2, 11), dtype=bool)])
    with pytest.raises(ValueError, match="no configuration to measure"):
        measure([])
