"""One task of a SLURM array, without SLURM: the driver that each of them runs, and what a follower makes of it."""

from __future__ import annotations

import io
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from saved_network import CONFIRMED, SUITE, weights_files, write_suite

from bench.commands.drive import main as drive
from bench.commands.load_suites import trials_of
from bench.execution import adaptive_search, slurm_array
from bench.execution.checkpoints import checkpoint_times
from bench.execution.cluster.bundle import BundledSuite, RunBundle, pack, unpack
from bench.execution.cluster.events import EVENTS, read_events
from bench.execution.messages import RunOptions
from bench.execution.signals import INTERRUPTED
from bench.execution.slurm_array import TASKS, SlurmRun, follow, is_default_folder, reasons, trial_keys, trials_left
from bench.execution.slurm_task import GAVE_UP, MAX_FUTILE_STOPS
from bench.ledger.ledger import Ledger
from bench.ledger.record import Record, Result, RunInfo
from bench.suite.suite import load_suite


@pytest.fixture
def submitted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., RunBundle]:
    """Writes the folder of a run of a suite, `run` below, for one task with one CPU."""
    monkeypatch.setenv("SLURM_CPUS_ON_NODE", "1")

    def submit(text: str = SUITE, **options: object) -> RunBundle:
        suite = load_suite(write_suite(tmp_path, text))
        bundled = BundledSuite(
            suite.name,
            trials_of(suite),
            suite.pruning,
            max_minutes=suite.max_minutes,
            rank_by=suite.metrics[0],
            confirm=suite.confirm,
        )
        run = replace(RunOptions(gpus_per_trial=0), **options)  # type: ignore[arg-type]
        bundle = RunBundle("run", [bundled], str(tmp_path / "results"), run)
        (tmp_path / "run" / TASKS / "0").mkdir(parents=True)
        pack(bundle, tmp_path / "run")
        return bundle

    return submit


def test_a_task_follows_the_suites_limit_and_its_metric(tmp_path: Path, submitted: Callable[..., RunBundle]) -> None:
    bundle = submitted(f"max_minutes: 1.0e-9\n{SUITE}")
    assert drive(tmp_path / "run", "0") == 0
    ledger = Ledger(tmp_path / "results")
    assert [record.status for record in ledger.records()] == ["timed_out"] * 4
    assert trials_left(SlurmRun(tmp_path / "run", "1"), bundle, ledger) == set()
    (suite,) = unpack(tmp_path / "run", with_code=False).suites
    options = suite.options(RunOptions(jobs=3))
    assert (options.suite, options.jobs, options.max_minutes) == ("tiny", 3, 1e-9)


def test_a_task_saves_the_weights_of_what_the_suite_ranks_first(
    tmp_path: Path, submitted: Callable[..., RunBundle]
) -> None:
    submitted(f"rank_by: log_loss\n{SUITE}", keep="best")
    assert drive(tmp_path / "run", "0") == 0
    losses: dict[str, list[tuple[float, str]]] = {}
    for record in Ledger(tmp_path / "results").records():
        losses.setdefault(record.config_key, []).append(((record.result.validation or {})["log_loss"], record.key))
    best = min(losses.values(), key=lambda pairs: sum(loss for loss, _ in pairs))
    saved = {name.partition("-")[0] for name in weights_files(tmp_path / "results")}
    assert saved == {key for _, key in best}


def driven_until(folder: Path, condition: Callable[[], bool]) -> int:
    """The exit code of a task that gets SIGTERM once it trains and this holds; the process is this one."""
    file = folder / TASKS / "0" / EVENTS
    _, offset = read_events(file)

    def terminate() -> None:
        while not (any(item["event"] == "progressed" for item in read_events(file, offset)[0]) and condition()):
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=terminate, daemon=True)
    thread.start()
    code = drive(folder, "0")
    thread.join(timeout=60)
    return code


LONG = SUITE.replace("epochs: 2", "epochs: 100000")


def last_event(folder: Path) -> dict[str, object]:
    return read_events(folder / TASKS / "0" / EVENTS)[0][-1]


