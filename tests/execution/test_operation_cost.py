"""What a plan says of trials of which no similar one has run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from bench.execution.operation_cost import CPU_RATE, GPU_RATE, MAX_NETWORKS, operation_cost, remember_operations
from bench.ledger.record import Record, Result, RunInfo
from bench.suite.suite import Suite
from bench.suite.trial import Trial
from bench.training.runtime import device_name

LINEAR = "grid: {model: {name: mlp, hidden: []}, validation: none, epochs: 2, seeds: 3}"
FORWARD = 2 * 784 * 10
TRAINING = 3 * FORWARD * 60_000 * 2


@pytest.fixture
def three(suite_of: Callable[[str], Suite], trials_of: Callable[[Suite], list[Trial]]) -> list[Trial]:
    return trials_of(suite_of(LINEAR))


def record(trial: Trial, seconds: float, device: str) -> Record:
    measured = RunInfo(flops=FORWARD, train_seconds=seconds, device=device)
    return Record(trial.key, trial.config.to_json(), trial.seed, "complete", Result({}, epochs_run=2), measured)


def test_without_records_the_rate_is_an_assumption(three: list[Trial]) -> None:
    found = operation_cost(three, [], slots=2, cpus_per_trial=1, gpus_per_trial=0)
    assert found is not None
    assert (found.trials, found.flop) == (3, 3 * TRAINING)
    assert (found.rate, found.measured) == (CPU_RATE, False)
    assert found.seconds == pytest.approx(3 * TRAINING / CPU_RATE / 2)
    assert found.gpu_seconds == pytest.approx(3 * TRAINING / GPU_RATE)
    assert operation_cost(three, [], slots=2, cpus_per_trial=4, gpus_per_trial=0).rate == 4 * CPU_RATE


def test_the_median_of_this_machines_records_goes_before_it(three: list[Trial]) -> None:
    here = device_name(torch.device("cpu"))
    records = [record(three[0], seconds, here) for seconds in (1.0, 2.0, 50.0)]
    others = [record(three[0], 1e-3, "another machine")] * 5
    found = operation_cost(three[:1], [*records, *others], slots=2, gpus_per_trial=0)
    assert (found.rate, found.measured) == (TRAINING / 2.0, True)
    assert found.seconds == pytest.approx(2.0)


def plain(trial: Trial) -> Record:
    return record(trial, 1.0, "another machine")


def test_operations_come_from_records_of_like_networks_on_other_data(
    suite_of: Callable[[str], Suite],
    trials_of: Callable[[Suite], list[Trial]],
    three: list[Trial],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A data set with images of the same shape has the same network; nothing is built."""
    monkeypatch.setattr("bench.execution.operation_cost.call", None)
    monkeypatch.setattr("bench.library_cache.recall", lambda _: None)
    others = trials_of(suite_of(LINEAR.replace("epochs: 2", "epochs: 2, dataset: mnist")))
    found = operation_cost(others, [plain(three[0])], slots=2, gpus_per_trial=0)
    assert found is not None
    assert (found.trials, found.flop) == (3, 3 * TRAINING)


def test_more_than_a_few_networks_are_left_to_the_run(
    suite_of: Callable[[str], Suite],
    trials_of: Callable[[Suite], list[Trial]],
    three: list[Trial],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    built: list[object] = []
    monkeypatch.setattr("bench.execution.operation_cost.call", lambda *asked: built.append(asked) or 1000)

    def trials(count: int) -> list[Trial]:
        widths = ", ".join(f"[{100 + width}]" for width in range(count))
        return trials_of(suite_of(f"grid: {{model: {{name: mlp, hidden: {{grid: [{widths}]}}}}}}"))

    many = trials(MAX_NETWORKS + 1)
    assert operation_cost(many, [], slots=2, gpus_per_trial=0) is None
    part = operation_cost([*many, *three], [plain(three[0])], slots=2, gpus_per_trial=0)
    assert part is not None
    assert (part.trials, part.flop, built) == (3, 3 * TRAINING, [])
    few = operation_cost(many[1:], [], slots=2, gpus_per_trial=0)
    assert few is not None
    assert (few.trials, len(built)) == (MAX_NETWORKS, MAX_NETWORKS)
    remember_operations(many[0], 7)
    assert operation_cost(many[:1], [], slots=2, gpus_per_trial=0) is not None
    assert len(built) == MAX_NETWORKS


def test_counting_ends_in_time(
    suite_of: Callable[[str], Suite],
    trials_of: Callable[[Suite], list[Trial]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("bench.execution.operation_cost.call", lambda *_: 1000)
    monkeypatch.setattr("bench.execution.operation_cost.COUNT_SECONDS", -1.0)
    trials = trials_of(suite_of("grid: {model: [{name: mlp, hidden: {grid: [[11], [12], [13]]}}]}"))
    found = operation_cost(trials, [], slots=2, gpus_per_trial=0)
    assert found is not None
    assert found.trials == 1
