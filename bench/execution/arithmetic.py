"""What would trials cost that nothing alike has run for? Their arithmetic, at a rate measured here or assumed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

import torch

from bench.data import shape, train_size
from bench.data.own import is_own
from bench.ledger.record import Record
from bench.suite.errors import UserError
from bench.suite.expand import canonical
from bench.suite.trial import Trial
from bench.training.arithmetic import PASSES, flops_per_picture, pictures_seen, training_flops
from bench.training.machine import device_name

CPU_RATE = 50e9
"""Assumed floating-point operations per second of a CPU core that trains small networks."""
GPU_RATE = 10e12
"""Assumed floating-point operations per second of a GPU that does."""


@dataclass(frozen=True)
class Arithmetic:
    """Floating-point operations of so many trials, and the seconds they take at `rate` (per second) each.

    `measured` tells whether the rate is the median of this machine's own records, or an assumption. `gpu_seconds` is
    what one GPU would take, at `GPU_RATE`.
    """

    trials: int
    flop: int
    rate: float
    measured: bool
    seconds: float

    @property
    def gpu_seconds(self) -> float:
        return self.flop / GPU_RATE

    @property
    def gpu_rate(self) -> float:
        return GPU_RATE


def arithmetic(
    trials: Sequence[Trial],
    records: Iterable[Record],
    slots: int,
    cpus_per_trial: float = 1,
    gpus_per_trial: float | None = None,
) -> Arithmetic:
    """Count the operations of trials that run `slots` at a time; networks are built once per model and picture shape.

    UserError names a model that cannot be built.
    """
    on_gpu = torch.cuda.is_available() and gpus_per_trial != 0
    device = device_name(torch.device("cuda" if on_gpu else "cpu"))
    forward: dict[str, int] = {}
    works = []
    longest = 0.0
    data = {trial.data: trial.run_config["dataset"] for trial in trials}
    shapes = {text: shape(entry) for text, entry in data.items()}
    sizes = {text: train_size(entry) for text, entry in data.items()}
    for trial in trials:
        config = trial.run_config
        pixels, classes = shapes[trial.data]
        network = canonical([config["model"], config["preprocessing"], pixels])  # an output layer's width hardly counts
        if network not in forward:
            forward[network] = flops_per_picture(config, pixels, classes)
        works.append(training_flops(config, forward[network], sizes[trial.data]))
        longest = max(longest, works[-1] / config["workers"])
    rates = [rate for record in records if record.measured.device == device and (rate := _rate(record))]
    assumed = GPU_RATE * (gpus_per_trial or 1) if on_gpu else CPU_RATE * max(1, int(cpus_per_trial))
    rate = median(rates) if rates else assumed
    wanted = sum(trial.config["workers"] for trial in trials)
    seconds = max(sum(works) / rate / max(1, min(slots, wanted)), longest / rate)
    return Arithmetic(len(works), sum(works), rate, bool(rates), seconds)


def _rate(record: Record) -> float | None:
    """Operations per second that a complete record's training reached; None where it cannot be told."""
    flops, seconds, config = record.measured.flops, record.measured.train_seconds, record.config
    if record.status != "complete" or not flops or not seconds or is_own(config["dataset"]):
        return None
    try:
        size = train_size(config["dataset"])
    except UserError:  # a data set of another version of bench
        return None
    refit = (record.result.chosen_epoch or 0) if config["refit"] else 0
    seen = pictures_seen(config, size, record.result.epochs_run, refit)
    return PASSES * flops * seen / seconds / int(config["workers"])
