"""One task of a SLURM array: a driver that runs, with the others, what the ledger lacks of a submitted run."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable, Container, Sequence
from dataclasses import replace
from itertools import takewhile
from pathlib import Path

from rich.console import Console

from bench.data import Dataset
from bench.errors import UserError
from bench.execution.checkpoints import checkpoint_times
from bench.execution.cluster.bundle import BundledSuite, RunBundle, unpack
from bench.execution.cluster.driver import SelectFresh
from bench.execution.cluster.events import (
    EVENTS,
    Event,
    EventFile,
    EventRecorder,
    fresh_to_json,
    read_events,
    write_proposed,
)
from bench.execution.keep_weights import settle
from bench.execution.messages import RunOptions
from bench.execution.run_trials import run_trials
from bench.execution.signals import INTERRUPTED, finishing, is_stop, stop_on_signals
from bench.execution.slurm_array import TASKS
from bench.execution.user_dataset import load_dataset
from bench.ledger.ledger import Ledger
from bench.ledger.store import list_entries
from bench.streams import tolerant_streams
from bench.system import slots

_Saved = dict[str, tuple[int | None, int]]


GAVE_UP = 3
"""The exit code of a task that is not to be queued again though it was stopped."""
MAX_FUTILE_STOPS = 3
"""A task that was stopped so often in a row, each time without a new checkpoint or record, is not queued again."""


def drive_task(folder: Path, task: str, select_fresh: SelectFresh) -> int:
    """Run what `folder` holds; the exit code. What happens is written to the task's events, errors too.

    The code is `INTERRUPTED` where the task was stopped and may be queued again, `GAVE_UP` where it should not.
    """
    own_folder = folder / TASKS / task
    earlier, offset = read_events(own_folder / EVENTS)
    events = EventFile(own_folder)
    saved_before: _Saved | None = None
    with tolerant_streams(), stop_on_signals():
        try:
            bundle = unpack(folder)
            saved_before = _saved(bundle)
            failed = _drive(bundle, events, select_fresh)
        except BaseException as error:
            if is_stop(error):
                with finishing():
                    started = {event["key"] for event in read_events(own_folder / EVENTS, offset)[0] if "key" in event}
                    if saved_before is not None and _is_ahead(bundle, saved_before, started):
                        events.close("stopped")
                        return INTERRUPTED
                    return _stopped_in_vain(events, task, 1 + _futile_stops(earlier))
            events.close("error", message=f"task {task}: {error if isinstance(error, UserError) else repr(error)}")
            if isinstance(error, UserError):
                print(error, file=sys.stderr)
                return 2
            raise
    events.close("done", failed=failed)
    return 1 if failed else 0


def _saved(bundle: RunBundle) -> _Saved:
    """By key, what a later start goes on from: the time of the last checkpoint, and how many entries there are."""
    store = Ledger(bundle.results).store
    checkpoints = checkpoint_times(store.local)
    n_entries = Counter(name.partition("-")[0] for name in list_entries(store).entries)
    return {key: (checkpoints.get(key), n_entries[key]) for key in checkpoints.keys() | n_entries.keys()}


def _is_ahead(bundle: RunBundle, before: _Saved, started: Container[str]) -> bool:
    """Whether a trial that started here is further than before, or any where none did: others trained them."""
    try:
        after = _saved(bundle)
    except (UserError, OSError):  # the ledger cannot be reached now
        return True
    return any(after[key] != before.get(key) for key in after if key in started or not started)


def _futile_stops(events: Sequence[Event]) -> int:
    """How many of the last stops in a row left nothing new."""
    stops = [event for event in events if event["event"] == "closed"]
    return len(list(takewhile(lambda event: event.get("futile"), reversed(stops))))


def _stopped_in_vain(events: EventFile, task: str, times: int) -> int:
    """Close the events of a task that was stopped without a new checkpoint or record; its exit code."""
    in_a_row = f", {times} times in a row" if times > 1 else ""
    text = (
        f"task {task} was stopped before a new checkpoint or record{in_a_row}. Queued again, it starts from the same "
        "point.\n  Raise `time` in the SLURM file (it has to hold the start, one epoch and `lead_seconds`), or lower "
        "--checkpoint-after"
    )
    if times < MAX_FUTILE_STOPS:
        events.write("note", text=text)
        events.close("stopped", futile=True)
        return INTERRUPTED
    text += "\n  bench does not queue it again; the same `bench run`, so changed, goes on from what the ledger has"
    events.close("error", message=text, futile=True)
    print(text, file=sys.stderr)
    return GAVE_UP


def _drive(bundle: RunBundle, events: EventFile, select_fresh: SelectFresh) -> bool:
    """Run all suites; whether trials failed."""
    ledger = Ledger(bundle.results)
    ledger.check_writable()

    def note(text: str) -> None:
        events.write("note", text=text)

    datasets: dict[str, Dataset] = {}
    for trial in bundle.trials:
        if trial.data not in datasets:
            datasets[trial.data] = load_dataset(trial, None, note)
    workers = max(trial.config.workers for trial in bundle.trials)
    options = node_options(bundle.options, workers)

    def run(suite: BundledSuite) -> bool:
        console, suite_options = Console(markup=False, highlight=False), suite.options(options)
        write_proposed(events, suite.trials, suite.trials_so_far(ledger, options.forced), suite.done(ledger))
        records = run_trials(suite.trials, datasets, ledger, console, suite_options, display=_recorder(events))
        settle(suite.trials_so_far(ledger, options.forced), ledger, suite_options)
        return any(record.status == "failed" for record in records)

    failed = False
    for suite in bundle.suites:
        failed |= run(suite)
        if fresh := select_fresh(ledger, suite):
            events.write("confirming", fresh=fresh_to_json(fresh))
            failed |= run(suite.confirmation(fresh))
    return failed


def _recorder(events: EventFile) -> Callable[..., EventRecorder]:
    return lambda stats: EventRecorder(stats, events, lambda _: None)


def node_options(options: RunOptions, workers: int) -> RunOptions:
    """The run's options on this node: as many trials side by side as SLURM gave CPUs; one alone needs no Ray."""
    n_slots = slots(options.cpus_per_trial, options.gpus_per_trial, options.jobs)
    allocated = os.environ.get("SLURM_CPUS_ON_NODE")
    if allocated and options.jobs is None:
        n_slots = max(1, min(n_slots, int(int(allocated) / options.cpus_per_trial)))
    alone = n_slots == 1 and workers == 1
    return replace(options, jobs=None if alone else n_slots, use_ray=not alone)
