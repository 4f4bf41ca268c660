"""How long will trials take, and how much memory?

From the ledger's records of similar trials, or from a few measured steps (`estimate`); where neither is known, from the
floating-point operations of their networks (`operation_cost`).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

from bench import library_cache
from bench.components import AXES, is_user_defined, parse_component
from bench.components.data_questions import Exponential
from bench.data import shape, train_size
from bench.data.readers import is_from_path
from bench.errors import UserError
from bench.execution.forkserver import call
from bench.execution.messages import TrialResult
from bench.execution.user_dataset import dataset_shape, dataset_train_size
from bench.jsonutil import JsonObject, canonical
from bench.ledger.record import Record
from bench.suite.schema import Stratified, Tail, validation_fraction
from bench.suite.trial import Trial, TrialConfig
from bench.system import gpu_count, processor_name

if TYPE_CHECKING:
    from bench.data.dataset import Dataset


Shape = tuple[int, int, int]

PASSES = 3
"""A step's operations over those of its forward pass: the backward pass takes two products for each of the forward's.

(Kaplan et al. 2020, arXiv 2001.08361, section 2.1.)"""


def flops_per_image(config: TrialConfig, shape: Shape, classes: int) -> int:
    """Forward floating-point operations for one image, as records have them; errors as in `bench.models.create`."""
    # A plan that knows its networks' operations already does without torch.
    import numpy as np
    import torch

    from bench.models.count_operations import forward_flops
    from bench.models.create import check as build
    from bench.models.layers import with_preprocessing
    from bench.training.preprocessors import fit, network_input_shape

    input_shape = network_input_shape(config.preprocessing, shape)
    net = build(config.model, input_shape, classes)
    if input_shape != shape:  # the only preprocessing that changes what the first layer computes
        device = next((tensor.device for tensor in net.parameters()), torch.device("cpu"))
        net = with_preprocessing(fit(config.preprocessing, np.zeros((2, *shape), np.uint8)).to(device), net)
    return forward_flops(net, shape)


def images_seen(config: TrialConfig, train_size: int, epochs: int, refit_epochs: int = 0) -> int:
    """Training images that go through a network in so many epochs, and in those of a refit on all of them."""
    used = used_fraction(config)
    training_part = round(train_size * (1 - validation_fraction(config.validation)) * used)
    return training_part * epochs + round(train_size * used) * refit_epochs


def used_fraction(config: TrialConfig) -> float:
    """About which fraction of the training part `fraction` and `imbalance` leave; all where the user's code says.

    A long tail leaves the mean of ``ratio ** -x`` over x from 0 to 1.
    """
    tail = config.imbalance
    return config.fraction * ((1 - 1 / tail.ratio) / math.log(tail.ratio) if isinstance(tail, Exponential) else 1.0)


def training_flops(config: TrialConfig, forward: int, train_size: int) -> int:
    """Floating-point operations of a trial's whole budget, evaluation left out; a refit counts at its longest."""
    return PASSES * forward * images_seen(config, train_size, config.epochs, config.epochs if config.refit else 0)


CPU_RATE = 50e9
"""Assumed floating-point operations per second of a CPU core that trains small networks."""
GPU_RATE = 10e12
"""Assumed floating-point operations per second of a GPU that does."""

MAX_NETWORKS = 12
"""Where more networks than this are unknown, none is built: each takes half a second."""
COUNT_SECONDS = 2.0
"""The most that counting operations may take, after the first network."""

MANY_CLASSES = 100
"""Fewer outputs hardly add to the other layers: networks for fewer classes are counted with ten outputs."""


