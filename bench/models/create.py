"""A model entry of the configuration to a network."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from bench.models import cnn, mlp, user  # noqa: F401 -- importing ours files them in MODELS
from bench.models.registry import MODELS, Factory, Shape
from bench.suite.errors import UserError, nearest


def create(
    entry: dict[str, Any],
    input_shape: Shape,
    classes: int,
    statistics: tuple[ArrayLike, ArrayLike] | None = None,
    overrides: dict[str, Any] | None = None,
    *,
    load_weights: bool = True,
) -> nn.Module:
    """Build the network of a configuration's model mapping.

    Start values come from PyTorch's global generator: seed it first.

    Parameters
    ----------
    entry : dict
        ``{"name": ..., **parameters}``; the name is one of ours, a timm model's or 'FILE.py:factory' /
        'package.module:factory'. A relative path starts from the current folder.
    input_shape : tuple of int
        Channels, height and width.
    statistics : tuple of array_like, optional
        Mean and standard deviation on the [0, 1] scale, broadcastable to `input_shape`; the network standardises
        its input with them.
    overrides : dict, optional
        ``{"dropout": rate}`` from the dropout regularizer, which wins over the entry's own (timm: `drop_rate`).
    load_weights : bool
        False leaves ``pretrained: true`` without its weights, for a check.

    Returns
    -------
    nn.Module
        Maps float32 pixels in [0, 1] (B, C, H, W) to logits (B, classes).

    Raises
    ------
    UserError
        An unknown name or parameter, or a network that cannot be built.
    """
    name = entry["name"]
    params = {key: value for key, value in entry.items() if key != "name"}
    overrides = overrides or {}
    if name in MODELS or user.is_user(name):
        factory = MODELS[name] if name in MODELS else user.load(name)
        net = _call(factory, name, params, overrides, input_shape, classes)
    else:
        renamed = {"drop_rate" if key == "dropout" else key: value for key, value in overrides.items()}
        net = _timm(name, params | renamed, input_shape, classes, load_weights)
    return net if statistics is None else _standardized(net, statistics, input_shape)


class Standardized(nn.Module):
    """A network behind ``(pixels - mean) / std``, so that it travels with its preprocessing."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Tensor, std: Tensor, net: nn.Module):
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)
        self.net = net

    def forward(self, pixels: Tensor) -> Tensor:
        logits: Tensor = self.net((pixels - self.mean) / self.std)
        return logits


def _standardized(net: nn.Module, statistics: tuple[ArrayLike, ArrayLike], input_shape: Shape) -> nn.Module:
    mean, std = (np.asarray(values, dtype=np.float32) for values in statistics)
    for values in (mean, std):
        if np.broadcast_shapes(values.shape, input_shape) != input_shape:
            raise ValueError(f"statistics of shape {values.shape} do not fit pictures of shape {input_shape}")
    if not mean.any() and (std == 1).all():
        return net
    return Standardized(torch.tensor(mean), torch.tensor(std), net)


def _timm(name: str, params: dict[str, Any], input_shape: Shape, classes: int, load_weights: bool) -> nn.Module:
    from bench.models.timm_models import is_timm, timm_model  # timm takes seconds to import, and ours do without

    if not is_timm(name):
        raise UserError(_unknown(name))
    return timm_model(name, params, input_shape, classes, load_weights=load_weights)


def _call(
    factory: Factory, name: str, params: dict[str, Any], overrides: dict[str, Any], input_shape: Shape, classes: int
) -> nn.Module:
    parameters = inspect.signature(factory).parameters
    missing = [key for key in overrides if key not in parameters]
    if missing:
        raise UserError(
            f"model {name!r} takes no {', '.join(missing)}, which the regularizer of that name sets; "
            f"give its factory a parameter {missing[0]!r} or leave the regularizer out"
        )
    arguments = params | overrides
    try:
        inspect.signature(factory).bind(input_shape, classes, **arguments)
    except TypeError as error:
        raise UserError(_wrong_parameter(factory, name, arguments, error)) from error
    try:
        net = factory(input_shape, classes, **arguments)
    except UserError:
        raise
    except (Exception, SystemExit) as error:
        place = user.place(error, user.locate(name)) if user.is_user(name) else ""
        raise UserError(f"model {name!r} cannot be built: {user.describe(error)}{place}") from error
    if not isinstance(net, nn.Module):
        raise UserError(f"model {name!r}: its factory returned {type(net).__name__}, expected a torch.nn.Module")
    return net


def _wrong_parameter(factory: Factory, name: str, arguments: dict[str, Any], error: TypeError) -> str:
    kinds = inspect.Parameter
    parameters = list(inspect.signature(factory).parameters.values())
    named = [p for p in parameters if p.kind in (kinds.POSITIONAL_OR_KEYWORD, kinds.KEYWORD_ONLY)]
    positional = [p for p in named if p.kind is kinds.POSITIONAL_OR_KEYWORD][:2]
    allowed = [p.name for p in named if p not in positional]
    message = f"model {name!r}: {error}; its parameters are {', '.join(allowed) or 'none'}"
    hints = [nearest(key, allowed) for key in arguments if key not in allowed]
    return "\n  ".join([message, *(hint for hint in hints if hint)])


def _unknown(name: str) -> str:
    message = (
        f"unknown model {name!r}; allowed: {', '.join(sorted(MODELS))}, any timm model, or your own 'FILE.py:factory'"
    )
    if name.endswith(".py"):
        return f"{message}\n  name the factory in the file: '{name}:FACTORY'"
    import timm

    hint = nearest(name, [*MODELS, *timm.list_models()])
    return f"{message}\n  {hint}" if hint else message
