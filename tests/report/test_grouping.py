from __future__ import annotations

from dataclasses import replace

import pytest
from made_ledger import L2, Ledger, config, planned

from bench.ledger.record import Status, external_config
from bench.published import find
from bench.report import build
from bench.report.grouping import group_trials
from bench.suite.search_space import SearchPoint, SearchRule


def test_datasets_and_protocols_never_share_a_section(ledger: Ledger) -> None:
    ledger.add(config(), [0.88])
    ledger.add(config(dataset={"name": "mnist"}), [0.98])
    ledger.add(config(validation="none"), [0.89])
    ledger.add(config(weights="best"), [0.87])
    found = group_trials(ledger.records)
    assert [section.dataset for section in found] == ["fashion_mnist"] * 3 + ["mnist"]
    assert len({section.title for section in found}) == 4


def test_flips_at_test_time_have_a_section_whose_heading_says_so(ledger: Ledger) -> None:
    ledger.add(config(), [0.88])
    ledger.add(config(ema=0.99), [0.89])
    ledger.add(config(test_time="flip"), [0.9])
    plain, flipped = sorted(group_trials(ledger.records), key=lambda section: section.protocol)
    assert [one.label for one in plain.configurations] == ["mlp", "mlp · ema=0.99"]
    assert len(flipped.configurations) == 1
    assert "test-time augmentation" in flipped.protocol and "test-time" not in plain.protocol
    assert plain.title != flipped.title


def test_a_suite_has_one_section_whatever_its_budgets(ledger: Ledger) -> None:
    short, long = config(), config(regularizer=L2, epochs=9)
    ledger.add(short, [0.88], config_key="a")
    ledger.add(long, [0.89], config_key="b")
    (section,) = group_trials(ledger.records, [*planned(short, 1, "a"), *planned(long, 1, "b")])
    assert "5 or 9 epochs" in section.protocol
    report = build(ledger.records, ledger.predictions, "title", planned=[*planned(short, 1), *planned(long, 1)])
    board = report.sections[0][0].tables[0]
    assert [cell.text for cell in board.cells["epochs"]] == ["9", "5"]
    assert board.controls is not None and "epochs" in board.controls.data([0, 1])["open"]


def test_what_was_imported_is_drawn_as_measured(ledger: Ledger) -> None:
    ledger.add(config(), [0.88, 0.89])
    svm = {**external_config("svm", config()["dataset"]), "validation": "none", "epochs": 1}
    ledger.add(svm, [0.9, 0.91])
    report = build(ledger.records, ledger.predictions, "title", references=find(["lab-e-baseline"]))
    board = report.sections[0][0].tables[0]
    kinds = dict(zip(report.frame["kind"], zip(board.styles, board.cells["interval"], strict=True), strict=True))
    assert kinds["imported"][0].states == () and kinds["imported"][1].style == ""
    assert kinds["published"][0].states == ("published",) and kinds["published"][1].style == "flag"


def test_another_budget_is_another_section_unless_epochs_are_an_axis(ledger: Ledger) -> None:
    ledger.add(config(), [0.88])
    ledger.add(config(regularizer=L2, epochs=9), [0.89])
    assert len(group_trials(ledger.records)) == 2
    ledger.add(config(epochs=9), [0.885])
    (section,) = group_trials(ledger.records)
    assert [one.label for one in section.configurations] == [
        "mlp · epochs=5",
        "mlp · epochs=9",
        "mlp · l2 · epochs=9",
    ]


def test_seeds_still_to_be_run_make_a_configuration_incomplete(ledger: Ledger) -> None:
    ledger.add(config(), [0.88, 0.89])
    assert group_trials(ledger.records)[0].configurations[0].complete
    assert not group_trials(ledger.records, planned(config(), 3))[0].configurations[0].complete


def test_seeds_without_a_figure_are_named_with_why(ledger: Ledger) -> None:
    ledger.add(config(), [0.88])
    for seed, status in ((1, "diverged"), (2, "diverged"), (3, "diverged"), (5, "failed")):
        ledger.add_ended(config(), seed, status, 1)
    (one,) = group_trials(ledger.records, planned(config(), 8))[0].configurations
    assert one.excluded == ("seeds 1-3 diverged", "seed 5 failed", "seeds 4, 6, 7 not run")


def test_an_edited_model_file_makes_another_configuration_of_the_same_config(ledger: Ledger) -> None:
    mine = config(model={"name": "nets.py:wide"})
    ledger.add(mine, [0.88, 0.89], config_key="abcd11")
    ledger.add(mine, [0.9, 0.91], config_key="abcd22")
    ledger.add(mine, [0.92], config_key="ef0033")
    ledger.add(mine, [0.93])  # by a version that did not write it down
    ledger.add(config(), [0.87], config_key="777777")
    (section,) = group_trials(ledger.records)
    assert {one.label: len(one.records) for one in section.configurations} == {
        "mlp": 1,
        "nets.py:wide [abcd1]": 2,
        "nets.py:wide [abcd2]": 2,
        "nets.py:wide [ef00]": 1,
        "nets.py:wide [no key]": 1,
    }


def test_seeds_of_another_source_do_not_stand_in_for_planned_ones(ledger: Ledger) -> None:
    ledger.add(config(), [0.88, 0.89], config_key="old")
    found = group_trials(ledger.records, planned(config(), 2, "new"))[0].configurations
    assert {one.identity: one.missing for one in found} == {"old": 0, "new": 2}


def test_an_earlier_versions_record_belongs_to_the_planned_trial_of_its_key(ledger: Ledger) -> None:
    ledger.add(config(), [0.88])
    asked = [replace(trial, key=ledger.records[0].key) for trial in planned(config(), 1, "new")]
    (one,) = group_trials(ledger.records, asked)[0].configurations
    assert (one.identity, one.missing) == ("new", 0)


@pytest.mark.parametrize("status", ["pruned", "diverged"])
def test_pruning_spares_the_other_seeds_of_a_first_one_that_did_not_come_through(
    status: Status, ledger: Ledger
) -> None:
    ledger.add_ended(config(), 0, status, 2, pruning={"rule": {"grace_period": 2}, "decisions": []})
    assert group_trials(ledger.records, planned(config(), 3))[0].configurations[0].missing == 0


def test_without_pruning_a_diverged_seed_spares_no_other(ledger: Ledger) -> None:
    ledger.add_ended(config(), 0, "diverged", 1)
    assert group_trials(ledger.records, planned(config(), 3))[0].configurations[0].missing == 2


def test_a_trial_run_again_counts_once_and_the_complete_run_wins(ledger: Ledger) -> None:
    ledger.add_ended(config(), 0, "failed", 1)
    ledger.add(config(), [0.88])
    (configuration,) = group_trials(ledger.records)[0].configurations
    assert [record.status for record in configuration.records] == ["complete"]


def test_what_a_suite_lists_is_of_no_search_whatever_an_old_record_says(ledger: Ledger) -> None:
    rule = SearchRule(algorithm="tpe", seed=0, startup=1, batch=1, parameters=[])
    note = SearchPoint(id="s", rule=rule, number=0, trials=1).note()
    ledger.add(config(), [0.88], config_key="a")
    ledger.records[-1] = replace(ledger.records[-1], search=note)
    (section,) = group_trials(ledger.records, planned(config(), 1, "a"))
    assert section.configurations[0].search is None
    (section,) = group_trials(ledger.records)
    assert section.configurations[0].search is not None