@dataclass(frozen=True)
class OperationCost:
    """Floating-point operations (`flop`) of some trials, and the seconds they take at `rate` (per second) each.

    `measured`: the rate is the median of this machine's records, not an assumption. `gpu_seconds` is what one GPU would
    take, at `GPU_RATE`.
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
    """The operations of trials that run `slots` at a time; None where those of no network are known.

    They are known from records or from the cache. A few others are counted, for `COUNT_SECONDS` at most: a network is
    built once per model and image shape, and cached unless it is the user's own. UserError names a model that cannot be
    built.
    """
    gpu = _gpu_name() if gpus_per_trial != 0 else None
    on_gpu = gpu is not None
    device = gpu or processor_name()
    operations = []
    longest = 0.0
    by_data = {trial.data: trial for trial in trials}
    shapes = {text: dataset_shape(trial) for text, trial in by_data.items()}
    sizes = {text: dataset_train_size(trial) for text, trial in by_data.items()}
    records = list(records)
    forward = _forward_operations([(trial, *shapes[trial.data]) for trial in trials], _recorded_operations(records))
    known = [(trial, count) for trial, count in zip(trials, forward, strict=True) if count is not None]
    if not known:
        return None
    for trial, count in known:
        operations.append(training_flops(trial.run_config, count, sizes[trial.data]))
        longest = max(longest, operations[-1] / trial.run_config.workers)
    rates = [rate for record in records if record.run_info.device == device and (rate := _rate(record))]
    assumed = GPU_RATE * (gpus_per_trial or 1) if on_gpu else CPU_RATE * max(1, int(cpus_per_trial))
    rate = median(rates) if rates else assumed
    workers = sum(trial.config.workers for trial, _ in known)
    seconds = max(sum(operations) / rate / max(1, min(slots, workers)), longest / rate)
    return OperationCost(len(operations), sum(operations), rate, bool(rates), seconds)


def _forward_operations(networks: Sequence[tuple[Trial, Shape, int]], recorded: dict[str, int]) -> list[int | None]:
    """Operations of one image's forward pass, for each trial with its images' shape and number of classes."""
    counts: dict[str, int] = {}
    unknown: dict[str, tuple[Trial, Shape, int]] = {}
    cache_keys: dict[str, str] = {}  # by configuration, which many seeds may share
    for trial, pixels, classes in networks:
        if trial.config_key in cache_keys:
            continue
        outputs = _outputs(classes)
        cache_key = cache_keys[trial.config_key] = _cache_key(trial.config.to_json(), pixels, outputs)
        known = None if trial.code else recorded.get(cache_key) or library_cache.recall(cache_key)
        if known is None:
            unknown.setdefault(cache_key, (trial, pixels, outputs))
        else:
            counts[cache_key] = known
    if len(unknown) <= MAX_NETWORKS:
        counts |= _count_operations(unknown)
    return [counts.get(cache_keys[trial.config_key]) for trial, _, _ in networks]


def _count_operations(networks: dict[str, tuple[Trial, Shape, int]]) -> dict[str, int]:
    """The operations of as many networks as can be counted in time, the user's own and bench's before timm's."""

    def is_timm_model(cache_key: str) -> bool:
        trial = networks[cache_key][0]
        return trial.code is None and trial.config.model.name not in AXES["model"]

    counts: dict[str, int] = {}
    deadline = math.inf
    for cache_key in sorted(networks, key=is_timm_model):
        if perf_counter() > deadline:
            break
        trial, pixels, outputs = networks[cache_key]
        counts[cache_key] = call(trial.code, flops_per_image, trial.run_config, pixels, outputs)
        if not counts.keys() - {cache_key}:  # importing torch is over
            deadline = perf_counter() + COUNT_SECONDS
    if new := {cache_key: count for cache_key, count in counts.items() if not networks[cache_key][0].code}:
        library_cache.remember(new)
    return counts


def remember_operations(trial: Trial, operations: int) -> None:
    """Cache the operations of a trial's network for later plans, unless it is the user's own."""
    if trial.code is None and not trial.is_from_path and trial.data_code is None:
        pixels, classes = dataset_shape(trial)
        library_cache.remember({_cache_key(trial.config.to_json(), pixels, _outputs(classes)): operations})


def _recorded_operations(records: Iterable[Record]) -> dict[str, int]:
    """Operations in records of bench's and timm's networks, on data sets of the catalogue, by cache key."""
    operations = {}
    for record in records:
        config = record.config
        if (
            record.run_info.flops
            and not is_from_path(config["dataset"])
            and not is_user_defined(config["model"]["name"])
        ):
            try:
                pixels, classes = shape(config["dataset"])
            except UserError:  # a data set of another version of bench
                continue
            operations[_cache_key(config, pixels, _outputs(classes))] = record.run_info.flops
    return operations


def _cache_key(config: JsonObject, pixels: Shape, outputs: int) -> str:
    return canonical(["forward operations", config["model"], config.get("preprocessing"), pixels, outputs])


def _outputs(classes: int) -> int:
    return classes if classes > MANY_CLASSES else 10


