"""A Ray to run on: one started on this machine for the run, or a cluster's that runs already."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import math
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, MutableMapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from bench.errors import UserError
from bench.execution.resources import ResourceLimits
from bench.execution.signals import finishing
from bench.system import cpu_count, slots_on, temporary_folder

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
    # Trials are threads of Ray's workers, and a thread's own arena cannot keep large blocks that were freed; the main
    # one can (`bench.training.runtime`). glibc reads this when a worker starts.
    "MALLOC_ARENA_MAX": "1",
    # A trial of several workers needs processes enough of its own; when a node goes, it is tried again.
    "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",
    "RAY_TRAIN_METRICS_ENABLED": "0",
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.5",
}

OTHER_SETTINGS = ("TUNE_", "RAY_TUNE_", "RAY_AIR_", "RAY_TRAIN_", "TRAIN_PLACEMENT_GROUP_", "TRAIN_ENABLE_")
"""What the names of Ray Tune's and Ray Train's settings begin with.

Runs are built on how these two work, and a setting from the user's shell, made for another program, would change that:
RAY_AIR_NEW_OUTPUT=1 lets a run hang, strict checking of metrics ends it, a result buffer hides epochs from pruning.
Ray's own settings (memory, ports, timeouts) are the machine's, and stay as the user has them.
"""


def set_environment(environment: MutableMapping[str, str] = os.environ) -> None:
    """Set what bench needs of Ray, whatever the user's shell says, and remove other settings of Tune and Train.

    To be called before Ray is imported: it reads most of its settings then.
    """
    if not {"RAY_AUTH_MODE", "RAY_AUTH_TOKEN_PATH"} & environment.keys():
        # A token of this run's own: other users of the machine stay out, and no file in the home folder is needed.
        environment.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
        environment["RAY_AUTH_MODE"] = "token"
    for name in list(environment):
        if name.startswith(OTHER_SETTINGS):
            del environment[name]
    environment.update(SETTINGS)


LOOK_SECONDS = 2.0
"""How often the cluster's nodes are counted."""
QUEUED = 16
"""Trials that wait for machines where the autoscaler may add some: it adds none that nothing waits for."""
CONNECT_SECONDS = 10.0
ANSWER_SECONDS = 60.0
"""How long a cluster may take to say how it is."""


@dataclass(frozen=True)
class Connection:
    """A running Ray: `address` is host:port, or "auto" on one of its nodes.

    `grows` tells that an autoscaler adds nodes when trials wait. `prepared` tells that the driver's Ray job has brought
    this package and our settings to every node; otherwise they travel with the connection. `variables` are environment
    variables for workers, which Ray is not to write into its logs.
    """

    address: str
    grows: bool = False
    prepared: bool = False
    variables: dict[str, str] = field(default_factory=dict, repr=False)


def runtime_env(packages: Sequence[Path] = ()) -> dict[str, Any]:
    """This package, the user's own `packages` and our settings, for worker processes on every node."""
    import bench

    modules = [Path(bench.__file__).parent, *packages]
    return {"py_modules": [str(path) for path in modules], "env_vars": dict(SETTINGS)}


def job_config(path: Sequence[str] = ()) -> Any:
    """Ray's settings of a job whose workers look for modules in the folders of `path` before their own, and nowhere
    else.

    Left to itself Ray puts the folder that the driver was started in before all others of every worker: a `random.py`,
    a `timm` or another checkout's `bench` that lies there would be imported instead of what the driver has.
    """
    from ray.job_config import JobConfig

    config = JobConfig(_py_driver_sys_path=list(reversed(path)))  # each worker inserts them one by one at the front
    # Ray leaves the driver's folder out where the job brings one of its own (2.60, `ray._private.worker.connect`).
    config._runtime_env_has_working_dir = lambda: True  # type: ignore[method-assign]
    return config


