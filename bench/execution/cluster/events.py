"""A run's events, one line of JSON each: the driver on the head writes them, a follower elsewhere replays them.

Replaying from any line on shows the run's state, as every event holds all about its trial that a display needs.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

from bench.execution.adaptive_search import to_propose
from bench.execution.cluster.bundle import BundledSuite
from bench.execution.progress import ProgressListener, ProgressStats
from bench.execution.scheduler import RunningTrial
from bench.jsonutil import JsonObject
from bench.ledger.record import Record
from bench.suite.trial import Trial, with_configuration

EVENTS, STATE = "events.jsonl", "state.json"
PROGRESS_SECONDS = 1.0
"""How often one trial's progress is written."""
Event = JsonObject
"""A line of the file: what happened under ``event``, and the values that belong to it."""
HEARTBEAT_SECONDS = 10.0
"""How often the driver shows that it is alive: a follower looks into a silence three times as long."""


class EventFile:
    """Where a driver writes events; `counts` goes into the file of the run's state, for `bench cluster status`."""

    def __init__(self, folder: Path):
        self._file: TextIO = (folder / EVENTS).open("a")
        self._state = folder / STATE
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self.counts: Callable[[], str] = lambda: "starting"
        threading.Thread(target=self._heartbeat, name="heartbeat", daemon=True).start()

    def write(self, event: str, **values: Any) -> None:
        with self._lock:
            if event == "alive" and self._closed.is_set():
                return
            self._file.write(json.dumps({"event": event, **values}) + "\n")
            self._file.flush()

    def close(self, outcome: str, **values: Any) -> None:
        """Write the last event: `outcome` is "done", "stopped" or "error"."""
        self._closed.set()
        self._write_state(outcome)
        self.write("closed", outcome=outcome, **values)

    def _heartbeat(self) -> None:
        while not self._closed.wait(HEARTBEAT_SECONDS):
            with contextlib.suppress(OSError):  # a full disk may be emptied, and the ledger reports it
                self._write_state("running")
                self.write("alive")

    def _write_state(self, state: str) -> None:
        with self._lock:  # the last state must not be replaced by a heartbeat that began before it
            if state == "running" and self._closed.is_set():
                return
            temporary = self._state.with_suffix(".new")
            temporary.write_text(json.dumps({"state": state, "counts": self.counts(), "time": time.time()}))
            temporary.replace(self._state)


class EventRecorder:
    """A `bench.execution.progress.ProgressDisplay` that writes events; `on_end` is called with each key before."""

    def __init__(self, stats: ProgressStats, file: EventFile, on_end: Callable[[str], None]):
        self.stats, self.file, self.on_end = stats, file, on_end
        self._written: dict[str, float] = {}
        self._epochs_written: dict[str, int] = {}

    def __enter__(self) -> EventRecorder:
        self.file.counts = self.stats.counts
        return self

    def __exit__(self, *_: object) -> None: ...

    def trials_added(self, trials: Sequence[Trial], n_to_propose: int) -> None:
        _write_added(self.file, list(self.stats.trials.values()), trials, n_to_propose)
        self.stats.add(trials, n_to_propose)

    def trial_started(self, running: RunningTrial) -> None:
        self.stats.start(running)
        self._write("started", running)

    def trial_resumed(self, running: RunningTrial) -> None:
        self._write("resumed", running)

    def trial_progressed(self, running: RunningTrial) -> None:
        if time.monotonic() - self._written.get(running.trial.key, 0.0) > PROGRESS_SECONDS:
            self._written[running.trial.key] = time.monotonic()
            self._write("progressed", running)

    def trial_paused(self, running: RunningTrial) -> None:
        self.stats.pause(running)
        self._write("paused", running)

    def trial_ended(self, trial: Trial, record: Record) -> None:
        self._written.pop(trial.key, None)
        self._epochs_written.pop(trial.key, None)
        self.stats.end(trial, record)
        self.on_end(trial.key)
        self.file.write("ended", key=trial.key, record=record.to_json())

    def note(self, text: str) -> None:
        self.file.write("note", text=text)

    def _write(self, event: str, running: RunningTrial) -> None:
        key = running.trial.key
        self.file.write(event, **_to_json(running, min(self._epochs_written.get(key, 0), max(running.epoch - 1, 0))))
        self._epochs_written[key] = running.epoch


