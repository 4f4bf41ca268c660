"""One run: the ledger's missing trials, carried out and published, until done, stopped or failed."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from rich.console import Console

from bench.errors import UserError
from bench.execution.checkpoints import AFTER_SECONDS
from bench.execution.progress import ProgressDisplay, ProgressStats, console_progress
from bench.execution.ray_cluster import Connection, choose_authentication
from bench.execution.scheduler import RETRIES, Scheduler
from bench.execution.signals import finishing, stop_on_signals
from bench.ledger.address import with_results
from bench.ledger.ledger import Ledger
from bench.ledger.record import Record
from bench.suite.schema import Pruning
from bench.suite.trial import Trial, check_contents
from bench.system import cpu_count, slots

RENEW_SECONDS = 60.0


def run_trials(
    trials: Sequence[Trial],
    datasets: dict[str, Any],
    ledger: Ledger,
    console: Console,
    *,
    pruning: Pruning | None = None,
    suite: str = "",
    git_commit: str | None = None,
    cpus_per_trial: float = 1,
    gpus_per_trial: float | None = None,
    jobs: int | None = None,
    use_ray: bool = True,
    checkpoint_after: float | None = None,
    sampling_seed: int = 0,
    connection: Connection | None = None,
    watched_by: Callable[[ProgressStats], ProgressDisplay] | None = None,
    retries: int | None = None,
) -> list[Record]:
    """Run what the ledger lacks of `trials`; the records of this run, in the order they ended.

    `datasets` maps `Trial.data` to the `bench.data.Dataset`. KeyboardInterrupt (Ctrl-C or SIGTERM) leaves
    the ledger whole: the same call goes on with the rest, and inside trials that had trained for `checkpoint_after`
    seconds (None: `AFTER_SECONDS`). `sampling_seed` is the suite's; pruning with several brackets draws from it.
    A trial whose worker process dies is tried again in this run, `retries` times at most (None: `RETRIES`).
    A `connection` leads to a Ray cluster to run on, instead of this machine. `watched_by` makes another view than the
    console's.
    """
    check_contents(trials, datasets)
    if not use_ray and (jobs or 1) > 1:
        raise UserError("--no-ray trains one trial at a time: leave --jobs out, or --no-ray")
    several = [] if use_ray else [trial for trial in trials if trial.config["workers"] > 1]
    if several:
        raise UserError(
            f"--no-ray trains in this process alone; trials that want several workers: {len(several):,}\n"
            "  leave --no-ray out, or give them one each: --set workers=1"
        )
    if gpus_per_trial and gpus_per_trial > 1 and gpus_per_trial % 1:
        raise UserError(f"--gpus-per-trial {gpus_per_trial:g}: above one GPU only whole numbers are possible")
    if connection and not use_ray:
        raise UserError("--no-ray trains in this process: leave it out to run on a cluster")
    side_by_side = slots(cpus_per_trial, gpus_per_trial, jobs) if use_ray and not connection else jobs or 1
    if not connection and side_by_side * cpus_per_trial > cpu_count():
        console.print(
            f"note: {side_by_side} trials of {cpus_per_trial:g} threads on {cpu_count()} CPUs slow each other down",
            highlight=False,
            markup=False,
        )
    checkpoint_after = AFTER_SECONDS if checkpoint_after is None else checkpoint_after
    retries = RETRIES if retries is None else retries
    pruning_rule = pruning.model_dump(mode="json") if pruning else None
    ledger.flush_pending()
    done = ledger.done(pruning_rule)
    reused = [done[trial.key] for trial in trials if trial.key in done]
    tally = ProgressStats(trials, reused, side_by_side, with_results("bench show", ledger.root))
    view = (watched_by or console_progress(console))(tally)
    board = Scheduler(trials, ledger, pruning, view, suite, git_commit, sampling_seed, retries)
    if not board.waiting:
        return []
    with view, _heartbeat(board):
        try:
            if use_ray:
                if connection:
                    choose_authentication()  # before Ray is imported
                from bench.execution.ray_cluster import TrialResources  # first: it sets what Ray reads
                from bench.execution.tune import run_on_ray

                resources = TrialResources(cpus_per_trial, gpus_per_trial, jobs)
                run_on_ray(board, datasets, resources, checkpoint_after, connection)
            else:
                from bench.execution.in_process import run_in_process

                with stop_on_signals():
                    run_in_process(board, datasets, max(1, int(cpus_per_trial)), gpus_per_trial, checkpoint_after)
        finally:
            with finishing():
                board.leases.release_all()
    ledger.flush_pending()
    return board.ended


@contextlib.contextmanager
def _heartbeat(board: Scheduler) -> Iterator[None]:
    """Renew this driver's claims while the run goes on."""
    over = threading.Event()

    def beat() -> None:
        while not over.wait(RENEW_SECONDS):
            board.leases.renew_all()

    thread = threading.Thread(target=beat, name="claims", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
