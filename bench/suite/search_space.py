"""Searches: which parameters are drawn from which distributions, and where a configuration stands in a search.

A search belongs to one point of a sub-grid's listed values. A random one is all there when the suite is read; of an
adaptive one the first configurations are, and `bench.execution.adaptive_search` adds those that follow from results.
"""

from __future__ import annotations

import copy
import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from bench.components import COMBINABLE
from bench.components.base import StrictModel
from bench.errors import flow
from bench.jsonutil import JsonObject, canonical
from bench.suite.axis_values import AxisValue, Candidate, Distribution, DistributionKind
from bench.suite.schema import OMITTED_DEFAULTS, VALUE_AXES, SearchSettings

DEFAULT_METRIC = "accuracy"
"""By which an adaptive search ranks where nothing else is said: not in its id."""


class SearchedParameter(StrictModel):
    """A parameter that a search draws: its place in a configuration, and its distribution.

    `position` is that in a combination. `values` are low and high, or those of a choice as configurations have them.
    """

    name: str
    """By which its values are drawn, such as ``optimizer.sgd.lr``."""
    axis: str
    position: int | None = None
    key: str
    kind: DistributionKind
    values: list[Any]

    @property
    def label(self) -> str:
        """As `--set` names it: ``optimizer.lr``, ``batch_size``."""
        return self.axis if self.axis in VALUE_AXES else f"{self.axis}.{self.key}"

    def value_in(self, config: JsonObject) -> Any:
        """Its value in a configuration."""
        component: Any = config.get(self.axis, OMITTED_DEFAULTS.get(self.axis))
        if self.axis in VALUE_AXES:
            return component
        return (component if self.position is None else component[self.position])[self.key]

    @property
    def distribution_text(self) -> str:
        """``log-uniform from 0.0001 to 0.1``; ``one of 32, 64``."""
        if self.kind == "choice":
            return f"one of {', '.join(map(flow, self.values))}"
        return f"{self.kind.replace('_', '-')} from {self.values[0]:g} to {self.values[1]:g}"

    @property
    def distinct_values(self) -> list[Any]:
        """Of a choice, in its order."""
        return list({canonical(value): value for value in self.values}.values())

    def draw(self, seed: int, number: int) -> Any:
        """Its value in the random draw with this number."""
        return Distribution(self.kind, tuple(self.values), self.name).sample(seed, number)


class SearchRule(StrictModel):
    """What decides which configurations a search has; `startup` and `batch` are those of an adaptive one."""

    algorithm: Literal["random", "tpe"]
    seed: int
    startup: int | None = None
    batch: int | None = None
    parameters: list[SearchedParameter]

    @property
    def is_adaptive(self) -> bool:
        return self.algorithm != "random"

    @property
    def parameters_text(self) -> str:
        return "; ".join(f"{parameter.label} ({parameter.distribution_text})" for parameter in self.parameters)

    def random_values(self, number: int) -> list[Any]:
        """The values of the random draw with this number, in the order of the parameters."""
        return [parameter.draw(self.seed, number) for parameter in self.parameters]

    @property
    def n_configurations(self) -> int | None:
        """How many configurations there are where all parameters are choices; None where one is not."""
        if any(parameter.kind != "choice" for parameter in self.parameters):
            return None
        return math.prod(len(parameter.distinct_values) for parameter in self.parameters)

    def n_new(self, known: int, trials: int) -> int:
        """How many more of so many `trials` there can be: no configuration is proposed twice."""
        size = self.n_configurations
        return max(0, trials if size is None else min(trials, size - known))

    def values_in(self, config: JsonObject) -> list[Any]:
        return [parameter.value_in(config) for parameter in self.parameters]


