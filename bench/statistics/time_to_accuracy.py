"""Time to accuracy: epochs and seconds until a target is reached, over the seeds of a configuration."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class TimeToTarget:
    """`epochs` and `seconds` are medians over all seeds, inf where half of them or more never reach the target."""

    reached: int
    seeds: int
    epochs: float
    seconds: float


def time_to_target(
    curves: Sequence[Sequence[float | None]], seconds: Sequence[float], target: float, higher: bool = True
) -> TimeToTarget:
    """Median time to the first epoch at which the curve reaches `target`.

    Uses the validation curve, since the test set is evaluated once. A seed that never reaches the target counts as
    slower than any that does; as every seed had its full budget, this is the Kaplan-Meier median. The first crossing of
    a noisy curve is biased early.

    Parameters
    ----------
    curves
        Per seed a value per epoch run; None (not finite) does not reach the target.
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
        raise ValueError(f"{len(curves)} curves and {len(seconds)} times: expected one of each per seed")
    first_epochs = [_first_epoch(curve, target, higher) for curve in curves]
    seconds_to_target = [
        total * epoch / len(curve) if math.isfinite(epoch) else math.inf
        for curve, total, epoch in zip(curves, seconds, first_epochs, strict=True)
    ]
    reached = sum(map(math.isfinite, first_epochs))
    return TimeToTarget(reached, len(curves), float(np.median(first_epochs)), float(np.median(seconds_to_target)))


def _first_epoch(curve: Sequence[float | None], target: float, higher: bool) -> float:
    for epoch, value in enumerate(curve, start=1):
        if value is not None and (value >= target if higher else value <= target):
            return float(epoch)
    return math.inf
