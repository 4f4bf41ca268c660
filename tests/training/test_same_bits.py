"""The same configuration and seed give the same outcome to the last bit: again, later, in a thread, elsewhere."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import threading
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.data import Dataset
from bench.suite.trial import TrialConfig
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
print("torch._dynamo" in sys.modules)
"""

UNCOMPILED: list[dict[str, Any]] = [
    *({"optimizer": {"name": name, "lr": 0.01}} for name in ("AdamW", "sgd", "adam", "rmsprop", "nadam", "radam")),
    {"step": {"name": "sam"}, "ema": 0.9, "schedule": {"name": "cosine"}},
    {"step": {"name": "clip"}, "weights": "best"},
]


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


def elsewhere(configs: Iterable[TrialConfig], small: Dataset, folder: Path, before: str = "") -> tuple[list[str], bool]:
    """Digests from a process that runs `before` first, and whether it has imported torch's compiler in the end."""
    data = folder / "data.npz"
    np.savez(data, **{key: value for key, value in vars(small).items() if key != "source" and value is not None})
    texts = json.dumps([config.to_json() for config in configs])
    command = [sys.executable, "-c", before + ELSEWHERE, str(Path(__file__).parent), str(data), texts]
    digests, compiler = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return json.loads(digests), compiler == "True"


def test_in_a_fresh_process(first: dict[str, str], configured: Any, small: Dataset, tmp_path: Path) -> None:
    configs = [configured(**changes) for changes in CHANGES.values()]
    assert elsewhere(configs, small, tmp_path)[0] == list(first.values())


def test_with_and_without_torchs_compiler(configured: Any, small: Dataset, tmp_path: Path) -> None:
    """It takes over two seconds to import, which no process that compiles nothing has to wait for."""
    configs = [configured(epochs=2, **changes) for changes in UNCOMPILED]
    digests, compiler = elsewhere(configs, small, tmp_path)
    assert not compiler
    assert len(set(digests)) == len(configs)
    assert elsewhere(configs, small, tmp_path, "import torch._dynamo") == (digests, True)
