"""A run told as events shows elsewhere what it showed where it ran."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from predicted import RIGHT
from rich.console import Console

from bench.execution.adaptive_search import standins
from bench.execution.cluster.driver import OUT, export_record
from bench.execution.cluster.events import EventFile, EventRecorder, replay
from bench.execution.progress import PlainProgress, ProgressListener, ProgressStats
from bench.execution.scheduler import RunningTrial
from bench.ledger.ledger import Ledger
from bench.ledger.record import Record, Result, RunInfo
from bench.suite.suite import Suite
from bench.suite.trial import Trial

GRID = "grid: {model: mlp, optimizer: {name: sgd, lr: {grid: [0.1, 0.2]}}, epochs: 4}"


@pytest.fixture
def two(suite_of: Callable[[str], Suite], trials_of: Callable[[Suite], list[Trial]]) -> list[Trial]:
    return trials_of(suite_of(GRID))


def record(trial: Trial) -> Record:
    result = Result(curves={"val_accuracy": [0.5, 0.9]}, epochs_run=2, validation={"accuracy": 0.9})
    return Record(trial.key, trial.config.to_json(), trial.seed, "complete", result, RunInfo(train_seconds=3.0))


def happen(view: ProgressListener, trials: list[Trial]) -> None:
    running = RunningTrial(trials[0], "2026-01-01T00:00:00+00:00")
    view.trial_started(running)
    running.curves = {"val_accuracy": [0.5, 0.9], "train_loss": [1.0, 0.5]}
    view.trial_progressed(running)
    view.trial_started(RunningTrial(trials[1], ""))
    view.trial_resumed(RunningTrial(trials[1], "", {"train_loss": [1.5], "val_accuracy": [0.25]}, resumed=1))
    view.note("a note")
    view.trial_ended(trials[0], record(trials[0]))


def events_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]


def plain(trials: list[Trial], watch: Callable[[ProgressListener], None]) -> str:
    """What plain lines say, with every progress told."""
    out = io.StringIO()
    watch(PlainProgress(ProgressStats(trials, [], slots=2), Console(file=out, width=200), seconds=-1.0))
    return out.getvalue()


def test_a_view_elsewhere_shows_the_same(two: list[Trial], tmp_path: Path) -> None:
    ended: list[str] = []
    file = EventFile(tmp_path)
    happen(EventRecorder(ProgressStats(two, [], slots=2), file, ended.append), two)
    file.close("done", failed=False)
    *events, last = events_of(tmp_path)
    assert last == {"event": "closed", "outcome": "done", "failed": False}
    assert ended == [two[0].key]

    def played(view: ProgressListener) -> None:
        for event in events:
            replay(event, {trial.key: trial for trial in two}, view)

    here = plain(two, lambda view: happen(view, two))
    assert "epoch 2/4, validation 90.00 %" in here
    assert "resumed after epoch 1/4" in here
    assert plain(two, played) == here


def test_what_a_search_proposes_is_known_elsewhere(
    suite_of: Callable[[str], Suite], trials_of: Callable[[Suite], list[Trial]], tmp_path: Path
) -> None:
    search = "{algorithm: tpe, trials: 5, startup: 2, batch: 2}"
    grid = f"grid: {{model: mlp, optimizer: {{name: sgd, lr: {{uniform: [0.1, 1]}}}}, search: {search}}}"
    first = trials_of(suite_of(grid))
    proposed = standins(first)[:2]
    file = EventFile(tmp_path)
    recorder = EventRecorder(ProgressStats(first, [], slots=2), file, lambda _: None)
    recorder.trials_added(proposed, 1)
    for trial in [*first, *proposed]:
        recorder.trial_ended(trial, record(trial))
    file.close("done")
    known = {trial.key: trial for trial in first}
    out = io.StringIO()
    view = PlainProgress(ProgressStats(first, [], slots=2), Console(file=out, width=200))
    for event in events_of(tmp_path)[:-1] * 2:  # another driver tells of the same
        replay(event, known, view)
    assert [known[trial.key] for trial in proposed] == proposed
    assert "[4 of 5 trials ended]" in out.getvalue()


def test_the_last_word_on_a_run_is_not_overtaken_by_a_sign_of_life(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.execution.cluster.events.HEARTBEAT_SECONDS", 0.0)
    for number in range(50):
        folder = tmp_path / str(number)
        folder.mkdir()
        file = EventFile(folder)
        file.close("done")
        file.write("alive")  # as the heartbeat does that was about to
        assert json.loads((folder / "state.json").read_text())["state"] == "done"
        time.sleep(0.002)
        assert json.loads((folder / "state.json").read_text())["state"] == "done"
        assert not (folder / "state.new").exists()
        assert events_of(folder)[-1]["event"] == "closed"


def test_what_another_run_on_the_head_found_of_these_trials_is_handed_out_too(two: list[Trial], tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "results")
    other = Ledger(ledger.root)
    for trial in two:
        other.publish(record(trial), RIGHT)
    export_record(ledger, two[1].key, tmp_path / "run")
    assert [found.key for found in Ledger(tmp_path / "run" / OUT).records()] == [two[1].key]


def test_the_state_says_how_a_run_stands(two: list[Trial], tmp_path: Path) -> None:
    file = EventFile(tmp_path)
    with EventRecorder(ProgressStats(two, [], slots=2), file, lambda _: None) as view:
        view.trial_ended(two[0], record(two[0]))
    file.close("stopped")
    state = json.loads((tmp_path / "state.json").read_text())
    assert (state["state"], state["counts"]) == ("stopped", "1 of 2 trials ended")
