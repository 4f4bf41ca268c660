"""`max_minutes`, `--max-hours` and `--force`: trials that end early, later, or once more."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from bench.data import Dataset
from bench.errors import UserError
from bench.execution.coordinator import done_for
from bench.execution.messages import RunOptions
from bench.execution.progress import PlainProgress
from bench.execution.run_trials import run_trials
from bench.execution.signals import Interrupt, is_stop, stop_after, stop_on_signals, time_is_up
from bench.ledger.ledger import Ledger
from bench.ledger.store import entry_names
from bench.report.grouping import group_trials
from bench.suite.suite import Suite, forced_configurations
from bench.suite.trial import Trial

GRID = "grid: {model: {name: mlp, hidden: [8]}, batch_size: [20, 50], epochs: 4}"


@pytest.fixture
def run(tmp_path: Path, few_pictures: dict[str, Dataset]) -> Callable[..., str]:
    """Runs trials in this process, into one ledger; what it says."""

    def run(trials: list[Trial], display: Any = None, **options: Any) -> str:
        out = io.StringIO()
        console = Console(file=out, width=200)
        made = (lambda stats: display(stats, console)) if display else None
        chosen = RunOptions(use_ray=False, checkpoint_after=0.0, **options)
        run_trials(trials, few_pictures, Ledger(tmp_path / "results"), console, chosen, made)
        return out.getvalue()

    return run


class TenSecondsAnEpoch(PlainProgress):
    """A run whose clock says that every epoch took ten seconds."""

    def trial_progressed(self, running: Any) -> None:
        running.train_seconds = 10.0 * running.epoch


def test_a_trial_that_is_out_of_time_ends_is_saved_and_never_ranked(
    tmp_path: Path, run: Callable[..., str], suite_of: Any, trials_of: Any
) -> None:
    suite: Suite = suite_of(f"max_minutes: 0.3\n{GRID}")
    assert suite.max_minutes == 0.3
    trials = trials_of(suite)
    assert [trial.key for trial in trials] == [trial.key for trial in trials_of(suite_of(GRID))]  # it is in no key
    out = run(trials, TenSecondsAnEpoch, max_minutes=suite.max_minutes)
    assert "timed out in epoch 2 after 0.333 min of training" in out and "2 timed out" in out
    records = Ledger(tmp_path / "results").records()
    assert [(record.status, record.result.epochs_run, record.result.test) for record in records] == [
        ("timed_out", 2, None)
    ] * 2
    (group,) = group_trials(records)
    assert all(configuration.excluded == ("seed 0 timed out",) for configuration in group.configurations)

    # It is not tried again with this limit, and goes on with a higher one, or without.
    assert run(trials, max_minutes=suite.max_minutes) == ""
    options = RunOptions(max_minutes=suite.max_minutes)
    assert done_for(Ledger(tmp_path / "results"), options).keys() == {trial.key for trial in trials}
    assert not done_for(Ledger(tmp_path / "results"), replace(options, max_minutes=60.0))
    out = run(trials, max_minutes=60.0)
    assert out.count("resumed after epoch 1/4") == 2
    assert {record.status for record in Ledger(tmp_path / "results").records()} == {"complete"}


def test_a_trial_in_its_last_epoch_is_not_out_of_time(
    tmp_path: Path, run: Callable[..., str], suite_of: Any, trials_of: Any
) -> None:
    run(trials_of(suite_of(GRID.replace("epochs: 4", "epochs: 1"))), max_minutes=0.000001)
    assert {record.status for record in Ledger(tmp_path / "results").records()} == {"complete"}


def test_the_program_is_stopped_as_by_a_signal_when_its_hours_are_over() -> None:
    with stop_on_signals():
        start = time.monotonic()
        with pytest.raises(Interrupt) as stopped, stop_after(0.2 / 3600):
            time.sleep(60)
        assert time.monotonic() - start < 30
        assert is_stop(stopped.value) and time_is_up()
    with stop_on_signals(), stop_after(2 / 3600):
        assert not time_is_up()
    time.sleep(2.5)  # the run was over before its hours
    threads: list[bool] = []

    def elsewhere() -> None:
        with stop_after(0.0001 / 3600):  # a thread cannot be interrupted
            time.sleep(0.1)
            threads.append(time_is_up())

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert threads == [False]


def test_forced_trials_are_trained_anew_and_replace_their_records(
    tmp_path: Path, run: Callable[..., str], suite_of: Any, trials_of: Any
) -> None:
    suite = suite_of(GRID)
    trials = trials_of(suite)
    run(trials)
    before = {record.key: record for record in Ledger(tmp_path / "results").records()}
    forced = [
        t.key
        for t in trials
        if t.config.to_json()
        in forced_configurations([config for config, _ in suite.configurations], ["batch_size=20"], suite.path)
    ]
    assert forced == [trial.key for trial in trials if trial.config.batch_size == 20]
    out = run(trials, forced=tuple(forced))
    assert "1 of 2 trials ended" not in out and "WARNING" not in out
    ledger = Ledger(tmp_path / "results")
    after = {record.key: record for record in ledger.records()}
    (key,) = forced
    assert after[key].run_info.started > before[key].run_info.finished
    assert after[key].result == before[key].result and not ledger.replicates(key)
    assert len(ledger.predictions(key).labels) == 100
    assert all(after[other] == before[other] for other in before.keys() - {key})
    with pytest.raises(UserError, match="--force 'batch_size=30' matches none of the 2 configurations"):
        forced_configurations([config for config, _ in suite.configurations], ["batch_size=30"], suite.path)


def test_a_forced_trial_with_other_results_says_so_loudly(
    tmp_path: Path, run: Callable[..., str], suite_of: Any, trials_of: Any, few_pictures: dict[str, Dataset]
) -> None:
    trials = trials_of(suite_of(GRID))[:1]
    run(trials)
    (data,) = few_pictures.values()
    data.train_labels[:20] = 1 - data.train_labels[:20]  # what the key does not know of
    out = run(trials, forced=(trials[0].key,))
    assert f"WARNING: trial {trials[0].key[:8]}, trained anew, has OTHER RESULTS than before, WITH THE SAME" in out
    assert "train loss: " in out and "train_loss, epoch 1: " in out


def test_a_forced_trial_that_is_stopped_or_fails_leaves_the_old_record(
    tmp_path: Path, run: Callable[..., str], suite_of: Any, trials_of: Any
) -> None:
    trials = trials_of(suite_of(GRID))[:1]
    run(trials)
    (before,) = Ledger(tmp_path / "results").records()

    class Stops(PlainProgress):
        def trial_progressed(self, running: Any) -> None:  # noqa: ARG002
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(trials, Stops, forced=(trials[0].key,))
    assert Ledger(tmp_path / "results").records() == [before]
    run(trials, forced=(trials[0].key,), max_minutes=0.000001)
    ledger = Ledger(tmp_path / "results")
    assert ledger.records() == [before]
    assert len(entry_names(ledger.store, before.key)) == 2
