"""What the statistics make of a part: every claim of a report comes from here."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_ledger import BASE, FLIP, L2, Ledger, config

from bench.report import build
from bench.report.analysis import MAX_TOP, Analysis, analyse
from bench.report.comparison import Comparison
from bench.report.estimates import MODERATED
from bench.report.grouping import group_trials
from bench.report.sections.cost import time_to_target_frame
from bench.report.sections.differences import SEEDS_AND_IMAGES, TWO_RUNS, differences_frame
from bench.report.sections.effects import effects_frames
from bench.report.sections.tuning import expected_best_frame, tuned_frames
from bench.statistics.contrasts import difference
from bench.statistics.means import measure, new_images, this_test_set
from bench.statistics.paired_tests import mcnemar


def comparison_of(ledger: Ledger) -> Comparison:
    return build(ledger.records, ledger.predictions, "title").comparisons[0]


def analysis_of(ledger: Ledger) -> Analysis:
    return comparison_of(ledger).analysis


@pytest.fixture
def grid(ledger: Ledger) -> Ledger:
    """Two by two: L2 costs a point, flips cost 20, and nothing else differs."""
    for regularizer, augmentation, accuracy in ([], [], 0.9), (L2, [], 0.89), ([], FLIP, 0.7), (L2, FLIP, 0.69):
        ledger.add(
            config(regularizer=regularizer, augmentation=augmentation), [accuracy, accuracy + 0.004, accuracy + 0.002]
        )
    return ledger


def right(ledger: Ledger, first: int, seeds: int) -> np.ndarray:
    keys = [record.key for record in ledger.records[first : first + seeds]]
    return np.stack([ledger.stored[key].labels == ledger.stored[key].predicted for key in keys])


def test_both_intervals_are_those_of_the_statistics(grid: Ledger) -> None:
    comparison = comparison_of(grid)
    measured = measure(right(grid, first, 3) for first in (0, 3, 6, 9))
    best = comparison.frame.iloc[0]
    this, new = this_test_set(measured, 0), new_images(measured, 0)
    assert this is not None
    assert (best["label"], best["interval"]) == ("mlp", MODERATED)
    assert best[["test_low", "test_high", "new_low", "new_high"]].tolist() == pytest.approx(
        [this.low, this.high, new.low, new.high]
    )
    assert best["new_high"] - best["new_low"] >= best["test_high"] - best["test_low"]


def test_the_tied_may_be_the_best_and_the_others_not(grid: Ledger) -> None:
    table = comparison_of(grid).frame.set_index("label")
    assert table["in_best_set"].to_dict() == {
        "mlp": True,
        "mlp · l2": True,
        "mlp · flip": False,
        "mlp · l2 · flip": False,
    }
    assert table.loc["mlp · flip", "gap_to_best"] == pytest.approx(0.2)


def test_gaps_that_seeds_alone_make_are_marked(ledger: Ledger) -> None:
    """Two standard errors by seeds, 2 s sqrt(1/2 + 1/2), of noise as measured: above theory's one deviation of .77."""
    ledger.add(config(), [0.9, 0.9])
    ledger.add(config(regularizer=L2), [0.895, 0.895])
    ledger.add(config(augmentation=FLIP), [0.85, 0.85])
    comparison = comparison_of(ledger)
    measured = comparison.analysis.estimates
    assert measured is not None and measured.noise is not None
    assert comparison.analysis.seed_noise == pytest.approx(float(np.sqrt(np.median(measured.noise.variances))))
    assert 0.005 < 2 * comparison.analysis.seed_noise < 0.05
    assert comparison.frame["below_seed_noise"].tolist() == [False, True, False]
    assert differences_frame(comparison)["below_seed_noise"].tolist() == [True, False, False]


def test_leaders_are_the_chosen_one_and_then_the_tied_by_test_mean(full: Ledger) -> None:
    found = analysis_of(full)
    assert found.top[0] == "mlp · adam lr=0.001 · l2"
    assert found.top[1] == "mlp · adam lr=0.001"
    assert [one.label for one in found.compared] == sorted(one.label for one in found.compared)
    assert len(found.compared) == 3


def test_leaders_are_no_more_than_eight(ledger: Ledger) -> None:
    for size in range(1, 12):
        ledger.add(config(batch_size=size), [0.9, 0.9])
    assert len(analysis_of(ledger).top) == MAX_TOP


def test_pairs_are_differences_over_seeds_and_images(grid: Ledger) -> None:
    pairs = differences_frame(comparison_of(grid))
    measured = measure(right(grid, first, 3) for first in (0, 3, 6, 9))
    row = pairs[(pairs["first"] == "mlp") & (pairs["second"] == "mlp · l2")].iloc[0]
    wanted = difference(measured, 0, 1)
    assert row["kind"] == SEEDS_AND_IMAGES
    assert row[["difference", "low", "high", "p"]].tolist() == pytest.approx(
        [wanted.estimate, wanted.low, wanted.high, wanted.p]
    )


