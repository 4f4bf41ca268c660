"""`bench reproduce`: real trainings of a small network on a few made images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_ledger import Ledger as Made
from made_ledger import config

from bench.ledger.ledger import Ledger
from bench.ledger.record import Record

SUITE = """
name: small
defaults: {dataset: {name: npz, path: data.npz}, epochs: 2, batch_size: 50, validation: {tail: 0.2}}
grid:
  - {model: {name: mlp, hidden: [8]}, seeds: 3}
  - {model: {name: 'nets.py:linear'}}
"""

NETS = """
from torch import nn

def linear(input_shape, classes):
    channels, height, width = input_shape
    return nn.Sequential(nn.Flatten(), nn.Linear(channels * height * width, classes))
"""


def write_pictures(folder: Path, seed: int = 0) -> None:
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 2, 300)
    pixels = (generator.random((300, 6, 6)) * 150 + labels[:, None, None] * 60).astype(np.uint8)
    np.savez(
        folder / "data.npz",
        train_images=pixels[:200],
        train_labels=labels[:200],
        test_images=pixels[200:],
        test_labels=labels[200:],
    )


@pytest.fixture
def ran(tmp_path: Path, bench: Any) -> Callable[[str], Record]:
    """Runs the suite in `tmp_path` into `tmp_path/results`; from a model's name to the record of its first seed."""
    write_pictures(tmp_path)
    (tmp_path / "suite.yaml").write_text(SUITE)
    (tmp_path / "nets.py").write_text(NETS)
    found = bench("run", tmp_path / "suite.yaml", "--no-ray", "--gpus-per-trial", 0, "--results", tmp_path / "results")
    assert found.code == 0, found.err
    records = Ledger(tmp_path / "results").records()
    return lambda model: next(one for one in records if one.config["model"]["name"] == model and one.seed == 0)


def again(bench: Any, folder: Path, *keys: str, results: str = "results") -> Any:
    return bench("reproduce", *keys, "--results", folder / results, "--from", folder, "--device", "cpu")


def test_a_trial_agrees_to_the_bit_and_nothing_is_written(ran: Any, bench: Any, tmp_path: Path) -> None:
    before = sorted(path.name for path in (tmp_path / "results").rglob("*.npz"))
    keys = [ran("mlp").key, ran("nets.py:linear").key[:8]]
    found = again(bench, tmp_path, *keys)
    assert found.code == 0, found.err
    for key in keys:
        assert f"{key}" in found.out
    assert found.out.count("is bit-identical: test accuracy ") == 2
    assert "same processor, versions and threads" in found.out
    assert "epoch 2 of 2" in found.err
    assert sorted(path.name for path in (tmp_path / "results").rglob("*.npz")) == before


def tampered(folder: Path, record: Record, **changes: Any) -> Record:
    """The record with changes, in a ledger of its own."""
    other = replace(record, **changes)
    Ledger(folder / "other").publish(other, Ledger(folder / "results").predictions(record.key))
    return other


def test_another_figure_on_the_same_machine_differs_and_the_fields_are_named(
    ran: Any, bench: Any, tmp_path: Path
) -> None:
    record = ran("mlp")
    test = {**record.result.test, "accuracy": record.result.test["accuracy"] - 0.01}
    curves = {**record.result.curves, "val_loss": [record.result.curves["val_loss"][0], 0.5]}
    tampered(tmp_path, record, result=replace(record.result, test=test, curves=curves))
    found = again(bench, tmp_path, record.key, results="other")
    assert found.code == 1
    assert "differs, although machine, versions and threads are those of the record" in found.out
    assert "  differs: test.accuracy: " in found.out
    assert "  differs: curves.val_loss: from epoch 2 on" in found.out
    assert "train.accuracy" not in found.out


def test_with_other_versions_the_figure_must_agree_within_noise(ran: Any, bench: Any, tmp_path: Path) -> None:
    record = ran("mlp")
    versions = {**record.run_info.versions, "torch": "1.0"}
    test = {**record.result.test, "accuracy": record.result.test["accuracy"] - 0.01}
    tampered(
        tmp_path,
        record,
        run_info=replace(record.run_info, versions=versions),
        result=replace(record.result, test=test),
    )
    found = again(bench, tmp_path, record.key, results="other")
    assert found.code == 0
    assert "agrees within noise" in found.out
    assert "other torch: 1.0 -> " in found.out


