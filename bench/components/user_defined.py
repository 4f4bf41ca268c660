"""Components without a class of their own: the user's code by its file or module, and names of torch and timm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import ConfigDict

from bench.components.augmentations import Augmentation
from bench.components.base import AXES, Component
from bench.components.datasets import DatasetComponent
from bench.components.losses import LossComponent
from bench.components.models import ModelComponent
from bench.components.optimizers import OptimizerComponent
from bench.components.preprocessing import PreprocessingComponent
from bench.components.regularizers import RegularizerComponent
from bench.components.schedules import Schedule
from bench.components.steps import StepComponent


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


def parse_component(axis: str, entry: Mapping[str, Any]) -> Component:
    """A component from plain data that was checked before, as a configuration holds it."""
    kind = component_class(axis, entry["name"])
    if kind is None:
        raise ValueError(f"there is no {axis} {entry['name']!r}")
    return kind.model_validate(entry)
