"""Ray Tune on this machine: the board's trials side by side in reused worker processes.

Tune asks the searcher for trials one at a time, so a list of any length costs the same per trial and the seeds of
a surviving configuration can be added while the run goes on. Its scheduler asks the board whether to stop a
trial. Results leave Tune at once (`result.pop`), so the driver's memory does not grow with their number.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_TRAIN_ENABLE_V2_MIGRATION_WARNINGS": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # Ctrl-C is ours: the ledger is the state, nothing needs saving
    "TUNE_FUNCTION_THREAD_TIMEOUT_S": "60",
    "TUNE_GLOBAL_CHECKPOINT_S": "1000000000",  # resume is a new Tuner over what the ledger lacks
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",  # what we report is for the board, not for Tune
    "TUNE_WARN_THRESHOLD_S": "100",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}
os.environ.update({key: os.environ.get(key, value) for key, value in SETTINGS.items()})

import ray  # noqa: E402 (Ray reads its settings when it is imported)
from ray import tune  # noqa: E402
from ray.tune.schedulers import FIFOScheduler  # noqa: E402
from ray.tune.search import Searcher  # noqa: E402

from bench.execution.board import Board  # noqa: E402
from bench.execution.host import cpu_count, stop_on_sigterm  # noqa: E402
from bench.execution.worker import run_trial  # noqa: E402

RETRIES = 1
"""How often a trial whose worker process died is started again in the same run."""
REPORT_SECONDS = 0.5
"""Without pruning, progress is told at most this often: every report waits for the driver."""
POLL_SECONDS = 2.0


@dataclass(frozen=True)
class Resources:
    """What one trial gets, and how many run side by side (None: as many as fit)."""

    cpus_per_trial: float = 1
    gpus_per_trial: float | None = None
    jobs: int | None = None


@contextlib.contextmanager
def local_ray(resources: Resources, data_bytes: int) -> Iterator[tuple[int, float]]:
    """Start Ray on this machine; yields (trials side by side, GPUs per trial) and ends what it started.

    Ray's files go to a temporary folder of this run, so that users of one machine do not meet in /tmp/ray.
    """
    folder = tempfile.mkdtemp(prefix="bench-ray-", dir="/tmp" if os.path.isdir("/tmp") else None)
    wanted = max(cpu_count(), int((resources.jobs or 1) * resources.cpus_per_trial))
    logging.getLogger("ray").setLevel(logging.ERROR)
    try:
        ray.init(
            address="local",
            num_cpus=wanted,
            include_dashboard=False,
            log_to_driver=False,
            logging_level="ERROR",
            object_store_memory=max(200_000_000, 3 * data_bytes),
            _temp_dir=folder,
        )
        gpus = ray.cluster_resources().get("GPU", 0.0)
        per_trial = resources.gpus_per_trial if resources.gpus_per_trial is not None else (1.0 if gpus else 0.0)
        slots = int(wanted / resources.cpus_per_trial)
        if per_trial:
            slots = min(slots, int(gpus / per_trial))
        yield max(1, min(slots, resources.jobs or slots)), per_trial
    finally:
        ray.shutdown()
        shutil.rmtree(folder, ignore_errors=True)


def run_on_ray(board: Board, datasets: dict[str, Any], resources: Resources) -> None:
    """Run the board's trials on Ray Tune until nothing is left, also not with other drivers."""
    data_bytes = sum(data.train_images.nbytes + data.test_images.nbytes for data in datasets.values())
    with local_ray(resources, data_bytes) as (slots, gpus), stop_on_sigterm():
        storage = tempfile.mkdtemp(prefix="bench-tune-")
        try:
            while board.waiting or board.elsewhere:
                if board.waiting:
                    _tuner(board, datasets, resources, slots, gpus, storage).fit()
                if board.elsewhere:
                    time.sleep(POLL_SECONDS)
                    board.look_elsewhere()
        finally:
            shutil.rmtree(storage, ignore_errors=True)


