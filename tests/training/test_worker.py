"""What ends one trial and what ends the run, and what a trial leaves to the next in its process."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path
from typing import Any

import pytest

from bench.data import Dataset
from bench.errors import UserError
from bench.execution.worker import run_trial
from bench.training.preflight import check

NETWORK = """
import sys
import torch

class Net(torch.nn.Linear):
    def forward(self, pixels):
        if self.training:
            RAISE
        return super().forward(pixels.flatten(1))

def network(input_shape, classes):
    return Net(784, classes)

def leaves(input_shape, classes):
    sys.exit(3)
"""


@pytest.fixture
def raising(tmp_path: Path, configured: Any) -> Any:
    def config(statement: str, factory: str = "network") -> dict[str, Any]:
        file = tmp_path / "network.py"
        file.write_text(NETWORK.replace("RAISE", statement))
        found: dict[str, Any] = configured(model={"name": f"{file}:{factory}"})
        return found

    return config


@pytest.mark.parametrize("statement", ["sys.exit(0)", "sys.exit('no')", "raise SystemExit"])
def test_a_network_that_leaves_python_fails_its_trial_alone(statement: str, raising: Any, small: Dataset) -> None:
    message = run_trial(raising(statement), 0, small, "cpu", 1, lambda _: None)
    assert message.kind == "SystemExit"
    assert "network.py" in message.traceback


def test_ctrl_c_ends_the_run(raising: Any, small: Dataset) -> None:
    with pytest.raises(KeyboardInterrupt):
        run_trial(raising("raise KeyboardInterrupt"), 0, small, "cpu", 1, lambda _: None)


def test_what_the_caller_raises_in_its_report_is_passed_on(configured: Any, small: Dataset) -> None:
    class StopError(Exception):
        pass

    def report(_: Any) -> None:
        raise StopError

    with pytest.raises(StopError):
        run_trial(configured(), 0, small, "cpu", 1, report, passed_on=(StopError,))


def test_a_factory_that_leaves_python_is_told_before_the_start(raising: Any) -> None:
    with pytest.raises(UserError, match=r"cannot be built: SystemExit: 3 .*network\.py, line"):
        check([raising("pass", "leaves")], {'{"name":"fashion_mnist"}': ((1, 28, 28), 10)})


def test_a_trial_frees_what_the_one_before_left_in_its_process(configured: Any, small: Dataset) -> None:
    class Left:
        itself: Any

    left = Left()
    left.itself = left
    found = weakref.ref(left)
    del left
    run_trial(configured(epochs=1), 0, small, "cpu", 1, lambda _: None)
    assert found() is None


def test_records_that_a_driver_keeps_are_not_looked_through_at_every_trial(configured: Any, small: Dataset) -> None:
    run_trial(configured(epochs=1), 0, small, "cpu", 1, lambda _: None)
    records = [[number] for number in range(1000)]
    run_trial(configured(epochs=1), 1, small, "cpu", 1, lambda _: None)
    looked_through = {id(one) for one in gc.get_objects()}
    assert not any(id(one) in looked_through for one in records)
