"""Is anything lost when things go wrong? ``python benchmarks/faults.py [--total N] [--only KIND ...] [--seed S]``.

Claims: whatever is killed, filled, torn or cut, the ledger reads afterwards, the same command run again comes to the
end, no complete trial is lost or run twice, and the result fields and predictions of every record equal those of an
undisturbed run to the last bit.

Each round starts `bench run` on a suite of twelve trials into an empty ledger and injects a fault at a moment drawn by
a seeded generator (how many trials have ended, and how far the next one is); reads the ledger; runs the command again,
up to three times with such a fault, at last to its end; and compares. A fault that comes after the run is over does
not count. Half of the rounds keep a checkpoint after every epoch. Rounds with Ray let the run start a Ray of its own;
those on nodes need root, and hosts as network namespaces (tests/cluster_namespaces); those on SLURM need root and its
daemons (Debian: slurmctld, slurmd, slurm-client, munge). The tmpfs of "disk full" needs root too, the clock set back
under a running driver libfaketime (Debian: faketime); what this machine lacks is named and left out. Seconds are those
from a round's last fault to the end of its suite.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import math
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import fault_kinds as kinds
import fault_nodes as nodes
import fault_slurm as arrays
from fault_runs import LONG, Found, Scene, TooLateError, WrongError, entries, found_in, write_suite
from figures import load_now, show

from bench.execution.signals import stop_on_signals
from bench.ledger.ledger import Ledger

FAULTS = 3
"""Faults in a round, at most."""
HERE, RAY = ["--no-ray"], ["--retries", "9"]


@dataclass(frozen=True)
class Kind:
    """A fault, the options it is injected under, and its share of the total.

    Trials of few `epochs` are over in less time than Ray needs to start one. `place` moves a scene to other hosts.
    """

    name: str
    fault: Callable[[Scene], kinds.Fault]
    options: list[str]
    share: float
    epochs: int = 2
    place: Callable[[Scene], None] = lambda _: None


@dataclass
class Tally:
    """What became of a kind's rounds."""

    times: int = 0
    wrong: int = 0
    lost: int = 0
    twice: int = 0
    differing: int = 0
    seconds: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Peace:
    """The undisturbed run: its ledger, what it found, and about how long a trial took."""

    suite: Path
    results: Path
    found: Found
    seconds: float


def kinds_here(faketime: Path | None) -> list[Kind]:
    """The kinds of one machine; those that this one does not allow are named and left out."""
    found = [
        Kind("kill -9 of the driver, --no-ray", kinds.killed, HERE, 24),
        Kind("SIGTERM, --no-ray", kinds.terminated, HERE, 14),
        Kind("SIGINT, --no-ray", kinds.interrupted, HERE, 14),
        Kind("disk full: a tmpfs, --no-ray", kinds.disk_full, HERE, 16),
        Kind("disk full: no file beyond a size, --no-ray", kinds.limit_reached, HERE, 14),
        Kind("half an entry, a torn index, kill -9, --no-ray", kinds.half_an_entry, HERE, 20),
        Kind("an entry cut short, kill -9, --no-ray", kinds.entry_cut_short, HERE, 14),
        Kind("two drivers, --no-ray", kinds.two_drivers, HERE, 20),
        Kind("clock set back: files in the future, kill -9, --no-ray", kinds.times_ahead, HERE, 14),
        Kind("clock set back under the driver, --no-ray", kinds.clock_set_back(faketime), HERE, 6),
        Kind("kill -9 of the driver, with Ray", kinds.killed, RAY, 12, LONG),
        Kind("kill -9 of a worker, with Ray", kinds.worker_killed, RAY, 15, LONG),
        Kind("SIGTERM, with Ray", kinds.terminated, RAY, 6, LONG),
        Kind("SIGINT, with Ray", kinds.interrupted, RAY, 6, LONG),
    ]
    lacking = {}
    if os.geteuid() != 0:
        lacking["disk full: a tmpfs, --no-ray"] = "needs root"
    if faketime is None:
        lacking["clock set back under the driver, --no-ray"] = "needs libfaketime"
    for name, reason in lacking.items():
        print(f"left out: {name}: {reason}", file=sys.stderr)
    return [kind for kind in found if kind.name not in lacking]


