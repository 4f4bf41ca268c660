"""Published results beside ours: what is compared, with which noise, and what is said where nothing can be."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from made_ledger import FLIP, L2, Ledger, config
from scipy import stats

from bench.published import find
from bench.published.curves import curve
from bench.report.published import beside_ours
from bench.report.published_rows import Asked, Group, Row
from bench.report.published_text import Page, to_json, to_markdown
from bench.suite.references import Comparison
from bench.suite.trial import Trial

MNIST = {"dataset": {"name": "mnist"}, "validation": {"tail": 0.2}}
LONG = {"epochs": 100, "weights": "best", "early_stopping": {"patience": 10, "monitor": "val_accuracy"}}


def asked(
    ledger: Ledger, *pairs: tuple[str, dict[str, Any] | None], seeds: int = 3, note: str = "", name: str = "labs"
) -> Asked:
    """A suite that holds these references against these configurations, `seeds` of each planned."""
    trials = []
    for settings in [settings for _, settings in pairs if settings]:
        known = {record.seed: record.key for record in ledger.records if record.config == settings}
        trials += [Trial(known.get(s, f"none{s}"), "", settings, s, 0) for s in range(max(seeds, len(known)))]
    references = [(Comparison(i, (c,) if c else (), note), find([i])[0]) for i, c in pairs]
    return Asked(name, "Labs", "What the labs did.", references, trials)


def group(ledger: Ledger, *pairs: tuple[str, dict[str, Any] | None], **options: Any) -> Group:
    return beside_ours([asked(ledger, *pairs, **options)], ledger.records, ledger.predictions)[0]


def row(ledger: Ledger, reference: str, settings: dict[str, Any] | None, **options: Any) -> Row:
    return group(ledger, (reference, settings), **options).rows[0]


def with_curve(ledger: Ledger, points: Sequence[float | None], count: int = 1) -> None:
    """Give the last records these validation accuracies by epoch."""
    for place in range(-count, 0):
        record = ledger.records[place]
        result = replace(record.result, curves={"val_accuracy": list(points)}, epochs_run=len(points))
        ledger.records[place] = replace(record, result=result)


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
        assert one.whole and one.whole.agreement
        assert one.whole.agreement.half == pytest.approx(half)
    assert found.noise["test accuracy, fashion_mnist"].degrees == 4


def test_a_validation_figure_is_held_against_validation(ledger: Ledger) -> None:
    settings = config(**LONG)
    ledger.add(settings, [0.9, 0.9], validation=[0.9255, 0.9265])
    found = row(ledger, "lab-b-vgg", settings, seeds=2)
    assert found.whole and found.whole.ours.mean == pytest.approx(0.926)
    assert found.verdict == "within"


def test_precision_at_half_is_held_against_the_precision_they_print(ledger: Ledger) -> None:
    settings = config(**MNIST, epochs=10)
    ledger.add(settings, [0.9, 0.9])
    for place, value in enumerate((0.934, 0.937)):
        result = ledger.records[place].result
        figures = {**(result.validation or {}), "precision_at_half": value}
        ledger.records[place] = replace(ledger.records[place], result=replace(result, validation=figures))
    found = row(ledger, "lab-c-sgd-binary", settings, seeds=2)
    assert found.whole and found.whole.ours.mean == pytest.approx(0.9355)
    assert found.verdict == "within"


def test_one_seed_alone_gets_theorys_noise_and_a_mark(ledger: Ledger) -> None:
    settings = config(epochs=30)
    ledger.add(settings, [0.88])
    found = group(ledger, ("lab-e-baseline", settings), seeds=1)
    assert found.rows[0].whole and found.rows[0].whole.source == "theory"
    # 1.96 * sqrt(2 * .12 / 2000), and the rounding.
    assert "within (−0.35 ± 2.15 †)" in to_markdown(Page((found,), ()))


def test_noise_of_another_suite_on_the_page_is_better_than_theory(ledger: Ledger) -> None:
    single, several = config(epochs=30), config(epochs=30, regularizer=L2)
    ledger.add(single, [0.86])
    ledger.add(several, [0.87, 0.875, 0.88])
    suites = [
        asked(ledger, ("lab-e-baseline", single), seeds=1),
        asked(ledger, ("lab-e-l2", several), name="other"),
    ]
    first, second = beside_ours(suites, ledger.records, ledger.predictions)
    assert first.rows[0].whole and first.rows[0].whole.source == "page"
    assert second.rows[0].whole and second.rows[0].whole.source == "suite"
    assert list(first.noise) == ["test accuracy, fashion_mnist, all suites of this page"]


def test_other_images_add_the_sampling_of_both_sides(ledger: Ledger) -> None:
    here, elsewhere = config(epochs=30), config(epochs=30, dataset={"name": "mnist"})
    ledger.add(here, [0.88, 0.89, 0.9])
    ledger.add(elsewhere, [0.88, 0.89, 0.9])
    same, other = group(ledger, ("lab-e-baseline", here), ("lab-e-baseline", elsewhere)).rows
    assert same.whole and other.whole and same.whole.agreement and other.whole.agreement
    assert other.whole.agreement.half > same.whole.agreement.half
    assert (same.reasons, other.reasons) == ((), ("ours on mnist",))


def test_an_early_release_has_other_images(ledger: Ledger) -> None:
    settings = config()
    ledger.add(settings, [0.92, 0.922, 0.924])
    early, today = group(ledger, ("readme_2conv_kashif", settings), ("lab-a-first-run", settings)).rows
    assert early.whole and today.whole and early.whole.agreement and today.whole.agreement
    assert early.whole.agreement.half > today.whole.agreement.half


def test_two_decimals_may_be_off_by_half_a_point(ledger: Ledger) -> None:
    settings = config(epochs=20, dataset={"name": "cifar10"})
    ledger.add(settings, [0.434, 0.434, 0.434])
    found = row(ledger, "lab-d-cifar10-sequential", settings)
    assert found.whole and found.whole.agreement
    assert found.whole.agreement.half == pytest.approx(0.005)
    assert found.verdict == "within"


def test_what_was_not_run_says_so_with_the_reason(ledger: Ledger) -> None:
    (found, built) = group(
        ledger, ("lab-e-baseline", config(epochs=30)), ("lab-c-untrained", None), note="hours on two cores"
    ).rows
    assert (found.verdict, found.reasons) == ("not run", ("hours on two cores",))
    assert (built.verdict, built.reasons) == ("not repeated", ("hours on two cores",))


def test_of_a_search_the_configuration_that_validation_chose_stands_for_all(ledger: Ledger) -> None:
    rates = [config(epochs=50, optimizer={"name": "sgd", "lr": lr}) for lr in (0.1, 0.01, 0.001)]
    ledger.add(rates[0], [0.94], validation=[0.93])
    ledger.add(rates[1], [0.93], validation=[0.94])
    ledger.add_ended(rates[2], 0, "pruned", 3, pruning={"rule": {}, "decisions": []})
    suite = asked(ledger, *(("lab-b-hyperband-vgg", rate) for rate in rates), seeds=1)
    search = Comparison("lab-b-hyperband-vgg", tuple(rates), "")
    suite = replace(suite, references=[(search, find(["lab-b-hyperband-vgg"])[0])])
    (found,) = beside_ours([suite], ledger.records, ledger.predictions)[0].rows
    assert found.config == rates[1]
    assert found.whole and found.whole.ours.mean == pytest.approx(0.93)
    assert found.reasons == ("chosen by validation among 2 complete",)
    (before,) = beside_ours([suite], [], ledger.predictions)[0].rows
    assert (before.verdict, before.planned) == ("not run", 3)


def test_two_runs_of_theirs_show_their_own_spread(ledger: Ledger) -> None:
    settings = config(**LONG, augmentation=FLIP)
    ledger.add(settings, [0.83])
    rows = group(ledger, ("lab-b-baseline-aug-1", settings), ("lab-b-baseline-aug-2", settings), seeds=1).rows
    assert [row.reasons for row in rows] == [("their 2 runs of it lie 4.04 points apart",)] * 2


def test_their_repeated_runs_tell_the_noise_where_ours_has_one_seed(ledger: Ledger) -> None:
    """Of 80.38 and 84.42 the deviation is .0404 / sqrt(2), with one degree of freedom."""
    settings = config(**LONG, augmentation=FLIP)
    ledger.add(settings, [0.83], validation=[0.83])
    found = group(ledger, ("lab-b-baseline-aug-1", settings), ("lab-b-baseline-aug-2", settings), seeds=1)
    judged = found.rows[0].whole
    assert judged and judged.agreement
    assert judged.source == "theirs"
    assert judged.agreement.half == pytest.approx(stats.t.ppf(0.975, 1) * 0.0404 + 0.00005)
    assert "§)" in to_markdown(Page((found,), ()))
    ledger.add(config(**LONG), [0.9, 0.901])
    more = group(ledger, ("lab-b-baseline-aug-1", settings), ("lab-b-baseline", config(**LONG)), seeds=1)
    assert more.rows[0].whole and more.rows[0].whole.source == "suite"


def test_a_smaller_budget_is_no_yardstick_without_a_printed_curve(ledger: Ledger) -> None:
    settings = config(epochs=5)
    ledger.add(settings, [0.85, 0.86, 0.87])
    found = row(ledger, "lab-e-baseline", settings)
    assert found.verdict == "not compared"
    assert found.whole and found.whole.ours.mean == pytest.approx(0.86)
    assert found.reasons == ("5 epochs of ours, 30 of theirs, and they print no curve",)


def test_equal_epochs_compare_the_best_of_the_first(ledger: Ledger) -> None:
    """The first 3 epochs of theirs peak at the third; ours at the second."""
    settings = config(epochs=3)
    ledger.add(settings, [0.8, 0.8])
    with_curve(ledger, [0.79, 0.83, 0.81], count=2)
    with_curve(ledger, [0.79, 0.826, 0.81])
    found = row(ledger, "lab-b-baseline", settings, seeds=2)
    printed = curve("lab-b-baseline")
    assert printed and found.early
    assert (found.early.epochs, found.early.judged.theirs) == (3, max(printed.values[:3]))
    assert found.early.judged.ours.mean == pytest.approx(0.828)
    assert found.verdict == "within"


def test_a_shorter_run_of_the_same_configuration_counts(ledger: Ledger) -> None:
    """The suite asks for 100 epochs with early stopping; a five-epoch run at a constant rate is in the ledger."""
    short = config(epochs=5)
    ledger.add(short, [0.86])
    with_curve(ledger, [0.8, 0.82, 0.83, 0.844, 0.84])
    found = row(ledger, "lab-b-baseline", config(**LONG))
    assert found.early and found.early.epochs == 5
    assert found.early.judged.seeds == 1
    assert found.verdict == "within"


def test_a_shorter_cosine_is_another_course(ledger: Ledger) -> None:
    ledger.add(config(epochs=5, schedule={"name": "cosine", "final": 0.0}), [0.86])
    found = row(ledger, "lab-b-baseline", config(**LONG, schedule={"name": "cosine", "final": 0.0}))
    assert (found.early, found.verdict) == (None, "not run")


def test_the_beginning_of_a_pruned_run_counts(ledger: Ledger) -> None:
    settings = config(**LONG)
    ledger.add_ended(settings, 0, "pruned", 4, pruning={"rule": {}, "decisions": []})
    with_curve(ledger, [0.8, 0.82, 0.83, 0.844])
    found = row(ledger, "lab-b-baseline", settings, seeds=1)
    assert found.early and found.early.epochs == 4
    assert found.reasons == ("1 pruned",)


def test_a_full_run_is_compared_whole_however_early_it_stopped(ledger: Ledger) -> None:
    settings = config(**LONG)
    ledger.add(settings, [0.86, 0.861], validation=[0.871, 0.872])
    with_curve(ledger, [0.8, 0.82], count=2)
    found = row(ledger, "lab-b-baseline", settings, seeds=2)
    assert found.early is None
    assert (found.verdict, found.epochs_run, found.epochs) == ("within", 2.0, 100)


def test_a_run_that_continued_an_earlier_fit_is_no_yardstick_for_early_epochs(ledger: Ledger) -> None:
    settings = config(epochs=5)
    ledger.add(settings, [0.9, 0.9])
    found = row(ledger, "lab-b-resnet", settings, seeds=2)
    assert (found.early, found.verdict) == (None, "not compared")
    assert "continued an earlier fit" in found.reasons[0]


def test_a_diverged_curve_ends_before_its_last_finite_point(ledger: Ledger) -> None:
    ledger.add(config(epochs=5), [0.8])
    with_curve(ledger, [0.8, 0.82, None, 0.1, 0.1])
    found = row(ledger, "lab-b-baseline", config(epochs=5), seeds=1)
    assert found.early and found.early.epochs == 2


@pytest.fixture
def page(ledger: Ledger) -> Page:
    good, bad, unfinished = config(epochs=30), config(epochs=30, regularizer=L2), config(epochs=30, augmentation=FLIP)
    ledger.add(good, [0.882, 0.883, 0.884])
    ledger.add(bad, [0.851, 0.852, 0.853])
    ledger.add(unfinished, [0.88])
    pairs = (("lab-e-baseline", good), ("lab-e-l2", bad), ("lab-e-dropout", unfinished), ("lab-a-reference", good))
    found = group(ledger, *pairs, note="a | note")
    return Page((found,), (("Command", "bench published labs"),))


def test_the_page_has_a_row_per_reference_and_lists_what_is_outside(page: Page) -> None:
    text = to_markdown(page)
    lines = {line.split("(lab-")[1].split(")")[0]: line for line in text.splitlines() if line.startswith("| lab ")}
    assert "| test accuracy | 88.35 | 88.30 ± 0." in lines["e-baseline"]
    assert "| 3 | 5 of 30 (theirs 30) |" not in text
    assert "| within (−0.05 ± 0." in lines["e-baseline"]
    assert "| **below** (−2.10 ± 0." in lines["e-l2"]
    assert "| 1 of 3 |" in lines["e-dropout"]
    assert "| .87 to .88 | 88.30 ±" in lines["a-reference"] and "not compared" in lines["a-reference"]
    assert text.startswith("# Published systems, run again\n\n4 published figures: 2 within, 1 below, 1 not compared.")
    outside = text.split("## Outside the noise")[1].split("##")[0]
    assert "ours 85.20 %, theirs 87.30 %" in outside and "a \\| note" in outside
    assert "lab-e-baseline" not in outside


def test_tables_keep_their_columns(page: Page) -> None:
    rows = [line.replace("\\|", "") for line in to_markdown(page).splitlines() if line.startswith("|")]
    assert {line.count("|") for line in rows} == {10}


def test_json_holds_the_same_rows_as_fractions(page: Page) -> None:
    (suite,) = json.loads(to_json(page))["suites"]
    first = suite["rows"][0]
    assert (first["reference"], first["verdict"], first["quoted"]) == ("lab-e-baseline", "within", 0.8835)
    assert first["whole"]["mean"] == pytest.approx(0.883)
    assert first["whole"]["noise_from"] == "suite"
    assert len(first["keys"]) == 3
    assert suite["noise"]["test accuracy, fashion_mnist"]["degrees"] == 4


def test_parameters_are_held_against_the_quoted_ones(ledger: Ledger) -> None:
    settings = config(epochs=20)
    ledger.add(settings, [0.97])
    found = group(ledger, ("lab-d-mnist-sequential", settings), ("lab-e-baseline", settings), seeds=1)
    text = to_markdown(Page((found,), ()))
    assert "109,386 (quoted 59,210)" in text
    assert "| 109,386 |" in text
