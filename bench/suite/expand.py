"""From axes to configurations: grids, draws and combinations become one exact list, the same on any machine."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, cast

from bench.components import AXES, COMBINABLE, EXTENSIBLE_AXES
from bench.components.arguments import how_to_write
from bench.components.base import Component, StrictModel
from bench.components.user_defined import USER_DEFINED, is_user_defined
from bench.errors import Problem, nearest, plural, shorten
from bench.jsonutil import JsonObject, canonical
from bench.suite.axis_values import LIMIT_HINT, AxisReader, AxisValue, Candidate, has_distribution, hint_for_empty
from bench.suite.schema import (
    AXIS_DEFAULTS,
    AXIS_ORDER,
    DATA_QUESTIONS,
    OMITTED_DEFAULTS,
    VALUE_AXES,
    Sampling,
    Settings,
)
from bench.suite.search_space import Search, SearchedParameter, sampled_keys, search_rule
from bench.suite.select import WorkerRules
from bench.suite.validation import check, constraint_violation
from bench.suite.yaml_loader import KeyPath, YamlDocument, path_text

SLOW_TO_LIST = 10_000
"""Trials of a sub-grid beyond which listing them takes more than a second."""


Configuration = JsonObject
"""One point of the grid with every default filled in; plain JSON."""

DEFERRED_CHECKS = (
    *("preprocessing", "schedule", "loss", "step", "regularizer", "augmentation", "batch_size"),
    *DATA_QUESTIONS,
)
"""Axes of which some values are tried later: the user's own code, and what the images or the network may not suit."""

