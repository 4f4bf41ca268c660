"""`bench export`: event files that TensorBoard reads."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest
from made_ledger import L2, Ledger, config
from tensorboardX.proto.event_pb2 import Event


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Step and value of each scalar in a folder's event file: length, checksum, event, checksum; again and again."""
    (path,) = folder.glob("events.*")
    data, at = path.read_bytes(), 0
    found: dict[str, list[tuple[int, float]]] = {}
    while at < len(data):
        (length,) = struct.unpack_from("<Q", data, at)
        event = Event.FromString(data[at + 12 : at + 12 + length])
        for value in event.summary.value:
            if value.WhichOneof("value") == "simple_value":
                found.setdefault(value.tag, []).append((event.step, value.simple_value))
        at += 12 + length + 4
    return found


def test_curves_and_figures_of_every_trial_once(stored: Any, bench: Any, tmp_path: Path) -> None:
    made = Ledger()
    made.add(config(), [0.9, 0.91])
    made.add(config(regularizer=L2), [0.88])
    made.add_ended(config(batch_size=64), 0, "diverged", 2)
    folder = stored(made)
    export = ("export", "--tensorboard", tmp_path / "board", "--results", folder)
    assert "wrote 4 trials" in bench(*export).out
    assert len(list((tmp_path / "board").iterdir())) == 4
    record = made.records[0]
    found = scalars(tmp_path / "board" / f"mlp-seed0-{record.key}")
    assert found["test/accuracy"] == [(0, pytest.approx(0.9))]
    curve = record.result.curves["val_accuracy"]
    assert found["curves/val_accuracy"] == [(epoch, pytest.approx(value)) for epoch, value in enumerate(curve, 1)]
    assert "wrote 0 trials, 4 were there" in bench(*export).out


def test_names_of_the_users_own_models_are_names_of_folders(stored: Any, bench: Any, tmp_path: Path) -> None:
    made = Ledger()
    made.add(config(model={"name": "../../nets.py:wide"}), [0.9])
    bench("export", "--tensorboard", tmp_path / "a" / "b", "--results", stored(made))
    (folder,) = (tmp_path / "a" / "b").iterdir()
    assert scalars(folder)


def test_what_is_missing_is_said(stored: Any, bench: Any, tmp_path: Path) -> None:
    ran = bench("export", "--results", stored(Ledger()))
    assert (ran.code, "--tensorboard DIR" in ran.err) == (2, True)
    ran = bench("export", "--tensorboard", tmp_path / "board", "--results", tmp_path / "none")
    assert (ran.code, "there is no ledger here" in ran.err) == (2, True)
    (tmp_path / "started" / "entries").mkdir(parents=True)
    ran = bench("export", "--tensorboard", tmp_path / "board", "--results", tmp_path / "started")
    assert (ran.code, "holds no trial" in ran.err) == (2, True)


def test_what_an_interrupted_export_left_is_written_anew(stored: Any, bench: Any, tmp_path: Path) -> None:
    made = Ledger()
    made.add(config(), [0.9])
    half = tmp_path / "board" / f".mlp-seed0-{made.records[0].key}"
    half.mkdir(parents=True)
    (half / "events.half").write_bytes(b"")
    assert "wrote 1 trial:" in bench("export", "--tensorboard", tmp_path / "board", "--results", stored(made)).out
    (folder,) = (tmp_path / "board").iterdir()
    assert scalars(folder)["test/accuracy"] == [(0, pytest.approx(0.9))]


def test_a_name_longer_than_a_file_system_takes_keeps_its_seed_and_key(stored: Any, bench: Any, tmp_path: Path) -> None:
    made = Ledger()
    made.add(config(model={"name": "n" * 300}), [0.9])
    bench("export", "--tensorboard", tmp_path / "board", "--results", stored(made))
    (folder,) = (tmp_path / "board").iterdir()
    assert folder.name.endswith(f"n-seed0-{made.records[0].key}")
