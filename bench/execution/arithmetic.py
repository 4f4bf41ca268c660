"""What would trials cost that nothing alike has run for? Their arithmetic, at a rate measured here or assumed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import Any

from bench import library_cache
from bench.data import shape, train_size
from bench.data.own import is_own
from bench.execution.forkserver import call
from bench.execution.host import gpu_count
from bench.ledger.record import Record
from bench.limits import processor_name
from bench.models.sources import is_user
from bench.suite.components import AXES
from bench.suite.errors import UserError
from bench.suite.expand import canonical
from bench.suite.trial import Trial
from bench.training.arithmetic import PASSES, Shape, flops_per_picture, pictures_seen, training_flops

CPU_RATE = 50e9
"""Assumed floating-point operations per second of a CPU core that trains small networks."""
GPU_RATE = 10e12
"""Assumed floating-point operations per second of a GPU that does."""

FEW_NETWORKS = 12
"""More than so many that nothing is known of are left to the run: each takes half a second to build."""
COUNTING_SECONDS = 2.0

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
) -> Arithmetic | None:
    """Count the operations of trials that run `slots` at a time; None where nothing is known of any.

    Those of a network are known from records, or remembered from an earlier plan. A few others are counted, for
    `COUNTING_SECONDS` at most: a network is built once per model and image shape, and remembered unless it is the
    user's own. UserError names a model that cannot be built.
    """
    gpu = _gpu_name() if gpus_per_trial != 0 else None
    on_gpu = gpu is not None
    device = gpu or processor_name()
    works = []
    longest = 0.0
    data = {trial.data: trial.run_config["dataset"] for trial in trials}
    shapes = {text: shape(entry) for text, entry in data.items()}
    sizes = {text: train_size(entry) for text, entry in data.items()}
    records = list(records)
    forward = _forward_operations([(trial, *shapes[trial.data]) for trial in trials], _from_records(records))
    counted = [(trial, operations) for trial, operations in zip(trials, forward, strict=True) if operations is not None]
    if not counted:
        return None
    for trial, operations in counted:
        works.append(training_flops(trial.run_config, operations, sizes[trial.data]))
        longest = max(longest, works[-1] / trial.run_config["workers"])
    rates = [rate for record in records if record.measured.device == device and (rate := _rate(record))]
    assumed = GPU_RATE * (gpus_per_trial or 1) if on_gpu else CPU_RATE * max(1, int(cpus_per_trial))
    rate = median(rates) if rates else assumed
    wanted = sum(trial.config["workers"] for trial, _ in counted)
    seconds = max(sum(works) / rate / max(1, min(slots, wanted)), longest / rate)
    return Arithmetic(len(works), sum(works), rate, bool(rates), seconds)


def _forward_operations(networks: Sequence[tuple[Trial, Shape, int]], recorded: dict[str, int]) -> list[int | None]:
    """Operations of one image's forward pass, for each trial with its images' shape and number of classes."""
    counts: dict[str, int] = {}
    unknown: dict[str, tuple[Trial, Shape, int]] = {}
    questions = []
    for trial, pixels, classes in networks:
        outputs = _outputs(classes)
        question = _question(trial.run_config, pixels, outputs)
        questions.append(question)
        known = None if trial.code else recorded.get(question) or library_cache.recall(question)
        if known is None:
            unknown.setdefault(question, (trial, pixels, outputs))
        else:
            counts[question] = known
    if len(unknown) <= FEW_NETWORKS:
        counts |= _counted(unknown)
    return [counts.get(question) for question in questions]


def _counted(networks: dict[str, tuple[Trial, Shape, int]]) -> dict[str, int]:
    """The operations of as many networks as can be counted in the time, the user's own and bench's before timm's."""

    def is_timms(question: str) -> bool:
        trial = networks[question][0]
        return trial.code is None and trial.config["model"]["name"] not in AXES["model"]

    counts: dict[str, int] = {}
    ends = math.inf
    for question in sorted(networks, key=is_timms):
        if perf_counter() > ends:
            break
        trial, pixels, outputs = networks[question]
        counts[question] = call(trial.code, flops_per_picture, trial.run_config, pixels, outputs)
        if not counts.keys() - {question}:  # importing torch is over
            ends = perf_counter() + COUNTING_SECONDS
    if new := {question: count for question, count in counts.items() if not networks[question][0].code}:
        library_cache.remember(new)
    return counts


def remember_operations(trial: Trial, operations: int) -> None:
    """Keep the operations of a trial's network for later plans, unless it is the user's own."""
    if trial.code is None and trial.data_path is None:
        pixels, classes = shape(trial.run_config["dataset"])
        library_cache.remember({_question(trial.run_config, pixels, _outputs(classes)): operations})


def _from_records(records: Iterable[Record]) -> dict[str, int]:
    """Operations that trials of bench's and timm's networks had, on data sets whose images' shape bench knows."""
    found = {}
    for record in records:
        config = record.config
        if record.measured.flops and not is_own(config["dataset"]) and not is_user(config["model"]["name"]):
            try:
                pixels, classes = shape(config["dataset"])
            except UserError:  # a data set of another version of bench
                continue
            found[_question(config, pixels, _outputs(classes))] = record.measured.flops
    return found


def _question(config: dict[str, Any], pixels: Shape, outputs: int) -> str:
    return canonical(["forward operations", config["model"], config.get("preprocessing"), pixels, outputs])


def _outputs(classes: int) -> int:
    return classes if classes > FEW_CLASSES else 10


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
