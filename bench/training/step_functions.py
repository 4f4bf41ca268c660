"""How is a batch trained on? A step computes gradients as often as it needs them and lets the optimizer move once."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from bench.components.base import Component
from bench.errors import UserError
from bench.training.objective import Loss
from bench.user_code.run_code import check_parameters, code_location, implementation


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


Step = Callable[[Batch], object]


def create(component: Component) -> Step:
    """The step of a configuration."""
    return functools.partial(implementation(component), **component.parameters)


def check(component: Component) -> None:
    """UserError unless the user's own step trains a small network on four images: it has to change its weights."""
    if component.user_code is None:
        return
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 3))
    before = [parameter.detach().clone() for parameter in model.parameters()]
    batch = Batch(
        net=model,
        model=model,
        optimizer=torch.optim.SGD(model.parameters(), lr=0.1),
        loss=nn.functional.cross_entropy,
        images=torch.rand(4, 1, 2, 2),
        targets=torch.tensor([0, 1, 2, 0]),
        penalties=[],
        weight=None,
        autocast=None,
    )
    check_parameters(component, implementation(component), (batch,), component.parameters)
    try:
        create(component)(batch)
        batch.first_result()
    except UserError as error:
        raise UserError(f"step {component.name!r}: {error}") from error
    except Exception as error:
        raise UserError(
            f"step {component.name!r} fails: {type(error).__name__}: {error}{code_location(component, error)}"
        ) from error
    if all(torch.equal(old, new) for old, new in zip(before, model.parameters(), strict=True)):
        raise UserError(
            f"step {component.name!r} changes no weight of a small network: call batch.compute_gradients(), then "
            "batch.optimizer.step()"
        )


def standard(batch: Batch) -> None:
    """The gradient of the batch, and the optimizer's step along it."""
    batch.compute_gradients()
    batch.optimizer.step()


def clip(batch: Batch, *, max_norm: float) -> None:
    """The gradient scaled down to the Euclidean norm `max_norm` where it is longer, then the optimizer's step."""
    batch.compute_gradients()
    gradients = [weight.grad for weight in batch.model.parameters() if weight.grad is not None]
    norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
    torch._foreach_mul_(gradients, (max_norm / (norm + 1e-6)).clamp(max=1.0))  # as torch's clip_grad_norm_
    batch.optimizer.step()


def sam(batch: Batch, *, rho: float) -> None:
    """Sharpness-aware minimization (Foret et al. 2021, arXiv 2010.01412, algorithm 1).

    The gradient g leads to the point at the distance `rho` from the weights w where the loss is largest to first order,
    w + rho * g / |g|; the gradient there, and the optimizer's step from w along it. Running statistics of batch
    normalisation are those of the first pass, as in the authors' code. Each step costs two passes.
    """
    batch.compute_gradients()
    with torch.no_grad():
        weights: list[Tensor] = [weight for weight in batch.model.parameters() if weight.grad is not None]
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
        before = [weight.clone() for weight in weights]
        torch._foreach_add_(weights, list(torch._foreach_mul(gradients, rho / (norm + 1e-12))))
    with _running_statistics_kept(batch.model):
        batch.compute_gradients()
    with torch.no_grad():
        torch._foreach_copy_(weights, before)
    batch.optimizer.step()


@contextlib.contextmanager
def _running_statistics_kept(model: nn.Module) -> Iterator[None]:
    """Let no forward pass change the running mean and variance of batch normalisation."""
    norms = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
