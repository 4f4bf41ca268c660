"""Losses on logits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch.nn import functional as F

from bench.training.registry import registrar

Loss = Callable[[Tensor, Tensor], Tensor]
"""From logits (B, classes) and labels (B,) to the mean loss of the batch."""

LOSSES: dict[str, Callable[..., Loss]] = {}

register_loss = registrar(LOSSES, "losses")


def create(entry: dict[str, Any], label_smoothing: float) -> Loss:
    parameters = {key: value for key, value in entry.items() if key != "name"}
    return LOSSES[entry["name"]](label_smoothing=label_smoothing, **parameters)


@register_loss
def cross_entropy(*, label_smoothing: float) -> Loss:
    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(logits, labels, label_smoothing=label_smoothing)

    return loss
