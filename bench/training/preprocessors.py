"""Preprocessing components as modules: fitted on the training images, applied as the first part of the network."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from bench.components.base import Component
from bench.data import prepare
from bench.errors import UserError
from bench.models.layers import ChannelNormalize, ColumnNormalize, ColumnViews, Shape
from bench.user_code.run_code import call_component

Images = NDArray[np.uint8]
"""The training images, uint8 (N, C, H, W), without those of the validation part."""


def fit(component: Component, images: Images) -> nn.Module:
    """The module that maps float pixels in [0, 1] (B, C, H, W) to the network's input.

    Raises
    ------
    UserError
        Images of a kind that the preprocessing does not take; or the user's own code fails or returns something else.
    """
    module = call_component(component, images, **component.parameters)
    if not isinstance(module, nn.Module):
        raise UserError(
            f"preprocessing {component.name!r} returns {type(module).__name__}, expected a torch.nn.Module that maps "
            "pixels (B, C, H, W) to the network's input"
        )
    return module


def network_input_shape(component: Component, shape: Shape) -> Shape:
    """The shape (C, H, W) of the network's input for images of this `shape`; errors as in `fit`."""
    module = fit(component, np.random.default_rng(0).integers(0, 256, (4, *shape), dtype=np.uint8))
    with torch.inference_mode():
        try:
            output = module(torch.rand(2, *shape, generator=torch.Generator().manual_seed(0)))
        except UserError:
            raise
        except Exception as error:
            raise UserError(
                f"preprocessing {component.name!r} fails on images of {' x '.join(map(str, shape))} (channels, height, "
                f"width): {type(error).__name__}: {error}"
            ) from error
    if not isinstance(output, torch.Tensor) or output.ndim != 4 or len(output) != 2 or not output.is_floating_point():
        returned = (
            f"{output.dtype} of shape {tuple(output.shape)}" if isinstance(output, torch.Tensor) else type(output)
        )
        raise UserError(
            f"preprocessing {component.name!r} makes {returned} of 2 images, expected floats of shape (2, C, H, W)"
        )
    channels, height, width = output.shape[1:]
    return channels, height, width


def unit(images: Images) -> nn.Module:  # noqa: ARG001 (every preprocessing takes the images)
    """Pixels as they are in [0, 1]."""
    return nn.Identity()


def standardize(images: Images) -> nn.Module:
    """Minus the mean of each channel, over its population standard deviation."""
    statistics = prepare.standardize(images)
    return ChannelNormalize(torch.tensor(statistics.mean), torch.tensor(statistics.std))


def column_standardize(images: Images) -> nn.Module:
    """One channel per column of grey images, standardised by that column's statistics."""
    if images.shape[1] != 1:
        raise UserError(
            f"preprocessing 'column_standardize' makes a channel of each column of grey images, and these have "
            f"{images.shape[1]} channels; take standardize"
        )
    statistics = prepare.column_standardize(images)
    return ColumnViews(torch.tensor(statistics.mean), torch.tensor(statistics.std))


def column_l2(images: Images, divisor: float) -> nn.Module:  # noqa: ARG001
    """Each column of each channel over its Euclidean length, then over `divisor`."""
    return ColumnNormalize(divisor)
