"""The live view of a run: a table that renews itself in a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from bench.errors import plural
from bench.execution.scheduler import ProgressListener, RunningTrial
from bench.ledger.record import Record
from bench.suite.labels import labels
from bench.suite.trial import Trial

LINE_SECONDS = 30.0
"""Without a terminal, how often running trials are mentioned."""


class ProgressStats:
    """Counts, the best figure and the time left; what both views show. `show` is the command for one trial."""

    def __init__(self, trials: Sequence[Trial], reused: Sequence[Record], slots: int, show: str = "bench show"):
        self.show = show
        names = labels([trial.config for trial in {trial.group: trial for trial in trials}.values()])
        by_group = dict(zip({trial.group: None for trial in trials}, names, strict=True))
        several = len({trial.seed for trial in trials}) > 1
        self.names = {t.key: by_group[t.group] + (f" · seed {t.seed}" if several else "") for t in trials}
        self.trials = {trial.key: trial for trial in trials}
        self.status = Counter(record.status for record in reused)
        self.reused = len(reused)
        self.spared = 0
        self.slots = slots
        self.running: dict[str, RunningTrial] = {}
        self.best: tuple[float, str] | None = None
        self.started = time.monotonic()
        self._pace: dict[str, tuple[float, int]] = {}
        # Kept up to date trial by trial: with 100,000 of them, looking at all takes a good part of a second each time.
        self._left = {trial.key for trial in trials} - {record.key for record in reused}
        self._epochs_left: Counter[str] = Counter()
        self._of_group: dict[int, list[str]] = {}
        for key in self._left:
            trial = self.trials[key]
            self._epochs_left[_kind(trial)] += trial.config["epochs"]
            self._of_group.setdefault(trial.group, []).append(key)
        for record in reused:
            self._consider(record)

    def start(self, running: RunningTrial) -> None:
        self.running[running.trial.key] = running

    def end(self, trial: Trial, record: Record) -> None:
        self.running.pop(trial.key, None)
        self._ended(trial.key)
        self.status[record.status] += 1
        if record.pruning and record.status != "complete":  # the configuration's other seeds will not run
            self.spared += sum(self._ended(key) for key in self._of_group.get(trial.group, []))
        if record.result.epochs_run:
            seconds, epochs = self._pace.get(_kind(trial), (0.0, 0))
            spent = record.run_info.train_seconds + record.run_info.evaluation_seconds
            self._pace[_kind(trial)] = seconds + spent, epochs + record.result.epochs_run
        self._consider(record)

    def _ended(self, key: str) -> bool:
        """Count a trial as left no longer; whether it was."""
        if key not in self._left:
            return False
        self._left.discard(key)
        self._epochs_left[_kind(self.trials[key])] -= self.trials[key].config["epochs"]
        return True

    def _consider(self, record: Record) -> None:
        figure = (record.result.validation or {}).get("accuracy")
        if figure is not None and record.key in self.names and (self.best is None or figure > self.best[0]):
            self.best = figure, self.names[record.key]

    def time_left(self) -> str:
        """From the pace of the trials that ended in this run, by model; "" while there is nothing to go by.

        Models of which none has ended yet are not in the figure, which then says "more than".
        """
        left = {kind: epochs for kind, epochs in self._epochs_left.items() if epochs}
        unknown = not left.keys() <= self._pace.keys()
        for key, running in list(self.running.items()):
            if key in self._left:
                left[_kind(running.trial)] -= running.epoch
        total = 0.0
        for kind, count in left.items():
            seconds, epochs = self._pace.get(kind, (0.0, 1))
            total += count * seconds / epochs
        if not total:
            return ""
        shown = duration(total / max(1, min(self.slots, len(self._left))))
        return f"more than {shown} left" if unknown else f"about {shown} left"

    def counts(self) -> str:
        parts = [f"{sum(self.status.values())} of {plural(len(self.trials) - self.spared, 'trial')} ended"]
        parts += [f"{self.status[s]} {s}" for s in ("pruned", "diverged", "failed") if self.status[s]]
        if self.running:
            parts.append(f"{len(self.running)} running")
        if self.reused:
            parts.append(f"{self.reused} from the ledger")
        return ", ".join(parts)

    def outlook(self) -> str:
        best = f"best validation so far {100 * self.best[0]:.2f} % ({self.best[1]})" if self.best else ""
        return "; ".join(part for part in (best, self.time_left()) if part)


def _kind(trial: Trial) -> str:
    return f"{trial.config['dataset']['name']} {trial.config['model']['name']}"


def duration(seconds: float) -> str:
    """``45 s``, ``3 min 20 s``, ``2 h 5 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{int(seconds // 60)} min {int(seconds % 60)} s"
    return f"{int(seconds // 3600)} h {int(seconds % 3600 // 60)} min"


def accuracy_text(running: RunningTrial) -> str:
    curve = running.curves.get("val_accuracy") or running.curves.get("train_accuracy") or [None]
    kind = "validation" if "val_accuracy" in running.curves else "training"
    return f"{kind} {100 * curve[-1]:.2f} %" if curve[-1] is not None else ""


def epoch_text(running: RunningTrial) -> str:
    """``epoch 6/30 (resumed after 5)``, ``refit epoch 2/12``."""
    epoch, epochs = running.refit or (running.epoch, running.trial.config["epochs"])
    resumed = f" (resumed after {running.resumed})" if running.resumed is not None else ""
    return f"{'refit ' if running.refit else ''}epoch {epoch}/{epochs}{resumed}"


class LiveProgress:
    """A table in the terminal; use as a context manager."""

    def __init__(self, tally: ProgressStats, console: Console):
        self.tally = tally
        self.console = console
        self.live = Live(get_renderable=self.render, console=console, refresh_per_second=4, transient=True)

    def __enter__(self) -> LiveProgress:
        self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.live.stop()
        self.console.print(f"{self.tally.counts()}; took {duration(time.monotonic() - self.tally.started)}")

    def render(self) -> Group:
        table = Table(box=None, pad_edge=False, show_header=False)
        for running in list(self.tally.running.values()):
            epoch, epochs = running.refit or (running.epoch, running.trial.config["epochs"])
            table.add_row(
                Text(self.tally.names[running.trial.key]),
                ProgressBar(epochs, epoch, width=20),
                Text(epoch_text(running)),
                Text(accuracy_text(running)),
            )
        head = Text(f"{self.tally.counts()}; {duration(time.monotonic() - self.tally.started)} so far", style="bold")
        return Group(head, table, Text(self.tally.outlook(), style="dim"))

    def trial_started(self, running: RunningTrial) -> None:
        self.tally.start(running)

    def trial_resumed(self, running: RunningTrial) -> None: ...

    def trial_progressed(self, running: RunningTrial) -> None: ...

    def trial_ended(self, trial: Trial, record: Record) -> None:
        self.tally.end(trial, record)
        if record.status in ("failed", "diverged"):
            self.note(end_line(self.tally, trial, record))

    def note(self, text: str) -> None:
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)


class PlainProgress:
    """One line when a trial ends, and now and then one on what runs; for files and pipes."""

    def __init__(self, tally: ProgressStats, console: Console):
        self.tally = tally
        self.console = console
        self._said = time.monotonic()

    def __enter__(self) -> PlainProgress:
        return self

    def __exit__(self, *_: object) -> None:
        self.note(f"{self.tally.counts()}; took {duration(time.monotonic() - self.tally.started)}")

    def trial_started(self, running: RunningTrial) -> None:
        self.tally.start(running)

    def trial_resumed(self, running: RunningTrial) -> None:
        place = epoch_text(replace(running, resumed=None))
        self.note(f"{self.tally.names[running.trial.key]}: goes on after {place}")

    def trial_progressed(self, running: RunningTrial) -> None:
        if time.monotonic() - self._said > LINE_SECONDS:
            name = self.tally.names[running.trial.key]
            self.note(f"{name}: {epoch_text(running)}, {accuracy_text(running)}; {self.tally.outlook()}")

    def trial_ended(self, trial: Trial, record: Record) -> None:
        self.tally.end(trial, record)
        self.note(f"[{self.tally.counts()}] {end_line(self.tally, trial, record)}")

    def note(self, text: str) -> None:
        self._said = time.monotonic()
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)


