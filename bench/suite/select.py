"""Which configurations does a selection, a `--only` or a published result mean?"""

from __future__ import annotations

import fnmatch
import functools
import itertools
import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bench.components import AXES, COMBINABLE
from bench.errors import MAX_PROBLEMS, Problem, SuiteError, UserError, match_spelling, nearest, shorten
from bench.jsonutil import JsonObject
from bench.suite.labels import labels
from bench.suite.schema import (
    AXIS_ORDER,
    OMITTED_DEFAULTS,
    Sampling,
    SearchSettings,
    Settings,
    SuiteFile,
    SuiteReference,
)
from bench.suite.validation import COMMAND_LINE, axes_with, check, parameter_meant
from bench.suite.yaml_loader import KeyPath, YamlDocument, path_text, plain_value

MAX_VALUES = 12
MATCHABLE = (*AXIS_ORDER, *Settings.model_fields)
SEARCH = "search"
"""The setting whose parts `--set` changes: ``search.trials=90``."""


def matches(configuration: JsonObject, pattern: JsonObject) -> bool:
    """Whether every key of the pattern fits the configuration.

    An axis is matched by its name with wildcards (``vgg*``), or by a mapping of parameters that must all
    be equal; `none` matches an axis without entries; in a combination one matching entry is enough.
    """
    return all(
        _fits(configuration.get(key, OMITTED_DEFAULTS.get(key)), _normalized(key, expected), key in COMBINABLE)
        for key, expected in pattern.items()
    )


def _normalized(key: str, expected: Any) -> Any:
    """A pattern with a data set's name as configurations have it."""
    return match_spelling(expected, AXES["dataset"]) if key == "dataset" and isinstance(expected, str) else expected


def _fits(actual: Any, expected: Any, combinable: bool = False) -> bool:
    if actual is None:
        return expected in (None, "none")
    if combinable:
        if expected in ("none", {"name": "none"}):
            return not actual
        return any(_fits(component, expected) for component in actual)
    if isinstance(actual, dict) and isinstance(expected, str):
        return "name" in actual and fnmatch.fnmatchcase(actual["name"], expected)
    if isinstance(actual, dict) and isinstance(expected, dict):
        return all(key in actual and _fits(actual[key], value) for key, value in expected.items())
    if isinstance(actual, str) and isinstance(expected, str):
        return fnmatch.fnmatchcase(actual, expected)
    if isinstance(actual, bool) or isinstance(expected, bool):  # Python's 1 is True
        return actual is expected
    return bool(actual == expected)


