"""One name, one class, one implementation, which takes the class's parameters and repeats no default."""

from __future__ import annotations

import inspect
from typing import Literal

import pytest

from bench.components import AXES
from bench.components.base import Component, register
from bench.components.datasets import DatasetComponent
from bench.components.image_transforms import Augmentation

POSITIONAL = {
    "preprocessing": ["images"],
    "model": ["input_shape", "classes"],
    "schedule": ["context"],
    "step": ["batch"],
    "augmentation": ["images", "generator"],
    "imbalance": ["sizes"],
    "label_noise": ["labels", "classes", "random"],
}
BY_KEYWORD = {"loss": {"label_smoothing"}}
ELSEWHERE = ("dataset", "optimizer")
"""Files that are read in several steps, and torch's own classes."""


@pytest.mark.parametrize(
    ("axis", "name"), [(axis, name) for axis, known in AXES.items() if axis not in ELSEWHERE for name in known]
)
def test_an_implementation_takes_the_parameters_and_has_no_defaults(axis: str, name: str) -> None:
    component = AXES[axis][name]
    parameters = inspect.signature(component.load()).parameters
    positional = POSITIONAL.get(axis, [])
    assert list(parameters)[: len(positional)] == positional
    taken = parameters.keys() - set(positional) - BY_KEYWORD.get(axis, set())
    assert taken == component.model_fields.keys() - {"name", *component.handled}
    assert all(parameter.default is parameter.empty for parameter in parameters.values())


def test_data_sets_name_what_reads_them() -> None:
    assert all(callable(component.load()) for component in AXES["dataset"].values())


@pytest.mark.parametrize("name", AXES["optimizer"])
def test_an_optimizer_is_a_class_of_torch_s(name: str) -> None:
    component = AXES["optimizer"][name]
    assert inspect.signature(component.load()).parameters.keys() >= component.model_fields.keys() - {"name"}


def test_a_clash_of_names_is_refused() -> None:
    class Other(Augmentation):
        implementation = "somewhere:flip"
        name: Literal["flip"] = "flip"

    known = AXES["augmentation"]["flip"]
    with pytest.raises(
        ValueError, match=r"two components of the axis augmentation are called 'flip': bench\.components"
    ):
        register(Other)
    assert AXES["augmentation"]["flip"] is known


def test_a_class_without_axis_name_or_implementation_is_refused() -> None:
    class NoAxis(Component):
        implementation = "somewhere:thing"
        name: Literal["thing"] = "thing"

    class NoName(DatasetComponent):
        implementation = "somewhere:thing"

    class NoImplementation(DatasetComponent):
        name: Literal["thing"] = "thing"

    for component, message in ((NoAxis, "`axis`"), (NoName, "`name`"), (NoImplementation, "`implementation`")):
        with pytest.raises(ValueError, match=message):
            register(component)