def _gpu_name() -> str | None:
    """The first GPU's name; None if torch can use none. Without a GPU torch is not imported."""
    if not gpu_count():
        return None
    import torch

    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else None


def _rate(record: Record) -> float | None:
    """Operations per second of a complete record's training; None where it is not known."""
    flops, seconds = record.run_info.flops, record.run_info.train_seconds
    if record.status != "complete" or not flops or not seconds or is_from_path(record.config["dataset"]):
        return None
    try:
        size, config = train_size(record.config["dataset"]), TrialConfig.from_json(record.config)
    except (UserError, ValueError, KeyError):  # a data set or a component of another version of bench
        return None
    refit = (record.result.best_epoch or 0) if config.refit else 0
    images = images_seen(config, size, record.result.epochs_run, refit)
    return PASSES * flops * images / seconds / config.workers


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


@dataclass(frozen=True)
class TrialCost:
    """Seconds for a trial's whole budget, and bytes of peak memory of each worker."""

    seconds: float
    memory_bytes: int


@dataclass(frozen=True)
class DurationEstimate:
    """Of `known` trials; `unknown` trials have no estimate and are not included."""

    seconds: float
    memory_bytes: int
    known: int
    unknown: int


def estimate(trials: Sequence[Trial], costs: dict[str, TrialCost | None], slots: int) -> DurationEstimate:
    """Add up the costs (by key) of trials that share `slots`; each worker takes a slot."""
    known = [(trial.config.workers, cost) for trial in trials if (cost := costs.get(trial.key))]
    all_workers = sum(trial.config.workers for trial in trials)
    seconds = sum(workers * cost.seconds for workers, cost in known) / max(1, min(slots, all_workers))
    longest = max((cost.seconds for _, cost in known), default=0.0)
    largest = sorted((cost.memory_bytes for workers, cost in known for _ in range(workers)), reverse=True)[:slots]
    return DurationEstimate(max(seconds, longest), sum(largest), len(known), len(trials) - len(known))


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
                return TrialCost(median(seconds for seconds, _ in similar), max(memory for _, memory in similar))
        return None

    return _costs(trials, epoch_cost)


def from_measured_steps(
    trials: Sequence[Trial], datasets: Mapping[str, Dataset], threads: int
) -> dict[str, TrialCost | None]:
    """Train one trial of each kind for one epoch of a few images, in this process, and scale up.

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
        costs[trial.key] = replace(cost, seconds=cost.seconds * trial.config.epochs) if cost else None
    return costs


def n_trial_kinds(trials: Iterable[Trial]) -> int:
    """How many kinds of trial `from_measured_steps` measures."""
    return len({_kind(trial.config.to_json(), SIMILARITY[0]) for trial in trials})


def _measure_epoch(trial: Trial, data: Dataset, device: str, threads: int) -> TrialCost | None:
    """The cost of one epoch, measured on more and more images while the next measurement fits into `MEASURE_SECONDS`.

    The last one counts: the first steps of a process are slow. None where no image could be trained on.
    """
    from bench.execution.forkserver import ProcessDiedError, train

    everything = {axis: parse_component(axis, {"name": "none"}) for axis in ("imbalance", "label_noise")}
    config = trial.run_config.changed(
        epochs=1, early_stopping=None, refit=False, workers=1, fraction=1.0, robustness=[], **everything
    )
    used = used_fraction(trial.config)
    if isinstance(config.validation, Tail):
        config = config.changed(validation=Stratified(stratified=config.validation.tail))  # which works with few images
    cost = None
    total = 0.0
    for count in MEASURED_IMAGES:
        part, factor = first_images(data, count)
        start = perf_counter()
        try:
            end = train(trial.code, config, trial.seed, part, device, threads, lambda _: None)
        except ProcessDiedError:
            break
        duration = perf_counter() - start
        total += duration
        if isinstance(end, TrialResult):
            info = end.run_info
            seconds = info.train_seconds + info.evaluation_seconds
            cost = TrialCost(seconds * factor * used / trial.config.workers, info.peak_memory_bytes or 0)
            if info.flops:
                remember_operations(trial, info.flops)
        if factor == 1.0 or total > MEASURE_SECONDS or (cost and total + duration * MEASURE_GROWTH > MEASURE_SECONDS):
            break
    return cost


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
