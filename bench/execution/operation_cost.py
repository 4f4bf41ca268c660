"""How long will trials take by the floating-point operations of their networks? For what has no similar record.

Operations are known from records, from a cache, or by counting those of a network that is built for it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from time import perf_counter

from bench import library_cache
from bench.components import AXES, is_user_defined
from bench.components.data_questions import Exponential
from bench.data import shape, train_size
from bench.data.readers import is_from_path
from bench.errors import UserError
from bench.execution.forkserver import call
from bench.execution.user_dataset import dataset_shape, dataset_train_size
from bench.jsonutil import JsonObject, canonical
from bench.ledger.record import Record
from bench.suite.schema import validation_fraction
from bench.suite.trial import Trial, TrialConfig
from bench.system import gpu_count, processor_name

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
