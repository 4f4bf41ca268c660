"""What a plan says of trials that nothing alike has run for."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from bench.execution.cost_estimate import CPU_RATE, GPU_RATE, operation_cost
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
    return Record(trial.key, trial.config, trial.seed, "complete", Result({}, epochs_run=2), measured)


def test_without_records_the_rate_is_an_assumption(three: list[Trial]) -> None:
    found = operation_cost(three, [], slots=2, cpus_per_trial=1, gpus_per_trial=0)
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
