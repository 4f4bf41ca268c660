"""A real SLURM on this machine: a controller and three nodes of one CPU each, on loopback."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from slurm_daemons import have_slurm, slurm_path, start_munge

NODES = 3
CONF = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
AuthInfo=cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/controller.pid
SlurmdPidFile={folder}/%n.pid
SlurmctldLogFile={folder}/controller.log
SlurmdLogFile={folder}/%n.log
SlurmctldPort={ports[0]}
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
MpiDefault=none
KillWait=30
"""
NODE = "NodeName=n{n} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=1 RealMemory=2000 State=UNKNOWN\n"
PARTITION = "PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP\n"


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for item in sockets:
        item.bind(("127.0.0.1", 0))
    ports = [item.getsockname()[1] for item in sockets]
    for item in sockets:
        item.close()
    return ports


@pytest.fixture(scope="session")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a SLURM that is up; commands find it by SLURM_CONF."""
    have_slurm()
    start_munge()
    folder = tmp_path_factory.mktemp("slurm")
    (folder / "state").mkdir()
    (folder / "spool").mkdir()
    host = socket.gethostname().split(".")[0]
    ports = _free_ports(1 + NODES)
    text = CONF.format(host=host, folder=folder, ports=ports)
    text += "".join(NODE.format(n=n, host=host, port=ports[n]) for n in range(1, NODES + 1)) + PARTITION
    (folder / "slurm.conf").write_text(text)
    previous = {name: os.environ.get(name) for name in ("SLURM_CONF", "PATH")}
    os.environ.update(SLURM_CONF=str(folder / "slurm.conf"), PATH=slurm_path())
    try:
        subprocess.run(["slurmctld", "-f", folder / "slurm.conf"], check=True, timeout=30)
        for n in range(1, NODES + 1):
            subprocess.run(["slurmd", "-N", f"n{n}", "-f", folder / "slurm.conf"], check=True, timeout=30)
        deadline = time.monotonic() + 300
        while (
            subprocess.run(["sinfo", "-h", "-o", "%T %D"], capture_output=True, text=True).stdout != f"idle {NODES}\n"
        ):
            assert time.monotonic() < deadline, (folder / "controller.log").read_text()[-2000:]
            time.sleep(0.5)
        yield folder
    finally:
        for file in folder.glob("*.pid"):
            subprocess.run(["kill", file.read_text().strip()], check=False)
        for name, value in previous.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
