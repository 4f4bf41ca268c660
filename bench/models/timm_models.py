"""Any timm model by its timm name, built for small images."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Mapping
from typing import Any

import timm
import torch
from timm.layers.patch_embed import PatchEmbed
from torch import nn

from bench.components.arguments import Types, accepted_types, misfits, type_hints
from bench.errors import UserError
from bench.jsonutil import canonical
from bench.models.layers import Shape
from bench.user_code.run_code import describe

FROM_DATA = ("in_chans", "num_classes", "img_size")
"""Parameters that the data set decides."""

_TAKES_SIZE: dict[str, bool] = {}
"""Whether an architecture takes `img_size`, by name, parameters and images: asking builds it twice."""


def is_timm(name: str) -> bool:
    """Whether timm has an architecture of this name (with or without the tag of its weights)."""
    return bool(timm.is_model(name))


def timm_model(
    name: str, params: Mapping[str, Any], input_shape: Shape, classes: int, *, load_weights: bool = True
) -> nn.Module:
    """Build a timm model for images of this shape; `params` go to timm as they are.

    `img_size` is passed where the architecture takes one. With ``pretrained: true`` timm loads the weights, from
    the network or from its cache; ``load_weights=False`` only looks whether there are any.

    Raises
    ------
    UserError
        A parameter timm does not know or the data set decides, an image the architecture cannot take,
        or pretrained weights that do not exist or do not load.
    """
    from_data = [key for key in FROM_DATA if key in params]
    if from_data:
        raise UserError(f"model {name!r}: leave out {', '.join(from_data)}; the data set decides it")
    factory_types = accepted_types(timm.create_model)
    _check_values(name, {key: value for key, value in params.items() if key in factory_types}, factory_types)
    if "checkpoint_path" in params:
        raise UserError(
            f"model {name!r}: what is in the file of checkpoint_path would not be in the trials' keys; start from it "
            "by pretrained: true, pretrained_cfg_overlay: {file: ..., num_classes: as many as it has}, "
            "or load it in a model of your own, which names it in `files: [...]`"
        )
    if "cache_dir" in params:
        raise UserError(
            f"model {name!r}: leave out cache_dir, which is this machine's; HF_HOME and TORCH_HOME say where timm "
            "keeps weights"
        )
    pretrained = bool(params.get("pretrained"))
    if pretrained and not _has_weights(name, params):
        raise UserError(
            f"model {name!r}: timm has no pretrained weights for it; set pretrained: false, "
            "or take a model of timm.list_models(pretrained=True)"
        )
    sized = _sized(name, params, input_shape, classes)
    try:
        net = _create(name, sized | {"pretrained": pretrained and load_weights})
    except Exception as error:
        if pretrained and load_weights:
            raise UserError(_no_weights(name, error)) from error
        _check_for_architecture(name, params)
        raise UserError(
            f"model {name!r} cannot be built for images of {_size(input_shape)}: {describe(error)}"
        ) from error
    _check_values(name, params, _taken_by(type(net)))
    _check_patches(name, net)
    return net


def _check_values(name: str, params: Mapping[str, Any], types: Types) -> None:
    """UserError for a parameter of another type than these: timm takes any text for true."""
    if wrong := misfits(params, types):
        raise UserError(f"model {name!r}: {wrong}")


def _check_for_architecture(name: str, params: Mapping[str, Any]) -> None:
    """`_check_values` for a name that could not be built with these parameters."""
    if architecture := _architecture(name):
        _check_values(name, params, _taken_by(architecture))


def _taken_by(architecture: type[nn.Module]) -> Types:
    """What an architecture's parameters take, with those that timm puts into its configuration or takes out before."""
    types = accepted_types(timm.models.build_model_with_cfg)
    for hint in type_hints(vars(architecture).get("__init__", architecture)).values():
        if dataclasses.is_dataclass(hint):  # other parameters replace fields of it
            types |= accepted_types(hint)  # type: ignore[arg-type]
    return types | accepted_types(architecture) | accepted_types(timm.create_model)


