"""A Ray to run on: one started on this machine for the run, or a cluster's that runs already."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bench.execution.ray_settings import settle

if not {"RAY_AUTH_MODE", "RAY_AUTH_TOKEN_PATH"} & os.environ.keys():
    # A token of this run's own: other users of the machine stay out, and no file in the home folder is needed.
    os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    os.environ["RAY_AUTH_MODE"] = "token"
settle(os.environ)

import ray  # Ray reads its settings when it is imported, so not before they are set

from bench.execution.connect import Connection, Room, connected, gpus_of_cluster, job_config, keep_quiet
from bench.execution.host import cpu_count, places_on, temporary_folder
from bench.execution.sizes import Place
from bench.execution.stop import finishing
from bench.suite.errors import UserError

NEW_SECONDS = 60.0
"""A folder younger than this may not be locked by its driver yet."""


@dataclass(frozen=True)
class Resources:
    """What each worker of a trial gets, and how many trials run side by side (None: as many as fit).

    `device` is where they compute: None is a GPU where one is given, else CPUs.
    """

    cpus_per_trial: float = 1
    gpus_per_trial: float | None = None
    jobs: int | None = None
    device: Literal["cpu", "cuda"] | None = None


@contextlib.contextmanager
def local_ray(resources: Resources, data_bytes: int) -> Iterator[Place]:
    """Start Ray on this machine, and end what was started.

    Ray's files go to a temporary folder of this run, so that users of one machine do not meet in /tmp/ray.
    """
    with _own_folder() as folder:
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
            yield Place(lambda each: places_on(machine, resources.cpus_per_trial, each), per_trial, folder)
        finally:
            with finishing():
                ray.shutdown()


def _start(num_cpus: int, object_store_memory: int, folder: str) -> None:
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
def cluster_ray(resources: Resources, connection: Connection, packages: Sequence[Path] = ()) -> Iterator[Place]:
    """Connect to a running Ray, and leave it running.

    A trial takes a GPU where the cluster has any and `resources` do not say.
    """
    with _own_folder() as folder, connected(connection, packages):
        per_trial = resources.gpus_per_trial
        if per_trial is None:
            per_trial = 1.0 if gpus_of_cluster() else 0.0
        room = Room(resources.cpus_per_trial, connection.grows)
        yield Place(room, per_trial, folder, connection.grows)


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
    folder = tempfile.mkdtemp(prefix="bench-ray-", dir=parent)
    try:
        with Path(folder, "lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield folder
    finally:
        with finishing():
            shutil.rmtree(folder, ignore_errors=True)
