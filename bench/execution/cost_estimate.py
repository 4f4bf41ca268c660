"""How long, and how much memory? From the ledger's records of like trials, or from a few measured steps."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

from bench import library_cache
from bench.components import AXES
from bench.data import shape, train_size
from bench.data.user_data import is_user_defined
from bench.errors import UserError
from bench.execution.forkserver import call
from bench.execution.messages import TrialResult
from bench.execution.user_dataset import dataset_shape, dataset_train_size
from bench.jsonutil import canonical
from bench.ledger.record import Record
from bench.models.user_code import is_user
from bench.suite.schema import Stratified, Tail
from bench.suite.trial import Trial
from bench.suite.trial_config import TrialConfig
from bench.system import gpu_count, processor_name
from bench.training.flops import PASSES, Shape, flops_per_image, images_seen, training_flops

if TYPE_CHECKING:
    from bench.data.dataset import Dataset


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
class OperationCost:
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


def operation_cost(
    trials: Sequence[Trial],
    records: Iterable[Record],
    slots: int,
    cpus_per_trial: float = 1,
    gpus_per_trial: float | None = None,
) -> OperationCost | None:
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
    of_data = {trial.data: trial for trial in trials}
    shapes = {text: dataset_shape(trial) for text, trial in of_data.items()}
    sizes = {text: dataset_train_size(trial) for text, trial in of_data.items()}
    records = list(records)
    forward = _forward_operations([(trial, *shapes[trial.data]) for trial in trials], _from_records(records))
    counted = [(trial, operations) for trial, operations in zip(trials, forward, strict=True) if operations is not None]
    if not counted:
        return None
    for trial, operations in counted:
        works.append(training_flops(trial.run_config, operations, sizes[trial.data]))
        longest = max(longest, works[-1] / trial.run_config.workers)
    rates = [rate for record in records if record.run_info.device == device and (rate := _rate(record))]
    assumed = GPU_RATE * (gpus_per_trial or 1) if on_gpu else CPU_RATE * max(1, int(cpus_per_trial))
    rate = median(rates) if rates else assumed
    wanted = sum(trial.config.workers for trial, _ in counted)
    seconds = max(sum(works) / rate / max(1, min(slots, wanted)), longest / rate)
    return OperationCost(len(works), sum(works), rate, bool(rates), seconds)


def _forward_operations(networks: Sequence[tuple[Trial, Shape, int]], recorded: dict[str, int]) -> list[int | None]:
    """Operations of one image's forward pass, for each trial with its images' shape and number of classes."""
    counts: dict[str, int] = {}
    unknown: dict[str, tuple[Trial, Shape, int]] = {}
    questions = []
    for trial, pixels, classes in networks:
        outputs = _outputs(classes)
        question = _question(trial.config.to_json(), pixels, outputs)
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
        return trial.code is None and trial.config.model.name not in AXES["model"]

    counts: dict[str, int] = {}
    ends = math.inf
    for question in sorted(networks, key=is_timms):
        if perf_counter() > ends:
            break
        trial, pixels, outputs = networks[question]
        counts[question] = call(trial.code, flops_per_image, trial.run_config, pixels, outputs)
        if not counts.keys() - {question}:  # importing torch is over
            ends = perf_counter() + COUNTING_SECONDS
    if new := {question: count for question, count in counts.items() if not networks[question][0].code}:
        library_cache.remember(new)
    return counts


def remember_operations(trial: Trial, operations: int) -> None:
    """Keep the operations of a trial's network for later plans, unless it is the user's own."""
    if trial.code is None and trial.data_path is None and trial.data_code is None:
        pixels, classes = dataset_shape(trial)
        library_cache.remember({_question(trial.config.to_json(), pixels, _outputs(classes)): operations})


def _from_records(records: Iterable[Record]) -> dict[str, int]:
    """Operations that trials of bench's and timm's networks had, on data sets whose images' shape bench knows."""
    found = {}
    for record in records:
        config = record.config
        if record.run_info.flops and not is_user_defined(config["dataset"]) and not is_user(config["model"]["name"]):
            try:
                pixels, classes = shape(config["dataset"])
            except UserError:  # a data set of another version of bench
                continue
            found[_question(config, pixels, _outputs(classes))] = record.run_info.flops
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
    flops, seconds = record.run_info.flops, record.run_info.train_seconds
    if record.status != "complete" or not flops or not seconds or is_user_defined(record.config["dataset"]):
        return None
    try:
        size, config = train_size(record.config["dataset"]), TrialConfig.from_json(record.config)
    except (UserError, ValueError, KeyError):  # a data set or a component of another version of bench
        return None
    refit = (record.result.best_epoch or 0) if config.refit else 0
    seen = images_seen(config, size, record.result.epochs_run, refit)
    return PASSES * flops * seen / seconds / config.workers


