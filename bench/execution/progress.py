"""How a run is shown while it goes on: a table that renews itself in a terminal, plain lines elsewhere."""

from __future__ import annotations

import html
import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from bench.errors import plural
from bench.execution.adaptive_search import to_propose
from bench.execution.scheduler import RunningTrial
from bench.ledger.record import Record
from bench.suite.labels import labels
from bench.suite.trial import Trial

LINE_SECONDS = 30.0
"""Without a terminal, how often running trials are mentioned."""
NOTEBOOK_SECONDS = 0.5
"""How often the table in a notebook's cell is replaced."""


class ProgressListener(Protocol):
    """Hears of all that happens to a run's trials."""

    def trials_added(self, trials: Sequence[Trial], n_to_propose: int) -> None:
        """A search has proposed trials; so many are still to come."""

    def trial_started(self, running: RunningTrial) -> None: ...
    def trial_resumed(self, running: RunningTrial) -> None: ...
    def trial_progressed(self, running: RunningTrial) -> None: ...
    def trial_paused(self, running: RunningTrial) -> None: ...
    def trial_ended(self, trial: Trial, record: Record) -> None: ...
    def note(self, text: str) -> None: ...


class ProgressDisplay(ProgressListener, AbstractContextManager["ProgressDisplay"], Protocol):
    """A listener that is entered when the run starts, and left at its end."""


def confirmation_text(fresh: Sequence[Trial]) -> str:
    """The line that begins the training of fresh seeds."""
    configurations = plural(len({trial.config_key for trial in fresh}), "configuration")
    seeds = plural(len({trial.seed for trial in fresh}), "fresh seed")
    return f"confirm: {configurations}, selected on validation and rivals, with {seeds}"