def kinds_on_nodes(up: Callable[[], nodes.Machines]) -> list[Kind]:
    """The kinds that need a cluster of hosts, which `up` brings up when it is first called."""
    if reason := nodes.why_not():
        print(f"left out: whole nodes: {reason}", file=sys.stderr)
        return []

    def on_head(scene: Scene) -> None:
        nodes.on_head(up(), scene)

    def on_client(scene: Scene) -> None:
        nodes.on_client(up(), scene)

    return [
        Kind("kill -9 of a whole node", lambda scene: nodes.host_killed(up(), scene), [], 8, LONG, on_head),
        Kind("link of a node cut and restored", lambda scene: nodes.link_cut(up(), scene), [], 8, LONG, on_head),
        Kind("client of a cluster gone and back", lambda scene: nodes.client_gone(up(), scene), [], 6, LONG, on_client),
    ]


def kinds_on_slurm(up: Callable[[], arrays.Slurm]) -> list[Kind]:
    """The kinds that need SLURM, whose daemons `up` starts when it is first called."""
    if reason := arrays.lacking_slurm():
        print(f"left out: SLURM: needs {reason}", file=sys.stderr)
        return []

    def on_slurm(scene: Scene) -> None:
        arrays.on_slurm(up(), scene)

    def restarted(scene: Scene) -> kinds.Fault:
        return arrays.controller_restarted(up(), scene)

    return [
        Kind("kill -9 of a task, slurm", arrays.task_killed, [], 4, LONG, on_slurm),
        Kind("task requeued, slurm", arrays.task_requeued, [], 4, LONG, on_slurm),
        Kind("controller killed and restarted, slurm", restarted, [], 4, LONG, on_slurm),
        Kind("two arrays on one ledger, slurm", arrays.two_arrays, [], 4, LONG, on_slurm),
    ]


def undisturbed(folder: Path, epochs: int) -> Peace:
    """Run the suite once in peace."""
    folder.mkdir()
    suite = write_suite(folder, epochs)
    arguments = ["run", str(suite), "--results", str(folder / "undisturbed"), *HERE]
    scene = Scene(arguments, folder / "undisturbed", folder / "undisturbed", random.Random(0), 0)
    scene.start().must_end(0)
    seconds = [record.run_info.train_seconds for record in Ledger(scene.results).records()]
    return Peace(suite, scene.results, found_in(scene.results), statistics.median(seconds))


def one_round(kind: Kind, peace: Peace, folder: Path, chance: random.Random, tally: Tally) -> None:
    """Up to three faults, each with a run after it, and the comparison at the end."""
    arguments = ["run", str(peace.suite), "--results", str(folder / "results"), *kind.options]
    scene = Scene(arguments, folder / "results", peace.results, chance, peace.seconds)
    faults: list[kinds.Fault] = []
    with kinds.cleared(scene):
        try:
            kind.place(scene)
            if chance.random() < 0.5:
                scene.arguments += ["--checkpoint-after", "0"]
            for _ in range(FAULTS):
                faults.append(kind.fault(scene))
                Ledger(scene.results).records()  # it reads
            scene.start().must_end(0)
        except TooLateError:
            pass
        except WrongError as error:
            tally.wrong += 1
            tally.times += len(faults) < FAULTS  # it came of a fault, or of the last run
            print(f"{kind.name}: {error}", file=sys.stderr)
            return
        finally:
            tally.times += len(faults)
        if faults:
            tally.seconds.append(time.monotonic() - faults[-1].at)
            compare(scene, faults, peace, tally)


