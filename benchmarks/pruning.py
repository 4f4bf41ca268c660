"""What does pruning save, and does it lose the best configuration? ``python benchmarks/pruning.py LEDGER``.

Claim: pruning trains at most a third of the epochs of the whole grid, and validation then chooses the same
configuration in at least 90 % of --repetitions, and one at most 0.2 points behind in 90 % of them. Compared is the test
accuracy of the two choices, each as the mean over all its seeds in the ledger, which is nearer to what a configuration
is worth than the seeds it was chosen by. The last column is how far the whole grid's choice by so many seeds lies
behind the best mean: what more seeds would bring. Rows of more seeds than every configuration has are left out.

The grid is one of small networks on the first images of Fashion-MNIST, the last two fifths of which validate: mlp (27
of 30 epochs: learning rates, dropout, sizes), cnn (convolutions), cosine (a schedule that follows the budget) or
collapsing (deep networks at rates of which some seeds do not learn). With --suite (and --only) it is a suite file's own
grid instead, on all images. Repetitions are orders of arrival, and take the --seeds in turn. The grid is trained
without pruning into the folder LEDGER, where a second start goes on.

A trial's curve does not depend on what runs beside it, so pruned runs need no training: the run's own coordinator
(`bench.execution.coordinator.Coordinator`) hands out the trials, in an order of its own in each repetition, and is told
their epochs in the order in which they would end on so many slots, from the curves and seconds in the ledger. Without
--suite the first repetition is also trained with pruning for real, and must come to the same records.

With --drivers N instead N drivers of one slot each, which share nothing but a ledger, against one driver of N slots:
the epochs that they train, and whether they choose the same configuration.
"""

from __future__ import annotations

import argparse
import heapq
import io
import json
import math
import random
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from figures import load_now, show, verdict
from rich.console import Console

from bench.commands.data import datasets_of
from bench.commands.load_suites import load as load_named
from bench.commands.load_suites import trials_of
from bench.data import Dataset, load
from bench.execution import coordinator as coordinating
from bench.execution.coordinator import Coordinator
from bench.execution.messages import RunOptions, TrialResult
from bench.execution.progress import PlainProgress, ProgressStats
from bench.execution.run_trials import run_trials
from bench.ledger.ledger import Ledger
from bench.ledger.record import Record
from bench.metrics import Predictions
from bench.suite.schema import Pruning
from bench.suite.suite import load_suite
from bench.suite.trial import Trial, trials
from bench.training.epoch_progress import Progress

SHARE, POINTS, SAME = 1 / 3, 0.2, 0.9
DEFAULTS: dict[str, Any] = {"dataset": "fashion_mnist", "batch_size": 128, "validation": {"tail": 0.4}}
DROPOUT: dict[str, Any] = {"name": "dropout", "rate": {"grid": [0.0, 0.2, 0.5]}}
GRIDS: dict[str, tuple[int, dict[str, Any]]] = {
    "mlp": (
        6_000,
        {
            "model": {"name": "mlp", "hidden": {"grid": [[16], [32], [64, 32]]}},
            "optimizer": {"name": "adam", "lr": {"grid": [1e-3, 3e-3, 1e-2]}},
            "regularizer": DROPOUT,
            "epochs": 30,
        },
    ),
    "cnn": (
        2_000,
        {
            "model": {"name": "cnn", "channels": {"grid": [[4], [4, 8]]}, "hidden": [16]},
            "optimizer": {"name": "adam", "lr": {"grid": [1e-3, 3e-3, 1e-2]}},
            "regularizer": DROPOUT,
            "epochs": 20,
        },
    ),
    "cosine": (
        6_000,
        {
            "model": {"name": "mlp", "hidden": {"grid": [[16], [64, 32]]}},
            "optimizer": {"name": "sgd", "lr": {"grid": [0.01, 0.03, 0.1, 0.3]}, "momentum": {"grid": [0.0, 0.9]}},
            "schedule": {"name": "cosine"},
            "regularizer": {"name": "dropout", "rate": {"grid": [0.0, 0.2]}},
            "epochs": 20,
        },
    ),
    "collapsing": (
        6_000,
        {
            "model": {"name": "mlp", "hidden": {"grid": [[32] * 3, [32] * 6, [16] * 8]}},
            "optimizer": {"name": "sgd", "lr": {"grid": [0.1, 0.3, 1.0]}, "momentum": {"grid": [0.0, 0.9]}},
            "epochs": 20,
        },
    ),
}
"""How many images, and the grid."""

DEFAULT: dict[str, Any] = {"group": ["dataset"]}
HALVING: dict[str, Any] = {"method": "halving", "group": ["dataset"]}
THREE: dict[str, Any] = {"grace_period": 3, "reduction_factor": 3, "group": ["dataset"]}
FULL: dict[str, Any] = {"group": ["dataset", "model"]}
"""As in suites/full.yaml: the three sizes of network compete apart."""

