"""The same configuration and seed give the same outcome to the last bit: again, later, in a thread, elsewhere."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.data import Dataset
from bench.training.train_trial import TrialOutcome, train_trial

CHANGES: dict[str, dict[str, Any]] = {
    "mlp": {
        "model": {"name": "mlp", "hidden": [32, 16], "batch_norm": "before"},
        "regularizer": [{"name": "dropout", "rate": 0.3}, {"name": "l1"}, {"name": "l2", "strength": 0.1}],
        "augmentation": [{"name": "flip"}, {"name": "shift"}, {"name": "gaussian_noise", "static": True}],
        "schedule": {"name": "cosine"},
        "weights": "best",
        "refit": True,
    },
    "cnn": {
        "model": {"name": "cnn", "channels": [4, 8], "hidden": [16], "batch_norm": "before", "dropout": 0.2},
        "optimizer": {"name": "sgd", "lr": 0.05, "momentum": 0.9, "nesterov": True},
        "augmentation": [{"name": "crop"}, {"name": "random_erasing", "fill": "noise"}],
        "validation": {"stratified": 0.2},
        "epochs": 2,
        "deterministic": True,
    },
}

ELSEWHERE = """
import json, sys
import numpy as np
import torch
from bench.data import Dataset
from bench.suite.trial import TrialConfig
from bench.training.train_trial import train_trial
sys.path.insert(0, sys.argv[1])
from test_same_bits import digest
torch.set_num_threads(1)
data = Dataset(source=None, **np.load(sys.argv[2]))
configs = map(TrialConfig.from_json, json.loads(sys.argv[3]))
print(json.dumps([digest(train_trial(config, 7, data)) for config in configs]))
"""


def digest(outcome: TrialOutcome) -> str:
    """A checksum over all that an outcome found; seconds left out."""
    plain = {key: value for key, value in vars(outcome).items() if "predicted" not in key and "second" not in key}
    assert outcome.predicted is not None
    arrays = b"".join(array.tobytes() for array in asdict(outcome.predicted).values())
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode() + arrays).hexdigest()


@pytest.fixture(scope="module")
def first(configured: Any, small: Dataset) -> dict[str, str]:
    return {name: digest(train_trial(configured(**changes), 7, small)) for name, changes in CHANGES.items()}


def test_the_digest_tells_seeds_apart(first: dict[str, str], configured: Any, small: Dataset) -> None:
    assert digest(train_trial(configured(**CHANGES["mlp"]), 8, small)) != first["mlp"]


@pytest.mark.parametrize("name", CHANGES)
def test_again_after_other_trials(name: str, first: dict[str, str], configured: Any, small: Dataset) -> None:
    for others in ({"optimizer": {"name": "rmsprop"}}, {"batch_size": 37, "deterministic": True}):
        train_trial(configured(**others), 3, small)
    assert digest(train_trial(configured(**CHANGES[name]), 7, small)) == first[name]


def test_in_a_thread_as_ray_runs_it(first: dict[str, str], configured: Any, small: Dataset) -> None:
    found: list[str] = []
    config = configured(**CHANGES["mlp"])
    thread = threading.Thread(target=lambda: found.append(digest(train_trial(config, 7, small))))
    thread.start()
    thread.join()
    assert found == [first["mlp"]]


def test_in_a_fresh_process(first: dict[str, str], configured: Any, small: Dataset, tmp_path: Path) -> None:
    data = tmp_path / "data.npz"
    np.savez(data, **{key: value for key, value in vars(small).items() if key != "source" and value is not None})
    configs = json.dumps([configured(**changes).to_json() for changes in CHANGES.values()])
    command = [sys.executable, "-c", ELSEWHERE, str(Path(__file__).parent), str(data), configs]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == list(first.values())