def test_two_single_runs_have_one_interval_wherever_their_difference_stands(ledger: Ledger) -> None:
    """Tango's, in the matrix of pairs, the effects and the tuning; no p, which a second seed might turn."""
    ledger.add(config(), [0.9])
    ledger.add(config(regularizer=L2), [0.85])
    comparison = comparison_of(ledger)
    (pair,) = differences_frame(comparison).to_dict("records")
    known = mcnemar(right(ledger, 0, 1)[0], right(ledger, 1, 1)[0]).difference
    assert pair["kind"] == TWO_RUNS
    assert (pair["difference"], pair["low"], pair["high"]) == pytest.approx((known.estimate, known.low, known.high))
    (effect,) = effects_frames(comparison)[0].to_dict("records")
    (_, tuned) = tuned_frames(comparison)["regularizer"].to_dict("records")
    assert (-effect["high"], -effect["low"]) == pytest.approx((known.low, known.high))
    assert (-tuned["gap_high"], -tuned["gap_low"]) == pytest.approx((known.low, known.high))
    assert all(np.isnan(row["p"]) for row in (pair, effect, tuned))
    ledger.add(config(augmentation=FLIP), [0.84, 0.85])
    assert set(differences_frame(comparison_of(ledger))["kind"]) == {SEEDS_AND_IMAGES}


@pytest.mark.parametrize("seeds", [1, 2, 3])
def test_ties_and_p_need_three_seeds(ledger: Ledger, seeds: int) -> None:
    for regularizer, accuracy in ([], 0.9), (L2, 0.8), (FLIP, 0.7):
        changed = {"augmentation": FLIP} if regularizer is FLIP else {"regularizer": regularizer}
        ledger.add(config(**changed), [accuracy, accuracy + 0.004, accuracy + 0.002][:seeds])
    comparison = comparison_of(ledger)
    frame, pairs = comparison.frame, differences_frame(comparison)
    effects, pairwise = effects_frames(comparison)
    assert frame["in_best_set"].isna().all() == (seeds < 3)
    for tested in pairs["p"], effects["p"], tuned_frames(comparison)["regularizer"]["p"][1:], pairwise["p_holm"]:
        assert tested.isna().all() == (seeds < 3) or tested.empty


def test_a_configuration_with_too_few_seeds_has_no_place_among_the_others(ledger: Ledger) -> None:
    ledger.add(config(), [0.9, 0.904, 0.902])
    ledger.add(config(regularizer=L2), [0.8, 0.804, 0.802])
    ledger.add(config(augmentation=FLIP), [0.91])
    places = comparison_of(ledger).frame.set_index("label")["in_best_set"]
    assert places["mlp"] and not places["mlp · l2"] and places.isna()["mlp · flip"]


def test_effects_are_against_none_on_matched_cells(grid: Ledger) -> None:
    effects = effects_frames(comparison_of(grid))[0].set_index("axis")
    assert effects["against"].tolist() == ["none", "none"]
    assert effects.loc["regularizer", "effect"] == pytest.approx(-0.01)
    assert effects.loc["augmentation", "effect"] == pytest.approx(-0.2)
    assert effects["n_strata"].tolist() == [2, 2]


def test_without_none_an_effect_is_against_the_mean(ledger: Ledger) -> None:
    for size, accuracy in ((32, 0.9), (64, 0.88), (128, 0.86)):
        ledger.add(config(batch_size=size), [accuracy, accuracy])
    effects = effects_frames(comparison_of(ledger))[0]
    assert effects["against"].tolist() == ["mean", "mean", "mean"]
    assert effects["value"].tolist() == ["batch_size=32", "batch_size=64", "batch_size=128"]  # as numbers
    assert effects["effect"].tolist() == pytest.approx([0.02, 0.0, -0.02])


def test_of_two_values_the_difference_stands_once(ledger: Ledger) -> None:
    for size, accuracy in ((64, 0.88), (8, 0.9)):
        ledger.add(config(batch_size=size), [accuracy, accuracy])
    (effect,) = effects_frames(comparison_of(ledger))[0].to_dict("records")
    assert (effect["value"], effect["against"]) == ("batch_size=64", "batch_size=8")
    assert effect["effect"] == pytest.approx(-0.02)


def test_levels_are_compared_over_what_both_were_tried_with(ledger: Ledger) -> None:
    """L2 was tried on the small network alone, dropout on the large one alone: nothing tells them apart."""
    small, large = ({**BASE["model"], "hidden": hidden} for hidden in ([16], [256]))
    dropout = [{"name": "dropout", "rate": 0.5}]
    for model, regularizer, accuracy in (
        (small, [], 0.8), (small, L2, 0.82), (large, [], 0.9), (large, dropout, 0.93),
    ):  # fmt: skip
        ledger.add(config(model=model, regularizer=regularizer), [accuracy, accuracy + 0.002, accuracy + 0.001])
    comparison = comparison_of(ledger)
    table = tuned_frames(comparison)["regularizer"].set_index("value")
    assert table.index[0] == "dropout"
    assert table["n_shared"].iloc[1:].to_dict() == {"none": 1, "l2": 0}
    assert table.loc["none", "gap_to_best"] == pytest.approx(-0.03)  # of the large network
    assert table.loc["l2", ["gap_to_best", "gap_low", "gap_high", "p"]].isna().all()
    sections = build(ledger.records, ledger.predictions, "title").sections[0]
    notes = " ".join(note for section in sections for note in section.notes)
    assert "Regularizer: l2 and dropout were never tried with all else equal" in notes


