"""Results that must stay: some twenty trials, to the last bit on the processors and versions they were stored on.

On another processor, or with other versions, numbers are rounded in other ways: there each trial is held to that of one
of the stored ones, with a tolerance. `BENCH_GOLDEN=write python -m pytest tests/golden` stores this processor's; where
that changes what is stored for it, which a change of results on purpose needs, those of other processors are dropped.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from commands import bench, start

from bench.commands.load_suites import load, trials_of
from bench.data import Dataset
from bench.ledger.ledger import Ledger
from bench.system import processor_name

FOLDER = Path(__file__).parent
STORED = FOLDER / "trials.json"

NETS = '''
"""A network of the user's own that takes its time, so that its run can be stopped."""
import time

from torch import nn


class Small(nn.Sequential):
    def forward(self, pixels):
        if self.training:
            time.sleep(0.2)
        return super().forward(pixels)


def small(input_shape, classes, width=8, dropout=0.0):
    pixels = input_shape[0] * input_shape[1] * input_shape[2]
    return Small(nn.Flatten(), nn.Linear(pixels, width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, classes))
'''

RESUMED = """
name: resumed
defaults: {dataset: {name: npz, path: images.npz}, epochs: 4, batch_size: 64}
grid: {model: "nets.py:small", augmentation: flip, regularizer: dropout, ema: 0.9}
"""

WORKERS = """
name: workers
defaults: {dataset: {name: npz, path: images.npz}, epochs: 2, batch_size: 64}
grid: {model: {name: mlp, hidden: [16]}, workers: 2}
"""

PRUNED = """
name: pruned
defaults: {dataset: {name: npz, path: images.npz}, epochs: 4, batch_size: 64, seeds: 2}
pruning: {grace_period: 1, reduction_factor: 2}
grid:
  model: {name: mlp, hidden: [16]}
  optimizer: {name: adam, lr: {grid: [1e-3, 1e-5, 1e-2, 1e-4]}}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, fashion_mnist: Dataset) -> Path:
    """Where the suites run: 600 real training images and 200 test images, and a model of the user's own."""
    folder = tmp_path_factory.mktemp("golden")
    data = fashion_mnist
    np.savez(
        folder / "images.npz",
        train_images=data.train_images[:600, 0],
        train_labels=data.train_labels[:600],
        test_images=data.test_images[:200, 0],
        test_labels=data.test_labels[:200],
    )
    (folder / "nets.py").write_text(NETS)
    for name, text in (("resumed", RESUMED), ("workers", WORKERS), ("pruned", PRUNED)):
        (folder / f"{name}.yaml").write_text(text)
    shutil.copy(FOLDER / "trials.yaml", folder)
    return folder


@pytest.fixture(scope="module")
def stored() -> dict[str, Any]:
    """A machine to a suite's name to the results of its trials."""
    return json.loads(STORED.read_text()) if STORED.exists() else {}


def machine() -> str:
    """What the last bit of a result depends on."""
    return f"{processor_name()}, {torch.backends.cpu.get_cpu_capability()}, torch {torch.__version__}"


def results(folder: Path, suite: str, ledger: Path) -> list[dict[str, Any]]:
    """What the ledger has of a suite's trials, in the suite's order: result fields and digests of the predictions."""
    found = []
    opened = Ledger(ledger)
    records = {record.key: record for record in opened.records()}
    for trial in trials_of(load(str(folder / f"{suite}.yaml"), [], [], None)):
        record = records.get(trial.key)
        if record is None:  # a later seed of a configuration that was pruned
            continue
        result = {"status": record.status, "seed": record.seed, **vars(record.result)}
        if result["robustness"] is None:  # of a configuration that does not ask for it
            del result["robustness"]
        if record.status == "complete":
            arrays = vars(opened.predictions(trial.key))
            result["predictions"] = {
                name: hashlib.sha256(array.tobytes()).hexdigest()[:16] for name, array in arrays.items()
            }
        found.append(result)
    return found


def hold(found: list[dict[str, Any]], suite: str, stored: dict[str, Any]) -> None:
    """Compare results with the stored ones, or store them where the environment asks for that."""
    here = machine()
    if os.environ.get("BENCH_GOLDEN") == "write":
        everything = json.loads(STORED.read_text()) if STORED.exists() else {}
        known = everything.get(here, {})
        if known.get(suite, found) != found:
            everything = {here: known}
        everything[here] = known | {suite: found}
        STORED.write_text(json.dumps(everything, indent=1, sort_keys=True) + "\n")
        return
    if here in stored:
        expected = stored[here][suite]
        assert len(found) == len(expected)
        for number, (one, other) in enumerate(zip(found, expected, strict=True)):
            assert one == other, f"{suite}, trial {number}"
        return
    for number, one in enumerate(found):
        failures = []
        for results_there in stored.values():
            assert len(found) == len(results_there[suite])
            try:
                assert_close(one, results_there[suite][number], f"{suite}, trial {number}")
            except AssertionError as error:
                failures.append(error)
        assert len(failures) < len(stored), failures


def assert_close(found: Any, expected: Any, where: str) -> None:
    """Numbers within 5 %, or .05, of each other; texts, counts and structure equal; digests of bits left out."""
    if isinstance(expected, dict):
        assert found.keys() == expected.keys(), where
        for key in expected.keys() - {"predictions"}:
            assert_close(found[key], expected[key], f"{where}: {key}")
    elif isinstance(expected, list):
        assert len(found) == len(expected), where
        for number, (one, other) in enumerate(zip(found, expected, strict=True)):
            assert_close(one, other, f"{where}: {number}")
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, rel=0.05, abs=0.05), where
    else:
        assert found == expected, where


def test_every_kind_of_component(folder: Path, stored: dict[str, Any], tmp_path: Path) -> None:
    code, _, err = bench("run", folder / "trials.yaml", "--no-ray", "--results", tmp_path / "r")
    assert code == 0, err
    hold(results(folder, "trials", tmp_path / "r"), "trials", stored)


def test_a_trial_that_was_interrupted(folder: Path, stored: dict[str, Any], tmp_path: Path) -> None:
    arguments = ("run", folder / "resumed.yaml", "--no-ray", "--checkpoint-after", 0, "--results", tmp_path / "r")
    process = start(*arguments)
    while not list(tmp_path.glob("r/checkpoints/*.pt")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=300)
    assert process.returncode == 130
    assert not list(tmp_path.glob("r/entries/*/*"))
    code, _, err = bench(*arguments)
    assert code == 0, err
    hold(results(folder, "resumed", tmp_path / "r"), "resumed", stored)


def test_pruning_that_goes_on_with_earlier_decisions(folder: Path, stored: dict[str, Any], tmp_path: Path) -> None:
    arguments = ("run", folder / "pruned.yaml", "--no-ray", "--results", tmp_path / "r")
    assert bench(*arguments, "--only", "optimizer.lr=0.001")[0] == 0
    assert bench(*arguments)[0] == 0
    found = results(folder, "pruned", tmp_path / "r")
    assert {result["status"] for result in found} == {"complete", "pruned"}
    hold(found, "pruned", stored)


def test_several_workers(folder: Path, stored: dict[str, Any], tmp_path: Path) -> None:
    code, _, err = bench("run", folder / "workers.yaml", "--jobs", 2, "--results", tmp_path / "r")
    assert code == 0, err
    hold(results(folder, "workers", tmp_path / "r"), "workers", stored)
