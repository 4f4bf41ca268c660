"""Feeding trackers: from a run by a thread that never makes the run wait, and from the records of a ledger."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from bench.errors import UserError, escaped_line, plural
from bench.execution.progress import ProgressDisplay
from bench.execution.scheduler import RunningTrial
from bench.execution.trackers.tracker import (
    Destination,
    EpochRow,
    TrackedState,
    TrackedTrial,
    Tracker,
    epoch_rows,
    of_record,
    of_trial,
)
from bench.ledger.record import Record
from bench.ledger.store import with_results
from bench.suite.trial import Trial

MAX_MESSAGES = 10_000
"""How many messages may wait for a tracker; what comes on top is lost for it."""
RETRY_SECONDS = 30.0
"""How long a tracker that failed is left alone."""
QUIET_SECONDS = 30.0
"""At the end of a run a tracker is waited for as long as it takes something in every so often."""
STOPPED_SECONDS = 5.0
"""How long it is waited for when the run was stopped."""


@dataclass(frozen=True)
class TrialNews:
    """What happened to a trial: epochs, its end, or that it starts (none of both)."""

    trial: TrackedTrial
    rows: Sequence[EpochRow] = ()
    record: Record | None = None


@dataclass
class _Unsent:
    """A trial that runs, and what its tracker does not have yet; `state` is None until the tracker was asked."""

    trial: TrackedTrial
    state: TrackedState | None = None
    rows: list[EpochRow] = field(default_factory=list)
    record: Record | None = None


class TrackingThread:
    """Feeds one tracker. `forced` are the keys of trials whose runs there are replaced.

    A tracker that is down or slow delays nothing: messages wait in a queue, one line warns, and `close` says how many
    trials it lacks something of. A trial that ends while the tracker answers is there in full, whatever was lost of it.
    """

    def __init__(self, destination: Destination, suite: str, note: Callable[[str], None], forced: Iterable[str] = ()):
        self.destination = destination
        self._suite, self._note, self._forced = suite, note, set(forced)
        self._queue: queue.Queue[TrialNews | None] = queue.Queue(MAX_MESSAGES)
        self._tracker: Tracker | None = None
        self._unsent: dict[str, _Unsent] = {}
        self._lost: set[str] = set()
        self._warned = False
        self._not_before = self._active = time.monotonic()
        self._thread = threading.Thread(target=self._run, name=f"log to {destination.tracker}", daemon=True)
        self._thread.start()

    def put(self, news: TrialNews) -> None:
        try:
            self._queue.put_nowait(news)
        except queue.Full:
            self._lost.add(news.trial.key)

    def close(self, *, stopped: bool) -> int:
        """Wait for what is under way, not long; the number of trials that the tracker lacks something of."""
        deadline = time.monotonic() + STOPPED_SECONDS if stopped else float("inf")
        self._active = time.monotonic()
        with contextlib.suppress(queue.Full):
            self._queue.put(None, timeout=STOPPED_SECONDS if stopped else QUIET_SECONDS)
        while self._thread.is_alive() and time.monotonic() < min(deadline, self._active + QUIET_SECONDS):
            self._thread.join(0.05)
        if self._thread.is_alive():  # it hangs in a request: what waits for it is lost
            unsent = [unsent.trial.key for unsent in list(self._unsent.values())]
            queued = [news.trial.key for news in list(self._queue.queue) if news]
            self._lost.update(unsent, queued)
        return len(self._lost)

    def _run(self) -> None:
        while True:
            batch = [self._queue.get()]
            with contextlib.suppress(queue.Empty):
                while batch[-1] is not None:
                    batch.append(self._queue.get_nowait())
            keys = dict.fromkeys(self._take(news) for news in batch if news)
            for key in keys:
                self._send(key)
                self._active = time.monotonic()
            if batch[-1] is None:
                self._finish()
                return

    def _take(self, news: TrialNews) -> str:
        unsent = self._unsent.setdefault(news.trial.key, _Unsent(news.trial))
        unsent.rows += news.rows
        unsent.record = news.record or unsent.record
        return news.trial.key

    def _send(self, key: str) -> None:
        """Send what a trial's tracker does not have, unless it failed a moment ago."""
        unsent = self._unsent[key]
        done = time.monotonic() >= self._not_before and self._try(lambda tracker: self._update(tracker, unsent))
        if unsent.record is not None:
            del self._unsent[key]
            if done:
                self._lost.discard(key)
            else:
                self._lost.add(key)

    def _update(self, tracker: Tracker, unsent: _Unsent) -> None:
        if unsent.state is None:
            anew = unsent.trial.key in self._forced
            unsent.state = TrackedState() if anew else tracker.find(unsent.trial)
            tracker.begin(unsent.trial, anew=anew)
            self._forced.discard(unsent.trial.key)
        rows = epoch_rows(unsent.record.result.curves) if unsent.record else unsent.rows
        if new := [row for row in rows if row[0] > unsent.state.epoch]:
            tracker.epochs(unsent.trial, new)
            unsent.state = TrackedState(new[-1][0])
        unsent.rows = []
        if unsent.record:
            tracker.end(unsent.trial, unsent.record)

    def _try(self, act: Callable[[Tracker], None]) -> bool:
        try:
            if self._tracker is None:
                self._tracker = self.destination.open(self._suite)
            act(self._tracker)
        except Exception as error:  # whatever a library makes of a server that is away
            self._not_before = time.monotonic() + RETRY_SECONDS
            if not self._warned:
                self._warned = True
                self._note(f"--log {self.destination.title}: {error_line(error)}; the run goes on, and tries it again")
            return False
        return True

    def _finish(self) -> None:
        """The trials that were stopped, and the suite, are over for now."""
        for key, unsent in list(self._unsent.items()):
            if unsent.rows:
                self._lost.add(key)
            if self._tracker and time.monotonic() >= self._not_before and unsent.state is not None:
                self._try(lambda tracker, trial=unsent.trial: tracker.end(trial, None))  # type: ignore[misc]
        if self._tracker and time.monotonic() >= self._not_before:
            self._try(lambda tracker: tracker.close())


