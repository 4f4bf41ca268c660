"""What every component is, and the bounds and types that several of them share."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from bench.errors import shorten

MOST_LAYERS = 1000

Positive = Annotated[int, Field(gt=0)]
Widths = Annotated[list[Positive], Field(max_length=MOST_LAYERS)]
"""A layer for each number."""
Fraction = Annotated[float, Field(gt=0, lt=1)]
Probability = Annotated[float, Field(ge=0, le=1)]
Rate = Annotated[float, Field(ge=0, lt=1)]
LearningRate = Annotated[float, Field(gt=0)]
Ratio = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Init = Literal["torch", "keras", "he_normal"]
Activation = Literal["relu", "gelu", "tanh", "sigmoid", "silu", "leaky_relu"]
BatchNorm = Literal["none", "before", "after", "between"]
"""Batch normalisation of a layer: before its activation, after it, or between two of them."""


def few_layers(values: list[Any]) -> list[Any]:
    """Refuses lists that stand for so many layers that to build them would take minutes.

    Each number of `values` is that of layers; of a pair, the first one.
    """
    count = sum(value[0] if isinstance(value, list) else value for value in values)
    if count > MOST_LAYERS:
        raise ValueError(f"{shorten(values)} stands for {count:,} layers: at most {MOST_LAYERS:,}")
    return values


def low_to_high(values: list[float]) -> list[float]:
    if values[0] > values[1]:
        raise ValueError(f"{values} must be [low, high], and {values[0]:g} is above {values[1]:g}")
    return values


def rising(values: list[int]) -> list[int]:
    if any(a >= b for a, b in pairwise(values)):
        raise ValueError(f"{values} must rise: each epoch later than the one before")
    return values


class Component(BaseModel):
    """What an axis lists: a name and its parameters."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)
