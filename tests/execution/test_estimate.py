"""How long a plan says trials take, side by side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.data.dataset import Dataset
from bench.execution.cost_estimate import TrialCost, estimate, first_images, from_measured_steps, from_records
from bench.execution.messages import TrialResult
from bench.ledger.record import Record, Result, RunInfo
from bench.suite.suite import Suite
from bench.suite.trial import Trial

TrialsOf = Callable[[Suite], list[Trial]]


@pytest.fixture
def mixed(suite_of: Callable[[str], Suite], trials_of: TrialsOf) -> list[Trial]:
    """Two trials of one worker and one of two."""
    rules = "{rules: [{match: {epochs: 9}, workers: 2}]}"
    return trials_of(suite_of(f"grid: {{model: mlp, epochs: [7, 8, 9], workers: {rules}}}"))


def test_a_trial_of_two_workers_takes_two_places(mixed: list[Trial]) -> None:
    costs: dict[str, TrialCost | None] = {trial.key: TrialCost(10.0, 9.0, 12.0, 2**30) for trial in mixed}
    assert estimate(mixed, costs, 4).seconds == 10.0
    two = estimate(mixed, costs, 2)
    assert (two.seconds, two.low, two.high, two.memory_bytes) == (20.0, 18.0, 24.0, 2 * 2**30)


def test_records_tell_of_trials_of_as_many_workers_only(mixed: list[Trial]) -> None:
    one, _, two = mixed
    measured = RunInfo(train_seconds=70.0, evaluation_seconds=0.0)
    record = Record(one.key, one.config.to_json(), 0, "complete", Result({}, epochs_run=7), measured)
    slower = replace(record, run_info=replace(measured, train_seconds=77.0))
    costs = from_records(mixed, [record, slower, slower])
    assert costs[one.key] == TrialCost(77.0, 70.0, 77.0, 0)
    assert costs[two.key] is None


@pytest.mark.parametrize(
    ("train", "test", "probed", "times"), [(8000, 1000, (2000, 250), 4.0), (500, 100, (500, 100), 1.0)]
)
def test_a_probe_takes_the_same_share_of_both_parts_and_says_how_often_it_fits(
    train: int, test: int, probed: tuple[int, int], times: float
) -> None:
    def images(count: int) -> np.ndarray:
        return np.zeros((count, 1, 2, 2), np.uint8)

    def labels(count: int) -> np.ndarray:
        return np.zeros(count, np.int64)

    data = Dataset("d", ("a",), images(train), labels(train), images(test), labels(test), "", "")
    part, found = first_images(data, 2000)
    assert (len(part.train_images), len(part.test_images)) == (len(part.train_labels), len(part.test_labels)) == probed
    assert found == times


SLOW = """
import time
import torch

class Slow(torch.nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.layer = torch.nn.Linear(1, classes)

    def forward(self, pixels):
        time.sleep(0.02 * len(pixels))
        with open(SEEN, "a") as seen:
            seen.write(f"{len(pixels)}\\n")
        return self.layer(pixels.mean((1, 2, 3))[:, None])

def slow(input_shape, classes):
    return Slow(classes)
"""


def test_a_probe_of_something_slow_ends_early_and_scales_what_it_saw(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    suite_of: Callable[[str], Suite],
    trials_of: TrialsOf,
    fashion_mnist: Dataset,
) -> None:
    seen = tmp_path / "seen.txt"
    (tmp_path / "nets.py").write_text(f"SEEN = {str(seen)!r}\n{SLOW}")
    trials = trials_of(suite_of(f"grid: {{model: '{tmp_path}/nets.py:slow', epochs: 3, seeds: 2}}"))
    monkeypatch.setattr("bench.execution.cost_estimate.MEASURE_SECONDS", 1)
    monkeypatch.setattr("bench.execution.cost_estimate.REPEATS", 1)
    costs = from_measured_steps(trials, {trial.data: fashion_mnist for trial in trials}, threads=1)
    # Another seed is no other kind, and 250 images would have taken longer than a second.
    images = sum(map(int, seen.read_text().split()))
    assert images < 150
    first, second = (cost.seconds for cost in costs.values() if cost)
    assert first == second
    slept = 3 * 0.02 * (images - 3) * 60_000 / 32  # three images went through to count operations
    assert slept < first < 3 * slept


@pytest.mark.parametrize(
    ("turns", "seconds", "costs", "images"),
    [
        # The last number of images five times: its median, and the fastest and the slowest.
        ([0.5] * 7, [9.0, 8.0, 2.0, 1.0, 4.0, 3.0, 5.0], (3.0, 1.0, 5.0), [32, 250, *[2000] * 5]),
        # 250 images might take 72 s, so 32 are measured for as long as there is time.
        ([9.0] * 3, [9.0, 8.0, 2.0], (8.0, 2.0, 9.0), [32] * 3),
        # 250 images leave no time for another turn: 32 images are the other end.
        ([1.0, 20.0], [9.0, 8.0], (8.0, 8.0, 9.0), [32, 250]),
    ],
)
def test_a_measured_cost_has_a_range_and_an_end(
    turns: list[float],
    seconds: list[float],
    costs: tuple[float, float, float],
    images: list[int],
    monkeypatch: pytest.MonkeyPatch,
    suite_of: Callable[[str], Suite],
    trials_of: TrialsOf,
    fashion_mnist: Dataset,
) -> None:
    """Each turn takes some seconds of `turns`, and is as if an epoch of all images took one of `seconds`."""
    (trial,) = trials_of(suite_of("grid: {model: mlp, epochs: 3}"))
    now, measured = [0.0], []

    def train(code: object, config: object, seed: int, part: Dataset, *arguments: object) -> TrialResult:
        now[0] += turns[len(measured)]
        size = len(part.train_labels)
        info = RunInfo(train_seconds=seconds[len(measured)] * size / 60_000, peak_memory_bytes=5)
        measured.append(size)
        return TrialResult("complete", Result({}, epochs_run=1), info)

    monkeypatch.setattr("bench.execution.forkserver.train", train)
    monkeypatch.setattr("bench.execution.cost_estimate.perf_counter", lambda: now[0])
    cost = from_measured_steps([trial], {trial.data: fashion_mnist}, threads=1)[trial.key]
    assert cost and (cost.seconds, cost.low, cost.high) == pytest.approx([3 * each for each in costs])
    assert measured == images and now[0] <= 30
