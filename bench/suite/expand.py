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
from bench.components.base import Component, StrictModel
from bench.components.user_defined import USER_DEFINED, is_user_defined
from bench.errors import Problem, nearest, plural, shorten, spelled
from bench.jsonutil import canonical
from bench.suite.arguments import how_to_write
from bench.suite.constraints import constraint_violation
from bench.suite.schema import AXIS_DEFAULTS, AXIS_ORDER, LATER, SWEEPS, VALUE_AXES, Sampling, Settings
from bench.suite.select import MATCHABLE, matches, values_text
from bench.suite.validation import check
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

    entry: dict[str, Any]
    path: KeyPath
    origins: dict[str, KeyPath]
    drawn: bool = False
    """Whether a distribution was drawn from."""

    @property
    def has_draws(self) -> bool:
        return any(isinstance(value, Distribution) for value in self.entry.values())

    def resolved(self, seed: int, index: int) -> Candidate:
        if not self.has_draws:
            return self
        entry = {key: v.sample(seed, index) if isinstance(v, Distribution) else v for key, v in self.entry.items()}
        return Candidate(entry, self.path, self.origins, drawn=True)

    def choices(self, seed: int) -> Iterator[Candidate]:
        """The first draw, with each value that a `choice` could give in its turn, also those that are never drawn."""
        first = self.resolved(seed, 0)
        for key, value in self.entry.items():
            if isinstance(value, Distribution) and value.kind == "choice":
                for choice in value.values:
                    yield replace(first, entry={**first.entry, key: choice}, drawn=False)


Level = tuple[Candidate, ...]
"""One level of an axis: a single option, or several for a combination; empty for `none`."""


def has_draws(level: Level) -> bool:
    return any(option.has_draws for option in level)


RULE_KEYS = tuple(key for key in MATCHABLE if key != "workers")
"""What a rule may match."""


class WorkerRules:
    """The rules in a document, each known by its place, and which of them have fitted a configuration.

    `asked` is a checked `workers` as plain data, `path` its place: rules under `defaults` are one for all sub-grids.
    """

    def __init__(self, document: YamlDocument) -> None:
        self.document = document
        self._fitted: dict[KeyPath, bool] = {}
        self._matches: dict[KeyPath, dict[str, Any]] = {}

    def add(self, asked: Any, path: KeyPath) -> Iterator[Problem]:
        """Take in a sub-grid's rules; what is wrong with them."""
        for place, rule in _rules(asked, path):
            self._fitted.setdefault(place, False)
            self._matches[place] = rule["match"]
            unknown = next((key for key in rule["match"] if key not in RULE_KEYS), None)
            if unknown is not None:
                hint = "\n".join(filter(None, [nearest(unknown, RULE_KEYS), f"allowed: {', '.join(RULE_KEYS)}"]))
                yield self._problem((*place, "match", unknown), f"unknown key {unknown!r}", hint)

    def workers(self, asked: Any, configuration: dict[str, Any], path: KeyPath) -> int:
        """The number of the first rule that fits, else the default."""
        for place, rule in _rules(asked, path):
            if matches(configuration, rule["match"]):
                self._fitted[place] = True
                return int(rule["workers"])
        return int(asked["default"] if isinstance(asked, dict) else asked)

    def idle(self, configurations: list[dict[str, Any]]) -> Iterator[Problem]:
        """The rules that none of the document's configurations needed."""
        for place, fitted in self._fitted.items():
            if not fitted:
                lines = values_text(configurations, self._matches[place])
                hint = "\n".join([*lines, "mend the rule, take it out, or put it before one that fits more"])
                yield self._problem(place, "fits no configuration that no rule before it fits", hint)

    def _problem(self, path: KeyPath, message: str, hint: str) -> Problem:
        return Problem(path_text(path), message, self.document.line(path), hint)


def _rules(asked: Any, path: KeyPath) -> Iterator[tuple[KeyPath, dict[str, Any]]]:
    for i, rule in enumerate(asked["rules"] if isinstance(asked, dict) else []):
        yield (*path, "rules", i), rule


