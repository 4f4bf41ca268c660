"""The suite's own networks by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from torch import nn

Shape = tuple[int, int, int]
"""Channels, height, width."""

Factory = Callable[..., nn.Module]
"""The whole contract of a network, ours or the user's: ``factory(input_shape, classes, **parameters)``.

It returns a module that maps float32 pixels (B, C, H, W) to logits (B, classes).
"""

F = TypeVar("F", bound=Factory)

MODELS: dict[str, Factory] = {}
"""Name in a suite file to factory."""


def register_model(factory: F) -> F:
    """File a factory under its own name, which is its name in a suite file.

    Raises
    ------
    ValueError
        Another factory already has this name.
    """
    name = factory.__name__
    if name in MODELS:
        raise ValueError(f"two models are called {name!r}: {MODELS[name].__module__} and {factory.__module__}")
    MODELS[name] = factory
    return factory
