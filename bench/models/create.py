"""A model entry of the configuration to a network."""

from __future__ import annotations

import inspect
from typing import Any

from numpy.typing import ArrayLike
from torch import nn

from bench.errors import UserError, nearest
from bench.models import convolutional, dense, resnets, user_model  # noqa: F401 -- importing ours files them in MODELS
from bench.models.inputs import behind, seen_shape
from bench.models.layers import MODELS, Factory, Shape
from bench.models.user_code import FILES, is_user
from bench.suite.arguments import accepted_types, fits, misfits

TIMM_NAMES = {"dropout": "drop_rate", "drop_path": "drop_path_rate"}
"""What regularizers set, by timm's name for it."""

SET_BY = {"dropout": "dropout", "drop_path": "stochastic_depth"}
"""What regularizers set, and which of them does."""


def create(
    entry: dict[str, Any],
    input_shape: Shape,
    classes: int,
    statistics: tuple[ArrayLike, ArrayLike] | None = None,
    overrides: dict[str, Any] | None = None,
    *,
    preprocessing: dict[str, Any] | None = None,
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
        Mean and standard deviation on the [0, 1] scale, as `preprocessing` needs them (`bench.data.scaling`);
        without them the network takes pixels as they are.
    overrides : dict, optional
        ``{"dropout": rate, "drop_path": rate}`` from regularizers, which win over the entry's own (timm: `drop_rate`
        and `drop_path_rate`).
    preprocessing : dict, optional
        The configuration's entry: what the network does with its input before its first layer; without one it
        standardises by `statistics`.
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
    preprocessing = preprocessing or {"name": "standardize"}
    seen = seen_shape(preprocessing, input_shape)
    name = entry["name"]
    params = {key: value for key, value in entry.items() if key != "name"}
    overrides = overrides or {}
    if name in MODELS or is_user(name):
        factory = MODELS[name] if name in MODELS else user_model.load(name)
        if is_user(name):
            params.pop(FILES, None)
        net = _call(factory, name, params, overrides, seen, classes)
    else:
        renamed = {TIMM_NAMES.get(key, key): value for key, value in overrides.items()}
        net = _timm(name, params | renamed, seen, classes, load_weights)
    return net if statistics is None else behind(preprocessing, net, statistics, input_shape)


def _timm(name: str, params: dict[str, Any], input_shape: Shape, classes: int, load_weights: bool) -> nn.Module:
    from bench.models.timm_models import is_timm, timm_model  # timm takes seconds to import, and ours do without

    if not is_timm(name):
        raise UserError(_unknown(name))
    params = user_model.with_unpacked_weights(name, params)
    return timm_model(name, params, input_shape, classes, load_weights=load_weights)


def _call(
    factory: Factory, name: str, params: dict[str, Any], overrides: dict[str, Any], input_shape: Shape, classes: int
) -> nn.Module:
    if is_user(name):
        _check_first_two(factory, name, input_shape, classes)
    parameters = inspect.signature(factory).parameters
    missing = [key for key in overrides if key not in parameters]
    if missing:
        raise UserError(
            f"model {name!r} takes no {missing[0]}, which the regularizer {SET_BY[missing[0]]} sets; "
            f"give its factory a parameter {missing[0]!r} or leave the regularizer out"
        )
    arguments = params | overrides
    try:
        inspect.signature(factory).bind(input_shape, classes, **arguments)
    except TypeError as error:
        raise UserError(_wrong_parameter(factory, name, arguments, error)) from error
    if wrong := misfits(arguments, accepted_types(factory)):
        more = "\n  the parameter's annotation in the factory, else its default, says what it takes"
        raise UserError(f"model {name!r}: {wrong}{more}")
    try:
        net = factory(input_shape, classes, **arguments)
    except UserError:
        raise
    except (Exception, SystemExit) as error:
        place = user_model.place(error, name) if is_user(name) else ""
        called = isinstance(error, TypeError) and is_user(name)
        call = f"\n  it was called with ({input_shape}, {classes}, ...)" if called else ""
        raise UserError(f"model {name!r} cannot be built: {user_model.describe(error)}{place}{call}") from error
    if not isinstance(net, nn.Module):
        raise UserError(f"model {name!r}: its factory returned {type(net).__name__}, expected a torch.nn.Module")
    return net


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
