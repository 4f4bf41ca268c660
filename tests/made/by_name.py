"""Components by their names in a suite file, with the defaults of their classes for what is left out.

``from by_name import flip, cnn``: their implementations. `create_model` and the like take mappings with a `name`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from bench.components import AXES, parse_component
from bench.components.base import Component
from bench.models.create import check, create
from bench.models.layers import ChannelNormalize, ColumnViews, with_preprocessing
from bench.training import augment, lr_schedules, objective, optimizer_factory
from bench.training.preprocessors import fit

Entry = dict[str, Any]


def component(axis: str, entry: Entry) -> Component:
    return parse_component(axis, entry)


def components(axis: str, entries: Sequence[Entry]) -> list[Component]:
    return [parse_component(axis, entry) for entry in entries]


def implementation(axis: str, name: str) -> Callable[..., Any]:
    """The function, which need not be given what has a default."""
    kind = AXES[axis][name]
    left_out = {"name", *kind.handled}
    fields = {key: field for key, field in kind.model_fields.items() if key not in left_out}
    defaults = {key: field.default for key, field in fields.items() if not field.is_required()}
    function = kind.load()

    def call(*arguments: Any, **parameters: Any) -> Any:
        return function(*arguments, **(defaults | parameters))

    call.__name__ = name
    return call


def __getattr__(name: str) -> Callable[..., Any]:
    for axis in ("model", "augmentation"):
        if name in AXES[axis]:
            return implementation(axis, name)
    raise AttributeError(name)


def create_model(
    entry: Entry,
    shape: tuple[int, int, int],
    classes: int,
    statistics: Any = None,
    overrides: dict[str, Any] | None = None,
    *,
    preprocessing: Entry | None = None,
    load_weights: bool = True,
) -> nn.Module:
    """The network behind its preprocessing, with these means and deviations."""
    name = (preprocessing or {"name": "standardize"})["name"]
    seen = (shape[2], *shape[1:]) if name == "column_standardize" else shape
    net = create(component("model", entry), seen, classes, overrides, load_weights=load_weights)
    if name == "column_l2":
        return with_preprocessing(fit(component("preprocessing", preprocessing or {}), torch.zeros(1).numpy()), net)
    if statistics is None:
        return net
    mean, std = (torch.as_tensor(values, dtype=torch.float32) for values in statistics)
    return with_preprocessing(
        ColumnViews(mean, std) if name == "column_standardize" else ChannelNormalize(mean, std), net
    )


def check_model(
    entry: Entry, shape: tuple[int, int, int], classes: int, overrides: dict[str, Any] | None = None
) -> nn.Module:
    return check(component("model", entry), shape, classes, overrides)


def combine(entries: Sequence[Entry]) -> objective.RegularizerSpec:
    return objective.combine(components("regularizer", entries))


def build(entries: Sequence[Entry]) -> tuple[augment.Augment | None, augment.Augment | None]:
    return augment.create_augmentation(components("augmentation", entries))


def build_mixing(entries: Sequence[Entry]) -> augment.Mix | None:
    return augment.create_mixing(components("augmentation", entries))


def create_optimizer(entry: Entry, groups: optimizer_factory.Groups) -> torch.optim.Optimizer:
    return optimizer_factory.create(component("optimizer", entry), groups)


def check_optimizer(entry: Entry, decay: float | None = None, kernels_only: bool = False) -> None:
    optimizer_factory.check(component("optimizer", entry), decay, kernels_only)


def create_loss(entry: Entry, label_smoothing: float) -> objective.Loss:
    return objective.create_loss(component("loss", entry), label_smoothing)


def create_schedule(entry: Entry, context: lr_schedules.ScheduleContext) -> lr_schedules.Factor | None:
    return lr_schedules.create(parse_component("schedule", entry), context)  # type: ignore[arg-type]
