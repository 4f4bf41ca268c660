"""A configuration's figures from its seeds: means with their bounds, and which one validation chose."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.report.figures import value, values
from bench.report.sections import Configuration, Section
from bench.statistics.proportions import wilson
from bench.statistics.seeds import Pooled, pooled_seed_deviation, seed_interval
from bench.suite.metrics import METRICS

MODERATED = "seeds on this test set, t with moderated variance"
"""Of accuracy: each configuration's variance between seeds, steadied by the others' (`bench.statistics.noise`)."""

SEEDS = "seeds on this test set, t with pooled variance"
"""Of other metrics, which are no means over images, so that nothing tells how noisy they should be."""

IMAGES = "Wilson, 1 seed"
ONE_SEED = "1 seed, no interval"
"""Of a metric that is no share of the images: one network says nothing of its noise."""


def pooled_deviation(section: Section, metric: str = "accuracy") -> Pooled | None:
    """The seed noise of the test part, pooled over the section's configurations with two complete seeds or more."""
    return pooled_seed_deviation([seed_values(one, metric) for one in section.configurations])


def chosen(section: Section, metric: str = "accuracy") -> Configuration | None:
    """The complete configuration with the best mean on validation, the first by name among equals.

    None where there was no choice: without validation, or with fewer than two complete configurations that have it.
    """
    rated = [(one, validation_mean(one, metric)) for one in section.configurations if one.complete]
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


def estimate(figures: Sequence[float], metric: str, pooled: Pooled | None, images: int | None) -> Estimate:
    """The mean of a configuration's seeds: a t interval, or Wilson's where one seed's figure is a share of `images`."""
    if not figures:
        return Estimate(math.nan)
    kind = METRICS[metric]
    if len(figures) > 1 and pooled is not None:
        found = seed_interval(figures, pooled)
        low, high = max(found.low, 0.0), min(found.high, 1.0 if kind.percent else math.inf)
        return Estimate(mean(figures), low, high, SEEDS)
    if kind.share and images:
        found = wilson(round(figures[0] * images), images)
        return Estimate(mean(figures), found.low, found.high, IMAGES)
    return Estimate(mean(figures), interval=ONE_SEED)


def mean(numbers: Sequence[float]) -> float:
    """The mean; nan of nothing."""
    return float(np.mean(numbers)) if numbers else math.nan
