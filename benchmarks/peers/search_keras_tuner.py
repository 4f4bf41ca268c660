"""Document B's search against KerasTuner. ``python -m benchmarks.peers.search_keras_tuner FOLDER [--seeds N]``.

Claim: a search for customVGG's penalty and learning rate (8,000 images of Fashion-MNIST, the last fifth validates, 9
epochs, 16 trials) ends at the same best validation accuracy as KerasTuner's Hyperband, within noise, in a third of
the time, start-up included on both sides.

In turn, for each seed from 0: KerasTuner's Hyperband with at most 9 epochs a trial, ended after 16 trials (going on
with a configuration is a trial of its own to it, so it tries fewer; --trials 0 lets it end by itself), then ``bench
run`` of 16 random draws from the same space, pruned by ``{grace_period: 1, reduction_factor: 3}``, in float32 and in
bfloat16 (--precisions). Each is a command of its own. Everything is measured, nothing carried over. Of bench the best
validation epoch counts, as KerasTuner counts. What is judged is the whole search against the whole search. As the two
sides end at different accuracies, beside it stands when each first had the one that KerasTuner ended with. The noise is
that of 1,600 images, a standard error of about 0.8 points for one accuracy, and that of the draws; the difference is
given with its t interval over seeds where there are three. --quick: 512 images, 2 trials.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks import throughput
from benchmarks.cases import CUSTOM_VGG, VGG_DEFAULTS, unfolded_flops
from benchmarks.figures import configuration, load_now, median_and_spread, show, verdict
from benchmarks.peers import environments
from benchmarks.peers.timing import Run, ours, peer

KERAS_TUNER = "KerasTuner, Hyperband"
BOUND, PICTURES, EPOCHS = 3.0, 8_000, 9


def search(folder: Path, images: Path, trials: int, seed: int, precision: str) -> Run:
    """``bench run`` of random draws from document B's space; other draws, start values and order for each seed."""
    suite: dict[str, Any] = {
        "name": precision,
        "sampling_seed": seed,
        "pruning": {"grace_period": 1, "reduction_factor": 3},
        "defaults": {
            "dataset": {"name": "npz", "path": str(images)}, "preprocessing": "column_standardize",
            "batch_size": 64, "epochs": EPOCHS, "schedule": "cosine", "validation": {"tail": 0.2},
            "weights": "best", "seeds": [seed], "precision": precision,
        },
        "grid": {
            "model": CUSTOM_VGG["model"],
            "optimizer": {"name": "sgd", "lr": {"log_uniform": [1e-3, 1e-1]}, "momentum": 0.9},
            "regularizer": {"name": "l2", "strength": {"log_uniform": [3e-4, 1e-2]}, "layers": "conv"},
            "samples": trials,
        },
    }  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{precision}.yaml"
    path.write_text(json.dumps(suite))  # JSON is YAML
    return ours(path, folder / precision, epochs=EPOCHS)


def best_of(run: Run) -> float:
    """The best validation accuracy that any trial of bench had after an epoch."""
    curves = (record.result.curves["val_accuracy"] for record in run.records)
    return max(value for curve in curves for value in curve if value is not None)


def seconds_until(run: Run, accuracy: float) -> float:
    """Seconds from the command's start until a trial had such a validation accuracy; infinite if none had.

    Of KerasTuner when the epoch ended. A trial's epochs of bench are taken as equally long. All of starting up and
    ending counts as time before the first trial.
    """
    if not run.records:
        when = next((when for when, value in run.found["ended"] if value >= accuracy), math.inf)
        return run.fixed + when - run.found["first"]
    starts = [datetime.fromisoformat(record.run_info.started) for record in run.records]
    soonest = math.inf
    for record, start in zip(run.records, starts, strict=True):
        took = datetime.fromisoformat(record.run_info.finished) - start
        curve = record.result.curves["val_accuracy"]
        enough = (epoch for epoch, value in enumerate(curve, 1) if value is not None and value >= accuracy)
        if epoch := next(enough, None):
            soonest = min(soonest, (start - min(starts) + took * epoch / len(curve)).total_seconds())
    return run.fixed + soonest


