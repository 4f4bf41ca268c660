"""Ray Tune, on this machine or a cluster: the board's trials side by side in reused worker processes.

Tune asks the searcher for trials one at a time, so a list of any length costs the same per trial and the seeds of
a surviving configuration can be added while the run goes on. Its scheduler asks the board whether to stop a
trial. Results leave Tune at once (`result.pop`), so the driver's memory does not grow with their number.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.execution.ray_cluster import set_environment

set_environment()

# isort: split
import ray
from ray import tune
from ray.tune.execution import class_cache
from ray.tune.progress_reporter import TrialProgressCallback
from ray.tune.schedulers import FIFOScheduler
from ray.tune.search import Searcher

from bench.execution.checkpoints import AFTER_SECONDS, path_of
from bench.execution.forkserver import train
from bench.execution.multi_worker import TrialStoppedError, WorkerResources, train_together
from bench.execution.ray_cluster import Connection, TrialResources, cluster_ray, local_ray
from bench.execution.remote_checkpoints import RemoteCheckpointStore, remote_checkpoint_store
from bench.execution.resources import JOIN_SECONDS, ResourceLimits, fits, gpus_each, refuse_what_never_fits
from bench.execution.scheduler import Scheduler
from bench.execution.signals import stop_on_signals
from bench.execution.trial_log import forget, keep, log_of, with_printed
from bench.execution.worker import Message, module_files, other_modules
from bench.jsonutil import canonical
from bench.ledger.files import LOGS
from bench.models.user_code import installed_packages
from bench.suite.trial import Trial

# Tune would give workers the driver's AWS credentials in their runtime environment, which Ray writes into its logs.
class_cache.ENV_VARS_TO_PROPAGATE -= {name for name in class_cache.ENV_VARS_TO_PROPAGATE if name.startswith("AWS_")}

REPORT_SECONDS = 0.5
"""Without pruning, progress is told at most this often: every report waits for the driver."""
POLL_SECONDS = 2.0
MANY = 1_000_000
LONGEST = 200


def worker_failure(text: str) -> str:
    """What a person wants to know of the error that Ray gives when a trial's process, or one of its workers', ends."""
    memory = re.search(r"Memory on the node.*? was ([\d.]+ ?GB / [\d.]+ ?GB)", text, re.DOTALL)
    if memory or "OutOfMemoryError" in text or "running low on memory" in text:
        return f"Ray ended it because its node ran short of memory{f' ({memory[1]})' if memory else ''}"
    where = re.findall(r"^\s*ip: (\S+)", text, re.MULTILINE)
    on = f" on {where[-1]}" if where else ""
    if re.search(r"node (has died|was terminated|is dead)|NodeDiedError|was preempted", text):
        return f"its node is gone{on.replace(' on ', ', ')}"
    process = re.findall(r"^\s*pid: (\d+)", text, re.MULTILINE)
    if process and re.search(r"worker process has died|Worker unexpectedly exits|The actor died", text):
        return f"process {process[-1]}{on} was killed or crashed, perhaps for want of memory"
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:LONGEST] if lines else "Ray gives no reason"


def run_on_ray(
    board: Scheduler,
    datasets: dict[str, Any],
    resources: TrialResources,
    checkpoint_after: float = AFTER_SECONDS,
    connection: Connection | None = None,
) -> None:
    """Run the board's trials on Ray Tune until nothing is left, also not with other drivers.

    On a Ray of its own, unless a `connection` leads to another.
    """
    data_bytes = sum(data.train_images.nbytes + data.test_images.nbytes for data in datasets.values())
    ray_ = (
        cluster_ray(resources, connection, installed_packages(trial.code for trial in board.waiting))
        if connection
        else local_ray(resources, data_bytes)
    )
    with ray_ as place, stop_on_signals():
        logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # a worker's death is the board's to tell
        refuse_what_never_fits(board.waiting, place, resources.cpus_per_trial, JOIN_SECONDS if connection else 0.0)
        shelf = remote_checkpoint_store() if connection else None
        variables = connection.variables if connection else {}
        images = {name: ray.put(data) for name, data in datasets.items()}
        codes = {code.identity: code for trial in board.waiting if (code := trial.code)}
        code_refs = {identity: ray.put(code) for identity, code in codes.items()}
        while board.waiting or board.elsewhere:
            if board.waiting:
                modules = None if connection else module_files()  # on other machines they lie elsewhere
                _tuner(board, images, code_refs, resources, place, checkpoint_after, shelf, modules, variables).fit()
            if board.elsewhere:
                time.sleep(POLL_SECONDS)
                board.look_elsewhere()


def _tuner(
    board: Scheduler,
    images: dict[str, Any],
    codes: dict[str, Any],
    resources: TrialResources,
    place: ResourceLimits,
    checkpoint_after: float,
    shelf: RemoteCheckpointStore | None,
    modules: dict[str, str | None] | None,
    variables: dict[str, str],
) -> tune.Tuner:
    device = resources.device or ("cuda" if place.gpus_per_trial else "cpu")
    cpus, threads = resources.cpus_per_trial, max(1, int(resources.cpus_per_trial))

    def share(workers: int) -> WorkerResources:
        return WorkerResources(workers, cpus, gpus_each(workers, place), device, threads, variables)

    def bundles(config: dict[str, Any]) -> tune.PlacementGroupFactory:
        one = share(1)
        bundle = {"CPU": one.cpus, **({"GPU": one.gpus} if one.gpus else {})}
        # Ray Train reserves for several workers; a bundle must hold something, and a byte is next to nothing.
        return tune.PlacementGroupFactory([bundle if config["workers"] == 1 else {"memory": 1}])

    function = tune.with_parameters(
        _train,
        images=images,
        codes=codes,
        share=share,
        every_epoch=board.asha is not None,
        checkpoint_after=checkpoint_after,
        shelf=shelf,
        modules=modules,
    )
    return tune.Tuner(
        tune.with_resources(function, bundles),
        tune_config=tune.TuneConfig(
            num_samples=-1,
            search_alg=QueueSearcher(board, place, resources.jobs or MANY),
            scheduler=DelegatingScheduler(board),
            max_concurrent_trials=MANY,  # the source knows when there is room
            reuse_actors=True,
            trial_dirname_creator=lambda trial: trial.trial_id,
        ),
        run_config=tune.RunConfig(
            name=f"run-{time.time_ns()}",
            storage_path=f"{place.folder}/tune",
            verbose=0,
            callbacks=[ResultCallback(board)],
            # Nodes that were announced to go do not count here; the rest is the board's to count.
            failure_config=tune.FailureConfig(max_failures=0),
        ),
    )


def _train(
    config: dict[str, Any],
    images: dict[str, Any],
    codes: dict[str, Any],
    share: Callable[[int], WorkerResources],
    every_epoch: bool,
    checkpoint_after: float,
    shelf: RemoteCheckpointStore | None,
    modules: dict[str, str | None] | None,
) -> None:
    """The trainable: runs in a worker process, tells progress and sends the result home with the last report."""
    if modules and (why := other_modules(modules)):
        failed = {"kind": "OtherModules", "message": why, "traceback": ""}
        tune.report({"progress": [], "notes": [], "message": {"failure": failed}})
        return
    trial = json.loads(config["trial"])
    data, mine = images[canonical(trial["config"]["dataset"])], share(config["workers"])
    os.environ.update(mine.variables)
    code = codes[trial["code"]] if trial["code"] else None
    run = _train_single if mine.workers == 1 else train_together
    try:
        message = run(trial, data, code, mine, _report, every_epoch, checkpoint_after, shelf)
    except TrialStoppedError:
        sys.exit(0)  # what Tune raised
    tune.report({"progress": [], "notes": [], "message": message})


def _report(message: Message) -> None:
    """Tune stops a trial by SystemExit out of `tune.report`; any other SystemExit is the user's own code."""
    try:
        tune.report(message)
    except SystemExit as stop:
        raise TrialStoppedError from stop


