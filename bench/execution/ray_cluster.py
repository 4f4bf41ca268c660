"""The Ray that a run uses: started on this machine for the run, or a cluster's; and its settings.

Ray reads its settings when it is imported, so this module imports it in functions only, after `set_environment`.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, MutableMapping, Sequence
from pathlib import Path
from typing import Any

from bench.errors import UserError
from bench.execution.messages import Connection, RunOptions
from bench.execution.resource_limits import ClusterCapacity, ResourceLimits, nodes_up
from bench.execution.signals import finishing, uninterrupted
from bench.system import cpu_count, slots_on, temporary_folder

# --- settings -----------------------------------------------------------------------------------

SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_TRAIN_ENABLE_V2_MIGRATION_WARNINGS": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # bench handles Ctrl-C: the ledger is the state, nothing needs saving
    "TUNE_FUNCTION_THREAD_TIMEOUT_S": "60",
    "TUNE_GLOBAL_CHECKPOINT_S": "1000000000",  # resume is a new Tuner over what the ledger lacks
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",  # reports are for the scheduler, not for Tune
    "TUNE_WARN_THRESHOLD_S": "100",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    # Trials are threads of Ray's workers, and a thread's own arena cannot keep large blocks that were freed; the main
    # one can (`bench.training.runtime`). glibc reads this when a worker starts.
    "MALLOC_ARENA_MAX": "1",
    # A trial of several workers has enough processes already; when a node goes, the trial is tried again.
    "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",
    "RAY_TRAIN_METRICS_ENABLED": "0",
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.5",
}

OTHER_SETTINGS = ("TUNE_", "RAY_TUNE_", "RAY_AIR_", "RAY_TRAIN_", "TRAIN_PLACEMENT_GROUP_", "TRAIN_ENABLE_")
"""Prefixes of Ray Tune's and Ray Train's settings, which are removed.

A setting from the user's shell, made for another program, would change how these two work: RAY_AIR_NEW_OUTPUT=1 lets a
run hang, strict checking of metrics ends it, a result buffer hides epochs from pruning. Ray's own settings (memory,
ports, timeouts) are the machine's, and stay as the user has them.
"""


def set_environment(environment: MutableMapping[str, str] = os.environ) -> None:
    """Set what bench needs of Ray, whatever the user's shell says, and remove other settings of Tune and Train."""
    is_imported = "ray" in sys.modules and "RAY_AUTH_TOKEN" not in environment  # it has read how to authenticate
    if not is_imported and not {"RAY_AUTH_MODE", "RAY_AUTH_TOKEN_PATH"} & environment.keys():
        # A token of this run's own: other users of the machine stay out, and no file in the home folder is needed.
        environment.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
        environment["RAY_AUTH_MODE"] = "token"
    for name in list(environment):
        if name.startswith(OTHER_SETTINGS):
            del environment[name]
    environment.update(SETTINGS)


def choose_authentication() -> None:
    """Before connecting to a cluster: use a token if the user has one; RAY_AUTH_MODE, where set, decides."""
    if "RAY_AUTH_MODE" not in os.environ:
        has_token = "RAY_AUTH_TOKEN" in os.environ or "RAY_AUTH_TOKEN_PATH" in os.environ
        file = Path.home() / ".ray" / "auth_token"
        os.environ["RAY_AUTH_MODE"] = "token" if has_token or file.is_file() else "disabled"


def runtime_env(packages: Sequence[Path] = ()) -> dict[str, Any]:
    """This package, the user's own `packages` and the settings above, for worker processes on every node."""
    import bench

    modules = [Path(bench.__file__).parent, *packages]
    return {"py_modules": [str(path) for path in modules], "env_vars": dict(SETTINGS)}


