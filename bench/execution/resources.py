"""How much room a trial takes among others, and whether it can ever have it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from bench.errors import UserError
from bench.suite.trial import Trial

ROUNDING = 1e-9
JOIN_SECONDS = 120.0
"""How long a cluster that has just been started may wait for its last node."""
LOOK_SECONDS = 2.0


@dataclass(frozen=True)
class ResourceLimits:
    """A Ray to run on: GPUs for each trial of one worker, and a folder that ends with the run.

    `room` is how many workers it holds now, given the GPUs of each; `grows` tells that it may hold more later.
    """

    room: Callable[[float], int]
    gpus_per_trial: float
    folder: str
    grows: bool = False


def refuse_what_never_fits(trials: Iterable[Trial], place: ResourceLimits, cpus: float, patience: float = 0.0) -> None:
    """UserError, before anything is trained, where a trial asks for more workers than there are places.

    Nodes of a cluster may be on their way yet: they are waited for with `patience`, in seconds.
    """
    asked, end = {trial.config["workers"] for trial in trials}, time.monotonic() + patience
    while (over := [workers for workers in asked if workers > _n_slots(workers, place)]) and not place.grows:
        if time.monotonic() < end:
            time.sleep(LOOK_SECONDS)
            continue
        most = max(over)
        several = "s" if most > 1 else ""
        each = f"CPUs: {cpus:g}" + (f", GPUs: {gpus_each(most, place):g}" if place.gpus_per_trial else "")
        raise UserError(
            f"trials of {most} worker{several} (each with {each}) can never run here: "
            f"there is room for {_n_slots(most, place)} at once\n"
            "  lower `workers` (--set workers=1), give each less (--cpus-per-trial, --gpus-per-trial), or add machines"
        )


def fits(trial: Trial, running: Iterable[Trial], place: ResourceLimits) -> bool:
    """Whether there is room for a trial beside those that run; where none runs it waits for its own."""
    taken = sum(_requirement(other, place) for other in running)
    return not taken or taken + _requirement(trial, place) <= 1 + ROUNDING


def gpus_each(workers: int, place: ResourceLimits) -> float:
    """GPUs of each worker: NCCL takes no two workers of a trial on one."""
    return max(1.0, place.gpus_per_trial) if workers > 1 and place.gpus_per_trial else place.gpus_per_trial


def _requirement(trial: Trial, place: ResourceLimits) -> float:
    """The share of all there is that a trial takes."""
    workers = trial.config["workers"]
    return float(workers / max(1, _n_slots(workers, place)))


def _n_slots(workers: int, place: ResourceLimits) -> int:
    return place.room(gpus_each(workers, place))
