"""How long will trials take, and how much memory? From the ledger's records of similar trials, or a few measured steps.

Where neither is known, `bench.execution.operation_cost` estimates it from the operations of the trials' networks.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

from bench.components import parse_component
from bench.execution.messages import TrialResult
from bench.execution.operation_cost import remember_operations, used_fraction
from bench.jsonutil import JsonObject, canonical
from bench.ledger.record import Record
from bench.suite.schema import Stratified, Tail
from bench.suite.trial import Trial

if TYPE_CHECKING:
    from bench.data.dataset import Dataset


SIMILARITY = (
    (
        *("dataset", "model", "optimizer", "step", "augmentation", "regularizer", "batch_size", "precision", "workers"),
        *("fraction", "imbalance", "robustness"),
    ),
    ("dataset", "model", "batch_size", "workers", "fraction", "imbalance"),
    ("dataset", "model", "workers", "fraction", "imbalance"),
)
"""Axes on which trials must agree for one's cost to estimate the other's; the first with a match counts."""
MEASURED_IMAGES = (32, 250, 2000)
"""Training images in the measurements of a kind of trial, one after the other."""
MEASURE_GROWTH = 8
"""A measurement takes at most this many times as long as the one before."""
MEASURE_SECONDS = 30
"""The most that measuring one kind of trial may take."""
REPEATS = 5
"""Measurements of a kind of trial, whose spread is the range of its cost."""


@dataclass(frozen=True)
class TrialCost:
    """Seconds for a trial's whole budget, and bytes of peak memory of each worker.

    `low` and `high` are the seconds by the fastest and the slowest of the measurements or records behind it.
    """

    seconds: float
    low: float
    high: float
    memory_bytes: int

    def of_epochs(self, epochs: int) -> TrialCost:
        """That of so many epochs, of one epoch's."""
        return replace(self, seconds=self.seconds * epochs, low=self.low * epochs, high=self.high * epochs)


@dataclass(frozen=True)
class DurationEstimate:
    """Of `known` trials; `unknown` trials have no estimate and are not included.

    `low` and `high` are where all trials are as fast, or as slow, as the fastest or the slowest measurement of their
    kind: trials that end early are not in them.
    """

    seconds: float
    low: float
    high: float
    memory_bytes: int
    known: int
    unknown: int


def estimate(trials: Sequence[Trial], costs: dict[str, TrialCost | None], slots: int) -> DurationEstimate:
    """Add up the costs (by key) of trials that share `slots`; each worker takes a slot."""
    known = [(trial.config.workers, cost) for trial in trials if (cost := costs.get(trial.key))]
    all_workers = sum(trial.config.workers for trial in trials)

    def total(seconds: Sequence[float]) -> float:
        shared = sum(workers * each for (workers, _), each in zip(known, seconds, strict=True))
        return max(shared / max(1, min(slots, all_workers)), max(seconds, default=0.0))

    largest = sorted((cost.memory_bytes for workers, cost in known for _ in range(workers)), reverse=True)[:slots]
    return DurationEstimate(
        total([cost.seconds for _, cost in known]),
        total([cost.low for _, cost in known]),
        total([cost.high for _, cost in known]),
        sum(largest),
        len(known),
        len(trials) - len(known),
    )


def from_records(trials: Sequence[Trial], records: Iterable[Record]) -> dict[str, TrialCost | None]:
    """Each trial's cost as the median of the most similar complete records; None where none is similar."""
    paces: list[dict[str, list[tuple[float, int]]]] = [defaultdict(list) for _ in SIMILARITY]
    for record in records:
        if record.status == "complete" and record.result.epochs_run:
            seconds = record.run_info.train_seconds + record.run_info.evaluation_seconds
            pace = seconds / record.result.epochs_run, record.run_info.peak_memory_bytes or 0
            for axes, table in zip(SIMILARITY, paces, strict=True):
                table[_kind(record.config, axes)].append(pace)

    def epoch_cost(trial: Trial) -> TrialCost | None:
        for axes, table in zip(SIMILARITY, paces, strict=True):
            if similar := table.get(_kind(trial.config.to_json(), axes)):
                seconds = [seconds for seconds, _ in similar]
                memory = max(memory for _, memory in similar)
                return TrialCost(median(seconds), min(seconds), max(seconds), memory)
        return None

    return _costs(trials, epoch_cost)


def from_measured_steps(
    trials: Sequence[Trial], datasets: Mapping[str, Dataset], threads: int
) -> dict[str, TrialCost | None]:
    """Train one trial of each kind for one epoch of a few images, several times, in this process, and scale up.

    Each kind takes `MEASURE_SECONDS` at most, unless its very first images take longer. Each of several workers is
    taken to need its fraction of one worker's time: their communication is not measured.
    """
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    return _costs(trials, lambda trial: _measure_epoch(trial, datasets[trial.data], device, threads))


