"""An adaptive search proposes the same whoever trains it, in whatever order, with however many drivers."""

from __future__ import annotations

import io
import itertools
import math
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from predicted import RIGHT
from rich.console import Console

from bench.data import Dataset
from bench.execution import adaptive_search
from bench.execution.adaptive_search import SearchResult, ask, standins, with_proposals
from bench.execution.coordinator import Coordinator, done_for, ended_for
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

GRID = """\
grid:
  model: {{name: mlp, hidden: {{choice: [[8], [16], [8, 8]]}}}}
  optimizer: {{name: sgd, lr: {{log_uniform: [1e-4, 1]}}, momentum: {{uniform: [0, 0.99]}}}}
  batch_size: 50
  epochs: {epochs}
  seeds: {seeds}
  search: {{algorithm: tpe, trials: {trials}, startup: 6, batch: 4}}
"""


def grid(trials: int = 14, epochs: int = 4, seeds: int = 1) -> str:
    return GRID.format(trials=trials, epochs=epochs, seeds=seeds)


def made_accuracy(trial: Trial, epoch: int = 4) -> float:
    """Other seeds have other values."""
    parameters, hidden = trial.config.optimizer.parameters, trial.config.model.to_json()["hidden"]
    return accuracy_of(hidden, parameters["lr"], parameters["momentum"]) * epoch / 4 - trial.seed / 99


def accuracy_of(hidden: list[int], rate: float, momentum: float) -> float:
    """The best learning rate is 0.01 with much momentum, and more layers are better."""
    distance = abs(math.log10(rate) + 2) + abs(momentum - 0.8)
    return max(0.1, 0.9 - 0.1 * distance + 0.01 * len(hidden))


def ended(trial: Trial) -> TrialResult:
    accuracy = made_accuracy(trial)
    diverges = trial.config.optimizer.parameters["lr"] > 0.5
    result = Result({"train_loss": [0.1], "val_accuracy": [accuracy]}, 4, validation={"accuracy": accuracy})
    return TrialResult("diverged" if diverges else "complete", result, RunInfo(), None if diverges else RIGHT)


class Driver(Coordinator):
    """A driver of a made-up training, of which several trials run at a time."""

    def __init__(self, trials: list[Trial], folder: Path, suite: Suite):
        ledger, options = Ledger(folder), RunOptions(pruning=suite.pruning)
        trials = with_proposals(trials, ledger, ended_for(ledger, options), options.rank_by)
        self.stats = ProgressStats(trials, [], 2)
        super().__init__(trials, ledger, options, PlainProgress(self.stats, Console(file=io.StringIO())))

    def step(self, rng: random.Random, jobs: int) -> bool:
        """Start a trial, or end a running one at random; whether anything is left."""
        self.poll_other_drivers()
        if len(self.running) < jobs and (trial := self.next_trial()):
            assert trial.search
            self.receive(trial.key, Progress(1, 4, {"train_loss": 0.1, "val_accuracy": made_accuracy(trial, 1)}, 1.0))
        elif self.running:
            key = rng.choice(list(self.running))
            self.receive(key, ended(self.running[key].trial))
        return bool(self.waiting or self.running or self.leased_elsewhere)


def searched(folder: Path) -> dict[int, tuple[Any, ...]]:
    """Number in the search to what was proposed, from the records."""
    records = [record for record in Ledger(folder).records() if record.search]
    return {
        record.search["number"]: (
            record.config["model"]["hidden"],
            record.config["optimizer"]["lr"],
            record.config["optimizer"]["momentum"],
        )
        for record in records
        if record.search
    }


def run(trials: list[Trial], folder: Path, suite: Suite, seed: int, jobs: int, drivers: int = 1, stop: int = 0) -> None:
    """Run drivers on one ledger, whose trials end in an order of the seed; up to `stop` steps."""
    rng = random.Random(seed)
    running = [Driver(trials, folder, suite) for _ in range(drivers)]
    steps = 0
    while running and steps != (stop or -1):
        steps += 1
        driver = rng.choice(running)
        if not driver.step(rng, jobs):
            running.remove(driver)
    for driver in running:
        driver.leases.release_all()


@pytest.fixture
def alone(tmp_path: Path, suite_of: SuiteOf, trials_of: TrialsOf) -> dict[int, tuple[Any, ...]]:
    """What one driver proposes that trains one trial after the other."""
    suite = suite_of(grid())
    run(trials_of(suite), tmp_path / "alone", suite, seed=0, jobs=1)
    return searched(tmp_path / "alone")


