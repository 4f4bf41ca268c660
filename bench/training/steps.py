"""How is a batch trained on? A step computes gradients as often as it needs them and lets the optimizer move once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from bench.errors import UserError
from bench.training.loss_functions import Loss


@dataclass
class Batch:
    """One batch as a step sees it.

    Attributes
    ----------
    model : the network, for its parameters and layers.
    optimizer : to be stepped once; its `state` is kept over batches and in checkpoints.
    images, targets : float pixels (B, C, H, W), augmented; labels (B,), or class probabilities (B, classes) of mixed
        images.
    """

    net: Callable[..., Any]
    model: nn.Module
    optimizer: torch.optim.Optimizer
    loss: Loss
    images: Tensor
    targets: Tensor
    penalties: Sequence[Callable[[], None]]
    weight: float | None
    autocast: torch.dtype | None

    def __post_init__(self) -> None:
        self._first: tuple[Tensor, Tensor] | None = None

    def compute_gradients(self) -> Tensor:
        """Set every parameter's gradient at its present value, penalties included; the mean loss of the batch."""
        device = self.images.device.type
        with torch.autocast(device, self.autocast, enabled=self.autocast is not None):
            logits = self.net(self.images)
            loss = self.loss(logits, self.targets)
        self.optimizer.zero_grad()
        (loss if self.weight is None else loss * self.weight).backward()  # type: ignore[no-untyped-call]
        for add_gradient in self.penalties:
            add_gradient()
        if self._first is None:
            self._first = loss.detach(), logits.detach()
        return loss.detach()

    def first_result(self) -> tuple[Tensor, Tensor]:
        """Loss and logits at the weights before the step, which count in the epoch's metrics."""
        if self._first is None:
            raise UserError("the training step never called batch.compute_gradients(), so nothing was trained")
        return self._first


def standard(batch: Batch) -> None:
    """The gradient of the batch, and the optimizer's step along it."""
    batch.compute_gradients()
    batch.optimizer.step()