class ProgressStats:
    """Counts, the best validation accuracy and the time left. `show_command` is the command that shows one trial."""

    def __init__(self, trials: Sequence[Trial], reused: Sequence[Record], slots: int, show_command: str = "bench show"):
        self.show_command = show_command
        self.trials: dict[str, Trial] = {}
        self.labels: dict[str, str] = {}
        self.n_to_propose = sum(len(seeds) * len(numbers) for seeds, numbers in to_propose(trials).values())
        self.status = Counter(record.status for record in reused)
        self.reused = len(reused)
        self.skipped = 0
        self.slots = slots
        self.running: dict[str, RunningTrial] = {}
        self.paused: set[str] = set()
        self.best: tuple[float, str] | None = None
        self.started = time.monotonic()
        self._pace: dict[str, tuple[float, int]] = {}
        # Updated trial by trial: with 100,000 of them, looking at all takes a good part of a second each time.
        self._left: set[str] = set()
        self._epochs_left: Counter[str] = Counter()
        self._keys_of_group: dict[int, list[str]] = {}
        self._add(trials, {record.key for record in reused})
        for record in reused:
            self._update_best(record)

    def add(self, trials: Sequence[Trial], n_to_propose: int) -> None:
        """Take in trials that a search has proposed; so many are still to come."""
        self.n_to_propose = n_to_propose
        self._add(trials, set())

    def _add(self, trials: Sequence[Trial], done: set[str]) -> None:
        self.trials |= {trial.key: trial for trial in trials}
        by_group = {trial.group: trial.config.to_json() for trial in self.trials.values()}
        label_of_group = dict(zip(by_group, labels(list(by_group.values())), strict=True))
        several_seeds = len({trial.seed for trial in self.trials.values()}) > 1
        self.labels |= {
            key: label_of_group[trial.group] + (f" · seed {trial.seed}" if several_seeds else "")
            for key, trial in self.trials.items()
        }
        for trial in trials:
            if trial.key not in done:
                self._left.add(trial.key)
                self._epochs_left[_network(trial)] += trial.config.epochs
                self._keys_of_group.setdefault(trial.group, []).append(trial.key)

    def start(self, running: RunningTrial) -> None:
        self.paused.discard(running.trial.key)
        self.running[running.trial.key] = running

    def pause(self, running: RunningTrial) -> None:
        """A trial waits for others at its rung of pruning."""
        self.paused.add(running.trial.key)
        self.running.pop(running.trial.key, None)

    def end(self, trial: Trial, record: Record) -> None:
        self.running.pop(trial.key, None)
        self.paused.discard(trial.key)
        self._remove(trial.key)
        self.status[record.status] += 1
        if record.pruning and record.status != "complete":  # the configuration's other seeds will not run
            self.skipped += sum(self._remove(key) for key in self._keys_of_group.get(trial.group, []))
        if record.result.epochs_run:
            seconds, epochs = self._pace.get(_network(trial), (0.0, 0))
            seconds += record.run_info.train_seconds + record.run_info.evaluation_seconds
            self._pace[_network(trial)] = seconds, epochs + record.result.epochs_run
        self._update_best(record)

    def _remove(self, key: str) -> bool:
        """Remove a trial from those that are left; whether it was one of them."""
        if key not in self._left:
            return False
        self._left.discard(key)
        self._epochs_left[_network(self.trials[key])] -= self.trials[key].config.epochs
        return True

    def _update_best(self, record: Record) -> None:
        accuracy = (record.result.validation or {}).get("accuracy")
        if accuracy is not None and record.key in self.labels and (self.best is None or accuracy > self.best[0]):
            self.best = accuracy, self.labels[record.key]

    def time_left(self) -> str:
        """From the pace of the trials that ended in this run, by network; "" before any has ended.

        Networks of which no trial has ended yet are not in the estimate, which then says "more than".
        """
        epochs_left = {network: epochs for network, epochs in self._epochs_left.items() if epochs}
        is_partial = not epochs_left.keys() <= self._pace.keys()
        for key, running in list(self.running.items()):
            if key in self._left:
                epochs_left[_network(running.trial)] -= running.epoch
        total = 0.0
        for network, count in epochs_left.items():
            seconds, epochs = self._pace.get(network, (0.0, 1))
            total += count * seconds / epochs
        if not total:
            return ""
        text = duration(total / max(1, min(self.slots, len(self._left))))
        return f"more than {text} left" if is_partial else f"about {text} left"

    def counts(self) -> str:
        count = len(self.trials) + self.n_to_propose - self.skipped
        parts = [f"{sum(self.status.values())} of {plural(count, 'trial')} ended"]
        parts += [
            f"{self.status[s]} {s.replace('_', ' ')}"
            for s in ("pruned", "timed_out", "diverged", "failed")
            if self.status[s]
        ]
        if self.running:
            parts.append(f"{len(self.running)} running")
        if self.paused:
            parts.append(f"{len(self.paused)} waiting for their rung")
        if self.reused:
            parts.append(f"{self.reused} from the ledger")
        return ", ".join(parts)

    def outlook(self) -> str:
        best = f"best validation so far {100 * self.best[0]:.2f} % ({self.best[1]})" if self.best else ""
        return "; ".join(part for part in (best, self.time_left()) if part)

    def elapsed(self) -> str:
        return duration(time.monotonic() - self.started)


def _network(trial: Trial) -> str:
    """What determines a trial's pace: its network and its data."""
    return f"{trial.config.dataset.name} {trial.config.model.name}"


