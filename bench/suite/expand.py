"""From axes to configurations: grids, draws and combinations become one exact list, the same on any machine."""

from __future__ import annotations

import itertools
import math
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, cast

from bench.components import AXES, COMBINABLE, EXTENSIBLE_AXES
from bench.components.arguments import how_to_write
from bench.components.base import Component, StrictModel
from bench.components.user_defined import USER_DEFINED, is_user_defined
from bench.errors import Problem, match_spelling, nearest, plural, shorten
from bench.jsonutil import canonical
from bench.suite.schema import AXIS_DEFAULTS, AXIS_ORDER, OMITTED_DEFAULTS, SWEEPS, VALUE_AXES, Sampling, Settings
from bench.suite.select import MATCHABLE, matches, values_text
from bench.suite.validation import check, constraint_violation
from bench.suite.yaml_loader import KeyPath, YamlDocument, path_text


@dataclass(frozen=True)
class Distribution:
    """A distribution in an entry's parameter, to be drawn once per sample."""

    kind: str
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
    """One entry an axis may take: plain parameters, some of them draws; and where each of them was written."""

    component: dict[str, Any]
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

    def alternatives(self, seed: int) -> Iterator[Candidate]:
        """The first draw, with each value that a `choice` could give in its turn, also those that are never drawn."""
        first = self.resolved(seed, 0)
        for key, value in self.component.items():
            if isinstance(value, Distribution) and value.kind == "choice":
                for choice in value.values:
                    yield replace(first, component={**first.component, key: choice}, drawn=False)


AxisValue = tuple[Candidate, ...]
"""One level of an axis: a single option, or several for a combination; empty for `none`."""


def has_distribution(axis_value: AxisValue) -> bool:
    return any(candidate.has_distribution for candidate in axis_value)


RULE_KEYS = tuple(key for key in MATCHABLE if key != "workers")
"""What a rule may match."""


class WorkerRules:
    """The rules in a document, each known by its place, and which of them have fitted a configuration.

    `setting` is a checked `workers` as plain data, `path` its place: rules under `defaults` are one for all sub-grids.
    """

    def __init__(self, document: YamlDocument) -> None:
        self.document = document
        self._used: dict[KeyPath, bool] = {}
        self._matches: dict[KeyPath, dict[str, Any]] = {}

    def add(self, setting: Any, path: KeyPath) -> Iterator[Problem]:
        """Take in a sub-grid's rules; what is wrong with them."""
        for rule_path, rule in _rules(setting, path):
            self._used.setdefault(rule_path, False)
            self._matches[rule_path] = rule["match"]
            unknown = next((key for key in rule["match"] if key not in RULE_KEYS), None)
            if unknown is not None:
                hint = "\n".join(filter(None, [nearest(unknown, RULE_KEYS), f"allowed: {', '.join(RULE_KEYS)}"]))
                yield self._problem((*rule_path, "match", unknown), f"unknown key {unknown!r}", hint)

    def workers(self, setting: Any, configuration: dict[str, Any], path: KeyPath) -> int:
        """The number of the first rule that fits, else the default."""
        for rule_path, rule in _rules(setting, path):
            if matches(configuration, rule["match"]):
                self._used[rule_path] = True
                return int(rule["workers"])
        return int(setting["default"] if isinstance(setting, dict) else setting)

    def unused(self, configurations: list[dict[str, Any]]) -> Iterator[Problem]:
        """The rules that none of the document's configurations needed."""
        for rule_path, fitted in self._used.items():
            if not fitted:
                lines = values_text(configurations, self._matches[rule_path])
                hint = "\n".join([*lines, "correct the rule, remove it, or put it before one that fits more"])
                yield self._problem(rule_path, "fits no configuration that no rule before it fits", hint)

    def _problem(self, path: KeyPath, message: str, hint: str) -> Problem:
        return Problem(path_text(path), message, self.document.line(path), hint)


