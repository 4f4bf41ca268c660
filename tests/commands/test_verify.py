"""`bench verify`: honest entries pass, forged ones are caught, and what cannot be checked is named."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.interface import run
from bench.ledger.entries import encode
from bench.ledger.ledger import Ledger
from bench.metrics import predictions_from
from bench.verification.statuses import read_verified, state_of

SUITE = """
name: small
defaults: {dataset: {name: npz, path: data.npz}, epochs: 2, batch_size: 50, validation: {tail: 0.2}, seeds: 2}
grid: {model: {name: mlp, hidden: [8]}}
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A suite's folder with a ledger of its two trials, trained on a few made images."""
    folder = tmp_path_factory.mktemp("project")
    random, labels = np.random.default_rng(0), np.arange(300) % 2
    pixels = (random.random((300, 6, 6)) * 150 + labels[:, None, None] * 60).astype(np.uint8)
    parts = {"train_images": pixels[:200], "train_labels": labels[:200]}
    np.savez(folder / "data.npz", **parts, test_images=pixels[200:], test_labels=labels[200:])
    (folder / "suite.yaml").write_text(SUITE)
    run(folder / "suite.yaml", folder / "results", use_ray=False, progress=False)
    return folder


@pytest.fixture
def ledger(project: Path) -> Ledger:
    return Ledger(project / "results")


def forged(ledger: Ledger, folder: Path, **changes: Any) -> Path:
    """An entry of a trial with other values, under a name that fits them, as a forger would write it."""
    record = next(record for record in ledger.records() if record.seed == 0)
    folder.mkdir()
    name, data = encode(replace(record, **changes), ledger.predictions(record.key))
    (folder / name).write_bytes(data)
    return folder / name


def test_honest_entries_pass_and_can_be_repeated(ledger: Ledger, project: Path, bench: Any, tmp_path: Path) -> None:
    file = tmp_path / "verified.json"
    checked = bench("verify", ledger.root, "--from", project, "--repeat", 1, "--sample-seed", 3, "--write", file)
    assert checked.code == 0, checked.out + checked.err
    for subject in ("checksum", "key", "labels", "predictions", "metrics", "protocol", "duplicates"):
        assert f"  {subject}: 2\n" in checked.out
    assert "repetition: 1\n" in checked.out and "loss of the test part cannot be computed" in checked.out
    assert "repeating 1 trial (--sample-seed 3), which took" in checked.err and "bit-identical" in checked.err
    states = sorted(state_of(ledger, record, read_verified(file)) for record in ledger.records())
    assert states == ["recomputed", "repeated here"]
    assert {state_of(ledger, record, {}) for record in ledger.records()} == {"claimed"}


def test_what_a_forger_changes_is_named(ledger: Ledger, project: Path, bench: Any, tmp_path: Path) -> None:
    record = next(record for record in ledger.records() if record.seed == 0)
    better = replace(record.result, test={**record.result.test, "accuracy": 0.999})
    longer = replace(record.result, epochs_run=5)
    cases = {
        "metrics: accuracy is stated as 0.999000": {"result": better},
        "key: configuration, seed and data give": {"config": {**record.config, "batch_size": 10}},
        "protocol: 5 epochs were run, and the configuration has 2": {"result": longer},
    }
    for number, (problem, changes) in enumerate(cases.items()):
        checked = bench("verify", forged(ledger, tmp_path / str(number), **changes), "--from", project)
        assert (checked.code, problem in checked.out) == (1, True), checked.out


def test_a_copy_under_another_key_and_a_damaged_file_are_caught(
    ledger: Ledger, project: Path, bench: Any, tmp_path: Path
) -> None:
    key = next(record.key for record in ledger.records() if record.seed == 0)
    copy = forged(ledger, tmp_path / "copy", key="ab" * 10, seed=7)
    checked = bench("verify", copy, "--against", ledger.root, "--from", project)
    assert checked.code == 1 and f"duplicates: its predictions are those of {key}" in checked.out
    copy.write_bytes(copy.read_bytes()[:-100])
    checked = bench("verify", copy, "--json")
    (item,) = json.loads(checked.out)["entries"]
    assert checked.code == 1 and item["problems"] == [
        "checksum: truncated or changed: the content does not match the digest in the name"
    ]


def test_without_the_submitters_folder_nothing_of_it_is_looked_for(ledger: Ledger, bench: Any) -> None:
    checked = bench("verify", ledger.root, "--repeat", 1)
    assert "nothing to repeat" in checked.err and "repetition: components of the submitter's own" in checked.out
    assert checked.code == 0 and "key: dataset npz is the submitter's own; --from names its folder (2)" in checked.out
    assert "labels: the data are the submitter's own" in checked.out


def test_wrong_input_says_what_to_give(bench: Any, tmp_path: Path) -> None:
    np.savez(tmp_path / "predictions.npz", predicted=np.zeros(3))
    checked = bench("verify", tmp_path / "predictions.npz")
    assert checked.code == 2 and "bench import FILE --name NAME --dataset DATASET" in checked.err
    assert "there is no such file" in bench("verify", tmp_path / "nowhere").err
    assert "not a file of `bench verify --write`" in bench("verify", ".", "--write", tmp_path / "predictions.npz").err


def test_probabilities_that_contradict_the_classes_are_found() -> None:
    from bench.verification.check_entry import prediction_problems

    probabilities = np.array([[0.7, 0.2, 0.1], [0.3, 0.3, 0.4]])
    honest = predictions_from(np.array([0, 1]), probabilities)
    assert prediction_problems(honest) == []
    dishonest = replace(honest, predicted=np.array([0, 1], np.uint8))
    assert "predicted is not the most probable class, for 1 images" in prediction_problems(dishonest)
    assert any("rank" in text for text in prediction_problems(replace(honest, true_rank=np.array([2, 0], np.uint8))))
