"""A trial's configuration: typed components and settings; plain JSON in suite files, keys and records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from bench.components import AXES, COMBINABLE, parse_component
from bench.components.base import Component
from bench.components.models import ModelComponent
from bench.components.optimizers import OptimizerComponent
from bench.components.schedules import Schedule
from bench.suite.schema import OMITTED_DEFAULTS, EarlyStoppingRule, Settings, Stratified, Tail


@dataclass(frozen=True, kw_only=True)
class TrialConfig:
    """One point of a suite's grid with every default filled in: ``config.optimizer.parameters``, ``config.epochs``."""

    dataset: Component
    preprocessing: Component
    model: ModelComponent
    optimizer: OptimizerComponent
    schedule: Schedule
    loss: Component
    step: Component
    regularizer: tuple[Component, ...]
    augmentation: tuple[Component, ...]
    batch_size: int
    epochs: int
    validation: Tail | Stratified | Literal["none"]
    early_stopping: EarlyStoppingRule | None
    weights: Literal["last", "best"]
    refit: bool
    ema: float | None
    test_time: Literal["none", "flip"]
    precision: Literal["float32", "bfloat16"]
    compile: bool
    workers: int
    deterministic: bool
    plain: Mapping[str, Any] | None = field(default=None, repr=False, compare=False)
    """The JSON that it was made of."""

    @classmethod
    def from_json(cls, config: Mapping[str, Any], parsed: dict[tuple[str, Any], Any] | None = None) -> TrialConfig:
        """The configuration that plain data describe; ValueError where they are not those of this version.

        `parsed` is filled with the components and settings of one suite's configurations, which share them: each is
        parsed once.
        """
        parsed = {} if parsed is None else parsed
        complete = {key: value for key, value in OMITTED_DEFAULTS.items() if key not in config} | dict(config)

        def parse(axis: str, entry: dict[str, Any]) -> Component:
            key = axis, id(entry)
            if key not in parsed:
                parsed[key] = parse_component(axis, entry)
            component: Component = parsed[key]
            return component

        axes: dict[str, Any] = {
            axis: tuple(parse(axis, entry) for entry in complete[axis])
            if axis in COMBINABLE
            else parse(axis, complete[axis])
            for axis in AXES
        }
        settings = {key: complete[key] for key in Settings.model_fields}
        question = "settings", tuple(map(id, settings.values()))
        if question not in parsed:
            parsed[question] = dict(vars(Settings.model_validate(settings)))
        sizes = {"batch_size": complete["batch_size"], "epochs": complete["epochs"]}
        return cls(**axes, **sizes, **parsed[question], plain=config)

    def to_json(self) -> dict[str, Any]:
        """As keys and records have it; not to be changed."""
        if self.plain is None:
            settings = Settings.model_construct(**{key: getattr(self, key) for key in Settings.model_fields})
            axes = {
                axis: [item.to_json() for item in value] if axis in COMBINABLE else value.to_json()
                for axis, value in ((axis, getattr(self, axis)) for axis in AXES)
            }
            sizes = {"batch_size": self.batch_size, "epochs": self.epochs}
            everything = {**axes, **sizes, **settings.model_dump(mode="json")}
            plain = {key: value for key, value in everything.items() if OMITTED_DEFAULTS.get(key, ...) != value}
            object.__setattr__(self, "plain", plain)
        assert isinstance(self.plain, dict)
        return self.plain

    def changed(self, **values: Any) -> TrialConfig:
        """A copy with other values of some axes or settings."""
        return replace(self, **values, plain=None)
