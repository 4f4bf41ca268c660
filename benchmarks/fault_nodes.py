"""The faults of whole machines that `faults.py` injects, on hosts of tests/cluster_namespaces.

Ray's launcher brings up three hosts from a fourth, the client. Faults to a worker's host are injected into runs whose
driver is on the head (``--address``), those to the client into ``bench run --cluster``. A host that dies loses its
processes and its cable at once, so that nobody is told; it is started again before the next round.
"""

from __future__ import annotations

import contextlib
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fault_kinds import Fault
from fault_runs import LONG, Driver, Scene, TooLateError, WrongError, entries, write_suite

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "cluster_namespaces"))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "made"))
from commands import command
from hosts import Host, hosts, lacking
from machines import LAUNCHER, RAY, ROOT, Machines, data_folder, environment

TOKEN = {"RAY_AUTH_MODE": "token"}
START = f"{RAY} start --address={{head}}:6379 --num-cpus=1 --object-store-memory=200000000"
PATIENCE = 240.0
"""Seconds that a host may take to be one of the cluster again."""


def why_not() -> str:
    """Why this machine allows no hosts; "" where it does."""
    return lacking()


@contextlib.contextmanager
def cluster(folder: Path) -> Iterator[Machines]:
    """The hosts, with Ray brought up on three of them by the client's first run."""
    kept = [path for path in (ROOT, Path(sys.prefix), Path(sys.base_prefix), data_folder()) if path.is_dir()]
    with hosts(folder, ["head", "one", "two", "client"], kept) as up:
        machines = Machines(**up)
        text = LAUNCHER
        for name, host in up.items():
            text = text.replace(f"@{name}", host.address)
        machines.file(machines.launcher).write_text(text)
        _must(machines.client, RAY, "get-auth-token", "--generate")
        write_suite(machines.head.home, LONG)
        write_suite(machines.client.home, LONG)
        up_ = machines.start("run", f"faults-{LONG}.yaml", "--cluster", machines.launcher, "--results", "first")
        out, _ = up_.communicate()
        if up_.returncode:
            raise WrongError(f"the first run on the cluster failed:\n{out}")
        yield machines


def on_head(machines: Machines, scene: Scene) -> None:
    """Let a scene play on the cluster, its driver on the head."""
    _whole(machines)
    _move(scene, machines.head, ["--address", f"{machines.head.address}:6379", "--retries", "9"])


def on_client(machines: Machines, scene: Scene) -> None:
    """Let a scene play on the cluster, sent there by the client; what earlier ones left on the head goes."""
    _whole(machines)
    shutil.rmtree(machines.head.home / "bench" / "results", ignore_errors=True)
    _move(scene, machines.client, ["--cluster", machines.launcher])


def _move(scene: Scene, host: Host, options: list[str]) -> None:
    home = host.home
    suite = write_suite(home, LONG)
    scene.results = home / scene.results.parent.name / "results"
    scene.arguments = ["run", suite.name, "--results", str(scene.results.relative_to(home)), *options]

    def launch(arguments: list[str], log: Path) -> Any:
        with log.open("wb") as file:
            return host.start(command(*arguments), env=environment(), stdout=file, stderr=file)

    scene.launch = launch


def host_killed(machines: Machines, scene: Scene) -> Fault:
    """One of the workers' hosts dies, and comes back after a while; the run goes on by itself."""
    driver, host = scene.start(), scene.chance.choice([machines.one, machines.two])
    scene.wait(driver)
    before, at = entries(scene.results), time.monotonic()
    host.cut()
    _end_all(host)
    time.sleep(scene.chance.uniform(0, 20))
    host.mend()
    _start(machines)
    scene.driver = driver
    return Fault(before, at)


def link_cut(machines: Machines, scene: Scene) -> Fault:
    """A worker host's cable is out for up to 40 s, which Ray notices or not; the run goes on by itself."""
    driver, host = scene.start(), scene.chance.choice([machines.one, machines.two])
    scene.wait(driver)
    before, at = entries(scene.results), time.monotonic()
    host.cut()
    time.sleep(scene.chance.uniform(1, 40))
    host.mend()
    _start(machines)
    scene.driver = driver
    return Fault(before, at)


def client_gone(machines: Machines, scene: Scene) -> Fault:
    """The client's cable is out and all its processes are dead; then it is back. The run went on without it."""
    driver = scene.start()
    _wait_for(driver, "following ")
    time.sleep(scene.chance.uniform(0, 4 * scene.seconds))
    if driver.ended:
        raise TooLateError
    before, at = entries(scene.results), time.monotonic()
    machines.client.cut()
    _end_all(machines.client)
    driver.end()
    time.sleep(scene.chance.uniform(0, 10))
    machines.client.mend()
    return Fault(before, at)


def _whole(machines: Machines) -> None:
    """Wait until the cluster has its three hosts. WrongError where that does not come."""
    limit = time.monotonic() + PATIENCE
    while (up := machines.nodes()) != 3:
        if time.monotonic() > limit:
            raise WrongError(f"{up} of the cluster's 3 hosts are up")
        _start(machines)
        time.sleep(1)


def _start(machines: Machines) -> None:
    """Start Ray where it has ended; on a host whose link was cut for long it ends itself."""
    for host in (machines.one, machines.two):
        if not host.runs("raylet"):
            if not host.runs("sshd"):
                host.serve()
            _must(host, *START.format(head=machines.head.address).split())


def _end_all(host: Host) -> None:
    """kill -9 of every process but the host's first."""
    host.run("bash", "-c", "kill -9 -1")


def _must(host: Host, *command: str) -> None:
    done = host.run(*command, env=TOKEN)
    if done.returncode:
        raise WrongError(f"{' '.join(command)} on {host.name}:\n{done.stdout}")


def _wait_for(driver: Driver, text: str) -> None:
    """Until the driver has said this."""
    limit = time.monotonic() + PATIENCE
    while text not in driver.said():
        if driver.ended or time.monotonic() > limit:
            raise WrongError(f"never said {text!r}:\n{driver.said()}")
        time.sleep(0.05)
