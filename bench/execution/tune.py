"""Ray Tune, on this machine or a cluster: the board's trials side by side in reused worker processes.

Tune asks the searcher for trials one at a time, so a list of any length costs the same per trial and the seeds of
a surviving configuration can be added while the run goes on. Its scheduler asks the board whether to stop a
trial. Results leave Tune at once (`result.pop`), so the driver's memory does not grow with their number.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.execution.ray_settings import SETTINGS

if not {"RAY_AUTH_MODE", "RAY_AUTH_TOKEN_PATH"} & os.environ.keys():
    # A token of this run's own: other users of the machine stay out, and no file in the home folder is needed.
    os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    os.environ["RAY_AUTH_MODE"] = "token"
os.environ.update({key: os.environ.get(key, value) for key, value in SETTINGS.items()})

import ray  # Ray reads its settings when it is imported, so not before they are set
from ray import tune
from ray.tune.progress_reporter import TrialProgressCallback
from ray.tune.schedulers import FIFOScheduler
from ray.tune.search import Searcher

from bench.execution.board import Board
from bench.execution.checkpoints import AFTER_SECONDS, path_of
from bench.execution.connect import Connection, Room, connected, gpus_of_cluster
from bench.execution.host import cpu_count, stop_on_sigterm, temporary_folder
from bench.execution.user_code import carried, with_own_model
from bench.execution.worker import run_trial
from bench.suite.errors import UserError
from bench.suite.expand import canonical

RETRIES = 1
"""How often a trial whose worker process died is started again in the same run."""
REPORT_SECONDS = 0.5
"""Without pruning, progress is told at most this often: every report waits for the driver."""
POLL_SECONDS = 2.0
MANY = 1_000_000
NEW_SECONDS = 60.0
"""A folder younger than this may not be locked by its driver yet."""


@dataclass(frozen=True)
class Resources:
    """What one trial gets, and how many run side by side (None: as many as fit)."""

    cpus_per_trial: float = 1
    gpus_per_trial: float | None = None
    jobs: int | None = None


@dataclass(frozen=True)
class Place:
    """A Ray to run on: how many trials side by side (now), GPUs per trial, and a folder that ends with the run."""

    room: Callable[[], int]
    gpus_per_trial: float
    folder: str


@contextlib.contextmanager
def local_ray(resources: Resources, data_bytes: int) -> Iterator[Place]:
    """Start Ray on this machine, and end what was started.

    Ray's files go to a temporary folder of this run, so that users of one machine do not meet in /tmp/ray.
    """
    with _own_folder() as folder:
        wanted = max(cpu_count(), int((resources.jobs or 1) * resources.cpus_per_trial))
        logging.getLogger("ray").setLevel(logging.ERROR)
        try:
            ray.init(
                address="local",
                num_cpus=wanted,
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
                object_store_memory=max(200_000_000, 3 * data_bytes),
                _temp_dir=folder,
            )
            gpus = float(ray.cluster_resources().get("GPU", 0.0))  # type: ignore[no-untyped-call]
            per_trial = resources.gpus_per_trial if resources.gpus_per_trial is not None else (1.0 if gpus else 0.0)
            slots = int(wanted / resources.cpus_per_trial)
            if per_trial > gpus:
                raise UserError(
                    f"--gpus-per-trial {per_trial:g}: Ray finds {gpus:g} GPUs on this machine\n"
                    "  leave the option out to use what there is"
                )
            if per_trial:
                slots = min(slots, int(gpus / per_trial))
            side_by_side = max(1, min(slots, resources.jobs or slots))
            yield Place(lambda: side_by_side, per_trial, folder)
        finally:
            ray.shutdown()


@contextlib.contextmanager
def cluster_ray(resources: Resources, connection: Connection) -> Iterator[Place]:
    """Connect to a running Ray, and leave it running.

    A trial takes a GPU where the cluster has any and `resources` do not say.
    """
    with _own_folder() as folder, connected(connection):
        per_trial = resources.gpus_per_trial
        if per_trial is None:
            per_trial = 1.0 if gpus_of_cluster() else 0.0
        yield Place(Room(resources.cpus_per_trial, per_trial, resources.jobs, connection.grows), per_trial, folder)


@contextlib.contextmanager
def _own_folder() -> Iterator[str]:
    """A new folder for Ray's files and Tune's, locked while this driver lives; those of killed drivers are removed."""
    parent = temporary_folder()
    for left in parent.glob("bench-ray-*"):
        with contextlib.suppress(OSError):  # locked by a living driver, or another user's
            if time.time() - left.stat().st_mtime > NEW_SECONDS:
                with (left / "lock").open("ab") as lock:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(left, ignore_errors=True)
    folder = tempfile.mkdtemp(prefix=f"bench-ray-{os.getpid()}-", dir=parent)
    try:
        with Path(folder, "lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run_on_ray(
    board: Board,
    datasets: dict[str, Any],
    resources: Resources,
    checkpoint_after: float = AFTER_SECONDS,
    connection: Connection | None = None,
) -> None:
    """Run the board's trials on Ray Tune until nothing is left, also not with other drivers.

    On a Ray of its own, unless a `connection` leads to another.
    """
    data_bytes = sum(data.train_images.nbytes + data.test_images.nbytes for data in datasets.values())
    ray_ = cluster_ray(resources, connection) if connection else local_ray(resources, data_bytes)
    with ray_ as place, stop_on_sigterm():
        while board.waiting or board.elsewhere:
            if board.waiting:
                _tuner(board, datasets, resources, place, checkpoint_after).fit()
            if board.elsewhere:
                time.sleep(POLL_SECONDS)
                board.look_elsewhere()


def _tuner(
    board: Board, datasets: dict[str, Any], resources: Resources, place: Place, checkpoint_after: float
) -> tune.Tuner:
    gpus = place.gpus_per_trial
    threads = max(1, int(resources.cpus_per_trial))
    function = tune.with_parameters(
        _train,
        datasets=datasets,
        device="cuda" if gpus else "cpu",
        threads=threads,
        every_epoch=board.asha is not None,
        checkpoint_after=checkpoint_after,
    )
    bundle = {"CPU": resources.cpus_per_trial, **({"GPU": gpus} if gpus else {})}
    return tune.Tuner(
        tune.with_resources(function, tune.PlacementGroupFactory([bundle])),
        tune_config=tune.TuneConfig(
            num_samples=-1,
            search_alg=_Source(board, place.room),
            scheduler=_Judge(board),
            max_concurrent_trials=MANY,  # the source knows when there is room
            reuse_actors=True,
            trial_dirname_creator=lambda trial: trial.trial_id,
        ),
        run_config=tune.RunConfig(
            name=f"run-{time.time_ns()}",
            storage_path=f"{place.folder}/tune",
            verbose=0,
            callbacks=[_Collector(board)],
            failure_config=tune.FailureConfig(max_failures=RETRIES),
        ),
    )


def _train(
    config: dict[str, Any],
    datasets: dict[str, Any],
    device: str,
    threads: int,
    every_epoch: bool,
    checkpoint_after: float,
) -> None:
    """The trainable: runs in a worker process, tells progress and sends the result home with the last report."""
    trial = json.loads(config["trial"])
    told = time.monotonic()
    unsent: list[Any] = []
    notes: list[str] = []

    def report(progress: Any) -> None:
        nonlocal told
        unsent.append(vars(progress))
        if every_epoch or time.monotonic() - told > REPORT_SECONDS:
            try:
                tune.report({"progress": unsent.copy(), "notes": notes.copy()})
            except SystemExit as stop:
                raise _StoppedError from stop
            unsent.clear()
            notes.clear()
            told = time.monotonic()

    data = datasets[canonical(trial["config"]["dataset"])]
    try:
        message = run_trial(
            with_own_model(trial["config"], trial["model"]),
            trial["seed"],
            data,
            device,
            threads,
            report,
            passed_on=(_StoppedError,),
            checkpoint=Path(trial["checkpoint"]),
            checkpoint_after=checkpoint_after,
            note=notes.append,
        )
    except _StoppedError:
        sys.exit(0)  # what Tune raised
    tune.report({"progress": unsent, "notes": notes, "message": message})


class _StoppedError(Exception):
    """Tune stops a trial by SystemExit out of `tune.report`; any other SystemExit is the user's own code."""


