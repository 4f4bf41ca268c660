"""A trial with a part of a GPU may take that part of its memory and no more; PyTorch's GPU is a stand-in."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest
import torch
from rich.console import Console

from bench.data import Dataset
from bench.execution import run_trials
from bench.execution.messages import RunOptions, TrialFailure
from bench.execution.resource_limits import ResourceLimits
from bench.execution.worker import run_trial
from bench.ledger.ledger import Ledger
from bench.suite.suite import Suite
from bench.suite.trial import Trial
from bench.training import train_trial


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What a process was limited to, trial by trial, on a GPU of 80 GiB."""
    fractions: list[float] = []

    def limit(fraction: float, device: int | torch.device | None) -> None:
        if isinstance(device, torch.device) and device.index is None:
            raise ValueError(f"Expected a torch.device with a specified index or an integer, but got:{device}")
        fractions.append(fraction)

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda _: None)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "made")
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: SimpleNamespace(total_memory=80 * 2**30))
    monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", limit)
    return fractions


def out_of_memory(*_: Any) -> None:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 30.00 GiB.")


def run(device: str = "cuda", **options: Any) -> TrialFailure:
    config: Any = None
    end = run_trial(config, 0, None, device, 1, lambda _: None, **options)
    assert isinstance(end, TrialFailure)
    return end


def test_out_of_memory_says_what_the_trial_had(limits: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train_trial, "train_trial", out_of_memory)
    failure = run(gpu_fraction=0.25)
    assert limits == [0.25]
    assert failure.kind == "OutOfMemoryError"
    assert failure.message.startswith("this trial had 0.25 of the GPU, 20.0 of 80.0 GiB; give each trial more ")
    assert failure.message.endswith("Tried to allocate 30.00 GiB.")


def test_the_next_trial_of_the_process_has_its_own_limit(limits: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train_trial, "train_trial", out_of_memory)
    run(gpu_fraction=0.25)
    assert run().message.startswith("this trial had the GPU to itself, 80.0 of 80.0 GiB")
    run(gpu_fraction=2.0)  # two GPUs of Ray's, of which it trains on one
    assert limits == [0.25, 1.0, 1.0]


def test_on_a_cpu_nothing_is_limited(limits: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise ValueError("wrong")

    monkeypatch.setattr(train_trial, "train_trial", fail)
    assert run("cpu", gpu_fraction=0.25).message == "wrong"
    assert limits == []


def test_it_holds_without_ray_as_well(limits: list[float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train_trial, "train_trial", out_of_memory)
    trial = SimpleNamespace(key="0" * 64, code=None, run_config=None, seed=0, data="made")
    coordinator = MagicMock(leased_elsewhere=[], paused=[], local_folder=tmp_path)
    coordinator.next_trial.side_effect = [trial, None]
    run_trials.run_in_process(coordinator, {"made": MagicMock()}, RunOptions(gpus_per_trial=0.25, use_ray=False))
    assert limits == [0.25]
    assert coordinator.receive.call_args.args[1].message.startswith("this trial had 0.25 of the GPU")


def test_a_trial_that_needs_more_gets_a_gpu_to_itself_if_asked(
    limits: list[float],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    few_pictures: dict[str, Dataset],
    suite_of: Callable[[str], Suite],
    trials_of: Callable[[Suite], list[Trial]],
) -> None:
    monkeypatch.setattr(train_trial, "train_trial", out_of_memory)
    todo = trials_of(suite_of("grid: {model: {name: mlp, hidden: []}, epochs: 1}"))
    out = io.StringIO()

    def run_with(**options: bool) -> str:
        ledger = Ledger(tmp_path / str(len(limits)))
        run_options = RunOptions(gpus_per_trial=0.25, use_ray=False, **options)  # type: ignore[arg-type]
        run_trials.run_trials(todo, few_pictures, ledger, Console(file=out, width=300), run_options)
        (record,) = ledger.records()
        assert record.failure
        return str(record.failure["message"])

    assert "this one once more with a whole GPU (--retry-alone)" in run_with()
    assert run_with(retry_alone=True).startswith("this trial had the GPU to itself, 80.0 of 80.0 GiB")
    assert limits == [0.25, 0.25, 1.0]
    assert f"trial {todo[0].key[:8]} is started again with a GPU to itself: it ran out of 0.25 of one" in out.getvalue()


def test_on_ray_it_waits_for_a_whole_gpu(
    suite_of: Callable[[str], Suite], trials_of: Callable[[Suite], list[Trial]]
) -> None:
    def capacity(gpus: float) -> int:
        return int(2 / gpus)

    limits = ResourceLimits(capacity, 0.25, "made")
    first, second, third = trials_of(suite_of("grid: {model: {name: mlp, hidden: []}, seeds: 3}"))
    assert limits.gpus_per_worker(1, alone=True) == 1.0
    assert limits.gpus_per_worker(1) == 0.25
    assert limits.fits(first, [second] * 4, alone={first.key})
    assert not limits.fits(first, [second] * 5, alone={first.key})
    assert not limits.fits(first, [second, third, third], alone={first.key, second.key, third.key})
