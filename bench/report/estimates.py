"""A configuration's figures from its seeds: means with their bounds, and which one validation chose."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bench.metrics import METRICS
from bench.report.figures import value, values
from bench.report.grouping import Configuration, TrialGroup
from bench.statistics.intervals import PooledDeviation, seed_interval, wilson
from bench.statistics.seed_noise import moderated

MODERATED = "seeds on this test set, t with moderated variance"
"""Each configuration's variance between seeds, steadied by those of the others that are alike
(`bench.statistics.seed_noise`)."""

IMAGES = "Wilson, 1 seed"
ONE_SEED = "1 seed, no interval"
"""Of a metric that is no share of the images: one network says nothing of its noise."""


def seed_noise(group: TrialGroup, metric: str = "accuracy") -> dict[str, PooledDeviation]:
    """The deviation between the seeds of each configuration of a section, by label, moderated by the others'.

    Empty where no configuration has two complete seeds. Nothing tells of other metrics than accuracy how noisy they
    should be, so that the variances themselves are compared.
    """
    found = {one.label: found for one in group.configurations if (found := seed_values(one, metric))}
    between = np.array([np.var(one, ddof=1) if len(one) > 1 else np.nan for one in found.values()])
    noise = moderated(between, np.ones(len(found)), np.array([len(one) for one in found.values()], dtype=int))
    if noise is None:
        return {}
    return {
        label: PooledDeviation(math.sqrt(variance), float(degrees))
        for label, variance, degrees in zip(found, noise.variances, noise.degrees, strict=True)
    }


def middle(noise: Mapping[str, PooledDeviation]) -> PooledDeviation | None:
    """The noise of the middle configuration, for a sentence on all of them."""
    ordered = sorted(noise.values(), key=lambda one: one.deviation)
    return ordered[len(ordered) // 2] if ordered else None


def chosen(group: TrialGroup, metric: str = "accuracy") -> Configuration | None:
    """The complete configuration with the best mean on validation, the first by name among equals.

    None where there was no choice: without validation, or with fewer than two complete configurations that have it.
    """
    rated = [(one, validation_mean(one, metric)) for one in group.configurations if one.complete]
    rated = [(one, METRICS[metric].better(average)) for one, average in rated if not math.isnan(average)]
    return max(rated, key=lambda pair: pair[1])[0] if len(rated) > 1 else None


def validation_mean(one: Configuration, metric: str = "accuracy") -> float:
    """Mean on validation over complete seeds; nan where the protocol has no validation, or a seed no such figure."""
    return mean([value(record, "validation", metric) for record in one.having("complete")])


def seed_values(one: Configuration, metric: str = "accuracy") -> list[float]:
    """The test figure of each complete seed that has it."""
    return values(one.having("complete"), "test", metric)


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds with its bounds at 95 % and what they cover; nan where there is none."""

    mean: float
    low: float = math.nan
    high: float = math.nan
    interval: str = ""


def estimate(figures: Sequence[float], metric: str, pooled: PooledDeviation | None, images: int | None) -> Estimate:
    """The mean of a configuration's seeds with a t interval; Wilson's for a share of `images` whose noise nothing
    tells."""
    if not figures:
        return Estimate(math.nan)
    kind = METRICS[metric]
    if pooled is not None:
        found = seed_interval(figures, pooled)
        low, high = max(found.low, 0.0), min(found.high, 1.0 if kind.percent else math.inf)
        return Estimate(mean(figures), low, high, MODERATED)
    if kind.is_proportion and images:
        found = wilson(round(figures[0] * images), images)
        return Estimate(mean(figures), found.low, found.high, IMAGES)
    return Estimate(mean(figures), interval=ONE_SEED)


def mean(numbers: Sequence[float]) -> float:
    """The mean; nan of nothing."""
    return float(np.mean(numbers)) if numbers else math.nan