def test_a_search_is_of_as_many_trials_as_the_suite_says_and_comes_closer(alone: dict[int, tuple[Any, ...]]) -> None:
    assert sorted(alone) == list(range(14))
    assert len(set(map(str, alone.values()))) == 14

    def value(number: int) -> float:
        hidden, rate, momentum = alone[number]
        return accuracy_of(hidden, rate, momentum)

    drawn, proposed = [value(number) for number in range(6)], [value(number) for number in range(6, 14)]
    assert sum(proposed) / 8 > sum(drawn) / 6
    assert max(proposed) > max(drawn)


@pytest.mark.parametrize(("seed", "jobs", "drivers"), [(1, 4, 1), (2, 3, 2), (3, 1, 3)])
def test_order_jobs_and_drivers_change_no_proposal(
    seed: int, jobs: int, drivers: int, alone: dict[int, Any], tmp_path: Path, suite_of: SuiteOf, trials_of: TrialsOf
) -> None:
    suite = suite_of(grid())
    run(trials_of(suite), tmp_path / "others", suite, seed, jobs, drivers)
    assert searched(tmp_path / "others") == alone


@pytest.mark.parametrize("stop", [3, 9, 17, 23])
def test_an_interrupted_search_goes_on_with_the_same_trials(
    stop: int, alone: dict[int, Any], tmp_path: Path, suite_of: SuiteOf, trials_of: TrialsOf
) -> None:
    suite = suite_of(grid())
    run(trials_of(suite), tmp_path / "again", suite, seed=5, jobs=2, stop=stop)
    assert len(searched(tmp_path / "again")) < 14
    run(trials_of(suite), tmp_path / "again", suite, seed=6, jobs=3)
    assert searched(tmp_path / "again") == alone


def test_more_trials_keep_the_first_ones_and_are_those_of_a_search_of_as_many(
    alone: dict[int, Any], tmp_path: Path, suite_of: SuiteOf, trials_of: TrialsOf
) -> None:
    longer = suite_of(grid(trials=21))
    run(trials_of(longer), tmp_path / "alone", longer, seed=7, jobs=2)
    extended = searched(tmp_path / "alone")
    assert {number: extended[number] for number in alone} == alone
    run(trials_of(longer), tmp_path / "at once", longer, seed=8, jobs=4)
    assert searched(tmp_path / "at once") == extended


def test_more_seeds_change_no_proposal(
    alone: dict[int, Any], tmp_path: Path, suite_of: SuiteOf, trials_of: TrialsOf
) -> None:
    suite = suite_of(grid(seeds=2))
    run(trials_of(suite), tmp_path / "alone", suite, seed=9, jobs=2)
    assert searched(tmp_path / "alone") == alone
    assert len(Ledger(tmp_path / "alone").records()) == 28


def test_what_was_trained_is_read_from_the_records_whatever_the_sampler_says_now(
    alone: dict[int, Any], tmp_path: Path, suite_of: SuiteOf, trials_of: TrialsOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adaptive_search, "has_optuna", lambda: False)
    suite, ledger = suite_of(grid(trials=18)), Ledger(tmp_path / "alone")
    trials = with_proposals(trials_of(suite), ledger, done_for(ledger, RunOptions()), "accuracy")
    assert {trial.key for trial in trials} == {record.key for record in ledger.records()}
    assert len(standins(trials)) == 4


def test_a_record_with_the_configuration_of_another_search_is_not_taken_for_a_proposal(
    alone: dict[int, Any], tmp_path: Path, suite_of: SuiteOf, trials_of: TrialsOf
) -> None:
    suite, source = suite_of(grid()), Ledger(tmp_path / "alone")
    target = Ledger(tmp_path / "forged")
    for record in source.records():
        config = record.config
        if record.search and record.search["number"] == 7:
            config = {**config, "optimizer": {**config["optimizer"], "lr": 99.0}}
            record = replace(record, key="f" * 20, config=config)
        if not record.search or record.search["number"] < 8:
            target.publish(record, RIGHT if record.status == "complete" else None)
    trials = with_proposals(trials_of(suite), target, done_for(target, RunOptions()), "accuracy")
    rates = {trial.search.number: trial.config.optimizer.parameters["lr"] for trial in trials if trial.search}
    assert rates[7] == alone[7][1] != 99.0


