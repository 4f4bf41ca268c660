"""What an axis of a suite file stands for: its values, of components with sweeps, distributions and combinations."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

from bench.components import AXES, COMBINABLE
from bench.errors import match_spelling, shorten
from bench.jsonutil import JsonObject
from bench.suite.schema import SWEEPS, VALUE_AXES
from bench.suite.yaml_loader import KeyPath

DistributionKind = Literal["log_uniform", "uniform", "choice"]


@dataclass(frozen=True)
class Distribution:
    """A distribution in a component's parameter, to be drawn once per sample."""

    kind: DistributionKind
    values: tuple[Any, ...]
    name: str

    def sample(self, seed: int, index: int) -> Any:
        """The value of draw `index`; six significant digits, so that no C library's last bit shows."""
        stream = random.Random(f"{seed}/{index}/{self.name}")
        if self.kind == "choice":
            return self.values[int(stream.random() * len(self.values))]
        low, high = self.values
        if self.kind == "uniform":
            return float(f"{low + (high - low) * stream.random():.6g}")
        return float(f"{math.exp(math.log(low) + (math.log(high) - math.log(low)) * stream.random()):.6g}")


@dataclass(frozen=True)
class Candidate:
    """A component that an axis may take: parameters, some of them distributions, and where each of them was written."""

    component: JsonObject
    path: KeyPath
    origins: dict[str, KeyPath]
    drawn: bool = False
    """Whether a distribution was drawn from."""

    @property
    def has_distribution(self) -> bool:
        return any(isinstance(value, Distribution) for value in self.component.values())

    def resolved(self, seed: int, index: int) -> Candidate:
        if not self.has_distribution:
            return self
        component = {
            key: v.sample(seed, index) if isinstance(v, Distribution) else v for key, v in self.component.items()
        }
        return Candidate(component, self.path, self.origins, drawn=True)

    def alternatives(self, seed: int, with_bounds: bool = False) -> Iterator[Candidate]:
        """The first draw, with each value that a `choice` could give in its turn, also those that are never drawn.

        `with_bounds` also with the lowest and the highest value of the other distributions.
        """
        first = self.resolved(seed, 0)
        for key, value in self.component.items():
            if isinstance(value, Distribution) and (with_bounds or value.kind == "choice"):
                for choice in value.values:
                    yield replace(first, component={**first.component, key: choice}, drawn=False)


AxisValue = tuple[Candidate, ...]
"""A value of an axis: one component, or several of a combination; empty for `none`."""


def has_distribution(axis_value: AxisValue) -> bool:
    return any(candidate.has_distribution for candidate in axis_value)


LIMIT_HINT = "cut its axes, or raise `limit` at the top level of the file"