MANY = 10_000
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
        self._axes: dict[KeyPath, list[Level]] = {}
        self._checked: dict[str, dict[str, Any] | None] = {}
        self._refused_draws: set[KeyPath] = set()
        self._default_paths: dict[str, KeyPath] = {}

    def wrong(self, path: KeyPath, message: str, hint: str = "") -> None:
        self.problems[Problem(path_text(path), message, self.document.line(path), hint)] = None

    def block(self, block: Block, path: KeyPath) -> Iterator[tuple[Configuration, list[int]]]:
        """Configurations of one sub-grid, each with its seeds; those with something wrong are left out."""
        settings = self._settings(block, Settings)
        sampling = self._settings(block, Sampling)
        if "model" not in block:
            self.wrong(path, "names no model", "add `model:` here or under `defaults`; see `bench list models`")
        axes: dict[str, list[Level]] = {}
        for axis in AXIS_ORDER:
            if axis in block:
                where, value = block[axis]
            else:  # one level for all sub-grids, checked once
                where, value = self._default_paths.setdefault(axis, (*path, axis)), AXIS_DEFAULTS.get(axis)
            if value is not None or axis in block:
                axes[axis] = self._axis(axis, value, where)
        if isinstance(settings, Settings) and "workers" in block:
            rules = settings.model_dump()["workers"]
            self.problems.update(dict.fromkeys(self.worker_rules.add(rules, block["workers"][0])))
        if not isinstance(settings, Settings) or not isinstance(sampling, Sampling) or "model" not in axes:
            return
        points = math.prod(len(levels) for levels in axes.values())
        fixed = math.prod(sum(not has_draws(level) for level in levels) for levels in axes.values())
        if fixed < points and sampling.samples is None:
            self.wrong(path, "has a distribution but no `samples`", "say how many draws, e.g. `samples: 20`")
            return
        if fixed == points and sampling.samples is not None:
            hint = "write one into a parameter, e.g. lr: {log_uniform: [1e-4, 1e-1]}, or leave `samples` out"
            self.wrong(block["samples"][0], "there is no distribution in this sub-grid to draw from", hint)
            return
        samples = sampling.samples or 1
        repeats = sampling.seeds if isinstance(sampling.seeds, int) else len(sampling.seeds)
        count = (fixed + (points - fixed) * samples) * repeats
        if count > self.limit:
            self.wrong(path, f"expands to {plural(count, 'trial')}, more than the limit of {self.limit:,}", _LIMIT_HINT)
            return
        if count > MANY:
            self.notify(
                f"{self.document.file}: {path_text(path)} stands for {count:,} trials, which take a while to list"
            )
        seeds = list(range(sampling.seeds)) if isinstance(sampling.seeds, int) else sampling.seeds
        protocol = settings.model_dump(mode="json")
        if "validation" in block:
            self.origins.setdefault(canonical(["validation", protocol["validation"]]), block["validation"][0])
        for point in itertools.product(*axes.values()):
            levels = dict(zip(axes, point, strict=True))
            for index in range(samples if any(map(has_draws, point)) else 1):
                configuration = self._configuration(levels, protocol, index, block)
                if configuration is not None:
                    yield configuration, seeds

    def _settings(self, block: Block, model: type[StrictModel]) -> StrictModel | None:
        given = {key: value for key, (_, value) in block.items() if key in model.model_fields}
        right = True
        for key, value in given.items():
            checked = check(model, {key: value}, self.document, block[key][0][:-1], f"`{key}`")
            if isinstance(checked, list):
                self.problems.update(dict.fromkeys(checked))
                right = False
        return model.model_validate(given) if right else None

    def _configuration(
        self, levels: dict[str, Level], protocol: dict[str, Any], index: int, block: Block
    ) -> Configuration | None:
        configuration: Configuration = {}
        for axis, level in levels.items():
            entries = [self._checked_entry(axis, option.resolved(self.seed, index)) for option in level]
            if any(entry is None for entry in entries):
                return None
            if axis in VALUE_AXES:
                configuration[axis] = entries[0]["value"]  # type: ignore[index]
            else:
                configuration[axis] = entries if axis in COMBINABLE else entries[0]
            if axis in DEFERRED_CHECKS and level:
                self.origins.setdefault(canonical([axis, configuration[axis]]), level[-1].path)
        configuration.update(protocol)
        configuration = {key: value for key, value in configuration.items() if LATER.get(key, ...) != value}
        where = block.get("workers", ((), None))[0]
        configuration["workers"] = self.worker_rules.workers(protocol["workers"], configuration, where)
        found = constraint_violation(configuration)
        if found:
            key, message = found
            self.wrong(levels[key][-1].path if key in levels else block[key][0], message)
            return None
        return configuration

    # --- one axis -------------------------------------------------------------------------------

    def _axis(self, axis: str, value: Any, path: KeyPath) -> list[Level]:
        """Every level of an axis, its entries checked; read once where sub-grids share it by `defaults`."""
        if path in self._axes:
            return self._axes[path]
        levels: list[Level] = []
        if value in ([], None):
            self.wrong(path, f"the axis `{axis}` is empty", _instead_of_nothing(axis))
            return []
        for where, item in (
            [((*path, i), item) for i, item in enumerate(value)] if isinstance(value, list) else [(path, value)]
        ):
            levels.extend(self._levels(axis, item, where))
            if len(levels) > self.limit:
                message = f"the axis `{axis}` alone has more levels than the limit of {self.limit:,}"
                self.wrong(path, message, _LIMIT_HINT)
                return []
        # Every entry once, so that all mistakes are shown together; in a combination options are shared by levels.
        for option in {id(option): option for level in levels for option in level}.values():
            for entry in option.choices(self.seed) if option.has_draws else [option]:
                self._checked_entry(axis, entry)
        self._axes[path] = levels
        return levels

    def _levels(self, axis: str, item: Any, path: KeyPath) -> list[Level]:
        if item is None:
            self.wrong(path, f"an empty value is no entry of `{axis}`", _instead_of_nothing(axis))
            return []
        if axis in VALUE_AXES:
            return [(option,) for option in self._options(axis, {"value": item}, path, {"value": path})]
        if axis in COMBINABLE and isinstance(item, dict) and "combine" in item:
            return self._combination(axis, item, path)
        if axis in COMBINABLE and item == "none":
            return [()]
        places = {key: (*path, key) for key in item} if isinstance(item, dict) else {"name": path}
        if isinstance(item, str):
            item = {"name": item}
        if axis == "dataset" and isinstance(item, dict) and isinstance(item.get("name"), str):
            item = {**item, "name": spelled(item["name"], AXES["dataset"])}
        if not isinstance(item, dict) or not isinstance(item.get("name"), str):
            example = next(iter(AXES[axis]))
            hint = f"write a name or a mapping with `name` and its parameters: {example} or {{name: {example}, ...}}"
            if isinstance(item, dict) and len(item) == 1 and isinstance(parameters := next(iter(item.values())), dict):
                hint = f"write it like {shorten({'name': next(iter(item))} | parameters)}"
            elif item is False and axis in COMBINABLE:
                hint = "write `none`"
            self.wrong(path, f"{shorten(item)} is not an entry of `{axis}`", hint)
            return []
        if axis in COMBINABLE and item == {"name": "none"}:
            return [()]
        return [(option,) for option in self._options(axis, item, path, places)]

    def _combination(self, axis: str, item: dict[str, Any], path: KeyPath) -> list[Level]:
        parts = item["combine"]
        if len(item) > 1 or not isinstance(parts, list) or not parts:
            entries = " and ".join(list(AXES[axis])[:2])
            hint = f"e.g. {{combine: [{entries.replace(' and ', ', ')}]}} for {entries} together"
            self.wrong(path, "`combine` takes one list of entries and stands alone", hint)
            return []
        levels: list[list[Level]] = []
        for i, part in enumerate(parts):
            if isinstance(part, dict) and "combine" in part:
                self.wrong((*path, "combine", i), "a combination cannot hold another one")
                return []
            levels.append(self._levels(axis, part, (*path, "combine", i)))
        if math.prod(len(part) for part in levels) > self.limit:
            self.wrong(path, f"this combination alone has more levels than the limit of {self.limit:,}", _LIMIT_HINT)
            return []
        return [tuple(itertools.chain(*point)) for point in itertools.product(*levels)]

    def _options(self, axis: str, item: dict[str, Any], path: KeyPath, places: dict[str, KeyPath]) -> list[Candidate]:
        """All entries that a mapping with sweeps in its parameters stands for."""
        choices: list[list[tuple[Any, KeyPath]]] = []
        for key, value in item.items():
            place = places[key]
            sweep = next((s for s in SWEEPS if isinstance(value, dict) and s in value), None)
            if sweep is None:
                choices.append([(value, place)])
                continue
            values = value[sweep]
            if len(value) > 1 or not isinstance(values, list) or not values:
                hint = f"e.g. {{{sweep}: [1e-4, 1e-1]}}"
                self.wrong(place, f"`{sweep}` takes one list with at least one value and stands alone", hint)
                return []
            nested = next(
                (i for i, v in enumerate(values) if isinstance(v, dict) and any(s in v for s in SWEEPS)), None
            )
            if nested is not None:
                self.wrong((*place, sweep, nested), f"`{sweep}` cannot hold another sweep", "write out its values")
                return []
            if axis in VALUE_AXES and sweep in ("uniform", "log_uniform"):
                self.wrong(place, f"`{sweep}` draws no whole numbers", "list them: {choice: [...]}")
                return []
            if sweep == "grid":
                choices.append([(v, (*place, "grid", i)) for i, v in enumerate(values)])
            else:
                # Named by what it is, not by where it stands: moving an entry in the file changes no draw.
                draw = self._draw(sweep, values, (*place, sweep), f"{axis}.{item.get('name', '')}.{key}")
                if draw is None:
                    return []
                choices.append([(draw, place)])
        if math.prod(len(values) for values in choices) > self.limit:
            self.wrong(path, f"this entry alone has more levels than the limit of {self.limit:,}", _LIMIT_HINT)
            return []
        return [
            Candidate(
                {key: value for key, (value, _) in zip(item, point, strict=True)},
                path,
                {key: origin for key, (_, origin) in zip(item, point, strict=True)},
            )
            for point in itertools.product(*choices)
        ]

    def _draw(self, kind: str, values: list[Any], path: KeyPath, name: str) -> Distribution | None:
        if kind != "choice":
            if len(values) != 2 or not all(isinstance(v, int | float) and not isinstance(v, bool) for v in values):
                self.wrong(path, f"`{kind}` takes two numbers, low and high, not {shorten(values)}")
                return None
            low, high = values
            if not low < high or (kind == "log_uniform" and low <= 0) or math.isinf(high - low):
                least = "0 < low < high" if kind == "log_uniform" else "low < high"
                self.wrong(path, f"`{kind}` needs [low, high] with {least}, not {shorten(values)}")
                return None
        return Distribution(kind, tuple(values), name)

    # --- one entry ------------------------------------------------------------------------------

    def _checked_entry(self, axis: str, option: Candidate) -> dict[str, Any] | None:
        memo = f"{axis}{option.path}{option.entry!r}"
        if option.path in self._refused_draws:  # one of them tells of the distribution
            return None
        if memo not in self._checked:
            entry = self._checked[memo] = self._check_entry(axis, option)
            if entry is None and option.drawn:
                self._refused_draws.add(option.path)
            if entry is not None and axis in (*EXTENSIBLE_AXES, "dataset"):
                self.origins.setdefault(canonical([axis, entry]), option.path)
        return self._checked[memo]

    def _check_entry(self, axis: str, option: Candidate) -> dict[str, Any] | None:
        entry = option.entry
        if axis in VALUE_AXES:
            value = entry["value"]
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                message = f"`{axis}` must be a whole number of at least 1, not {shorten(value)}"
                self.wrong(option.origins["value"], message, how_to_write(value, int))
                return None
            return entry
        name = entry["name"]
        known = AXES[axis]
        if name not in known:
            if is_user_defined(name):
                return self._known_entry(axis, USER_DEFINED[axis], option)
            if axis in EXTENSIBLE_AXES:
                return self._open_entry(axis, option)
            if name == "none" and axis in COMBINABLE:
                self.wrong(option.path, "`none` takes no parameters", "name an entry, or take its parameters out")
                return None
            names = [*(["none"] if axis in COMBINABLE else []), *known]
            near = nearest(name, names)
            if axis == "dataset" and not near:
                form = "npz" if name.endswith(".npz") else "image_folder"
                near = f"your own images are {{name: {form}, path: {shorten(name)}}}: docs/data.md"
            hint = "\n".join(part for part in (near, f"allowed: {', '.join(names)}") if part)
            self.wrong(option.origins.get("name", option.path), f"there is no {axis} {shorten(name)}", hint)
            return None
        return self._known_entry(axis, known[name], option)

    def _known_entry(self, axis: str, kind: type[Component], option: Candidate) -> dict[str, Any] | None:
        """An entry that a component class checks."""
        checked = check(kind, option.entry, self.document, option.path, f"{axis} {option.entry['name']!r}")
        if isinstance(checked, list):
            for problem in checked:
                self._at_origin(problem, option)
            return None
        return cast(Component, checked).to_json()

    def _at_origin(self, problem: Problem, option: Candidate) -> None:
        """File a problem of a parameter that came from a sweep at the value it came from."""
        inside = problem.path.removeprefix(path_text(option.path)).removeprefix(".")
        key = re.split(r"[.\[]", inside, maxsplit=1)[0]
        if key in option.origins:
            origin = option.origins[key]
            path = path_text(origin) + inside.removeprefix(key)
            problem = Problem(path, problem.message, self.document.line(origin), problem.hint)
        self.problems[problem] = None

    def _open_entry(self, axis: str, option: Candidate) -> dict[str, Any] | None:
        """An entry that a library or the user's own code answers for; only its plain numbers are checked here."""
        entry = option.entry
        if entry["name"].lower() in AXES[axis] or not entry["name"]:
            hint = nearest(entry["name"], AXES[axis])
            self.wrong(option.origins.get("name", option.path), f"there is no {axis} {entry['name']!r}", hint)
            return None
        rate = entry.get("lr")
        if (
            axis == "optimizer"
            and "lr" in entry
            and (isinstance(rate, bool) or not isinstance(rate, int | float) or rate <= 0)
        ):
            hint = how_to_write(rate, float)
            self.wrong(option.origins["lr"], f"a learning rate must be a number above 0, not {shorten(rate)}", hint)
            return None
        pretrained = entry.get("pretrained", False)
        if axis == "model" and not isinstance(pretrained, bool):
            message = f"`pretrained` must be true or false, not {shorten(pretrained)}"
            self.wrong(option.origins["pretrained"], message, how_to_write(pretrained, bool))
            return None
        named = ("pretrained_cfg", "pretrained_cfg_overlay")
        from_file = any(isinstance(value := entry.get(key), dict) and value.get("file") for key in named)
        if axis == "model" and entry.get("pretrained") and "." not in entry["name"] and not from_file:
            self.wrong(
                option.origins["pretrained"],
                f"`pretrained` needs the weights named, not only the architecture {entry['name']!r}",
                "give timm's full name with its tag, e.g. resnet18.a1_in1k, or pretrained_cfg_overlay: {file: ...}",
            )
            return None
        return entry


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
    out: list[tuple[Configuration, list[int]]] = []
    total = 0
    for path, block in blocks:
        for configuration, seeds in expander.block(block, path):
            out.append((configuration, seeds))
            total += len(seeds)
            if total > limit:
                message = f"its sub-grids together expand to more trials than the limit of {limit:,}"
                expander.wrong(("grid",), message, _LIMIT_HINT)
                return out, expander.origins, list(expander.problems)
    if not expander.problems:
        idle = expander.worker_rules.idle([configuration for configuration, _ in out])
        expander.problems.update(dict.fromkeys(idle))
    return out, expander.origins, list(expander.problems)


def _instead_of_nothing(axis: str) -> str:
    """What to write where an axis, or an entry of it, is left empty."""
    if axis in COMBINABLE:
        return f"write `none` for a configuration without {axis}, or take it out"
    return "give at least one value, or take it out"
