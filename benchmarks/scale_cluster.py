"""What does a large run cost its driver? ``python benchmarks/scale_cluster.py [--trials N] [--slots N] [--nodes N]``.

One run of 5,000 trivial trials through `bench.execution.run_trials.run_trials`, as ``bench run --address`` does it, on
a Ray cluster of three nodes on this machine with 40 CPUs in all, which are only said to be there. Each slot is a worker
process of its own; a trial is one step of a linear network on 64 made images of 8 x 8. Watched are the driver, which is
this script's process: its resident and private memory and its CPU time after so many trials; Ray's own processes; the
rate of trials; the worker processes' private memory; and the end, from the moment when nothing waits any more until the
last trial is over, with the time that slots stood empty meanwhile. Afterwards the ledger is read anew: every trial has
to be there once, complete.

The CPU time of the driver for each trial is what a machine with more cores could not make up for: one core of driver
serves at most the reciprocal of it, in trials per second. One run. The rate depends on what else the machine does, CPU
time less so, memory not.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.execution.ray_cluster import set_environment

set_environment()

# isort: split
import numpy as np
from figures import load_now, memory_of, show, write_suite
from ray.cluster_utils import Cluster
from rich.console import Console

from bench.data.dataset import Dataset
from bench.execution.messages import Connection, RunOptions
from bench.execution.progress import PlainProgress, ProgressStats
from bench.execution.run_trials import run_trials
from bench.execution.scheduler import RunningTrial
from bench.ledger.ledger import Ledger
from bench.ledger.record import Record
from bench.suite.suite import load_suite
from bench.suite.trial import Trial, trials

MARKS = (500, 1000, 2000, 3000, 4000, 5000)
MIB = 2**20
SEEDS = 100
STORE = 200_000_000
"""Bytes of each node's object store, more than made images need."""


@dataclass(frozen=True)
class Mark:
    """What was found when so many trials had ended; times in seconds, memory in bytes."""

    ended: int
    at: float
    driver: dict[str, int]
    driver_cpu: float
    ray: dict[str, int]
    ray_cpu: float


@dataclass
class Watch:
    """The moments of a run's trials; `look` is called at each mark."""

    marks: tuple[int, ...]
    look: Callable[[int], Mark]
    started: dict[str, float] = field(default_factory=dict)
    ended: dict[str, float] = field(default_factory=dict)
    found: list[Mark] = field(default_factory=list)


class Timed(PlainProgress):
    """The view of a run without a terminal, which also notes when its trials start and end."""

    def __init__(self, tally: ProgressStats, watch: Watch):
        super().__init__(tally, Console(file=io.StringIO()))
        self.watch = watch

    def trial_started(self, running: RunningTrial) -> None:
        super().trial_started(running)
        self.watch.started[running.trial.key] = time.monotonic()

    def trial_ended(self, trial: Trial, record: Record) -> None:
        super().trial_ended(trial, record)
        self.watch.ended[trial.key] = time.monotonic()
        if len(self.watch.ended) in self.watch.marks:
            self.watch.found.append(self.watch.look(len(self.watch.ended)))
            print(f"{len(self.watch.ended):,} trials", file=sys.stderr, flush=True)


def cpu_of(pid: int) -> float:
    """Seconds of CPU time that a process has taken, after proc(5)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def node_of(cpus: int) -> dict[str, Any]:
    """Arguments of a node with so many pretended CPUs.

    A node waits 15 s for its agents to tell their ports, which a busy machine may exceed; so the ports are given.
    """
    with contextlib.ExitStack() as held:
        names = ("metrics_agent_port", "metrics_export_port", "dashboard_agent_listen_port", "runtime_env_agent_port")
        ports = {name: held.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1] for name in names}
    return {"num_cpus": cpus, "num_gpus": 0, "object_store_memory": STORE, "include_dashboard": False, **ports}


def looking_at(ray: dict[str, list[int]]) -> Callable[[int], Mark]:
    """What `Watch.look` does, with the process numbers of Ray's own programs."""

    def look(ended: int) -> Mark:
        memory = {name: sum(memory_of(pid)["Private"] for pid in pids) for name, pids in ray.items()}
        seconds = sum(cpu_of(pid) for pids in ray.values() for pid in pids)
        return Mark(ended, time.monotonic(), memory_of(), time.process_time(), memory, seconds)

    return look


def programs(cluster: Cluster) -> dict[str, list[int]]:
    """Process numbers of the cluster's head service (GCS) and of its nodes' raylets."""
    found: dict[str, list[int]] = {}
    for node in cluster.list_all_nodes():
        for name in ("gcs_server", "raylet"):
            found.setdefault(name, []).extend(one.process.pid for one in node.all_processes.get(name, []))
    return found


def workers() -> list[int]:
    """Process numbers of Ray's workers that train, below this process."""
    parent, found = {}, []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            before, _, after = path.read_text().rpartition(")")
        except OSError:
            continue
        parent[int(path.parent.name)] = int(after.split()[1])
        if "(ray::ImplicitF" in before:
            found.append(int(path.parent.name))
    return [pid for pid in found if _is_below(pid, parent)]


def _is_below(pid: int, parent: dict[int, int]) -> bool:
    while pid in parent and pid != os.getpid():
        pid = parent[pid]
    return pid == os.getpid()


