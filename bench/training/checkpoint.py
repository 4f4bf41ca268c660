"""A training between two epochs as plain values; averaged weights, best weights, and when training stops."""

from __future__ import annotations

import copy
import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from bench.training.distributed import SINGLE_PROCESS, DistributedContext
from bench.training.epoch_progress import EpochMetrics

State = dict[str, Any]
"""Tensors, numbers, texts, None, and lists, tuples and dicts of them: it is read back without unpickling anything."""

Save = Callable[[Callable[[], State]], None]
"""Called after an epoch that is not the last with a function that returns the state, for when it is to be saved."""


class Checkpointer(Protocol):
    """Keeps a trial's latest state; `bench.execution.checkpoints.Checkpoint` does so in a file."""

    def load(self) -> State | None:
        """The state to go on from; None to start at the beginning."""

    def save(self, state: Callable[[], State]) -> None:
        """Replace the saved state by this one, if it is time for that."""

    def save_now(self, state: Callable[[], State]) -> None:
        """Replace the saved state by this one."""

    def refuse(self, reason: str) -> None:
        """Discard the state that `load` returned: it does not fit its trial, which starts at the beginning."""


class UnfitStateError(Exception):
    """A state that is not one of this trial, as this version trains it."""


@dataclass(frozen=True)
class SharedCheckpointer:
    """A checkpointer for all ranks of a trial: rank 0's saves, every rank's random streams with it."""

    checkpointer: Checkpointer | None
    distributed: DistributedContext

    def load(self) -> State | None:
        return self.distributed.broadcast(self.checkpointer.load() if self.checkpointer else None)

    def save(self, state: Callable[[], State]) -> None:
        """Rank 0's checkpointer decides whether it is time; all ranks then take part in the state."""
        saving = False

        def state_of_all_ranks() -> State:
            nonlocal saving
            saving = self.distributed.broadcast(True)
            return state()

        if self.distributed.rank:
            if self.distributed.broadcast(False):
                state()
            return
        if self.checkpointer:
            self.checkpointer.save(state_of_all_ranks)
        if not saving:
            self.distributed.broadcast(False)

    def save_now(self, state: Callable[[], State]) -> None:
        """All ranks take part in the state."""
        state_of_all_ranks = state()
        if self.checkpointer and not self.distributed.rank:
            self.checkpointer.save_now(lambda: state_of_all_ranks)

    def refuse(self, reason: str) -> None:
        if self.checkpointer:
            self.checkpointer.refuse(reason)


def capture(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    generators: Mapping[str, torch.Generator],
    device: torch.device,
    distributed: DistributedContext = SINGLE_PROCESS,
) -> State:
    """Everything that training changes, but not copied: to be written out before the next step.

    Buffers are saved next to the model's state, which leaves some out (`persistent=False`). Each of several ranks has
    its own streams; everything else is the same on all.
    """
    streams = {
        "generators": {name: generator.get_state() for name, generator in generators.items()},
        "global streams": _global_streams(device),
    }
    return {
        "model": model.state_dict(),
        "buffers": dict(model.named_buffers()),
        "optimizer": optimizer.state_dict(),
        **streams,
        **({"ranks": distributed.all_gather(streams)} if distributed.is_distributed else {}),
    }


def restore(
    state: State,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    generators: Mapping[str, torch.Generator],
    device: torch.device,
    distributed: DistributedContext = SINGLE_PROCESS,
) -> None:
    """Put back what `capture` took into a model and an optimizer that were built in the same way."""
    model.load_state_dict(state["model"])
    with torch.no_grad():
        for name, buffer in model.named_buffers():
            buffer.copy_(state["buffers"][name])
    optimizer.load_state_dict(state["optimizer"])
    streams = state["ranks"][distributed.rank] if distributed.is_distributed else state
    for name, generator in generators.items():
        generator.set_state(streams["generators"][name])
    _set_global_streams(streams["global streams"], device)


def _global_streams(device: torch.device) -> State:
    """PyTorch's, Python's and NumPy's random states: dropout and a user-defined network draw from them."""
    algorithm, numbers, *position = np.random.get_state()
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
        "python": random.getstate(),
        "numpy": (algorithm, np.asarray(numbers).tolist(), *position),
    }