ROWS: list[tuple[dict[str, Any], int, int]] = [
    *(
        (settings, slots, seeds)
        for settings in (DEFAULT, HALVING, HALVING | {"seeds": "first"}, THREE)
        for slots, seeds in ((1, 1), (2, 3), (8, 3))
    ),
    (FULL, 2, 3),
    (THREE | {"grace_period": 1, "brackets": 3}, 2, 3),
]
"""Pruning's settings, slots side by side, and seeds of each configuration."""


ONE_IMAGE = Predictions(*(np.zeros(1, np.uint8),) * 2, *(np.ones(1, np.float32),) * 2, np.zeros(1, np.uint8))
"""A record of a complete trial needs predictions; the replay looks at none."""


@dataclass(frozen=True)
class Searched:
    """One pruned run against the whole grid: the fraction of epochs, and what was chosen (test, points).

    `behind` is how far the whole grid's choice lies behind the configuration with the best mean.
    """

    epochs: float
    worse: float
    behind: float
    same: bool


def own_grid(grid: str, seeds: int) -> list[Trial]:
    """The trials of a grid above; a name for its images stands for their checksum in the keys."""
    n_images, axes = GRIDS[grid]
    name = f"the first {n_images} of Fashion-MNIST"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pruned.yaml"
        path.write_text(json.dumps({"name": "pruned", "defaults": DEFAULTS | {"seeds": seeds}, "grid": axes}))
        return trials(load_suite(path), lambda _: name, lambda _: None)


def own_pictures(grid: str, planned: list[Trial]) -> dict[str, Dataset]:
    data, n_images = load("fashion_mnist"), GRIDS[grid][0]
    first = replace(
        data,
        train_images=data.train_images[:n_images],
        train_labels=data.train_labels[:n_images],
        sha256=planned[0].contents,
    )
    return {planned[0].data: first}


def quiet() -> Console:
    return Console(file=io.StringIO())


def replayed(
    planned: list[Trial], whole: dict[str, Record], rule: Pruning, slots: int, ledger: Path, drivers: int = 1
) -> list[Record]:
    """What drivers with so many slots each train in a pruned run, from the curves of the whole grid.

    A trial that two drivers trained is in it twice.
    """
    coordinators = [
        Coordinator(
            planned, Ledger(ledger), RunOptions(pruning=rule), PlainProgress(ProgressStats(planned, [], slots), quiet())
        )
        for _ in range(drivers)
    ]
    # When each running trial's next epoch ends: seconds, who started first, key, epoch, its driver.
    coming: list[tuple[float, int, str, int, Coordinator]] = []
    reached: dict[str, int] = {}  # the last epoch, by which a paused trial goes on
    now, started = 0.0, 0

    def pace(key: str) -> float:
        return whole[key].run_info.train_seconds / whole[key].result.epochs_run

    def start(coordinator: Coordinator) -> None:
        nonlocal started
        while len(coordinator.running) < slots and (trial := coordinator.next_trial()):
            started += 1
            epoch = reached.get(trial.key, 0)
            if epoch:
                curves = {name: curve[:epoch] for name, curve in whole[trial.key].result.curves.items()}
                if coordinator.receive(trial.key, Progress(epoch, trial.config.epochs, {}, 0.0, resumed=curves)):
                    continue
            heapq.heappush(coming, (now + pace(trial.key), started, trial.key, epoch + 1, coordinator))

    has_changed = True  # since drivers without work have looked at the ledger
    while True:
        for coordinator in coordinators:
            if has_changed and drivers > 1 and len(coordinator.running) < slots:
                coordinator.poll_other_drivers()
            start(coordinator)
        if not coming:
            for coordinator in coordinators:  # who waited for whom above
                coordinator.poll_other_drivers()
                start(coordinator)
        if not coming:
            return [record for coordinator in coordinators for record in coordinator.ended]
        now, order, key, epoch, coordinator = heapq.heappop(coming)
        has_changed = False
        record = whole[key]
        reached[key] = epoch
        metrics = {name: curve[epoch - 1] for name, curve in record.result.curves.items()}
        if coordinator.receive(key, Progress(epoch, record.config["epochs"], metrics, epoch * pace(key))):
            has_changed = True
            continue
        if epoch < record.result.epochs_run:
            heapq.heappush(coming, (now + pace(key), order, key, epoch + 1, coordinator))
        else:
            has_changed = True
            assert record.status in ("complete", "diverged")
            coordinator.receive(key, TrialResult(record.status, record.result, record.run_info, ONE_IMAGE))


