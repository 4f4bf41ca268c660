"""What is to run next, and what becomes of a trial: the one place where a run's state lives.

Executors (Ray Tune, this process) only ask `next_trial` and tell `progress`, `finished` and `failed`. The board
claims trials in the ledger, lets pruning decide, publishes records and tells the view.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Protocol

from bench.characters import escaped
from bench.execution.checkpoints import remove, sweep
from bench.execution.pruning import Asha
from bench.execution.signals import raise_if_stopped
from bench.ledger.leases import Leases
from bench.ledger.ledger import Ledger
from bench.ledger.record import Predictions, Record, Result, RunInfo
from bench.suite.schema import Pruning
from bench.suite.trial import Trial

RETRIES = 2
"""How often a trial whose worker process died is started again in the same run."""


@dataclass
class RunningTrial:
    """A trial under way: its curves so far, and when it started.

    `refit` is the epoch of its second training and that one's budget, `resumed` the epoch after which it (or its refit)
    went on from a checkpoint.
    """

    trial: Trial
    started: str
    curves: dict[str, list[float | None]] = field(default_factory=dict)
    train_seconds: float = 0.0
    refit: tuple[int, int] | None = None
    resumed: int | None = None

    @property
    def epoch(self) -> int:
        return len(self.curves.get("train_loss", []))


@dataclass(frozen=True)
class WorkPlan:
    """What is to run: `now`, in order, and `later` by group, if the first seed of its configuration survives."""

    now: list[Trial]
    later: dict[int, list[Trial]]

    @property
    def count(self) -> int:
        return len(self.now) + sum(len(trials) for trials in self.later.values())


def work_plan(trials: Sequence[Trial], done: dict[str, Record], searches: bool) -> WorkPlan:
    """The trials that a run with these records behind it still has to do.

    A search runs first seeds first, shuffled the same way every time (an order by quality would fool ASHA); a
    configuration whose first seed was pruned or diverged is done with it.
    """
    if not searches:
        return WorkPlan([trial for trial in trials if trial.key not in done], {})
    configurations: dict[int, list[Trial]] = {}
    for trial in trials:
        configurations.setdefault(trial.group, []).append(trial)
    first, survivors, later = [], [], {}
    for number, (head, *others) in configurations.items():
        rest = [trial for trial in others if trial.key not in done]
        if head.key not in done:
            first.append(head)
            later[number] = rest
        elif done[head.key].status == "complete":
            survivors += rest
    random.Random(0).shuffle(first)
    return WorkPlan(first + survivors, later)


class ProgressListener(Protocol):
    """Who watches a run."""

    def trial_started(self, running: RunningTrial) -> None: ...
    def trial_resumed(self, running: RunningTrial) -> None: ...
    def trial_progressed(self, running: RunningTrial) -> None: ...
    def trial_ended(self, trial: Trial, record: Record) -> None: ...
    def note(self, text: str) -> None: ...


class Scheduler:
    """The trials of one run; what is to be done follows from `work_plan`.

    A trial whose worker process dies is tried again, `retries` times at most.
    """

    def __init__(
        self,
        trials: Sequence[Trial],
        ledger: Ledger,
        pruning: Pruning | None,
        view: ProgressListener,
        suite: str = "",
        git_commit: str | None = None,
        sampling_seed: int = 0,
        retries: int = RETRIES,
    ):
        self.ledger = ledger
        self.view = view
        self.suite = suite
        self.git_commit = git_commit
        self.asha = Asha(pruning, sampling_seed) if pruning else None
        self.leases = Leases(ledger.store)
        self.running: dict[str, RunningTrial] = {}
        self.ended: list[Record] = []
        self.retries = retries
        self._lost: dict[str, int] = {}
        self._elsewhere: dict[str, Trial] = {}
        self._told_waiting = False
        done = ledger.done(self.asha.rule if self.asha else None)
        sweep(ledger.store.local, done)
        left = work_plan(trials, done, searches=self.asha is not None)
        self._queue = deque(left.now)
        self._later = left.later
        if self.asha:
            firsts = {trial.group: trial for trial in reversed(trials)}.values()
            earlier = sorted((done[t.key].run_info.finished, t.key, t) for t in firsts if t.key in done)
            self.asha.replay((t, done[key].result.curves.get("val_accuracy", [])) for _, key, t in earlier)

    @property
    def waiting(self) -> list[Trial]:
        """Trials that are still to start here, as far as is known now."""
        return [*self._queue, *(trial for trials in self._later.values() for trial in trials)]

    @property
    def elsewhere(self) -> list[Trial]:
        """Trials that another driver on this ledger is at work on."""
        return list(self._elsewhere.values())

    def next_trial(self, fits: Callable[[Trial], bool] = lambda _: True) -> Trial | None:
        """The next trial to start, claimed for this driver; None when there is none to start now.

        One that does not fit yet is waited for, since smaller ones behind it would take its room again and again.
        """
        while self._queue and fits(self._queue[0]):
            raise_if_stopped()
            trial = self._queue.popleft()
            if not self.leases.acquire(trial.key):
                self._elsewhere[trial.key] = trial
                continue
            if self._finished_elsewhere(trial):
                self.leases.release(trial.key)
                continue
            self.running[trial.key] = RunningTrial(trial, _now())
            self.view.trial_started(self.running[trial.key])
            return trial
        return None

    def look_elsewhere(self) -> None:
        """See what other drivers have published; take back what they have given up.

        The first time, the view is told for whom this run waits.
        """
        if self._elsewhere and not self._told_waiting:
            self.view.note(self.leases.waiting_for(self._elsewhere))
            self._told_waiting = True
        for trial in self.elsewhere:
            del self._elsewhere[trial.key]
            if not self._finished_elsewhere(trial):
                self._queue.append(trial)

    def _finished_elsewhere(self, trial: Trial) -> bool:
        record = self.ledger.finished(trial.key, self.asha.rule if self.asha else None)
        if record is None:
            return False
        if self.asha:
            self.asha.replay([(trial, record.result.curves.get("val_accuracy", []))])
        self._after(trial, record)
        return True

    def progress(
        self,
        key: str,
        epoch: int,
        metrics: dict[str, float | None],
        train_seconds: float,
        *,
        epochs: int = 0,
        refit: bool = False,
        resumed: dict[str, list[float | None]] | None = None,
    ) -> bool:
        """Take in a trial's metrics after an epoch; True when it is pruned there, and its record published.

        The arguments are those of `bench.training.fit.Progress`.
        """
        running = self.running[key]
        if resumed is not None:
            self._resumed(running, epoch, resumed)
        if refit:
            if running.refit is None and resumed is None:
                running.resumed = None  # that was the search
            running.refit = epoch, epochs
        if refit or resumed is not None:
            running.train_seconds = train_seconds
            self.view.trial_progressed(running) if resumed is None else self.view.trial_resumed(running)
            return False
        if epoch <= running.epoch:  # its worker died and it started over
            running.curves, running.refit, running.resumed = {}, None, None
        for name, value in metrics.items():
            running.curves.setdefault(name, []).append(value)
        running.train_seconds = train_seconds
        self.view.trial_progressed(running)
        trial, score = running.trial, metrics.get("val_accuracy")
        if self.asha is None or score is None or not self._is_searched(trial):
            return False
        if not self.asha.stops(trial, epoch, score):
            return False
        result = Result(curves=running.curves, epochs_run=running.epoch)
        self._publish(trial, "pruned", result, RunInfo(train_seconds=train_seconds))
        return True

    def _resumed(self, running: RunningTrial, epoch: int, curves: dict[str, list[float | None]]) -> None:
        running.curves = {name: list(curve) for name, curve in curves.items()}
        running.resumed = epoch
        if self.asha and self._is_searched(running.trial):
            self.asha.go_on(running.trial, curves.get("val_accuracy", []))

    def _is_searched(self, trial: Trial) -> bool:
        """Whether the trial is the first seed of its configuration, which pruning judges."""
        return trial.group in self._later

    def finished(
        self, key: str, status: Any, result: Result, measured: RunInfo, predictions: Predictions | None
    ) -> None:
        """Publish a trial that ran to its end (complete or diverged)."""
        self._publish(self.running[key].trial, status, result, measured, predictions)

    def lost(self, key: str, reason: str, details: str = "") -> None:
        """Take in that a trial's worker process is gone: it goes to the head of the queue, or has failed too often.

        `reason` is a line for people, `details` is all that is known of the last time, for the record.
        """
        running = self.running[key]
        self._lost[key] = tries = self._lost.get(key, 0) + 1
        if tries > self.retries:
            often = f"in each of {tries} tries; the last time " if tries > 1 else "(--retries 0): "
            message = f"its worker process died {often}{reason}"
            self.failed(key, {"kind": "WorkerDied", "message": message, "traceback": details})
            return
        del self.running[key]
        self._queue.appendleft(running.trial)
        self.view.note(f"trial {key[:8]} is tried again ({tries + 1} of {self.retries + 1}): {escaped(reason)}")

    def failed(self, key: str, failure: dict[str, str]) -> None:
        """Publish a trial that could not be trained; it is tried again by the next run.

        What a user's own code raised or printed may hold what a terminal obeys, and no record does.
        """
        running, failure = self.running[key], {name: escaped(text) for name, text in failure.items()}
        result = Result(curves=running.curves, epochs_run=running.epoch)
        self._publish(running.trial, "failed", result, RunInfo(train_seconds=running.train_seconds), failure=failure)

    def _publish(
        self,
        trial: Trial,
        status: Any,
        result: Result,
        measured: RunInfo,
        predictions: Predictions | None = None,
        failure: dict[str, str] | None = None,
    ) -> None:
        running = self.running.pop(trial.key)
        searched = self.asha is not None and self._is_searched(trial)
        record = Record(
            key=trial.key,
            config=trial.config,
            seed=trial.seed,
            status=status,
            result=result,
            run_info=replace(measured, started=running.started, finished=_now(), git_commit=self.git_commit),
            config_key=trial.config_key,
            suite=self.suite,
            pruning=self.asha.decisions(trial) if self.asha and searched else None,
            failure=failure,
        )
        reached = self.ledger.store_error is None
        kept = self.ledger.publish(record, predictions)
        if reached and self.ledger.store_error:
            self.view.note(
                f"{self.ledger.store_error}\n  the run goes on; what ends is kept, {kept} for one, and sent later"
            )
        if status != "failed":  # the next run tries it again, perhaps with more memory
            remove(self.ledger.store.local, trial.key)
        self.leases.release(trial.key)
        self._after(trial, record)
        self.ended.append(record)
        self.view.trial_ended(trial, record)

    def _after(self, trial: Trial, record: Record) -> None:
        """A configuration whose first seed came through runs its others; one whose first seed did not, none."""
        rest = self._later.pop(trial.group, [])
        if record.status == "complete":
            self._queue.extend(rest)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
