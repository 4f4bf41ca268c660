"""One run: the trials that the ledger lacks are trained and published, until all are done or the run is stopped."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console

from bench.data import Dataset
from bench.errors import UserError
from bench.execution.adaptive_search import check_optuna, to_propose, with_proposals
from bench.execution.checkpoints import checkpoint_path
from bench.execution.coordinator import Coordinator, done_for, ended_for
from bench.execution.forkserver import ProcessDiedError, train
from bench.execution.logs import new_log
from bench.execution.messages import RunOptions, TrialFailure
from bench.execution.progress import ProgressDisplay, ProgressStats, console_progress
from bench.execution.ray_cluster import choose_authentication
from bench.execution.signals import finishing, raise_if_stopped, stop_on_signals
from bench.execution.trackers.tracking import with_trackers
from bench.ledger.ledger import Ledger
from bench.ledger.record import Record
from bench.ledger.store import with_results
from bench.streams import duplicate_stdout
from bench.suite.trial import Trial, check_contents
from bench.system import cpu_count, slots

RENEW_SECONDS = 60.0
POLL_SECONDS = 2.0


def run_trials(
    trials: Sequence[Trial],
    datasets: Mapping[str, Dataset],
    ledger: Ledger,
    console: Console,
    options: RunOptions | None = None,
    display: Callable[[ProgressStats], ProgressDisplay] | None = None,
) -> list[Record]:
    """Run the `trials` that the ledger lacks; the records of this run, in the order they ended.

    `datasets` are by `Trial.data`. `display` makes another display than the console's.
    KeyboardInterrupt (Ctrl-C or SIGTERM) leaves the ledger whole: the same call goes on with what is missing, within a
    trial if it had a checkpoint.
    """
    options = options or RunOptions()
    check_contents(trials, datasets)
    _check_options(trials, options)
    parallel = slots(options.cpus_per_trial, options.gpus_per_trial, options.jobs)
    if not options.use_ray or options.connection:
        parallel = options.jobs or 1
    if not options.connection and parallel * options.cpus_per_trial > cpu_count():
        console.print(
            f"note: {parallel} trials of {options.cpus_per_trial:g} threads on {cpu_count()} CPUs slow each other down",
            highlight=False,
            markup=False,
        )
    ledger.flush_pending()
    done = done_for(ledger, options)
    trials = with_proposals(trials, ledger, ended_for(ledger, options), options.rank_by)
    if any(numbers for _, numbers in to_propose(trials).values()):
        check_optuna(trials)
    reused = [done[trial.key] for trial in trials if trial.key in done]
    stats = ProgressStats(trials, reused, parallel, with_results("bench show", ledger.root))
    plain = (display or console_progress(console))(stats)
    listener = with_trackers(plain, options.trackers, options.suite, ledger.root, options.forced)
    coordinator = Coordinator(trials, ledger, options, listener)
    if not coordinator.waiting:
        return []
    with contextlib.ExitStack() as stack:
        if not options.use_ray:
            stack.enter_context(_undisturbed(console))
        stack.enter_context(listener)
        stack.enter_context(_lease_renewal(coordinator))
        try:
            if options.use_ray:
                if options.connection:
                    choose_authentication()  # before Ray is imported
                from bench.execution.tune import run_on_ray

                run_on_ray(coordinator, datasets, options)
            else:
                with stop_on_signals(), _threads_restored():
                    run_in_process(coordinator, datasets, options)
        finally:
            with finishing():
                coordinator.leases.release_all()
    ledger.flush_pending()
    return coordinator.ended


def _check_options(trials: Sequence[Trial], options: RunOptions) -> None:
    """UserError for options that exclude each other, or do not suit the trials."""
    gpus = options.gpus_per_trial
    if gpus and gpus > 1 and gpus % 1:
        raise UserError(f"--gpus-per-trial {gpus:g}: above one GPU only whole numbers are possible")
    if options.use_ray:
        return
    if (options.jobs or 1) > 1:
        raise UserError("--no-ray trains one trial at a time: leave --jobs out, or --no-ray")
    if multi_worker := [trial for trial in trials if trial.config.workers > 1]:
        raise UserError(
            f"--no-ray trains in this process alone; trials with several workers: {len(multi_worker):,}\n"
            "  leave --no-ray out, or give them one worker each: --set workers=1"
        )
    if options.connection:
        raise UserError("--no-ray trains in this process: leave it out to run on a cluster")


@contextlib.contextmanager
def _undisturbed(console: Console) -> Iterator[None]:
    """Let a console print where it does now also while the output of a trial in this process goes into its log."""
    stream = console.file
    if stream is not sys.stdout:
        yield
        return
    with duplicate_stdout() as console.file:
        try:
            yield
        finally:
            console.file = stream


@contextlib.contextmanager
def _lease_renewal(coordinator: Coordinator) -> Iterator[None]:
    """Renew this driver's leases while the run goes on."""
    stopped = threading.Event()

    def renew() -> None:
        while not stopped.wait(RENEW_SECONDS):
            coordinator.leases.renew_all()

    threading.Thread(target=renew, name="leases", daemon=True).start()
    try:
        yield
    finally:
        stopped.set()


@contextlib.contextmanager
def _threads_restored() -> Iterator[None]:
    """Give a notebook's process back the number of threads that PyTorch had."""
    import torch

    threads = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(threads)


class _StoppedError(Exception):
    """Ends a trial inside its training loop."""


def run_in_process(coordinator: Coordinator, datasets: Mapping[str, Dataset], options: RunOptions) -> None:
    """`--no-ray`: run the trials one after the other until none is left, here or with other drivers.

    In this process, but for models of the user's own: each trial of these runs in a process forked for it.
    """
    import torch

    gpus = options.gpus_per_trial
    if gpus and not torch.cuda.is_available():
        raise UserError(f"--gpus-per-trial {gpus:g}: PyTorch finds no GPU on this machine")
    device = options.device or ("cuda" if torch.cuda.is_available() and gpus != 0 else "cpu")
    while True:
        trial = coordinator.next_trial()
        if trial is None:
            if not coordinator.leased_elsewhere and not coordinator.paused:
                return
            time.sleep(POLL_SECONDS)
            coordinator.poll_other_drivers()
            continue
        key = trial.key

        def report(progress: Any, key: str = key) -> None:
            if coordinator.receive(key, progress):
                raise _StoppedError

        try:
            end = train(
                trial.code,
                trial.run_config,
                trial.seed,
                datasets[trial.data],
                device,
                options.threads,
                report,
                passed_on=(_StoppedError,),
                checkpoint=checkpoint_path(coordinator.local_folder, key),
                checkpoint_after=options.checkpoint_after,
                note=coordinator.listener.note,
                log=new_log(coordinator.local_folder, key),
                network_origin=coordinator.network_origin(trial),
                pause_after=coordinator.pause_after(trial),
                gpu_fraction=1.0 if key in coordinator.alone else gpus or 1.0,
            )
        except _StoppedError:
            continue
        except ProcessDiedError as error:
            raise_if_stopped()
            coordinator.worker_died(key, str(error))
            continue
        if isinstance(end, TrialFailure):
            raise_if_stopped()  # an import that was interrupted is no failure of the trial
        coordinator.receive(key, end)
