"""With which noise is a published figure comparison, and what tells it?"""

from __future__ import annotations

from dataclasses import replace

import pytest
from made_ledger import FLIP, L2, Ledger, config
from made_page import LONG, group, request, row
from scipy import stats

from bench.published import find
from bench.report.published.match_published import compare_published
from bench.report.published.published_noise import half_unit
from bench.report.published.published_text import PublishedPage, to_markdown


@pytest.mark.parametrize(
    ("figures", "verdict"),
    [([0.882, 0.884, 0.885], "within"), ([0.931, 0.932, 0.933], "above"), ([0.851, 0.852, 0.853], "below")],
)
def test_ours_lies_within_above_or_below_theirs(ledger: Ledger, figures: list[float], verdict: str) -> None:
    settings = config(epochs=30)
    ledger.add(settings, figures)
    assert row(ledger, "lab-e-baseline", settings).verdict == verdict


def test_theirs_is_given_the_seed_noise_of_ours_pooled_over_the_suite(ledger: Ledger) -> None:
    plain, l2 = config(epochs=30), config(epochs=30, regularizer=L2)
    ledger.add(plain, [0.88, 0.89, 0.9])
    ledger.add(l2, [0.87, 0.87, 0.87])
    found = group(ledger, ("lab-e-baseline", plain), ("lab-e-l2", l2))
    deviation = (0.0002 / 4) ** 0.5
    half = stats.t.ppf(0.975, 4) * deviation * (1 / 3 + 1) ** 0.5 + 0.00005
    for one in found.rows:
        assert one.full_run and one.full_run.agreement
        assert one.full_run.agreement.half_width == pytest.approx(half)
    assert found.noise["test accuracy, mlp, fashion_mnist"].degrees == 4


def test_other_networks_and_other_data_tell_nothing_of_the_noise(ledger: Ledger) -> None:
    alone = config(epochs=30)
    ledger.add(alone, [0.88])
    network, data = config(epochs=30, model={"name": "cnn"}), config(epochs=30, dataset={"name": "mnist"})
    ledger.add(network, [0.8, 0.9])
    ledger.add(data, [0.8, 0.9])
    pairs = [("lab-e-baseline", settings) for settings in (alone, network, data)]
    comparison = [row.full_run for row in group(ledger, *pairs, seeds=1).rows]
    assert [one.source for one in comparison if one] == ["theory", "suite", "suite"]
    # Two runs alone tell too little of the noise, however far off theirs lies.
    assert [one.verdict for one in comparison if one][1:] == ["inconclusive", "inconclusive"]


def test_one_seed_alone_gets_theorys_noise_and_a_mark(ledger: Ledger) -> None:
    settings = config(epochs=30)
    ledger.add(settings, [0.88])
    found = group(ledger, ("lab-e-baseline", settings), seeds=1)
    assert found.rows[0].full_run and found.rows[0].full_run.source == "theory"
    # 1.96 * sqrt(2 * .12 / 2000), and the rounding.
    assert "inconclusive (−0.35 ± 2.15 †)" in to_markdown(PublishedPage((found,), ()))


def test_noise_of_another_suite_on_the_page_is_better_than_theory(ledger: Ledger) -> None:
    single, several = config(epochs=30), config(epochs=30, regularizer=L2)
    ledger.add(single, [0.86])
    ledger.add(several, [0.87, 0.875, 0.88])
    suites = [
        request(ledger, ("lab-e-baseline", single), seeds=1),
        request(ledger, ("lab-e-l2", several), name="other"),
    ]
    first, second = compare_published(suites, ledger.records, ledger.predictions)
    assert first.rows[0].full_run and first.rows[0].full_run.source == "page"
    assert second.rows[0].full_run and second.rows[0].full_run.source == "suite"
    assert list(first.noise) == ["test accuracy, mlp, fashion_mnist, all suites of this page"]


def test_other_images_add_the_sampling_of_both_sides(ledger: Ledger) -> None:
    here, elsewhere = config(epochs=30), config(epochs=30, dataset={"name": "mnist"})
    ledger.add(here, [0.88, 0.89, 0.9])
    ledger.add(elsewhere, [0.88, 0.89, 0.9])
    same, other = group(ledger, ("lab-e-baseline", here), ("lab-e-baseline", elsewhere)).rows
    assert same.full_run and other.full_run and same.full_run.agreement and other.full_run.agreement
    assert other.full_run.agreement.half_width > same.full_run.agreement.half_width
    assert (same.notes, other.notes) == ((), ("measured on mnist",))


def test_an_early_release_has_other_images(ledger: Ledger) -> None:
    settings = config()
    ledger.add(settings, [0.92, 0.922, 0.924])
    early, today = group(ledger, ("readme_2conv_kashif", settings), ("lab-a-first-run", settings)).rows
    assert early.full_run and today.full_run and early.full_run.agreement and today.full_run.agreement
    assert early.full_run.agreement.half_width > today.full_run.agreement.half_width


