"""How accurate for how many operations, in how many minutes? ``python benchmarks/frontier.py FOLDER``.

Claims: `suites/frontier.yaml` reaches .9331, the best of lab document B (after a search of 4 h 23 min on a GPU), with
at most 0.040 PFLOP of training in float32, on any processor; with at most 0.150 it is to reach .9450. On two CPU cores
with matrix units for bfloat16 (--precision bfloat16) it reaches the one in five minutes and the other in thirty. All as
means of three seeds, trained on all training images, last epoch, in float32 with each test image and its mirror image.
Operations are those of the forward pass, a multiply-add as two, times three, and the same on any machine.

Each seed of each of the suite's budgets for resnet9 (or of --model convnext, in bfloat16) is one ``bench run`` in a
fresh process with two threads, its seconds taken from the start of the command to its end: start-up, training, and the
measuring of training and test images. The records are kept in the ledger FOLDER, from which ``bench report frontier
--results FOLDER --html`` makes the page. What lies there already is not trained again: its seconds are those that were
noted in FOLDER/seconds.json. A training that was broken off begins anew.

Beside it the share of the machine's matrix throughput that training reaches: floating-point operations of forward and
backward passes over training seconds, against the fastest product or convolution measured by this command (which may
be later than a training that lay there already).

With --validate the same recipes are trained on nine tenths of the training images and judged on the other tenth, drawn
evenly from the classes; the table then has validation accuracies.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from figures import load_now, median_and_spread, show
from throughput import line, matrix_throughput, training_gflops

from bench.commands.load_suites import load, trials_of
from bench.ledger.ledger import Ledger
from bench.ledger.record import Record
from bench.suite.find_suite import find_suite
from bench.suite.suite import load_suite

MODELS = ("resnet9", "convnext")
"""The suite's models for CPUs."""

PRECISIONS = ("float32", "bfloat16")

TARGETS = {0.9331: (5, 0.040), 0.9450: (30, 0.150)}
"""Accuracy, and in how many minutes and PFLOP it is to be reached."""

IMAGES = 60_000


def trained(
    only: list[str], seed: int, folder: Path, changes: list[str], options: Sequence[str] = ("--cpus-per-trial", "2")
) -> tuple[Record, float]:
    """The record of a seed and the seconds of the command that made it, now or in an earlier run.

    `only` matches one configuration of the suite, which `changes` change; `options` are those of ``bench run``.
    """
    noted = folder / "seconds.json"
    seconds: dict[str, float] = json.loads(noted.read_text()) if noted.exists() else {}
    changes = [f"seeds=[{seed}]", *changes]
    (trial,) = trials_of(load("frontier", only, changes, None))
    command = [sys.executable, "-m", "bench", "run", "frontier", "--results", str(folder), "--no-ray"]
    command += [*options, *(text for one in only for text in ("--only", one))]
    command += [text for one in changes for text in ("--set", one)]
    is_there = folder.exists() and trial.key in Ledger(folder).done(None)
    if is_there and trial.key not in seconds:
        sys.exit(f"{folder} has trial {trial.key}, and {noted} does not say how long it took: give an empty folder")
    # Going on from a training that was broken off would take less.
    (folder / "checkpoints" / f"{trial.key}.pt").unlink(missing_ok=True)
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True)
    took = time.perf_counter() - start
    if done.returncode:
        sys.exit(f"{' '.join(command)} gave exit code {done.returncode}:\n{done.stdout}{done.stderr}")
    record = Ledger(folder).record(trial.key)
    if is_there:
        return record, seconds[record.key]
    noted.write_text(json.dumps(seconds | {record.key: took}))
    return record, took


def accuracy(record: Record, validate: bool) -> float:
    figures = record.result.validation if validate else record.result.test
    if figures is None:
        sys.exit(f"trial {record.key} is {record.status}")
    return figures["accuracy"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--epochs", type=int, nargs="*", help="of the suite's budgets; all of them without")
    parser.add_argument("--model", choices=MODELS, default=MODELS[0])
    parser.add_argument("--precision", choices=PRECISIONS, default=PRECISIONS[0], help="of the suite's entries")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--validate", action="store_true")
    given = parser.parse_args()
    configs = [config for config, _ in load_suite(find_suite("frontier")).configurations]
    known = [
        config["epochs"]
        for config in configs
        if (config["model"]["name"], config["precision"]) == (given.model, given.precision)
    ]
    if not known:
        parser.error(
            f"--precision {given.precision}: the suite has no entry of {given.model} in it; give the other one"
        )
    budgets = given.epochs or known
    if unknown := set(budgets) - set(known):
        parser.error(f"--epochs {min(unknown)}: the suite has {', '.join(map(str, known))}")
    targets = {} if given.validate else TARGETS  # they are of the test set
    changes = ["validation={stratified: 0.1}"] if given.validate else []
    before, limit, rows = load_now(), matrix_throughput(), []
    for epochs in budgets:
        only = [f"model={given.model}", f"epochs={epochs}", f"precision={given.precision}"]
        runs = [trained(only, seed, given.folder, changes) for seed in range(given.seeds)]
        found = [accuracy(record, given.validate) for record, _ in runs]
        mean = statistics.mean(found)
        minutes = statistics.median(seconds for _, seconds in runs) / 60
        spread = f" ± {100 * statistics.stdev(found):.2f}" if len(found) > 1 else ""
        images = IMAGES * (0.9 if given.validate else 1.0) * epochs
        operations = [training_gflops(record.run_info.flops or 0, images) for record, _ in runs]
        gflops = [count / record.run_info.train_seconds for count, (record, _) in zip(operations, runs, strict=True)]
        pflop = max(operations) / 1e6
        rows.append((
            str(epochs), f"{100 * mean:.2f}{spread}", f"{100 * min(found):.2f} to {100 * max(found):.2f}",
            f"{pflop:.4f}", median_and_spread([seconds / 60 for _, seconds in runs]),
            f"{statistics.median(gflops):,.0f}", f"{100 * statistics.median(gflops) / limit[given.precision]:.0f} %",
            *("yes" if mean >= target and minutes <= aim else "no" for target, (aim, _) in targets.items()),
            *("yes" if mean >= target and pflop <= aim else "no" for target, (_, aim) in targets.items()),
        ))  # fmt: skip
    part = "validation" if given.validate else "test"
    header = ("epochs", f"{part} accuracy, %, mean ± sd", "seeds", "PFLOP", "minutes, start to end", "GFLOP/s",
              "of the machine's", *(f">= {target:.4f} in {minutes} min" for target, (minutes, _) in targets.items()),
              *(f"in {pflop} PFLOP" for _, pflop in targets.values()))  # fmt: skip
    title = f"{given.model} of suites/frontier.yaml in {given.precision}, {given.seeds} seeds, two threads"
    show(title, header, rows, before)
    print(f"\n{line(limit)}")


if __name__ == "__main__":
    main()
