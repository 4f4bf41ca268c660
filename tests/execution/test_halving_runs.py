"""Pruning with a barrier at each rung: what is trained, by a driver alone and by several of which some die."""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from commands import bench
from predicted import RIGHT
from rich.console import Console

from bench.data import Dataset
from bench.execution.coordinator import Coordinator
from bench.execution.messages import RunOptions, TrialFailure, TrialResult
from bench.execution.progress import PlainProgress, ProgressStats
from bench.execution.pruning import halving_cost
from bench.execution.run_trials import run_trials
from bench.ledger.ledger import Ledger
from bench.ledger.record import Record, Result, RunInfo
from bench.suite.suite import Suite
from bench.suite.trial import Trial
from bench.training.epoch_progress import Progress

SuiteOf = Callable[[str], Suite]
TrialsOf = Callable[[Suite], list[Trial]]
GRID = (
    "grid: {model: {name: mlp, hidden: [8]}, optimizer: {name: sgd, lr: {grid: [0.01, 0.02, 0.05, 0.1, 0.2, 0.5]}},"
    " batch_size: 50, epochs: 8, seeds: 2}\n"
)


class Counting(PlainProgress):
    """Counts the epochs that are trained, and the pauses."""

    def __init__(self, stats: ProgressStats):
        super().__init__(stats, Console(file=io.StringIO()))
        self.epochs = self.pauses = 0

    def trial_progressed(self, running: Any) -> None:
        super().trial_progressed(running)
        self.epochs += 1

    def trial_paused(self, running: Any) -> None:
        super().trial_paused(running)
        self.pauses += 1
        assert "waiting for their rung" in self.stats.counts()


def train(trials: list[Trial], data: dict[str, Dataset], folder: Path, suite: Suite) -> tuple[list[Record], Counting]:
    displays: list[Counting] = []

    def display(stats: ProgressStats) -> Counting:
        displays.append(Counting(stats))
        return displays[0]

    options = RunOptions(pruning=suite.pruning, use_ray=False)
    return run_trials(trials, data, Ledger(folder), Console(file=io.StringIO()), options, display), displays[0]


@pytest.mark.parametrize(
    ("rule", "epochs", "pruned"),
    [("halving", 2 * (6 * 2 + 3 * 2 + 1 * 4), 10), ("{method: halving, seeds: first}", 6 * 2 + 3 * 2 + 1 * 4 + 8, 5)],
)
def test_a_run_trains_the_epochs_that_are_known_beforehand_and_each_once(
    rule: str,
    epochs: int,
    pruned: int,
    tmp_path: Path,
    suite_of: SuiteOf,
    trials_of: TrialsOf,
    few_pictures: dict[str, Dataset],
) -> None:
    plain = suite_of(GRID)
    unpruned, _ = train(trials_of(plain), few_pictures, tmp_path / "unpruned", plain)
    suite = suite_of(GRID + f"pruning: {rule}\n")
    trials = trials_of(suite)
    assert suite.pruning
    records, seen = train(trials, few_pictures, tmp_path / "pruned", suite)
    cost = halving_cost(suite.pruning, 0, trials)
    assert cost == (epochs, True)
    assert seen.epochs == cost.epochs and seen.pauses >= 5
    assert sorted(record.status for record in records) == ["complete"] * 2 + ["pruned"] * pruned
    expected = {record.key: record.result for record in unpruned}
    for record in records:
        curves = {name: curve[: record.result.epochs_run] for name, curve in expected[record.key].curves.items()}
        assert record.result.curves == curves
        assert record.status == "pruned" or record.result == expected[record.key]


class Driver(Coordinator):
    """A driver of a made-up training, which tells of epochs in any order; `checkpoints` are all drivers'."""

    def __init__(self, trials: list[Trial], folder: Path, suite: Suite, checkpoints: dict[str, list[float]]):
        options = RunOptions(pruning=suite.pruning, retries=1)
        stats = ProgressStats(trials, [], 2)
        super().__init__(trials, Ledger(folder), options, PlainProgress(stats, Console(file=io.StringIO())))
        self.checkpoints = checkpoints
        self.at: dict[str, list[float]] = {}

    def start_one(self) -> bool:
        trial = self.next_trial()
        if trial is None:
            return False
        curve = self.at[trial.key] = list(self.checkpoints.get(trial.key, []))
        if curve:
            resumed = Progress(len(curve), 8, {}, 1.0, resumed=curves_of(curve))
            self.tell(trial.key, resumed)
        return True

    def step(self, rng: random.Random) -> None:
        key = rng.choice(list(self.running))
        if rng.random() < 0.05:
            self.worker_died(key, "made up")
        elif rng.random() < 0.03:
            self.receive(key, TrialFailure("Made", "up", ""))
        elif len(self.at[key]) == 8:
            result = Result(curves=curves_of(self.at[key]), epochs_run=8)
            self.receive(key, TrialResult("complete", result, RunInfo(), RIGHT))
        else:
            trial, curve = self.running[key].trial, self.at[key]
            curve.append(trial.config.optimizer.parameters["lr"])
            if len(curve) in self.pause_after(trial):
                self.checkpoints[key] = list(curve)
            self.tell(key, Progress(len(curve), 8, {"train_loss": 0.1, "val_accuracy": curve[-1]}, 1.0))

    def tell(self, key: str, progress: Progress) -> None:
        self.receive(key, progress)

    @property
    def is_over(self) -> bool:
        return not (self.waiting or self.running or self.leased_elsewhere or self.paused)


