"""A model component to a network, and whether it works on images of a shape, asked before anything is trained."""

from __future__ import annotations

import contextlib
import inspect
import itertools
import random
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from bench.components import AXES
from bench.components.arguments import accepted_types, fits
from bench.components.base import Component
from bench.components.user_defined import LibraryModel
from bench.errors import UserError, nearest
from bench.models.layers import Factory, Shape
from bench.user_code import run_code
from bench.user_code.run_code import call_component, code_location, implementation


def check(
    component: Component, input_shape: Shape, classes: int, overrides: Mapping[str, float] | None = None
) -> nn.Module:
    """Build the network and run two random images through it, or say clearly why that fails.

    Parameters are those of `create`. Built-in networks and timm's run on the meta device (shapes, no numbers), where
    large ones cost no memory; user-defined ones run for real. Pretrained weights are not loaded. PyTorch's global
    random state is left as it was.

    Returns
    -------
    nn.Module
        The network, for questions about its layers; its weights may have no values.

    Raises
    ------
    UserError
        Everything `create` raises, a forward pass that fails, or an output that is not float logits of shape
        (2, classes).
    """
    with torch.random.fork_rng(devices=[]):
        if component.user_code:
            return _check_twice(component, input_shape, classes, overrides)
        try:
            return _check_on("meta", component, input_shape, classes, overrides)
        except UserError as error:
            if not _blames_meta(error.__cause__):
                raise
            return _check_on("cpu", component, input_shape, classes, overrides)


def check_single_image_batch(
    component: Component, input_shape: Shape, classes: int, overrides: Mapping[str, float] | None = None
) -> None:
    """UserError for a network that cannot be trained on one image at a time, as batch normalisation of vectors.

    Parameters are those of `create`; a network that fails otherwise is `check`'s to tell.
    """
    with torch.random.fork_rng(devices=[]), torch.device("cpu" if component.user_code else "meta"):
        try:
            net = create(component, input_shape, classes, overrides=overrides, load_weights=False).train()
            with torch.no_grad():
                net(torch.rand(1, *input_shape))
        except ValueError as error:
            if "more than 1 value per channel" in str(error):
                raise UserError(
                    f"model {component.name!r} cannot be trained on batches of one image, of which batch "
                    "normalisation has no variance; take a `batch_size` of at least 2"
                ) from error
        except Exception:
            return


def _blames_meta(cause: BaseException | None) -> bool:
    """Some operations have no meta version, or need a number; that says nothing about the network."""
    return isinstance(cause, NotImplementedError) or (cause is not None and "meta" in str(cause).lower())


def _check_on(
    device: str, component: Component, input_shape: Shape, classes: int, overrides: Mapping[str, float] | None
) -> nn.Module:
    name = component.name
    with torch.device(device):
        net = create(component, input_shape, classes, overrides=overrides, load_weights=False).eval()
        pixels = torch.rand(2, *input_shape)
    try:
        with torch.inference_mode():
            logits = net(pixels)
    except (Exception, SystemExit) as error:
        raise UserError(
            f"model {name!r} cannot take images of {' x '.join(map(str, input_shape))} (channels, height, width): "
            f"{run_code.describe(error)}{_location_or_advice(component, error)}"
        ) from error
    _check_logits(name, logits, classes)
    tensors = itertools.chain(net.named_parameters(), net.named_buffers())
    if lazy := next((key for key, value in tensors if is_lazy(value)), None):
        raise UserError(
            f"model {name!r} has a lazy layer that no image passes through, so that {lazy} has no shape\n"
            "  leave the layer out, or give its shape"
        )
    return net


