"""Does a model entry give a network that works on these pictures? Asked before anything is trained."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from bench.models import user
from bench.models.create import create
from bench.models.registry import Shape
from bench.suite.errors import UserError


def check(
    entry: dict[str, Any], input_shape: Shape, classes: int, overrides: dict[str, Any] | None = None
) -> nn.Module:
    """Build the network and run two random pictures through it, or say clearly why that fails.

    Parameters are those of `create`. Ours and timm's run on the meta device (shapes, no numbers), so that a large
    one costs no memory; the user's own run for real. Pretrained weights are not loaded. PyTorch's global random
    state is left as it was.

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
        if user.is_user(entry["name"]):
            return _check_on("cpu", entry, input_shape, classes, overrides)
        try:
            return _check_on("meta", entry, input_shape, classes, overrides)
        except UserError as error:
            if not _blames_meta(error.__cause__):
                raise
            return _check_on("cpu", entry, input_shape, classes, overrides)


def _blames_meta(cause: BaseException | None) -> bool:
    """Some operations have no meta version, or need a number; that says nothing about the network."""
    return isinstance(cause, NotImplementedError) or (cause is not None and "meta" in str(cause).lower())


def _check_on(
    device: str, entry: dict[str, Any], input_shape: Shape, classes: int, overrides: dict[str, Any] | None
) -> nn.Module:
    name = entry["name"]
    with torch.device(device):
        net = create(entry, input_shape, classes, overrides=overrides, load_weights=False).eval()
        pixels = torch.rand(2, *input_shape)
    try:
        with torch.inference_mode():
            logits = net(pixels)
    except (Exception, SystemExit) as error:
        raise UserError(
            f"model {name!r} cannot take pictures of {' x '.join(map(str, input_shape))} (channels, height, width): "
            f"{user.describe(error)}{_place_or_advice(name, error)}"
        ) from error
    _check_logits(name, logits, classes)
    return net


def _check_logits(name: str, logits: object, classes: int) -> None:
    if not isinstance(logits, Tensor):
        raise UserError(f"model {name!r} returns {type(logits).__name__}, expected one tensor of logits")
    if logits.shape != (2, classes):
        raise UserError(
            f"model {name!r} returns shape {tuple(logits.shape)} for 2 pictures, expected (2, {classes}): "
            "one logit for each picture and class"
        )
    if not logits.is_floating_point():
        raise UserError(f"model {name!r} returns {logits.dtype}, expected floating-point logits")


def _place_or_advice(name: str, error: BaseException) -> str:
    if user.is_user(name):
        return user.place(error, user.locate(name))
    return (
        "\n  take an architecture for smaller pictures, or give this one smaller patches, windows or strides "
        "where it has such parameters"
    )
