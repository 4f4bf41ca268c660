"""What would trials cost that nothing alike has run for? Their arithmetic, at a rate measured here or assumed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from bench import library_cache
from bench.data import shape, train_size
from bench.data.own import is_own
from bench.execution.forkserver import call
from bench.execution.host import gpu_count
from bench.ledger.record import Record
from bench.limits import processor_name
from bench.suite.errors import UserError
from bench.suite.expand import canonical
from bench.suite.trial import Trial
from bench.training.arithmetic import PASSES, Shape, flops_per_picture, pictures_seen, training_flops

CPU_RATE = 50e9
"""Assumed floating-point operations per second of a CPU core that trains small networks."""
GPU_RATE = 10e12
"""Assumed floating-point operations per second of a GPU that does."""

FEW_CLASSES = 100
"""So many outputs hardly count beside the other layers: networks for fewer classes are counted with ten outputs."""


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
    """Count the operations of trials that run `slots` at a time.

    A network is built once per model and image shape, and remembered for later plans unless it is the user's own.
    UserError names a model that cannot be built.
    """
    gpu = _gpu_name() if gpus_per_trial != 0 else None
    on_gpu = gpu is not None
    device = gpu or processor_name()
    works = []
    longest = 0.0
    data = {trial.data: trial.run_config["dataset"] for trial in trials}
    shapes = {text: shape(entry) for text, entry in data.items()}
    sizes = {text: train_size(entry) for text, entry in data.items()}
    forward = _forward_operations([(trial, *shapes[trial.data]) for trial in trials])
    for trial, operations in zip(trials, forward, strict=True):
        works.append(training_flops(trial.run_config, operations, sizes[trial.data]))
        longest = max(longest, works[-1] / trial.run_config["workers"])
    rates = [rate for record in records if record.measured.device == device and (rate := _rate(record))]
    assumed = GPU_RATE * (gpus_per_trial or 1) if on_gpu else CPU_RATE * max(1, int(cpus_per_trial))
    rate = median(rates) if rates else assumed
    wanted = sum(trial.config["workers"] for trial in trials)
    seconds = max(sum(works) / rate / max(1, min(slots, wanted)), longest / rate)
    return Arithmetic(len(works), sum(works), rate, bool(rates), seconds)


def _forward_operations(networks: Sequence[tuple[Trial, Shape, int]]) -> list[int]:
    """Operations of one image's forward pass, for each trial with its images' shape and number of classes."""
    counts: dict[str, int] = {}
    new: dict[str, int] = {}
    found = []
    for trial, pixels, classes in networks:
        config = trial.run_config
        outputs = classes if classes > FEW_CLASSES else 10
        question = canonical(["forward operations", config["model"], config["preprocessing"], pixels, outputs])
        if question not in counts:
            known = None if trial.code else library_cache.recall(question)
            counts[question] = call(trial.code, flops_per_picture, config, pixels, outputs) if known is None else known
            if known is None and not trial.code:
                new[question] = counts[question]
        found.append(counts[question])
    if new:
        library_cache.remember(new)
    return found


def _gpu_name() -> str | None:
    """The first GPU's name; None without one that torch can use. A machine that has none does without torch."""
    if not gpu_count():
        return None
    import torch

    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else None


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
