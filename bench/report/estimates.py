"""The metrics of records, and a configuration's estimates from its seeds: means, intervals, the selected one."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from bench.ledger.record import Metrics, Record
from bench.metrics import METRICS, Predictions, compute_metrics
from bench.report.grouping import Configuration, TrialGroup
from bench.statistics.intervals import PooledDeviation, seed_interval, wilson
from bench.statistics.seed_noise import moderated

Split = Literal["train", "validation", "test"]

SAME_AS_ACCURACY = ("precision_micro", "recall_micro", "recall_weighted", "f1_micro")
"""With one class per image and one prediction, these are the fraction of images that are classified correctly."""

MODERATED = "seeds on this test set, t with moderated variance"
"""Each configuration's variance between seeds, moderated by those of the others (`bench.statistics.seed_noise`)."""

WILSON = "Wilson, 1 seed"
NO_INTERVAL = "1 seed, no interval"
"""Of a metric that is no fraction of the images: one network tells nothing of its noise."""


def metric_value(record: Record, split: Split, metric: str) -> float:
    """A record's metric; nan where it has none."""
    metrics: Metrics | None = getattr(record.result, split)
    return metrics.get(metric, math.nan) if metrics else math.nan


def metric_values(records: Sequence[Record], split: Split, metric: str) -> list[float]:
    """The metric of those records that have it, in their order."""
    values = (metric_value(record, split, metric) for record in records)
    return [value for value in values if not math.isnan(value)]


def complete_metrics(
    records: Sequence[Record], predictions: Callable[[str], Predictions], metrics: Sequence[str]
) -> list[Record]:
    """The records with those of `metrics` that they lack, as far as these can still be computed.

    Those of the test part come from the predictions, which are read only where one is missing. Of the other parts,
    which left no predictions, only what accuracy and loss imply.
    """
    return [
        _with_metrics(record, predictions, metrics) if record.status == "complete" else record for record in records
    ]


def _with_metrics(record: Record, predictions: Callable[[str], Predictions], metrics: Sequence[str]) -> Record:
    result = record.result
    parts = (result.train, result.validation, result.test)
    if all(part is None or not set(metrics) - part.keys() for part in parts):
        return record
    train, validation, test = (_with_implied(part, record) for part in parts)
    if test is not None and set(metrics) - test.keys():
        stored = predictions(record.key)
        classes = len(result.classes) or int(max(stored.labels.max(), stored.predicted.max())) + 1
        test = {**compute_metrics(stored, classes, user_defined=metrics), **test}
    return replace(record, result=replace(result, train=train, validation=validation, test=test))


def _with_implied(metrics: Metrics | None, record: Record) -> Metrics | None:
    if metrics is None or "accuracy" not in metrics:
        return metrics
    implied = dict.fromkeys(SAME_AS_ACCURACY, metrics["accuracy"])
    if (record.config.get("loss") or {}).get("name") == "cross_entropy" and "loss" in metrics:
        implied["log_loss"] = metrics["loss"]
    return {**implied, **metrics}


def seed_noise(group: TrialGroup, metric: str = "accuracy") -> dict[str, PooledDeviation]:
    """The standard deviation between the seeds of each configuration, by label, moderated by the others'.

    Empty where no configuration has two complete seeds. No theory says of other metrics than accuracy how noisy they
    should be, so that the variances themselves are compared.
    """
    by_label = {
        configuration.label: values
        for configuration in group.configurations
        if (values := seed_values(configuration, metric))
    }
    return noise_of(by_label)


def noise_of(by_label: Mapping[str, Sequence[float]]) -> dict[str, PooledDeviation]:
    """As `seed_noise`, of any value that each seed has."""
    between = np.array([np.var(values, ddof=1) if len(values) > 1 else np.nan for values in by_label.values()])
    n_seeds = np.array([len(values) for values in by_label.values()], dtype=int)
    noise = moderated(between, np.ones(len(by_label)), n_seeds)
    if noise is None:
        return {}
    return {
        label: PooledDeviation(math.sqrt(variance), float(degrees))
        for label, variance, degrees in zip(by_label, noise.variances, noise.degrees, strict=True)
    }


def median_noise(noise: Mapping[str, PooledDeviation]) -> PooledDeviation | None:
    """The noise of the median configuration."""
    ordered = sorted(noise.values(), key=lambda pooled: pooled.deviation)
    return ordered[len(ordered) // 2] if ordered else None


def select_on_validation(group: TrialGroup, metric: str = "accuracy") -> Configuration | None:
    """The complete configuration with the best mean on validation, the first by label among equals.

    None where there is nothing to select between: without validation, or with fewer than two complete configurations.
    """
    means = [
        (configuration, validation_mean(configuration, metric))
        for configuration in group.configurations
        if configuration.complete
    ]
    scores = [(configuration, METRICS[metric].better(value)) for configuration, value in means if not math.isnan(value)]
    return max(scores, key=lambda pair: pair[1])[0] if len(scores) > 1 else None


def validation_mean(configuration: Configuration, metric: str = "accuracy") -> float:
    """Mean on validation over complete seeds; nan without validation, or where a seed lacks the metric."""
    return mean([metric_value(record, "validation", metric) for record in configuration.with_status("complete")])


def seed_values(configuration: Configuration, metric: str = "accuracy") -> list[float]:
    """The test metric of each complete seed that has it."""
    return metric_values(configuration.with_status("complete"), "test", metric)


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds with its bounds at 95 % and the name of that interval; nan where there is none."""

    mean: float
    low: float = math.nan
    high: float = math.nan
    interval: str = ""


def estimate(values: Sequence[float], metric: str, pooled: PooledDeviation | None, images: int | None) -> Estimate:
    """The mean of a configuration's seeds with a t interval; Wilson's for a fraction of `images` without seed noise."""
    if not values:
        return Estimate(math.nan)
    kind = METRICS[metric]
    if pooled is not None:
        bounds = seed_interval(values, pooled)
        low, high = max(bounds.low, 0.0), min(bounds.high, 1.0 if kind.percent else math.inf)
        return Estimate(mean(values), low, high, MODERATED)
    if kind.is_proportion and images:
        bounds = wilson(round(values[0] * images), images)
        return Estimate(mean(values), bounds.low, bounds.high, WILSON)
    return Estimate(mean(values), interval=NO_INTERVAL)


def mean(values: Sequence[float]) -> float:
    """The mean; nan of nothing."""
    return float(np.mean(values)) if values else math.nan
