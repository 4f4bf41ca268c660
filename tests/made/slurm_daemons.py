"""A real SLURM on this machine: its daemons, its authentication, and the processes of its tasks."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

NODES = 3
COMMON = """
SlurmUser=root
AuthType=auth/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/controller.pid
SlurmdPidFile={folder}/%n.pid
SlurmctldLogFile={folder}/controller.log
SlurmdLogFile={folder}/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
MpiDefault=none
"""
"""Of every controller of the tests, in whatever host it runs."""
CONF = f"""
ClusterName=test
SlurmctldHost={{host}}(127.0.0.1)
{COMMON}
AuthInfo=cred_expire=5
SlurmctldPort={{ports[0]}}
KillWait=30
"""
NODE = "NodeName=n{n} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=1 RealMemory=2000 State=UNKNOWN\n"
PARTITION = "PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP\n"


@dataclass(frozen=True)
class Slurm:
    """A controller and its nodes; `folder` has their configuration and logs."""

    folder: Path

    def start_controller(self) -> None:
        subprocess.run(["slurmctld", "-f", self.folder / "slurm.conf"], check=True, timeout=30)

    def kill_controller(self) -> None:
        """kill -9; what the controller had saved stays."""
        file = self.folder / "controller.pid"
        pid = int(file.read_text())
        os.kill(pid, signal.SIGKILL)
        while Path("/proc", str(pid)).exists() and "Z" not in _state(pid):
            time.sleep(0.05)
        file.unlink()


def _state(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()[0]
    return "Z"


@contextlib.contextmanager
def slurm_daemons(folder: Path) -> Iterator[Slurm]:
    """A controller and three nodes of one CPU each, on loopback; this process and those it starts find them."""
    start_munge()
    (folder / "state").mkdir()
    (folder / "spool").mkdir()
    host = socket.gethostname().split(".")[0]
    ports = _free_ports(1 + NODES)
    text = CONF.format(host=host, folder=folder, ports=ports)
    text += "".join(NODE.format(n=n, host=host, port=ports[n]) for n in range(1, NODES + 1)) + PARTITION
    (folder / "slurm.conf").write_text(text)
    previous = {name: os.environ.get(name) for name in ("SLURM_CONF", "PATH")}
    os.environ.update(SLURM_CONF=str(folder / "slurm.conf"), PATH=slurm_path())
    slurm = Slurm(folder)
    try:
        slurm.start_controller()
        for n in range(1, NODES + 1):
            subprocess.run(["slurmd", "-N", f"n{n}", "-f", folder / "slurm.conf"], check=True, timeout=30)
        deadline = time.monotonic() + 300
        while (
            subprocess.run(["sinfo", "-h", "-o", "%T %D"], capture_output=True, text=True).stdout != f"idle {NODES}\n"
        ):
            assert time.monotonic() < deadline, (folder / "controller.log").read_text()[-2000:]
            time.sleep(0.5)
        yield slurm
    finally:
        for file in folder.glob("*.pid"):
            subprocess.run(["kill", file.read_text().strip()], check=False)
        for name, value in previous.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for item in sockets:
        item.bind(("127.0.0.1", 0))
    ports = [item.getsockname()[1] for item in sockets]
    for item in sockets:
        item.close()
    return ports


def task_drivers(run: Path) -> dict[int, int]:
    """The processes of a run's drivers, by the numbers of their tasks."""
    drivers = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().split(b"\0")[:-1]
            folder = (process / "cwd").readlink()
        except OSError:
            continue
        if command[-3:-1] == [b"bench.commands.drive", b"."] and folder == run:
            drivers[int(command[-1])] = int(process.name)
    return drivers


def lacking_slurm() -> str:
    """What of SLURM this machine lacks, in a line; "" where nothing."""
    missing = [
        name for name in ("slurmctld", "slurmd", "sbatch", "munged") if not shutil.which(name, path=slurm_path())
    ]
    return ", ".join(missing if os.getuid() == 0 else [*missing, "root"])


def have_slurm() -> None:
    """Skip where SLURM is not installed; in CI it must be."""
    if not (missing := lacking_slurm()):
        return
    if os.environ.get("BENCH_REQUIRE_SLURM"):
        pytest.fail(f"SLURM is required here; missing: {missing}")
    pytest.skip("needs root and Debian's slurmctld, slurmd, slurm-client and munge")


def slurm_path() -> str:
    return f"{os.environ['PATH']}:/usr/sbin:/sbin"


def start_munge() -> None:
    """SLURM's authentication, if this machine does not run it."""
    if subprocess.run("munge -n | unmunge", shell=True, capture_output=True).returncode == 0:
        return
    key = Path("/etc/munge/munge.key")
    if not key.exists():
        key.parent.mkdir(parents=True, exist_ok=True)
        key.write_bytes(os.urandom(1024))
    Path("/run/munge").mkdir(exist_ok=True)
    subprocess.run("chown -R munge: /etc/munge /run/munge /var/log/munge /var/lib/munge", shell=True, check=True)
    key.chmod(0o400)
    subprocess.run(["su", "-s", "/bin/sh", "munge", "-c", "/usr/sbin/munged"], check=True, timeout=30)
