"""How long, and how much memory? From the ledger's records of like trials, or from a few measured steps."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

from bench.ledger.record import Record
from bench.suite.expand import canonical
from bench.suite.trial import Trial

if TYPE_CHECKING:
    from bench.data.dataset import Dataset

LIKE = (
    ("dataset", "model", "optimizer", "augmentation", "regularizer", "batch_size", "precision", "workers"),
    ("dataset", "model", "batch_size", "workers"),
    ("dataset", "model", "workers"),
)
"""What two trials must share for one to tell of the other's cost; tried from left to right."""
PROBE_STEPS = (32, 250, 2000)
"""Images of the training part in the measurements of a kind of trial, from a first impression to a good one."""
PROBE_GROWTH = 8
"""How much longer than one measurement the next takes at most."""
PROBE_SECONDS = 30
"""The most that measuring one kind of trial may take."""


@dataclass(frozen=True)
class Cost:
    """Of one trial: seconds for its whole budget and bytes at the peak, of each worker."""

    seconds: float
    memory_bytes: int


@dataclass(frozen=True)
class Estimate:
    """For trials on `slots` side by side; `unknown` trials had nothing to go by and are not in the figures."""

    seconds: float
    memory_bytes: int
    known: int
    unknown: int


def estimate(trials: Sequence[Trial], costs: dict[str, Cost | None], slots: int) -> Estimate:
    """Add up the costs (by key) of trials that share `slots`, one for each of their workers."""
    known = [(trial.config["workers"], cost) for trial in trials if (cost := costs.get(trial.key))]
    wanted = sum(trial.config["workers"] for trial in trials)
    seconds = sum(workers * cost.seconds for workers, cost in known) / max(1, min(slots, wanted))
    longest = max((cost.seconds for _, cost in known), default=0.0)
    largest = sorted((cost.memory_bytes for workers, cost in known for _ in range(workers)), reverse=True)[:slots]
    return Estimate(max(seconds, longest), sum(largest), len(known), len(trials) - len(known))


def from_records(trials: Iterable[Trial], records: Iterable[Record]) -> dict[str, Cost | None]:
    """Each trial's cost as the median of the most alike complete records; None where none is alike."""
    trials = list(trials)
    if not trials:
        return {}
    found: list[dict[str, list[tuple[float, int]]]] = [defaultdict(list) for _ in LIKE]
    for record in records:
        if record.status == "complete" and record.result.epochs_run:
            spent = record.measured.train_seconds + record.measured.evaluation_seconds
            for axes, table in zip(LIKE, found, strict=True):
                pace = spent / record.result.epochs_run, record.measured.peak_memory_bytes or 0
                table[_like(record.config, axes)].append(pace)
    costs: dict[str, Cost | None] = {}
    memo: dict[str, Cost | None] = {}
    for trial in trials:
        full = _like(trial.config, LIKE[0])
        if full not in memo:
            alike = next((t[k] for a, t in zip(LIKE, found, strict=True) if (k := _like(trial.config, a)) in t), None)
            memo[full] = Cost(median(s for s, _ in alike), max(m for _, m in alike)) if alike else None
        one = memo[full]
        costs[trial.key] = replace(one, seconds=one.seconds * trial.config["epochs"]) if one else None
    return costs


def from_probes(trials: Sequence[Trial], datasets: dict[str, Any], threads: int) -> dict[str, Cost | None]:
    """Train one trial of each kind for one epoch of a few images, in this process, and scale up.

    Each kind takes `PROBE_SECONDS` at most, unless its very first images take longer. Of several workers each is taken
    to need its part of one worker's time: what they say to one another is not measured.
    """
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    costs: dict[str, Cost | None] = {}
    memo: dict[str, Cost | None] = {}
    for trial in trials:
        full = _like(trial.config, LIKE[0])
        if full not in memo:
            memo[full] = _probe(trial, datasets[trial.data], device, threads)
        one = memo[full]
        costs[trial.key] = replace(one, seconds=one.seconds * trial.config["epochs"]) if one else None
    return costs


def kinds(trials: Iterable[Trial]) -> int:
    """How many kinds of trial `from_probes` measures."""
    return len({_like(trial.config, LIKE[0]) for trial in trials})


def _probe(trial: Trial, data: Dataset, device: str, threads: int) -> Cost | None:
    """The cost of one epoch, measured on more and more images while the next step fits into `PROBE_SECONDS`.

    The last measurement counts: the first steps of a process are slow. None where none could be trained.
    """
    from bench.execution.arithmetic import remember_operations
    from bench.execution.forkserver import ProcessDiedError, train

    config = {**trial.run_config, "epochs": 1, "early_stopping": None, "refit": False, "workers": 1}
    if isinstance(config["validation"], dict):
        config["validation"] = {"stratified": next(iter(config["validation"].values()))}  # which few images allow
    cost = None
    spent = 0.0
    for count in PROBE_STEPS:
        part, times = probe_part(data, count)
        started = perf_counter()
        try:
            message = train(trial.code, config, trial.seed, part, device, threads, lambda _: None)
        except ProcessDiedError:
            break
        took = perf_counter() - started
        spent += took
        if measured := message.get("measured"):
            seconds = measured.train_seconds + measured.evaluation_seconds
            cost = Cost(seconds * times / trial.config["workers"], measured.peak_memory_bytes or 0)
            if measured.flops:
                remember_operations(trial, measured.flops)
        if times == 1.0 or spent > PROBE_SECONDS or (cost and spent + took * PROBE_GROWTH > PROBE_SECONDS):
            break
    return cost


def probe_part(data: Dataset, count: int) -> tuple[Dataset, float]:
    """The first `count` images of the training part, as large a fraction of the test part, and how often they fit.

    What is measured does not depend on the labels: they are made anew, so that even a few images can be divided.
    """
    import numpy as np

    times = max(1.0, len(data.train_labels) / count)
    tested = math.ceil(len(data.test_labels) / times)
    train, test = data.train_images[:count], data.test_images[:tested]
    part = replace(
        data,
        train_images=train,
        train_labels=np.arange(len(train), dtype=data.train_labels.dtype) % 2,
        test_images=test,
        test_labels=np.arange(len(test), dtype=data.test_labels.dtype) % 2,
    )
    return part, times


def _like(config: dict[str, Any], axes: tuple[str, ...]) -> str:
    return canonical([config.get(axis) for axis in axes])
