"""Runs on a real SLURM: what an array leaves, whatever becomes of its tasks, is what one driver leaves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from commands import bench, results_of, start
from slurm_daemons import task_drivers

from bench.ledger.ledger import Ledger

pytestmark = pytest.mark.usefixtures("fashion_mnist", "slurm")

SUITE = """
name: array
grid:
  model: {name: mlp, hidden: []}
  optimizer: {name: sgd, lr: {grid: [0.05, 0.1, 0.2, 0.3]}}
  batch_size: 2000
  epochs: 1
  seeds: 2
"""
LONG = """
name: long
grid:
  model: {name: mlp, hidden: [16]}
  optimizer: {name: sgd, lr: {grid: [0.01, 0.02, 0.05, 0.1, 0.2, 0.3]}}
  batch_size: 100
  epochs: 9
pruning: {grace_period: 3, reduction_factor: 3}
"""


@pytest.fixture
def settings(tmp_path: Path) -> Callable[..., Path]:
    """Writes a SLURM file."""

    def write(tasks: int, **more: object) -> Path:
        path = tmp_path / "slurm.yaml"
        path.write_text(json.dumps({"tasks": tasks, "python": sys.executable, **more}))
        return path

    return write


def written(folder: Path, text: str) -> Path:
    path = folder / "suite.yaml"
    path.write_text(text)
    return path


def run_folder(results: Path) -> Path:
    (folder,) = (results / "slurm").iterdir()
    return folder


def job_of(results: Path) -> str:
    """The number of the array, as soon as it is submitted."""
    wait_until(lambda: list(results.glob("slurm/*/job.json")), 300)
    return json.loads((run_folder(results) / "job.json").read_text())["job"]


def wait_until(condition: Callable[[], object], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def events(results: Path, task: int) -> list[dict[str, object]]:
    file = run_folder(results) / "tasks" / str(task) / "events.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def kinds(results: Path, task: int) -> Counter[object]:
    return Counter(event["event"] for event in events(results, task))


def entries_per_key(results: Path) -> Counter[str]:
    ledger = Ledger(results)
    return Counter({record.key: 1 + len(ledger.replicates(record.key)) for record in ledger.records()})


def test_an_array_leaves_what_one_driver_leaves(tmp_path: Path, settings: Callable[..., Path]) -> None:
    suite, results = written(tmp_path, SUITE), tmp_path / "array"
    code, out, err = bench("run", suite, "--slurm", settings(2), "--results", results)
    assert (code, err) == (0, ""), out + err
    assert "8 of 8 trials ended" in out
    ended = [kinds(results, task)["ended"] for task in range(2)]
    assert sum(ended) == 8, ended
    assert all(ended), ended
    assert bench("run", suite, "--no-ray", "--results", tmp_path / "alone")[0] == 0
    assert results_of(results) == results_of(tmp_path / "alone")

    code, out, err = bench("run", suite, "--slurm", settings(2), "--results", results)
    assert (code, err) == (0, "")
    assert "submitted" not in out

    code, out, err = bench("slurm", "status", "--results", results)
    assert (code, err) == (0, "")
    assert "2 tasks  8 of 8 trials done\n    all tasks have ended" in out, out


def test_tasks_are_killed_requeued_and_cancelled(tmp_path: Path, settings: Callable[..., Path]) -> None:
    suite, results = written(tmp_path, LONG), tmp_path / "array"
    process = start(
        "run", suite, "--slurm", settings(3), "--checkpoint-after", 0, "--results", results
    )  # each node has one CPU
    job = job_of(results)
    wait_until(lambda: all(kinds(results, task)["progressed"] for task in range(3)), 300)
    os.kill(task_drivers(run_folder(results))[0], signal.SIGKILL)
    subprocess.run(["scontrol", "requeue", f"{job}_1"], check=True)
    subprocess.run(["scancel", f"{job}_2"], check=True)
    out, err = process.communicate(timeout=400)
    assert (process.returncode, err) == (0, ""), out + err
    assert [event["outcome"] for event in events(results, 1) if event["event"] == "closed"] == ["stopped", "done"]
    assert [event["outcome"] for event in events(results, 2) if event["event"] == "closed"] == ["stopped"]
    assert kinds(results, 0)["closed"] == 0
    assert bench("run", suite, "--no-ray", "--results", tmp_path / "alone")[0] == 0
    array, alone = ({r.key: r for r in Ledger(folder).records()} for folder in (results, tmp_path / "alone"))
    assert array.keys() == alone.keys()
    complete = [key for key in array if array[key].status == alone[key].status == "complete"]
    assert complete
    assert all(array[key].result == alone[key].result for key in complete)
    assert set(entries_per_key(results).values()) == {1}


SLOW_NETWORK = """
import time
from torch import nn

class Slow(nn.Linear):
    def forward(self, images):
        if self.training:
            time.sleep(0.5)
        return super().forward(images.flatten(1))

def net(input_shape, classes):
    return Slow(784, classes)
"""
"""Some 14 seconds an epoch in batches of 2,000, however fast the machine: seven do not fit into a minute and a half."""


def test_a_task_goes_on_after_its_time_limit(tmp_path: Path, settings: Callable[..., Path]) -> None:
    (tmp_path / "slow.py").write_text(SLOW_NETWORK)
    text = "name: slow\ngrid: {model: 'slow.py:net', batch_size: 2000, epochs: 7}\n"
    suite, results = written(tmp_path, text), tmp_path / "r"
    file = settings(1, sbatch={"time": 2}, lead_seconds=30)
    code, out, err = bench("run", suite, "--slurm", file, "--checkpoint-after", 0, "--results", results)
    assert (code, err) == (0, ""), out + err
    outcomes = [event["outcome"] for event in events(results, 0) if event["event"] == "closed"]
    assert outcomes[0] == "stopped", out
    assert outcomes[-1] == "done", out
    assert kinds(results, 0)["resumed"] >= 1
    assert set(entries_per_key(results).values()) == {1}


def test_a_run_is_left_found_again_and_stopped(tmp_path: Path, settings: Callable[..., Path]) -> None:
    suite, results = written(tmp_path, SUITE.replace("epochs: 1", "epochs: 500")), tmp_path / "r"
    process = start("run", suite, "--slurm", settings(1), "--results", results)
    job_of(results)
    wait_until(lambda: kinds(results, 0)["progressed"], 300)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=300)
    name = run_folder(results).name
    assert process.returncode == 130
    assert err.startswith(f"\nDetached: {name} goes on without you.\n"), err

    follower = start("slurm", "attach", name, "--results", results)
    code, out, err = bench("slurm", "stop", name, "--results", results)
    assert (code, out, err) == (0, f"{name} is stopped\n", "")
    out, err = follower.communicate(timeout=300)
    assert follower.returncode == 1, out + err
    assert f"{name} ended before all its trials had" in out
    assert events(results, 0)[-1]["outcome"] == "stopped"

    code, out, err = bench("slurm", "attach", name[:-1] + "x", "--results", results)
    assert code == 2
    assert "is no run on" in err
    assert f"did you mean '{name}'?" in err


def test_slurm_refuses_a_job(tmp_path: Path, settings: Callable[..., Path]) -> None:
    suite, results = written(tmp_path, SUITE), tmp_path / "r"
    code, _, err = bench("run", suite, "--slurm", settings(1, sbatch={"partition": "nosuch"}), "--results", results)
    assert code == 2
    assert "SLURM refuses it:" in err
    assert "invalid partition" in err
    assert not list((results / "slurm").iterdir())