def _costs(trials: Sequence[Trial], epoch_cost: Callable[[Trial], TrialCost | None]) -> dict[str, TrialCost | None]:
    """Each trial's cost by key, from that of one epoch of each kind of trial."""
    kinds: dict[str, TrialCost | None] = {}
    costs: dict[str, TrialCost | None] = {}
    for trial in trials:
        kind = _kind(trial.config.to_json(), SIMILARITY[0])
        if kind not in kinds:
            kinds[kind] = epoch_cost(trial)
        cost = kinds[kind]
        costs[trial.key] = cost.of_epochs(trial.config.epochs) if cost else None
    return costs


def n_trial_kinds(trials: Iterable[Trial]) -> int:
    """How many kinds of trial `from_measured_steps` measures."""
    return len({_kind(trial.config.to_json(), SIMILARITY[0]) for trial in trials})


def _measure_epoch(trial: Trial, data: Dataset, device: str, threads: int) -> TrialCost | None:
    """The cost of one epoch, measured on more and more images while the next measurement fits into `MEASURE_SECONDS`.

    The last number of images counts, since the first steps of a process are slow. It is measured `REPEATS` times as far
    as the time allows; where it allows once, the number before is the other end of the range. None where no image could
    be trained on.
    """
    runs: list[TrialCost] = []
    total = 0.0
    for count in MEASURED_IMAGES:
        part, factor = first_images(data, count)
        cost, duration = _measure_once(trial, part, factor, device, threads)
        total += duration
        runs += [cost] if cost else []
        if factor == 1.0 or total > MEASURE_SECONDS or (cost and total + duration * MEASURE_GROWTH > MEASURE_SECONDS):
            break
    repeated = runs[-1:]
    while cost and len(repeated) < REPEATS and total + duration <= MEASURE_SECONDS:
        cost, duration = _measure_once(trial, part, factor, device, threads)
        total += duration
        repeated += [cost] if cost else []
    if not repeated:
        return None
    ends = [run.seconds for run in (repeated if len(repeated) > 1 else runs[-2:])]
    return TrialCost(
        median(run.seconds for run in repeated), min(ends), max(ends), max(run.memory_bytes for run in repeated)
    )


def _measure_once(
    trial: Trial, part: Dataset, factor: float, device: str, threads: int
) -> tuple[TrialCost | None, float]:
    """The cost of an epoch by one on a part of the images, and how long that took; endless where its process died."""
    from bench.execution.forkserver import ProcessDiedError, train

    everything = {axis: parse_component(axis, {"name": "none"}) for axis in ("imbalance", "label_noise")}
    config = trial.run_config.changed(
        epochs=1, early_stopping=None, refit=False, workers=1, fraction=1.0, robustness=[], **everything
    )
    if isinstance(config.validation, Tail):
        config = config.changed(validation=Stratified(stratified=config.validation.tail))  # which works with few images
    start = perf_counter()
    try:
        end = train(trial.code, config, trial.seed, part, device, threads, lambda _: None)
    except ProcessDiedError:
        return None, math.inf
    duration = perf_counter() - start
    if not isinstance(end, TrialResult):
        return None, duration
    info = end.run_info
    if info.flops:
        remember_operations(trial, info.flops)
    seconds = (info.train_seconds + info.evaluation_seconds) * factor
    seconds *= used_fraction(trial.config) / trial.config.workers
    return TrialCost(seconds, seconds, seconds, info.peak_memory_bytes or 0), duration


def first_images(data: Dataset, count: int) -> tuple[Dataset, float]:
    """The first `count` training images and the same fraction of the other parts; one over that fraction.

    The cost does not depend on the labels: new ones let even a few images be split by class.
    """
    import numpy as np

    factor = max(1.0, len(data.train_labels) / count)
    images = {"train": data.train_images[:count], "test": data.test_images[: math.ceil(len(data.test_labels) / factor)]}
    if data.val_images is not None:
        images["val"] = data.val_images[: math.ceil(data.given_size / factor)]
    fields: JsonObject = {f"{part}_images": pixels for part, pixels in images.items()}
    fields |= {f"{part}_labels": np.arange(len(pixels), dtype=np.int64) % 2 for part, pixels in images.items()}
    return replace(data, **fields), factor


def _kind(config: JsonObject, axes: tuple[str, ...]) -> str:
    return canonical([config.get(axis) for axis in axes])
