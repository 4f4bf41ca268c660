"""How many trials fit on the Ray of a run, and whether a trial ever will."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass

from bench.errors import UserError
from bench.suite.trial import Trial
from bench.system import slots_on

ROUNDING = 1e-9
JOIN_SECONDS = 120.0
"""How long a cluster that has just been started may wait for its last node."""
CHECK_SECONDS = 2.0
"""How often the cluster's nodes are counted."""
PENDING_TRIALS = 16
"""Trials that wait for resources where there is an autoscaler: pending trials make it add nodes."""


@dataclass(frozen=True)
class ResourceLimits:
    """What the Ray of a run holds.

    `capacity` maps GPUs per worker to how many workers fit now; `autoscaling`: more may fit later. `gpus_per_trial` is
    for a trial of one worker, `folder` a temporary folder that ends with the run.
    """

    capacity: Callable[[float], int]
    gpus_per_trial: float
    folder: str
    autoscaling: bool = False

    def gpus_per_worker(self, workers: int, alone: bool = False) -> float:
        """GPUs of each worker of a trial: NCCL takes no two workers of a trial on one GPU."""
        gpus = self.gpus_per_trial
        return max(1.0, gpus) if (workers > 1 or alone) and gpus else gpus

    def slots(self, workers: int, alone: bool = False) -> int:
        """How many workers fit, of trials with so many each."""
        return self.capacity(self.gpus_per_worker(workers, alone))

    def fits(self, trial: Trial, running: Iterable[Trial], alone: Container[str] = ()) -> bool:
        """Whether a trial fits besides those that run; if none runs it may start and wait for its resources.

        Those whose keys are in `alone` take a whole GPU.
        """
        used = sum(self._fraction(other, other.key in alone) for other in running)
        return not used or used + self._fraction(trial, trial.key in alone) <= 1 + ROUNDING

    def _fraction(self, trial: Trial, alone: bool) -> float:
        """The fraction of all resources that a trial takes."""
        workers = trial.config.workers
        return float(workers / max(1, self.slots(workers, alone)))


def check_resources(trials: Iterable[Trial], limits: ResourceLimits, cpus: float, wait_seconds: float = 0.0) -> None:
    """UserError, before anything is trained, where a trial has more workers than will ever fit.

    Nodes of a cluster may be joining: they are waited for.
    """
    worker_counts, deadline = {trial.config.workers for trial in trials}, time.monotonic() + wait_seconds
    while (too_many := [n for n in worker_counts if n > limits.slots(n)]) and not limits.autoscaling:
        if time.monotonic() < deadline:
            time.sleep(CHECK_SECONDS)
            continue
        workers = max(too_many)
        gpus = f", GPUs: {limits.gpus_per_worker(workers):g}" if limits.gpus_per_trial else ""
        raise UserError(
            f"trials of {workers} worker{'s' if workers > 1 else ''} (each with CPUs: {cpus:g}{gpus}) can never run "
            f"here: there is room for {limits.slots(workers)} at once\n"
            "  lower `workers` (--set workers=1), give each less (--cpus-per-trial, --gpus-per-trial), or add machines"
        )


class ClusterCapacity:
    """How many workers fit on the nodes that are up now, and how many may wait for more."""

    def __init__(self, cpus: float, autoscaling: bool):
        self.cpus, self.autoscaling = cpus, autoscaling
        self._up: list[dict[str, float]] = []
        self._checked = -math.inf

    def __call__(self, gpus: float) -> int:
        """Workers with so many GPUs each to start or have waiting."""
        if time.monotonic() - self._checked > CHECK_SECONDS:
            self._up, self._checked = nodes_up(), time.monotonic()
        return sum(slots_on(node, self.cpus, gpus) for node in self._up) + PENDING_TRIALS * self.autoscaling


def nodes_up() -> list[dict[str, float]]:
    """The resources of each node that is up."""
    import ray

    return [node["Resources"] for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
