"""Between executors and the ledger: it leases trials, gives them out, takes in what is reported and publishes records.

An executor (Ray Tune, this process) asks `next_trial`, hands each message to `receive`, and reports dead workers by
`worker_died`. What is decided is the `Scheduler`'s; this class does the I/O around it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

from bench.errors import escaped
from bench.execution.adaptive_search import Proposals, Searcher, recorded_proposals
from bench.execution.checkpoints import remove, sweep
from bench.execution.keep_weights import BestConfigurations, drop_candidates
from bench.execution.logs import log_text
from bench.execution.messages import RunOptions, TrialFailure, TrialResult
from bench.execution.progress import ProgressListener
from bench.execution.pruning import pruner_of, rule
from bench.execution.replaced_record import replacement_text
from bench.execution.scheduler import RunningTrial, Scheduler
from bench.execution.shared_rungs import SharedRungs
from bench.execution.signals import raise_if_stopped
from bench.ledger.leases import Leases
from bench.ledger.ledger import FINISHED, Ledger
from bench.ledger.record import Record, Result, RunInfo
from bench.ledger.store import StoreUnavailableError
from bench.ledger.weights_files import weights_in
from bench.suite.trial import NetworkOrigin, Trial
from bench.system import versions
from bench.training.epoch_progress import Progress

OUT_OF_MEMORY = "OutOfMemoryError"
"""PyTorch's exception where a GPU's memory is used up."""
RECORDED_CHARACTERS = 2_000
"""Of what a failed trial printed, how much of its end is in its record."""


class Coordinator:
    """The trials of one run on a ledger that other drivers may share; `ended` are the records that it published."""

    def __init__(self, trials: Sequence[Trial], ledger: Ledger, options: RunOptions, listener: ProgressListener):
        self.ledger = ledger
        self.options = options
        self.listener = listener
        self.leases = Leases(ledger.store)
        self.ended: list[Record] = []
        self.alone: set[str] = set()
        """The keys of trials that need a GPU to themselves."""
        self.shared_rungs = SharedRungs(ledger.store)
        self._rule = rule(options.pruning)
        self._noted_waiting = False
        self._has_company = False
        self._other_versions: set[tuple[str, str]] = set()
        self._forced = set(options.forced)
        done = done_for(ledger, options)
        self._best = BestConfigurations(trials, options.rank_by) if options.keep == "best" else None
        if self._best:
            for record in done.values():
                self._best.take(record)
        sweep(self.local_folder, {key for key, record in done.items() if record.status != "timed_out"} | self._forced)
        pruner = pruner_of(options.pruning, options.sampling_seed, trials)
        self.scheduler = Scheduler(trials, done, pruner, options.retries)
        self._trials, self._results = list(trials), dict(done)
        is_adaptive = any(trial.search and trial.search.rule.is_adaptive for trial in trials)
        self._searched = ended_for(ledger, options) if is_adaptive else {}
        """What adaptive searches go by: of each trial the first record that this driver knew of, as do the others."""
        self._failed_before = {name for record in self._searched.values() for name in self._failures(record.key)}
        self._searcher = Searcher(trials, self._recorded_proposals, options.rank_by)

    @property
    def local_folder(self) -> Path:
        """A folder of this machine for the run's checkpoints and logs."""
        return self.ledger.store.local

    @property
    def running(self) -> dict[str, RunningTrial]:
        return self.scheduler.running

    @property
    def waiting(self) -> list[Trial]:
        """Trials that are still to start here, as far as is known now."""
        return self.scheduler.waiting

    @property
    def leased_elsewhere(self) -> list[Trial]:
        """Trials that another driver on this ledger runs."""
        return list(self.scheduler.leased_elsewhere.values())

    @property
    def paused(self) -> bool:
        """Whether trials wait for others at a rung."""
        return bool(self.scheduler.paused)

    def rung_epochs(self, trial: Trial) -> tuple[int, ...]:
        """The epochs after which a trial is compared with others."""
        pruner = self.scheduler.pruner
        return pruner.rung_epochs(trial) if pruner and self.scheduler.is_compared(trial) else ()

    def pause_after(self, trial: Trial) -> tuple[int, ...]:
        """The epochs after which a trial may be paused at a rung."""
        pruner = self.scheduler.pruner
        return pruner.pause_after(trial) if pruner and self.scheduler.is_compared(trial) else ()

    def network_origin(self, trial: Trial) -> NetworkOrigin | None:
        """What is stored with a trial's weights; None where they are not saved."""
        return None if self.options.keep == "none" else trial.network_origin

    def next_trial(self, fits: Callable[[Trial], bool] = lambda _: True) -> Trial | None:
        """The next trial to start, leased for this driver; None when there is none to start now."""
        while (trial := self.scheduler.next_trial(fits)) is not None:
            raise_if_stopped()
            # A look at the ledger costs less than a lease, and where others are at work most trials need no more.
            if self._has_company and (record := self._ended_elsewhere(trial)):
                self._published_elsewhere(trial, record)
            elif not self.leases.acquire(trial.key):
                self._has_company = True
                self.scheduler.leave_to_other_driver(trial)
            elif record := self._ended_elsewhere(trial):
                self._has_company = True
                self.leases.release(trial.key)
                self._published_elsewhere(trial, record)
            else:
                self.listener.trial_started(self.scheduler.start(trial, _now()))
                return trial
        return self.next_trial(fits) if self.paused and self._decide_with_others() else None

    def poll_other_drivers(self) -> None:
        """Take in what other drivers have published since, and queue what they have given up.

        The first time, a note says which drivers this run waits for.
        """
        if self.leased_elsewhere and not self._noted_waiting:
            self.listener.note(self.leases.waiting_for(trial.key for trial in self.leased_elsewhere))
            self._noted_waiting = True
        for trial in self.leased_elsewhere:
            if record := self._ended_elsewhere(trial):
                self._published_elsewhere(trial, record)
            else:
                self.scheduler.take_back(trial)
        if self.paused:
            self._decide_with_others()

    def _decide_with_others(self) -> bool:
        """Exchange scores with other drivers at the rungs that paused trials wait for; whether some of them go on.

        A score that could not be written when it was reported is written now: others may wait for it.
        """
        for rung, waiting in self.scheduler.paused.items():
            stored = self.shared_rungs.scores(rung)
            if stored is None:
                continue
            self.scheduler.fill_rung(rung, stored)
            for key in waiting.keys() - dict(stored).keys():
                self.shared_rungs.add(rung, key, self.scheduler.rungs.scores(rung)[key])
        return self._resolve_paused()

    def _resolve_paused(self) -> bool:
        """Queue the paused trials that go on, for this driver or another, and publish those that stop."""
        queued, stopped = self.scheduler.resolve_paused()
        for trial in queued:
            self.leases.release(trial.key)
        for key in stopped:
            self._publish(key, "pruned")
        return bool(queued)

    def _finished(self, key: str) -> Record | None:
        """The record that makes a trial of this run done, however it came into the ledger."""
        if key in self._forced:
            return None
        return self.ledger.finished(key, self._rule, self.options.max_minutes)

    def _ended_elsewhere(self, trial: Trial) -> Record | None:
        """The record by which a trial need not run here: a trial of an adaptive search may also have failed elsewhere.

        Another driver goes on with the search by a failure since this run began, so this one does. A later run tries
        the trial again.
        """
        record = self._finished(trial.key)
        if record or trial.key in self._forced or not (trial.search and trial.search.rule.is_adaptive):
            return record
        failures = self._failures(trial.key)
        return next((failure for name, failure in failures.items() if name not in self._failed_before), None)

    def _failures(self, key: str) -> dict[str, Record]:
        """The records of a trial that failed, by the names of their entries, as far as they are read."""
        entries = reversed(self.ledger.entries_of(key))
        return {stored.name: stored.record for stored in entries if stored.record.status == "failed"}

    def _recorded_proposals(self) -> Proposals:
        with contextlib.suppress(StoreUnavailableError):  # then those that were read before
            self.ledger.refresh()
        return recorded_proposals(self.ledger.records())

    def _published_elsewhere(self, trial: Trial, record: Record) -> None:
        self.scheduler.published_elsewhere(trial, record)
        self._drop_weights(record)
        self._search_on(record)

    def _search_on(self, record: Record) -> None:
        """A trial has ended: queue what adaptive searches propose by its result and those before."""
        self._results[record.key] = record
        self._searched.setdefault(record.key, record)
        before, new = self._searcher.n_to_propose, self._searcher.propose(self._searched)
        if self._searcher.n_to_propose == before:
            return
        self._trials += new
        if self._best:  # which knows configurations by their trials
            self._best = BestConfigurations(self._trials, self.options.rank_by)
            for earlier in self._results.values():
                self._best.take(earlier)
        self.listener.trials_added(new, self._searcher.n_to_propose)
        self.scheduler.add(new)

    def _drop_weights(self, record: Record) -> None:
        """Remove the weights of configurations that cannot be the best since this trial ended."""
        for key in self._best.take(record) if self._best else ():
            with contextlib.suppress(StoreUnavailableError):  # `settle` does so at the end
                drop_candidates(self.ledger, weights_in(self.ledger.store, key), self.options.suite)

    def receive(self, key: str, message: Progress | TrialResult | TrialFailure) -> bool:
        """Take in what an executor reports of a running trial; True when its worker is to stop.

        A pruned trial's record is published at once; a paused one is handed out again if it goes on.
        """
        if isinstance(message, TrialResult):
            self._compare_versions(key, message)
            self._publish(key, message.status, message.result, message.run_info, message=message)
        elif isinstance(message, TrialFailure):
            if not self._is_retried_alone(key, message):
                self._publish(key, "failed", message=message)
        else:
            return self._progress(key, message)
        self._resolve_paused()
        return False

    def _is_retried_alone(self, key: str, failure: TrialFailure) -> bool:
        """Queue a trial again that ran out of its fraction of a GPU's memory, once and if asked for."""
        fraction = self.options.gpus_per_trial or 1.0
        if not self.options.retry_alone or failure.kind != OUT_OF_MEMORY or fraction >= 1 or key in self.alone:
            return False
        self.alone.add(key)
        self.scheduler.start_over(key)
        self.listener.note(f"trial {key[:8]} is started again with a GPU to itself: it ran out of {fraction:g} of one")
        return True

    def _compare_versions(self, key: str, message: TrialResult) -> None:
        """Warn, once for each, of versions on another node that are not this driver's."""
        expected = versions()
        for package, version in message.run_info.versions.items():
            difference = (message.node, package)
            if version != expected.get(package) and difference not in self._other_versions:
                self._other_versions.add(difference)
                self.listener.note(
                    f"WARNING: {message.node or 'a worker'} has {package} {version}, this driver "
                    f"{expected.get(package, 'none')}: trial {key[:8]}, trained there, may have other results; "
                    "its record has the version"
                )

    def worker_died(self, key: str, reason: str, details: str = "") -> None:
        """A trial's worker process is gone: the trial is queued again, or has failed too often.

        `reason` is a line for people, `details` all that is known of the last death, for the record.
        """
        attempts, retried = self.scheduler.worker_died(key)
        if retried:
            attempt = f"{attempts + 1} of {self.options.retries + 1}"
            self.listener.note(f"trial {key[:8]} is started again (attempt {attempt}): {escaped(reason)}")
            return
        when = f"in each of {attempts} attempts; the last time " if attempts > 1 else "(--retries 0): "
        self.receive(
            key,
            TrialFailure(
                "WorkerDied", f"its worker process died {when}{reason}", details, log_text(self.local_folder, key)
            ),
        )

    def _progress(self, key: str, progress: Progress) -> bool:
        reached = self.scheduler.next_rung(key, progress)
        if reached:
            self.scheduler.fill_rung(reached[0], self.shared_rungs.scores(reached[0]) or ())
        decision = self.scheduler.progress(key, progress)
        if reached:
            self.shared_rungs.add(reached[0], key, reached[1])
        running = self.running[key]
        if progress.resumed is None:
            self.listener.trial_progressed(running)
        else:
            self.listener.trial_resumed(running)
        status = "pruned" if decision == "stop" else "timed_out" if self._is_out_of_time(running) else None
        if status:
            self._publish(key, status, run_info=RunInfo(train_seconds=running.train_seconds))
        elif decision == "pause":
            self.listener.trial_paused(self.scheduler.pause(key))
        if reached:
            self._resolve_paused()
        return status is not None or decision == "pause"

    def _is_out_of_time(self, running: RunningTrial) -> bool:
        """Whether a trial that has epochs to train has trained for as long as it may."""
        if self.options.max_minutes is None or running.train_seconds < 60 * self.options.max_minutes:
            return False
        epoch, epochs = running.refit or (running.epoch, running.trial.config.epochs)
        return epoch < epochs

    def _replaced_by(self, record: Record) -> Record | None:
        """The record that a new one replaces: of a trial that was to be trained anew, and has finished."""
        if record.key not in self._forced or record.status not in FINISHED:
            return None
        return self.ledger.finished(record.key, self._rule, self.options.max_minutes)

    def _publish(
        self,
        key: str,
        status: str,
        result: Result | None = None,
        run_info: RunInfo | None = None,
        *,
        message: TrialResult | TrialFailure | None = None,
    ) -> None:
        running = self.running[key]
        trial = running.trial
        run_info = run_info or RunInfo(train_seconds=running.train_seconds)
        record = Record(
            key=key,
            config=trial.config.to_json(),
            seed=trial.seed,
            status=status,  # type: ignore[arg-type]
            result=result or Result(curves=running.curves, epochs_run=running.epoch),
            run_info=replace(run_info, started=running.started, finished=_now(), git_commit=self.options.git_commit),
            config_key=trial.config_key,
            suite=self.options.suite,
            pruning=self.scheduler.decisions(trial),
            failure=_failure_json(message) if isinstance(message, TrialFailure) else None,
            search=trial.search.note() if trial.search else None,
        )
        was_reached, weights_error = self.ledger.store_error is None, self.ledger.weights_error
        trained = message if isinstance(message, TrialResult) else None
        replaced = self._replaced_by(record)
        location = self.ledger.publish(
            record,
            trained.predictions if trained else None,
            trained.validation if trained else None,
            trained.weights if trained else None,
            candidate=self.options.keep == "best",
            replaces=replaced is not None,
        )
        if self.ledger.weights_error and not weights_error:
            self.listener.note(f"weights are not saved, records are: {self.ledger.weights_error}")
        if was_reached and self.ledger.store_error:
            self.listener.note(
                f"{self.ledger.store_error}\n  the run goes on; records are stored here ({location}) and sent later"
            )
        if replaced and self.ledger.store_error:
            self.listener.note(f"trial {key[:8]}: its record before counts until this run can send the new one")
        if replaced and (text := replacement_text(replaced, record)):
            self.listener.note(text)
        # The next run tries a failed trial again, perhaps with more memory, and one with a higher limit goes on.
        if status not in ("failed", "timed_out"):
            remove(self.local_folder, key)
        self.leases.release(key)
        self.scheduler.end(key, status)
        self.ended.append(record)
        self._drop_weights(record)
        self.listener.trial_ended(trial, record)
        self._search_on(record)


def done_for(ledger: Ledger, options: RunOptions) -> dict[str, Record]:
    """Key to record of what a run with these options need not train."""
    done = ledger.done(rule(options.pruning), options.max_minutes)
    return {key: record for key, record in done.items() if key not in set(options.forced)}


def ended_for(ledger: Ledger, options: RunOptions) -> dict[str, Record]:
    """As `done_for`, and with those that failed: what adaptive searches go by."""
    ended = ledger.ended(rule(options.pruning), options.max_minutes)
    return {key: record for key, record in ended.items() if key not in set(options.forced)}


def _failure_json(failure: TrialFailure) -> dict[str, str]:
    """As a record holds it: without control characters, which a user's own code may raise or print."""
    texts = {name: escaped(text) for name, text in asdict(failure).items()}
    printed = texts.pop("printed")
    return {**texts, "printed": printed[-RECORDED_CHARACTERS:]} if printed.strip() else texts


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
