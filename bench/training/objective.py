"""What is minimized: losses on logits, and regularizers.

Losses are against labels or against class probabilities of mixed images. A regularizer sets something of the model, the
optimizer, the loss, the gradients or the weights.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.components.base import Component
from bench.components.optimization import Layers
from bench.errors import UserError
from bench.models.count_operations import kernels
from bench.user_code.run_code import call_component, code_location, implementation

Loss = Callable[[Tensor, Tensor], Tensor]
"""From logits (B, classes) and labels (B,), or targets (B, classes) that sum to 1, to the mean loss of the batch."""

CLIP = 1e-7
"""Keras's epsilon: probabilities stay this far from 0 and 1 before their logarithm is taken."""


def create_loss(component: Component, label_smoothing: float) -> Loss:
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


def check_loss(component: Component, label_smoothing: float, classes: int, mixed: bool) -> None:
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
            partial(create_loss(component, smoothing), logits, targets),
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


Penalty = Callable[[nn.Module, int], Callable[[], None]]
"""From a model and its number of classes to a function that adds the penalty's gradient to its kernels' gradients."""

Constraint = Callable[[nn.Module, int], Callable[[], None]]
"""From a model and its number of classes to a function that brings its kernels back to where they may be."""


@dataclass(frozen=True)
class RegularizerSpec:
    """What the regularizers of one configuration set, together."""

    model: dict[str, float] = field(default_factory=dict)
    weight_decay: float | None = None
    kernels_only: bool = False
    label_smoothing: float = 0.0
    penalties: tuple[Penalty, ...] = ()
    constraints: tuple[Constraint, ...] = ()


def combine(components: Sequence[Component]) -> RegularizerSpec:
    """What all regularizers of a configuration set; no two of them set the same thing."""
    specs = [create_regularizer(component) for component in components]
    return RegularizerSpec(
        model={key: value for spec in specs for key, value in spec.model.items()},
        weight_decay=next((spec.weight_decay for spec in specs if spec.weight_decay is not None), None),
        kernels_only=any(spec.kernels_only for spec in specs),
        label_smoothing=sum(spec.label_smoothing for spec in specs),
        penalties=tuple(penalty for spec in specs for penalty in spec.penalties),
        constraints=tuple(constraint for spec in specs for constraint in spec.constraints),
    )


def create_regularizer(component: Component) -> RegularizerSpec:
    """What one regularizer sets; the user's own gives a penalty, ``penalty(model)``, that is added to the loss."""
    spec = call_component(component, **component.parameters)
    if isinstance(spec, RegularizerSpec):
        return spec
    if not callable(spec):
        raise UserError(
            f"regularizer {component.name!r}: its factory returned {type(spec).__name__}, expected a function that "
            "gives the penalty of a model"
        )
    return RegularizerSpec(penalties=(_user_penalty(spec),))


def check_regularizer(component: Component, model: nn.Module) -> None:
    """UserError unless the penalty of the user's own regularizer is one number that has a gradient."""
    penalty = call_component(component, **component.parameters)
    if isinstance(penalty, RegularizerSpec) or component.user_code is None:
        return
    expected = "a tensor with one number that depends on the model's parameters"
    check_scalar(component, partial(penalty, model), "this model", expected)


def _user_penalty(penalty_of: Callable[[nn.Module], Tensor]) -> Penalty:
    """A penalty from its value, whose gradient is added to the parameters' gradients."""

    def penalty(model: nn.Module, classes: int) -> Callable[[], None]:  # noqa: ARG001
        parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]

        def add_gradient() -> None:
            gradients = torch.autograd.grad(penalty_of(model), parameters, allow_unused=True)
            for parameter, gradient in zip(parameters, gradients, strict=True):
                if gradient is not None:
                    parameter.grad = gradient if parameter.grad is None else parameter.grad + gradient

        return add_gradient

    return penalty


def l1(*, strength: float, layers: Layers) -> RegularizerSpec:
    """strength * sum(|w|) in the loss: a gradient of strength * sign(w) (Keras's `regularizers.l1`)."""

    def add(gradients: list[Tensor], weights: list[Tensor]) -> None:
        torch._foreach_add_(gradients, torch._foreach_sign(weights), alpha=strength)

    return _penalty(add, layers)


def l2(*, strength: float, layers: Layers) -> RegularizerSpec:
    """strength * sum(w^2) in the loss: a gradient of 2 * strength * w (Keras's `regularizers.l2`)."""

    def add(gradients: list[Tensor], weights: list[Tensor]) -> None:
        torch._foreach_add_(gradients, weights, alpha=2 * strength)

    return _penalty(add, layers)


def elastic_net(*, l1: float, l2: float, layers: Layers) -> RegularizerSpec:
    """l1 * sum(|w|) + l2 * sum(w^2) in the loss (Keras's `regularizers.l1_l2`)."""

    def add(gradients: list[Tensor], weights: list[Tensor]) -> None:
        torch._foreach_add_(gradients, torch._foreach_sign(weights), alpha=l1)
        torch._foreach_add_(gradients, weights, alpha=2 * l2)

    return _penalty(add, layers)


def max_norm(*, max_value: float, layers: Layers) -> RegularizerSpec:
    """Weights into a unit longer than `max_value` are scaled down to it after each step (Srivastava et al. 2014).

    Keras's `MaxNorm` along the input axis of a dense kernel, axes [0, 1, 2] of a convolution's.
    """

    def constraint(model: nn.Module, classes: int) -> Callable[[], None]:
        weights = kernels(model, layers, classes)

        @torch.no_grad()
        def shorten() -> None:
            for weight in weights:
                weight.renorm_(2, 0, max_value)

        return shorten

    return RegularizerSpec(constraints=(constraint,))


def weight_decay(*, strength: float, kernels_only: bool) -> RegularizerSpec:
    """The optimizer's own weight decay (PyTorch's sense)."""
    return RegularizerSpec(weight_decay=strength, kernels_only=kernels_only)


def dropout(*, rate: float) -> RegularizerSpec:
    """The model's own parameter `dropout`."""
    return RegularizerSpec(model={"dropout": rate})


def stochastic_depth(*, rate: float) -> RegularizerSpec:
    """The model's own parameter `drop_path` (Huang et al. 2016, arXiv 1603.09382)."""
    return RegularizerSpec(model={"drop_path": rate})


def label_smoothing(*, amount: float) -> RegularizerSpec:
    """(1 - amount) of a label's weight stays on it, the rest is spread over all classes evenly, its own included."""
    return RegularizerSpec(label_smoothing=amount)


def _penalty(add: Callable[[list[Tensor], list[Tensor]], None], layers: Layers) -> RegularizerSpec:
    """A penalty from what it adds to the gradients of its kernels; nothing where the network has no such kernels.

    Adding the gradient costs one pass over the kernels; adding the term to the loss costs several and gives the same
    update.
    """

    def penalty(model: nn.Module, classes: int) -> Callable[[], None]:
        weights: list[Tensor] = list(kernels(model, layers, classes))

        @torch.no_grad()
        def add_gradient() -> None:
            if weights:
                add(_gradients(weights), weights)

        return add_gradient

    return RegularizerSpec(penalties=(penalty,))


def _gradients(weights: list[Tensor]) -> list[Tensor]:
    """The gradients of the weights; zeros where the loss does not depend on one (the penalty still does)."""
    for weight in weights:
        if weight.grad is None:
            weight.grad = torch.zeros_like(weight)
    return [weight.grad for weight in weights if weight.grad is not None]