def duration(seconds: float) -> str:
    """``45 s``, ``3 min 20 s``, ``2 h 5 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{int(seconds // 60)} min {int(seconds % 60)} s"
    return f"{int(seconds // 3600)} h {int(seconds % 3600 // 60)} min"


def accuracy_text(running: RunningTrial) -> str:
    curve = running.curves.get("val_accuracy") or running.curves.get("train_accuracy") or [None]
    part = "validation" if "val_accuracy" in running.curves else "training"
    return f"{part} {100 * curve[-1]:.2f} %" if curve[-1] is not None else ""


def epoch_text(running: RunningTrial) -> str:
    """``epoch 6/30 (resumed after 5)``, ``refit epoch 2/12``."""
    epoch, epochs = running.refit or (running.epoch, running.trial.config.epochs)
    resumed = f" (resumed after {running.resumed})" if running.resumed is not None else ""
    return f"{'refit ' if running.refit else ''}epoch {epoch}/{epochs}{resumed}"


class LiveProgress:
    """A table in the terminal; use as a context manager."""

    def __init__(self, stats: ProgressStats, console: Console):
        self.stats = stats
        self.console = console
        self.live = Live(get_renderable=self.render, console=console, refresh_per_second=4, transient=True)

    def __enter__(self) -> LiveProgress:
        self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.live.stop()
        self.console.print(f"{self.stats.counts()}; took {self.stats.elapsed()}")

    def render(self) -> Group:
        table = Table(box=None, pad_edge=False, show_header=False)
        for running in list(self.stats.running.values()):
            epoch, epochs = running.refit or (running.epoch, running.trial.config.epochs)
            table.add_row(
                Text(self.stats.labels[running.trial.key]),
                ProgressBar(epochs, epoch, width=20),
                Text(epoch_text(running)),
                Text(accuracy_text(running)),
            )
        head = Text(f"{self.stats.counts()}; {self.stats.elapsed()} so far", style="bold")
        return Group(head, table, Text(self.stats.outlook(), style="dim"))

    def trials_added(self, trials: Sequence[Trial], n_to_propose: int) -> None:
        self.stats.add(trials, n_to_propose)

    def trial_started(self, running: RunningTrial) -> None:
        self.stats.start(running)

    def trial_resumed(self, running: RunningTrial) -> None: ...

    def trial_progressed(self, running: RunningTrial) -> None: ...

    def trial_paused(self, running: RunningTrial) -> None:
        self.stats.pause(running)

    def trial_ended(self, trial: Trial, record: Record) -> None:
        self.stats.end(trial, record)
        if record.status in ("failed", "diverged"):
            self.note(end_line(self.stats, trial, record))

    def note(self, text: str) -> None:
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)


class PlainProgress:
    """One line when a trial ends, and now and then one on what runs, at most one in `seconds`; for files and pipes."""

    def __init__(self, stats: ProgressStats, console: Console, seconds: float = LINE_SECONDS):
        self.stats = stats
        self.console = console
        self.seconds = seconds
        self._last_line = time.monotonic()

    def __enter__(self) -> PlainProgress:
        return self

    def __exit__(self, *_: object) -> None:
        self.note(f"{self.stats.counts()}; took {self.stats.elapsed()}")

    def trials_added(self, trials: Sequence[Trial], n_to_propose: int) -> None:
        self.stats.add(trials, n_to_propose)

    def trial_started(self, running: RunningTrial) -> None:
        self.stats.start(running)

    def trial_resumed(self, running: RunningTrial) -> None:
        after = epoch_text(replace(running, resumed=None))
        self.note(f"{self.stats.labels[running.trial.key]}: resumed after {after}")

    def trial_progressed(self, running: RunningTrial) -> None:
        if time.monotonic() - self._last_line > self.seconds:
            label = self.stats.labels[running.trial.key]
            self.note(f"{label}: {epoch_text(running)}, {accuracy_text(running)}; {self.stats.outlook()}")

    def trial_paused(self, running: RunningTrial) -> None:
        self.stats.pause(running)

    def trial_ended(self, trial: Trial, record: Record) -> None:
        self.stats.end(trial, record)
        self.note(f"[{self.stats.counts()}] {end_line(self.stats, trial, record)}")

    def note(self, text: str) -> None:
        self._last_line = time.monotonic()
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)


class NotebookProgress:
    """A table in a notebook's cell, which is replaced as the run goes on; at its end one line stays."""

    def __init__(self, stats: ProgressStats):
        from IPython.display import display

        self.stats = stats
        self._messages: list[str] = []
        self._updated = -math.inf
        self._handle: Any = display(self, display_id=True)  # type: ignore[no-untyped-call]

    def __enter__(self) -> NotebookProgress:
        return self

    def __exit__(self, *_: object) -> None:
        self.stats.running.clear()
        self._update(f"{self.stats.counts()}; took {self.stats.elapsed()}")

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(self.stats.counts())}</p>"

    def trials_added(self, trials: Sequence[Trial], n_to_propose: int) -> None:
        self.stats.add(trials, n_to_propose)

    def trial_started(self, running: RunningTrial) -> None:
        self.stats.start(running)
        self._update_now_and_then()

    def trial_resumed(self, running: RunningTrial) -> None: ...

    def trial_progressed(self, running: RunningTrial) -> None:  # noqa: ARG002
        self._update_now_and_then()

    def trial_paused(self, running: RunningTrial) -> None:
        self.stats.pause(running)

    def trial_ended(self, trial: Trial, record: Record) -> None:
        self.stats.end(trial, record)
        if record.status in ("failed", "diverged"):
            self.note(end_line(self.stats, trial, record))
        self._update_now_and_then()

    def note(self, text: str) -> None:
        self._messages.append(text)

    def _update_now_and_then(self) -> None:
        if time.monotonic() - self._updated > NOTEBOOK_SECONDS:
            self._updated = time.monotonic()
            self._update(f"{self.stats.counts()}; {self.stats.elapsed()} so far")

    def _update(self, head: str) -> None:
        rows = []
        for running in list(self.stats.running.values()):
            epoch, epochs = running.refit or (running.epoch, running.trial.config.epochs)
            label, state = self.stats.labels[running.trial.key], f"{epoch_text(running)} {accuracy_text(running)}"
            bar = f'<progress max="{epochs}" value="{epoch}"></progress>'
            rows.append(f"<tr><td>{html.escape(label)}</td><td>{bar}</td><td>{html.escape(state)}</td></tr>")
        outlook = self.stats.outlook() if rows else ""
        lines = [
            f"<strong>{html.escape(head)}</strong>",
            *map(html.escape, [*self._messages, *filter(None, [outlook])]),
        ]
        text = "\n".join([head, *self._messages])
        page = "<br>".join(lines) + (f"<table>{''.join(rows)}</table>" if rows else "")
        self._handle.update({"text/html": page, "text/plain": text}, raw=True)