def job_config(path: Sequence[str] = ()) -> Any:
    """Ray's settings of a job whose workers search the folders of `path` for modules before their own, and no others.

    Left to itself Ray puts the folder that the driver was started in before all others of every worker: a `random.py`,
    a `timm` or another checkout's `bench` in it would be imported instead of what the driver has.
    """
    from ray.job_config import JobConfig

    config = JobConfig(_py_driver_sys_path=list(reversed(path)))  # each worker inserts them one by one at the front
    # Ray leaves the driver's folder out where the job has a working folder (2.60, `ray._private.worker.connect`).
    config._runtime_env_has_working_dir = lambda: True  # type: ignore[method-assign]
    return config


def silence_ray() -> None:
    """Have Ray print nothing in this process: the run reports what becomes of trials, in a line each."""
    import ray

    logging.getLogger("ray").setLevel(logging.ERROR)
    # "A worker died ..." is printed whatever `log_to_driver` says, in the midst of the live table; this is the switch
    # by which Ray's own debugger silences it (Ray 2.60).
    ray._private.worker._worker_logs_enabled = False


@contextlib.contextmanager
def _ray_starting() -> Iterator[None]:
    """Around `ray.init`, which crashes the process if it is broken off (2.60): its threads go on without their data.

    Ray would also take SIGTERM for itself. While its compiled part starts, the last second or so, that answers SIGTERM
    with a stack on stderr and an alarm, which aborts the process if the start takes three seconds more.
    """
    import ray

    utils = ray._private.utils
    with uninterrupted():
        set_handler = utils.set_sigterm_handler
        utils.set_sigterm_handler = lambda _: _restore_sigterm()
        try:
            yield
        finally:
            _restore_sigterm()
            utils.set_sigterm_handler = set_handler


def _shut_ray_down() -> None:
    import ray

    node: Any = ray._private.worker._global_node
    with finishing():
        if node is not None:  # its processes are ended last, which takes longest
            end_processes = node.kill_all_processes

            def restore_and_end(**options: Any) -> None:
                _restore_sigterm()
                end_processes(**options)

            node.kill_all_processes = restore_and_end
        ray.shutdown()
        _restore_sigterm()


def _restore_sigterm() -> None:
    """Have Python's handler answer SIGTERM: Ray's compiled part takes it when it starts, and drops it when it ends."""
    handler = signal.getsignal(signal.SIGTERM)
    if handler is not None and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, handler)


# --- a Ray of the run's own ---------------------------------------------------------------------

NEW_SECONDS = 60.0
"""A folder younger than this may not be locked by its driver yet."""


@contextlib.contextmanager
def local_ray(options: RunOptions, data_bytes: int) -> Iterator[ResourceLimits]:
    """Start Ray on this machine, and end what was started.

    Ray's files are in a temporary folder of this run, so that users of one machine do not meet in /tmp/ray.
    """
    set_environment()
    import ray

    with _temporary_ray_folder() as folder:
        cpus = max(cpu_count(), int((options.jobs or 1) * options.cpus_per_trial))
        silence_ray()
        try:
            _start(num_cpus=cpus, object_store_memory=max(200_000_000, 3 * data_bytes), folder=folder)
            gpus = float(ray.cluster_resources().get("GPU", 0.0))  # type: ignore[no-untyped-call]
            per_trial = options.gpus_per_trial if options.gpus_per_trial is not None else (1.0 if gpus else 0.0)
            if per_trial > gpus:
                raise UserError(
                    f"--gpus-per-trial {per_trial:g}: Ray finds {gpus:g} GPUs on this machine\n"
                    "  leave the option out to use what there is"
                )
            machine = {"CPU": float(cpus), "GPU": gpus}
            yield ResourceLimits(lambda each: slots_on(machine, options.cpus_per_trial, each), per_trial, folder)
        finally:
            _shut_ray_down()


