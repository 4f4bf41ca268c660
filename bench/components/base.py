"""What every component is, and the bounds and types that several of them share."""

from __future__ import annotations

import importlib
from itertools import pairwise
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from bench.errors import shorten
from bench.jsonutil import JsonObject

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


class StrictModel(BaseModel):
    """Plain data that is checked when it is read: no unknown keys, no conversions, no change afterwards."""

    # Validators are built when first used: all together take a tenth of a second.
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False, defer_build=True)


class Component(StrictModel):
    """What an axis lists: a name and its parameters.

    `axis` is the axis of the suite file, `implementation` where the code is: ``module:function``, imported when it
    is first used, and takes the parameters as keyword arguments. Parameters, bounds and defaults are the fields of
    this class alone; its docstring is what `bench list` shows.
    """

    axis: ClassVar[str]
    implementation: ClassVar[str]
    name: str

    @property
    def parameters(self) -> dict[str, Any]:
        """Keyword arguments of the implementation: all fields but the name and those in `handled`."""
        handled = {"name", *self.handled}
        values = {key: getattr(self, key) for key in type(self).model_fields if key not in handled}
        return values | (self.model_extra or {})

    handled: ClassVar[tuple[str, ...]] = ()
    """Fields that bench itself acts on, in the same way for all components of the axis."""

    @property
    def user_code(self) -> str | None:
        """``path/to/file.py:factory`` or ``package.module:factory`` of code that is neither bench's nor a library's."""
        return None if type(self).__module__.startswith("bench.") else self.implementation

    def to_json(self) -> JsonObject:
        """As a configuration holds it, in keys and records."""
        return self.model_dump(mode="json", exclude_none=True)

    @classmethod
    def load(cls) -> Any:
        """The implementation."""
        module, _, attribute = cls.implementation.partition(":")
        return getattr(importlib.import_module(module), attribute)


AXES: dict[str, dict[str, type[Component]]] = {
    axis: {}
    for axis in (
        "dataset",
        "preprocessing",
        "model",
        "optimizer",
        "schedule",
        "loss",
        "step",
        "regularizer",
        "augmentation",
        "imbalance",
        "label_noise",
    )
}
"""Axis to name to component class, for the axes whose components have names."""

COMBINABLE = ("regularizer", "augmentation")
"""Axes that also know `none` and `{combine: [...]}`; a configuration holds a list of components for them."""

C = TypeVar("C", bound=Component)


def register(component: type[C]) -> type[C]:
    """File a component class under its axis and its name.

    Raises
    ------
    ValueError
        The class has no axis or implementation, or another component of the axis has its name.
    """
    name = component.model_fields["name"].default
    axis = getattr(component, "axis", None)
    if axis not in AXES:
        raise ValueError(f"{component.__qualname__}: `axis` is {axis!r}; allowed: {', '.join(AXES)}")
    if not isinstance(name, str) or not name or ":" in name or (name == "none" and axis in COMBINABLE):
        raise ValueError(f"{component.__qualname__}: the default of its field `name` is its name, and is {name!r}")
    if ":" not in getattr(component, "implementation", ""):
        raise ValueError(f"{component.__qualname__}: `implementation` is missing; expected 'package.module:function'")
    if name in AXES[axis]:
        other = AXES[axis][name]
        raise ValueError(
            f"two components of the axis {axis} are called {name!r}: {other.__module__}:{other.__qualname__} and "
            f"{component.__module__}:{component.__qualname__}"
        )
    if not component.__module__.startswith("bench."):
        component.model_rebuild()  # a mistake in a package's class is found here, not when a suite names it
    AXES[axis][name] = component
    return component
