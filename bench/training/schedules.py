"""Learning-rate schedules: each gives the factor on the optimizer's own learning rate, step by step."""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable
from typing import Any

from bench.training.registry import registrar

Factor = Callable[[int], float]
"""Factor at a 0-based step."""

SCHEDULES: dict[str, Callable[..., Factor | None]] = {}

register_schedule = registrar(SCHEDULES, "schedules")


def create(entry: dict[str, Any], epochs: int, steps_per_epoch: int) -> Factor | None:
    """The factor for a budget of `epochs`, or None where the rate never changes."""
    parameters = {key: value for key, value in entry.items() if key != "name"}
    return SCHEDULES[entry["name"]](epochs, steps_per_epoch, **parameters)


@register_schedule
def constant(epochs: int, steps_per_epoch: int) -> None:  # noqa: ARG001 (every schedule takes the budget)
    return None


@register_schedule
def cosine(epochs: int, steps_per_epoch: int, *, final: float = 0.0) -> Factor:
    """Half a cosine over the whole budget (Loshchilov and Hutter 2017, arXiv 1608.03983, no restart)."""
    total = epochs * steps_per_epoch

    def factor(step: int) -> float:
        return final + (1 - final) * 0.5 * (1 + math.cos(math.pi * min(step / total, 1.0)))

    return factor


@register_schedule
def step(
    epochs: int,  # noqa: ARG001
    steps_per_epoch: int,
    *,
    every: int | None = None,
    milestones: list[int] | None = None,
    gamma: float = 0.1,
) -> Factor:
    """Times `gamma` after every `every` epochs, or after each epoch named in `milestones`."""

    def factor(at: int) -> float:
        done = at // steps_per_epoch
        drops = done // every if every else bisect.bisect_right(sorted(milestones or []), done)
        try:
            return float(gamma**drops)
        except OverflowError:
            return math.inf

    return factor