def _rules(setting: Any, path: KeyPath) -> Iterator[tuple[KeyPath, dict[str, Any]]]:
    for i, rule in enumerate(setting["rules"] if isinstance(setting, dict) else []):
        yield (*path, "rules", i), rule


SLOW_TO_LIST = 10_000
"""Trials of a sub-grid beyond which listing them takes more than a second."""

_LIMIT_HINT = "cut its axes, or raise `limit` at the top level of the file"

Configuration = dict[str, Any]
"""One point of the grid with every default filled in; plain JSON."""

DEFERRED_CHECKS = ("preprocessing", "schedule", "loss", "step", "regularizer", "augmentation", "batch_size")
"""Axes of which some values are tried later: the user's own code, and what the images or the network may not suit."""

Block = dict[str, tuple[KeyPath, Any]]
"""One sub-grid with its defaults: each key with the path it was written at, and its value."""


class Expander:
    """Expands the blocks of one document and collects what is wrong with them."""

    def __init__(self, document: YamlDocument, sampling_seed: int, limit: int, notify: Callable[[str], None]):
        self.document = document
        self.seed = sampling_seed
        self.limit = limit
        self.notify = notify
        self.problems: dict[Problem, None] = {}
        """In the order found, each once."""
        self.origins: dict[str, KeyPath] = {}
        """Where what others judge was written (open axes, dataset, validation, `DEFERRED_CHECKS`).

        By ``canonical([key, value])``, the value as a configuration has it.
        """
        self.worker_rules = WorkerRules(document)
        self._axes: dict[KeyPath, list[AxisValue]] = {}
        self._checked: dict[str, dict[str, Any] | None] = {}
        self._refused_paths: set[KeyPath] = set()
        self._default_paths: dict[str, KeyPath] = {}

    def add_problem(self, path: KeyPath, message: str, hint: str = "") -> None:
        self.problems[Problem(path_text(path), message, self.document.line(path), hint)] = None

    def block(self, block: Block, path: KeyPath) -> Iterator[tuple[Configuration, list[int]]]:
        """Configurations of one sub-grid, each with its seeds; those with something wrong are left out."""
        settings = self._settings(block, Settings)
        sampling = self._settings(block, Sampling)
        if "model" not in block:
            self.add_problem(path, "names no model", "add `model:` here or under `defaults`; see `bench list models`")
        axes: dict[str, list[AxisValue]] = {}
        for axis in AXIS_ORDER:
            if axis in block:
                axis_path, value = block[axis]
            else:  # one level for all sub-grids, checked once
                axis_path, value = self._default_paths.setdefault(axis, (*path, axis)), AXIS_DEFAULTS.get(axis)
            if value is not None or axis in block:
                axes[axis] = self._axis(axis, value, axis_path)
        if isinstance(settings, Settings) and "workers" in block:
            rules = settings.model_dump()["workers"]
            self.problems.update(dict.fromkeys(self.worker_rules.add(rules, block["workers"][0])))
        if not isinstance(settings, Settings) or not isinstance(sampling, Sampling) or "model" not in axes:
            return
        points = math.prod(len(axis_values) for axis_values in axes.values())
        fixed = math.prod(
            sum(not has_distribution(axis_value) for axis_value in axis_values) for axis_values in axes.values()
        )
        if fixed < points and sampling.samples is None:
            self.add_problem(path, "has a distribution but no `samples`", "say how many draws, e.g. `samples: 20`")
            return
        if fixed == points and sampling.samples is not None:
            hint = "write one into a parameter, e.g. lr: {log_uniform: [1e-4, 1e-1]}, or leave `samples` out"
            self.add_problem(block["samples"][0], "there is no distribution in this sub-grid to draw from", hint)
            return
        samples = sampling.samples or 1
        repeats = sampling.seeds if isinstance(sampling.seeds, int) else len(sampling.seeds)
        count = (fixed + (points - fixed) * samples) * repeats
        if count > self.limit:
            self.add_problem(
                path, f"expands to {plural(count, 'trial')}, more than the limit of {self.limit:,}", _LIMIT_HINT
            )
            return
        if count > SLOW_TO_LIST:
            self.notify(
                f"{self.document.file}: {path_text(path)} stands for {count:,} trials, which take a while to list"
            )
        seeds = list(range(sampling.seeds)) if isinstance(sampling.seeds, int) else sampling.seeds
        protocol = settings.model_dump(mode="json")
        if "validation" in block:
            self.origins.setdefault(canonical(["validation", protocol["validation"]]), block["validation"][0])
        for point in itertools.product(*axes.values()):
            axis_values = dict(zip(axes, point, strict=True))
            for index in range(samples if any(map(has_distribution, point)) else 1):
                configuration = self._configuration(axis_values, protocol, index, block)
                if configuration is not None:
                    yield configuration, seeds

    def _settings(self, block: Block, model: type[StrictModel]) -> StrictModel | None:
        values = {key: value for key, (_, value) in block.items() if key in model.model_fields}
        valid = True
        for key, value in values.items():
            checked = check(model, {key: value}, self.document, block[key][0][:-1], f"`{key}`")
            if isinstance(checked, list):
                self.problems.update(dict.fromkeys(checked))
                valid = False
        return model.model_validate(values) if valid else None

    def _configuration(
        self, axis_values: dict[str, AxisValue], protocol: dict[str, Any], index: int, block: Block
    ) -> Configuration | None:
        configuration: Configuration = {}
        for axis, axis_value in axis_values.items():
            components = [
                self._checked_component(axis, candidate.resolved(self.seed, index)) for candidate in axis_value
            ]
            if any(component is None for component in components):
                return None
            if axis in VALUE_AXES:
                configuration[axis] = components[0]["value"]  # type: ignore[index]
            else:
                configuration[axis] = components if axis in COMBINABLE else components[0]
            if axis in DEFERRED_CHECKS and axis_value:
                self.origins.setdefault(canonical([axis, configuration[axis]]), axis_value[-1].path)
        configuration.update(protocol)
        configuration = {key: value for key, value in configuration.items() if OMITTED_DEFAULTS.get(key, ...) != value}
        workers_path = block.get("workers", ((), None))[0]
        configuration["workers"] = self.worker_rules.workers(protocol["workers"], configuration, workers_path)
        violation = constraint_violation(configuration)
        if violation:
            key, message = violation
            self.add_problem(axis_values[key][-1].path if key in axis_values else block[key][0], message)
            return None
        return configuration

    # --- one axis -------------------------------------------------------------------------------

    def _axis(self, axis: str, value: Any, path: KeyPath) -> list[AxisValue]:
        """Every level of an axis, its entries checked; read once where sub-grids share it by `defaults`."""
        if path in self._axes:
            return self._axes[path]
        axis_values: list[AxisValue] = []
        if value in ([], None):
            self.add_problem(path, f"the axis `{axis}` is empty", _hint_for_empty(axis))
            return []
        for item_path, item in (
            [((*path, i), item) for i, item in enumerate(value)] if isinstance(value, list) else [(path, value)]
        ):
            axis_values.extend(self._axis_values(axis, item, item_path))
            if len(axis_values) > self.limit:
                message = f"the axis `{axis}` alone has more values than the limit of {self.limit:,}"
                self.add_problem(path, message, _LIMIT_HINT)
                return []
        # Every entry once, so that all mistakes are shown together; in a combination options are shared by levels.
        for candidate in {id(candidate): candidate for axis_value in axis_values for candidate in axis_value}.values():
            for component in candidate.alternatives(self.seed) if candidate.has_distribution else [candidate]:
                self._checked_component(axis, component)
        self._axes[path] = axis_values
        return axis_values

    def _axis_values(self, axis: str, item: Any, path: KeyPath) -> list[AxisValue]:
        if item is None:
            self.add_problem(path, f"an empty value is not allowed in `{axis}`", _hint_for_empty(axis))
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

    def _combination(self, axis: str, item: dict[str, Any], path: KeyPath) -> list[AxisValue]:
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
            axis_values.append(self._axis_values(axis, part, (*path, "combine", i)))
        if math.prod(len(part) for part in axis_values) > self.limit:
            self.add_problem(
                path, f"this combination alone has more values than the limit of {self.limit:,}", _LIMIT_HINT
            )
            return []
        return [tuple(itertools.chain(*point)) for point in itertools.product(*axis_values)]

    def _candidates(
        self, axis: str, item: dict[str, Any], path: KeyPath, key_paths: dict[str, KeyPath]
    ) -> list[Candidate]:
        """All entries that a mapping with sweeps in its parameters stands for."""
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
                self.add_problem(key_path, f"`{sweep}` draws no whole numbers", "list them: {choice: [...]}")
                return []
            if sweep == "grid":
                parameter_values.append([(v, (*key_path, "grid", i)) for i, v in enumerate(values)])
            else:
                # Named by what it is, not by where it stands: moving an entry in the file changes no draw.
                distribution = self._distribution(
                    sweep, values, (*key_path, sweep), f"{axis}.{item.get('name', '')}.{key}"
                )
                if distribution is None:
                    return []
                parameter_values.append([(distribution, key_path)])
        if math.prod(len(values) for values in parameter_values) > self.limit:
            self.add_problem(
                path, f"this component alone has more values than the limit of {self.limit:,}", _LIMIT_HINT
            )
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
        return Distribution(kind, tuple(values), name)

    # --- one entry ------------------------------------------------------------------------------

    def _checked_component(self, axis: str, candidate: Candidate) -> dict[str, Any] | None:
        cache_key = f"{axis}{candidate.path}{candidate.component!r}"
        if candidate.path in self._refused_paths:  # one of them tells of the distribution
            return None
        if cache_key not in self._checked:
            component = self._checked[cache_key] = self._check_component(axis, candidate)
            if component is None and candidate.drawn:
                self._refused_paths.add(candidate.path)
            if component is not None and axis in (*EXTENSIBLE_AXES, "dataset"):
                self.origins.setdefault(canonical([axis, component]), candidate.path)
        return self._checked[cache_key]

    def _check_component(self, axis: str, candidate: Candidate) -> dict[str, Any] | None:
        component = candidate.component
        if axis in VALUE_AXES:
            value = component["value"]
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                message = f"`{axis}` must be a whole number of at least 1, not {shorten(value)}"
                self.add_problem(candidate.origins["value"], message, how_to_write(value, int))
                return None
            return component
        name = component["name"]
        classes = AXES[axis]
        if name not in classes:
            if is_user_defined(name):
                return self._validated(axis, USER_DEFINED[axis], candidate)
            if axis in EXTENSIBLE_AXES:
                return self._check_library_component(axis, candidate)
            if name == "none" and axis in COMBINABLE:
                self.add_problem(
                    candidate.path, "`none` takes no parameters", "name a component, or remove the parameters"
                )
                return None
            names = [*(["none"] if axis in COMBINABLE else []), *classes]
            near = nearest(name, names)
            if axis == "dataset" and not near:
                form = "npz" if name.endswith(".npz") else "image_folder"
                near = f"your own images are {{name: {form}, path: {shorten(name)}}}: docs/data.md"
            hint = "\n".join(part for part in (near, f"allowed: {', '.join(names)}") if part)
            self.add_problem(candidate.origins.get("name", candidate.path), f"there is no {axis} {shorten(name)}", hint)
            return None
        return self._validated(axis, classes[name], candidate)

    def _validated(self, axis: str, component_class: type[Component], candidate: Candidate) -> dict[str, Any] | None:
        """An entry that a component class checks."""
        checked = check(
            component_class,
            candidate.component,
            self.document,
            candidate.path,
            f"{axis} {candidate.component['name']!r}",
        )
        if isinstance(checked, list):
            for problem in checked:
                self._add_at_origin(problem, candidate)
            return None
        return cast(Component, checked).to_json()

    def _add_at_origin(self, problem: Problem, candidate: Candidate) -> None:
        """File a problem of a parameter that came from a sweep at the value it came from."""
        inside = problem.path.removeprefix(path_text(candidate.path)).removeprefix(".")
        key = re.split(r"[.\[]", inside, maxsplit=1)[0]
        if key in candidate.origins:
            origin = candidate.origins[key]
            path = path_text(origin) + inside.removeprefix(key)
            problem = Problem(path, problem.message, self.document.line(origin), problem.hint)
        self.problems[problem] = None

    def _check_library_component(self, axis: str, candidate: Candidate) -> dict[str, Any] | None:
        """An entry that a library or the user's own code answers for; only its plain numbers are checked here."""
        component = candidate.component
        if component["name"].lower() in AXES[axis] or not component["name"]:
            hint = nearest(component["name"], AXES[axis])
            self.add_problem(
                candidate.origins.get("name", candidate.path), f"there is no {axis} {component['name']!r}", hint
            )
            return None
        rate = component.get("lr")
        if (
            axis == "optimizer"
            and "lr" in component
            and (isinstance(rate, bool) or not isinstance(rate, int | float) or rate <= 0)
        ):
            hint = how_to_write(rate, float)
            self.add_problem(
                candidate.origins["lr"], f"a learning rate must be a number above 0, not {shorten(rate)}", hint
            )
            return None
        pretrained = component.get("pretrained", False)
        if axis == "model" and not isinstance(pretrained, bool):
            message = f"`pretrained` must be true or false, not {shorten(pretrained)}"
            self.add_problem(candidate.origins["pretrained"], message, how_to_write(pretrained, bool))
            return None
        named = ("pretrained_cfg", "pretrained_cfg_overlay")
        from_file = any(isinstance(value := component.get(key), dict) and value.get("file") for key in named)
        if axis == "model" and component.get("pretrained") and "." not in component["name"] and not from_file:
            self.add_problem(
                candidate.origins["pretrained"],
                f"`pretrained` needs the weights named, not only the architecture {component['name']!r}",
                "give timm's full name with its tag, e.g. resnet18.a1_in1k, or pretrained_cfg_overlay: {file: ...}",
            )
            return None
        return component


