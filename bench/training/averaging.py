"""A running average of the weights, which is validated and tested in their place."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from bench.training.checkpoint import State


class Average:
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
