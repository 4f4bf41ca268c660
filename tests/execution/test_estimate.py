"""How long a plan says trials take, side by side."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from bench.data.dataset import Dataset
from bench.execution.estimate import Cost, estimate, from_records, probe_part
from bench.ledger.record import Measured, Record, Result
from bench.suite.suite import Suite
from bench.suite.trial import Trial

TrialsOf = Callable[[Suite], list[Trial]]


@pytest.fixture
def mixed(suite_of: Callable[[str], Suite], trials_of: TrialsOf) -> list[Trial]:
    """Two trials of one worker and one of two."""
    rules = "{rules: [{match: {epochs: 9}, workers: 2}]}"
    return trials_of(suite_of(f"grid: {{model: mlp, epochs: [7, 8, 9], workers: {rules}}}"))


def test_a_trial_of_two_workers_takes_two_places(mixed: list[Trial]) -> None:
    costs: dict[str, Cost | None] = {trial.key: Cost(10.0, 2**30) for trial in mixed}
    assert estimate(mixed, costs, 4).seconds == 10.0
    two = estimate(mixed, costs, 2)
    assert (two.seconds, two.memory_bytes) == (20.0, 2 * 2**30)


def test_records_tell_of_trials_of_as_many_workers_only(mixed: list[Trial]) -> None:
    one, _, two = mixed
    measured = Measured(train_seconds=70.0, evaluation_seconds=0.0)
    record = Record(one.key, one.config, 0, "complete", Result({}, epochs_run=7), measured)
    costs = from_records(mixed, [record])
    assert costs[one.key] == Cost(70.0, 0)
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
    part, found = probe_part(data)
    assert (len(part.train_images), len(part.test_images)) == (len(part.train_labels), len(part.test_labels)) == probed
    assert found == times