class _Driver:
    """Base of what Tune copies and saves for a restore that we never make: the board stays behind."""

    board: Board

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return self

    def __getstate__(self) -> dict[str, Any]:
        return {}


class _Source(_Driver, Searcher):
    """Gives Tune the board's trials, one whenever a slot is free."""

    def __init__(self, board: Board, room: Callable[[], int]):
        super().__init__(metric="_", mode="max")
        self.board = board
        self.room = room

    def suggest(self, trial_id: str) -> Any:
        if len(self.board.running) >= self.room():
            return None
        trial = self.board.next_trial()
        if trial is not None:
            # One string instead of a tree: Tune flattens, copies and compares every leaf with every result.
            checkpoint = str(path_of(self.board.ledger.home.local, trial.key))
            about = {"config": trial.run_config, "seed": trial.seed, "checkpoint": checkpoint, "model": carried(trial)}
            return {"key": trial.key, "trial": json.dumps(about)}
        return None if self.board.running else Searcher.FINISHED

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None: ...

    def save(self, checkpoint_path: str) -> None: ...

    def restore(self, checkpoint_path: str) -> None: ...


class _Judge(_Driver, FIFOScheduler):
    """Lets the board stop a trial; the board published its record as pruned."""

    def __init__(self, board: Board):
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


class _Collector(_Driver, TrialProgressCallback):
    """Takes finished trials out of Tune's hands as soon as they arrive.

    It stands where Tune's own progress printer would, which prints a line per trial and keeps every result.
    """

    def __init__(self, board: Board):
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
        if "failure" in message:
            self.board.failed(key, message["failure"])
        else:
            self.board.finished(key, message["status"], message["result"], message["measured"], message["predictions"])

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
            reason = f"the worker process died {RETRIES + 1} times; was it out of memory?"
            self.board.failed(key, {"kind": "WorkerDied", "message": reason, "traceback": ""})
