"""Does the command answer at once? ``python benchmarks/start_up.py [--repeats N]``.

Claims: `bench --help`, and the message for a wrong suite file, take at most 1 s; `bench plan` of 10,000 trials at most
3 s. Each is the wall time of a whole process, from its start to its end, --repeats times in turn; the ledger is empty,
and the interpreter's own start is in the figures.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from figures import load_now, median_and_spread, show, verdict, write_suite

WRONG = """\
name: wrong
defaults: {dataset: fashion_mnist, epochs: 0}
grid: {model: mpl, optimizer: {name: adam, lr: fast}}
"""


def seconds(arguments: list[str], expected: int) -> float:
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", "bench", *arguments], capture_output=True, text=True)
    elapsed = time.perf_counter() - start
    if done.returncode != expected:
        sys.exit(f"bench {' '.join(arguments)} gave exit code {done.returncode}:\n{done.stdout}{done.stderr}")
    return elapsed


def large_suite(folder: Path) -> Path:
    """500 configurations of four axes that vary, with 20 seeds each."""
    grid = {
        "model": {"name": "mlp", "hidden": {"grid": [[128], [128, 64], [256], [256, 128], [512]]}},
        "optimizer": [
            {"name": "sgd", "lr": {"grid": [0.003, 0.01, 0.03, 0.1, 0.3]}, "momentum": 0.9},
            {"name": "adam", "lr": {"grid": [1e-4, 3e-4, 1e-3, 3e-3, 1e-2]}},
        ],
        "regularizer": ["none", {"name": "dropout", "rate": {"grid": [0.2, 0.5]}}, "l2", "l1"],
        "augmentation": ["none", "flip"],
    }
    return write_suite(folder, grid, {"dataset": "fashion_mnist", "epochs": 5, "seeds": 20}, name="large")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    load_before = load_now()
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        (folder / "wrong.yaml").write_text(WRONG)
        results = str(folder / "results")
        commands: dict[str, tuple[list[str], int, float]] = {
            "bench --help": (["--help"], 0, 1.0),
            "bench run, wrong suite file": (["run", str(folder / "wrong.yaml"), "--results", results], 2, 1.0),
            "bench plan, 10,000 trials": (["plan", str(large_suite(folder)), "--results", results], 0, 3.0),
        }
        times: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(repeats):
            for name, (arguments, expected, _bound) in commands.items():
                times[name].append(seconds(arguments, expected))
    rows = [
        (name, median_and_spread(times[name]), f"{bound:.0f} s", verdict(statistics.median(times[name]), bound, False))
        for name, (_, _, bound) in commands.items()
    ]
    show(
        f"Whole processes, median seconds of {repeats} (smallest to largest)",
        ("command", "seconds", "at most", "holds"), rows, load_before,
    )  # fmt: skip


if __name__ == "__main__":
    main()