def interval(differences: list[float]) -> str:
    """The mean with its 95 % t interval; without one below three seeds."""
    mean = statistics.mean(differences)
    if len(differences) < 3:
        return f"{mean:+.4f}"
    from scipy import stats

    half = stats.t.ppf(0.975, len(differences) - 1) * statistics.stdev(differences) / len(differences) ** 0.5
    return f"{mean:+.4f} ({mean - half:+.4f} to {mean + half:+.4f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the peers' environments are, or will be made")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--trials", type=int, default=16, help="of KerasTuner; 0 for a whole Hyperband")
    parser.add_argument("--precisions", nargs="+", default=["float32", "bfloat16"])
    parser.add_argument("--quick", action="store_true")
    chosen = parser.parse_args()
    trials, draws = (2, 2) if chosen.quick else (chosen.trials, chosen.trials or 16)
    count, name = (512, "search-quick") if chosen.quick else (PICTURES, "search")
    load_before, machine, busy, forward = load_now(), [], [], 0
    python = environments.keras(chosen.folder)
    images = environments.arrays(chosen.folder, name, count, 2_000 if count == PICTURES else 64).resolve()
    seconds: dict[str, list[float]] = {}
    bests: dict[str, list[float]] = {}
    epochs: dict[str, list[float]] = {}
    drawn: dict[str, int] = {}
    equal: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as text:
        for seed in range(chosen.seeds):
            folder = Path(text) / str(seed)
            machine.append(throughput.matrix_throughput())
            theirs = peer(python, "keras_search.py", images, EPOCHS, trials, seed, folder / "keras", trials=None)
            figures = {KERAS_TUNER: (theirs.seconds, theirs.found["best"], theirs.found["trial_epochs"])}
            busy.append(theirs.found["busy"])
            drawn[KERAS_TUNER] = theirs.found["configurations"]
            equal.setdefault(KERAS_TUNER, []).append(seconds_until(theirs, theirs.found["best"]))
            for precision in chosen.precisions:
                found = search(folder, images, draws, seed, precision)
                forward = int(found.records[0].run_info.flops or 0)
                trained = sum(record.result.epochs_run for record in found.records)
                figures[f"bench, {precision}"] = (found.seconds, best_of(found), trained)
                equal.setdefault(f"bench, {precision}", []).append(seconds_until(found, theirs.found["best"]))
                drawn[f"bench, {precision}"] = draws
            for way, (took, best, trained) in figures.items():
                seconds.setdefault(way, []).append(took)
                bests.setdefault(way, []).append(best)
                epochs.setdefault(way, []).append(trained)
            told = "; ".join(f"{way} {took:.0f} s, {best:.4f}" for way, (took, best, _) in figures.items())
            print(f"seed {seed}: {told}; KerasTuner chose {theirs.found['chosen']}", flush=True)
    limit, rows = throughput.of_the_machine(machine), []
    written = unfolded_flops(configuration(CUSTOM_VGG, **VGG_DEFAULTS))
    for way in seconds:
        speed = [done * count * 4 / 5 / took for done, took in zip(epochs[way], seconds[way], strict=True)]
        reached = throughput.training_gflops(written if way == KERAS_TUNER else forward, statistics.median(speed))
        units = "bfloat16" if way.endswith("bfloat16") else "float32"
        compared = ("", "", "")
        sooner = ""
        if way != KERAS_TUNER:
            ratios = [one / other for one, other in zip(seconds[KERAS_TUNER], seconds[way], strict=True)]
            apart = [other - one for one, other in zip(bests[KERAS_TUNER], bests[way], strict=True)]
            bound = verdict(statistics.median(ratios), BOUND, at_least=True)
            compared = (median_and_spread(ratios), bound, interval(apart))
            sooner = median_and_spread([one / other for one, other in zip(equal[KERAS_TUNER], equal[way], strict=True)])
        rows.append((
            way, median_and_spread(seconds[way], ",.0f"), str(drawn[way]), median_and_spread(epochs[way], ".0f"),
            median_and_spread(bests[way], ".4f"), f"{reached:.0f} GF/s, {reached / limit[units]:.0%}", *compared,
            median_and_spread(equal[way], ",.0f"), sooner,
        ))  # fmt: skip
    title = (
        f"Search for customVGG's penalty and learning rate, {count} images, {EPOCHS} epochs, {draws} draws, "
        f"Hyperband of {trials or 'all its'} trials; median of {chosen.seeds} seeds (smallest to largest)"
    )
    header = (
        "", "seconds", "configurations", "trial-epochs", "best validation accuracy", "of the matrix units",
        "KerasTuner / bench", f">= {BOUND:.0f}", "accuracy, bench - KerasTuner",
        "seconds until KerasTuner's accuracy", "KerasTuner / bench until then",
    )  # fmt: skip
    show(title, header, rows, load_before)
    print(f"\nKerasTuner is {', '.join(environments.KERAS[:3])}. {throughput.line(limit)}.")
    print(f"Its process used {median_and_spread(busy, '.0%')} of the cores' time; else it waited.")


if __name__ == "__main__":
    main()
