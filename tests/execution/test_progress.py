"""The live display and the plain lines, from the same stats."""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from bench.execution.progress import LiveProgress, NotebookProgress, PlainProgress, ProgressStats, duration, epoch_text
from bench.execution.scheduler import RunningTrial
from bench.ledger.record import Record, Result, RunInfo
from bench.suite.suite import Suite
from bench.suite.trial import Trial

GRID = "grid: {model: mlp, optimizer: {name: sgd, lr: {grid: [0.1, 0.2, 0.3]}}, epochs: 4}"


@pytest.fixture
def three(suite_of: Callable[[str], Suite], trials_of: Callable[[Suite], list[Trial]]) -> list[Trial]:
    return trials_of(suite_of(GRID))


def running(trial: Trial, *accuracies: float) -> RunningTrial:
    curves: dict[str, list[float | None]] = {"train_loss": [0.5] * len(accuracies), "val_accuracy": list(accuracies)}
    return RunningTrial(trial, "", curves)


def record(trial: Trial, status: str = "complete", accuracy: float = 0.9, seconds: float = 40.0) -> Record:
    result = Result(curves={"val_accuracy": [accuracy] * 4}, epochs_run=4, validation={"accuracy": accuracy})
    failure = {"kind": "ValueError", "message": "no", "traceback": ""} if status == "failed" else None
    measured = RunInfo(train_seconds=seconds)
    return Record(trial.key, trial.config.to_json(), trial.seed, status, result, measured, failure=failure)  # type: ignore[arg-type]


def test_the_table_shows_what_runs_counts_best_and_time_left(three: list[Trial]) -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=120, color_system=None)
    stats = ProgressStats(three, [], slots=1)
    display = LiveProgress(stats, console)
    display.trial_started(running(three[0]))
    display.trial_ended(three[0], record(three[0], accuracy=0.8765, seconds=40.0))
    display.trial_started(running(three[1], 0.5, 0.625))
    console.print(display.render())
    text = out.getvalue()
    assert "1 of 3 trials ended, 1 running" in text
    assert "mlp · sgd lr=0.2" in text
    assert "epoch 2/4" in text
    assert "validation 62.50 %" in text
    assert "best validation so far 87.65 % (mlp · sgd lr=0.1)" in text
    assert "about 60 s left" in text  # two of four epochs of one trial and four of another, at ten seconds an epoch


def test_a_notebook_s_cell_has_the_table_and_at_the_end_a_line(
    three: list[Trial], monkeypatch: pytest.MonkeyPatch
) -> None:
    pages: list[str] = []

    class Handle:
        def update(self, bundle: dict[str, str], raw: bool) -> None:
            assert raw
            pages.append(bundle["text/html"])

    def display(shown: Any, display_id: bool) -> Handle:
        assert display_id and "0 of 3 trials ended" in shown._repr_html_()
        return Handle()

    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(display=display))
    with NotebookProgress(ProgressStats(three, [], slots=1)) as shown:
        shown.trial_started(running(three[0], 0.5, 0.625))
        failed = replace(record(three[0], "failed"), failure={"kind": "E", "message": "<script>", "traceback": ""})
        shown.trial_ended(three[0], failed)
    assert '<progress max="4" value="2">' in pages[0] and "validation 62.50 %" in pages[0]
    assert "1 of 3 trials ended, 1 failed; took" in pages[-1]
    assert "&lt;script&gt;" in pages[-1] and "<script>" not in pages[-1] and "<progress" not in pages[-1]


def test_what_a_trial_died_of_is_no_markup_in_any_view(three: list[Trial]) -> None:
    """Nor is it wrapped: it ends in a command to be pasted."""
    failed = replace(
        record(three[0], "failed"), failure={"kind": "E", "message": f"[/no] [red] {'x' * 100}", "traceback": ""}
    )
    for kind, terminal in ((LiveProgress, True), (PlainProgress, False)):
        out = io.StringIO()
        console = Console(file=out, force_terminal=terminal, width=60, color_system=None)
        display = kind(ProgressStats(three, [], slots=1, show_command="bench show --results 'my results'"), console)
        display.trial_started(running(three[0]))
        display.trial_ended(three[0], failed)
        display.note("[/note]")
        assert f"[/no] [red] {'x' * 100} (`bench show --results 'my results' {three[0].key[:8]}`)\n" in out.getvalue()
        assert "[/note]" in out.getvalue()


