"""Where do short trials spend their time? ``python benchmarks/profile_trial.py``.

`bench run --no-ray` of 24 and of 200 trials (784-32-10, one epoch of 512 images, as in `peers/short_trials.py`) under
Python's profiler. Shown are milliseconds of a further trial, the difference of both over 176: of the functions of bench
and of the system's calls, those that take longest with all that they call. The profiler makes every call slower, a
trial to about twice its time: the rows are for comparing.
"""

from __future__ import annotations

import pstats
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from figures import load_now, show, write_suite

import bench

FEW, MANY, SHOWN = 24, 200, 40
PACKAGE = str(Path(bench.__file__).parent)
Place = tuple[str, int, str]
"""File, line and name of a function, as the profiler has it."""


def profiled(folder: Path, trials: int) -> dict[Place, tuple[float, float]]:
    """Milliseconds of each function by itself and with what it calls, in a run of so many trials."""
    grid = {
        "model": {"name": "mlp", "hidden": [32]},
        "optimizer": {"name": "sgd", "lr": {"grid": [0.001 * (1 + number) for number in range(trials)]}},
    }
    data = {"name": "npz", "path": str(folder / "short.npz")}
    defaults = {"dataset": data, "epochs": 1, "batch_size": 64, "validation": {"tail": 0.2}}
    suite, out = write_suite(folder, grid, defaults, f"trials-{trials}"), folder / f"{trials}.profile"
    command = [sys.executable, "-m", "cProfile", "-o", out, "-m", "bench", "run", suite, "--no-ray"]
    done = subprocess.run([*command, "--results", folder / str(trials)], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"bench run gave exit code {done.returncode}:\n{done.stdout}{done.stderr}")
    stats = pstats.Stats(str(out)).stats  # type: ignore[attr-defined]  # documented nowhere, and the only way to it
    return {place: (1000 * own, 1000 * all_of_it) for place, (_, _, own, all_of_it, _) in stats.items()}


def name_of(place: Place) -> str:
    file, _, function = place
    return f"{Path(file).relative_to(PACKAGE).with_suffix('')}: {function}" if file.startswith(PACKAGE) else function


def main() -> None:
    before = load_now()
    with tempfile.TemporaryDirectory() as text:
        folder, random = Path(text), np.random.default_rng(0)
        arrays: dict[str, np.ndarray] = {}
        for part, count in (("train", 640), ("test", 250)):
            arrays[f"{part}_images"] = random.integers(0, 256, (count, 28, 28), dtype=np.uint8)
            arrays[f"{part}_labels"] = np.arange(count) % 10
        np.savez(folder / "short.npz", **arrays)
        few, many = profiled(folder, FEW), profiled(folder, MANY)
    further = {
        place: tuple((more - less) / (MANY - FEW) for more, less in zip(found, few.get(place, (0.0, 0.0)), strict=True))
        for place, found in many.items()
        if place[0].startswith(PACKAGE) or place[0] == "~"
    }
    longest = sorted(further, key=lambda place: -further[place][1])[:SHOWN]
    rows = [(name_of(place), *(f"{value:.2f}" for value in reversed(further[place]))) for place in longest]
    show("A further trial under the profiler", ("call", "ms with what it calls", "ms by itself"), rows, before)


if __name__ == "__main__":
    main()
