"""Trials whose worker process is killed: tried again, from their checkpoint, and no more often than asked."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from commands import processes_below, start

from bench.execution.coordinator import Coordinator
from bench.execution.messages import RunOptions
from bench.execution.scheduler import RunningTrial
from bench.execution.tune import worker_failure
from bench.ledger.ledger import Ledger
from bench.ledger.record import Record
from bench.suite.suite import Suite
from bench.suite.trial import Trial
from bench.training.epoch_progress import Progress

KILLED = """Failure # 1 (occurred at 2026-11-22_05-19-35)
The actor died unexpectedly before finishing this task.
        class_name: ImplicitFunc
        actor_id: d57d8ce8ffebfe9626c17f8101000000
        pid: 6045
        namespace: 72677471-214a-4091-b131-33698ef5a297
        ip: 192.0.2.2
The actor is dead because its worker process has died. Worker exit type: SYSTEM_ERROR Worker exit detail: Worker
unexpectedly exits with a connection error code 2. End of file.
"""
NODE = KILLED.split("The actor is dead")[0] + "The actor died because its node has died. Node Id: 4a1f\n"
MEMORY = """Failure # 1 (occurred at 2026-11-22_05-19-35)
Task was killed due to the node running low on memory.
Memory on the node (IP: 192.0.2.2, ID: 4a1f) where the lease was running was 30.41GB / 32.00GB (0.950294), which
exceeds the memory usage threshold of 0.95.
"""


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (KILLED, "process 6045 on 192.0.2.2 was killed or crashed, perhaps for want of memory"),
        (NODE, "its node is gone, 192.0.2.2"),
        (MEMORY, "Ray ended it because its node ran short of memory (30.41GB / 32.00GB)"),
        ("Traceback:\n  ...\nImportError: no module 'mine'\n", "ImportError: no module 'mine'"),
        ("", "Ray gives no reason"),
    ],
    ids=["killed", "node", "memory", "other", "nothing"],
)  # fmt: skip
def test_rays_long_answer_in_a_line(text: str, found: str) -> None:
    assert worker_failure(text) == found


class Notes:
    """A view that keeps what people are told."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def trial_started(self, running: RunningTrial) -> None: ...
    def trial_resumed(self, running: RunningTrial) -> None: ...
    def trial_paused(self, running: RunningTrial) -> None: ...
    def trial_progressed(self, running: RunningTrial) -> None: ...
    def trial_ended(self, trial: Trial, record: Record) -> None: ...

    def note(self, text: str) -> None:
        self.notes.append(text)


def test_a_lost_trial_is_next_and_fails_when_it_was_lost_too_often(
    suite_of: Callable[[str], Suite], trials_of: Callable[[Suite], list[Trial]], tmp_path: Path
) -> None:
    view = Notes()
    trials = trials_of(suite_of("grid: {model: mlp, epochs: 9, seeds: 2}"))
    coordinator = Coordinator(trials, Ledger(tmp_path / "results"), RunOptions(retries=1), view)
    first = coordinator.next_trial()
    assert first is not None
    coordinator.receive(first.key, Progress(1, 9, {"train_loss": 0.5}, 1.0))
    coordinator.worker_died(first.key, "its node is gone")
    assert view.notes == [f"trial {first.key[:8]} is started again (attempt 2 of 2): its node is gone"]
    assert coordinator.next_trial() is first
    assert coordinator.running[first.key].epoch == 0
    coordinator.worker_died(first.key, "its node is gone", "all that Ray said")
    record = coordinator.ended[-1]
    assert record.status == "failed"
    assert record.failure == {
        "kind": "WorkerDied",
        "message": "its worker process died in each of 2 attempts; the last time its node is gone",
        "traceback": "all that Ray said",
    }
    assert coordinator.next_trial() is trials[1]


SUITE = """
name: killed
grid:
  model: {name: mlp, hidden: []}
  optimizer: {name: sgd, lr: 0.1}
  batch_size: 50
  epochs: 40
  workers: WORKERS
"""


def kill_worker(driver: subprocess.Popen[str], results: Path, name: bytes) -> int:
    """Kill the youngest process of this name, once the trial has kept a state that is newer than this call."""
    since, end = time.time(), time.monotonic() + 300
    while time.monotonic() < end:
        assert driver.poll() is None, driver.communicate()
        kept = [path for path in results.glob("checkpoints/*.pt") if path.stat().st_mtime > since]
        workers = processes_below(driver.pid, name)
        if kept and workers:
            os.kill(max(workers), signal.SIGKILL)
            return max(workers)
        time.sleep(0.1)
    raise AssertionError("no worker has kept a state")


@pytest.mark.slow
@pytest.mark.usefixtures("fashion_mnist")
@pytest.mark.parametrize(("workers", "name"), [(1, b".train"), (2, b"RayTrainWorker")])
def test_a_trial_killed_once_goes_on_and_killed_again_has_failed(tmp_path: Path, workers: int, name: bytes) -> None:
    path, results = tmp_path / "killed.yaml", tmp_path / "results"
    path.write_text(SUITE.replace("WORKERS", str(workers)))
    driver = start("run", path, "--results", results, "--retries", 1, "--checkpoint-after", 0, "--jobs", 2)
    try:
        first = kill_worker(driver, results, name)
        second = kill_worker(driver, results, name)
        out, _ = driver.communicate(timeout=300)
    finally:
        driver.terminate()
    assert driver.returncode == 1
    assert f"is started again (attempt 2 of 2): process {first} on " in out
    assert "mlp: resumed after epoch " in out
    assert "A worker died" not in out  # in Ray's own words, before ours
    (record,) = Ledger(results).records()
    assert record.status == "failed" and record.failure is not None
    assert record.failure["message"].startswith("its worker process died in each of 2 attempts; the last time process ")
    assert f"process {second} on" in record.failure["message"]
    assert "The actor died unexpectedly" in record.failure["traceback"]
    assert list(results.glob("checkpoints/*.pt"))  # the next run goes on from there