def test_seeds_that_pruning_spares_are_neither_counted_nor_waited_for(
    suite_of: Callable[[str], Suite], trials_of: Callable[[Suite], list[Trial]]
) -> None:
    planned = trials_of(suite_of(GRID.replace("epochs: 4", "epochs: 4, seeds: 3")))  # three configurations
    stats = ProgressStats(planned, [], slots=1)
    first = planned[0]
    pruned = replace(record(first, "pruned", seconds=40.0), pruning={"rule": {}, "decisions": []})
    stats.end(first, pruned)
    assert stats.counts() == "1 of 7 trials ended, 1 pruned"
    assert stats.time_left() == "about 4 min 0 s left"  # six trials of four epochs, at ten seconds an epoch


def test_the_time_left_is_told_as_fast_with_many_trials(three: list[Trial]) -> None:
    """The live display asks four times a second, beside the driver's own work."""
    many = [replace(three[0], key=f"{number:020x}", seed=number) for number in range(20_000)]
    stats = ProgressStats(many, [], slots=40)
    stats.end(many[0], record(many[0]))
    started = time.process_time()
    for _ in range(100):
        assert "left" in stats.time_left()
    assert time.process_time() - started < 1


def test_plain_lines_name_every_trial_that_ends(three: list[Trial]) -> None:
    out = io.StringIO()
    with PlainProgress(ProgressStats(three, [record(three[2])], slots=2), Console(file=out, width=80)) as display:
        display.trial_started(running(three[0]))
        display.trial_ended(three[0], record(three[0], accuracy=0.81))
        display.trial_ended(three[1], record(three[1], status="failed"))
    lines = out.getvalue().splitlines()
    assert lines[0] == (
        "[2 of 3 trials ended, 1 from the ledger] mlp · sgd lr=0.1: complete after 4 epochs, validation 81.00 %"
    )
    assert f"mlp · sgd lr=0.2: failed in epoch 4: ValueError: no (`bench show {three[1].key[:8]}`)" in lines[1]
    assert lines[2].startswith("3 of 3 trials ended, 1 failed, 1 from the ledger; took")


def test_a_trial_that_goes_on_and_a_refit_are_named(three: list[Trial]) -> None:
    out = io.StringIO()
    with PlainProgress(ProgressStats(three, [], slots=2), Console(file=out, width=80)) as display:
        for one in (RunningTrial(three[0], "", {"train_loss": [0.5] * 3}), RunningTrial(three[1], "", refit=(2, 4))):
            one.resumed = one.refit[0] if one.refit else one.epoch
            display.trial_started(one)
            display.trial_resumed(one)
    assert out.getvalue().splitlines()[:2] == [
        "mlp · sgd lr=0.1: resumed after epoch 3/4",
        "mlp · sgd lr=0.2: resumed after refit epoch 2/4",
    ]
    assert epoch_text(RunningTrial(three[0], "", {"train_loss": [0.5] * 3}, resumed=2)) == "epoch 3/4 (resumed after 2)"


def test_seeds_that_pruning_spares_are_not_waited_for(
    suite_of: Callable[[str], Suite], trials_of: Callable[[Suite], list[Trial]]
) -> None:
    trials = trials_of(suite_of("grid: {model: mlp, seeds: 3}\npruning: asha"))
    stats = ProgressStats(trials, [], slots=1)
    pruned = record(trials[0], status="pruned")
    stats.end(trials[0], Record(**{**pruned.__dict__, "pruning": {"rule": {}, "decisions": []}}))
    assert stats.counts() == "1 of 1 trial ended, 1 pruned"


@pytest.mark.parametrize(("seconds", "text"), [(5.4, "5 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")])
def test_durations_read_well(seconds: float, text: str) -> None:
    assert duration(seconds) == text
