"""Averaged weights, the best epoch's weights, and when training stops: decided by validation alone."""

from __future__ import annotations

import copy
import math

import torch
from torch import Tensor, nn

from bench.training.checkpoint import State

EpochMetrics = dict[str, float | None]
"""An epoch's metrics by name, such as ``val_accuracy``; None where one was not finite."""


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