def chosen(records: Sequence[Record], seeds: int) -> str:
    """The configuration with the best validation accuracy, the mean of its seeds; of equal ones the first by key."""
    by_configuration: dict[str, list[float]] = {}
    for record in records:
        if record.status == "complete" and record.result.validation:
            by_configuration.setdefault(record.config_key, []).append(record.result.validation["accuracy"])
    means = {name: statistics.fmean(found) for name, found in by_configuration.items() if len(found) == seeds}
    return min(means, key=lambda name: (-means[name], name))


def searched(
    repetition: int,
    planned: dict[str, list[Trial]],
    whole: dict[str, Record],
    worth: dict[str, float],
    row: tuple[dict[str, Any], int, int],
) -> Searched:
    """One repetition: its number says with which seed it begins, and in which order configurations arrive."""
    settings, slots, seeds = row
    names = list(planned)
    random.Random(repetition).shuffle(names)
    count = len(next(iter(planned.values())))
    mine = [planned[name][(repetition + seed) % count] for name in names for seed in range(seeds)]
    with tempfile.TemporaryDirectory() as folder:
        trained = replayed(mine, whole, Pruning(**settings), slots, Path(folder))
    full = [whole[trial.key] for trial in mine]
    epochs = [sum(record.result.epochs_run for record in records) for records in (trained, full)]
    pruned, best = chosen(trained, seeds), chosen(full, seeds)
    return Searched(
        epochs=epochs[0] / epochs[1],
        worse=100 * (worth[best] - worth[pruned]),
        behind=100 * (max(worth.values()) - worth[best]),
        same=pruned == best,
    )


