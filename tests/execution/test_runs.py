"""Whole runs as a user starts them: `bench run` in a process of its own, on the real images.

The networks are linear and the batches large, so that a trial takes about a second; starting Ray takes most of
the time here.
"""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from commands import STOPPED, bench, processes_below, results_of, start, without_stack

from bench.execution.checkpoints import DIGEST_BYTES
from bench.ledger.ledger import Ledger
from bench.ledger.record import Record

pytestmark = pytest.mark.usefixtures("fashion_mnist")

GRID = """
name: small
grid:
  model: {name: mlp, hidden: []}
  optimizer: {name: sgd, lr: {grid: [0.05, 0.1, 0.2]}}
  regularizer: [none, {name: dropout, rate: 0.2}]
  augmentation: {combine: [flip, {name: crop, padding: 2}]}
  batch_size: 1000
  epochs: EPOCHS
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


def suite(folder: Path, epochs: int, more: str = "") -> Path:
    path = folder / f"small-{epochs}-{len(more)}.yaml"
    path.write_text(GRID.replace("EPOCHS", str(epochs)) + more)
    return path


def entries(results: Path) -> int:
    return len(list(results.glob("entries/*/*.npz")))


def wait_for(process: subprocess.Popen[str], results: Path, count: int) -> None:
    """Until the ledger holds `count` entries."""
    end = time.monotonic() + 300
    while entries(results) < count:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.fixture(scope="module")
def undisturbed(folder: Path) -> Iterator[Path]:
    """The ledger of a run with Ray that nothing disturbed, nor what lies in the folder where it was started."""
    standing = folder / "standing"
    for name in ("random.py", "bench.py", "numpy/__init__.py", "timm/__init__.py", "torch/__init__.py"):
        (standing / name).parent.mkdir(parents=True, exist_ok=True)
        (standing / name).write_text("raise ImportError('not what the driver has')\n")
    program = [sys.executable, "-P", "-m", "bench"]  # Python itself would take the folder's bench without -P
    command = [*program, "run", suite(folder, 3), "--results", folder / "undisturbed"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=standing, timeout=540)
    code, out, err = done.returncode, done.stdout, done.stderr
    assert (code, err) == (0, ""), err
    assert "6 of 6 trials ended" in out
    assert "Trial _train" not in out
    yield folder / "undisturbed"


def test_a_second_run_trains_nothing(folder: Path, undisturbed: Path) -> None:
    before = sorted(path.name for path in undisturbed.glob("entries/*/*"))
    code, out, _ = bench("run", suite(folder, 3), "--results", undisturbed)
    assert code == 0
    assert "nothing to run, its 6 trials are in" in out
    assert sorted(path.name for path in undisturbed.glob("entries/*/*")) == before


def test_without_ray_the_records_are_the_same_to_the_last_bit(folder: Path, undisturbed: Path) -> None:
    code, _, err = bench("run", suite(folder, 3), "--no-ray", "--results", folder / "here")
    assert code == 0, err
    assert results_of(folder / "here") == results_of(undisturbed)


def test_a_growing_grid_costs_only_what_is_new(folder: Path, undisturbed: Path) -> None:
    code, out, _ = bench("plan", suite(folder, 3), "--seeds", 2, "--results", undisturbed, "--json")
    assert code == 0
    plan = json.loads(out)
    assert (plan["trials"], plan["to_run"], plan["done"]) == (12, 6, {"complete": 6})
    assert plan["estimate"]["trials_unknown"] == 0
    assert plan["estimate"]["seconds"] > 0


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_run_goes_on_where_it_stopped(folder: Path, undisturbed: Path, stop: signal.Signals) -> None:
    results = folder / f"stopped-{stop.name}"
    process = start("run", suite(folder, 3), "--results", results)
    wait_for(process, results, 2)
    process.send_signal(stop)
    _, err = process.communicate(timeout=300)
    if stop is signal.SIGKILL:
        assert process.returncode == -signal.SIGKILL
    else:
        assert process.returncode == 130
        assert err == STOPPED
    kept = {path.name for path in results.glob("entries/*/*")}
    assert 2 <= len(kept) < 6
    code, out, err = bench("run", suite(folder, 3), "--results", results)
    assert (code, err) == (0, ""), err
    assert f"{len(kept)} from the ledger" in out
    assert kept <= {path.name for path in results.glob("entries/*/*")}
    assert entries(results) == 6
    assert results_of(results) == results_of(undisturbed)


LONG = """
name: long
grid:
  model: {name: mlp, hidden: []}
  optimizer: {name: sgd, lr: 0.1, momentum: 0.9}
  regularizer: {name: dropout, rate: 0.2}
  augmentation: {combine: [{name: gaussian_noise, static: true}, flip]}
  batch_size: 1000
  epochs: 6
  refit: true
