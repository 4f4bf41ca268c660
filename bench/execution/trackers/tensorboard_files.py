"""TensorBoard's event files: a folder per suite, and in it one per trial."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams.summary_v2 import hparams_pb
from tensorboard.plugins.text.summary_v2 import text_pb
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from bench.execution.trackers.tracker import EpochRow, TrackedState, TrackedTrial, description, final_metrics
from bench.ledger.record import Record

MAX_NAME = 200
"""Characters of a folder's name; file systems allow 255 bytes."""
FLUSH_SECONDS = 5
STATUS = "status"


class TensorBoardFiles:
    """See `bench.execution.trackers.tracker.Tracker`; what a folder's event files hold is read from them."""

    def __init__(self, folder: Path, suite: str):
        self.folder = folder / _file_name(suite or "trials")
        self._writers: dict[str, EventFileWriter] = {}

    def find(self, trial: TrackedTrial) -> TrackedState:
        epoch, status = 0, ""
        for path in sorted(self._folder(trial).glob("events.*")):
            for event in LegacyEventFileLoader(str(path)).Load():
                for value in event.summary.value:
                    if value.tag.startswith("epoch/"):
                        epoch = max(epoch, event.step)
                    elif value.tag == STATUS:
                        status = value.tensor.string_val[0].decode()
        return TrackedState(epoch, status)

    def begin(self, trial: TrackedTrial, *, anew: bool) -> None:
        folder = self._folder(trial)
        if anew and folder.exists():
            shutil.rmtree(folder)
        is_new = not folder.exists()
        _wait_for_later_name(folder)
        self._writers[trial.key] = EventFileWriter(str(folder), flush_secs=FLUSH_SECONDS)
        if is_new:
            self._add(trial, hparams_pb(dict(trial.parameters), trial_id=trial.key), 0)
            lines = "\n".join(f"- {name}: {value}" for name, value in {**trial.parameters, "key": trial.key}.items())
            self._add(trial, text_pb("configuration", lines), 0)

    def epochs(self, trial: TrackedTrial, rows: Sequence[EpochRow]) -> None:
        for epoch, metrics in rows:
            self._add(trial, _scalars({f"epoch/{name}": value for name, value in metrics.items()}), epoch)
        self._writers[trial.key].flush()

    def end(self, trial: TrackedTrial, record: Record | None) -> None:
        if record:
            self._add(trial, _scalars(final_metrics(record)), record.result.epochs_run)
            for name, text in description(record).items():
                self._add(trial, text_pb(name, text), record.result.epochs_run)
        self._writers.pop(trial.key).close()

    def close(self) -> None:
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()

    def _folder(self, trial: TrackedTrial) -> Path:
        return self.folder / _file_name(trial.name)

    def _add(self, trial: TrackedTrial, summary: Any, step: int) -> None:
        self._writers[trial.key].add_event(Event(wall_time=time.time(), step=step, summary=summary))


def _wait_for_later_name(folder: Path) -> None:
    """Readers order a folder's files by name, `events.out.tfevents.<second>.<host>.<process>.<number>`.

    Of two files of one second, the number 10 comes before 9: a continuation waits for the next second.
    """
    seconds = [int(path.name.split(".")[3]) for path in folder.glob("events.out.tfevents.*")]
    if seconds and 0 <= (delay := max(seconds) + 1 - time.time()) <= 1:
        time.sleep(delay)


def _scalars(metrics: dict[str, float]) -> Summary:
    return Summary(value=[Summary.Value(tag=name, simple_value=value) for name, value in metrics.items()])


def _file_name(text: str) -> str:
    """A name that any file system takes; a trial's seed and key stand at the end of its own."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", text)[-MAX_NAME:].lstrip(".")
