"""`bench export`: a ledger's trials as event files that TensorBoard reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from made_ledger import L2, Ledger, config
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Step and value of each scalar in a folder's event files."""
    events = EventAccumulator(str(folder)).Reload()
    return {tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def test_curves_and_figures_of_every_trial_once(stored: Any, bench: Any, tmp_path: Path) -> None:
    made = Ledger()
    made.add(config(), [0.9, 0.91])
    made.add(config(regularizer=L2), [0.88])
    made.add_ended(config(batch_size=64), 0, "diverged", 2)
    folder = stored(made)
    export = ("export", "--log", f"tensorboard={tmp_path / 'board'}", "--results", folder)
    assert "wrote 4 trials" in bench(*export).out
    assert len(list((tmp_path / "board" / made.records[0].suite).iterdir())) == 4
    record = made.records[0]
    found = scalars(tmp_path / "board" / record.suite / f"mlp-seed0-{record.key}")
    assert found["test/accuracy"] == [(record.result.epochs_run, pytest.approx(0.9))]
    curve = record.result.curves["val_accuracy"]
    assert found["epoch/val_accuracy"] == [(epoch, pytest.approx(value)) for epoch, value in enumerate(curve, 1)]
    assert "wrote 0 trials, 4 were there" in bench(*export).out


def test_names_of_the_users_own_models_are_names_of_folders(stored: Any, bench: Any, tmp_path: Path) -> None:
    made = Ledger()
    made.add(config(model={"name": "../../nets.py:wide"}), [0.9])
    bench("export", "--log", f"tensorboard={tmp_path / 'a' / 'b'}", "--results", stored(made))
    (folder,) = (tmp_path / "a" / "b" / made.records[0].suite).iterdir()
    assert scalars(folder)


def test_what_is_missing_is_said(stored: Any, bench: Any, tmp_path: Path) -> None:
    ran = bench("export", "--results", stored(Ledger()))
    assert (ran.code, "--log tensorboard=DIR" in ran.err) == (2, True)
    board = ("--log", f"tensorboard={tmp_path / 'board'}")
    ran = bench("export", *board, "--results", tmp_path / "none")
    assert (ran.code, "there is no ledger here" in ran.err) == (2, True)
    (tmp_path / "started" / "entries").mkdir(parents=True)
    ran = bench("export", *board, "--results", tmp_path / "started")
    assert (ran.code, "holds no trial" in ran.err) == (2, True)
    made = Ledger()
    made.add(config(), [0.9])
    ran = bench("export", "--log", "mlflow=http://127.0.0.1:9", "--results", stored(made, "made"))
    assert (ran.code, "the same command goes on from there" in ran.err) == (2, True)


def test_what_an_interrupted_export_left_out_is_added(stored: Any, bench: Any, tmp_path: Path) -> None:
    made = Ledger()
    made.add(config(), [0.9])
    (record,) = made.records
    from bench.execution.trackers.tensorboard_files import TensorBoardFiles
    from bench.execution.trackers.tracker import epoch_rows, of_record

    half = TensorBoardFiles(tmp_path / "board", record.suite)
    half.begin(of_record(record), anew=False)
    half.epochs(of_record(record), epoch_rows(record.result.curves)[:1])
    half.close()
    export = ("export", "--log", f"tensorboard={tmp_path / 'board'}", "--results", stored(made))
    assert "wrote 1 trial\n" in bench(*export).out
    (folder,) = (tmp_path / "board" / record.suite).iterdir()
    found = scalars(folder)
    assert found["test/accuracy"] == [(record.result.epochs_run, pytest.approx(0.9))]
    assert [step for step, _ in found["epoch/val_accuracy"]] == [*range(1, record.result.epochs_run + 1)]


def test_a_name_longer_than_a_file_system_takes_keeps_its_seed_and_key(stored: Any, bench: Any, tmp_path: Path) -> None:
    made = Ledger()
    made.add(config(model={"name": "n" * 300}), [0.9])
    bench("export", "--log", f"tensorboard={tmp_path / 'board'}", "--results", stored(made))
    (folder,) = (tmp_path / "board" / made.records[0].suite).iterdir()
    assert folder.name.endswith(f"n-seed0-{made.records[0].key}")