def test_a_task_that_gets_nowhere_is_not_queued_again_for_ever(
    tmp_path: Path,
    submitted: Callable[..., RunBundle],
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    submitted(LONG, use_ray=False, checkpoint_after=3600.0)
    run = tmp_path / "run"
    codes = [driven_until(run, lambda: True) for _ in range(MAX_FUTILE_STOPS)]
    assert codes == [INTERRUPTED, INTERRUPTED, GAVE_UP]
    notes = [event["text"] for event in read_events(run / TASKS / "0" / EVENTS)[0] if event["event"] == "note"]
    assert notes[0].startswith("task 0 was stopped before a new checkpoint or record. Queued again, it starts")
    assert "2 times in a row" in notes[1]
    message = str(last_event(run)["message"])
    assert "3 times in a row" in message
    assert "Raise `time` in the SLURM file" in message
    assert "bench does not queue it again" in message
    assert message in capfd.readouterr().err
    monkeypatch.setattr(slurm_array, "task_states", lambda _: {"0": "FAILED"})
    assert reasons(SlurmRun(run, "1")) == [message]


def test_a_task_that_was_killed_at_its_limit_asks_for_more_lead(
    tmp_path: Path, submitted: Callable[..., RunBundle], monkeypatch: pytest.MonkeyPatch
) -> None:
    submitted()
    run = SlurmRun(tmp_path / "run", "1")
    monkeypatch.setattr(slurm_array, "task_states", lambda _: {"0": "TIMEOUT"})
    (line,) = reasons(run)
    assert "raise `lead_seconds` in the SLURM file" in line
    monkeypatch.setattr(slurm_array, "task_states", lambda _: {"0": "OUT_OF_MEMORY"})
    assert reasons(run) == ["task 0: out of memory, by SLURM"]


def test_a_task_that_got_somewhere_is_queued_again(tmp_path: Path, submitted: Callable[..., RunBundle]) -> None:
    submitted(LONG, use_ray=False, checkpoint_after=0.0)
    run = tmp_path / "run"
    for _ in range(MAX_FUTILE_STOPS + 1):
        before = checkpoint_times(tmp_path / "results")
        assert driven_until(run, lambda: checkpoint_times(tmp_path / "results") != before) == INTERRUPTED  # noqa: B023
        assert last_event(run) == {"event": "closed", "outcome": "stopped"}


def test_when_the_grid_has_ended_tasks_train_fresh_seeds(
    tmp_path: Path, submitted: Callable[..., RunBundle], monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle, run = submitted(CONFIRMED), SlurmRun(tmp_path / "run", "1")
    assert drive(run.folder, "0") == 0
    ledger = Ledger(tmp_path / "results")
    fresh = {record.key for record in ledger.records() if record.seed > 1}
    assert {record.seed for record in ledger.records()} == {0, 1, 2, 3}
    (event,) = [event for event in read_events(run.folder / TASKS / "0" / EVENTS)[0] if event["event"] == "confirming"]
    assert {key for _, _, key in event["fresh"]} == fresh
    assert trials_left(run, bundle, ledger) == set()
    monkeypatch.setattr(slurm_array, "task_states", lambda _: {})
    out = io.StringIO()
    assert follow(run, Ledger(tmp_path / "results"), Console(file=out, width=200)) == 0
    assert "with 2 fresh seeds" in out.getvalue()
    assert f"{4 + len(fresh)} of {4 + len(fresh)} trials ended" in out.getvalue()
    for path in ledger.root.glob(f"entries/*/{min(fresh)}-*"):
        path.unlink()
    assert trials_left(run, bundle, Ledger(tmp_path / "results")) == {min(fresh)}


SEARCHED = """
name: tiny
defaults: {dataset: {name: npz, path: data.npz}, epochs: 1, batch_size: 32, validation: {tail: 0.2}}
grid:
  model: {name: mlp, hidden: [4]}
  optimizer: {name: sgd, lr: {log_uniform: [1e-3, 0.1]}}
  search: {trials: 5, startup: 2, batch: 2}
"""


def test_a_task_that_starts_late_announces_what_searches_have_proposed_before(
    tmp_path: Path, submitted: Callable[..., RunBundle], monkeypatch: pytest.MonkeyPatch
) -> None:
    submitted(SEARCHED)
    run, ledger = SlurmRun(tmp_path / "run", "1"), Ledger(tmp_path / "results")
    assert drive(run.folder, "0") == 0
    last = next(record for record in ledger.records() if record.search and record.search["number"] == 4)
    for path in ledger.root.glob(f"entries/*/{last.key}-*"):
        path.unlink()
    shutil.rmtree(run.folder / TASKS / "0")
    (run.folder / TASKS / "1").mkdir()
    assert drive(run.folder, "1") == 0
    monkeypatch.setattr(slurm_array, "task_states", lambda _: {})
    out = io.StringIO()
    assert follow(run, Ledger(ledger.root), Console(file=out, width=200)) == 0
    assert "3 of 5 trials ended" in out.getvalue(), "the two that were proposed before, and the one it trained"


def test_what_a_search_is_still_to_propose_is_left(
    tmp_path: Path, submitted: Callable[..., RunBundle], monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle, run, ledger = submitted(SEARCHED), SlurmRun(tmp_path / "run", "1"), Ledger(tmp_path / "results")
    assert len(bundle.trials) == 2
    assert len(trials_left(run, bundle, ledger)) == len(trial_keys(run, bundle, ledger)) == 5
    with monkeypatch.context() as patched:
        patched.setattr(adaptive_search, "has_optuna", lambda: False)
        assert drive(run.folder, "0") == 2
        assert "needs Optuna" in str(last_event(run.folder)["message"])
    assert drive(run.folder, "0") == 0
    ledger.refresh()
    assert (len(trials_left(run, bundle, ledger)), len(trial_keys(run, bundle, ledger))) == (0, 5)


def test_later_seeds_of_a_first_seed_that_failed_are_not_waited_for(
    tmp_path: Path, submitted: Callable[..., RunBundle]
) -> None:
    bundle = submitted(f"pruning: {{grace_period: 1}}\n{SUITE}")
    first, second, *others = bundle.trials
    ledger, run = Ledger(tmp_path / "results"), SlurmRun(tmp_path / "run", "1")
    failure = {"kind": "ValueError", "message": "no", "traceback": ""}
    record = Record(first.key, first.config.to_json(), 0, "failed", Result({}, 0), RunInfo(), failure=failure)
    ledger.publish(replace(record, config_key=first.config_key))
    assert trials_left(run, bundle, ledger) == {trial.key for trial in bundle.trials}
    assert trials_left(run, bundle, ledger, {first.key}) == {first.key, *(trial.key for trial in others)}
    assert second.group == first.group


def test_another_folder_than_the_ledgers_has_to_be_named_again(tmp_path: Path) -> None:
    assert is_default_folder(tmp_path / "results" / "slurm", tmp_path / "results")
    assert not is_default_folder(tmp_path / "elsewhere", tmp_path / "results")
    assert not is_default_folder(tmp_path / "elsewhere", "s3://bucket/results")
