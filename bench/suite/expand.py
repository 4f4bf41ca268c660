"""From axes to configurations: grids, draws and combinations become one exact list, the same on any machine."""

from __future__ import annotations

import itertools
import json
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bench.suite.components import AXES, COMBINABLE, OPEN, Entry
from bench.suite.document import Document, KeyPath, path_text
from bench.suite.errors import Problem, SuiteError, nearest
from bench.suite.schema import AXIS_DEFAULTS, AXIS_ORDER, SWEEPS, VALUE_AXES, Sampling, Settings, check

Configuration = dict[str, Any]
"""One point of the grid with every default filled in; plain JSON."""


def canonical(value: Any) -> str:
    """JSON with sorted keys and no spaces: equal values give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


@dataclass(frozen=True)
class Draw:
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
class Option:
    """One entry an axis may take: plain parameters, some of them draws; and where each of them was written."""

    entry: dict[str, Any]
    path: KeyPath
    origins: dict[str, KeyPath]

    @property
    def has_draws(self) -> bool:
        return any(isinstance(value, Draw) for value in self.entry.values())

    def resolved(self, seed: int, index: int) -> Option:
        if not self.has_draws:
            return self
        entry = {key: v.sample(seed, index) if isinstance(v, Draw) else v for key, v in self.entry.items()}
        return Option(entry, self.path, self.origins)


Level = tuple[Option, ...]
"""One level of an axis: a single option, or several for a combination; empty for `none`."""


class Expander:
    """Expands the blocks of one document and collects what is wrong with them."""

    def __init__(self, document: Document, sampling_seed: int, limit: int):
        self.document = document
        self.seed = sampling_seed
        self.limit = limit
        self.problems: list[Problem] = []
        self._checked: dict[str, dict[str, Any] | None] = {}

    def wrong(self, path: KeyPath, message: str, hint: str = "") -> None:
        problem = Problem(path_text(path), message, self.document.line(path), hint)
        if problem not in self.problems:
            self.problems.append(problem)

    def block(self, block: dict[str, tuple[KeyPath, Any]], path: KeyPath) -> Iterator[tuple[Configuration, list[int]]]:
        """Configurations of one sub-grid, each with its seeds; yields nothing when the block is wrong."""
        before = len(self.problems)
        settings = self._settings(block, path, Settings)
        sampling = self._settings(block, path, Sampling)
        if "model" not in block:
            self.wrong(path, "names no model", "add `model:` here or under `defaults`; see `bench list models`")
        axes: dict[str, list[Level]] = {}
        for axis in AXIS_ORDER:
            where, value = block.get(axis, ((*path, axis), AXIS_DEFAULTS.get(axis)))
            if value is not None or axis in block:
                axes[axis] = self._axis(axis, value, where)
        for axis, levels in axes.items():  # every entry once, so that all mistakes are shown together
            for option in {id(option): option for level in levels for option in level}.values():
                if not option.has_draws:
                    self._checked_entry(axis, option)
        if len(self.problems) > before or not isinstance(settings, Settings) or not isinstance(sampling, Sampling):
            return
        seeds = list(range(sampling.seeds)) if isinstance(sampling.seeds, int) else sampling.seeds
        if not seeds or len(set(seeds)) < len(seeds):
            self.wrong((*path, "seeds"), f"{seeds} must be one or more different numbers")
            return
        drawn = any(option.has_draws for levels in axes.values() for level in levels for option in level)
        if drawn and sampling.samples is None:
            self.wrong(path, "has a distribution but no `samples`", "say how many draws, e.g. `samples: 20`")
            return
        if sampling.samples is not None and not drawn:
            self.wrong((*path, "samples"), "there is no distribution in this sub-grid to draw from")
            return
        samples = sampling.samples or 1
        count = math.prod(len(levels) for levels in axes.values()) * samples * len(seeds)
        if count > self.limit:
            self.wrong(
                path, f"expands to {count:,} trials, more than the limit of {self.limit:,}", "raise `limit`, or cut axes"
            )
            return
        protocol = settings.model_dump(mode="json")
        for point in itertools.product(*axes.values()):
            for index in range(samples):
                levels = dict(zip(axes, point, strict=True))
                configuration = self._configuration(levels, protocol, index, path)
                if configuration is None:
                    return
                yield configuration, seeds

    def _settings(self, block: dict[str, tuple[KeyPath, Any]], path: KeyPath, model: type[Entry]) -> Entry | None:
        given = {key: value for key, (_, value) in block.items() if key in model.model_fields}
        for key, value in given.items():
            checked = check(model, {key: value}, self.document, block[key][0][:-1], f"`{key}`")
            if isinstance(checked, list):
                self.problems.extend(p for p in checked if p not in self.problems)
                return None
        return model.model_validate(given)

    def _configuration(
        self, levels: dict[str, Level], protocol: dict[str, Any], index: int, path: KeyPath
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
        configuration.update(protocol)
        message = _conflict(configuration)
        if message:
            origin = next((o.path for a in ("regularizer", "augmentation") for o in levels[a]), path)
            self.wrong(origin, message)
            return None
        return configuration

    # --- one axis -------------------------------------------------------------------------------

    def _axis(self, axis: str, value: Any, path: KeyPath) -> list[Level]:
        if isinstance(value, list):
            if not value:
                self.wrong(path, f"the axis `{axis}` is empty", "give at least one entry, or leave the axis out")
            return [level for i, item in enumerate(value) for level in self._levels(axis, item, (*path, i))]
        return self._levels(axis, value, path)

    def _levels(self, axis: str, item: Any, path: KeyPath) -> list[Level]:
        if axis in VALUE_AXES:
            return [(option,) for option in self._options({"value": item}, path, {"value": path})]
        if axis in COMBINABLE and isinstance(item, dict) and "combine" in item:
            return self._combination(axis, item, path)
        if axis in COMBINABLE and item == "none":
            return [()]
        if isinstance(item, str):
            item = {"name": item}
        if not isinstance(item, dict) or not isinstance(item.get("name"), str):
            self.wrong(
                path,
                f"{item!r} is not an entry of `{axis}`",
                "write a name, or a mapping with `name` and its parameters",
            )
            return []
        if axis in COMBINABLE and item == {"name": "none"}:
            return [()]
        return [(option,) for option in self._options(item, path, {key: (*path, key) for key in item})]

    def _combination(self, axis: str, item: dict[str, Any], path: KeyPath) -> list[Level]:
        parts = item["combine"]
        if len(item) > 1 or not isinstance(parts, list) or not parts:
            self.wrong(path, "`combine` takes one list of entries and stands alone", "{combine: [flip, crop]}")
            return []
        levels: list[list[Level]] = []
        for i, part in enumerate(parts):
            if isinstance(part, dict) and "combine" in part:
                self.wrong((*path, "combine", i), "a combination cannot hold another one")
                return []
            levels.append(self._levels(axis, part, (*path, "combine", i)))
        if math.prod(len(part) for part in levels) > self.limit:
            self.wrong(path, f"this combination alone has more than {self.limit:,} levels")
            return []
        return [tuple(itertools.chain(*point)) for point in itertools.product(*levels)]

    def _options(self, item: dict[str, Any], path: KeyPath, places: dict[str, KeyPath]) -> list[Option]:
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
                self.wrong(place, f"`{sweep}` takes one list with at least one value and stands alone")
                return []
            if sweep == "grid":
                choices.append([(v, (*place, "grid", i)) for i, v in enumerate(values)])
            else:
                # Named by what it is, not by where it stands: moving an entry in the file changes no draw.
                name = f"{place[-1] if key == 'value' else item.get('name')}.{key}"
                draw = self._draw(sweep, values, (*place, sweep), name)
                if draw is None:
                    return []
                choices.append([(draw, place)])
        if math.prod(len(values) for values in choices) > self.limit:
            self.wrong(path, f"this entry alone expands to more than {self.limit:,} levels")
            return []
        return [
            Option(
                {key: value for key, (value, _) in zip(item, point, strict=True)},
                path,
                {key: origin for key, (_, origin) in zip(item, point, strict=True)},
            )
            for point in itertools.product(*choices)
        ]

    def _draw(self, kind: str, values: list[Any], path: KeyPath, name: str) -> Draw | None:
        if kind != "choice":
            if len(values) != 2 or not all(isinstance(v, int | float) and not isinstance(v, bool) for v in values):
                self.wrong(path, f"`{kind}` takes two numbers, low and high, not {values}")
                return None
            low, high = values
            if not low < high or (kind == "log_uniform" and low <= 0):
                least = "0 < low < high" if kind == "log_uniform" else "low < high"
                self.wrong(path, f"`{kind}` needs {least}, not {values}")
                return None
        return Draw(kind, tuple(values), name)

    # --- one entry ------------------------------------------------------------------------------

    def _checked_entry(self, axis: str, option: Option) -> dict[str, Any] | None:
        memo = f"{axis}{option.path}{option.entry!r}"
        if memo not in self._checked:
            self._checked[memo] = self._check_entry(axis, option)
        return self._checked[memo]

    def _check_entry(self, axis: str, option: Option) -> dict[str, Any] | None:
        entry = option.entry
        if axis in VALUE_AXES:
            value = entry["value"]
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                self.wrong(option.origins["value"], f"`{axis}` must be a whole number of at least 1, not {value!r}")
                return None
            return entry
        name = entry["name"]
        known = AXES[axis]
        if name not in known:
            if axis in OPEN:
                return self._open_entry(axis, option)
            names = [*(["none"] if axis in COMBINABLE else []), *known]
            hint = "\n".join(part for part in (nearest(name, names), f"allowed: {', '.join(names)}") if part)
            self.wrong(option.origins.get("name", option.path), f"there is no {axis} {name!r}", hint)
            return None
        checked = check(known[name], entry, self.document, option.path, f"{axis} {name!r}")
        if isinstance(checked, list):
            for problem in checked:
                self._at_origin(problem, option)
            return None
        return checked.model_dump(mode="json", exclude_none=True)

    def _at_origin(self, problem: Problem, option: Option) -> None:
        """File a problem of a parameter that came from a sweep at the value it came from."""
        for key, origin in option.origins.items():
            here = path_text((*option.path, key))
            if problem.path == here or problem.path.startswith((f"{here}.", f"{here}[")):
                path = path_text(origin) + problem.path.removeprefix(here)
                problem = Problem(path, problem.message, self.document.line(origin), problem.hint)
                break
        if problem not in self.problems:
            self.problems.append(problem)

    def _open_entry(self, axis: str, option: Option) -> dict[str, Any] | None:
        """An entry that a library or the user's own code answers for; only its plain numbers are checked here."""
        entry = option.entry
        rate = entry.get("lr")
        if axis == "optimizer" and "lr" in entry and (
            isinstance(rate, bool) or not isinstance(rate, int | float) or rate <= 0
        ):
            self.wrong(option.origins["lr"], f"a learning rate must be a number above 0, not {rate!r}")
            return None
        if axis == "model" and entry.get("pretrained") and ("." not in entry["name"] or ":" in entry["name"]):
            self.wrong(
                option.origins["pretrained"],
                f"`pretrained` needs the weights named, not only the architecture {entry['name']!r}",
                "give timm's full name with its tag, e.g. resnet18.a1_in1k",
            )
            return None
        return entry


