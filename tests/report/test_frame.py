from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_ledger import FLIP, L2, Ledger, config
from scipy import stats

from bench.published import find
from bench.report import build
from bench.report.estimates import MODERATED, WILSON
from bench.report.leaderboard_frame import COLUMNS
from bench.statistics.seed_noise import moderated


def frame(ledger: Ledger, *references: str):  # type: ignore[no-untyped-def]
    return build(ledger.records, ledger.predictions, "title", references=find(references)).frame


def test_a_row_per_configuration_with_its_mean_over_seeds(ledger: Ledger) -> None:
    ledger.add(config(), [0.88, 0.89, 0.9], validation=[0.9, 0.9, 0.93])
    ledger.add(config(regularizer=L2), [0.87, 0.87, 0.87])
    table = frame(ledger)
    assert list(table.columns) == list(COLUMNS)
    assert table["label"].tolist() == ["mlp", "mlp · l2"]
    first = table.iloc[0]
    assert (first["test_mean"], first["validation_mean"]) == pytest.approx((0.89, 0.91))
    assert first["generalization_gap"] == pytest.approx(0.02)
    assert (first["seeds"], first["parameters"], first["status"]) == (3, 109386, "complete")


def test_the_interval_of_another_metric_is_moderated_too(ledger: Ledger) -> None:
    """Two configurations that differ in noise by far: plainly pooled, both had .1133."""
    ledger.add(config(), [0.88, 0.89, 0.9])
    ledger.add(config(regularizer=L2), [0.87, 0.87, 0.87])
    for place, loss in enumerate([0.3, 0.4, 0.5, 0.6, 0.6, 0.6]):
        result = ledger.records[place].result
        ledger.records[place] = replace(
            ledger.records[place], result=replace(result, test={"accuracy": 0.9, "loss": loss})
        )
    table = build(ledger.records, ledger.predictions, "title", metrics=("loss",)).frame
    noise = moderated(np.array([0.01, 0.0]), np.ones(2), np.array([3, 3]))
    assert noise is not None
    half = stats.t.ppf(0.975, noise.degrees) * np.sqrt(noise.variances / 3)
    assert (table["test_high"] - table["test_mean"]).tolist() == pytest.approx(half.tolist())
    assert half[0] > 0.1133 > 2 * half[1]
    assert set(table["interval"]) == {MODERATED}
    # Only accuracy is judged on new images.
    assert table[["new_low", "in_best_set", "gap_to_best"]].isna().all(axis=None)


def test_the_interval_of_accuracy_steadies_each_noise_by_the_others(ledger: Ledger) -> None:
    ledger.add(config(), [0.88, 0.89, 0.9])
    ledger.add(config(regularizer=L2), [0.87, 0.87, 0.87])
    table = frame(ledger)
    noisy, quiet = table["test_high"] - table["test_mean"]
    assert set(table["interval"]) == {MODERATED}
    assert 0 < quiet < noisy


def test_published_figures_on_other_data_sets_are_told_unless_they_are_on_this_one_too(ledger: Ledger) -> None:
    ledger.add(config(), [0.88, 0.89])
    references = find(["hysts_preact20", "lab-c-adam"])
    assert {one.dataset for one in references if one.id == "hysts_preact20"} == {"fashion_mnist", "mnist"}
    notes = build(ledger.records, ledger.predictions, "title", references=references).notes
    assert notes == ("Published results on data sets that were not run: lab-c-adam.",)


def test_a_row_names_the_command_that_reproduces_it(ledger: Ledger) -> None:
    ledger.add(config(), [0.88, 0.89])
    row = frame(ledger, "lab-e-baseline").iloc[0]
    assert row["command"] == f"bench reproduce {ledger.records[0].key} {ledger.records[1].key}"
    assert row["train_mean"] == pytest.approx(row["validation_mean"] + 0.02)


def test_one_seed_gets_the_image_interval(ledger: Ledger) -> None:
    ledger.add(config(), [0.9])
    row = frame(ledger).iloc[0]
    # Wilson's bounds for 900 of 1,000.
    assert (row["test_low"], row["test_high"]) == pytest.approx((0.8799, 0.9171), abs=1e-4)
    assert row["interval"] == WILSON


