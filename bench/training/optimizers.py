"""Optimizers by name: ours for the parameters a suite file checks, then torch's, then timm's."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn

from bench.suite.errors import UserError, nearest

Groups = list[dict[str, Any]]
NEED_CLOSURES = {"lbfgs", "sparseadam"}


def create(entry: dict[str, Any], groups: Groups) -> torch.optim.Optimizer:
    """The optimizer that a configuration's `optimizer` entry names, over parameter groups.

    torch's implementation comes first, timm's where torch has none of that name. UserError when neither
    knows the name or the parameters do not fit.
    """
    parameters = {key: value for key, value in entry.items() if key != "name"}
    if "betas" in parameters:
        parameters["betas"] = tuple(parameters["betas"])
    name = entry["name"]
    factory = _torch_optimizers().get(name.lower())
    try:
        if factory is not None:
            # One fused kernel per step instead of several per tensor; CPU and CUDA both have it.
            fused = {"fused": True} if "fused" in inspect.signature(factory).parameters else {}
            return factory(groups, **parameters, **fused)
        return _from_timm(name, groups, parameters)
    except (TypeError, ValueError, AssertionError) as error:
        known = _parameters(factory) if factory else []
        unknown = [key for key in parameters if known and key not in known]
        allowed = f"\n  allowed: {', '.join(known)}" if known else ""
        if unknown:
            hint = nearest(unknown[0], known)
            raise UserError(
                f"optimizer {name!r}: unknown parameter {unknown[0]!r}{allowed}{f'{chr(10)}  {hint}' if hint else ''}"
            ) from error
        raise UserError(f"optimizer {name!r} does not accept {parameters}: {error}{allowed}") from error


def parameter_groups(model: nn.Module, decay: float | None, kernels_only: bool) -> Groups:
    """All trainable parameters in one group, or split where `decay` spares biases and normalisation."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    if decay is None:
        return [{"params": parameters}]
    if not kernels_only:
        return [{"params": parameters, "weight_decay": decay}]
    kernels = [p for p in parameters if p.ndim > 1]
    others = [p for p in parameters if p.ndim <= 1]
    return [{"params": kernels, "weight_decay": decay}, {"params": others, "weight_decay": 0.0}]


def check(entry: dict[str, Any]) -> None:
    """UserError unless `create` can build the optimizer (tried on one small matrix)."""
    create(entry, [{"params": [nn.Parameter(torch.zeros(2, 2))]}])


def names() -> list[str]:
    """Every name `create` knows, sorted."""
    import timm.optim

    return sorted({*_torch_optimizers(), *timm.optim.list_optimizers()})


def _torch_optimizers() -> dict[str, Callable[..., torch.optim.Optimizer]]:
    return {
        name.lower(): value
        for name, value in vars(torch.optim).items()
        if inspect.isclass(value)
        and issubclass(value, torch.optim.Optimizer)
        and value is not torch.optim.Optimizer
        and name.lower() not in NEED_CLOSURES
    }


def _from_timm(name: str, groups: Groups, parameters: dict[str, Any]) -> torch.optim.Optimizer:
    import timm.optim

    if name.lower() not in timm.optim.list_optimizers():
        hint = nearest(name, names())
        raise UserError(
            f"there is no optimizer {name!r} in torch or timm{f'{chr(10)}  {hint}' if hint else ''}\n"
            "  `bench list optimizers` shows all"
        )
    optimizer = timm.optim.create_optimizer_v2(groups, opt=name.lower(), **parameters)
    assert isinstance(optimizer, torch.optim.Optimizer)
    return optimizer


def _parameters(factory: Callable[..., Any]) -> list[str]:
    hidden = {"params", "foreach", "fused", "capturable", "differentiable", "maximize", "self"}
    found: Iterable[str] = inspect.signature(factory).parameters
    return [name for name in found if name not in hidden]
