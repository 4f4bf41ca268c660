"""Is anything lost when things go wrong? ``python benchmarks/faults.py [--total N] [--only KIND ...] [--seed S]``.

Claims: whatever is killed, filled, torn or cut, the ledger reads afterwards, the same command run again comes to the
end, no complete trial is lost or run twice, and the result fields and predictions of every record equal those of an
undisturbed run to the last bit.

Each round starts `bench run` on a suite of six trials into an empty ledger, injects one fault at a moment drawn by a
seeded generator (how many trials have ended, and how far the next one is), reads the ledger, runs the command again
to its end and compares. A round whose run was over before its fault does not count and is drawn again. Half of the
rounds keep a checkpoint after every epoch. Rounds with Ray let the run start a Ray of its own; those on nodes need
root, and hosts as network namespaces (tests/cluster_namespaces). The tmpfs of "disk full" needs root too, the clock
set back under a running driver libfaketime (Debian: faketime); what this machine lacks is named and left out.
Seconds are those from the fault to the end of the suite.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import fault_kinds as kinds
from fault_runs import Found, Scene, TooLateError, WrongError, entries, found_in, write_suite
from figures import load_now, show

from bench.ledger.ledger import Ledger

HERE, RAY = ["--no-ray"], ["--retries", "9"]


@dataclass(frozen=True)
class Kind:
    """A fault, the options it is injected under, and its share of the total."""

    name: str
    fault: Callable[[Scene], kinds.Fault]
    options: list[str]
    share: float


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
    """The kinds that this machine allows; the others are named."""
    found = [
        Kind("kill -9 of the driver, --no-ray", kinds.killed, HERE, 24),
        Kind("SIGTERM, --no-ray", kinds.terminated, HERE, 14),
        Kind("SIGINT, --no-ray", kinds.interrupted, HERE, 14),
        Kind("disk full: no file beyond a size, --no-ray", kinds.limit_reached, HERE, 14),
        Kind("half an entry, a torn index, kill -9, --no-ray", kinds.half_an_entry, HERE, 20),
        Kind("an entry cut short, kill -9, --no-ray", kinds.entry_cut_short, HERE, 14),
        Kind("two drivers, --no-ray", kinds.two_drivers, HERE, 20),
        Kind("clock set back: files in the future, kill -9, --no-ray", kinds.times_ahead, HERE, 14),
        Kind("kill -9 of the driver, with Ray", kinds.killed, RAY, 10),
        Kind("kill -9 of a worker, with Ray", kinds.worker_killed, RAY, 14),
        Kind("SIGTERM, with Ray", kinds.terminated, RAY, 5),
        Kind("SIGINT, with Ray", kinds.interrupted, RAY, 5),
    ]
    if os.geteuid() == 0:
        found.insert(3, Kind("disk full: a tmpfs, --no-ray", kinds.disk_full, HERE, 16))
    else:
        print("left out: a full tmpfs, which needs root", file=sys.stderr)
    if faketime:
        found.insert(9, Kind("clock set back under the driver, --no-ray", kinds.clock_set_back(faketime), HERE, 6))
    else:
        print("left out: the clock under a running driver, which needs libfaketime", file=sys.stderr)
    return found


def undisturbed(folder: Path) -> Peace:
    """Run the suite once in peace."""
    suite = write_suite(folder, epochs=4)
    arguments = ["run", str(suite), "--results", str(folder / "undisturbed"), *HERE]
    scene = Scene(arguments, folder / "undisturbed", folder / "undisturbed", random.Random(0), 0)
    scene.start().must_end(0)
    seconds = [record.measured.train_seconds for record in Ledger(scene.results).records()]
    return Peace(suite, scene.results, found_in(scene.results), statistics.median(seconds))


def one_round(kind: Kind, peace: Peace, folder: Path, chance: random.Random, tally: Tally) -> None:
    """One fault, the run after it, and the comparison; TooLateError where the fault came too late."""
    results = folder / "results"
    arguments = ["run", str(peace.suite), "--results", str(results), *kind.options]
    if chance.random() < 0.5:
        arguments += ["--checkpoint-after", "0"]
    scene = Scene(arguments, results, peace.results, chance, peace.seconds)
    with kinds.freed(scene):
        try:
            before, at = kind.fault(scene)
            Ledger(results).records()  # it reads
            scene.start().must_end(0)
        except WrongError as error:
            tally.times += 1
            tally.wrong += 1
            print(f"{kind.name}: {error}", file=sys.stderr)
            return
        tally.seconds.append(time.monotonic() - at)
        tally.times += 1
        compare(scene, before, peace, tally)


def compare(scene: Scene, before: set[str], peace: Peace, tally: Tally) -> None:
    """What the ledger holds at the end against what it held at the fault, and against the undisturbed run."""
    ledger, found = Ledger(scene.results), found_in(scene.results)
    tally.lost += len(before - entries(scene.results)) + len(peace.found.keys() - found.keys())
    tally.twice += sum(record.status == "complete" for key in found for record in ledger.replicates(key))
    tally.differing += sum(found[key] != peace.found[key] for key in found)


def planned(kinds_: list[Kind], total: int) -> Iterator[Kind]:
    """Kinds in turn, each as often as its share of the total, rounded up."""
    whole = sum(kind.share for kind in kinds_)
    left = {kind.name: -(-int(total * kind.share) // int(whole)) for kind in kinds_}
    while any(left.values()):
        for kind in kinds_:
            if left[kind.name]:
                left[kind.name] -= 1
                yield kind


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
    show("Faults at random moments; six trials a round", header, rows, load_before)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--total", type=int, default=200, help="faults, over all kinds")
    parser.add_argument("--only", action="append", metavar="KIND", help="kinds whose name holds this; may be repeated")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--faketime", type=Path, help="libfaketimeMT.so.1, where it is not in its usual place")
    asked = parser.parse_args()
    library = asked.faketime or next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))), None)
    chosen = [k for k in kinds_here(library) if not asked.only or any(text in k.name for text in asked.only)]
    if not chosen:
        sys.exit(f"no kind is named like {' or '.join(asked.only)}")
    chance, load_before = random.Random(asked.seed), load_now()
    tallies = {kind.name: Tally() for kind in chosen}
    with tempfile.TemporaryDirectory(prefix="faults-") as text:
        folder = Path(text)
        peace = undisturbed(folder)
        for number, kind in enumerate(planned(chosen, asked.total)):
            counted = False
            while not counted:
                place = folder / f"round-{number}"
                with contextlib.suppress(TooLateError):
                    one_round(kind, peace, place, chance, tallies[kind.name])
                    counted = True
                shutil.rmtree(place, ignore_errors=True)
            tally = tallies[kind.name]
            print(f"{number + 1}: {kind.name}: {tally}", file=sys.stderr, flush=True)
    table(tallies, load_before)


if __name__ == "__main__":
    main()