def test_a_figure_beyond_the_noise_differs_whatever_the_versions(ran: Any, bench: Any, tmp_path: Path) -> None:
    record = ran("mlp")
    versions = {**record.run_info.versions, "torch": "1.0"}
    test = {**record.result.test, "accuracy": record.result.test["accuracy"] - 0.5}
    tampered(
        tmp_path,
        record,
        run_info=replace(record.run_info, versions=versions),
        result=replace(record.result, test=test),
    )
    assert again(bench, tmp_path, record.key, results="other").code == 1


def test_a_metric_that_the_record_was_made_without_is_no_difference(ran: Any, bench: Any, tmp_path: Path) -> None:
    record = ran("mlp")
    test = {name: value for name, value in record.result.test.items() if name != "ece"}
    tampered(tmp_path, record, result=replace(record.result, test=test))
    found = again(bench, tmp_path, record.key, results="other")
    assert (found.code, "not in the record: test.ece" in found.out) == (0, True)


def test_changed_data_or_code_stop_it_before_anything_is_trained(ran: Any, bench: Any, tmp_path: Path) -> None:
    mlp, mine = ran("mlp").key, ran("nets.py:linear").key
    (tmp_path / "nets.py").write_text(NETS + "\n# edited\n")
    found = again(bench, tmp_path, mlp, mine)
    assert (found.code, found.out) == (2, "")
    assert f"{mine}: this would be another trial today: the source of nets.py:linear, or of what it " in found.err
    write_pictures(tmp_path, seed=1)
    found = again(bench, tmp_path, mlp)
    assert (found.code, "the contents of its data or " in found.err) == (2, True)


def test_where_the_suites_folder_is_has_to_be_told(ran: Any, bench: Any, tmp_path: Path) -> None:
    found = bench("reproduce", ran("mlp").key, "--results", tmp_path / "results", "--from", tmp_path / "results")
    assert found.code == 2
    assert "data.npz cannot be read" in found.err
    assert "--from names the folder of the suite file" in found.err


def test_trials_without_a_figure_are_refused(stored: Any, bench: Any) -> None:
    made = Made()
    made.add_ended(config(), 0, "failed", 1, failure={"kind": "MemoryError", "message": "no room"})
    made.add_ended(config(), 1, "pruned", 1)
    folder = stored(made)
    for record, words in zip(
        made.records, ("tries failed trials again", "name a trial that ran to its end"), strict=True
    ):
        found = bench("reproduce", record.key, "--results", folder)
        assert (found.code, words in found.err) == (2, True)


def test_no_user_code_refuses_models_of_the_users_own(ran: Any, bench: Any, tmp_path: Path) -> None:
    mine = ran("nets.py:linear").key
    found = again(bench, tmp_path, mine, "--no-user-code")
    assert found.code == 2
    assert f"{mine}: 'nets.py:linear' is a user's model, which --no-user-code does not run" in found.err
    assert again(bench, tmp_path, ran("mlp").key, "--no-user-code").code == 0


def test_a_record_of_an_earlier_versions_form_says_so(stored: Any, bench: Any) -> None:
    made = Made()
    made.add(config(schedule={"name": "constant"}), [0.9])
    found = bench("reproduce", made.records[0].key, "--results", stored(made))
    assert found.code == 2
    assert "was made by another version of bench (0.1.0)" in found.err
    assert "schedule constant has no warmup" in found.err


def test_an_added_row_cannot_be_run_again(stored: Any, bench: Any) -> None:
    made = Made()
    made.add({"dataset": {"name": "mnist"}, "model": {"name": "svm"}, "added": {"name": "svm"}, "epochs": 1,
              "validation": "none"}, [0.9])  # fmt: skip
    found = bench("reproduce", made.records[0].key, "--results", stored(made))
    assert (found.code, "'svm' was added from its predictions" in found.err) == (2, True)


def test_an_unknown_key_names_the_ledger(stored: Any, bench: Any) -> None:
    made = Made()
    made.add(config(), [0.9])
    found = bench("reproduce", "feed", "--results", stored(made))
    assert (found.code, "none of the 1 keys begins with 'feed'" in found.err) == (2, True)