def _sized(name: str, params: Mapping[str, Any], input_shape: Shape, classes: int) -> dict[str, Any]:
    """All parameters for timm, with `img_size` if the architecture takes one.

    No list says which do, so we ask by building, on the meta device where that costs nearly nothing. A few
    (XCiT, MViTv2) take one, refuse a small one, and yet work on small images when it is not given.
    """
    channels, height, width = input_shape
    fixed = {**params, "in_chans": channels, "num_classes": classes}
    sized = {**fixed, "img_size": (height, width)}
    question = canonical([name, params, input_shape, classes])
    if question not in _TAKES_SIZE:
        _TAKES_SIZE[question] = _takes_size(name, fixed, sized)
    return sized if _TAKES_SIZE[question] else fixed


def _takes_size(name: str, fixed: dict[str, Any], sized: dict[str, Any]) -> bool:
    without_weights = {"pretrained": False}
    with torch.random.fork_rng(devices=[]), torch.device("meta"):
        try:
            _create(name, sized | without_weights)
            return True
        except Exception:
            pass
        try:
            _create(name, fixed | without_weights)
        except TypeError as error:
            _check_for_architecture(name, fixed)
            raise UserError(_wrong_parameter(name, error)) from error
        except Exception:
            pass  # building it for real says why, or shows that only the meta device was in the way
    return False


def _create(name: str, params: Mapping[str, Any]) -> nn.Module:
    net: nn.Module = timm.create_model(name, **params)
    return net


def _has_weights(name: str, params: Mapping[str, Any]) -> bool:
    return "pretrained_cfg" in params or "pretrained_cfg_overlay" in params or timm.models.is_model_pretrained(name)


def _wrong_parameter(name: str, error: TypeError) -> str:
    message = f"model {name!r} does not take these parameters: {error}"
    if "drop_rate" in str(error):
        message += "\n  the dropout regularizer sets drop_rate: leave it out with this model"
    if "drop_path_rate" in str(error):
        message += "\n  the stochastic_depth regularizer sets drop_path_rate: leave it out with this model"
    if "multiple values" in str(error):
        message += "\n  this name of timm's decides that parameter itself: leave it out, or take another name"
    architecture = _architecture(name)
    if architecture is None:  # only the list of names is lost
        return message
    names = [
        key
        for key, parameter in inspect.signature(architecture).parameters.items()
        if key not in (*FROM_DATA, "device", "dtype", "cfg")
        and parameter.kind not in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    ]
    return f"{message}\n  parameters of timm's {architecture.__name__}: {', '.join([*names, 'pretrained'])}"


def _architecture(name: str) -> type[nn.Module] | None:
    """The class of a name of timm's; None where it cannot be built even as it is."""
    try:
        with torch.random.fork_rng(devices=[]), torch.device("meta"):
            return type(_create(name, {}))
    except Exception:
        return None


def _no_weights(name: str, error: Exception) -> str:
    return (
        f"model {name!r}: its pretrained weights could not be loaded: {describe(error)}\n"
        "  connect this machine to the network, or copy the cache of one that has them (HF_HOME, TORCH_HOME),\n"
        "  or give the file: pretrained_cfg_overlay: {file: weights.safetensors}, or set pretrained: false"
    )


def _check_patches(name: str, net: nn.Module) -> None:
    """Refuse patches that do not tile the image: some architectures would leave out its last rows silently."""
    for module in net.modules():
        if not isinstance(module, PatchEmbed) or module.img_size is None or module.dynamic_img_pad:
            continue
        for side, patch in zip(module.img_size, module.patch_size, strict=True):
            if side % patch:
                fitting = [str(size) for size in range(2, side) if side % size == 0]
                raise UserError(
                    f"model {name!r}: patches of {patch} do not tile an image of {side} pixels; "
                    f"set patch_size to one of {', '.join(fitting)}"
                )


def _size(input_shape: Shape) -> str:
    return f"{input_shape[1]} x {input_shape[2]}"