class ProgressDisplay(ProgressListener, AbstractContextManager["ProgressDisplay"], Protocol):
    """A view that is entered when the run starts, and left at its end."""


def console_progress(console: Console) -> Callable[[ProgressStats], ProgressDisplay]:
    """What a person watches a run by: the table in a terminal, lines elsewhere."""
    return lambda tally: LiveProgress(tally, console) if console.is_terminal else PlainProgress(tally, console)


def end_line(tally: ProgressStats, trial: Trial, record: Record) -> str:
    """What became of a trial, in one line; never its test figure, which is for the report."""
    name = tally.names[trial.key]
    if record.status == "failed" and record.failure:
        reason = f"{record.failure['kind']}: {record.failure['message']}"
        says = f"`{tally.show} {trial.key[:8]}`{', with what it printed' if record.failure.get('printed') else ''}"
        return f"{name}: failed in epoch {record.last_epoch}: {reason} ({says})"
    if record.status == "diverged":
        return f"{name}: diverged in epoch {record.result.epochs_run}: the loss is not finite"
    curve = record.result.curves.get("val_accuracy") or [None]
    figure = record.result.validation["accuracy"] if record.result.validation else curve[-1]
    shown = f", validation {100 * figure:.2f} %" if figure is not None else ""
    return f"{name}: {record.status} after {plural(record.result.epochs_run, 'epoch')}{shown}"