def choose_authentication() -> None:
    """Whether Ray asks for a token is the cluster's to say; what a user set stands, and so does a token of theirs."""
    if "RAY_AUTH_MODE" not in os.environ:
        has_token = "RAY_AUTH_TOKEN" in os.environ or "RAY_AUTH_TOKEN_PATH" in os.environ
        file = Path.home() / ".ray" / "auth_token"
        os.environ["RAY_AUTH_MODE"] = "token" if has_token or file.is_file() else "disabled"


def keep_quiet() -> None:
    """Have Ray print nothing of its own in this process: what becomes of trials is told by the run, in a line each."""
    import ray

    logging.getLogger("ray").setLevel(logging.ERROR)
    # "A worker died ..." comes whatever `log_to_driver` says, in the midst of the live view; this is the switch by
    # which Ray's own debugger keeps the terminal for itself (Ray 2.60).
    ray._private.worker._worker_logs_enabled = False


def check_address(address: str) -> None:
    """Whether something answers there at all, which Ray takes long to find out.

    Raises
    ------
    UserError
        It is no address, or nothing answers.
    """
    if address == "auto":
        return
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or "/" in host:
        raise UserError(
            f"--address {address}: expected HOST:PORT of a Ray cluster's head, such as 10.0.0.1:6379, or auto\n"
            "  run this on one of the cluster's nodes; from elsewhere use --cluster (docs/cluster.md)"
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise UserError(
            f"--address {address}: nothing answers there: {error}\n"
            "  give the head's address and the port of `ray start --head` (6379 by default)"
        ) from error


@contextlib.contextmanager
def connected(connection: Connection, packages: Sequence[Path] = ()) -> Iterator[None]:
    """Connect this process to the cluster, which stays when it leaves; `packages` of the user's own travel along.

    Raises
    ------
    UserError
        Nothing answers there, or not to us.
    """
    import ray

    keep_quiet()
    try:
        if not connection.prepared:  # a job runs where Ray answers
            _check_answer(connection.address)
        ray.init(
            address=connection.address,
            log_to_driver=False,
            logging_level=logging.ERROR,
            runtime_env=None if connection.prepared else runtime_env(packages),
            job_config=job_config(),
        )
    except (ConnectionError, RuntimeError, ValueError, OSError, ray.exceptions.RayError) as error:
        line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(
            f"--address {connection.address}: no Ray cluster of ours answers there: {line}\n"
            "  give the head's address and port (6379 by default), and run this on one of the cluster's own nodes;\n"
            "  from elsewhere use --cluster, or submit a Ray job (docs/cluster.md)"
        ) from error
    try:
        yield
    finally:
        with finishing():
            ray.shutdown()


def _check_answer(address: str) -> None:
    """Ask the cluster for its status, with a deadline: `ray.init` tries for eleven minutes.

    Raises
    ------
    ConnectionError
        It does not answer.
    """
    command = [sys.executable, "-P", "-m", "ray.scripts.scripts", "status", "--address", address]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=ANSWER_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise ConnectionError(f"no answer within {ANSWER_SECONDS:g} s") from error
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise ConnectionError(lines[-1] if lines else f"`ray status` failed there with exit code {done.returncode}")


class ClusterCapacity:
    """How many workers fit on the nodes that are up now, and how many may wait for more."""

    def __init__(self, cpus: float, grows: bool):
        self.cpus, self.grows = cpus, grows
        self._up: list[dict[str, float]] = []
        self._looked = -math.inf

    def __call__(self, gpus: float) -> int:
        """Workers with so many GPUs each to have under way."""
        if time.monotonic() - self._looked > LOOK_SECONDS:
            self._up, self._looked = _nodes(), time.monotonic()
        return sum(slots_on(node, self.cpus, gpus) for node in self._up) + (QUEUED if self.grows else 0)


def gpus_of_cluster() -> float:
    """GPUs of the nodes that are up."""
    return sum(node.get("GPU", 0.0) for node in _nodes())


def _nodes() -> list[dict[str, float]]:
    import ray

    return [node["Resources"] for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]


NEW_SECONDS = 60.0
"""A folder younger than this may not be locked by its driver yet."""


@dataclass(frozen=True)
class TrialResources:
    """What each worker of a trial gets, and how many trials run side by side (None: as many as fit).

    `device` is where they compute: None is a GPU where one is given, else CPUs.
    """

    cpus_per_trial: float = 1
    gpus_per_trial: float | None = None
    jobs: int | None = None
    device: Literal["cpu", "cuda"] | None = None


@contextlib.contextmanager
def local_ray(resources: TrialResources, data_bytes: int) -> Iterator[ResourceLimits]:
    """Start Ray on this machine, and end what was started.

    Ray's files go to a temporary folder of this run, so that users of one machine do not meet in /tmp/ray.
    """
    set_environment()
    import ray

    with _temporary_ray_folder() as folder:
        wanted = max(cpu_count(), int((resources.jobs or 1) * resources.cpus_per_trial))
        keep_quiet()
        try:
            _start(num_cpus=wanted, object_store_memory=max(200_000_000, 3 * data_bytes), folder=folder)
            gpus = float(ray.cluster_resources().get("GPU", 0.0))  # type: ignore[no-untyped-call]
            per_trial = resources.gpus_per_trial if resources.gpus_per_trial is not None else (1.0 if gpus else 0.0)
            if per_trial > gpus:
                raise UserError(
                    f"--gpus-per-trial {per_trial:g}: Ray finds {gpus:g} GPUs on this machine\n"
                    "  leave the option out to use what there is"
                )
            machine = {"CPU": float(wanted), "GPU": gpus}
            yield ResourceLimits(lambda each: slots_on(machine, resources.cpus_per_trial, each), per_trial, folder)
        finally:
            with finishing():
                ray.shutdown()


def _start(num_cpus: int, object_store_memory: int, folder: str) -> None:
    import ray

    try:
        ray.init(
            address="local",
            num_cpus=num_cpus,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            object_store_memory=object_store_memory,
            _temp_dir=folder,
            job_config=job_config(sys.path),
        )
    except Exception as error:  # Ray has no type of its own for this
        if "timed out during startup" not in str(error):
            raise
        raise UserError(
            "Ray did not start: its processes took longer than the half minute that it gives them\n"
            f"  this machine is busy (load {os.getloadavg()[0]:.0f}, CPUs: {cpu_count()}): "
            "run again when it is less so, or leave Ray out with --no-ray"
        ) from error


@contextlib.contextmanager
def cluster_ray(
    resources: TrialResources, connection: Connection, packages: Sequence[Path] = ()
) -> Iterator[ResourceLimits]:
    """Connect to a running Ray, and leave it running.

    A trial takes a GPU where the cluster has any and `resources` do not say.
    """
    with _temporary_ray_folder() as folder, connected(connection, packages):
        per_trial = resources.gpus_per_trial
        if per_trial is None:
            per_trial = 1.0 if gpus_of_cluster() else 0.0
        room = ClusterCapacity(resources.cpus_per_trial, connection.grows)
        yield ResourceLimits(room, per_trial, folder, connection.grows)


@contextlib.contextmanager
def _temporary_ray_folder() -> Iterator[str]:
    """A new folder for Ray's files and Tune's, locked while this driver lives; those of killed drivers are removed."""
    parent = temporary_folder()
    for left in parent.glob("bench-ray-*"):
        with contextlib.suppress(OSError):  # locked by a living driver, or another user's
            if time.time() - left.stat().st_mtime > NEW_SECONDS:
                with (left / "lock").open("ab") as lock:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(left, ignore_errors=True)
    folder = tempfile.mkdtemp(prefix="bench-ray-", dir=parent)
    try:
        with Path(folder, "lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield folder
    finally:
        with finishing():
            shutil.rmtree(folder, ignore_errors=True)