def console_progress(console: Console, every_epoch: bool = False) -> Callable[[ProgressStats], ProgressDisplay]:
    """How a run is displayed: a table in a notebook or a terminal, lines elsewhere; or a line for every epoch."""

    def display(stats: ProgressStats) -> ProgressDisplay:
        if every_epoch:
            return PlainProgress(stats, console, seconds=0.0)
        if console.is_jupyter and not console.quiet:
            return NotebookProgress(stats)
        return LiveProgress(stats, console) if console.is_terminal else PlainProgress(stats, console)

    return display


def end_line(stats: ProgressStats, trial: Trial, record: Record) -> str:
    """What became of a trial, in one line; never its test accuracy, which is for the report."""
    label, show = stats.labels[trial.key], f"{stats.show_command} {trial.key[:8]}"
    if record.status == "failed" and record.failure:
        reason = f"{record.failure['kind']}: {record.failure['message']}"
        output = f"; what it printed: `{show} --log`" if record.failure.get("printed") else ""
        return f"{label}: failed in epoch {record.last_epoch}: {reason} (`{show}`{output})"
    if record.status == "timed_out":
        minutes = f"{record.run_info.train_seconds / 60:.3g} min"
        return f"{label}: timed out in epoch {record.result.epochs_run} after {minutes} of training (`max_minutes`)"
    if record.status == "diverged":
        return f"{label}: diverged in epoch {record.result.epochs_run}: the loss is not finite"
    curve = record.result.curves.get("val_accuracy") or [None]
    accuracy = record.result.validation["accuracy"] if record.result.validation else curve[-1]
    text = f", validation {100 * accuracy:.2f} %" if accuracy is not None else ""
    return f"{label}: {record.status} after {plural(record.result.epochs_run, 'epoch')}{text}"
