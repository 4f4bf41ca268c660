"""`bench run --cluster` between real hosts: Ray's launcher brings three of them up over ssh, from a fourth.

The hosts are network namespaces (see hosts.py) and share no folder that is written to. Run with root; CI does.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from commands import command, results_of
from machines import ROOT, Machines

from bench.ledger.ledger import Ledger

pytestmark = pytest.mark.slow

NET = """
from torch import nn

def small(input_shape, classes, width):
    return nn.Sequential(nn.Flatten(), nn.Linear(input_shape[1] * input_shape[2], width), nn.Linear(width, classes))
"""
OWN = """
name: own
defaults: {dataset: {name: npz, path: few.npz}, epochs: EPOCHS, batch_size: 20, seeds: 2}
grid:
  model: {name: "net.py:small", width: {grid: [4, 8]}}
  optimizer: {name: sgd, lr: 0.1}
"""


def write_own(folder: Path, epochs: int) -> None:
    """A suite with a model and data of the user's own."""
    folder.mkdir(exist_ok=True)
    (folder / "net.py").write_text(NET)
    (folder / "own.yaml").write_text(OWN.replace("EPOCHS", str(epochs)))
    random = np.random.RandomState(0)
    labels = random.randint(0, 2, 3000)
    images = (random.rand(3000, 28, 28) * 200 + labels[:, None, None] * 20).astype(np.uint8)
    arrays = {"train": slice(2000), "test": slice(2000, None)}
    named = {f"{part}_{kind}": values[which] for part, which in arrays.items() for kind, values in
             (("images", images), ("labels", labels))}  # fmt: skip
    np.savez(folder / "few.npz", **named)


def followed(process: subprocess.Popen[str]) -> str:
    """The name of the run that a bench process follows from now on."""
    assert process.stdout is not None
    told = []
    for line in process.stdout:
        told.append(line)
        if line.startswith("following "):
            return line.split()[1].rstrip(";")
    raise AssertionError("".join(told))


def test_a_run_that_its_watcher_leaves_goes_on_and_is_fetched_with_the_bits_of_a_local_one(
    machines: Machines, tmp_path: Path
) -> None:
    write_own(machines.file("own"), epochs=40)
    options = ("--cluster", machines.launcher, "--results", "own-results")
    process = machines.start("run", "own/own.yaml", *options)
    name = followed(process)
    # nsenter hands signals on to nobody: its child is the one that a terminal would reach.
    child = int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0])
    subprocess.run(["kill", f"-{signal.SIGINT.value}", str(child)], check=True)
    rest, _ = process.communicate(timeout=300)
    assert f"bench cluster attach {name} --cluster {machines.launcher}" in rest, rest
    assert process.returncode == 130

    assert name in machines.bench("cluster", "status", "--cluster", machines.launcher)
    attached = machines.bench("cluster", "attach", name, *options)
    assert "4 of 4 trials ended" in attached

    write_own(tmp_path / "own", epochs=40)
    here = command("run", tmp_path / "own/own.yaml", "--no-ray", "--results", tmp_path / "r")
    subprocess.run(here, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    there = results_of(machines.file("own-results"))
    assert there == results_of(tmp_path / "r")
    assert len(there) == 4


def test_a_second_client_without_the_records_gets_them_trains_nothing_and_tears_down(machines: Machines) -> None:
    write_own(machines.file("own"), epochs=40)
    # Ray's launcher keeps in /tmp/ray what it has started; another machine has no such file.
    shutil.rmtree(machines.client.folder / "tmp" / "ray", ignore_errors=True)
    options = ("--cluster", machines.launcher, "--results", "second-results")
    out = machines.bench("run", "own/own.yaml", *options, "--teardown")
    assert "is up" in out
    assert results_of(machines.file("second-results")) == results_of(machines.file("own-results"))
    assert not machines.head.runs("raylet")
    end = time.monotonic() + 300
    while any(host.runs("raylet") for host in (machines.one, machines.two)):
        assert time.monotonic() < end, "workers stay without a head"
        time.sleep(2)


def test_a_stopped_run_leaves_what_it_has_found(machines: Machines) -> None:
    write_own(machines.file("long"), epochs=2000)
    options = ("--cluster", machines.launcher, "--results", "long-results")
    process = machines.start("run", "long/own.yaml", *options)
    name = followed(process)
    out = machines.bench("cluster", "stop", name, *options)
    assert f"{name} is stopped" in out
    rest, _ = process.communicate(timeout=300)
    assert "was stopped" in rest or "ended without reporting why" in rest, rest


def test_a_driver_on_a_node_runs_on_the_cluster_by_its_address(machines: Machines) -> None:
    home = machines.head.home
    write_own(home / "own", epochs=2)
    arguments = command("run", "own/own.yaml", "--address", f"{machines.head.address}:6379")
    done = machines.head.run(*arguments, env={"PYTHONPATH": str(ROOT)})
    assert done.returncode == 0, done.stdout
    assert "4 of 4 trials ended" in done.stdout
    assert len(Ledger(home / "results").records()) == 4


def test_the_quick_suite_comes_to_a_report_though_a_host_dies_on_the_way(machines: Machines, tmp_path: Path) -> None:
    text = (ROOT / "suites" / "quick.yaml").read_text()
    assert "seeds: 3" in text
    machines.file("quick.yaml").write_text(text.replace("seeds: 3", "seeds: 1"))
    options = ("--cluster", machines.launcher, "--keep", "best", "--log", "tensorboard")
    process = machines.start("run", "quick.yaml", *options)
    assert process.stdout is not None
    told, killed = [], False
    for line in process.stdout:
        told.append(line)
        if "trials ended" in line and not killed and machines.nodes() == 3:
            machines.two.kill()
            killed = True
    process.wait(timeout=300)
    out = "".join(told)
    assert (process.returncode, killed) == (0, True), out
    assert "6 of 6 trials ended" in out
    assert "weights (the best on validation): 1 trial" in out
    assert len(list(machines.file("results").glob("tensorboard/**/events.*"))) >= 6
    machines.bench("report", "quick.yaml", "--json", "--html", "--out", "reports")
    report = json.loads(machines.file("reports/quick.json").read_text())
    rows = [row for section in report["comparisons"] for row in section["leaderboard"] if row["kind"] == "trained"]
    assert [row["status"] for row in rows] == ["complete"] * 6
    assert max(row["test_mean"] for row in rows) > 0.88
