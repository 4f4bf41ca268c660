from __future__ import annotations

from dataclasses import replace

import pytest
from made_ledger import FLIP, L2, Ledger, config, planned, provenance_of

from bench.report import Report, build
from bench.report.confirmation import fresh_trials
from bench.report.document import Chart
from bench.report.markdown import to_markdown
from bench.report.sections.summary import NOT_CONFIRMED, OF_THESE, Summary
from bench.suite.trial import Trial


def summary(ledger: Ledger) -> Summary:
    return build(ledger.records, ledger.predictions, "title").summaries[0]


def notes(ledger: Ledger) -> tuple[str, ...]:
    return build(ledger.records, ledger.predictions, "title").sections[0][0].remarks


def test_it_names_what_validation_chose_with_its_test_figure_and_interval(full: Ledger) -> None:
    said = summary(full)
    assert said.label == "mlp · adam lr=0.001 · l2"
    assert said.lead == "Selected on validation, of 3 complete configurations:"
    assert said.metrics.startswith("test 87.90 ± ")
    assert "seeds on this test set, t with moderated variance), " in said.metrics
    assert f" % on new images, validation 89.40 %, 3 seeds. {OF_THESE}" in said.metrics


def test_it_warns_of_a_higher_test_mean_that_validation_did_not_choose(full: Ledger) -> None:
    text = summary(full).difference
    assert (
        "The highest test mean among the complete configurations is 88.27 % (mlp · adam lr=0.001); it was not selected"
        in text
    )


def test_it_says_that_the_order_is_descriptive_and_how_large_seed_noise_is(full: Ledger) -> None:
    text = " ".join(notes(full))
    assert "which is descriptive" in text
    assert "moderated over 3 configurations with 5 degrees of freedom" in text
    assert "on 1,000 test images" in text


def test_without_validation_nothing_was_chosen(ledger: Ledger) -> None:
    ledger.add(config(validation="none"), [0.88, 0.89, 0.885])
    ledger.add(config(validation="none", regularizer=L2), [0.9, 0.89, 0.895])
    said = summary(ledger)
    assert said.lead == "Nothing was selected: this protocol has no validation images."
    assert said.difference.startswith("“mlp · l2” and “mlp” are not significantly different from the best on test.")


def test_without_a_second_seed_no_row_is_tied_with_the_best(ledger: Ledger) -> None:
    """A set of those that may be the best that counts images alone loses a true best in most suites."""
    ledger.add(config(), [0.9])
    ledger.add(config(regularizer=L2), [0.7])
    said = summary(ledger)
    assert said.difference == ""
    assert said.caution.startswith("No differences are claimed: with one seed per configuration")
    assert "`--seeds 3`" in said.caution
    ledger.add(config(augmentation=FLIP), [0.8, 0.8])
    assert "significantly" not in summary(ledger).sentence


def test_seeds_that_are_right_on_the_same_images_are_seeds_all_the_same(ledger: Ledger) -> None:
    ledger.add(config(), [1.0, 1.0])
    ledger.add(config(regularizer=L2), [1.0, 1.0])
    said = summary(ledger)
    assert not any("No configuration has two seeds" in note for note in notes(ledger))
    assert any("classify the same test images correctly" in note for note in notes(ledger))
    assert "these networks" not in said.difference


def test_one_configuration_leaves_no_choice(ledger: Ledger) -> None:
    ledger.add(config(), [0.88])
    said = summary(ledger)
    assert said.lead == "Only one configuration is complete, so there was nothing to select between."
    assert said.metrics.startswith("test 88.00 [85.8")


def test_a_table_of_one_row_has_no_order_to_warn_of(ledger: Ledger) -> None:
    ledger.add(config(), [0.88, 0.89])
    assert "sorted" not in " ".join(notes(ledger))


def test_it_says_what_was_not_run(ledger: Ledger) -> None:
    asked = planned(config(), 3)
    empty = build([], ledger.predictions, "title", planned=asked)
    assert empty.summaries[0].sentence == "Nothing has been run yet (3 trials)."
    ledger.add(config(), [0.88])
    half = build(ledger.records, ledger.predictions, "title", planned=asked)
    assert half.sections[0][0].notes[0] == "Not run yet: 2 of 3 trials."


def test_the_other_seeds_of_a_pruned_configuration_are_not_waited_for(ledger: Ledger) -> None:
    ledger.add_ended(config(), 0, "pruned", 2, pruning={"rule": {"grace_period": 2}, "decisions": []})
    report = build(ledger.records, ledger.predictions, "title", planned=planned(config(), 3))
    assert report.sections[0][0].notes == ()
    assert provenance_of(report)["Trials"] == "3: 1 pruned, 2 skipped by pruning"


def test_when_every_trial_failed_nothing_was_chosen(ledger: Ledger) -> None:
    ledger.add_ended(config(), 0, "failed", 0)
    assert summary(ledger).sentence.endswith(". No configuration has all its seeds: nothing was selected.")