@dataclass(frozen=True)
class AxisReader:
    """Reads what a suite file writes for an axis.

    Mistakes go to ``add_problem(path, message, hint)``; no axis gets longer than `limit`.
    """

    limit: int
    add_problem: Callable[..., None]

    def axis_values(self, axis: str, item: Any, path: KeyPath) -> list[AxisValue]:
        if item is None:
            self.add_problem(path, f"an empty value is not allowed in `{axis}`", hint_for_empty(axis))
            return []
        if axis in VALUE_AXES:
            return [(candidate,) for candidate in self._candidates(axis, {"value": item}, path, {"value": path})]
        if axis in COMBINABLE and isinstance(item, dict) and "combine" in item:
            return self._combination(axis, item, path)
        if axis in COMBINABLE and item == "none":
            return [()]
        key_paths = {key: (*path, key) for key in item} if isinstance(item, dict) else {"name": path}
        if isinstance(item, str):
            item = {"name": item}
        if axis == "dataset" and isinstance(item, dict) and isinstance(item.get("name"), str):
            item = {**item, "name": match_spelling(item["name"], AXES["dataset"])}
        if not isinstance(item, dict) or not isinstance(item.get("name"), str):
            example = next(iter(AXES[axis]))
            hint = f"write a name or a mapping with `name` and its parameters: {example} or {{name: {example}, ...}}"
            if isinstance(item, dict) and len(item) == 1 and isinstance(parameters := next(iter(item.values())), dict):
                hint = f"write it like {shorten({'name': next(iter(item))} | parameters)}"
            elif item is False and axis in COMBINABLE:
                hint = "write `none`"
            self.add_problem(path, f"{shorten(item)} is not a component of `{axis}`", hint)
            return []
        if axis in COMBINABLE and item == {"name": "none"}:
            return [()]
        return [(candidate,) for candidate in self._candidates(axis, item, path, key_paths)]

    def _combination(self, axis: str, item: JsonObject, path: KeyPath) -> list[AxisValue]:
        parts = item["combine"]
        if len(item) > 1 or not isinstance(parts, list) or not parts:
            components = " and ".join(list(AXES[axis])[:2])
            hint = f"e.g. {{combine: [{components.replace(' and ', ', ')}]}} for {components} together"
            self.add_problem(path, "`combine` takes one list of components and no other key", hint)
            return []
        axis_values: list[list[AxisValue]] = []
        for i, part in enumerate(parts):
            if isinstance(part, dict) and "combine" in part:
                self.add_problem((*path, "combine", i), "a combination cannot hold another one")
                return []
            axis_values.append(self.axis_values(axis, part, (*path, "combine", i)))
        if math.prod(len(part) for part in axis_values) > self.limit:
            self.add_problem(
                path, f"this combination alone has more values than the limit of {self.limit:,}", LIMIT_HINT
            )
            return []
        return [tuple(itertools.chain(*point)) for point in itertools.product(*axis_values)]

    def _candidates(self, axis: str, item: JsonObject, path: KeyPath, key_paths: dict[str, KeyPath]) -> list[Candidate]:
        """All components that a mapping with sweeps in its parameters stands for."""
        parameter_values: list[list[tuple[Any, KeyPath]]] = []
        for key, value in item.items():
            key_path = key_paths[key]
            sweep = next((s for s in SWEEPS if isinstance(value, dict) and s in value), None)
            if sweep is None:
                parameter_values.append([(value, key_path)])
                continue
            values = value[sweep]
            if len(value) > 1 or not isinstance(values, list) or not values:
                hint = f"e.g. {{{sweep}: [1e-4, 1e-1]}}"
                self.add_problem(key_path, f"`{sweep}` takes one list with at least one value and no other key", hint)
                return []
            nested = next(
                (i for i, v in enumerate(values) if isinstance(v, dict) and any(s in v for s in SWEEPS)), None
            )
            if nested is not None:
                self.add_problem(
                    (*key_path, sweep, nested), f"`{sweep}` cannot hold another sweep", "write out its values"
                )
                return []
            if axis in VALUE_AXES and sweep in ("uniform", "log_uniform"):
                self.add_problem(key_path, f"`{sweep}` draws no values of `{axis}`", "list them: {choice: [...]}")
                return []
            if sweep == "grid":
                parameter_values.append([(v, (*key_path, "grid", i)) for i, v in enumerate(values)])
            else:
                # Named by what it is, not by where it stands: moving a component in the file changes no draw.
                distribution = self._distribution(
                    sweep, values, (*key_path, sweep), f"{axis}.{item.get('name', '')}.{key}"
                )
                if distribution is None:
                    return []
                parameter_values.append([(distribution, key_path)])
        if math.prod(len(values) for values in parameter_values) > self.limit:
            self.add_problem(path, f"this component alone has more values than the limit of {self.limit:,}", LIMIT_HINT)
            return []
        return [
            Candidate(
                {key: value for key, (value, _) in zip(item, point, strict=True)},
                path,
                {key: origin for key, (_, origin) in zip(item, point, strict=True)},
            )
            for point in itertools.product(*parameter_values)
        ]

    def _distribution(self, kind: str, values: list[Any], path: KeyPath, name: str) -> Distribution | None:
        if kind != "choice":
            if len(values) != 2 or not all(isinstance(v, int | float) and not isinstance(v, bool) for v in values):
                self.add_problem(path, f"`{kind}` takes two numbers, low and high, not {shorten(values)}")
                return None
            low, high = values
            if not low < high or (kind == "log_uniform" and low <= 0) or math.isinf(high - low):
                bounds = "0 < low < high" if kind == "log_uniform" else "low < high"
                self.add_problem(path, f"`{kind}` needs [low, high] with {bounds}, not {shorten(values)}")
                return None
        return Distribution(cast(DistributionKind, kind), tuple(values), name)


def hint_for_empty(axis: str) -> str:
    """What to write where an axis, or an entry of it, is left empty."""
    if axis in COMBINABLE:
        return f"write `none` for a configuration without {axis}, or remove it"
    return "give at least one value, or remove it"