def write_proposed(
    file: EventFile, listed: Sequence[Trial], trials: Sequence[Trial], done: Mapping[str, Record]
) -> None:
    """Announce those of a driver's trials that searches had proposed before it began, and which of them are done.

    A follower knows the `listed` ones alone.
    """
    known = {trial.key for trial in listed}
    new = [trial for trial in trials if trial.key not in known]
    if new:
        n_to_propose = sum(len(seeds) * len(numbers) for seeds, numbers in to_propose(trials).values())
        _write_added(file, listed, new, n_to_propose)
    for trial in new:
        if trial.key in done:
            file.write("ended", key=trial.key, record=done[trial.key].to_json())


def _write_added(file: EventFile, known: Sequence[Trial], new: Sequence[Trial], n_to_propose: int) -> None:
    templates = {(trial.search.id, trial.seed): trial.key for trial in reversed(known) if trial.search}
    added = [
        {
            "like": templates[trial.search.id, trial.seed],
            "config": trial.config.to_json(),
            "group": trial.group,
            "number": trial.search.number,
        }
        for trial in new
        if trial.search
    ]
    file.write("added", trials=added, n_to_propose=n_to_propose)


def read_events(file: Path, offset: int = 0) -> tuple[list[Event], int]:
    """The events of a file from a byte on, and where the last complete line ends; nothing where there is no file."""
    try:
        with file.open("rb") as stream:
            stream.seek(offset)
            data = stream.read()
    except FileNotFoundError:
        return [], offset
    complete_lines = data[: data.rfind(b"\n") + 1]
    events: list[Event] = []
    for line in complete_lines.splitlines():
        with contextlib.suppress(ValueError):  # a driver was killed while it wrote
            events.append(json.loads(line))
    return events, offset + len(complete_lines)


def replay(event: Event, trials: dict[str, Trial], listener: ProgressListener) -> None:
    """Pass an event about a trial, or a note, to a listener; `trials` takes in what a search has proposed.

    An event about another trial is passed over: a file may lack a line, where a driver was killed while it wrote.
    """
    kind = event["event"]
    if "key" in event and event["key"] not in trials:
        return
    if kind == "note":
        listener.note(event["text"])
    elif kind == "added":
        known = [values for values in event["trials"] if values["like"] in trials]
        new = [trial for values in known if (trial := _added(values, trials)).key not in trials]
        trials |= {trial.key: trial for trial in new}
        listener.trials_added(new, event["n_to_propose"])
    elif kind == "ended":
        listener.trial_ended(trials[event["key"]], Record.from_json(event["record"]))
    elif kind in ("started", "resumed", "progressed", "paused"):
        running = _from_json(event, trials[event["key"]])
        listener.trial_started(running)
        if kind == "resumed":
            listener.trial_resumed(running)
        elif kind == "progressed":
            listener.trial_progressed(running)
        elif kind == "paused":
            listener.trial_paused(running)


def _added(values: JsonObject, trials: Mapping[str, Trial]) -> Trial:
    """A trial that a search has proposed, from one of the same search and seed."""
    like = trials[values["like"]]
    assert like.search is not None
    point = like.search.model_copy(update={"number": values["number"]})
    return with_configuration(like, values["config"], values["group"], point)


def _to_json(running: RunningTrial, after: int) -> Event:
    """What listeners read of a running trial: of its curves the values after an epoch, and how long they are."""
    values = {name: value for name, value in vars(running).items() if name not in ("trial", "curves")}
    latest = {name: curve[after:] for name, curve in running.curves.items() if curve}
    return {**values, "key": running.trial.key, "after": after, "latest": latest}


def _from_json(event: Event, trial: Trial) -> RunningTrial:
    curves: dict[str, list[float | None]] = {
        name: [None] * event["after"] + latest for name, latest in event["latest"].items()
    }
    refit = tuple(event["refit"]) if event["refit"] else None
    return RunningTrial(trial, event["started"], curves, event["train_seconds"], refit, event["resumed"])


def suite_started(number: int, suite: BundledSuite, reused: list[Record], slots: int) -> Event:
    """The event that begins a suite, with the records that it starts from and the follower may lack."""
    fresh = fresh_to_json(suite.trials) if suite.is_confirmation else None
    return {"suite": number, "reused": [record.to_json() for record in reused], "slots": slots, "fresh": fresh}


def fresh_to_json(fresh: Sequence[Trial]) -> list[list[Any]]:
    """Trials with fresh seeds, for an event."""
    return [[trial.config_key, trial.seed, trial.key] for trial in fresh]


def fresh_from_json(values: list[list[Any]], trials: Iterable[Trial]) -> list[Trial]:
    """The trials with fresh seeds that an event names, of the configurations of known `trials`."""
    by_configuration = {trial.config_key: trial for trial in trials}
    return [
        replace(by_configuration[config_key], seed=seed, key=key, search=None)
        for config_key, seed, key in values
        if config_key in by_configuration
    ]