def _train_single(
    trial: dict[str, Any],
    data: Any,
    code: Any,
    share: WorkerResources,
    tell: Callable[[Message], None],
    every_epoch: bool,
    checkpoint_after: float,
    shelf: RemoteCheckpointStore | None,
) -> Message:
    """Train a trial of one worker, here unless it runs user code; the arguments are those of `train_together`."""
    told = time.monotonic()
    unsent: list[Any] = []
    notes: list[str] = []

    def report(progress: Any) -> None:
        nonlocal told
        unsent.append(vars(progress))
        if every_epoch or time.monotonic() - told > REPORT_SECONDS:
            tell({"progress": unsent.copy(), "notes": notes.copy()})
            unsent.clear()
            notes.clear()
            told = time.monotonic()

    message = train(
        code and ray.get(code),
        trial["config"],
        trial["seed"],
        ray.get(data),
        share.device,
        share.threads,
        report,
        passed_on=(TrialStoppedError,),
        checkpoint=Path(trial["checkpoint"]),
        checkpoint_after=checkpoint_after,
        note=notes.append,
        files=shelf and shelf.from_here(),
        data_id=data.hex(),
        log=Path(trial["log"]),
    )
    if unsent or notes:
        tell({"progress": unsent, "notes": notes})
    return message


class TuneAdapter:
    """Base of what Tune copies and saves for a restore that we never make: the board stays behind."""

    board: Scheduler

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return self

    def __getstate__(self) -> dict[str, Any]:
        return {}