def compared(
    n_drivers: int, planned: dict[str, list[Trial]], whole: dict[str, Record], seeds: int, repetitions: int
) -> list[tuple[str, ...]]:
    """Rows: `n_drivers` of one slot against one of as many slots, by each rule; all share one ledger a repetition."""
    rows = []
    names, count = list(planned), len(next(iter(planned.values())))
    for settings in (DEFAULT, HALVING, THREE):
        epochs: dict[int, list[int]] = {1: [], n_drivers: []}
        same, once = 0, True
        for repetition in range(repetitions):
            random.Random(repetition).shuffle(names)
            mine = [planned[name][(repetition + seed) % count] for name in names for seed in range(seeds)]
            choices = []
            for drivers in (1, n_drivers):
                with tempfile.TemporaryDirectory() as folder:
                    trained = replayed(mine, whole, Pruning(**settings), n_drivers // drivers, Path(folder), drivers)
                    by_key = {record.key: record for record in Ledger(Path(folder)).records()}
                once = once and sorted(record.key for record in trained) == sorted(by_key)
                epochs[drivers].append(sum(record.result.epochs_run for record in trained))
                choices.append(chosen(list(by_key.values()), seeds))
            same += choices[0] == choices[1]
        full = sum(whole[trial.key].result.epochs_run for trial in mine)
        ratios = [many / one for many, one in zip(epochs[n_drivers], epochs[1], strict=True)]
        rows.append((
            name_of(settings), str(seeds),
            *(f"{100 * statistics.fmean(epochs[drivers]) / full:.1f}" for drivers in (1, n_drivers)),
            f"{statistics.fmean(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})",
            f"{same} of {repetitions}", "yes" if once else "NO",
        ))  # fmt: skip
    return rows


def mean_and_p90(values: Sequence[float], form: str) -> str:
    """``0.04, 0.20, 0.90``: the mean, the 90th percentile and the largest."""
    ordered = sorted(values)
    p90 = ordered[math.ceil(0.9 * len(ordered)) - 1]
    return ", ".join(f"{value:{form}}" for value in (statistics.fmean(values), p90, ordered[-1]))


def really(planned: dict[str, list[Trial]], whole: dict[str, Record], data: dict[str, Dataset]) -> str:
    """The first repetition of one row trained with pruning, in this process: whether the replay is right."""
    names = list(planned)
    random.Random(0).shuffle(names)
    mine, rule = [planned[name][0] for name in names], Pruning(**THREE)
    with tempfile.TemporaryDirectory() as trained, tempfile.TemporaryDirectory() as replayed_in:
        start = time.perf_counter()
        records = run_trials(mine, data, Ledger(Path(trained)), quiet(), RunOptions(pruning=rule, use_ray=False))
        seconds = time.perf_counter() - start
        replay = {record.key: record for record in replayed(mine, whole, rule, 1, Path(replayed_in))}
    same = sum(
        (record.status, record.result, record.pruning)
        == (replay[record.key].status, replay[record.key].result, replay[record.key].pruning)
        for record in records
    )
    took = sum(whole[trial.key].run_info.train_seconds + whole[trial.key].run_info.evaluation_seconds for trial in mine)
    return (
        f"Trained for real, repetition 1 of `{name_of(THREE)}` on 1 slot: {seconds:.0f} s from start to end; "
        f"the whole grid's trials took {took:.0f} s; records equal to the replay's: {same} of {len(mine)}."
    )


def name_of(settings: dict[str, Any]) -> str:
    apart = " and ".join(one for one in settings["group"] if one != "dataset")
    brackets = f", {settings['brackets']} brackets" if "brackets" in settings else ""
    rule = Pruning(**settings)
    grace = rule.grace_period or "a fifth"
    seeds = ", means of seeds" if rule.compares_all_seeds else ""
    name = f"{rule.method}{seeds}, grace_period {grace}, reduction {rule.reduction_factor}{brackets}"
    return name + (f", by {apart}" if apart else "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ledger", type=Path)
    parser.add_argument("--grid", choices=GRIDS, default="mlp")
    parser.add_argument("--seeds", type=int, default=5, help="of the grid; those of --suite are its own")
    parser.add_argument("--suite")
    parser.add_argument("--only", action="append")
    parser.add_argument("--repetitions", type=int, default=50)
    parser.add_argument("--drivers", type=int, help="compare so many drivers with one of as many slots")
    options = parser.parse_args()
    warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
    load_before, ledger = load_now(), Ledger(options.ledger)
    every = (
        trials_of(load_named(options.suite, options.only, None, None))
        if options.suite
        else own_grid(options.grid, options.seeds)
    )
    if any(trial.config.validation == "none" for trial in every):
        sys.exit("pruning and choosing go by validation: give a suite with a validation part")
    done = ledger.done(None)
    data: dict[str, Dataset] = {}
    if any(trial.key not in done for trial in every):
        data = datasets_of(every, None) if options.suite else own_pictures(options.grid, every)
        for seed in sorted({trial.seed for trial in every}):
            run_trials(
                [trial for trial in every if trial.seed == seed], data, ledger, quiet(), RunOptions(use_ray=False)
            )
            print(f"the whole grid with seed {seed} is trained", flush=True)
        done = ledger.done(None)
    whole = {trial.key: done[trial.key] for trial in every}
    planned: dict[str, list[Trial]] = {}
    tests: dict[str, list[float]] = {}
    for trial in every:
        planned.setdefault(trial.config_key, []).append(trial)
        test = whole[trial.key].result.test
        tests.setdefault(trial.config_key, []).append(test["accuracy"] if test else 0.0)
    fewest = min(map(len, planned.values()))
    worth = {name: statistics.fmean(found) for name, found in tests.items()}
    if options.drivers:
        coordinating.MAX_FRACTION = math.inf  # the replay takes no time, in which rungs would not be listed again
        seeds = min(fewest, 3)
        show(
            f"{options.drivers} drivers of one slot against one of {options.drivers}, {len(planned)} configurations, "
            f"{options.repetitions} repetitions",
            (
                "pruning", "seeds", "epochs trained, %: one driver", f"{options.drivers} drivers",
                "ratio: mean (least to most)", "same choice", "each trial once",
            ),
            compared(options.drivers, planned, whole, seeds, options.repetitions), load_before,
        )  # fmt: skip
        return
    rows = []
    for row in (row for row in ROWS if row[2] <= fewest):
        runs = [searched(number, planned, whole, worth, row) for number in range(options.repetitions)]
        share, worse = [run.epochs for run in runs], [run.worse for run in runs]
        same = sum(run.same for run in runs) / len(runs)
        within = sum(one <= POINTS for one in worse) / len(worse)
        rows.append((
            name_of(row[0]), str(row[1]), str(row[2]),
            mean_and_p90([100 * one for one in share], ".0f"), mean_and_p90(worse, ".2f"), f"{100 * same:.0f}",
            verdict(statistics.fmean(share), SHARE, at_least=False),
            verdict(within, SAME, at_least=True), verdict(same, SAME, at_least=True),
            mean_and_p90([run.behind for run in runs], ".2f"),
        ))  # fmt: skip
    header = (
        "pruning", "slots", "seeds", "epochs trained, %", "points behind the whole grid's choice", "same choice, %",
        "a third", f"p90 <= {POINTS}", f"same >= {SAME:.0%}", "the whole grid's choice behind the best",
    )  # fmt: skip
    spread = f"{100 * min(worth.values()):.2f} to {100 * max(worth.values()):.2f}"
    title = (
        f"{len(planned)} configurations (test accuracy {spread}), {options.repetitions} repetitions; "
        "mean, 90th percentile, largest"
    )
    show(title, header, rows, load_before)
    if not options.suite:
        print(f"\n{really(planned, whole, data or own_pictures(options.grid, every))}")


if __name__ == "__main__":
    main()