@pytest.mark.parametrize(
    ("value", "reported", "half"),
    [
        (0.939, "0.939", 0.0005),
        (0.94, "0.940", 0.0005),
        (0.936, "93.6 %", 0.0005),
        (0.96, "96 %", 0.005),
        (0.9339, "6.61 % +/- 0.16 error (best 6.43)", 0.00005),
        (0.9534, "about 95 % then", 0.00005),
        (0.43, "", 0.005),
        (0.8835, "", 0.00005),
    ],
)
def test_half_a_unit_is_that_of_the_digits_they_wrote(value: float, reported: str, half: float) -> None:
    reference = replace(find(["lab-e-baseline"])[0], value=value, reported=reported)
    assert half_unit(reference) == pytest.approx(half)


def test_two_decimals_may_be_off_by_half_a_point(ledger: Ledger) -> None:
    settings = config(epochs=20, dataset={"name": "cifar10"})
    ledger.add(settings, [0.434, 0.434, 0.434])
    found = row(ledger, "lab-d-cifar10-sequential", settings)
    assert found.full_run and found.full_run.agreement
    assert found.full_run.agreement.half_width == pytest.approx(0.005)
    assert found.verdict == "within"


def test_two_runs_of_theirs_show_their_own_spread(ledger: Ledger) -> None:
    settings = config(**LONG, augmentation=FLIP)
    ledger.add(settings, [0.83])
    rows = group(ledger, ("lab-b-baseline-aug-1", settings), ("lab-b-baseline-aug-2", settings), seeds=1).rows
    assert [row.notes for row in rows] == [("the 2 published runs of it differ by up to 4.04 points",)] * 2


def test_their_repeated_runs_tell_the_noise_where_ours_has_one_seed(ledger: Ledger) -> None:
    """Of 80.38 and 84.42 the deviation is .0404 / sqrt(2), with one degree of freedom."""
    settings = config(**LONG, augmentation=FLIP)
    ledger.add(settings, [0.83], validation=[0.83])
    found = group(ledger, ("lab-b-baseline-aug-1", settings), ("lab-b-baseline-aug-2", settings), seeds=1)
    comparison = found.rows[0].full_run
    assert comparison and comparison.agreement
    assert comparison.source == "published"
    assert comparison.agreement.half_width == pytest.approx(stats.t.ppf(0.975, 1) * 0.0404 + 0.00005)
    assert "inconclusive (" in to_markdown(PublishedPage((found,), ())) and "§)" in to_markdown(
        PublishedPage((found,), ())
    )
    ledger.add(config(**LONG), [0.9, 0.901])
    both = ("lab-b-baseline-aug-1", settings), ("lab-b-baseline-aug-2", settings)
    more = group(ledger, *both, ("lab-b-baseline", config(**LONG)), seeds=1)
    assert more.rows[0].full_run and more.rows[0].full_run.source == "suite"


def test_noise_of_more_than_a_point_cannot_tell_what_lies_within_and_can_what_lies_outside(ledger: Ledger) -> None:
    settings = config(epochs=30)
    ledger.add(settings, [0.87, 0.885, 0.89])
    found = group(ledger, ("lab-e-baseline", settings)).rows[0]
    assert found.full_run and found.full_run.agreement and found.full_run.agreement.half_width > 0.01
    assert (found.full_run.agreement.position, found.verdict) == ("within", "inconclusive")
    other = config(epochs=30, regularizer=L2)
    ledger.add(other, [0.67, 0.685, 0.69])
    assert group(ledger, ("lab-e-l2", other)).rows[0].verdict == "below"


def test_one_published_validation_value_agrees_within_two_points(ledger: Ledger) -> None:
    settings, flipped = config(**LONG), config(**LONG, augmentation=FLIP)
    for published in (settings, flipped):
        ledger.add(published, [0.8, 0.8, 0.8], validation=[0.865, 0.87, 0.875])
    pairs = ("lab-b-baseline", settings), ("lab-b-baseline-aug-1", flipped), ("lab-b-baseline-aug-2", flipped)
    single, *twice = group(ledger, *pairs).rows
    assert single.full_run and single.full_run.agreement and 0.01 < single.full_run.agreement.half_width < 0.02
    assert single.verdict == "within" and [row.full_run.max_half_width for row in twice if row.full_run] == [0.01, 0.01]


def test_a_run_that_continued_another_is_no_repetition(ledger: Ledger) -> None:
    settings = config(**LONG, augmentation=FLIP)
    ledger.add(settings, [0.87])
    rows = group(ledger, ("lab-b-conv2d-aug-1", settings), ("lab-b-conv2d-aug-2", settings), seeds=1).rows
    assert [row.full_run.source for row in rows if row.full_run] == ["theory", "theory"]
