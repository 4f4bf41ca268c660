"""What does Ray cost? ``python benchmarks/ray_overhead.py [--repeats N]``.

Claims: with reused workers Ray adds at most 0.5 s to a trial, and `bench run` is at its first training step at most
15 s after its start.

The same 24 trials (one linear layer, one epoch, batches of 2,000: as little as a real trial can be) are run by the
whole command with ``--jobs 1`` and with ``--no-ray``, in turn, --repeats times, each into an empty ledger. A trial's
time is that between the ends of the first and the last record, over 23, so that starting up is not in it. The first
step is taken to be at the first record's end less the seconds it trained and evaluated: what else happens between
the step and the record's end makes the figure larger, never smaller.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

from figures import load_now, median_and_spread, show, verdict, write_suite

from bench.data import fetch
from bench.ledger.ledger import Ledger

TRIALS, OVERHEAD, START = 24, 0.5, 15.0


def run(suite: Path, results: Path, options: list[str]) -> tuple[float, float]:
    """Seconds from the command's start to the first step, and seconds per trial after the first."""
    start = time.time()
    command = [sys.executable, "-m", "bench", "run", str(suite), "--results", str(results), *options]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} gave exit code {done.returncode}:\n{done.stdout}{done.stderr}")
    records = Ledger(results).records()
    ends = sorted((datetime.fromisoformat(record.run_info.finished).timestamp(), record.run_info) for record in records)
    if len(ends) != TRIALS:
        sys.exit(f"{len(ends)} of {TRIALS} trials are in the ledger")
    first, measured = ends[0]
    first_step = first - measured.train_seconds - measured.evaluation_seconds - start
    return first_step, (ends[-1][0] - first) / (TRIALS - 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    load_before = load_now()
    fetch("fashion_mnist")  # a download is not part of starting
    ways = {"--jobs 1": ["--jobs", "1"], "--no-ray": ["--no-ray"]}
    starts: dict[str, list[float]] = {way: [] for way in ways}
    each: dict[str, list[float]] = {way: [] for way in ways}
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        rates = [number / 1000 for number in range(1, TRIALS + 1)]
        suite = write_suite(
            folder,
            {"model": {"name": "mlp", "hidden": []}, "optimizer": {"name": "sgd", "lr": {"grid": rates}}},
            {"dataset": "fashion_mnist", "epochs": 1, "batch_size": 2000, "validation": {"tail": 0.2}},
        )
        for number in range(repeats):
            for way, options in ways.items():
                first_step, per_trial = run(suite, folder / f"results-{number}{way.replace(' ', '')}", options)
                starts[way].append(first_step)
                each[way].append(per_trial)
    extra = [ray - here for ray, here in zip(each["--jobs 1"], each["--no-ray"], strict=True)]
    rows = [
        ("a trial, with Ray", median_and_spread(each["--jobs 1"]), "", ""),
        ("a trial, --no-ray", median_and_spread(each["--no-ray"]), "", ""),
        ("Ray's overhead per trial", median_and_spread(extra), f"{OVERHEAD} s",
         verdict(statistics.median(extra), OVERHEAD, at_least=False)),
        ("start to first step, with Ray", median_and_spread(starts["--jobs 1"]), f"{START:.0f} s",
         verdict(statistics.median(starts["--jobs 1"]), START, at_least=False)),
        ("start to first step, --no-ray", median_and_spread(starts["--no-ray"]), "", ""),
    ]  # fmt: skip
    title = f"{TRIALS} trivial trials, median seconds of {repeats} (smallest to largest)"
    show(title, ("what", "seconds", "at most", "holds"), rows, load_before)


if __name__ == "__main__":
    main()
