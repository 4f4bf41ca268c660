"""Which trial runs next, and what becomes of it: a state machine, and the one place where a run's state lives.

It does no I/O: `bench.execution.coordinator` feeds it what executors report and carries out what it decides.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from bench.execution.pruning import (
    Decision,
    Halving,
    Pruner,
    PruningNote,
    Rung,
    RungTable,
    compared_trials,
    first_seeds,
    rung_scores,
)
from bench.ledger.record import Record
from bench.suite.schema import Pruning
from bench.suite.trial import Trial
from bench.training.epoch_progress import Progress


@dataclass
class RunningTrial:
    """A trial that runs: its curves so far, and when it started.

    `refit` is the epoch of its second training and that training's budget, `resumed` the epoch after which it (or its
    refit) went on from a checkpoint.
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
    """What to run: `ready`, in order, and `deferred` by group: later seeds, run if the first seed completes."""

    ready: list[Trial]
    deferred: dict[int, list[Trial]]

    @property
    def trials(self) -> list[Trial]:
        return [*self.ready, *(trial for trials in self.deferred.values() for trial in trials)]


def work_plan(trials: Sequence[Trial], done: dict[str, Record], pruning: Pruning | None) -> WorkPlan:
    """The trials that a run with these records still has to do.

    With pruning by first seeds, these come first, shuffled the same way every time (an order by quality would mislead
    ASHA); a configuration whose first seed was pruned or diverged needs no other seeds. Otherwise the first seeds of an
    adaptive search come first, since what it proposes next waits for them.
    """
    if pruning is None or pruning.compares_all_seeds:
        missing = [trial for trial in trials if trial.key not in done]
        if any(trial.search and trial.search.rule.is_adaptive for trial in missing):
            awaited = {trial.key for trial in first_seeds(trials)}
            missing.sort(key=lambda trial: trial.key not in awaited)
        return WorkPlan(missing, {})
    configurations: dict[int, list[Trial]] = {}
    for trial in trials:
        configurations.setdefault(trial.group, []).append(trial)
    compared, later_seeds, deferred = [], [], {}
    for group, (first, *others) in configurations.items():
        missing = [trial for trial in others if trial.key not in done]
        if first.key not in done:
            compared.append(first)
            deferred[group] = missing
        elif done[first.key].status == "complete":
            later_seeds += missing
    random.Random(0).shuffle(compared)
    return WorkPlan(compared + later_seeds, deferred)


