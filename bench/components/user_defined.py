"""Components without a class here: the user's code, installed packages' classes, and names of torch and timm.

What torch's and timm's own optimizers take where a suite file says nothing is part of a trial's key.
`optimizer_defaults.json` holds it for the versions that bench is tested with, so that keys need no import of them,
which takes seconds (`make optimizer-defaults` writes it; a test holds it against the libraries).
"""

from __future__ import annotations

import importlib.metadata
import json
import warnings
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from pydantic import ConfigDict

from bench.components.base import AXES, Component, register
from bench.components.data_questions import ImbalanceComponent, LabelNoiseComponent
from bench.components.datasets import DatasetComponent
from bench.components.image_transforms import Augmentation, PreprocessingComponent
from bench.components.models import ModelComponent
from bench.components.optimization import (
    LossComponent,
    OptimizerComponent,
    RegularizerComponent,
    Schedule,
    StepComponent,
)
from bench.jsonutil import JsonObject

FILE = Path(__file__).with_name("optimizer_defaults.json")
PACKAGES = ("torch", "timm")


def known_defaults(name: str) -> JsonObject | None:
    """The defaults of the optimizer of this name; None where only the installed libraries can tell."""
    defaults: JsonObject | None = _table().get(name.lower())
    return defaults


def spelled_out(component: JsonObject, defaults: JsonObject) -> JsonObject:
    """The component with its optimizer's defaults filled in, so that equal optimizers are equal components.

    The name is in lower case, and whole numbers stand as floats where the default is a float.
    """
    parameters = {key: _like(value, defaults.get(key)) for key, value in component.items() if key != "name"}
    if "lr" in parameters:
        parameters["lr"] = _like(
            parameters["lr"], 0.0
        )  # timm's default for one is None: a rate that depends on the step
    return {"name": component["name"].lower()} | defaults | parameters


def versions() -> dict[str, str]:
    """Those of the installed libraries, whatever they were built for."""
    return {package: importlib.metadata.version(package).partition("+")[0] for package in PACKAGES}


@cache
def _table() -> JsonObject:
    table = json.loads(FILE.read_text())
    try:
        return dict(table["defaults"]) if table["versions"] == versions() else {}
    except importlib.metadata.PackageNotFoundError:
        return {}


def _like(value: Any, default: Any) -> Any:
    """A whole number as a float where the default is one, in lists too."""
    if isinstance(value, list) and isinstance(default, tuple | list) and len(value) == len(default):
        return [_like(item, default_item) for item, default_item in zip(value, default, strict=True)]
    is_integer = isinstance(value, int) and not isinstance(value, bool)
    return float(value) if is_integer and isinstance(default, float) else value


GROUP = "bench.components"


def load_plugins() -> None:
    """Import what installed packages name there: a component class each, or a module that registers some.

    A package that cannot be imported, or whose components clash with others, is left out with a warning.
    """
    for entry_point in importlib.metadata.entry_points(group=GROUP):
        try:
            loaded = entry_point.load()
            if isinstance(loaded, type) and issubclass(loaded, Component) and not _is_registered(loaded):
                register(loaded)
        except Exception as error:
            package = entry_point.dist.name if entry_point.dist else entry_point.value
            warnings.warn(
                f"the components of the package {package} ({entry_point.name} = {entry_point.value}) were left out: "
                f"{type(error).__name__}: {error}",
                stacklevel=2,
            )


def _is_registered(component: type[Component]) -> bool:
    return any(component is known for axis in AXES.values() for known in axis.values())


class OpenComponent(Component):
    """A component whose parameters are checked by what it names, when trials are built."""

    model_config = ConfigDict(extra="allow")


class UserDefined(OpenComponent):
    """``path/to/file.py:factory`` or ``package.module:factory``, called as `implementation` of the axis is.

    `files` names files that the code reads, from the suite file's folder; they are part of the trial's key.
    """

    handled: ClassVar[tuple[str, ...]] = ("files",)
    files: Any = None

    @property
    def user_code(self) -> str | None:
        return self.name


class UserDataset(DatasetComponent, UserDefined):
    pass


class UserPreprocessing(PreprocessingComponent, UserDefined):
    pass


class UserModel(ModelComponent, UserDefined):
    pass


class UserOptimizer(OptimizerComponent, UserDefined):
    pass


class UserSchedule(Schedule, UserDefined):
    handled: ClassVar[tuple[str, ...]] = ("files", "warmup")


class UserLoss(LossComponent, UserDefined):
    pass


class UserStep(StepComponent, UserDefined):
    pass


class UserRegularizer(RegularizerComponent, UserDefined):
    pass


class UserAugmentation(Augmentation, UserDefined):
    handled: ClassVar[tuple[str, ...]] = ("files", "static", "validation_too")


class UserImbalance(ImbalanceComponent, UserDefined):
    pass


class UserLabelNoise(LabelNoiseComponent, UserDefined):
    pass


class LibraryModel(ModelComponent, OpenComponent):
    """A model by its name in timm."""


class LibraryOptimizer(OptimizerComponent, OpenComponent):
    """An optimizer by its name in torch or timm."""


USER_DEFINED: dict[str, type[UserDefined]] = {
    kind.axis: kind
    for kind in (
        UserDataset,
        UserPreprocessing,
        UserModel,
        UserOptimizer,
        UserSchedule,
        UserLoss,
        UserStep,
        UserRegularizer,
        UserAugmentation,
        UserImbalance,
        UserLabelNoise,
    )
}

LIBRARIES: dict[str, type[OpenComponent]] = {"model": LibraryModel, "optimizer": LibraryOptimizer}
"""Axes that also take names which a library must answer for, with any parameters."""


def is_user_defined(name: str) -> bool:
    """Whether a component's name points to the user's own code; no other name has a colon."""
    return ":" in name


def component_class(axis: str, name: str) -> type[Component] | None:
    """The class that checks a component of this name; None where the axis knows no such name."""
    if is_user_defined(name):
        return USER_DEFINED[axis]
    return AXES[axis].get(name) or LIBRARIES.get(axis)


def parse_component(axis: str, component: Mapping[str, Any]) -> Component:
    """A component from plain data that was checked before, as a configuration holds it."""
    kind = component_class(axis, component["name"])
    if kind is None:
        raise ValueError(f"there is no {axis} {component['name']!r}")
    return kind.model_validate(component)