def test_rows_come_by_test_mean_with_incomplete_ones_below(full: Ledger) -> None:
    table = frame(full)
    assert table["label"].tolist()[:3] == [
        "mlp · adam lr=0.001",
        "mlp · adam lr=0.001 · l2",
        "mlp · adam lr=0.001 · flip",
    ]
    last = table.iloc[-1]
    assert (last["status"], last["seeds"], last["seeds_planned"], last["failed"]) == ("incomplete", 2, 3, 1)
    assert (last["missing_seeds"], set(table["missing_seeds"][:-1])) == ("seed 2 failed", {""})
    assert last["test_mean"] == table["test_mean"].max()


def test_validation_chooses_among_the_complete(full: Ledger) -> None:
    table = frame(full)
    assert table[table["selected"]]["label"].tolist() == ["mlp · adam lr=0.001 · l2"]


def test_nothing_is_chosen_where_nothing_was_held_out(ledger: Ledger) -> None:
    ledger.add(config(validation="none"), [0.88, 0.89])
    ledger.add(config(validation="none", augmentation=FLIP), [0.9, 0.9])
    table = frame(ledger)
    assert not table["selected"].any()
    assert table[["validation_mean", "generalization_gap"]].isna().all(axis=None)


def test_after_a_refit_there_is_no_gap_since_training_and_validation_are_of_two_networks(ledger: Ledger) -> None:
    ledger.add(config(refit=True), [0.88, 0.89])
    row = frame(ledger).iloc[0]
    assert np.isnan(row["generalization_gap"]) and not np.isnan(row["validation_mean"])


def test_an_edited_model_file_gets_a_row_of_its_own(ledger: Ledger) -> None:
    mine = config(model={"name": "nets.py:wide"})
    ledger.add(mine, [0.88, 0.89], config_key="1111aa")
    ledger.add(mine, [0.9, 0.91], config_key="2222bb")
    table = frame(ledger)
    assert table["label"].tolist() == ["nets.py:wide [2222]", "nets.py:wide [1111]"]
    assert table["seeds"].tolist() == [2, 2]


def test_trials_that_did_not_end_well_stand_apart_with_their_reason(full: Ledger) -> None:
    report = build(full.records, full.predictions, "title")
    assert report.comparisons[0].not_ranked[["status", "seed", "epoch", "reason"]].to_numpy().tolist() == [
        ["failed", 2, 4, "MemoryError: no room"],
        ["diverged", 0, 1, "the loss was no longer finite"],
        ["pruned", 0, 2, "below the cut of its rung with 41.20 % validation accuracy"],
    ]
    assert not report.frame["label"].str.contains("lr=10|lr=1e-05").any()


def test_published_figures_stand_in_their_datasets_table_without_interval(ledger: Ledger) -> None:
    ledger.add(config(), [0.88, 0.89])
    ledger.add(config(dataset={"name": "mnist"}), [0.98])
    table = frame(ledger, "lab-e-baseline", "readme_2conv_kashif", "lab-b-conv2d")
    published = table[table["kind"] == "published"]
    assert set(published["dataset"]) == {"fashion_mnist"}
    assert published["test_low"].isna().all()
    assert published["note"].tolist() == ["", "community submission; not retested; early split", ""]
    # A validation figure goes to the validation column, below everything with a test figure.
    assert published.iloc[-1]["validation_mean"] == 0.8916
    assert np.isnan(published.iloc[-1]["test_mean"])


def test_a_refuted_claim_stays_listed_below_everything(ledger: Ledger) -> None:
    ledger.add(config(), [0.88, 0.89])
    table = frame(ledger, "cnn_3_128_claim", "lab-b-conv2d")
    assert table.iloc[-1]["label"].endswith("(cnn_3_128_claim)")
    assert table.iloc[-1]["test_mean"] == table["test_mean"].max()


def test_an_empty_ledger_gives_an_empty_frame(ledger: Ledger) -> None:
    table = frame(ledger)
    assert table.empty
    assert list(table.columns) == list(COLUMNS)


def test_running_statistics_are_no_parameters_of_the_leaderboard(ledger: Ledger) -> None:
    """Keras counts them, papers and torchinfo do not; the record has both numbers."""
    ledger.add(config(), [0.9])
    counted = replace(ledger.records[0].run_info, parameters=613_731, parameters_trainable=612_001)
    ledger.records[0] = replace(ledger.records[0], run_info=counted)
    report = build(ledger.records, ledger.predictions, "title")
    assert report.frame["parameters"].tolist() == [612_001]
    caption = report.sections[0][0].tables[0].caption
    assert "running statistics of batch normalisation apart" in caption and "a multiply-add as two" in caption
