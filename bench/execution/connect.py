"""A Ray cluster that runs already: connecting to it, and how many trials it holds from moment to moment."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.execution.host import places_on
from bench.execution.ray_settings import SETTINGS
from bench.execution.stop import finishing
from bench.suite.errors import UserError

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


class Room:
    """How many workers fit on the nodes that are up now, and how many may wait for more."""

    def __init__(self, cpus: float, grows: bool):
        self.cpus, self.grows = cpus, grows
        self._up: list[dict[str, float]] = []
        self._looked = -math.inf

    def __call__(self, gpus: float) -> int:
        """Workers with so many GPUs each to have under way."""
        if time.monotonic() - self._looked > LOOK_SECONDS:
            self._up, self._looked = _nodes(), time.monotonic()
        return sum(places_on(node, self.cpus, gpus) for node in self._up) + (QUEUED if self.grows else 0)


def gpus_of_cluster() -> float:
    """GPUs of the nodes that are up."""
    return sum(node.get("GPU", 0.0) for node in _nodes())


def _nodes() -> list[dict[str, float]]:
    import ray

    return [node["Resources"] for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