def test_a_failed_trial_counts_least_and_holds_up_nothing(
    tmp_path: Path, suite_of: SuiteOf, trials_of: TrialsOf
) -> None:
    def proposed(name: str, fails: Callable[[float], bool]) -> list[float]:
        """The learning rates that are proposed where some fail, and all others are equally bad."""
        suite = suite_of(grid(trials=14))
        driver, rates = Driver(trials_of(suite), tmp_path / name, suite), []
        while trial := driver.next_trial():
            assert trial.search
            rate = trial.config.optimizer.parameters["lr"]
            if trial.search.number >= 6:
                rates.append(rate)
            result = Result({"train_loss": [9.0], "val_accuracy": [0.1]}, 4, validation={"accuracy": 0.1})
            complete = TrialResult("complete", result, RunInfo(), RIGHT)
            driver.receive(trial.key, TrialFailure("Made", "up", "") if fails(rate) else complete)
        assert len(driver.ended) == 14 and driver.stats.counts().startswith("14 of 14 trials ended")
        return rates

    assert len(proposed("all", lambda _: True)) == 8
    low = sum(rate < 0.01 for rate in proposed("high fail", lambda rate: rate >= 0.01))
    high = sum(rate >= 0.01 for rate in proposed("low fail", lambda rate: rate < 0.01))
    assert low > 4 and high > 4


def test_a_trial_that_fails_once_forks_no_search_of_two_drivers(
    tmp_path: Path, suite_of: SuiteOf, trials_of: TrialsOf
) -> None:
    suite = suite_of(grid())
    first, second = (Driver(trials_of(suite), tmp_path / "r", suite) for _ in range(2))
    failing = first.next_trial()
    assert failing
    while other := second.next_trial():  # all but the one that the first driver has
        second.receive(other.key, ended(other))
    assert [trial.key for trial in second.leased_elsewhere] == [failing.key]
    first.receive(failing.key, TrialFailure("Made", "up", ""))
    drivers = [first, second]
    while drivers:
        for driver in list(drivers):
            driver.poll_other_drivers()
            if trial := driver.next_trial():
                driver.receive(trial.key, ended(trial))
            elif not driver.leased_elsewhere:
                drivers.remove(driver)
    records = Ledger(tmp_path / "r").records()
    assert sorted(record.search["number"] for record in records if record.search) == list(range(14))
    assert [record.status for record in records].count("failed") == 1
    third = Driver(trials_of(suite), tmp_path / "r", suite)
    assert [trial.key for trial in third.waiting] == [failing.key], "a later run tries it again, and proposes the same"


def test_of_two_records_with_one_number_the_one_that_was_started_first_is_the_proposal(
    alone: dict[int, Any], tmp_path: Path
) -> None:
    records = [record for record in Ledger(tmp_path / "alone").records() if record.search]
    last = next(record for record in records if record.search and record.search["number"] == 13)
    info = replace(last.run_info, started="2999-01-01T00:00:00.000+00:00")
    later = replace(last, key="0" * 20, config={**last.config, "batch_size": 1}, run_info=info)
    assert last.search
    known = adaptive_search.recorded_proposals([later, *records])
    assert known[last.search["id"], 13] == last.config


CHOICES = """\
grid:
- model: {name: mlp, hidden: {choice: [[8], [16], [8, 8]]}}
  optimizer: {name: sgd, lr: {choice: [0.001, 0.01, 0.1]}}
  epochs: 4
  search: {algorithm: tpe, trials: TRIALS, startup: 2, batch: 3}
"""


@pytest.mark.parametrize("trials", [8, 20])
def test_no_configuration_is_proposed_twice_and_a_search_of_all_is_complete(
    trials: int, tmp_path: Path, suite_of: SuiteOf, trials_of: TrialsOf
) -> None:
    def choose(trial: Trial) -> TrialResult:
        result = Result({"val_accuracy": [0.5]}, 4, validation={"accuracy": trial.config.optimizer.parameters["lr"]})
        return TrialResult("complete", result, RunInfo(), RIGHT)

    suite = suite_of(CHOICES.replace("TRIALS", str(trials)))
    driver = Driver(trials_of(suite), tmp_path / "r", suite)
    while trial := driver.next_trial():
        driver.receive(trial.key, choose(trial))
    records, expected = Ledger(tmp_path / "r").records(), min(trials, 9)
    assert len({str(record.config) for record in records}) == len(records) == expected
    assert driver.stats.counts().startswith(f"{expected} of {expected} trials ended")
    again = Driver(trials_of(suite), tmp_path / "r", suite)
    assert not again.waiting and not again.stats.n_to_propose and not standins(again._trials)
    assert len(suite) == suite.n_configurations == expected


