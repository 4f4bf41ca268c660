"""Which epoch's weights count, and when is it enough? By validation alone."""

from __future__ import annotations

import copy
import math
from typing import Any

import torch
from torch import Tensor, nn

from bench.training.checkpoint import State


class EMA:
    """An exponential moving average of a network's parameters and buffers (after Polyak and Juditsky 1992).

    After step t (from 0) it keeps min(`decay`, (1 + t) / (10 + t)) of itself and takes the rest from the network, so
    that a short training is not tied to its start values: as TensorFlow's ExponentialMovingAverage with `num_updates`.
    Whole numbers, such as batch normalisation's count of batches, are the network's own.
    """

    def __init__(self, network: nn.Module, decay: float):
        self.decay = decay
        self.network = network
        self.model = copy.deepcopy(network).requires_grad_(False)
        pairs = list(zip(_tensors(self.model), _tensors(network), strict=True))
        self._floats = [(mine, theirs) for mine, theirs in pairs if mine.is_floating_point()]
        self._others = [(mine, theirs) for mine, theirs in pairs if not mine.is_floating_point()]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the network as it is after this step; nothing here waits for the device."""
        kept = min(self.decay, (1 + step) / (10 + step))
        mine, theirs = zip(*self._floats, strict=True)
        torch._foreach_lerp_(mine, theirs, 1 - kept)
        for own, other in self._others:
            own.copy_(other)

    def state(self) -> State:
        return {"tensors": _tensors(self.model)}

    @torch.no_grad()
    def go_on(self, state: State) -> None:
        for mine, kept in zip(_tensors(self.model), state["tensors"], strict=True):
            mine.copy_(kept)

    @torch.no_grad()
    def hand_over(self) -> None:
        """Give the network the averaged weights, at the end of its training."""
        for theirs, mine in zip(_tensors(self.network), _tensors(self.model), strict=True):
            theirs.copy_(mine)


def _tensors(model: nn.Module) -> list[Tensor]:
    return [*model.parameters(), *model.buffers()]


Figures = dict[str, float | None]
"""An epoch's figures by name, such as ``val_accuracy``; None where one was not finite."""


class EarlyStopping:
    """Remembers the best epoch by validation, and says when patience has run out.

    The best epoch is the first with the best monitored figure. `min_delta` concerns patience only: an epoch that
    is better by less is still the best one, but does not count as an improvement worth waiting for.
    """

    KEPT = ("best", "best_epoch", "weights", "mark", "waited")

    def __init__(self, config: dict[str, Any], model: nn.Module):
        defaults = {"patience": math.inf, "monitor": "val_accuracy", "min_delta": 0.0}
        stopping = defaults | (config["early_stopping"] or {})
        self.monitor = stopping["monitor"]
        self.patience = stopping["patience"]
        self.min_delta = stopping["min_delta"]
        self.keep = config["weights"] == "best"
        self.model = model
        self.best, self.best_epoch = -math.inf, 0
        self.weights: dict[str, Tensor] = {}
        self.mark, self.waited = -math.inf, 0

    def stop_after(self, epoch: int, figures: Figures) -> bool:
        """Take in an epoch's figures; whether to stop there."""
        figure = figures.get(self.monitor)
        if figure is None:
            return False
        score = -figure if self.monitor == "val_loss" else figure
        if score > self.best:
            self.best, self.best_epoch = score, epoch
            if self.keep:
                self.weights = {name: value.clone() for name, value in self.model.state_dict().items()}
        if score > self.mark + self.min_delta:
            self.mark, self.waited = score, 0
        else:
            self.waited += 1
        return bool(self.waited >= self.patience)

    def state(self) -> State:
        return {name: getattr(self, name) for name in self.KEPT}

    def go_on(self, state: State) -> None:
        for name in self.KEPT:
            setattr(self, name, state[name])

    def restore(self, model: nn.Module, last: int) -> int:
        """Put the weights that count into the model; the epoch they are from."""
        if not self.weights:
            return last
        model.load_state_dict(self.weights)
        return self.best_epoch
