"""How long until a given accuracy is reached? Per configuration, over its seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class TimeToTarget:
    """`epochs` and `seconds` are medians over all seeds, inf where half of them or more never got there."""

    reached: int
    seeds: int
    epochs: float
    seconds: float


def time_to_target(
    curves: Sequence[Sequence[float | None]], seconds: Sequence[float], target: float, higher: bool = True
) -> TimeToTarget:
    """Median time to the first epoch at which the curve reaches `target`.

    Of the validation curve: time to the target on test images would have to look at them at each epoch. A seed
    that never reaches it counts as slower than any that does, and is not left out, which would flatter the unreliable;
    as every seed had its full budget, that is the Kaplan-Meier median. The first crossing of a noisy curve is early.

    Parameters
    ----------
    curves
        Per seed a figure per epoch run; None (not finite) never reaches.
    seconds
        Per seed the seconds of training of all epochs run, spread evenly over them.
    target
        In the unit of the curves.
    higher
        Whether higher is better.

    Raises
    ------
    ValueError
        No seed, or lengths that differ.
    """
    if not curves or len(curves) != len(seconds):
        raise ValueError(f"{len(curves)} curves and {len(seconds)} times: one of each per seed is wanted")
    first = [_first(curve, target, higher) for curve in curves]
    spent = [
        total * epoch / len(curve) if math.isfinite(epoch) else math.inf
        for curve, total, epoch in zip(curves, seconds, first, strict=True)
    ]
    reached = sum(map(math.isfinite, first))
    return TimeToTarget(reached, len(curves), float(np.median(first)), float(np.median(spent)))


def _first(curve: Sequence[float | None], target: float, higher: bool) -> float:
    for epoch, figure in enumerate(curve, start=1):
        if figure is not None and (figure >= target if higher else figure <= target):
            return float(epoch)
    return math.inf