"""


@pytest.fixture(scope="module")
def long(folder: Path) -> tuple[Path, dict[str, tuple[Any, ...]]]:
    """A suite of one trial with a refit, and what comes of it undisturbed."""
    path = folder / "long.yaml"
    path.write_text(LONG)
    code, _, err = bench("run", path, "--no-ray", "--results", folder / "long")
    assert (code, err) == (0, "")
    assert not list((folder / "long" / "checkpoints").iterdir())  # it was over within a minute
    return path, results_of(folder / "long")


def wait_for_checkpoint(process: subprocess.Popen[str], results: Path, refit: bool) -> None:
    """Until a state of the wanted training is kept."""
    end = time.monotonic() + 300
    while True:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        for path in results.glob("checkpoints/*.pt"):
            kept = torch.load(io.BytesIO(path.read_bytes()[DIGEST_BYTES:]), weights_only=True)
            if ("searched" in kept["state"]) == refit:
                return
        time.sleep(0.02)


@pytest.mark.parametrize(("options", "refit"), [(["--no-ray"], True), ([], False)])
def test_a_trial_killed_between_epochs_goes_on_to_the_same_bits(
    folder: Path, long: tuple[Path, dict[str, tuple[Any, ...]]], options: list[str], refit: bool
) -> None:
    path, undisturbed = long
    results = folder / f"long-killed{''.join(options)}"
    command = ["run", path, *options, "--checkpoint-after", 0, "--results", results]
    process = start(*command)
    wait_for_checkpoint(process, results, refit)
    process.kill()
    process.communicate(timeout=300)
    assert entries(results) == 0
    code, out, err = bench(*command)
    assert (code, err) == (0, ""), err
    assert re.search(rf"resumed after {'refit ' if refit else ''}epoch \d+/", out), out
    assert results_of(results) == undisturbed
    assert not list((results / "checkpoints").iterdir())


def wait_for_handler(process: subprocess.Popen[str]) -> None:
    """Until it catches SIGTERM, which is the first thing it does."""
    end = time.monotonic() + 300
    while True:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.001)
        status = Path(f"/proc/{process.pid}/status").read_text()
        if int(re.findall(r"SigCgt:\s*(\w+)", status)[0], 16) >> (signal.SIGTERM - 1) & 1:
            return


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("seconds", [0.0, 0.02, 0.5, 3.0])
def test_a_run_stops_cleanly_before_it_trains(folder: Path, seconds: float, stop: signal.Signals) -> None:
    """While the command line, PyTorch or Ray is imported, or while Ray starts."""
    process = start("run", suite(folder, 3), "--results", folder / "early")
    wait_for_handler(process)
    time.sleep(seconds)
    process.send_signal(stop)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 130
    assert (without_stack(err) if stop is signal.SIGTERM else err) == STOPPED
    assert not list((folder / "early").glob("leases/[0-9a-f]*"))


def test_a_gpu_that_is_not_there_is_told(folder: Path) -> None:
    """On a machine without GPUs; elsewhere more are asked for than any machine has."""
    code, _, err = bench("run", suite(folder, 3), "--results", folder / "gpus", "--gpus-per-trial", 1000)
    assert code == 2
    assert err.startswith("error: --gpus-per-trial 1000: Ray finds")


def test_no_ray_takes_no_jobs(folder: Path) -> None:
    code, _, err = bench("run", suite(folder, 3), "--results", folder / "gpus", "--no-ray", "--jobs", 2)
    assert (code, err) == (2, "error: --no-ray trains one trial at a time: leave --jobs out, or --no-ray\n")


def test_a_killed_worker_costs_nothing_but_time(folder: Path, undisturbed: Path) -> None:
    workers: list[int] = []
    results = folder / "killed-worker"
    process = start("run", suite(folder, 3), "--results", results)
    end = time.monotonic() + 300
    while not workers:  # they live for a second each, and there is a moment without any between two
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        workers = processes_below(process.pid, b".train")
        try:
            for worker in workers[:1]:
                os.kill(worker, signal.SIGKILL)
        except ProcessLookupError:  # its trial has just ended
            workers = []
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert "6 of 6 trials ended" in out
    assert results_of(results) == results_of(undisturbed)


def test_two_drivers_share_one_ledger_and_do_no_trial_twice(folder: Path, undisturbed: Path) -> None:
    results = folder / "shared"
    drivers = [start("run", suite(folder, 3), "--jobs", 1, "--results", results) for _ in range(2)]
    outcomes = [(driver.communicate(timeout=300), driver.returncode) for driver in drivers]
    assert [code for _, code in outcomes] == [0, 0], outcomes
    assert entries(results) == 6
    assert results_of(results) == results_of(undisturbed)


def test_a_search_prunes_and_keeps_its_decisions(folder: Path) -> None:
    results = folder / "pruned"
    path = suite(folder, 4, "  seeds: 2\npruning: {grace_period: 1, reduction_factor: 2}\n")
    code, _, err = bench("run", path, "--results", results)
    assert (code, err) == (0, ""), err
    records: dict[str, list[Record]] = {}
    for record in Ledger(results).records():
        records.setdefault(json.dumps(record.config), []).append(record)
    assert len(records) == 6
    ends = [sorted((record.seed, record.status) for record in group) for group in records.values()]
    assert all(end in ([(0, "complete"), (1, "complete")], [(0, "pruned")]) for end in ends)
    for record in Ledger(results).records():
        if record.status == "pruned":
            assert record.pruning is not None
            assert record.pruning["decisions"][-1]["decision"] == "stop"
            assert record.result.epochs_run == record.pruning["decisions"][-1]["epoch"]
            assert record.result.test is None
    plan = json.loads(bench("plan", path, "--results", results, "--json")[1])
    assert (plan["trials"], plan["to_run"]) == (12, 0)
    code, again, _ = bench("run", path, "--results", results)
    assert code == 0
    assert "nothing to run" in again


def test_a_trial_that_fails_is_shown_and_tried_again(folder: Path) -> None:
    model = folder / "fragile.py"
    model.write_text(
        "import torch\n"
        "class Net(torch.nn.Linear):\n"
        "    def forward(self, x):\n"
        "        if self.training:\n"
        "            print('about to fail')\n"
        "            raise ValueError('this net cannot be trained')\n"
        "        return super().forward(x.flatten(1))\n"
        "def net(input_shape, classes):\n"
        "    return Net(784, classes)\n"
    )
    path = folder / "fragile.yaml"
    path.write_text("name: fragile\ngrid: {model: 'fragile.py:net', epochs: 1, batch_size: 1000}\n")
    results = folder / "fragile"
    code, out, err = bench("run", path, "--results", results)
    assert (code, err) == (1, "")
    assert "failed in epoch 1: ValueError: this net cannot be trained" in out
    assert "Traceback" not in out
    key = Ledger(results).records()[0].key
    code, shown, _ = bench("show", key[:8], "--results", results)
    assert code == 0
    assert "raise ValueError('this net cannot be trained')" in shown
    assert f"The last that it printed:\nabout to fail\n\nwhat it printed: {results}/logs/{key}.log" in shown
    assert json.loads(bench("plan", path, "--results", results, "--json")[1])["to_run"] == 1
