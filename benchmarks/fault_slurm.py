"""The faults of SLURM and its tasks that `faults.py` injects, on the daemons of tests/made/slurm_daemons.py.

A controller and three nodes of one CPU run on this machine. Each run is an array of two drivers on one ledger.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from fault_kinds import Fault
from fault_runs import Driver, Scene, TooLateError, entries, fresh

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "made"))
from slurm_daemons import Slurm, lacking_slurm, slurm_daemons, task_drivers

__all__ = ["Slurm", "lacking_slurm"]
TASKS = 2


@contextlib.contextmanager
def daemons(folder: Path) -> Iterator[Slurm]:
    """A SLURM in a new folder, both gone at the end."""
    folder.mkdir()
    try:
        with slurm_daemons(folder) as slurm:
            yield slurm
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def on_slurm(slurm: Slurm, scene: Scene) -> None:
    """Let a scene's command submit to SLURM."""
    file = slurm.folder / "slurm.yaml"
    file.write_text(json.dumps({"tasks": TASKS, "python": sys.executable}))
    scene.arguments += ["--slurm", str(file)]
    scene.launch = fresh({})


def task_killed(scene: Scene) -> Fault:
    """kill -9 of a task's driver, which SLURM does not queue again; the other goes on, where it has not ended."""
    driver = scene.start()
    scene.wait(driver)
    before, at, pids = entries(scene.results), time.monotonic(), list(_drivers(scene, driver).values())
    os.kill(scene.chance.choice(pids), signal.SIGKILL)
    driver.must_end(0, 1)
    return Fault(before, at)


def task_requeued(scene: Scene) -> Fault:
    """`scontrol requeue` of a task; the run goes on by itself."""
    driver = scene.start()
    scene.wait(driver)
    before, at, task = entries(scene.results), time.monotonic(), scene.chance.choice(list(_drivers(scene, driver)))
    job = json.loads((_run(scene) / "job.json").read_text())["job"]
    if subprocess.run(["scontrol", "requeue", f"{job}_{task}"], capture_output=True).returncode:
        driver.must_end(0)  # that task had just ended, and what it leaves the other does
        raise TooLateError
    scene.driver = driver
    return Fault(before, at)


def controller_restarted(slurm: Slurm, scene: Scene) -> Fault:
    """kill -9 of the controller, which is started again up to 20 s later; the run goes on by itself."""
    driver = scene.start()
    scene.wait(driver)
    before, at = entries(scene.results), time.monotonic()
    slurm.kill_controller()
    time.sleep(scene.chance.uniform(0, 20))
    slurm.start_controller()
    scene.driver = driver
    return Fault(before, at)


def two_arrays(scene: Scene) -> Fault:
    """The same command once more while it runs: a second array on the ledger."""
    driver = scene.start()
    scene.wait(driver)
    before, at = entries(scene.results), time.monotonic()
    log = scene.results.parent / f"log-{time.monotonic_ns()}"
    log.touch()
    second = Driver(scene.launch(scene.arguments, log), log)
    scene.started.append(second)
    second.must_end(0)
    scene.driver = driver
    return Fault(before, at)


def _run(scene: Scene) -> Path:
    """The folder of the latest run."""
    return max((scene.results / "slurm").iterdir(), key=lambda folder: folder.stat().st_mtime)


def _drivers(scene: Scene, driver: Driver) -> dict[int, int]:
    """The processes of the latest run's tasks; TooLateError where none comes any more."""
    while not (pids := task_drivers(_run(scene))):
        if driver.ended:
            driver.must_end(0)
            raise TooLateError
        time.sleep(0.05)
    return pids
