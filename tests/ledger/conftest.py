"""Records and predictions to store, and child processes that use a ledger and may be killed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bench
from bench.ledger.ledger import Ledger
from bench.ledger.record import Record, Result, RunInfo
from bench.metrics import Predictions

MakeRecord = Callable[..., Record]


@pytest.fixture
def make_record() -> MakeRecord:
    """Builds the record of a small trial; `rule` is the pruning rule it ran under, `minute` when it finished."""

    def make(
        key: str = "ab12cd34", status: Any = "complete", minute: int = 0, rule: Any = None, accuracy: float = 0.88
    ) -> Record:
        return Record(
            key=key,
            config={"dataset": {"name": "fashion_mnist"}, "model": {"name": "mlp", "hidden": [128, 64]}},
            seed=0,
            status=status,
            result=Result({"val_accuracy": [0.8, None, accuracy]}, 3, 3, test={"accuracy": accuracy}),
            run_info=RunInfo(parameters=109_386, finished=f"2025-03-01T12:{minute:02}:00+00:00"),
            pruning=None if rule is None else {"rule": rule},
            failure={"kind": "MemoryError", "message": "…", "traceback": "…"} if status == "failed" else None,
        )

    return make


@pytest.fixture
def predictions() -> Predictions:
    probabilities = np.full((4, 10), 0.01, np.float16)
    probabilities[range(4), [9, 2, 1, 3]] = [0.9, 0.8, 1.0, 0.6]
    return Predictions(
        labels=np.array([9, 2, 1, 1], np.uint8),
        predicted=np.array([9, 2, 1, 3], np.uint8),
        confidence=np.array([0.9, 0.8, 1.0, 0.6], np.float32),
        true_class_probability=np.array([0.9, 0.8, 1.0, 0.3], np.float32),
        true_rank=np.array([0, 0, 0, 1], np.uint8),
        probabilities=probabilities,
    )


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "results")


StartChild = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start_child() -> Iterator[StartChild]:
    """Starts Python code with arguments in a process of its own; those still running at the end are killed."""
    children = []

    def start(code: str, *arguments: object) -> subprocess.Popen[str]:
        child = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(bench.__file__).parents[1])},
        )
        children.append(child)
        return child

    yield start
    for child in children:
        child.kill()
        child.communicate()