class Selection:
    """Many configurations for many patterns: each value of an axis is held against each pattern once.

    A set of them is a number whose bit i stands for configuration i.
    """

    def __init__(self, configurations: Sequence[JsonObject]):
        self.configurations = configurations
        self._values: dict[str, list[tuple[Any, int]]] = {}
        self._fitting: dict[str, int] = {}

    def matching(self, pattern: JsonObject) -> int:
        """The set that `matches` would find."""
        selected = (1 << len(self.configurations)) - 1
        for key, expected in pattern.items():
            cache_key = repr((key, expected))
            if cache_key not in self._fitting:
                normalized, combinable = _normalized(key, expected), key in COMBINABLE
                fitting = (bits for value, bits in self._of(key) if _fits(value, normalized, combinable))
                self._fitting[cache_key] = functools.reduce(operator.or_, fitting, 0)
            selected &= self._fitting[cache_key]
        return selected

    def indices(self, selected: int, most: int | None = None) -> list[int]:
        """The first `most` (all by default) of a set, in order."""
        octets = enumerate(selected.to_bytes(len(self.configurations) // 8 + 1, "little"))
        all_ = (8 * at + bit for at, octet in octets if octet for bit in range(8) if octet >> bit & 1)
        return list(itertools.islice(all_, most))

    def _of(self, key: str) -> list[tuple[Any, int]]:
        """The values of a key, each with the set that has it; a suite's configurations share their entries."""
        if key not in self._values:
            groups: dict[Any, tuple[Any, bytearray]] = {}
            for i, configuration in enumerate(self.configurations):
                value = configuration.get(key, OMITTED_DEFAULTS.get(key))
                _, octets = groups.setdefault(
                    _identity_key(value), (value, bytearray(len(self.configurations) // 8 + 1))
                )
                octets[i >> 3] |= 1 << (i & 7)
            self._values[key] = [(value, int.from_bytes(octets, "little")) for value, octets in groups.values()]
        return self._values[key]


def _identity_key(value: Any) -> Any:
    """Equal for what is the same object, or a list of the same objects."""
    return tuple(map(id, value)) if isinstance(value, list) else id(value)


def parse_option(option: str, text: str) -> tuple[list[str], Any]:
    """``optimizer.lr=0.1`` of `--only` or `--set` as (["optimizer", "lr"], 0.1)."""
    key, equals, value = text.partition("=")
    parts = key.strip().split(".")
    example = "epochs=2" if option == "--set" else "model=vgg*"
    if not equals or not all(parts) or not value.strip():
        raise UserError(f"{option} {text!r}: write AXIS=VALUE or AXIS.PARAMETER=VALUE, e.g. {option} '{example}'")
    allowed = (*MATCHABLE, *Sampling.model_fields) if option == "--set" else MATCHABLE
    is_searched = option == "--set" and parts[0] == SEARCH and parts[-1] in SearchSettings.model_fields
    if parts[0] not in allowed or len(parts) > 2 or (len(parts) == 2 and parts[0] not in AXES and not is_searched):
        if parts[0] == SEARCH and option == "--set":
            hint = f"allowed: {', '.join(f'{SEARCH}.{name}' for name in SearchSettings.model_fields)}"
        elif parts[0] in allowed:
            hint = f"AXIS.PARAMETER is for the axes {', '.join(AXES)}"
        elif parts[0] in COMMAND_LINE:
            hint = COMMAND_LINE[parts[0]]
        else:
            parameter = parameter_meant(parts[-1])
            owners = axes_with(parameter)
            hint = f"did you mean '{owners[0]}.{parameter}'?" if owners else nearest(parts[0], allowed)
        hint = hint or f"allowed: {', '.join(allowed)}"
        raise UserError(f"{option} {text!r}: there is no {key!r}\n  {hint}")
    try:
        return parts, plain_value(value, f"{option} {text!r}")
    except SuiteError:
        if option != "--set" and any(wildcard in value for wildcard in "*?["):
            return parts, value.strip()  # a pattern such as *net is no YAML
        raise


def only_patterns(text: str, option: str = "--only") -> list[JsonObject]:
    """The patterns of one `--only`, which keeps what fits any of them: several where the value is a list, else one."""
    parts, value = parse_option(option, text)
    if len(parts) == 2:
        return [{parts[0]: {parts[1]: value}}]
    return [{parts[0]: item} for item in (value if isinstance(value, list) and value else [value])]


def split_pattern(pattern: JsonObject, configurations: Sequence[JsonObject]) -> list[JsonObject]:
    """``optimizer.lr=[0.1, 0.2]`` as a pattern for each value; as it is where a configuration has that very list."""
    ((key, expected),) = pattern.items()
    if isinstance(expected, dict) and not any(matches(configuration, pattern) for configuration in configurations):
        ((parameter, value),) = expected.items()
        if isinstance(value, list) and value:
            patterns = [{key: {parameter: configuration}} for configuration in value]
            if any(matches(configuration, alternative) for configuration in configurations for alternative in patterns):
                return patterns
    return [pattern]


def apply_set(axis: Any, parameter: str, value: Any) -> tuple[bool, Any]:
    """Set a parameter in every entry of an axis, wherever it takes one; whether any did, and the new axis."""
    if isinstance(axis, list):
        changes = [apply_set(component, parameter, value) for component in axis]
        return any(changed for changed, _ in changes), [component for _, component in changes]
    if isinstance(axis, dict) and "combine" in axis:
        changed, parts = apply_set(axis["combine"], parameter, value)
        return changed, {**axis, "combine": parts}
    if axis in ("none", {"name": "none"}):
        return False, axis
    if isinstance(axis, str):
        return True, {"name": axis, parameter: value}
    return isinstance(axis, dict), {**axis, parameter: value} if isinstance(axis, dict) else axis


def values_text(configurations: Sequence[JsonObject], pattern: JsonObject) -> list[str]:
    """What the configurations have where the pattern looks, a line for each of its keys and parameters."""
    lines = []
    for key, expected in pattern.items():
        distinct = {
            _identity_key(value): value for value in (c.get(key, OMITTED_DEFAULTS.get(key)) for c in configurations)
        }
        for parameter in expected if isinstance(expected, dict) else [None]:
            texts = list(
                dict.fromkeys(shorten(item) for value in distinct.values() for item in _values(value, parameter))
            )
            ellipsis = ", ..." if len(texts) > MAX_VALUES else ""
            name = f"{key}.{parameter}" if parameter else key
            lines.append(f"{name} is there: {', '.join(texts[:MAX_VALUES]) or 'nowhere'}{ellipsis}")
    return lines


def _values(value: Any, parameter: str | None) -> list[Any]:
    components = value if isinstance(value, list) else [value]
    if parameter is None:
        return [
            component["name"] if isinstance(component, dict) and "name" in component else component
            for component in components
        ] or ["none"]
    return [component[parameter] for component in components if isinstance(component, dict) and parameter in component]


MAX_DISPLAYED = 5
"""Configurations named where a `match` fits several."""


@dataclass(frozen=True)
class ReferenceMatch:
    """A published result, by its id, and the configurations that may stand for it.

    They are none where the suite has none, one as a rule, and several for a search, of which validation chooses one.
    `note` says why ours differs, or why it is not run. `removed` is whether options left its `match` without any.
    """

    reference: str
    configs: tuple[JsonObject, ...]
    note: str
    removed: bool = False


def reference_problems(document: YamlDocument) -> list[Problem]:
    """What is wrong with the references that are mappings, each by itself."""
    problems: list[Problem] = []
    references = document.data.get("references")
    for i, reference in enumerate(references if isinstance(references, list) else []):
        if isinstance(reference, dict):
            checked = check(SuiteReference, reference, document, ("references", i), "a reference")
            problems += checked if isinstance(checked, list) else _unknown_keys(document, i, reference.get("match"))
    return problems


def reference_ids(top: SuiteFile) -> list[str]:
    """The ids of the file's references, in its order."""
    return [reference if isinstance(reference, str) else reference.id for reference in top.references]


def comparisons(
    document: YamlDocument, top: SuiteFile, pairs: Sequence[tuple[JsonObject, list[int]]], changed: bool
) -> tuple[list[ReferenceMatch], list[Problem]]:
    """The references that name a configuration or a note, each with the configuration that its `match` fits.

    In a suite that was `changed` by options, a `match` that fits none or several is no mistake of the file's: the
    reference then has no configuration.
    """
    comparisons: list[ReferenceMatch] = []
    problems: list[Problem] = []
    selection = Selection([config for config, _ in pairs])
    for i, reference in enumerate(top.references):
        if isinstance(reference, str):
            continue
        fitting = selection.matching(reference.match) if reference.match else 0
        fits = fitting.bit_count() == 1 or (reference.chosen and fitting > 0)
        if reference.match and not fits and not changed:
            with_advice = len(problems) < MAX_PROBLEMS  # each looks at all configurations
            path: KeyPath = ("references", i, "match")
            problems.append(
                _match_problem(document, path, reference.match, fitting, selection if with_advice else Selection([]))
            )
        configs = tuple(selection.configurations[at] for at in selection.indices(fitting)) if fits else ()
        comparisons.append(
            ReferenceMatch(reference.id, configs, reference.note, removed=bool(reference.match) and not fits)
        )
    return comparisons, problems


def _match_problem(
    document: YamlDocument,
    path: KeyPath,
    pattern: JsonObject,
    fitting: int,
    selection: Selection,
) -> Problem:
    """`selection` is empty where nobody reads the advice."""
    if not fitting:
        lines = values_text(selection.configurations, pattern)
        hint = "\n".join([*lines, "correct the pattern, or leave it out and say why in `note`"])
        return Problem(path_text(path), "matches no configuration", document.line(path), hint)
    count = fitting.bit_count()
    displayed = selection.indices(fitting, MAX_DISPLAYED) if selection.configurations else []
    omitted = [f"... and {count - MAX_DISPLAYED} more"] if count > MAX_DISPLAYED else []
    advice = "say more in the pattern, until one is left, or `chosen: true` to let validation choose"
    hint = "\n".join([*labels([selection.configurations[at] for at in displayed]), *omitted, advice])
    return Problem(path_text(path), f"matches {count} configurations", document.line(path), hint)


def _unknown_keys(document: YamlDocument, i: int, pattern: JsonObject | None) -> list[Problem]:
    problems = []
    for key in (key for key in pattern or {} if key not in MATCHABLE):
        path: KeyPath = ("references", i, "match", key)
        hint = "\n".join(filter(None, [nearest(key, MATCHABLE), f"allowed: {', '.join(MATCHABLE)}"]))
        problems.append(Problem(path_text(path), f"unknown key {key!r}", document.line(path), hint))
    return problems


RULE_KEYS = tuple(key for key in MATCHABLE if key != "workers")
"""What a rule may match."""


class WorkerRules:
    """The rules in a document, each known by its place, and which of them have fitted a configuration.

    `setting` is a checked `workers` as plain data, `path` its place: rules under `defaults` are one for all sub-grids.
    """

    def __init__(self, document: YamlDocument) -> None:
        self.document = document
        self._used: dict[KeyPath, bool] = {}
        self._matches: dict[KeyPath, JsonObject] = {}

    def add(self, setting: Any, path: KeyPath) -> Iterator[Problem]:
        """Take in a sub-grid's rules; what is wrong with them."""
        for rule_path, rule in _rules(setting, path):
            self._used.setdefault(rule_path, False)
            self._matches[rule_path] = rule["match"]
            unknown = next((key for key in rule["match"] if key not in RULE_KEYS), None)
            if unknown is not None:
                hint = "\n".join(filter(None, [nearest(unknown, RULE_KEYS), f"allowed: {', '.join(RULE_KEYS)}"]))
                yield self._problem((*rule_path, "match", unknown), f"unknown key {unknown!r}", hint)

    def workers(self, setting: Any, configuration: JsonObject, path: KeyPath) -> int:
        """The number of the first rule that fits, else the default."""
        for rule_path, rule in _rules(setting, path):
            if matches(configuration, rule["match"]):
                self._used[rule_path] = True
                return int(rule["workers"])
        return int(setting["default"] if isinstance(setting, dict) else setting)

    def unused(self, configurations: list[JsonObject]) -> Iterator[Problem]:
        """The rules that none of the document's configurations needed."""
        for rule_path, fitted in self._used.items():
            if not fitted:
                lines = values_text(configurations, self._matches[rule_path])
                hint = "\n".join([*lines, "correct the rule, remove it, or put it before one that fits more"])
                yield self._problem(rule_path, "fits no configuration that no rule before it fits", hint)

    def _problem(self, path: KeyPath, message: str, hint: str) -> Problem:
        return Problem(path_text(path), message, self.document.line(path), hint)


def _rules(setting: Any, path: KeyPath) -> Iterator[tuple[KeyPath, JsonObject]]:
    for i, rule in enumerate(setting["rules"] if isinstance(setting, dict) else []):
        yield (*path, "rules", i), rule