LIKE = (
    ("dataset", "model", "optimizer", "step", "augmentation", "regularizer", "batch_size", "precision", "workers"),
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
class TrialCost:
    """Of one trial: seconds for its whole budget and bytes at the peak, of each worker."""

    seconds: float
    memory_bytes: int


@dataclass(frozen=True)
class DurationEstimate:
    """For trials on `slots` side by side; `unknown` trials had nothing to go by and are not in the figures."""

    seconds: float
    memory_bytes: int
    known: int
    unknown: int


def estimate(trials: Sequence[Trial], costs: dict[str, TrialCost | None], slots: int) -> DurationEstimate:
    """Add up the costs (by key) of trials that share `slots`, one for each of their workers."""
    known = [(trial.config.workers, cost) for trial in trials if (cost := costs.get(trial.key))]
    wanted = sum(trial.config.workers for trial in trials)
    seconds = sum(workers * cost.seconds for workers, cost in known) / max(1, min(slots, wanted))
    longest = max((cost.seconds for _, cost in known), default=0.0)
    largest = sorted((cost.memory_bytes for workers, cost in known for _ in range(workers)), reverse=True)[:slots]
    return DurationEstimate(max(seconds, longest), sum(largest), len(known), len(trials) - len(known))


def from_records(trials: Iterable[Trial], records: Iterable[Record]) -> dict[str, TrialCost | None]:
    """Each trial's cost as the median of the most alike complete records; None where none is alike."""
    trials = list(trials)
    if not trials:
        return {}
    found: list[dict[str, list[tuple[float, int]]]] = [defaultdict(list) for _ in LIKE]
    for record in records:
        if record.status == "complete" and record.result.epochs_run:
            spent = record.run_info.train_seconds + record.run_info.evaluation_seconds
            for axes, table in zip(LIKE, found, strict=True):
                pace = spent / record.result.epochs_run, record.run_info.peak_memory_bytes or 0
                table[_similar(record.config, axes)].append(pace)
    costs: dict[str, TrialCost | None] = {}
    memo: dict[str, TrialCost | None] = {}
    for trial in trials:
        full = _similar(trial.config.to_json(), LIKE[0])
        if full not in memo:
            alike = next(
                (t[k] for a, t in zip(LIKE, found, strict=True) if (k := _similar(trial.config.to_json(), a)) in t),
                None,
            )
            memo[full] = TrialCost(median(s for s, _ in alike), max(m for _, m in alike)) if alike else None
        one = memo[full]
        costs[trial.key] = replace(one, seconds=one.seconds * trial.config.epochs) if one else None
    return costs


def from_measured_steps(trials: Sequence[Trial], datasets: dict[str, Any], threads: int) -> dict[str, TrialCost | None]:
    """Train one trial of each kind for one epoch of a few images, in this process, and scale up.

    Each kind takes `PROBE_SECONDS` at most, unless its very first images take longer. Of several workers each is taken
    to need its part of one worker's time: what they say to one another is not measured.
    """
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    costs: dict[str, TrialCost | None] = {}
    memo: dict[str, TrialCost | None] = {}
    for trial in trials:
        full = _similar(trial.config.to_json(), LIKE[0])
        if full not in memo:
            memo[full] = _measure_trial(trial, datasets[trial.data], device, threads)
        one = memo[full]
        costs[trial.key] = replace(one, seconds=one.seconds * trial.config.epochs) if one else None
    return costs


def trial_kinds(trials: Iterable[Trial]) -> int:
    """How many kinds of trial `from_measured_steps` measures."""
    return len({_similar(trial.config.to_json(), LIKE[0]) for trial in trials})


def _measure_trial(trial: Trial, data: Dataset, device: str, threads: int) -> TrialCost | None:
    """The cost of one epoch, measured on more and more images while the next step fits into `PROBE_SECONDS`.

    The last measurement counts: the first steps of a process are slow. None where none could be trained.
    """
    from bench.execution.forkserver import ProcessDiedError, train

    config = trial.run_config.changed(epochs=1, early_stopping=None, refit=False, workers=1)
    if isinstance(config.validation, Tail):
        config = config.changed(validation=Stratified(stratified=config.validation.tail))  # which few images allow
    cost = None
    spent = 0.0
    for count in PROBE_STEPS:
        part, times = measured_part(data, count)
        started = perf_counter()
        try:
            end = train(trial.code, config, trial.seed, part, device, threads, lambda _: None)
        except ProcessDiedError:
            break
        took = perf_counter() - started
        spent += took
        if isinstance(end, TrialResult):
            measured = end.run_info
            seconds = measured.train_seconds + measured.evaluation_seconds
            cost = TrialCost(seconds * times / trial.config.workers, measured.peak_memory_bytes or 0)
            if measured.flops:
                remember_operations(trial, measured.flops)
        if times == 1.0 or spent > PROBE_SECONDS or (cost and spent + took * PROBE_GROWTH > PROBE_SECONDS):
            break
    return cost


def measured_part(data: Dataset, count: int) -> tuple[Dataset, float]:
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


def _similar(config: dict[str, Any], axes: tuple[str, ...]) -> str:
    return canonical([config.get(axis) for axis in axes])
