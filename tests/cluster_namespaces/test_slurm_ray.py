"""examples/slurm_ray.sh on a real SLURM of two hosts: one Ray over both, one run on it, and nothing left of Ray."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hosts import Host, have_hosts, hosts
from machines import ROOT
from slurm_daemons import COMMON, have_slurm, start_munge

from bench.ledger.ledger import Ledger

pytestmark = pytest.mark.slow

CONF = f"""
ClusterName=two
SlurmctldHost=one({{one}})
{COMMON}
NodeName=one NodeAddr={{one}} CPUs=1 RealMemory=2000 State=UNKNOWN
NodeName=two NodeAddr={{two}} CPUs=1 RealMemory=2000 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""
SUITE = """
name: two
defaults: {dataset: {name: npz, path: few.npz}, epochs: 2, batch_size: 20}
grid: {model: {name: mlp, hidden: []}, optimizer: {name: sgd, lr: 0.1}, workers: 2}
"""


@dataclass(frozen=True)
class Slurm:
    """Two hosts under SLURM; `folder` is on both."""

    one: Host
    two: Host
    folder: Path

    def run(self, *words: str | Path) -> str:
        done = self.one.run(*map(str, words), env=self.environment(), timeout=60)
        assert done.returncode == 0, done.stdout
        return done.stdout.strip()

    def environment(self) -> dict[str, str]:
        path = f"{sys.prefix}/bin:{os.environ['PATH']}:/usr/sbin:/sbin"
        return {
            "SLURM_CONF": str(self.folder / "slurm.conf"),
            "PATH": path,
            "PYTHONPATH": str(ROOT),
            # How long the second node waits for the head before it ends, once the run is over; Ray's own are 60.
            "RAY_gcs_rpc_server_reconnect_timeout_s": "15",
        }


@pytest.fixture
def slurm(tmp_path: Path) -> Iterator[Slurm]:
    have_hosts()
    have_slurm()
    start_munge()
    folder = tmp_path / "shared"
    (folder / "state").mkdir(parents=True)
    (folder / "spool").mkdir()
    kept = [ROOT, Path(sys.prefix), Path(sys.base_prefix), folder]
    with hosts(tmp_path / "hosts", ["one", "two"], kept) as up:
        slurm = Slurm(**up, folder=folder)
        addresses = {name: host.address for name, host in up.items()}
        (folder / "slurm.conf").write_text(CONF.format(folder=folder, **addresses))
        (folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")  # which finds no groups here, and needs none
        slurm.run("slurmctld", "-f", folder / "slurm.conf")
        for name, host in up.items():
            mount = ["mount", "-t", "tmpfs", "tmpfs", "/sys/fs/cgroup"]
            for command in (mount, ["slurmd", "-N", name, "-f", str(folder / "slurm.conf")]):
                done = host.run(*command, env=slurm.environment())
                assert done.returncode == 0, (command, done.stdout)
        deadline = time.monotonic() + 300
        while slurm.run("sinfo", "-h", "-o", "%T %D") != "idle 2":
            assert time.monotonic() < deadline, (folder / "controller.log").read_text()[-2000:]
            time.sleep(0.5)
        yield slurm


def test_a_trial_of_two_workers_runs_on_two_nodes(slurm: Slurm) -> None:
    folder = slurm.folder
    random = np.random.RandomState(0)
    images, labels = random.randint(0, 255, (300, 28, 28)).astype(np.uint8), random.randint(0, 2, 300)
    np.savez(
        folder / "few.npz",
        train_images=images[:200], train_labels=labels[:200], test_images=images[200:], test_labels=labels[200:],
    )  # fmt: skip
    (folder / "two.yaml").write_text(SUITE)
    job = slurm.run(
        "sbatch", "--parsable", "--nodes=2", f"--chdir={folder}", f"--output={folder}/log.txt",
        ROOT / "examples" / "slurm_ray.sh", "two.yaml", "--results", folder / "results",
    )  # fmt: skip
    deadline = time.monotonic() + 500
    while slurm.run("squeue", "-h", "-j", job, "-o", "%T"):
        assert time.monotonic() < deadline, (folder / "log.txt").read_text()[-3000:]
        time.sleep(1)
    log = (folder / "log.txt").read_text()
    (record,) = Ledger(folder / "results").records()
    assert record.status == "complete", log[-3000:]
    assert "1 of 1 trial ended" in log, log[-3000:]
    assert not any(host.runs(program) for host in (slurm.one, slurm.two) for program in ("raylet", "gcs_server"))
