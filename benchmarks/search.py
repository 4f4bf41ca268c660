"""Does an adaptive search find more than a random one at equal epochs? ``python benchmarks/search.py LEDGER``.

Compared are `algorithm: tpe` and `algorithm: random` on the same space of small MLPs on the first images of
Fashion-MNIST, --repetitions times with other draws. Every trial trains the same number of epochs, so equal numbers of
trials are equal epochs; the first --startup are the same draws, trained once. Of the first n trials validation selects
one: printed are the means of its validation and its test accuracy over repetitions, and of the differences, with 95 %
intervals by Student's t over repetitions (paired). A second start goes on in the folder LEDGER.
"""

from __future__ import annotations

import argparse
import io
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from figures import load_now, show
from rich.console import Console
from scipy import stats

from bench.data import Dataset, load
from bench.execution.adaptive_search import with_proposals
from bench.execution.coordinator import done_for
from bench.execution.messages import RunOptions
from bench.execution.run_trials import run_trials
from bench.ledger.ledger import Ledger
from bench.suite.suite import load_suite
from bench.suite.trial import Trial, trials

SPACE: dict[str, Any] = {
    "model": {"name": "mlp", "hidden": {"choice": [[32], [64], [128], [64, 32], [128, 64]]}},
    "optimizer": {"name": "sgd", "lr": {"log_uniform": [1e-3, 3]}, "momentum": {"uniform": [0, 0.99]}},
    "regularizer": {"name": "dropout", "rate": {"uniform": [0, 0.7]}},
    "batch_size": {"choice": [32, 64, 128, 256]},
    "validation": {"tail": 0.4},
}
OPTIONS = RunOptions(use_ray=False)


def listed(search: dict[str, Any], epochs: int, n_images: int, seed: int) -> list[Trial]:
    """The trials of a search that are known without results; a name for the images stands for their checksum."""
    suite = {"name": "search", "sampling_seed": seed, "grid": {**SPACE, "epochs": epochs, "search": search}}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "search.yaml"
        path.write_text(json.dumps(suite))
        return trials(load_suite(path), lambda _: f"the first {n_images} of Fashion-MNIST", lambda _: None)


def accuracies(planned: Sequence[Trial], data: dict[str, Dataset], ledger: Ledger) -> list[tuple[float, float]]:
    """Validation and test accuracy of a search's trials in their order; what the ledger lacks is trained."""
    run_trials(planned, data, ledger, Console(file=io.StringIO()), OPTIONS)
    done = done_for(ledger, OPTIONS)
    results = []
    for trial in with_proposals(planned, ledger, done, "accuracy"):
        result = done[trial.key].result
        parts = (result.validation or {}, result.test or {})  # none where a trial diverged
        results.append((parts[0].get("accuracy", 0.0), parts[1].get("accuracy", 0.0)))
    return results


def selected(results: Sequence[tuple[float, float]], n_trials: int) -> tuple[float, float]:
    return max(results[:n_trials])


def mean_text(values: Sequence[float], form: str = ".2f") -> str:
    """``87.10 ± 0.12``: a mean in % with the half width of its interval."""
    points = 100 * np.array(values)
    half = stats.t.ppf(0.975, len(points) - 1) * points.std(ddof=1) / len(points) ** 0.5
    return f"{points.mean():{form}} ± {half:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ledger", type=Path)
    parser.add_argument("--repetitions", type=int, default=10)
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--startup", type=int, default=10)
    parser.add_argument("--batch", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--images", type=int, default=5000)
    options = parser.parse_args()
    load_before, start = load_now(), time.monotonic()
    whole, ledger = load("fashion_mnist"), Ledger(options.ledger)
    searches = {
        "random": {"algorithm": "random", "trials": options.trials},
        "tpe": {
            "algorithm": "tpe",
            "trials": options.trials,
            "startup": options.startup,
            "batch": options.batch,
        },
    }
    results: dict[str, list[list[tuple[float, float]]]] = {name: [] for name in searches}
    for seed in range(options.repetitions):
        for name, search in searches.items():
            planned = listed(search, options.epochs, options.images, seed)
            data = replace(
                whole,
                train_images=whole.train_images[: options.images],
                train_labels=whole.train_labels[: options.images],
                sha256=planned[0].contents,
            )
            results[name].append(accuracies(planned, {planned[0].data: data}, ledger))
        print(f"repetition {seed + 1} of {options.repetitions}: {time.monotonic() - start:.0f} s", flush=True)
    rows = []
    for n_trials in sorted({options.startup, (options.startup + options.trials) // 2, options.trials}):
        best = {name: [selected(search, n_trials) for search in each] for name, each in results.items()}
        for part, title in enumerate(("validation", "test")):
            random, tpe = ([pair[part] for pair in best[name]] for name in searches)
            rows.append(
                [
                    str(n_trials),
                    str(n_trials * options.epochs),
                    title,
                    mean_text(random),
                    mean_text(tpe),
                    mean_text(list(np.subtract(tpe, random)), "+.2f"),
                    f"{sum(a > b for a, b in zip(tpe, random, strict=True))} of {len(random)}",
                ]
            )
    header = ("trials", "epochs", "selected on validation", "random %", "tpe %", "tpe - random, points", "tpe higher")
    show(f"Random search and TPE, {options.repetitions} repetitions", header, rows, load_before)


if __name__ == "__main__":
    main()