def _conflict(configuration: Configuration) -> str:
    """What cannot stand together in one configuration, in words; empty when all is well."""
    for axis in COMBINABLE:
        names = [entry["name"] for entry in configuration[axis]]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice:
            return f"the combination names {axis} {twice!r} twice"
    regularizers = {entry["name"]: entry for entry in configuration["regularizer"]}
    if "dropout" in regularizers and configuration["model"].get("dropout"):
        return "dropout is set by the model and by the regularizer; keep one of the two"
    if "weight_decay" in regularizers and configuration["optimizer"].get("weight_decay"):
        return "weight decay is set by the optimizer and by the regularizer; keep one of the two"
    if configuration["validation"] == "none":
        for key, bad in (("early_stopping", None), ("weights", "last"), ("refit", False)):
            if configuration[key] != bad:
                return f"`{key}` needs validation pictures, and `validation: none` leaves none"
    return ""


def expand(
    document: Document, blocks: list[tuple[KeyPath, dict[str, tuple[KeyPath, Any]]]], sampling_seed: int, limit: int
) -> list[tuple[Configuration, list[int]]]:
    """All configurations of the blocks with their seeds, in order; SuiteError lists every problem found."""
    expander = Expander(document, sampling_seed, limit)
    out: list[tuple[Configuration, list[int]]] = []
    total = 0
    for path, block in blocks:
        for configuration, seeds in expander.block(block, path):
            out.append((configuration, seeds))
            total += len(seeds)
    if total > limit:
        expander.wrong(("grid",), f"expands to {total:,} trials, more than the limit of {limit:,}", "raise `limit`")
    if expander.problems:
        raise SuiteError(document.file, sorted(expander.problems, key=lambda problem: problem.line or 0))
    return out

