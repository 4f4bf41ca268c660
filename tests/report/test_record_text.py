from __future__ import annotations

from dataclasses import replace

from made_ledger import FLIP, Ledger, config

from bench.report.record_text import record_text


def lines(ledger: Ledger, replicates: int = 0) -> dict[str, str]:
    """The first word or two of each line to the rest of it."""
    pairs = [line for line in record_text(ledger.records[0], replicates).splitlines() if line.startswith("  ")]
    return {line[2:17].strip(): line[17:].strip() for line in pairs}


def test_a_complete_trial_shows_configuration_figures_and_cost(ledger: Ledger) -> None:
    ledger.add(config(augmentation=FLIP), [0.9], validation=[0.91])
    shown = lines(ledger)
    assert record_text(ledger.records[0]).startswith(f"{ledger.records[0].key}  complete, seed 0, suite quick\n")
    assert shown["model"] == "mlp hidden=128-64 activation=relu batch_norm=none dropout=0 init=torch"
    assert (shown["regularizer"], shown["augmentation"]) == ("none", "flip static=false p=0.5")
    assert shown["test"] == "accuracy 90.00 %, loss 0.3500"
    assert shown["epochs run"] == "5, weights of epoch 5"
    assert shown["network"] == "109,386 parameters, 218,000 FLOPs per image"
    assert shown["machine"] == "cpu (x86-64), 1 thread"


def test_further_metrics_get_a_table_with_a_column_per_part(ledger: Ledger) -> None:
    ledger.add(config(), [0.9], validation=[0.91])
    result = ledger.records[0].result
    assert result.test and result.train
    test = {**result.test, "f1_macro": 0.89, "log_loss": 0.41}
    ledger.records[0] = replace(
        ledger.records[0], result=replace(result, test=test, train={**result.train, "f1_macro": 0.99}, curves={})
    )
    table = [line.split("  ") for line in record_text(ledger.records[0]).split("\n\n")[1].splitlines()]
    assert [[cell.strip() for cell in row if cell.strip()] for row in table] == [
        ["train", "validation", "test"],
        ["f1_macro", "99.00 %", "89.00 %"],
        ["log_loss", "0.4100"],
    ]


def test_a_line_per_epoch_with_every_curve(ledger: Ledger) -> None:
    ledger.add(config(epochs=2), [0.9])
    ledger.records[0].result.curves.update(train_accuracy=[0.5, 0.75], val_accuracy=[0.6, None], lr=[0.001, 1e-5])
    table = [line.split("  ") for line in record_text(ledger.records[0]).splitlines()[-3:]]
    cells = [[cell.strip() for cell in row if cell.strip()] for row in table]
    assert cells == [
        ["epoch", "train_accuracy", "val_accuracy", "lr"],
        ["1", "50.00 %", "60.00 %", "0.001"],
        ["2", "75.00 %", "not finite", "1e-05"],
    ]


def test_a_pruned_trial_shows_its_rungs(ledger: Ledger) -> None:
    rung = {"epoch": 2, "val_accuracy": 0.412, "decision": "stop"}
    ledger.add_ended(config(), 0, "pruned", 2, pruning={"rule": {}, "decisions": [rung]})
    assert lines(ledger)["rung"] == "epoch 2: validation 41.20 %, stop"
    assert "test" not in lines(ledger)


def test_a_failed_trial_ends_with_its_traceback(ledger: Ledger) -> None:
    failure = {"kind": "MemoryError", "message": "no room", "traceback": "Traceback ...\nMemoryError: no room\n"}
    ledger.add_ended(config(), 0, "failed", 0, failure=failure)
    ledger.records[0] = replace(ledger.records[0], result=replace(ledger.records[0].result, curves={}))
    text = record_text(ledger.records[0])
    assert text.endswith("\n\nMemoryError: no room\nTraceback ...\nMemoryError: no room")


def test_replicates_are_counted(ledger: Ledger) -> None:
    ledger.add(config(), [0.9])
    assert "replicates" not in lines(ledger)
    assert lines(ledger, 2)["replicates"] == "2 more finished with the same key"