class Scheduler:
    """The trials of one run: queued, running, paused at a rung, leased by other drivers, or over.

    Parameters
    ----------
    done
        Records of trials that need not run again.
    pruner
        Stops trials early; None: no trial is stopped.
    retries
        How often a trial whose worker process died is queued again.
    """

    def __init__(
        self, trials: Sequence[Trial], done: dict[str, Record], pruner: Pruner | None = None, retries: int = 0
    ):
        self.pruner = pruner
        self.retries = retries
        self.running: dict[str, RunningTrial] = {}
        self.paused: dict[Rung, dict[str, RunningTrial]] = {}
        self.leased_elsewhere: dict[str, Trial] = {}
        self.rungs = RungTable()
        self._attempts: dict[str, int] = {}
        self._decisions: dict[str, dict[int, PruningNote]] = {}
        plan = work_plan(trials, done, pruner.pruning if pruner else None)
        self._queue = deque(plan.ready)
        self._deferred = plan.deferred
        compared = compared_trials(pruner.pruning, trials) if pruner else []
        self._compared = {trial.key for trial in compared}
        for trial in compared:
            if trial.key in done:
                self._fill_rungs(trial, done[trial.key])

    def add(self, trials: Sequence[Trial]) -> None:
        """Queue the trials of new configurations; their first seeds come before all that waits.

        None is done here: those that another driver has finished meanwhile are found when they are leased.
        """
        first, later = first_seeds(trials), []
        keys = {trial.key for trial in first}
        compared = compared_trials(self.pruner.pruning, trials) if self.pruner else []
        self._compared |= {trial.key for trial in compared}
        if self.pruner:
            self.pruner.add(compared)
        if self.pruner is None or len(compared) == len(trials):
            later = [trial for trial in trials if trial.key not in keys]
        else:
            for trial in first:
                self._deferred[trial.group] = [
                    other for other in trials if other.group == trial.group and other is not trial
                ]
        self._queue.extendleft(reversed(first))
        self._queue.extend(later)

    @property
    def waiting(self) -> list[Trial]:
        """Trials that are still to start here, as far as is known now."""
        return WorkPlan(list(self._queue), self._deferred).trials

    def next_trial(self, fits: Callable[[Trial], bool] = lambda _: True) -> Trial | None:
        """Take the next trial from the queue; None when there is none to start now.

        A trial that does not fit yet is waited for: smaller ones after it would take its resources again and again.
        """
        return self._queue.popleft() if self._queue and fits(self._queue[0]) else None

    def start(self, trial: Trial, time: str) -> RunningTrial:
        """The trial runs here from now on."""
        self.running[trial.key] = RunningTrial(trial, time)
        return self.running[trial.key]

    def leave_to_other_driver(self, trial: Trial) -> None:
        """Another driver has leased the trial."""
        self.leased_elsewhere[trial.key] = trial

    def take_back(self, trial: Trial) -> None:
        """No driver has the trial any more, and its record is missing: it waits here again."""
        del self.leased_elsewhere[trial.key]
        self._queue.append(trial)

    def published_elsewhere(self, trial: Trial, record: Record) -> None:
        """Another driver has finished the trial."""
        self.leased_elsewhere.pop(trial.key, None)
        if trial.key in self._compared:
            self._fill_rungs(trial, record)
        self._release_later_seeds(trial, record.status)

    def progress(self, key: str, progress: Progress) -> Decision:
        """Take in a trial's progress, and decide what becomes of it; a paused trial runs until `pause`."""
        running = self.running[key]
        if progress.resumed is not None:
            running.curves = {name: list(curve) for name, curve in progress.resumed.items()}
            running.resumed = progress.epoch
            if not progress.refit:
                return self._resume(running)
        if progress.refit:
            if running.refit is None and progress.resumed is None:
                running.resumed = None  # that was the first training
            running.refit = progress.epoch, progress.epochs
        running.train_seconds = progress.train_seconds
        if progress.refit:
            return "continue"
        if progress.epoch <= running.epoch:  # its worker died and it started over
            running.curves, running.refit, running.resumed = {}, None, None
        for name, value in progress.metrics.items():
            running.curves.setdefault(name, []).append(value)
        score = progress.metrics.get("val_accuracy")
        return self._decide(running.trial, progress.epoch, score) if score is not None else "continue"

    def next_rung(self, key: str, progress: Progress) -> tuple[Rung, float] | None:
        """The rung that a compared trial reaches with this progress, and its score there; else None."""
        trial = self.running[key].trial
        if progress.resumed is None:
            score = progress.metrics.get("val_accuracy")
        else:
            score = (progress.resumed.get("val_accuracy") or [None])[-1]
        if self.pruner is None or score is None or progress.refit or not self.is_compared(trial):
            return None
        rung = self.pruner.rung(trial, progress.epoch)
        return (rung, score) if rung else None

    def start_over(self, key: str) -> None:
        """A running trial is queued again, as first."""
        self._queue.appendleft(self.running.pop(key).trial)

    def worker_died(self, key: str) -> tuple[int, bool]:
        """Take in that a trial's worker process died: the attempts so far, and whether it is queued again (as first).

        If it is not, it runs on until `end`.
        """
        attempts = self._attempts[key] = self._attempts.get(key, 0) + 1
        if attempts > self.retries:
            return attempts, False
        self.start_over(key)
        return attempts, True

    def pause(self, key: str) -> RunningTrial:
        """A trial waits for its rung; its worker is free."""
        running = self.running.pop(key)
        rung = self.pruner.rung(running.trial, running.epoch) if self.pruner else None
        assert rung
        self.paused.setdefault(rung, {})[key] = running
        return running

    def resolve_paused(self) -> tuple[list[Trial], list[str]]:
        """Decide at the rungs that can: the trials that go on, queued as first, and the keys of those that stop.

        What stops counts as running until `end`.
        """
        queued: list[Trial] = []
        stopped: list[str] = []
        for rung in list(self.paused):
            promoted = self.pruner.promoted(self.rungs, rung) if isinstance(self.pruner, Halving) else None
            if promoted is None:
                continue
            for key, running in self.paused.pop(rung).items():
                goes_on = key in promoted
                self._note(running.trial, rung.epoch, self.rungs.scores(rung)[key], "continue" if goes_on else "stop")
                if goes_on:
                    queued.append(running.trial)
                else:
                    self.running[key] = running
                    stopped.append(key)
        self._queue.extendleft(reversed(queued))
        return queued, stopped

    def end(self, key: str, status: str) -> None:
        """A trial that ran here is over."""
        self.rungs.end(key, status)
        self._release_later_seeds(self.running.pop(key).trial, status)

    def is_compared(self, trial: Trial) -> bool:
        """Whether pruning applies to the trial."""
        return trial.key in self._compared

    def decisions(self, trial: Trial) -> PruningNote | None:
        """What a record says of pruning: the rule, and the decision at each rung the trial reached."""
        if self.pruner is None or not self.is_compared(trial):
            return None
        return {**self.pruner.description(trial), "decisions": list(self._decisions.get(trial.key, {}).values())}

    def fill_rung(self, rung: Rung, scores: Iterable[tuple[str, float]]) -> None:
        """Take in scores, by trial key, of other drivers and runs before; those of this run's compared trials count."""
        for key, score in scores:
            if key in self._compared:
                self.rungs.add(rung, key, score)

    def _decide(self, trial: Trial, epoch: int, score: float) -> Decision:
        rung = self.pruner.rung(trial, epoch) if self.pruner and self.is_compared(trial) else None
        if self.pruner is None or rung is None or epoch in self._decisions.get(trial.key, {}):
            return "continue"  # a trial that started over is not judged twice
        decision = self.pruner.decide(self.rungs, trial, epoch, score)
        self.rungs.add(rung, trial.key, score)
        if decision != "pause":
            self._note(trial, epoch, score, decision)
        return decision

    def _resume(self, running: RunningTrial) -> Decision:
        """A trial that goes on from a checkpoint is not judged again at the rungs it passed before.

        One that was paused by a run before, or by another driver, was not yet judged at its last rung.
        """
        if self.pruner is None or not self.is_compared(running.trial):
            return "continue"
        for rung, score in rung_scores(self.pruner, running.trial, running.curves.get("val_accuracy", [])):
            self.rungs.add(rung, running.trial.key, score)
            if rung.epoch == running.epoch and rung.epoch in self.pruner.pause_after(running.trial):
                return self._decide(running.trial, rung.epoch, score)
            self._note(running.trial, rung.epoch, score, "continue")
        return "continue"

    def _fill_rungs(self, trial: Trial, record: Record) -> None:
        assert self.pruner
        self.rungs.end(trial.key, record.status)
        for rung, score in rung_scores(self.pruner, trial, record.result.curves.get("val_accuracy", [])):
            self.rungs.add(rung, trial.key, score)

    def _note(self, trial: Trial, epoch: int, score: float, decision: str) -> None:
        note = {"epoch": epoch, "val_accuracy": score, "decision": decision}
        self._decisions.setdefault(trial.key, {}).setdefault(epoch, note)

    def _release_later_seeds(self, trial: Trial, status: str) -> None:
        """The later seeds of a configuration run if its first seed is complete, else never."""
        later_seeds = self._deferred.pop(trial.group, [])
        if status == "complete":
            self._queue.extend(later_seeds)