def curves_of(scores: list[float]) -> dict[str, Any]:
    return {"train_loss": [0.1] * len(scores), "val_accuracy": list(scores)}


@pytest.mark.parametrize("seed", range(25))
def test_no_driver_waits_for_ever_whatever_dies(
    seed: int, tmp_path: Path, suite_of: SuiteOf, trials_of: TrialsOf
) -> None:
    """Drivers die and come, workers die, trials fail, in any order; a driver's end gives its leases back."""
    compared = "all" if seed % 2 else "first"
    suite = suite_of(GRID + f"pruning: {{method: halving, grace_period: 1, seeds: {compared}}}\n")
    trials, rng, checkpoints = trials_of(suite), random.Random(seed), dict[str, list[float]]()

    def driver() -> Driver:
        return Driver(trials, tmp_path / "results", suite, checkpoints)

    drivers = [driver() for _ in range(rng.randint(1, 3))]
    for _ in range(20_000):
        left = [one for one in drivers if not one.is_over]
        if not left:
            break
        current = rng.choice(left)
        if rng.random() < 0.01:
            current.leases.release_all()
            drivers.remove(current)
            drivers.append(driver())
        elif current.running and (len(current.running) == 2 or rng.random() < 0.7):
            current.step(rng)
        elif not current.start_one() and not current.running:
            current.poll_other_drivers()
    assert all(one.is_over for one in drivers)
    records = Ledger(tmp_path / "results").records()
    first = [record for record in records if record.seed == 0]
    assert {record.key for record in first} == {trial.key for trial in trials if trial.seed == 0}
    assert any(record.status != "pruned" for record in first)
    if compared == "all":
        assert {record.key for record in records} == {trial.key for trial in trials}


def test_two_drivers_decide_as_one_would(tmp_path: Path, suite_of: SuiteOf, trials_of: TrialsOf) -> None:
    suite = suite_of(GRID.replace("seeds: 2", "seeds: 1") + "pruning: {method: halving, grace_period: 1}\n")
    trials, outcomes = trials_of(suite), []
    for count in (1, 2, 3):
        rng, folder = random.Random(count), tmp_path / str(count)
        drivers = [Driver(trials, folder, suite, {}) for _ in range(count)]
        for one in drivers[1:]:
            one.checkpoints = drivers[0].checkpoints
        calm = random.Random(0)
        calm.random = lambda: 1.0  # type: ignore[method-assign]
        while left := [one for one in drivers if not one.is_over]:
            current = rng.choice(left)
            if current.running:
                current.step(calm)
            elif not current.start_one():
                current.poll_other_drivers()
        records = Ledger(folder).records()
        outcomes.append({record.key: (record.status, record.result.epochs_run) for record in records})
    assert outcomes[0] == outcomes[1] == outcomes[2]
    assert sorted(epochs for _, epochs in outcomes[0].values()) == [1, 1, 1, 2, 2, 8]


def test_a_score_that_could_not_be_written_is_written_later(
    tmp_path: Path, suite_of: SuiteOf, trials_of: TrialsOf
) -> None:
    """Else the other driver would wait for it as long as this one lives."""
    suite = suite_of(GRID.replace("seeds: 2", "seeds: 1") + "pruning: {method: halving, grace_period: 1}\n")
    trials = trials_of(suite)[:2]
    first, second = (Driver(trials, tmp_path / "results", suite, {}) for _ in range(2))
    write = first.shared_rungs.add
    first.shared_rungs.add = lambda *_: None  # type: ignore[method-assign]
    calm = random.Random(0)
    calm.random = lambda: 1.0  # type: ignore[method-assign]
    for driver in (first, second):
        assert driver.start_one()
        driver.step(calm)
        assert driver.paused
    first.shared_rungs.add = write  # type: ignore[method-assign]
    for _ in range(200):
        for driver in (first, second):
            if not driver.start_one():
                driver.poll_other_drivers()
        if not (first.paused or second.paused):
            break
    assert not (first.paused or second.paused)


@pytest.mark.usefixtures("fashion_mnist")
def test_on_ray_as_a_user_runs_it(tmp_path: Path) -> None:
    path = tmp_path / "halved.yaml"
    path.write_text(
        "name: halved\ngrid: {model: {name: mlp, hidden: []}, batch_size: 2000, epochs: 4, seeds: 2,"
        " optimizer: {name: sgd, lr: {grid: [0.001, 0.05, 0.1, 0.2]}}}\npruning: halving\n"
    )
    plan = bench("plan", path, "--results", tmp_path / "r")[1]
    rule = "pruning: successive halving by the means of all seeds, within model, first after 1 epoch, one in 2 goes on"
    assert rule in plan
    assert "it trains exactly 16 of the suite's 32 epochs (50 %)" in plan
    assert "advice: seeds before pruning" in plan
    code, _, err = bench("run", path, "--results", tmp_path / "r")
    assert (code, err) == (0, ""), err
    records = Ledger(tmp_path / "r").records()
    assert sorted((record.status, record.result.epochs_run) for record in records) == [
        ("complete", 4),
        ("complete", 4),
        *[("pruned", 1)] * 4,
        *[("pruned", 2)] * 2,
    ]
