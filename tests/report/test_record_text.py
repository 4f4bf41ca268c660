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


def test_a_record_says_on_how_many_images_it_was_trained_and_how_it_fared_on_corrupted_ones(ledger: Ledger) -> None:
    ledger.add(config(), [0.9])
    record = ledger.records[0]
    info = replace(record.run_info, train_images=5400, wrong_labels=1080)
    result = replace(record.result, robustness={"fog": [0.8, 0.7, 0.6, 0.5, 0.4]}, curves={})
    ledger.records[0] = replace(record, run_info=info, result=result)
    assert lines(ledger)["trained on"] == "5,400 images, 1,080 of their labels wrong"
    last = record_text(ledger.records[0]).splitlines()[-1]
    assert last.replace(" %", "").split() == ["fog", "80.00", "70.00", "60.00", "50.00", "40.00"]
