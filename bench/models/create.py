"""A model component to a network."""

from __future__ import annotations

import inspect
from typing import Any

from torch import nn

from bench.components import AXES
from bench.components.arguments import accepted_types, fits
from bench.components.base import Component
from bench.components.user_defined import LibraryModel
from bench.errors import UserError, nearest
from bench.models.layers import Factory, Shape
from bench.user_code import run_code
from bench.user_code.implementations import call_component, implementation

TIMM_NAMES = {"dropout": "drop_rate", "drop_path": "drop_path_rate"}
"""What regularizers set, by timm's name for it."""

SET_BY = {"dropout": "dropout", "drop_path": "stochastic_depth"}
"""What regularizers set, and which of them does."""


def create(
    component: Component,
    input_shape: Shape,
    classes: int,
    overrides: dict[str, Any] | None = None,
    *,
    load_weights: bool = True,
) -> nn.Module:
    """Build the network of a configuration's model.

    Start values come from PyTorch's global generator: seed it first.

    Parameters
    ----------
    input_shape : tuple of int
        Channels, height and width of what preprocessing makes of the images.
    overrides : dict, optional
        ``{"dropout": rate, "drop_path": rate}`` from regularizers, which win over the component's parameters (timm:
        `drop_rate` and `drop_path_rate`).
    load_weights : bool
        False leaves ``pretrained: true`` without its weights, for a check.

    Returns
    -------
    nn.Module
        Maps float32 (B, *input_shape) to logits (B, classes).

    Raises
    ------
    UserError
        An unknown name or parameter, or a network that cannot be built.
    """
    overrides = overrides or {}
    if isinstance(component, LibraryModel):
        renamed = {TIMM_NAMES.get(key, key): value for key, value in overrides.items()}
        return _timm(component.name, component.parameters | renamed, input_shape, classes, load_weights)
    factory = implementation(component)
    if component.user_code:
        _check_first_two(factory, component.name, input_shape, classes)
    missing = [key for key in overrides if key not in inspect.signature(factory).parameters]
    if missing:
        raise UserError(
            f"model {component.name!r} takes no {missing[0]}, which the regularizer {SET_BY[missing[0]]} sets; "
            f"give its factory a parameter {missing[0]!r} or leave the regularizer out"
        )
    net = call_component(component, input_shape, classes, **(component.parameters | overrides))
    if not isinstance(net, nn.Module):
        raise UserError(
            f"model {component.name!r}: its factory returned {type(net).__name__}, expected a torch.nn.Module"
        )
    return net


def _timm(name: str, params: dict[str, Any], input_shape: Shape, classes: int, load_weights: bool) -> nn.Module:
    from bench.models.timm_models import is_timm, timm_model  # timm takes seconds to import, and ours do without

    if not is_timm(name):
        raise UserError(_unknown(name))
    params = run_code.with_unpacked_weights(name, params)
    return timm_model(name, params, input_shape, classes, load_weights=load_weights)


def _check_first_two(factory: Factory, name: str, input_shape: Shape, classes: int) -> None:
    """UserError for a user's factory that cannot take the images' shape and the number of classes, in this order."""
    if isinstance(factory, nn.Module):
        raise UserError(f"model {name!r} is a network that is built already; name the function or class that builds it")
    kinds = inspect.Parameter
    parameters = list(inspect.signature(factory).parameters.values())
    if any(p.kind is kinds.VAR_POSITIONAL for p in parameters):
        return
    first = [p.name for p in parameters if p.kind in (kinds.POSITIONAL_ONLY, kinds.POSITIONAL_OR_KEYWORD)][:2]
    types = accepted_types(factory)
    elsewhere = {p.name for p in parameters[2:]} & {"input_shape", "classes", "num_classes", "n_classes"}
    if (
        len(first) == 2
        and fits(list(input_shape), types.get(first[0]))
        and fits(classes, types.get(first[1]))
        and not elsewhere
    ):
        return
    written = (
        "def __init__(self, input_shape, classes, ...)" if isinstance(factory, type) else "(input_shape, classes, ...)"
    )
    raise UserError(
        f"model {name!r}: its first two parameters must take the images' shape, {input_shape} here, and the number "
        f"of classes, {classes}; it has ({', '.join(map(str, parameters))})\n  write {written}"
    )


def _unknown(name: str) -> str:
    names = ", ".join(sorted(AXES["model"]))
    message = f"unknown model {name!r}; allowed: {names}, any timm model, or your own 'FILE.py:factory'"
    if name.endswith(".py"):
        return f"{message}\n  name the factory in the file: '{name}:FACTORY'"
    import timm

    hint = nearest(name, [*AXES["model"], *timm.list_models()])
    return f"{message}\n  {hint}" if hint else message
