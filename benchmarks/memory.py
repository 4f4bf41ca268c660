"""Is the data in memory once, and does the driver stay small? ``python benchmarks/memory.py [--trials N]``.

Claims: on one node the images lie in memory once, however many workers train on them; and the driver's memory is
flat within 10 % from the 100th to the 2,000th trivial trial of one run.

The first is measured with two workers on the real data. Each trial's network (a user's own model, written for this)
looks while it trains at where its process's images are: in pages mapped from Ray's object store (``/dev/shm``), which
all processes share, or in memory of its own. `Rss` counts such pages in every process, `Pss` divides each by the
number of its users (the workers and the store itself), and private pages would be copies. The claim holds where every
worker has as many of these pages as the images take, and none of them alone. (The driver, which read the files, has
a copy of its own beside the store.)

The second is one run through `bench.execution.run_trials.run_trials` of trials on 64 made-up images, which take a few
hundredths of a second; resident and private memory of the driver, which is this script's process, at the publication
of the 100th, 500th, 1,000th and 2,000th record. One run: memory does not depend on what else the machine does.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from figures import load_now, memory_of, show, verdict, write_suite
from rich.console import Console

from bench.data import load
from bench.data.dataset import Dataset
from bench.execution.messages import RunOptions
from bench.execution.run_trials import run_trials
from bench.ledger.ledger import Ledger
from bench.suite.suite import load_suite
from bench.suite.trial import Trial, trials

MARKS = (100, 500, 1000, 2000)
WITHIN = 0.10
MIB = 2**20
WORKERS = 2

LOOKER = '''
"""A linear network that writes down, at its first training step, what memory its process has."""
import json
import os
from pathlib import Path

from torch import nn


class Looker(nn.Module):
    def __init__(self, features, classes):
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(features, classes))
        self.steps = 0

    def forward(self, x):
        self.steps += self.training
        if self.steps == 100:
            Path(FOLDER, f"{os.getpid()}.json").write_text(json.dumps(mappings()))
        return self.net(x)


def mappings():
    """Rss, Pss and private bytes of this process's mappings of Ray's object store."""
    found = dict.fromkeys(("Rss", "Pss", "Private_Clean", "Private_Dirty"), 0)
    store = False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        name, *rest = line.split()
        if not name.endswith(":"):
            store = "/dev/shm/" in line or "plasma" in line
        elif store and name[:-1] in found:
            found[name[:-1]] += int(rest[0]) * 1024
    return found


def looker(input_shape, classes):
    return Looker(input_shape[0] * input_shape[1] * input_shape[2], classes)
'''


class Counting(Ledger):
    """A ledger that measures this process when it has published so many records."""

    def __init__(self, root: Path, marks: Sequence[int]):
        super().__init__(root)
        self.marks = marks
        self.published = 0
        self.found: dict[int, dict[str, int]] = {}

    def publish(self, *args: Any, **kwargs: Any) -> Path:
        path = super().publish(*args, **kwargs)
        self.published += 1
        if self.published in self.marks:
            self.found[self.published] = memory_of()
            print(f"{self.published} trials, {self.found[self.published]['Rss'] / MIB:.0f} MiB", file=sys.stderr)
        return path


def planned(suite: Path) -> list[Trial]:
    from bench.user_code.read_code import read

    return trials(load_suite(suite), lambda _: "", lambda entry: read(entry, suite.parent))


def run(todo: list[Trial], data: Dataset, ledger: Ledger) -> None:
    records = run_trials(todo, {data.name: data}, ledger, Console(file=io.StringIO()), RunOptions(jobs=WORKERS))
    bad = [record.failure for record in records if record.status != "complete"]
    if bad:
        sys.exit(f"{len(bad)} trials did not end well: {bad[0]}")


def shared_data(folder: Path) -> list[tuple[str, ...]]:
    """Rows: one per worker, then the data's size and whether all of it is shared."""
    data = load("fashion_mnist")
    size = data.train_images.nbytes + data.test_images.nbytes
    (folder / "looker.py").write_text(LOOKER.replace("FOLDER", json.dumps(str(folder))))
    suite = write_suite(
        folder,
        {"model": "looker.py:looker", "optimizer": {"name": "sgd", "lr": {"grid": [0.01, 0.02, 0.03, 0.04]}}},
        {"dataset": "fashion_mnist", "epochs": 2, "batch_size": 64, "validation": "none"},
        name="data",
    )
    run(planned(suite), data, Ledger(folder / "data"))
    found = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    if len(found) != WORKERS:
        sys.exit(f"{len(found)} processes trained, {WORKERS} were to")
    rows: list[tuple[str, ...]] = []
    total = 0
    for number, one in enumerate(found, start=1):
        private = one["Private_Clean"] + one["Private_Dirty"]
        total += private
        rows.append((
            f"worker {number}", f"{one['Rss'] / MIB:.1f}", f"{one['Pss'] / MIB:.1f}", f"{private / MIB:.1f}", "",
        ))  # fmt: skip
    shared = total == 0 and all(one["Rss"] >= size for one in found)
    return [*rows, (f"the images: {size / MIB:.1f} MiB", "", "", "", "yes" if shared else "NO")]


def driver(folder: Path, count: int) -> list[tuple[str, str, str, str]]:
    """Rows: the driver's memory at each mark, and how far it is from that at the first."""
    random = np.random.default_rng(0)
    images, labels = random.integers(0, 256, (64, 1, 28, 28), dtype=np.uint8), random.integers(0, 10, 64)
    data = Dataset("fashion_mnist", tuple("0123456789"), images, labels, images, labels, "", folder)
    suite = write_suite(
        folder,
        {"model": {"name": "mlp", "hidden": []},
         "optimizer": {"name": "sgd", "lr": {"grid": [number / 1000 for number in range(1, count // 100 + 1)]}}},
        {"dataset": "fashion_mnist", "epochs": 1, "batch_size": 64, "validation": "none", "seeds": 100},
        name="driver",
    )  # fmt: skip
    ledger = Counting(folder / "driver", [mark for mark in MARKS if mark <= count])
    run(planned(suite), data, ledger)
    first = ledger.found[MARKS[0]]["Rss"]
    return [
        (
            f"after {mark:,} trials", f"{memory['Rss'] / MIB:.1f} ({memory['Private'] / MIB:.1f})",
            f"{memory['Rss'] / first - 1:+.1%}", verdict(memory["Rss"] / first, 1 + WITHIN, at_least=False),
        )
        for mark, memory in ledger.found.items()
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=MARKS[-1], help="of the run that the driver is watched in")
    count = parser.parse_args().trials
    load_before = load_now()
    with tempfile.TemporaryDirectory() as text:
        rows = driver(Path(text), count)
        shared = shared_data(Path(text))
    once = ("pages of Ray's object store in", "Rss, MiB", "Pss, MiB", "private, MiB", "once")
    show(f"Images in memory, {WORKERS} workers", once, shared, load_before)
    flat = ("driver", "Rss (private), MiB", "against the first", f"within {WITHIN:.0%}")
    show(f"The driver's memory in one run of {count:,} trivial trials", flat, rows, load_before)


if __name__ == "__main__":
    main()