def test_cells_that_pruning_emptied_are_counted_as_missing(grid: Ledger) -> None:
    for regularizer in ([], L2):
        grid.add_ended(config(regularizer=regularizer, augmentation=FLIP, batch_size=7), 0, "pruned", 2)
    effects = effects_frames(comparison_of(grid))[0].set_index("axis")
    assert (effects.loc["regularizer", "n_strata"], effects.loc["regularizer", "missing"]) == (2, 1)


def test_interactions_are_what_effects_leave(ledger: Ledger) -> None:
    """L2 costs 10 points, but only without flips: 5 points between the signs, and with two levels each one test."""
    for regularizer, augmentation, accuracy in ([], [], 0.9), (L2, [], 0.8), ([], FLIP, 0.9), (L2, FLIP, 0.9):
        ledger.add(config(regularizer=regularizer, augmentation=augmentation), [accuracy, accuracy, accuracy])
    found = effects_frames(comparison_of(ledger))[1]
    assert found["effect"].abs().tolist() == pytest.approx([0.025])
    assert found["p_holm"].tolist() == found["p"].tolist()


def test_levels_are_compared_at_the_settings_that_validation_chose(ledger: Ledger) -> None:
    base = config()["optimizer"]
    sgd = {"name": "sgd", "lr": 0.1, "momentum": 0.0}
    ledger.add(config(optimizer=base), [0.88, 0.88], validation=[0.9, 0.9])
    ledger.add(config(optimizer={**base, "lr": 0.01}), [0.89, 0.89], validation=[0.89, 0.89])
    ledger.add(config(optimizer=sgd), [0.87, 0.87], validation=[0.88, 0.88])
    table = tuned_frames(comparison_of(ledger))["optimizer"]
    assert table["value"].tolist() == ["adam", "sgd"]
    assert table["n_trials"].tolist() == [2, 1]
    # Adam's other rate does better on test, which has no say.
    assert table["label"].tolist()[0] == "mlp · adam lr=0.001"
    assert table["test"].tolist() == pytest.approx([0.88, 0.87])


def test_expected_best_is_the_choice_of_validation_among_so_many(ledger: Ledger) -> None:
    ledger.add(config(), [0.9], validation=[0.8])
    ledger.add(config(regularizer=L2), [0.8], validation=[0.9])
    found = expected_best_frame(comparison_of(ledger), [])
    assert found["value"].tolist() == ["all", "all"]
    assert found["test"].tolist() == pytest.approx([0.85, 0.8])
    assert found["validation"].tolist() == pytest.approx([0.85, 0.9])


def test_the_target_is_what_half_of_the_configurations_reach(ledger: Ledger) -> None:
    for size, peak in ((1, 0.9), (2, 0.8761), (3, 0.86), (4, 0.5)):
        ledger.add(config(batch_size=size), [0.9])
        result = ledger.records[-1].result
        curves = {**result.curves, "val_accuracy": [0.4, peak, 0.4, None, 0.4]}
        ledger.records[-1] = replace(ledger.records[-1], result=replace(result, curves=curves))
    times = time_to_target_frame(analysis_of(ledger).compared)
    assert times["target"].unique() == pytest.approx([0.875])
    assert times["reached"].tolist() == [1, 1, 0, 0]
    # The second of five epochs, of 12.34 seconds.
    assert times["seconds"].tolist() == pytest.approx([4.936, 4.936, np.inf, np.inf])


def test_a_configuration_of_other_test_images_is_not_compared(grid: Ledger) -> None:
    key = grid.records[0].key
    grid.stored[key] = replace(grid.stored[key], labels=grid.stored[key].labels[::-1].copy())
    comparison = comparison_of(grid)
    row = comparison.frame.set_index("label").loc["mlp"]
    assert len(comparison.analysis.compared) == 3
    assert row[["in_best_set", "new_low"]].isna().all()


def test_a_lone_configuration_is_measured_and_tied_with_nothing(ledger: Ledger) -> None:
    ledger.add(config(), [0.9])
    comparison = comparison_of(ledger)
    found = comparison.analysis
    assert found.top == ("mlp",)
    assert found.best_set is None and found.estimates is not None
    assert differences_frame(comparison).empty and effects_frames(comparison)[0].empty


def test_predictions_are_read_once_for_the_analysis(grid: Ledger) -> None:
    asked: list[str] = []
    (section,) = group_trials(grid.records)
    analyse(section, lambda key: asked.append(key) or grid.stored[key])  # type: ignore[func-returns-value]
    assert sorted(asked) == sorted(record.key for record in grid.records)