def _start(num_cpus: int, object_store_memory: int, folder: str) -> None:
    import ray

    try:
        with _ray_starting():
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
def _temporary_ray_folder() -> Iterator[str]:
    """A new folder for Ray's files and Tune's, locked while this driver lives; those of killed drivers are removed."""
    parent = temporary_folder()
    for old in parent.glob("bench-ray-*"):
        with contextlib.suppress(OSError):  # locked by a living driver, or another user's
            if time.time() - old.stat().st_mtime > NEW_SECONDS:
                with (old / "lock").open("ab") as lock:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(old, ignore_errors=True)
    folder = tempfile.mkdtemp(prefix="bench-ray-", dir=parent)
    try:
        with Path(folder, "lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield folder
    finally:
        with finishing():
            shutil.rmtree(folder, ignore_errors=True)


# --- a Ray that this process has started or joined before ---


@contextlib.contextmanager
def started_ray(options: RunOptions) -> Iterator[ResourceLimits]:
    """The Ray that `ray.init` was called for, as in a notebook; it stays as it is."""
    set_environment()
    with _temporary_ray_folder() as folder:
        per_trial = options.gpus_per_trial
        if per_trial is None:
            per_trial = 1.0 if any(node.get("GPU") for node in nodes_up()) else 0.0
        capacity = ClusterCapacity(options.cpus_per_trial, autoscaling=False)
        if per_trial and not any(node.get("GPU", 0.0) >= min(per_trial, 1.0) for node in nodes_up()):
            raise UserError(f"--gpus-per-trial {per_trial:g}: the Ray that runs already has no such GPU")
        yield ResourceLimits(capacity, per_trial, folder)


def is_one_machine() -> bool:
    """Whether the Ray that runs has a single node."""
    return len(nodes_up()) == 1


# --- a cluster that runs already ----------------------------------------------------------------

CONNECT_SECONDS = 10.0
STATUS_SECONDS = 60.0
"""How long a cluster may take to report its status."""


@contextlib.contextmanager
def cluster_ray(options: RunOptions, connection: Connection, packages: Sequence[Path] = ()) -> Iterator[ResourceLimits]:
    """Connect to a running Ray, and leave it running.

    A trial takes a GPU where the cluster has any and the options do not say.
    """
    with _temporary_ray_folder() as folder, connected(connection, packages):
        per_trial = options.gpus_per_trial
        if per_trial is None:
            per_trial = 1.0 if any(node.get("GPU") for node in nodes_up()) else 0.0
        capacity = ClusterCapacity(options.cpus_per_trial, connection.autoscaling)
        yield ResourceLimits(capacity, per_trial, folder, connection.autoscaling)


@contextlib.contextmanager
def connected(connection: Connection, packages: Sequence[Path] = ()) -> Iterator[None]:
    """Connect this process to the cluster, which stays up when it leaves; the user's own `packages` are sent along.

    Raises
    ------
    UserError
        Nothing answers there, or no Ray of this version.
    """
    silence_ray()
    try:
        _connect(connection, packages)
        yield
    finally:
        _shut_ray_down()


def _connect(connection: Connection, packages: Sequence[Path]) -> None:
    import ray

    try:
        if not connection.prepared:  # a job runs where Ray answers
            _check_status(connection.address)
        with _ray_starting():
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
            f"--address {connection.address}: no usable Ray cluster answers there: {line}\n"
            "  give the head's address and port (6379 by default), and run this on one of the cluster's own nodes;\n"
            "  from elsewhere use --cluster, or submit a Ray job (docs/cluster.md)"
        ) from error


def check_address(address: str) -> None:
    """Whether anything listens at the address, which Ray takes long to find out.

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


def _check_status(address: str) -> None:
    """Ask the cluster for its status, with a deadline: `ray.init` tries for eleven minutes.

    Raises
    ------
    ConnectionError
        It does not answer.
    """
    command = [sys.executable, "-P", "-m", "ray.scripts.scripts", "status", "--address", address]
    try:
        status = subprocess.run(command, capture_output=True, text=True, timeout=STATUS_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise ConnectionError(f"no answer within {STATUS_SECONDS:g} s") from error
    if status.returncode:
        lines = [line for line in status.stderr.splitlines() if line.strip()]
        raise ConnectionError(lines[-1] if lines else f"`ray status` failed there with exit code {status.returncode}")
