"""How long, and how much memory? From the ledger's records of like trials, or from a few measured steps."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import median
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
PROBE_PICTURES = 2000


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
    """Train one trial of each kind for one epoch of a few pictures, in this process, and scale up.

    The first steps of a process are slow, so each kind is measured twice and the second counts. Of several workers each
    is taken to need its share of one's time: what they say to one another is not measured.
    """
    import torch

    from bench.execution.worker import run_trial

    device = "cuda" if torch.cuda.is_available() else "cpu"
    costs: dict[str, Cost | None] = {}
    memo: dict[str, Cost | None] = {}
    for trial in trials:
        full = _like(trial.config, LIKE[0])
        data = datasets[trial.data]
        if full not in memo:
            small, times = probe_part(data)
            config = {**trial.run_config, "epochs": 1, "early_stopping": None, "refit": False, "workers": 1}
            for _ in range(2):
                message = run_trial(config, trial.seed, small, device, threads, lambda _: None)
            measured = message.get("measured")
            times /= trial.config["workers"]
            memo[full] = (
                Cost((measured.train_seconds + measured.evaluation_seconds) * times, measured.peak_memory_bytes or 0)
                if measured
                else None
            )
        one = memo[full]
        costs[trial.key] = replace(one, seconds=one.seconds * trial.config["epochs"]) if one else None
    return costs


def probe_part(data: Dataset) -> tuple[Dataset, float]:
    """The first `PROBE_PICTURES` of the training part, as large a share of the test part, and how often they fit."""
    times = max(1.0, len(data.train_labels) / PROBE_PICTURES)
    tested = math.ceil(len(data.test_labels) / times)
    part = replace(
        data,
        train_images=data.train_images[:PROBE_PICTURES],
        train_labels=data.train_labels[:PROBE_PICTURES],
        test_images=data.test_images[:tested],
        test_labels=data.test_labels[:tested],
    )
    return part, times


def _like(config: dict[str, Any], axes: tuple[str, ...]) -> str:
    return canonical([config.get(axis) for axis in axes])
