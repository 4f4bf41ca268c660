"""Short trials against Ray Tune and Optuna. ``python -m benchmarks.peers.short_trials FOLDER [--repeats N] [--quick]``.

Claims: 24 to 200 trials that train for next to no time (784-32-10, one epoch of 512 images, validation and test on
128 and 250) take bench at most a quarter of the time of Ray Tune with its defaults, and, trial for trial, no more than
Optuna in one process, which trains the same in plain PyTorch.

In turn, --repeats times, each as a command of its own, timed from start to end, start-up included: 24 and 200 trials of
``bench run``, of ``bench run --no-ray`` and of Optuna; 8 and 24 trials of Ray Tune. Tune's 200 are carried from those:
its 24, and 176 times the seconds by which each of the 16 more made it longer (--whole runs the 200). "A trial" is the
same difference over the trials between both commands, so that starting up is not in it. bench keeps a record with
curves and predictions of every trial, on the disk, when it ends; Tune its own files; Optuna keeps its in memory.
--quick: 4 and 8 trials, of Tune 1 and 4.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from benchmarks.figures import load_now, median_and_spread, show, verdict, write_suite
from benchmarks.peers import environments
from benchmarks.peers.timing import Run, ours, peer

TUNE, OPTUNA, BENCH, ALONE = "Ray Tune", "Optuna, one process", "bench run", "bench run --no-ray"
TRAIN, TEST = 640, 250
OF_TUNE = 4.0


def tune(folder: Path, images: Path, trials: int) -> Run:
    """Ray Tune over as many learning rates."""
    return peer(sys.executable, "tune_trials.py", images, trials, folder / "tune", trials=trials)


def optuna(python: Path, images: Path, trials: int) -> Run:
    """Optuna over as many learning rates that it chooses."""
    return peer(python, "optuna_trials.py", images, trials, trials=trials)


def bench(folder: Path, images: Path, trials: int, options: Sequence[str] = ()) -> Run:
    """``bench run`` of as many learning rates."""
    folder.mkdir(parents=True, exist_ok=True)
    rates = [0.001 * (1 + number) for number in range(trials)]
    suite = write_suite(
        folder,
        {"model": {"name": "mlp", "hidden": [32]}, "optimizer": {"name": "sgd", "lr": {"grid": rates}}},
        {
            "dataset": {"name": "npz", "path": str(images)}, "epochs": 1, "batch_size": 64,
            "validation": {"tail": 0.2},
        },
        f"trials-{trials}",
    )  # fmt: skip
    return ours(suite, folder / f"{trials}{''.join(options)}", *options)


def best_of(run: Run) -> float:
    """The best validation accuracy of its trials."""
    if not run.records:
        return float(run.found["best"])
    return max(record.result.validation["accuracy"] for record in run.records if record.result.validation)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the peers' environments are, or will be made")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--whole", action="store_true")
    chosen = parser.parse_args()
    few, many = (4, 8) if chosen.quick else (24, 200)
    tune_sizes = (few, many) if chosen.whole else (few // 3 or 1, few)
    load_before, python = load_now(), environments.optuna(chosen.folder)
    images = environments.arrays(chosen.folder, "short", TRAIN, TEST).resolve()
    seconds: dict[str, dict[int, list[float]]] = {}
    each: dict[str, list[float]] = {}
    bests: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as text:
        for turn in range(chosen.repeats):
            folder = Path(text) / str(turn)
            ways = {
                TUNE: (tune_sizes, partial(tune, folder, images)),
                BENCH: ((few, many), partial(bench, folder, images)),
                OPTUNA: ((few, many), partial(optuna, python, images)),
                ALONE: ((few, many), partial(bench, folder, images, options=("--no-ray",))),
            }
            for way, (sizes, run) in ways.items():
                ended = [run(size) for size in sizes]
                short, long = (one.seconds for one in ended)
                bests[way] = best_of(ended[-1])
                a_trial = (long - short) / (sizes[1] - sizes[0])
                each.setdefault(way, []).append(a_trial)
                for size in (few, many):
                    known = dict(zip(sizes, (short, long), strict=True))
                    all_of_it = known.get(size, long + (size - sizes[1]) * a_trial)
                    seconds.setdefault(way, {}).setdefault(size, []).append(all_of_it)
    rows = []
    for way, found in seconds.items():
        compared = []
        for size, (peers, bound) in ((few, (TUNE, OF_TUNE)), (many, (TUNE, OF_TUNE)), (0, (OPTUNA, 1.0))):
            if way in (TUNE, OPTUNA):
                compared.append("")
                continue
            theirs, mine = (seconds[peers][size], found[size]) if size else (each[peers], each[way])
            ratios = [one / other for one, other in zip(theirs, mine, strict=True)]
            compared.append(f"{median_and_spread(ratios)} {verdict(statistics.median(ratios), bound, at_least=True)}")
        rows.append((
            way, median_and_spread(found[few], ".1f"), median_and_spread(found[many], ".1f"),
            median_and_spread(each[way], ".3f"), *compared,
        ))  # fmt: skip
    title = (
        f"{few} and {many} short trials, seconds, median of {chosen.repeats} turns (smallest to largest)"
        f"{'' if chosen.whole else f'; {many} of Ray Tune carried from {tune_sizes[0]} and {tune_sizes[1]}'}"
    )
    header = (
        "", f"{few} trials", f"{many} trials", "a trial", f"Ray Tune / this, {few}: >= {OF_TUNE:.0f}",
        f"Ray Tune / this, {many}: >= {OF_TUNE:.0f}", "Optuna / this, a trial: >= 1",
    )  # fmt: skip
    show(title, header, rows, load_before)
    print(f"\nOptuna is {', '.join(environments.OPTUNA)}. Best validation accuracy of the longer command: ", end="")
    print(", ".join(f"{way} {best:.3f}" for way, best in bests.items()) + ".")


if __name__ == "__main__":
    main()