SubGrid = dict[str, tuple[KeyPath, Any]]
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
        self.searches: list[Search] = []
        self.worker_rules = WorkerRules(document)
        self._reader = AxisReader(limit, self.add_problem)
        self._axes: dict[KeyPath, list[AxisValue]] = {}
        self._checked: dict[str, JsonObject | None] = {}
        self._refused_paths: set[KeyPath] = set()
        self._default_paths: dict[str, KeyPath] = {}

    def add_problem(self, path: KeyPath, message: str, hint: str = "") -> None:
        self.problems[Problem(path_text(path), message, self.document.line(path), hint)] = None

    def block(self, block: SubGrid, path: KeyPath) -> Iterator[tuple[Configuration, list[int]]]:
        """Configurations of one sub-grid, each with its seeds; those with something wrong are left out."""
        settings = self._settings(block, Settings)
        sampling = self._settings(block, Sampling)
        if "model" not in block:
            self.add_problem(path, "names no model", "add `model:` here or under `defaults`; see `bench list models`")
        axes: dict[str, list[AxisValue]] = {}
        for axis in AXIS_ORDER:
            if axis in block:
                axis_path, value = block[axis]
            else:  # one value for all sub-grids, checked once
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
        search = sampling.settings
        if not self._sampling_fits(sampling, block, path, axes, settings, sampled=fixed < points):
            return
        repeats = sampling.seeds if isinstance(sampling.seeds, int) else len(sampling.seeds)
        count = (fixed + (points - fixed) * (search.trials if search else 1)) * repeats
        if count > self.limit:
            self.add_problem(
                path, f"expands to {plural(count, 'trial')}, more than the limit of {self.limit:,}", LIMIT_HINT
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
            n_draws = search.n_draws if search and any(map(has_distribution, point)) else None
            configurations: list[Configuration] = []
            for index in range(n_draws or 1):
                configuration = self._configuration(axis_values, protocol, index, block)
                if configuration is not None:
                    configurations.append(configuration)
                    yield configuration, seeds
            if search and n_draws == len(configurations):
                rule = search_rule(search, self.seed, self._searched_parameters(axis_values))
                self.searches.append(Search(rule, search.trials, len(seeds), tuple(configurations)))

    def _sampling_fits(
        self,
        sampling: Sampling,
        block: SubGrid,
        path: KeyPath,
        axes: dict[str, list[AxisValue]],
        settings: Settings,
        sampled: bool,
    ) -> bool:
        """Whether `samples` and `search` suit a sub-grid, which has distributions if it is `sampled`."""
        search = sampling.settings
        if sampling.samples is not None and sampling.search is not None:
            hint = "`samples: N` is `search: {algorithm: random, trials: N}`: keep one of the two"
            self.add_problem(block["search"][0], "`search` and `samples` exclude each other", hint)
        elif sampled and search is None:
            hint = "say how many draws, e.g. `samples: 20`, or `search: {algorithm: tpe, trials: 60}`"
            self.add_problem(path, "has a distribution but no `samples`", hint)
        elif search is not None and not sampled:
            key = "samples" if sampling.search is None else "search"
            hint = f"write one into a parameter, e.g. lr: {{log_uniform: [1e-4, 1e-1]}}, or leave `{key}` out"
            self.add_problem(block[key][0], "there is no distribution in this sub-grid to draw from", hint)
        elif search is not None and search.algorithm != "random":
            if settings.validation == "none":
                message = f"{search.algorithm} needs validation images, and `validation: none` leaves none"
                self.add_problem(block["search"][0], message, "give it a validation part, or take `algorithm: random`")
            elif any(map(has_distribution, axes.get("dataset", []))):
                message = f"{search.algorithm} searches no data sets"
                self.add_problem(block["search"][0], message, "list them with `grid` instead: each has its own search")
            else:
                self._check_bounds(axes)
                return True
        else:
            return True
        return False

    def _check_bounds(self, axes: dict[str, list[AxisValue]]) -> None:
        """What may be proposed later is right too: the ends of all distributions are checked."""
        for axis, axis_values in axes.items():
            for candidate in {id(candidate): candidate for value in axis_values for candidate in value}.values():
                if candidate.has_distribution:
                    for alternative in candidate.alternatives(self.seed, with_bounds=True):
                        self._checked_component(axis, alternative)

    def _searched_parameters(self, axis_values: dict[str, AxisValue]) -> list[SearchedParameter]:
        """The parameters that are drawn at a point of the grid; values of a choice as configurations have them."""
        parameters = []
        for axis, position, candidate, key, distribution in sampled_keys(axis_values):
            values = list(distribution.values)
            if distribution.kind == "choice":
                first = candidate.resolved(self.seed, 0)
                checked = [
                    self._checked_component(
                        axis, replace(first, component={**first.component, key: value}, drawn=False)
                    )
                    for value in values
                ]
                values = [component[key] for component in checked if component is not None]
            parameters.append(
                SearchedParameter(
                    name=distribution.name,
                    axis=axis,
                    position=position if axis in COMBINABLE else None,
                    key=key,
                    kind=distribution.kind,
                    values=values,
                )
            )
        return parameters

    def _settings(self, block: SubGrid, model: type[StrictModel]) -> StrictModel | None:
        values = {key: value for key, (_, value) in block.items() if key in model.model_fields}
        valid = True
        for key, value in values.items():
            checked = check(model, {key: value}, self.document, block[key][0][:-1], f"`{key}`")
            if isinstance(checked, list):
                self.problems.update(dict.fromkeys(checked))
                valid = False
        return model.model_validate(values) if valid else None

    def _configuration(
        self, axis_values: dict[str, AxisValue], protocol: JsonObject, index: int, block: SubGrid
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
        """Every value of an axis, its components checked; read once where sub-grids share it by `defaults`."""
        if path in self._axes:
            return self._axes[path]
        axis_values: list[AxisValue] = []
        if value in ([], None):
            self.add_problem(path, f"the axis `{axis}` is empty", hint_for_empty(axis))
            return []
        for item_path, item in (
            [((*path, i), item) for i, item in enumerate(value)] if isinstance(value, list) else [(path, value)]
        ):
            axis_values.extend(self._reader.axis_values(axis, item, item_path))
            if len(axis_values) > self.limit:
                message = f"the axis `{axis}` alone has more values than the limit of {self.limit:,}"
                self.add_problem(path, message, LIMIT_HINT)
                return []
        # Every component once, so that all mistakes are shown together; values of a combination share components.
        for candidate in {id(candidate): candidate for axis_value in axis_values for candidate in axis_value}.values():
            for component in candidate.alternatives(self.seed) if candidate.has_distribution else [candidate]:
                self._checked_component(axis, component)
        self._axes[path] = axis_values
        return axis_values

    # --- one entry ------------------------------------------------------------------------------

    def _checked_component(self, axis: str, candidate: Candidate) -> JsonObject | None:
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

    def _check_component(self, axis: str, candidate: Candidate) -> JsonObject | None:
        component = candidate.component
        if axis in VALUE_AXES:
            return self._checked_value(axis, candidate)
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

    def _checked_value(self, axis: str, candidate: Candidate) -> dict[str, float] | None:
        """A value of an axis of plain numbers: a positive integer, or a fraction in (0, 1]."""
        value = candidate.component["value"]
        number = float if isinstance(VALUE_AXES[axis], float) else int
        is_number = isinstance(value, int | number) and not isinstance(value, bool)
        if number is float and not (is_number and 0 < value <= 1):
            message = f"`{axis}` must be a number above 0 and at most 1, not {shorten(value)}"
            hint = "" if is_number else how_to_write(value, float)
            self.add_problem(candidate.origins["value"], message, hint or f"1 % is `{axis}: 0.01`, 1 is everything")
            return None
        if number is int and not (is_number and value >= 1):
            message = f"`{axis}` must be a whole number of at least 1, not {shorten(value)}"
            self.add_problem(candidate.origins["value"], message, how_to_write(value, int))
            return None
        return {"value": number(value)}

    def _validated(self, axis: str, component_class: type[Component], candidate: Candidate) -> JsonObject | None:
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

    def _check_library_component(self, axis: str, candidate: Candidate) -> JsonObject | None:
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
    blocks: list[tuple[KeyPath, SubGrid]],
    sampling_seed: int,
    limit: int,
    notify: Callable[[str], None],
) -> tuple[list[tuple[Configuration, list[int]]], Expander]:
    """All configurations of the blocks with their seeds, in order, and what expanded them: with the searches, where
    each component that others check was written, and every problem, of which each left configurations out.
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
                expander.add_problem(("grid",), message, LIMIT_HINT)
                return pairs, expander
    if not expander.problems:
        unused_rules = expander.worker_rules.unused([configuration for configuration, _ in pairs])
        expander.problems.update(dict.fromkeys(unused_rules))
    return pairs, expander
