"""Every check fails on an input that is wrong in its own way, and passes on one that is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_ledger import L2, Ledger, config

from bench.data import fingerprint
from bench.report import Report, build, to_html, to_markdown
from bench.report.comparison import Comparison
from bench.report.sections.checks import (
    ReportCheck,
    best_set_contains_best,
    confusions_sum,
    counted_once,
    intervals_contain,
    keys_recomputed,
    means_recomputed,
    report_checks,
    same_labels,
    selected_is_best,
    trials_add_up,
)
from bench.suite.trial import trial_key


def report_of(ledger: Ledger) -> Report:
    return build(ledger.records, ledger.predictions, "title")


def faults(look, comparison: Comparison) -> list[str]:  # type: ignore[no-untyped-def]
    return [fault for fault in look(comparison) if fault]


@pytest.fixture
def two(ledger: Ledger) -> Ledger:
    """Two configurations of two seeds, their keys as a run would have made them."""
    ledger.add(config(), [0.9, 0.91])
    ledger.add(config(regularizer=L2), [0.88, 0.89])
    for place, record in enumerate(ledger.records):
        key = trial_key(record.config, record.seed, fingerprint(record.config["dataset"]), None)
        ledger.stored[key] = ledger.stored.pop(record.key)
        ledger.records[place] = replace(record, key=key)
    return ledger


@pytest.fixture
def comparison(two: Ledger) -> Comparison:
    return report_of(two).comparisons[0]


def test_a_sound_ledger_passes_every_check(two: Ledger) -> None:
    found = report_checks(report_of(two).comparisons)
    assert len(found) == 9  # there is no best set of two seeds
    assert all(check.passed for check in found), [check for check in found if not check.passed]
    assert found[0] == ReportCheck("Each test accuracy is that of its stored predictions", True, "4 trials")


def test_a_stored_accuracy_that_its_predictions_do_not_give(two: Ledger) -> None:
    result = two.records[0].result
    two.records[0] = replace(two.records[0], result=replace(result, test={"accuracy": 0.95, "loss": 0.3}))
    failed = [check for check in report_checks(report_of(two).comparisons) if not check.passed]
    assert "stored 0.950000, predictions give 0.900000" in failed[0].detail
    assert failed[0].detail.startswith("1 of 4 trials: ")
    # The leaderboard's mean is the stored one.
    assert failed[1].name == "Each mean is that of its seeds"


def test_other_test_labels(two: Ledger) -> None:
    key = two.records[0].key
    two.stored[key] = replace(two.stored[key], labels=two.stored[key].labels[::-1].copy())
    assert len(faults(same_labels, report_of(two).comparisons[0])) == 1


def test_a_key_of_another_configuration_or_other_data(two: Ledger) -> None:
    two.records[0] = replace(two.records[0], config=config(batch_size=7))
    (fault,) = faults(keys_recomputed, report_of(two).comparisons[0])
    assert fault.startswith(two.records[0].key)


def test_own_data_and_networks_are_passed_over(ledger: Ledger) -> None:
    ledger.add(config(model={"name": "nets.py:wide"}), [0.9])
    assert list(keys_recomputed(report_of(ledger).comparisons[0])) == []


def test_a_trial_that_counts_twice(comparison: Comparison) -> None:
    twice = comparison.frame.assign(keys=comparison.frame["keys"].iloc[0])
    assert len(faults(counted_once, replace(comparison, frame=twice))) == 2


def test_a_trial_that_is_lost(comparison: Comparison) -> None:
    assert faults(trials_add_up, replace(comparison, frame=comparison.frame[1:])) == [
        "fashion_mnist: 4 planned, 2 in the tables, 4 in the budget"
    ]


def test_a_mean_that_is_not_of_its_seeds(comparison: Comparison) -> None:
    wrong = comparison.frame.assign(test_mean=comparison.frame["test_mean"] + 0.001)
    assert len(faults(means_recomputed, replace(comparison, frame=wrong))) == 2


@pytest.mark.parametrize("bound", ["test_low", "new_high"])
def test_an_interval_beside_its_mean(comparison: Comparison, bound: str) -> None:
    shift = 0.1 if bound.endswith("low") else -0.1
    wrong = comparison.frame.assign(**{bound: comparison.frame["test_mean"] + shift})
    assert len(faults(intervals_contain, replace(comparison, frame=wrong))) == 2


def test_a_choice_that_validation_did_not_make(comparison: Comparison) -> None:
    wrong = comparison.frame.assign(selected=~comparison.frame["selected"])
    assert len(faults(selected_is_best, replace(comparison, frame=wrong))) == 1


def test_a_tied_set_without_the_best(ledger: Ledger) -> None:
    ledger.add(config(), [0.9, 0.91, 0.905])
    ledger.add(config(regularizer=L2), [0.88, 0.89, 0.885])
    comparison = report_of(ledger).comparisons[0]
    assert faults(best_set_contains_best, comparison) == []
    assert comparison.analysis.best_set is not None
    best_set = replace(comparison.analysis.best_set, in_set=np.array([False, True]))
    wrong = replace(comparison.analysis, best_set=best_set)
    assert faults(best_set_contains_best, replace(comparison, analysis=wrong)) == ["fashion_mnist: mlp is left out"]


def test_a_confusion_matrix_that_lost_an_image(comparison: Comparison) -> None:
    first = comparison.details[0]
    matrix = first.confusion.copy()
    matrix[0, 0] -= 1
    wrong = replace(comparison, details=(replace(first, confusion=matrix), *comparison.details[1:]))
    assert faults(confusions_sum, wrong) == [f"{first.label}: 1,999 counted, 2,000 predicted"]


def test_a_failed_check_stands_in_page_and_markdown(two: Ledger) -> None:
    two.records[0] = replace(two.records[0], config=config(batch_size=7))
    report = report_of(two)
    markdown, page = to_markdown(report), to_html(report)
    assert "| Each key is that of its configuration, seed and the data's checksum | **FAILED** |" in markdown
    assert "**CHECK FAILED: Each key is that of its configuration" in markdown
    assert '<p class="warning">CHECK FAILED: Each key is that of its configuration' in page
    assert "<strong>FAILED</strong>" in page
