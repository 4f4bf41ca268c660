"""Optimizers by name: torch's, or timm's where torch has none of that name."""

from __future__ import annotations

import contextlib
import functools
import inspect
import json
import math
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from bench import torch_compiler
from bench.components import AXES, is_user_defined
from bench.components.arguments import accepted_types, misfits
from bench.components.base import Component
from bench.components.user_defined import FILE, LibraryOptimizer, spelled_out, versions
from bench.errors import UserError, nearest
from bench.jsonutil import JsonObject
from bench.user_code.run_code import call_component, code_location, implementation

Groups = list[dict[str, Any]]
Factory = Callable[..., torch.optim.Optimizer]

UNFIT = {
    "adahessian": "needs second derivatives",
    "lbfgs": "evaluates the loss several times a step",
    "momentum": "is sgd; write {name: sgd, momentum: 0.9}",
    "nesterov": "is sgd; write {name: sgd, momentum: 0.9, nesterov: true}",
    "sparseadam": "takes sparse gradients only",
}
"""Optimizers that a plain training step cannot serve, or that are others under another name, and why."""

NOT_SETTINGS = {"params", "foreach", "fused", "capturable", "differentiable", "maximize"}
"""Parameters that say how an optimizer computes, which is decided here, or that would turn the descent around."""


def create(component: Component, groups: Groups) -> torch.optim.Optimizer:
    """The optimizer of a configuration, over parameter groups.

    Parameters that a library's optimizer is not given have the default of its own class.

    Raises
    ------
    UserError
        An unknown or unfit name, an unknown parameter, a value that the optimizer refuses, no learning rate, or weight
        decay in `groups` for an optimizer that has none; or the user's own code fails or returns no optimizer.
    """
    name = component.name
    factory = _factory(name) if isinstance(component, LibraryOptimizer) else implementation(component)
    torch_compiler.avoid_dynamo_import(factory if inspect.isclass(factory) else torch.optim.Optimizer)
    signature = inspect.signature(factory).parameters
    known = [key for key in signature if key not in NOT_SETTINGS]
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in signature.values())
    if not takes_any and "weight_decay" not in known and any("weight_decay" in group for group in groups):
        raise UserError(f"optimizer {name!r} has no weight decay: leave out that regularizer, or take l2")
    if component.user_code:
        optimizer = call_component(component, groups, **component.parameters)
        if not isinstance(optimizer, torch.optim.Optimizer):
            raise UserError(
                f"optimizer {name!r}: its factory returned {type(optimizer).__name__}, expected a "
                "torch.optim.Optimizer over the parameter groups that it was given"
            )
    else:
        optimizer = _create(component, factory, signature, known, groups)
    if any(group.get("lr") is None for group in optimizer.param_groups):
        raise UserError(
            f"optimizer {name!r} would set its learning rate by itself, and no schedule could act on it; "
            f"give it one: {{name: {name}, lr: 0.01}}"
        )
    return optimizer


def _create(
    component: Component, factory: Factory, signature: Mapping[str, Any], known: list[str], groups: Groups
) -> torch.optim.Optimizer:
    """An optimizer of torch or timm, once its parameters are known to be some that it takes."""
    name = component.name
    unknown = [key for key in component.parameters if key not in known]
    if unknown:
        hint = nearest(unknown[0], known)
        raise UserError(
            f"optimizer {name!r}: unknown parameter {unknown[0]!r}, allowed: {', '.join(known)}"
            + (f"\n  {hint}" if hint else "")
        )
    if wrong := misfits(component.parameters, accepted_types(factory)):
        raise UserError(f"optimizer {name!r}: {wrong}")
    # A suite file has lists only; torch takes pairs such as betas as tuples.
    parameters = {
        key: tuple(value) if isinstance(value, list) else value for key, value in component.parameters.items()
    }
    # One fused kernel per step instead of several per tensor; CPU and CUDA both have it.
    fused = {"fused": True} if "fused" in signature else {}
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*opt_einsum")  # kron works without, and its users cannot act
            return factory(groups, **parameters, **fused)
    except (TypeError, ValueError, AssertionError, IndexError) as error:  # the last for too few betas
        raise UserError(f"optimizer {name!r} does not accept {parameters}: {error}") from error


def resolved(component: JsonObject) -> JsonObject:
    """The entry with all that is left to its class spelled out; those with a component class, and the user's own, come
    back unchanged.

    Raises
    ------
    UserError
        An unknown or unfit name; parameters are left to `check`.
    """
    if component["name"] in AXES["optimizer"] or is_user_defined(component["name"]):
        return component
    return spelled_out(component, defaults_of(component["name"]))