def expand(
    document: YamlDocument,
    blocks: list[tuple[KeyPath, Block]],
    sampling_seed: int,
    limit: int,
    notify: Callable[[str], None],
) -> tuple[list[tuple[Configuration, list[int]]], dict[str, KeyPath], list[Problem]]:
    """All configurations of the blocks with their seeds, in order, where each entry that others judge was written, and
    every problem found, of which each left configurations out.
    """
    expander = Expander(document, sampling_seed, limit, notify)
    pairs: list[tuple[Configuration, list[int]]] = []
    total = 0
    for path, block in blocks:
        for configuration, seeds in expander.block(block, path):
            pairs.append((configuration, seeds))
            total += len(seeds)
            if total > limit:
                message = f"its sub-grids together expand to more trials than the limit of {limit:,}"
                expander.add_problem(("grid",), message, _LIMIT_HINT)
                return pairs, expander.origins, list(expander.problems)
    if not expander.problems:
        unused_rules = expander.worker_rules.unused([configuration for configuration, _ in pairs])
        expander.problems.update(dict.fromkeys(unused_rules))
    return pairs, expander.origins, list(expander.problems)


def _hint_for_empty(axis: str) -> str:
    """What to write where an axis, or an entry of it, is left empty."""
    if axis in COMBINABLE:
        return f"write `none` for a configuration without {axis}, or remove it"
    return "give at least one value, or remove it"