def test_a_proposal_that_the_suite_has_elsewhere_is_trained_once(
    tmp_path: Path, suite_of: SuiteOf, trials_of: TrialsOf
) -> None:
    listed = """\
- model: {name: mlp, hidden: {grid: [[8], [16], [8, 8]]}}
  optimizer: {name: sgd, lr: {grid: [0.001, 0.01, 0.1]}}
  epochs: 4
"""
    suite = suite_of(CHOICES.replace("TRIALS", "9") + listed)
    driver = Driver(trials_of(suite), tmp_path / "r", suite)
    started = []
    while trial := driver.next_trial():
        started.append(trial.key)
        driver.receive(trial.key, ended(trial))
    assert len(set(started)) == len(started) == 9
    again = Driver(trials_of(suite), tmp_path / "r", suite)
    assert not again.waiting and not again.stats.n_to_propose


def test_another_metric_is_another_search(suite_of: SuiteOf, trials_of: TrialsOf) -> None:
    def identities(text: str) -> set[str]:
        return {trial.search.id for trial in trials_of(suite_of(text)) if trial.search}

    assert identities(grid()).isdisjoint(identities(f"rank_by: f1_macro\n{grid()}"))
    drawn = grid().replace("search: {algorithm: tpe, trials: 14, startup: 6, batch: 4}", "samples: 3")
    assert identities(drawn) == identities(f"rank_by: f1_macro\n{drawn}")


def test_the_sampler_prefers_what_was_better_and_a_pruned_trial_counts_less(
    suite_of: SuiteOf, trials_of: TrialsOf
) -> None:
    trials = trials_of(suite_of(grid()))
    assert trials[0].search
    rule = trials[0].search.rule
    draws = [rule.random_values(number) for number in range(30)]

    def rates(value: Callable[[float], SearchResult]) -> float:
        asked = itertools.islice(ask(rule, [value(lr) for _, lr, _ in draws], seed=3), 20)
        return sum(lr < 0.01 for _, lr, _ in asked) / 20

    by_rate = {lr: values for values in draws for lr in [values[1]]}
    low = rates(lambda lr: SearchResult(by_rate[lr], 1 - lr, []))
    high = rates(lambda lr: SearchResult(by_rate[lr], lr, []))
    assert low > 0.7 > 0.3 > high
    pruned_low = rates(lambda lr: SearchResult(by_rate[lr], None if lr < 0.01 else 0.2, [0.9]))
    assert pruned_low < 0.3, "one that was pruned at 90 % counts less than a complete one at 20 %"
    longer = rates(lambda lr: SearchResult(by_rate[lr], None, [0.1, 0.1] if lr < 0.01 else [0.9]))
    assert longer > 0.7, "of pruned ones the one that came further counts more"


def test_real_trials_in_one_process_and_with_halving_by_batches(
    tmp_path: Path, suite_of: SuiteOf, trials_of: TrialsOf, few_pictures: dict[str, Dataset]
) -> None:
    def train(suite: Suite, folder: Path) -> dict[str, Record]:
        options = RunOptions(pruning=suite.pruning, use_ray=False)
        run_trials(trials_of(suite), few_pictures, Ledger(folder), Console(file=io.StringIO()), options)
        return {record.key: record for record in Ledger(folder).records()}

    plain = train(suite_of(grid(trials=12)), tmp_path / "plain")
    assert len(plain) == 12 and all(record.search for record in plain.values())
    suite = suite_of(grid(trials=12, epochs=4) + "pruning: {method: halving, grace_period: 1, group: []}\n")
    pruned, again = (train(suite, tmp_path / name) for name in ("pruned", "again"))
    assert {key: record.result for key, record in pruned.items()} == {key: r.result for key, r in again.items()}
    assert sorted(record.status for record in pruned.values()).count("complete") == 3, "one of each batch"
    trials = trials_of(suite)
    assert suite.pruning
    cost = halving_cost(suite.pruning, 0, [*trials, *standins(trials)])
    assert cost == (sum(record.result.epochs_run for record in pruned.values()), True)