def test_it_says_which_others_cannot_be_told_from_it_and_how_far_the_next_is_behind(ledger: Ledger) -> None:
    ledger.add(config(), [0.9, 0.901, 0.9, 0.901], validation=[0.92] * 4)
    ledger.add(config(regularizer=L2), [0.899] * 4, validation=[0.9] * 4)
    ledger.add(config(augmentation=FLIP), [0.7] * 4, validation=[0.75] * 4)
    for place in range(8, 12):
        measured = replace(ledger.records[place].run_info, train_seconds=37.02)
        ledger.records[place] = replace(ledger.records[place], run_info=measured)
    said = summary(ledger)
    assert said.difference.startswith(
        "“mlp · l2” is not significantly different from the best. The next, mlp · flip, is 20.05 points lower ("
    )
    assert said.difference.endswith(" on new images) and takes 3.0 times as long to train.")
    assert said.caution == ""


def test_a_choice_that_is_behind_on_test_is_said_to_be(ledger: Ledger) -> None:
    ledger.add(config(), [0.7] * 4, validation=[0.92] * 4)
    ledger.add(config(regularizer=L2), [0.9] * 4, validation=[0.9] * 4)
    said = summary(ledger)
    assert said.difference.startswith(
        "It is significantly worse than the best on the test images. The highest by test mean, mlp · l2, is"
    )


def test_three_seeds_are_enough_to_compare(ledger: Ledger) -> None:
    ledger.add(config(), [0.88] * 3)
    ledger.add(config(regularizer=L2), [0.9] * 3)
    assert summary(ledger).caution == ""


def test_too_few_seeds_of_some_are_told(ledger: Ledger) -> None:
    ledger.add(config(), [0.88])
    ledger.add(config(regularizer=L2), [0.9] * 3)
    ledger.add(config(augmentation=FLIP), [0.9] * 2)
    assert "with 1 to 2 seeds per configuration" in summary(ledger).caution


def test_what_was_run_is_counted(full: Ledger) -> None:
    assert summary(full).trials == "12 trials: 9 complete, 1 diverged, 1 pruned, 1 failed"


def test_the_luck_of_the_top_is_put_in_points(ledger: Ledger) -> None:
    for size in range(1, 7):
        ledger.add(config(batch_size=size), [0.9, 0.91, 0.905])
    text = " ".join(notes(ledger))
    assert "Of 6 equal configurations the highest would lie " in text


def test_another_ranking_metric_leaves_ties_to_accuracy_and_says_so(ledger: Ledger) -> None:
    ledger.add(config(), [0.88, 0.88])
    ledger.add(config(regularizer=L2), [0.9, 0.9])
    report = build(ledger.records, ledger.predictions, "title", metrics=("loss",))
    said = report.summaries[0]
    assert said.difference == ""
    assert any(
        note.startswith("The best set, differences and effects are of accuracy")
        for note in report.sections[0][0].remarks
    )


def test_a_collapsed_seed_is_named_with_the_others_beside_it(ledger: Ledger) -> None:
    for regularizer, augmentation in ([], []), (L2, []), (L2, FLIP):
        ledger.add(config(regularizer=regularizer, augmentation=augmentation), [0.88, 0.885, 0.89, 0.882, 0.887])
    ledger.add(config(augmentation=FLIP), [0.88, 0.885, 0.1, 0.882, 0.887])
    (note,) = [note for note in notes(ledger) if "differ far more than those of the others" in note]
    assert note.startswith("The seeds of “mlp · flip” differ")
    assert "0: 88.00, 1: 88.50, 2: 10.00, 3: 88.20, 4: 88.70." in note


def test_too_few_images_or_seeds_for_intervals_are_told() -> None:
    few = Ledger(images=50)
    few.add(config(), [0.88, 0.9])
    few.add(config(regularizer=L2), [0.9, 0.92])
    text = " ".join(notes(few))
    assert "50 test images: too few for exact intervals" in text
    assert "Too few seeds: seed noise is estimated with 2 degrees of freedom in all" in text
    enough = Ledger(images=1000)
    enough.add(config(), [0.88, 0.885, 0.89])
    enough.add(config(regularizer=L2), [0.88, 0.885, 0.89])
    assert "too few" not in " ".join(notes(enough)).lower()


def test_ten_seeds_mark_the_best_of_this_test_set_too(ledger: Ledger) -> None:
    accuracies = [0.9 + 0.001 * (seed % 3) for seed in range(10)]
    ledger.add(config(), accuracies)
    ledger.add(config(regularizer=L2), [one - 0.1 for one in accuracies])
    frame = build(ledger.records, ledger.predictions, "title").frame
    assert frame["in_best_set_on_test"].tolist() == [True, False]
    assert frame["in_best_set"].tolist() == [True, False]


def test_one_seed_among_several_has_an_interval_over_seeds(ledger: Ledger) -> None:
    ledger.add(config(), [0.88, 0.885, 0.89])
    ledger.add(config(regularizer=L2), [0.87])
    frame = build(ledger.records, ledger.predictions, "title").frame
    assert frame["interval"].nunique() == 1
    assert (frame["new_low"] <= frame["test_low"]).all()