def _check_twice(
    component: Component, input_shape: Shape, classes: int, overrides: Mapping[str, float] | None
) -> nn.Module:
    """The user's network, which has to come out the same and anew each time that it is built with the same seed.

    A refit builds it a second time, and a run that goes on inside a refit builds it once.
    """
    name = component.name
    random_states = random.getstate(), np.random.get_state()
    try:
        nets = []
        for _ in range(2):
            torch.manual_seed(0)
            random.seed(0)
            np.random.seed(0)
            nets.append(_check_on("cpu", component, input_shape, classes, overrides))
    finally:
        random.setstate(random_states[0])
        np.random.set_state(random_states[1])
    first, second = (_tensors(net) for net in nets)
    trained = {value.untyped_storage().data_ptr() for value in first.values() if value.requires_grad and value.numel()}
    for key, value in second.items():
        if value.requires_grad and value.untyped_storage().data_ptr() in trained:
            raise UserError(
                f"model {name!r} does not give a new network each time: {key} is shared with the network before, whose "
                "training would go on in it\n  build all layers in the factory, or copy.deepcopy what it starts from"
            )
    different = next((key for key in first if key not in second or not _same(first[key], second[key])), None)
    if different or len(first) != len(second):
        raise UserError(
            f"model {name!r} is not the same network when it is built twice with one seed"
            f"{f': {different} differs' if different else ''}\n"
            "  bench seeds the global generators of torch, random and numpy before it is built: draw from these, in "
            "the factory, and leave none of its tensors empty"
        )
    return nets[0]


def _tensors(net: nn.Module) -> dict[str, Tensor]:
    """A network's parameters and buffers by name, those that are dense."""
    tensors = dict(net.named_parameters()) | dict(net.named_buffers())
    return {key: value for key, value in tensors.items() if value.layout is torch.strided}


def _same(first: Tensor, second: Tensor) -> bool:
    if first.is_floating_point() and second.is_floating_point():
        first, second = first.nan_to_num(), second.nan_to_num()
    return torch.equal(first, second)


def _check_logits(name: str, logits: object, classes: int) -> None:
    if not isinstance(logits, Tensor):
        raise UserError(f"model {name!r} returns {type(logits).__name__}, expected one tensor of logits")
    if logits.shape != (2, classes):
        raise UserError(
            f"model {name!r} returns shape {tuple(logits.shape)} for 2 images, expected (2, {classes}): "
            "one logit for each image and class"
        )
    if not logits.is_floating_point():
        raise UserError(f"model {name!r} returns {logits.dtype}, expected floating-point logits")


def _location_or_advice(component: Component, error: BaseException) -> str:
    if component.user_code:
        return code_location(component, error)
    return (
        "\n  take an architecture for smaller images, or give this one smaller patches, windows or strides "
        "where it has such parameters"
    )


TIMM_NAMES = {"dropout": "drop_rate", "drop_path": "drop_path_rate"}
"""What regularizers set, by timm's name for it."""

SET_BY = {"dropout": "dropout", "drop_path": "stochastic_depth"}
"""What regularizers set, and which of them does."""


def create(
    component: Component,
    input_shape: Shape,
    classes: int,
    overrides: Mapping[str, float] | None = None,
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
    net = call_component(component, input_shape, classes, **component.parameters | dict(overrides))
    if not isinstance(net, nn.Module):
        raise UserError(
            f"model {component.name!r}: its factory returned {type(net).__name__}, expected a torch.nn.Module"
        )
    _fill_lazy_layers(net, input_shape)
    return net


def _fill_lazy_layers(net: nn.Module, input_shape: Shape) -> None:
    """Give layers such as `LazyLinear` their shapes and start values: those that black images ask for."""
    if not any(map(is_lazy, (*net.parameters(), *net.buffers()))):
        return
    training = {module: module.training for module in net.modules()}
    with contextlib.suppress(Exception, SystemExit), torch.no_grad():  # `check` tells what is wrong with a network
        net.eval()(torch.zeros(2, *input_shape))
    for module in net.modules():
        module.training = training.get(module, True)


def _timm(name: str, params: Mapping[str, Any], input_shape: Shape, classes: int, load_weights: bool) -> nn.Module:
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
