"""Losses on logits, against labels or against class probabilities of mixed images."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

from bench.components.base import Component
from bench.errors import UserError
from bench.user_code.implementations import call_component, code_location, implementation

Loss = Callable[[Tensor, Tensor], Tensor]
"""From logits (B, classes) and labels (B,), or targets (B, classes) that sum to 1, to the mean loss of the batch."""

CLIP = 1e-7
"""Keras's epsilon: probabilities stay this far from 0 and 1 before their logarithm is taken."""


def create(component: Component, label_smoothing: float) -> Loss:
    """A configuration's loss; UserError where the user's own is no function, or takes no label smoothing and is to."""
    parameters = component.parameters
    if component.user_code is None or "label_smoothing" in inspect.signature(implementation(component)).parameters:
        parameters["label_smoothing"] = label_smoothing
    elif label_smoothing:
        raise UserError(
            f"loss {component.name!r} takes no label_smoothing, which the regularizer label_smoothing sets; give its "
            "factory a parameter 'label_smoothing' or leave the regularizer out"
        )
    loss = call_component(component, **parameters)
    if not callable(loss):
        raise UserError(
            f"loss {component.name!r}: its factory returned {type(loss).__name__}, expected a function "
            "(logits, targets) that returns the mean loss of the batch"
        )
    return loss  # type: ignore[no-any-return]


def check(component: Component, label_smoothing: float, classes: int, mixed: bool) -> None:
    """UserError unless the loss gives one number with a gradient, tried on four images.

    Where images are `mixed`, targets are class probabilities (B, classes), else labels (B,); evaluation uses labels.
    """
    logits = torch.linspace(-1, 1, 4 * classes).view(4, classes).requires_grad_()
    labels = torch.arange(4) % classes
    for smoothing, targets in [
        (0.0, labels),
        (label_smoothing, _targets(labels, logits.detach(), 0.0) if mixed else labels),
    ]:
        check_scalar(
            component,
            partial(create(component, smoothing), logits, targets),
            f"targets of shape {tuple(targets.shape)}",
            "the mean loss of the batch: a tensor with one number that depends on the logits",
        )


def check_scalar(component: Component, compute: Callable[[], object], argument: str, expected: str) -> None:
    """UserError unless a loss or a penalty of the user's own gives one number with a gradient for this argument."""
    title = f"{component.axis} {component.name!r}"
    try:
        value = compute()
    except Exception as error:
        raise UserError(
            f"{title} fails on {argument}: {type(error).__name__}: {error}{code_location(component, error)}"
        ) from error
    if not isinstance(value, Tensor) or value.ndim != 0 or not value.requires_grad:
        returned = f"a tensor of shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
        without = ", without a gradient" if isinstance(value, Tensor) and not value.requires_grad else ""
        raise UserError(f"{title} gives {returned}{without}, expected {expected}")


def cross_entropy(*, label_smoothing: float) -> Loss:
    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(logits, labels, label_smoothing=label_smoothing)

    return loss


def binary_cross_entropy(*, label_smoothing: float, outputs: str) -> Loss:
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