def compare(scene: Scene, faults: list[kinds.Fault], peace: Peace, tally: Tally) -> None:
    """What the ledger holds at the end against what it held at each fault, and against the undisturbed run."""
    ledger, found = Ledger(scene.results), found_in(scene.results)
    spoilt = {name for fault in faults for name in fault.spoilt}
    stored = {name for fault in faults for name in fault.before} - spoilt
    tally.lost += len(stored - entries(scene.results)) + len(peace.found.keys() - found.keys())
    tally.twice += sum(record.status == "complete" for key in found for record in ledger.replicates(key))
    tally.differing += sum(found[key] != peace.found.get(key) for key in found)


def wanted(kinds_: list[Kind], total: int) -> dict[str, int]:
    """How often each kind is injected: its share of the total, rounded up."""
    whole = sum(kind.share for kind in kinds_)
    return {kind.name: math.ceil(total * kind.share / whole) for kind in kinds_}


def table(tallies: dict[str, Tally], load_before: float) -> None:
    """Print what became of all rounds."""
    header = ("fault", "times", "went wrong", "lost", "run twice", "differing", "median s to the end")
    rows = [
        (name, str(t.times), str(t.wrong), str(t.lost), str(t.twice), str(t.differing),
         f"{statistics.median(t.seconds):.1f}" if t.seconds else "-")
        for name, t in tallies.items() if t.times
    ]  # fmt: skip
    sums = [
        str(sum(getattr(t, name) for t in tallies.values()))
        for name in ("times", "wrong", "lost", "twice", "differing")
    ]
    rows.append(("all", *sums, ""))
    show("Faults at random moments; twelve trials a round", header, rows, load_before)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--total", type=int, default=200, help="faults, over all kinds")
    parser.add_argument("--only", action="append", metavar="KIND", help="kinds whose name holds this; may be repeated")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--faketime", type=Path, help="libfaketimeMT.so.1, where it is not in its usual place")
    asked = parser.parse_args()
    library = asked.faketime or next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))), None)
    stack = contextlib.ExitStack()
    hosts = Path(tempfile.gettempdir()) / f"faults-hosts-{os.getpid()}"
    up = functools.cache(lambda: stack.enter_context(nodes.cluster(hosts)))
    daemons = Path(tempfile.gettempdir()) / f"faults-slurm-{os.getpid()}"
    slurm_up = functools.cache(lambda: stack.enter_context(arrays.daemons(daemons)))
    known = kinds_here(library) + kinds_on_nodes(up) + kinds_on_slurm(slurm_up)
    chosen = [kind for kind in known if not asked.only or any(text in kind.name for text in asked.only)]
    if not chosen:
        sys.exit(f"no kind is named like {' or '.join(asked.only)}")
    chance, load_before = random.Random(asked.seed), load_now()
    tallies = {kind.name: Tally() for kind in chosen}
    with (
        contextlib.suppress(subprocess.TimeoutExpired),  # hosts that are slow to end
        stack,
        tempfile.TemporaryDirectory(prefix="faults-") as text,
        stop_on_signals(),
        contextlib.suppress(KeyboardInterrupt),  # a table of what was done until then
    ):
        folder = Path(text)
        peace = {epochs: undisturbed(folder / f"peace-{epochs}", epochs) for epochs in {kind.epochs for kind in chosen}}
        left, number = wanted(chosen, asked.total), 0
        while any(tallies[kind.name].times < left[kind.name] for kind in chosen):
            for kind in chosen:
                tally = tallies[kind.name]
                if tally.times < left[kind.name]:
                    number += 1
                    one_round(kind, peace[kind.epochs], folder / f"round-{number}", chance, tally)
                    shutil.rmtree(folder / f"round-{number}", ignore_errors=True)
                    told = f"wrong {tally.wrong}, lost {tally.lost}, twice {tally.twice}, differing {tally.differing}"
                    print(f"{kind.name}: {tally.times} of {left[kind.name]}; {told}", file=sys.stderr, flush=True)
    table(tallies, load_before)


if __name__ == "__main__":
    main()