class QueueSearcher(TuneAdapter, Searcher):
    """Gives Tune the board's trials, one whenever there is room for it."""

    def __init__(self, board: Scheduler, place: ResourceLimits, jobs: int):
        super().__init__(metric="_", mode="max")
        self.board = board
        self.place = place
        self.jobs = jobs

    def suggest(self, trial_id: str) -> Any:
        if len(self.board.running) >= self.jobs:
            return None
        trial = self.board.next_trial(self._fits)
        if trial is not None:
            # One string instead of a tree: Tune flattens, copies and compares every leaf with every result.
            local = self.board.ledger.store.local
            with contextlib.suppress(OSError):  # without it, what trials print goes with them
                (local / LOGS).mkdir(parents=True, exist_ok=True)
            forget(log_of(local, trial.key))
            about = {
                "config": trial.run_config,
                "seed": trial.seed,
                "checkpoint": str(path_of(local, trial.key)),
                "log": str(log_of(local, trial.key)),
                "code": trial.code and trial.code.identity,
            }
            return {"key": trial.key, "workers": trial.config["workers"], "trial": json.dumps(about)}
        return None if self.board.running else Searcher.FINISHED

    def _fits(self, trial: Trial) -> bool:
        return fits(trial, [running.trial for running in self.board.running.values()], self.place)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None: ...

    def save(self, checkpoint_path: str) -> None: ...

    def restore(self, checkpoint_path: str) -> None: ...


class DelegatingScheduler(TuneAdapter, FIFOScheduler):
    """Lets the board stop a trial; the board published its record as pruned."""

    def __init__(self, board: Scheduler):
        super().__init__()  # type: ignore[no-untyped-call]
        self.board = board

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        key = trial.config["key"]
        for note in result.get("notes", []):
            self.board.view.note(note)
        for told in result.get("progress", []):
            if key in self.board.running and self.board.progress(key, **told):
                return str(self.STOP)
        return str(self.CONTINUE)


class ResultCallback(TuneAdapter, TrialProgressCallback):
    """Takes finished trials out of Tune's hands as soon as they arrive.

    It stands where Tune's own progress printer would, which prints a line per trial and keeps every result.
    """

    def __init__(self, board: Scheduler):
        super().__init__()
        self.board = board
        self.over: list[Any] = []
        self.common: dict[str, Any] = {}

    def on_trial_result(self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **_: Any) -> None:
        key = trial.config["key"]
        message = result.pop("message", None)
        result.pop("progress", None)
        result.pop("notes", None)
        if message is None or key not in self.board.running:
            return
        printed = message.get("printed", "")
        keep(printed, log_of(self.board.ledger.store.local, key))
        if "failure" in message:
            self.board.failed(key, with_printed(message["failure"], printed))
        else:
            self.board.finished(key, message["status"], message["result"], message["run_info"], message["predictions"])

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **_: Any) -> None:
        self.over.append(trial)

    def on_step_end(self, iteration: int, trials: list[Any], **_: Any) -> None:
        """Tune keeps every trial until the run ends, some 30 kB each: those that are over share the first one's state.

        Measured by benchmarks/memory.py: the driver grows by a third over 2,000 trials without this.
        """
        for trial in self.over:
            self.common = self.common or vars(trial)
            trial.__dict__ = {**self.common, "trial_id": trial.trial_id, "status": trial.status}
        self.over.clear()

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **_: Any) -> None:
        key = trial.config["key"]
        if key in self.board.running:
            text = Path(trial.error_file).read_text(encoding="utf-8", errors="replace") if trial.error_file else ""
            self.board.lost(key, worker_failure(text), text)
