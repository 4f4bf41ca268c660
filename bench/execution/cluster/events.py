"""A run as a file of events, one line of JSON each: written on the head, played to a view anywhere else.

Playing it from any line on shows how things stand, as every event says all about its trial that a view asks for.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from bench.execution.progress import ProgressStats
from bench.execution.scheduler import ProgressListener, RunningTrial
from bench.ledger.record import Record
from bench.suite.trial import Trial

EVENTS, STATE = "events.jsonl", "state.json"
PROGRESS_SECONDS = 1.0
"""How often one trial's progress is told."""
ALIVE_SECONDS = 10.0
"""How often the driver shows that it lives: a silence of three times that is looked into."""


class EventFile:
    """Where a driver tells what happens; `counts` goes into the file of the run's state, which `status` shows."""

    def __init__(self, folder: Path):
        self._file: TextIO = (folder / EVENTS).open("a")
        self._state = folder / STATE
        self._lock = threading.Lock()
        self._over = threading.Event()
        self.counts: Callable[[], str] = lambda: "starting"
        threading.Thread(target=self._beat, name="alive", daemon=True).start()

    def tell(self, event: str, **values: Any) -> None:
        with self._lock:
            self._file.write(json.dumps({"event": event, **values}) + "\n")
            self._file.flush()

    def over(self, outcome: str, **values: Any) -> None:
        """The last event: `outcome` is "done", "stopped" or "error"."""
        self._over.set()
        self._show(outcome)
        self.tell("over", outcome=outcome, **values)

    def _beat(self) -> None:
        while not self._over.wait(ALIVE_SECONDS):
            with contextlib.suppress(OSError):  # a full disk may be emptied, and is the ledger's to tell
                self._show("running")
                self.tell("alive")

    def _show(self, state: str) -> None:
        with self._lock:  # the last word is not to be overtaken by a beat that began before it
            if state == "running" and self._over.is_set():
                return
            temporary = self._state.with_suffix(".new")
            temporary.write_text(json.dumps({"state": state, "counts": self.counts(), "time": time.time()}))
            temporary.replace(self._state)


class EventRecorder:
    """A view that writes events; see `bench.execution.scheduler.ProgressListener`. `ended` is told each key first."""

    def __init__(self, tally: ProgressStats, file: EventFile, ended: Callable[[str], None]):
        self.tally, self.file, self.ended = tally, file, ended
        self._told: dict[str, float] = {}

    def __enter__(self) -> EventRecorder:
        self.file.counts = self.tally.counts
        return self

    def __exit__(self, *_: object) -> None: ...

    def trial_started(self, running: RunningTrial) -> None:
        self.tally.start(running)
        self.file.tell("started", **_state(running))

    def trial_resumed(self, running: RunningTrial) -> None:
        self.file.tell("resumed", **_state(running))

    def trial_progressed(self, running: RunningTrial) -> None:
        if time.monotonic() - self._told.get(running.trial.key, 0.0) > PROGRESS_SECONDS:
            self._told[running.trial.key] = time.monotonic()
            self.file.tell("progressed", **_state(running))

    def trial_ended(self, trial: Trial, record: Record) -> None:
        self._told.pop(trial.key, None)
        self.tally.end(trial, record)
        self.ended(trial.key)
        self.file.tell("ended", key=trial.key, record=record.to_json())

    def note(self, text: str) -> None:
        self.file.tell("note", text=text)


def play(event: dict[str, Any], trials: dict[str, Trial], view: ProgressListener) -> None:
    """Show an event about a trial, or a note, to a view."""
    kind = event["event"]
    if kind == "note":
        view.note(event["text"])
    elif kind == "ended":
        view.trial_ended(trials[event["key"]], Record.from_json(event["record"]))
    elif kind in ("started", "resumed", "progressed"):
        running = _running(event, trials[event["key"]])
        view.trial_started(running)
        if kind == "resumed":
            view.trial_resumed(running)
        elif kind == "progressed":
            view.trial_progressed(running)


def _state(running: RunningTrial) -> dict[str, Any]:
    """What views read of a running trial: of its curves the last values, and how long they are."""
    values = {name: value for name, value in vars(running).items() if name not in ("trial", "curves")}
    latest = {name: curve[-1] for name, curve in running.curves.items() if curve}
    return {**values, "key": running.trial.key, "epoch": running.epoch, "latest": latest}


def _running(event: dict[str, Any], trial: Trial) -> RunningTrial:
    curves: dict[str, list[float | None]] = {
        name: [None] * (event["epoch"] - 1) + [value] for name, value in event["latest"].items()
    }
    running = RunningTrial(trial, event["started"], curves, event["train_seconds"])
    running.refit = tuple(event["refit"]) if event["refit"] else None
    running.resumed = event["resumed"]
    return running


def begins(part: int, reused: list[Record], slots: int) -> dict[str, Any]:
    """The event that opens a part, with the records that it starts from and the watcher may lack."""
    return {"part": part, "reused": [record.to_json() for record in reused], "slots": slots}