class SearchPoint(StrictModel):
    """Where a configuration stands in a search: `number` counts from 0; `trials` is how many the suite asks for.

    `id` is the same in every run of a search on the same data and code, by the same metric where it is adaptive,
    whatever its number of trials and seeds.
    """

    id: str
    rule: SearchRule
    number: int
    trials: int
    to_come: int | None = None
    """How many are not yet proposed; None: all after the last number that a trial has."""

    @property
    def batch_number(self) -> int:
        """0 for what is drawn at random first, then one more for each batch."""
        startup, batch = self.rule.startup or 0, self.rule.batch or 1
        return 0 if self.number < startup else 1 + (self.number - startup) // batch

    def note(self) -> JsonObject:
        """As a record holds it."""
        return self.model_dump(mode="json", exclude={"trials", "to_come"})


@dataclass(frozen=True)
class Search:
    """A search of a suite: its rule, how many configurations, and those that are drawn at random, in their order."""

    rule: SearchRule
    n_trials: int
    n_seeds: int
    configurations: tuple[JsonObject, ...]

    @property
    def n_to_propose(self) -> int:
        """How many configurations depend on results."""
        remaining = self.n_trials - len(self.configurations)
        return self.rule.n_new(len(set(map(canonical, self.configurations))), remaining) if remaining else 0

    def fixed(self) -> JsonObject:
        """What its configurations share: one of them with nothing where values are drawn."""
        return with_values(self.configurations[0], self.rule.parameters, [None] * len(self.rule.parameters))

    def contains(self, config: JsonObject) -> bool:
        """Whether a configuration differs from the search's own in drawn values alone."""
        try:
            blank = with_values(config, self.rule.parameters, [None] * len(self.rule.parameters))
        except (KeyError, IndexError, TypeError):
            return False
        return canonical(blank) == canonical(self.fixed())

    def changed(self, change: Callable[[JsonObject], JsonObject]) -> Search:
        """The same search of changed configurations; values of a choice are those of the changed ones."""
        parameters = [
            parameter.model_copy(
                update={
                    "values": [
                        parameter.value_in(change(with_values(self.configurations[0], [parameter], [value])))
                        for value in parameter.values
                    ]
                }
            )
            if parameter.kind == "choice"
            else parameter
            for parameter in self.rule.parameters
        ]
        rule = self.rule.model_copy(update={"parameters": parameters})
        return replace(self, rule=rule, configurations=tuple(map(change, self.configurations)))

    def identity(self, config_key: str, metric: str) -> str:
        """The id of its points; `config_key` is that of `fixed`, and `metric` ranks what an adaptive one has tried."""
        ranked = [metric] if self.rule.is_adaptive and metric != DEFAULT_METRIC else []
        text = canonical([self.rule.model_dump(mode="json"), config_key, *ranked])
        return hashlib.sha256(text.encode()).hexdigest()[:20]


def search_rule(settings: SearchSettings, seed: int, parameters: Sequence[SearchedParameter]) -> SearchRule:
    adaptive = settings.algorithm != "random"
    return SearchRule(
        algorithm=settings.algorithm,
        seed=seed,
        startup=settings.startup if adaptive else None,
        batch=settings.batch if adaptive else None,
        parameters=list(parameters),
    )


def sampled_keys(axis_values: dict[str, AxisValue]) -> list[tuple[str, int, Candidate, str, Distribution]]:
    """Axis, position, component, key and distribution of each parameter that is drawn at a point of the grid."""
    return [
        (axis, position, candidate, key, value)
        for axis, axis_value in axis_values.items()
        for position, candidate in enumerate(axis_value)
        for key, value in candidate.component.items()
        if isinstance(value, Distribution)
    ]


def with_values(config: JsonObject, parameters: Sequence[SearchedParameter], values: Sequence[Any]) -> JsonObject:
    """A configuration with other values of its drawn parameters."""
    changed: JsonObject = {axis: copy.deepcopy(config.get(axis)) for axis in {p.axis for p in parameters}}
    for parameter, value in zip(parameters, values, strict=True):
        if parameter.axis in VALUE_AXES:
            changed[parameter.axis] = value
        elif parameter.axis in COMBINABLE:
            changed[parameter.axis][parameter.position][parameter.key] = value
        else:
            changed[parameter.axis][parameter.key] = value
    return {key: value for key, value in {**config, **changed}.items() if OMITTED_DEFAULTS.get(key, ...) != value}
