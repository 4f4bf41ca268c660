"""The curves of all trials as one long frame."""

from __future__ import annotations

import math

from made_ledger import BASE, L2, Ledger, config

from bench.report.epoch_curves import COLUMNS, epoch_curves
from bench.report.grouping import group_trials


def test_a_row_per_trial_and_epoch(ledger: Ledger) -> None:
    ledger.add(config(), [0.88, 0.89])
    frame = epoch_curves(group_trials(ledger.records)[0])
    assert tuple(frame.columns) == COLUMNS
    assert len(frame) == 2 * BASE["epochs"]
    first = frame[frame["key"] == ledger.records[0].key]
    assert list(first["epoch"]) == [1, 2, 3, 4, 5]
    assert list(first["val_accuracy"]) == ledger.records[0].result.curves["val_accuracy"]


def test_trials_that_ended_early_are_there_as_far_as_they_came(full: Ledger) -> None:
    frame = epoch_curves(group_trials(full.records)[0])
    pruned = frame[frame["status"] == "pruned"]
    assert list(pruned["epoch"]) == [1, 2]
    assert math.isnan(frame.loc[frame["status"] == "diverged", "train_loss"].iloc[-1])


def test_what_was_not_kept_is_nan(ledger: Ledger) -> None:
    ledger.add(config(regularizer=L2, validation="none"), [0.88])
    frame = epoch_curves(group_trials(ledger.records)[0])
    assert frame["val_accuracy"].isna().all()
    assert frame["train_accuracy"].notna().all()