def add_trials(ledger: Ledger, trials: list[Trial], test: list[float], validation: list[float]) -> None:
    """Complete trials of one configuration, under their own keys."""
    start = len(ledger.records)
    settings = trials[0].config.to_json()
    ledger.add(settings, test[: len(trials)], validation=validation, config_key=trials[0].config_key)
    for place, trial in enumerate(trials, start):
        record = ledger.records[place]
        ledger.stored[trial.key] = ledger.stored.pop(record.key)
        ledger.records[place] = replace(record, key=trial.key, seed=trial.seed)


def confirmed_report(ledger: Ledger, n_done: int) -> Report:
    """Two configurations whose validation differs by less than seeds do, a third far below; fresh seeds 3 and 4."""
    grid: list[Trial] = []
    for name, settings, test, validation in (
        ("a", config(), [0.9, 0.91, 0.92], [0.93, 0.92, 0.91]),
        ("b", config(regularizer=L2), [0.91, 0.9, 0.9], [0.92, 0.91, 0.91]),
        ("c", config(augmentation=FLIP), [0.7, 0.71, 0.69], [0.7, 0.71, 0.7]),
    ):
        trials = planned(settings, 3, name)
        add_trials(ledger, trials, test, validation)
        grid += trials
    fresh = fresh_trials(grid, ledger.records, ledger.predictions, 2)
    assert [(trial.config_key, trial.seed) for trial in fresh] == [("a", 3), ("a", 4), ("b", 3), ("b", 4)]
    assert len({trial.key for trial in [*grid, *fresh]}) == 13
    for trials, test in ((fresh[:2], [0.85, 0.86]), (fresh[2:], [0.88, 0.87])):
        add_trials(ledger, trials[:n_done], test, [0.99, 0.99])
    assert fresh_trials(grid, ledger.records, ledger.predictions, 2) == fresh  # they select nothing
    return build(ledger.records, ledger.predictions, "title", planned=grid, fresh=fresh)


def test_what_was_selected_is_judged_by_fresh_seeds(ledger: Ledger) -> None:
    report = confirmed_report(ledger, 2)
    said = report.summaries[0]
    assert said.lead == "Selected on validation, of 3 complete configurations, and judged by fresh seeds alone:"
    assert said.label == "mlp"
    assert said.metrics.startswith("test 85.50 ± ") and said.metrics.endswith("2 fresh seeds.")
    assert said.difference.startswith("Its rival with the same fresh seeds: “mlp · l2”.")
    assert OF_THESE not in said.sentence
    frame = report.comparisons[0].frame.set_index("label")
    assert frame.loc["mlp", "test_mean"] == pytest.approx(0.91)  # the grid's rows stay those of the grid
    assert list(frame.index[frame["selected"]]) == ["mlp"]
    table = next(table for table in report.sections[0][0].tables if table.name == "confirmed")
    assert [row["label"] for row in table.rows] == ["mlp · l2", "mlp"]
    text = to_markdown(report)
    assert "Confirmed with fresh seeds" in text and "confirmed below" in text


def test_the_page_begins_with_what_fresh_seeds_say(ledger: Ledger) -> None:
    begun = confirmed_report(ledger, 2).summaries[0]
    assert begun.opening.endswith(
        "the one selected on validation reaches 85.50\u00a0% test accuracy with 2 fresh seeds."
    )
    leads, different, *_ = begun.tiles
    assert (leads.label, leads.value[:5]) == ("mlp", "85.50")
    assert leads.text.startswith("selected on validation, judged by 2 fresh seeds alone")
    assert different.text.startswith("2 seeds each")
    chart = begun.draw() if begun.draw else None
    assert isinstance(chart, Chart)
    spec = chart.chart.to_dict()
    tables = [*spec.get("datasets", {}).values(), *(layer.get("data", {}).get("values", []) for layer in spec["layer"])]
    tables.append(spec.get("data", {}).get("values", []))
    heights = {round(row["y"], 2) for rows in tables for row in rows if row.get("label") == "mlp"}
    assert heights == {85.5}


def test_until_all_fresh_seeds_are_trained_it_is_said_that_nothing_is_confirmed(ledger: Ledger) -> None:
    said = confirmed_report(ledger, 1).summaries[0]
    assert said.lead == "Selected on validation, of 3 complete configurations:"
    assert OF_THESE in said.metrics and said.caution.endswith(NOT_CONFIRMED)


def test_where_every_trial_failed_the_first_error_leads(ledger: Ledger) -> None:
    for seed in range(2):
        failure = {"kind": "OSError", "message": f"disk {seed} is full"}
        ledger.add_ended(config(), seed, "failed", 0, failure=failure)
    said = summary(ledger)
    assert said.lead.startswith("Every trial failed, the first (mlp, seed 0) with OSError: disk 0 is full. ")
    ledger.add(config(regularizer=L2), [0.9])
    assert "Every trial failed" not in summary(ledger).lead