def defaults_of(name: str) -> JsonObject:
    """The defaults of an optimizer's class that are plain values; UserError as `resolved` has it."""
    signature = inspect.signature(_factory(name)).parameters
    defaults = {key: p.default for key, p in signature.items() if key not in NOT_SETTINGS and _is_plain(p.default)}
    return {key: list(value) if isinstance(value, tuple) else value for key, value in defaults.items()}


def write_defaults() -> None:
    """Write the file from which `bench.components.user_defined` knows the installed libraries' defaults."""
    lines = []
    for name in names():
        with contextlib.suppress(UserError):  # of what cannot be used on this machine
            lines.append(f"{json.dumps(name)}: {json.dumps(defaults_of(name))}")
    text = ",\n".join(lines)
    FILE.write_text(f'{{"versions": {json.dumps(versions())},\n"defaults": {{\n{text}\n}}}}\n')


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


def check(component: Component, decay: float | None = None, kernels_only: bool = False) -> None:
    """UserError unless `create` can build the optimizer and it can take a step, tried on one small layer.

    Muon leaves matrices of fewer than four rows to another optimizer, and would not look at its parameters there.

    An optimizer that compiles its step takes it as plain Python here, and a compiler must be there for the real ones.
    """
    layer = nn.Linear(8, 8, device="meta").to_empty(device="cpu")  # draws nothing from the global random state
    for parameter in layer.parameters():
        parameter.data.fill_(1.0)
        parameter.grad = torch.ones_like(parameter)
    optimizer = create(component, parameter_groups(layer, decay, kernels_only))
    try:
        _step(optimizer)
    except Exception as error:
        raise UserError(
            f"optimizer {component.name!r} cannot take a step: {error}{code_location(component, error)}"
        ) from error


def _step(optimizer: torch.optim.Optimizer) -> None:
    """A step; one that the optimizer compiles (kron) as plain Python, which saves ten seconds and more."""
    if not any(hasattr(value, "_torchdynamo_orig_callable") for value in vars(optimizer).values()):
        optimizer.step()
        return
    from torch._inductor.cpp_builder import get_cpp_compiler

    with torch.compiler.set_stance("force_eager"):
        optimizer.step()
    get_cpp_compiler()  # raises where there is none, as compiling would


def names() -> list[str]:
    """Every name `create` knows, sorted."""
    from timm.optim import list_optimizers  # type: ignore[attr-defined]

    return sorted({*_torch_optimizers(), *map(str, list_optimizers())} - UNFIT.keys())


def _factory(name: str) -> Factory:
    lower = name.lower()
    if lower in UNFIT:
        raise UserError(f"optimizer {name!r} cannot be used here: it {UNFIT[lower]}; `bench list optimizers` shows all")
    if lower in _torch_optimizers():
        return _torch_optimizers()[lower]
    from timm.optim import get_optimizer_class, list_optimizers  # type: ignore[attr-defined]

    if lower not in list_optimizers():
        hint = nearest(name, names())
        raise UserError(
            f"there is no optimizer {name!r} in torch or timm"
            + (f"\n  {hint}" if hint else "")
            + "\n  `bench list optimizers` shows all"
        )
    try:
        # The class itself: timm's own factory would set a momentum of 0.9 that the class's documentation has not.
        factory: Factory = get_optimizer_class(lower)
        if "muon" in lower:  # muon, nmuon, adamuon, nadamuon, where timm has them
            from bench.training.muon import Muon

            factory = functools.partial(Muon, **getattr(factory, "keywords", {}))
    except (AssertionError, ImportError) as error:  # no CUDA, or a package that timm wraps
        raise UserError(f"optimizer {name!r} cannot be used on this machine: {error}") from error
    return factory


def _is_plain(value: Any) -> bool:
    """Whether JSON can hold it, a tuple as a list; a parameter's missing default is not plain."""
    if isinstance(value, tuple | list):
        return all(map(_is_plain, value))
    return isinstance(value, bool | int | str | None) or (isinstance(value, float) and math.isfinite(value))


def _torch_optimizers() -> dict[str, Factory]:
    """Class by lower-case name, without Muon: torch's takes matrices alone, timm's of that name takes biases too."""
    base = torch.optim.Optimizer
    classes = [value for value in vars(torch.optim).values() if inspect.isclass(value) and issubclass(value, base)]
    return {kind.__name__.lower(): kind for kind in classes if kind is not base and kind.__name__ != "Muon"}
