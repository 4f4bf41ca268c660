"""Losses on logits, against labels or against class probabilities of mixed images."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from bench.training.function_registry import registrar

Loss = Callable[[Tensor, Tensor], Tensor]
"""From logits (B, classes) and labels (B,), or targets (B, classes) that sum to 1, to the mean loss of the batch."""

CLIP = 1e-7
"""Keras's epsilon: probabilities stay this far from 0 and 1 before their logarithm is taken."""

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


@register_loss
def binary_cross_entropy(*, label_smoothing: float, outputs: str = "softmax") -> Loss:
    """-(t log p + (1 - t) log(1 - p)) of probabilities p and targets t, the mean over the classes.

    p is the softmax, clipped as Keras clips (no gradient at the ends), or the sigmoid of each logit. The latter is what
    Keras's binary_crossentropy computes behind either activation: it finds the logits and drops the softmax
    (`_get_logits` in keras/src/backend/tensorflow/nn.py).
    """

    def of_softmax(logits: Tensor, labels: Tensor) -> Tensor:
        p = _probabilities(logits).clamp(CLIP, 1 - CLIP)
        t = _targets(labels, p, label_smoothing)
        return -(t * p.log() + (1 - t) * (1 - p).log()).mean()

    def of_sigmoid(logits: Tensor, labels: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(logits, _targets(labels, logits, label_smoothing))

    return of_sigmoid if outputs == "sigmoid" else of_softmax


@register_loss
def mean_squared_error(*, label_smoothing: float) -> Loss:
    """(t - p)^2 of the softmax's probabilities p and targets t, the mean over the classes."""

    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        p = _probabilities(logits)
        return (p - _targets(labels, p, label_smoothing)).square().mean()

    return loss


def _probabilities(logits: Tensor) -> Tensor:
    """Of the softmax, in float32 also where mixed precision has made the logits shorter."""
    return logits.softmax(1, dtype=torch.promote_types(logits.dtype, torch.float32))


def _targets(labels: Tensor, like: Tensor, label_smoothing: float) -> Tensor:
    """Labels (B,) as rows with a 1, or targets as they are, smoothed: (B, classes)."""
    # F.one_hot would wait for the device to look for labels that are out of range.
    targets = labels if labels.ndim > 1 else torch.zeros_like(like).scatter_(1, labels[:, None], 1.0)
    return targets * (1 - label_smoothing) + label_smoothing / like.shape[1]