class TrackedDisplay:
    """A run's display, and trackers that hear the same of its trials."""

    def __init__(
        self,
        display: ProgressDisplay,
        destinations: Sequence[Destination],
        suite: str,
        results: object,
        forced: Iterable[str] = (),
    ):
        self.display, self.suite, self.results = display, suite, results
        self._destinations, self._forced = destinations, list(forced)
        self._threads: list[TrackingThread] = []
        self._sent: dict[str, int] = {}

    def __enter__(self) -> TrackedDisplay:
        self.display.__enter__()
        self._threads = [
            TrackingThread(destination, self.suite, self.note, self._forced) for destination in self._destinations
        ]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        try:
            self.display.__exit__(kind, error, trace)  # type: ignore[arg-type]
        finally:
            for thread in self._threads:
                if n_incomplete := thread.close(stopped=kind is not None):
                    command = with_results(f"bench export --log {thread.destination.title}", str(self.results))
                    self.note(
                        f"--log {thread.destination.title}: lacks {plural(n_incomplete, 'trial')}, or part of them; "
                        f"once it answers, `{command}` brings what is in the ledger"
                    )

    def trials_added(self, trials: Sequence[Trial], n_to_propose: int) -> None:
        self.display.trials_added(trials, n_to_propose)

    def trial_started(self, running: RunningTrial) -> None:
        self.display.trial_started(running)
        self._put(running.trial)

    def trial_resumed(self, running: RunningTrial) -> None:
        self.display.trial_resumed(running)
        self._put_epochs(running)

    def trial_progressed(self, running: RunningTrial) -> None:
        self.display.trial_progressed(running)
        self._put_epochs(running)

    def trial_paused(self, running: RunningTrial) -> None:
        self.display.trial_paused(running)

    def trial_ended(self, trial: Trial, record: Record) -> None:
        self.display.trial_ended(trial, record)
        self._sent.pop(trial.key, None)
        self._put(trial, record=record)

    def note(self, text: str) -> None:
        self.display.note(text)

    def _put_epochs(self, running: RunningTrial) -> None:
        """The epochs since the last news of the trial; those that it trains again, after its worker died, are known."""
        sent = self._sent.get(running.trial.key, 0)
        if rows := epoch_rows(running.curves, after=sent):
            self._sent[running.trial.key] = rows[-1][0]
            self._put(running.trial, rows)

    def _put(self, trial: Trial, rows: Sequence[EpochRow] = (), record: Record | None = None) -> None:
        news = TrialNews(of_trial(trial, self.suite), rows, record)
        for thread in self._threads:
            thread.put(news)


def with_trackers(
    display: ProgressDisplay,
    destinations: Sequence[Destination],
    suite: str,
    results: object,
    forced: Iterable[str] = (),
) -> ProgressDisplay:
    """The display, and trackers next to it where there are any. `results` is the ledger, for messages."""
    return TrackedDisplay(display, destinations, suite, results, forced) if destinations else display


def export_records(records: Sequence[Record], destination: Destination) -> tuple[int, int]:
    """Write the trials of a ledger to a tracker: how many were written, and how many were there already.

    Raises
    ------
    UserError
        The tracker cannot be reached or written; what was written by then is not written again.
    """
    by_suite: dict[str, list[Record]] = {}
    for record in records:
        by_suite.setdefault(record.suite, []).append(record)
    written = 0
    for suite, of_suite in by_suite.items():
        with _errors_of(destination), contextlib.closing(destination.open(suite)) as tracker:
            written += sum(_export(tracker, record) for record in of_suite)
    return written, len(records) - written


def _export(tracker: Tracker, record: Record) -> bool:
    """Write what a tracker lacks of a record; False where that is nothing."""
    trial = of_record(record)
    state = tracker.find(trial)
    if state.status == record.status:
        return False
    tracker.begin(trial, anew=False)
    if rows := epoch_rows(record.result.curves, after=state.epoch):
        tracker.epochs(trial, rows)
    tracker.end(trial, record)
    return True


@contextlib.contextmanager
def _errors_of(destination: Destination) -> Iterator[None]:
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # whatever a library makes of a server that is away
        raise UserError(
            f"--log {destination.title}: {error_line(error)}\n"
            "  what was written is not written again: the same command goes on from there"
        ) from error


def error_line(error: Exception) -> str:
    """The first line of an exception's message, or its type."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return escaped_line(lines[0][:300]) if lines else type(error).__name__