def _set_global_streams(state: State, device: torch.device) -> None:
    torch.set_rng_state(state["torch"])
    if device.type == "cuda":
        torch.cuda.set_rng_state(state["cuda"], device)
    random.setstate(state["python"])
    np.random.set_state(state["numpy"])


class EMA:
    """An exponential moving average of a network's parameters and buffers (after Polyak and Juditsky 1992).

    After step t (from 0) the average's weight is min(`decay`, (1 + t) / (10 + t)) and the network's the remainder, so
    that a short training is not tied to its start values: as TensorFlow's ExponentialMovingAverage with `num_updates`.
    Integers, such as batch normalisation's count of batches, are copied from the network.
    """

    def __init__(self, network: nn.Module, decay: float):
        self.decay = decay
        self.network = network
        self.model = copy.deepcopy(network).requires_grad_(False)
        pairs = list(zip(_tensors(self.model), _tensors(network), strict=True))
        self._floats = [(average, current) for average, current in pairs if average.is_floating_point()]
        self._integers = [(average, current) for average, current in pairs if not average.is_floating_point()]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the network as it is after this step; nothing in it waits for the device."""
        decay = min(self.decay, (1 + step) / (10 + step))
        averages, currents = zip(*self._floats, strict=True)
        torch._foreach_lerp_(averages, currents, 1 - decay)
        for average, current in self._integers:
            average.copy_(current)

    def state_dict(self) -> State:
        return {"tensors": _tensors(self.model)}

    @torch.no_grad()
    def load_state_dict(self, state: State) -> None:
        for average, saved in zip(_tensors(self.model), state["tensors"], strict=True):
            average.copy_(saved)

    @torch.no_grad()
    def copy_to_network(self) -> None:
        """Give the network the averaged weights, at the end of its training."""
        for current, average in zip(_tensors(self.network), _tensors(self.model), strict=True):
            current.copy_(average)


def _tensors(model: nn.Module) -> list[Tensor]:
    return [*model.parameters(), *model.buffers()]


def score(metrics: EpochMetrics, monitor: str) -> float | None:
    """The monitored metric, the larger the better; None where the epoch has none."""
    value = metrics.get(monitor)
    return value if value is None or monitor != "val_loss" else -value


class BestCheckpoint:
    """The first epoch with the best score, and its weights where `keep_weights` asks for them."""

    def __init__(self, model: nn.Module, monitor: str, keep_weights: bool):
        self.model, self.monitor, self.keep_weights = model, monitor, keep_weights
        self.best_score, self.best_epoch = -math.inf, 0
        self.weights: dict[str, Tensor] = {}

    def update(self, epoch: int, metrics: EpochMetrics) -> None:
        value = score(metrics, self.monitor)
        if value is not None and value > self.best_score:
            self.best_score, self.best_epoch = value, epoch
            if self.keep_weights:
                self.weights = {name: tensor.clone() for name, tensor in self.model.state_dict().items()}

    def state_dict(self) -> State:
        return {"best_score": self.best_score, "best_epoch": self.best_epoch, "weights": self.weights}

    def load_state_dict(self, state: State) -> None:
        self.best_score, self.best_epoch, self.weights = (
            state[name] for name in ("best_score", "best_epoch", "weights")
        )

    def restore(self, last_epoch: int) -> int:
        """Put the best weights into the model where they were kept; the epoch that its weights are from."""
        if not self.weights:
            return last_epoch
        self.model.load_state_dict(self.weights)
        return self.best_epoch


class EarlyStopping:
    """Stops after `patience` epochs in which the score did not improve by more than `min_delta`.

    An epoch that is better by less is still the best one, but does not restart the patience.
    """

    def __init__(self, monitor: str, patience: float, min_delta: float):
        self.monitor, self.patience, self.min_delta = monitor, patience, min_delta
        self.reference, self.waited = -math.inf, 0

    def should_stop(self, metrics: EpochMetrics) -> bool:
        """Take in an epoch's metrics; whether to stop after it."""
        value = score(metrics, self.monitor)
        if value is None:
            return False
        if value > self.reference + self.min_delta:
            self.reference, self.waited = value, 0
        else:
            self.waited += 1
        return self.waited >= self.patience

    def state_dict(self) -> State:
        return {"reference": self.reference, "waited": self.waited}

    def load_state_dict(self, state: State) -> None:
        self.reference, self.waited = state["reference"], state["waited"]
