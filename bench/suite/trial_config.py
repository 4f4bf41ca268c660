"""A trial's configuration: typed components and settings; plain JSON in suite files, keys and records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import PrivateAttr

from bench.components import AXES, COMBINABLE, parse_component
from bench.components.augmentations import Augmentation, Mixing
from bench.components.base import Component
from bench.components.models import ModelComponent
from bench.components.optimizers import OptimizerComponent
from bench.components.schedules import Schedule
from bench.suite.schema import OMITTED_DEFAULTS, Settings, Workers


class TrialConfig(Settings):
    """One point of a suite's grid with every default filled in: ``config.optimizer.parameters``, ``config.epochs``."""

    dataset: Component
    preprocessing: Component
    model: ModelComponent
    optimizer: OptimizerComponent
    schedule: Schedule
    loss: Component
    step: Component
    regularizer: tuple[Component, ...]
    augmentation: tuple[Augmentation | Mixing, ...]
    batch_size: int
    epochs: int
    workers: Workers = 1

    _json: dict[str, Any] | None = PrivateAttr(None)

    @classmethod
    def from_json(cls, config: Mapping[str, Any], parsed: dict[tuple[str, int], Any] | None = None) -> TrialConfig:
        """The configuration that plain data describe, which were checked when the suite file was read.

        `parsed` is filled with the components of the configurations of one suite, each is parsed once.
        """
        parsed = {} if parsed is None else parsed
        plain = {key: value for key, value in OMITTED_DEFAULTS.items() if key not in config} | dict(config)
        values = dict(plain)
        for axis in AXES:
            component = plain[axis]
            key = axis, id(component)
            if key not in parsed:
                parsed[key] = (
                    tuple(parse_component(axis, item) for item in component)
                    if axis in COMBINABLE
                    else parse_component(axis, component)
                )
            values[axis] = parsed[key]
        typed = cls.model_validate(values)
        typed._json = dict(config)
        return typed

    def to_json(self) -> dict[str, Any]:
        """As keys and records have it; not to be changed."""
        if self._json is None:
            settings = Settings.model_construct(**{key: getattr(self, key) for key in Settings.model_fields})
            axes = {
                axis: [item.to_json() for item in value] if axis in COMBINABLE else value.to_json()
                for axis, value in ((axis, getattr(self, axis)) for axis in AXES)
            }
            all_values = {
                **axes,
                "batch_size": self.batch_size,
                "epochs": self.epochs,
                **settings.model_dump(mode="json"),
            }
            self._json = {key: value for key, value in all_values.items() if OMITTED_DEFAULTS.get(key, ...) != value}
        return self._json

    def changed(self, **values: Any) -> TrialConfig:
        """A copy with other values of some axes or settings."""
        copy = self.model_copy(update=values)
        copy._json = None
        return copy