def _tuner(
    board: Board, datasets: dict[str, Any], resources: Resources, slots: int, gpus: float, storage: str
) -> tune.Tuner:
    threads = max(1, int(resources.cpus_per_trial))
    function = tune.with_parameters(
        _train, datasets=datasets, device="cuda" if gpus else "cpu", threads=threads, every_epoch=board.asha is not None
    )
    bundle = {"CPU": resources.cpus_per_trial, **({"GPU": gpus} if gpus else {})}
    return tune.Tuner(
        tune.with_resources(function, tune.PlacementGroupFactory([bundle])),
        tune_config=tune.TuneConfig(
            num_samples=-1,
            search_alg=_Source(board),
            scheduler=_Judge(board),
            max_concurrent_trials=slots,
            reuse_actors=True,
            trial_dirname_creator=lambda trial: trial.trial_id,
        ),
        run_config=tune.RunConfig(
            name=f"run-{time.time_ns()}",
            storage_path=storage,
            verbose=0,
            callbacks=[_Collector(board)],
            failure_config=tune.FailureConfig(max_failures=RETRIES),
        ),
    )


def _train(config: dict[str, Any], datasets: dict[str, Any], device: str, threads: int, every_epoch: bool) -> None:
    """The trainable: runs in a worker process, tells progress and sends the result home with the last report."""
    trial = json.loads(config["trial"])
    told = time.monotonic()
    unsent: list[Any] = []

    def report(progress: Any) -> None:
        nonlocal told
        unsent.append((progress.epoch, progress.figures, progress.train_seconds))
        if every_epoch or time.monotonic() - told > REPORT_SECONDS:
            tune.report({"progress": unsent.copy()})
            unsent.clear()
            told = time.monotonic()

    data = datasets[trial["config"]["dataset"]["name"]]
    message = run_trial(trial["config"], trial["seed"], data, device, threads, report, passed_on=(SystemExit,))
    tune.report({"progress": unsent, "message": message})


class _Driver:
    """Base of what Tune copies and saves for a restore that we never make: the board stays behind."""

    board: Board

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return self

    def __getstate__(self) -> dict[str, Any]:
        return {}


class _Source(_Driver, Searcher):
    """Gives Tune the board's trials, one whenever a slot is free."""

    def __init__(self, board: Board):
        super().__init__(metric="_", mode="max")
        self.board = board
        self.keys: dict[str, str] = {}

    def suggest(self, trial_id: str) -> Any:
        trial = self.board.next_trial()
        if trial is not None:
            self.keys[trial_id] = trial.key
            # One string instead of a tree: Tune flattens, copies and compares every leaf with every result.
            return {"key": trial.key, "trial": json.dumps({"config": trial.run_config, "seed": trial.seed})}
        return None if self.board.running else Searcher.FINISHED

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        self.keys.pop(trial_id, None)

    def save(self, checkpoint_path: str) -> None: ...

    def restore(self, checkpoint_path: str) -> None: ...


class _Judge(_Driver, FIFOScheduler):
    """Lets the board stop a trial; the board published its record as pruned."""

    def __init__(self, board: Board):
        super().__init__()
        self.board = board

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        key = trial.config["key"]
        for epoch, figures, seconds in result.get("progress", []):
            if key in self.board.running and self.board.progress(key, epoch, figures, seconds):
                return str(self.STOP)
        return str(self.CONTINUE)


class _Collector(_Driver, tune.Callback):
    """Takes finished trials out of Tune's hands as soon as they arrive."""

    def __init__(self, board: Board):
        self.board = board

    def on_trial_result(self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **_: Any) -> None:
        key = trial.config["key"]
        message = result.pop("message", None)
        result.pop("progress", None)
        if message is None or key not in self.board.running:
            return
        if "failure" in message:
            self.board.failed(key, message["failure"])
        else:
            self.board.finished(
                key, message["status"], message["result"], message["measured"], message["predictions"]
            )

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **_: Any) -> None:
        key = trial.config["key"]
        if key in self.board.running:
            reason = f"the worker process died {RETRIES + 1} times; was it out of memory?"
            self.board.failed(key, {"kind": "WorkerDied", "message": reason, "traceback": ""})
