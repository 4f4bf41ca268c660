"""How much room a trial takes among others, and whether it can ever have it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from bench.suite.errors import UserError
from bench.suite.trial import Trial

if TYPE_CHECKING:
    from bench.execution.ray_place import Place


def refuse_what_never_fits(trials: list[Trial], place: Place, cpus: float) -> None:
    """UserError, before anything is trained, where a trial asks for more workers than there are places."""
    holds = place.room()
    over = [trial for trial in trials if size(trial, place) > holds]
    if over and not place.grows:
        most = max(trial.config["workers"] for trial in over)
        each = f"CPUs: {cpus:g}" + (f", GPUs: {gpus_each(most, place):g}" if place.gpus_per_trial else "")
        raise UserError(
            f"trials of {most} workers (each with {each}) can never run here: there is room for {holds} at once\n"
            "  lower `workers` (--set workers=1), give each less (--cpus-per-trial, --gpus-per-trial), or add machines"
        )


def gpus_each(workers: int, place: Place) -> float:
    """GPUs of each worker: NCCL takes no two workers of a trial on one."""
    return max(1.0, place.gpus_per_trial) if workers > 1 and place.gpus_per_trial else place.gpus_per_trial


def size(trial: Trial, place: Place) -> int:
    """The room that a trial takes, counted in trials of one worker."""
    workers = trial.config["workers"]
    each = gpus_each(workers, place) / place.gpus_per_trial if place.gpus_per_trial else 1
    return int(workers * math.ceil(each - 1e-9))