def planned(folder: Path, count: int) -> tuple[list[Trial], Dataset]:
    """`count` trials of one step each, and their images."""
    random = np.random.default_rng(0)
    images, labels = random.integers(0, 256, (64, 1, 8, 8), dtype=np.uint8), random.integers(0, 10, 64)
    data = Dataset("fashion_mnist", tuple("0123456789"), images, labels, images, labels, "", folder)
    rates = [number / 1000 for number in range(1, -(-count // SEEDS) + 1)]
    suite = write_suite(
        folder,
        {"model": {"name": "mlp", "hidden": []}, "optimizer": {"name": "sgd", "lr": {"grid": rates}}},
        {"dataset": "fashion_mnist", "epochs": 1, "batch_size": 64, "validation": "none", "seeds": min(SEEDS, count)},
        name="scale",
    )
    return trials(load_suite(suite), lambda _: "", lambda _: None)[:count], data


def rates(watch: Watch, first: Mark) -> list[tuple[str, ...]]:
    """Rows: between each two marks, trials per second and the CPU time that a trial took."""
    rows: list[tuple[str, ...]] = []
    for mark, before in zip(watch.found, [first, *watch.found], strict=False):
        count, seconds = mark.ended - before.ended, mark.at - before.at
        rows.append((
            f"{before.ended + 1:,} to {mark.ended:,}", f"{count / seconds:.1f}",
            f"{1000 * (mark.driver_cpu - before.driver_cpu) / count:.1f}",
            f"{1000 * (mark.ray_cpu - before.ray_cpu) / count:.1f}",
            f"{mark.driver['Rss'] / MIB:.1f} ({mark.driver['Private'] / MIB:.1f})",
            *(f"{mark.ray[name] / MIB:.0f}" for name in ("gcs_server", "raylet")),
        ))  # fmt: skip
    return rows


def end_of(watch: Watch, slots: int) -> tuple[float, float]:
    """Seconds from the start of the last trial to the end of the run, and slot-seconds that stood empty in them."""
    last, over = max(watch.started.values()), max(watch.ended.values())
    busy = sum(max(0.0, end - max(last, watch.started[key])) for key, end in watch.ended.items())
    return over - last, slots * (over - last) - busy


def summary(watch: Watch, begun: float, over: float, slots: int, private: list[int]) -> list[tuple[str, str]]:
    """Rows: the run as a whole."""
    first, last = min(watch.started.values()), max(watch.ended.values())
    seconds, empty = end_of(watch, slots)
    used = sum(watch.ended[key] - start for key, start in watch.started.items())
    return [
        ("connecting and planning, until the first trial is given out, s", f"{first - begun:.1f}"),
        ("until the first trial is over, s", f"{min(watch.ended.values()) - begun:.1f}"),
        ("from the first trial's start to the last one's end, s", f"{last - first:.1f}"),
        ("trials per second in that time", f"{len(watch.ended) / (last - first):.1f}"),
        ("share of the slots that held a trial in it", f"{used / slots / (last - first):.0%}"),
        ("from the last trial's start to the last one's end, s", f"{seconds:.2f}"),
        ("slot-seconds empty in that time", f"{empty:.1f}"),
        ("from the last trial's end to that of `run_trials`, s", f"{over - last:.1f}"),
        ("worker processes, and the median of their private memory, MiB",
         f"{len(private)}, {float(np.median(private)) / MIB:.0f}" if private else "-"),
    ]  # fmt: skip


def check(todo: list[Trial], folder: Path) -> tuple[str, str]:
    """A row: whether the ledger holds every trial once, complete."""
    ledger = Ledger(folder)
    entries = Counter(path.name.split("-")[0] for path in folder.glob("entries/*/*.npz"))
    right = [trial for trial in todo if entries[trial.key] == 1 and ledger.record(trial.key).status == "complete"]
    kept = len(right) == len(todo) == entries.total() and not ledger.damaged
    return f"records of {len(todo):,} trials: complete, and there once", f"{len(right):,}: {'yes' if kept else 'NO'}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=MARKS[-1])
    parser.add_argument("--slots", type=int, default=40, help="trials side by side, each in a process (over 360 MiB)")
    parser.add_argument("--nodes", type=int, default=3)
    asked = parser.parse_args()
    load_before = load_now()
    share = [asked.slots // asked.nodes + (number < asked.slots % asked.nodes) for number in range(asked.nodes)]
    cluster = Cluster(initialize_head=True, head_node_args=node_of(share[0]))
    try:
        for cpus in share[1:]:
            cluster.add_node(**node_of(cpus))
        cluster.wait_for_nodes()
        with tempfile.TemporaryDirectory() as text:
            todo, data = planned(Path(text), asked.trials)
            look = looking_at(programs(cluster))
            marks = tuple({mark for mark in MARKS if mark < asked.trials} | {asked.trials})
            private: dict[int, int] = {}

            def at_mark(ended: int) -> Mark:
                for pid in workers() if ended < asked.trials else []:  # at the end they are leaving
                    with contextlib.suppress(ProcessLookupError):
                        private[pid] = memory_of(pid)["Private"]
                return look(ended)

            watch, first = Watch(marks, at_mark), look(0)
            run_trials(
                todo, {todo[0].data: data}, Ledger(Path(text, "results")), Console(file=io.StringIO()),
                RunOptions(connection=Connection(cluster.address, prepared=True)),
                display=lambda stats: Timed(stats, watch),
            )  # fmt: skip
            over = time.monotonic()
            rows = summary(watch, first.at, over, asked.slots, [*private.values()])
            rows.append(check(todo, Path(text, "results")))
    finally:
        cluster.shutdown()
    title = f"{asked.trials:,} trivial trials on {asked.nodes} nodes with {asked.slots} slots"
    header = (
        "trials", "per second", "driver's CPU, ms each", "Ray's CPU, ms each", "driver's Rss (private), MiB",
        "GCS, MiB", "raylets, MiB",
    )  # fmt: skip
    show(title, header, rates(watch, first), load_before)
    show("The same run as a whole", ("what", "figure"), rows, load_before)


if __name__ == "__main__":
    main()
