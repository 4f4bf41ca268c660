"""Partial matches on configurations: what `exclude`, `--only` and `--set` share."""

from __future__ import annotations

import fnmatch
import functools
import itertools
import operator
from collections.abc import Sequence
from typing import Any

from bench.components import AXES, COMBINABLE
from bench.errors import SuiteError, UserError, nearest, shorten, spelled
from bench.suite.schema import AXIS_ORDER, LATER, Sampling, Settings
from bench.suite.validation import COMMAND_LINE, axes_with, parameter_meant
from bench.suite.yaml_loader import plain_value

MOST_VALUES = 12
MATCHABLE = (*AXIS_ORDER, *Settings.model_fields)


def matches(configuration: dict[str, Any], pattern: dict[str, Any]) -> bool:
    """Whether every key of the pattern fits the configuration.

    An axis is matched by its name with wildcards (``vgg*``), or by a mapping of parameters that must all
    be equal; `none` matches an axis without entries; in a combination one matching entry is enough.
    """
    return all(
        _fits(configuration.get(key, LATER.get(key)), _as_spelled(key, wanted), key in COMBINABLE)
        for key, wanted in pattern.items()
    )


def _as_spelled(key: str, wanted: Any) -> Any:
    """A pattern with a data set's name as configurations have it."""
    return spelled(wanted, AXES["dataset"]) if key == "dataset" and isinstance(wanted, str) else wanted


def _fits(found: Any, wanted: Any, several: bool = False) -> bool:
    if found is None:
        return wanted in (None, "none")
    if several:
        if wanted in ("none", {"name": "none"}):
            return not found
        return any(_fits(entry, wanted) for entry in found)
    if isinstance(found, dict) and isinstance(wanted, str):
        return "name" in found and fnmatch.fnmatchcase(found["name"], wanted)
    if isinstance(found, dict) and isinstance(wanted, dict):
        return all(key in found and _fits(found[key], value) for key, value in wanted.items())
    if isinstance(found, str) and isinstance(wanted, str):
        return fnmatch.fnmatchcase(found, wanted)
    if isinstance(found, bool) or isinstance(wanted, bool):  # Python's 1 is True
        return found is wanted
    return bool(found == wanted)


class Selection:
    """Many configurations for many patterns: each value of an axis is held against each pattern once.

    A set of them is a number whose bit i stands for configuration i.
    """

    def __init__(self, configurations: Sequence[dict[str, Any]]):
        self.configurations = configurations
        self._values: dict[str, list[tuple[Any, int]]] = {}
        self._fitting: dict[str, int] = {}

    def matching(self, pattern: dict[str, Any]) -> int:
        """The set that `matches` would find."""
        found = (1 << len(self.configurations)) - 1
        for key, wanted in pattern.items():
            question = repr((key, wanted))
            if question not in self._fitting:
                meant, several = _as_spelled(key, wanted), key in COMBINABLE
                fitting = (bits for value, bits in self._of(key) if _fits(value, meant, several))
                self._fitting[question] = functools.reduce(operator.or_, fitting, 0)
            found &= self._fitting[question]
        return found

    def indices(self, found: int, most: int | None = None) -> list[int]:
        """The first `most` (all by default) of a set, in order."""
        octets = enumerate(found.to_bytes(len(self.configurations) // 8 + 1, "little"))
        all_ = (8 * at + bit for at, octet in octets if octet for bit in range(8) if octet >> bit & 1)
        return list(itertools.islice(all_, most))

    def _of(self, key: str) -> list[tuple[Any, int]]:
        """The values of a key, each with the set that has it; a suite's configurations share their entries."""
        if key not in self._values:
            groups: dict[Any, tuple[Any, bytearray]] = {}
            for i, configuration in enumerate(self.configurations):
                value = configuration.get(key, LATER.get(key))
                _, octets = groups.setdefault(_identity(value), (value, bytearray(len(self.configurations) // 8 + 1)))
                octets[i >> 3] |= 1 << (i & 7)
            self._values[key] = [(value, int.from_bytes(octets, "little")) for value, octets in groups.values()]
        return self._values[key]


def _identity(value: Any) -> Any:
    """Equal for what is the same object, or a list of the same objects."""
    return tuple(map(id, value)) if isinstance(value, list) else id(value)


def parse_option(option: str, text: str) -> tuple[list[str], Any]:
    """``optimizer.lr=0.1`` of `--only` or `--set` as (["optimizer", "lr"], 0.1)."""
    key, equals, value = text.partition("=")
    parts = key.strip().split(".")
    example = "model=vgg*" if option == "--only" else "epochs=2"
    if not equals or not all(parts) or not value.strip():
        raise UserError(f"{option} {text!r}: write AXIS=VALUE or AXIS.PARAMETER=VALUE, e.g. {option} '{example}'")
    known = MATCHABLE if option == "--only" else (*MATCHABLE, *Sampling.model_fields)
    if parts[0] not in known or len(parts) > 2 or (len(parts) == 2 and parts[0] not in AXES):
        if parts[0] in known:
            hint = f"AXIS.PARAMETER is for the axes {', '.join(AXES)}"
        elif parts[0] in COMMAND_LINE:
            hint = COMMAND_LINE[parts[0]]
        else:
            parameter = parameter_meant(parts[-1])
            owners = axes_with(parameter)
            hint = f"did you mean '{owners[0]}.{parameter}'?" if owners else nearest(parts[0], known)
        hint = hint or f"allowed: {', '.join(known)}"
        raise UserError(f"{option} {text!r}: there is no {key!r}\n  {hint}")
    try:
        return parts, plain_value(value, f"{option} {text!r}")
    except SuiteError:
        if option == "--only" and any(wildcard in value for wildcard in "*?["):
            return parts, value.strip()  # a pattern such as *net is no YAML
        raise


def only_patterns(text: str) -> list[dict[str, Any]]:
    """The patterns of one `--only`, which keeps what fits any of them: several where the value is a list, else one."""
    parts, value = parse_option("--only", text)
    if len(parts) == 2:
        return [{parts[0]: {parts[1]: value}}]
    return [{parts[0]: one} for one in (value if isinstance(value, list) and value else [value])]


def each_of(pattern: dict[str, Any], configurations: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """``optimizer.lr=[0.1, 0.2]`` as a pattern for each value; as it is where a configuration has that very list."""
    ((key, wanted),) = pattern.items()
    if isinstance(wanted, dict) and not any(matches(one, pattern) for one in configurations):
        ((parameter, value),) = wanted.items()
        if isinstance(value, list) and value:
            patterns = [{key: {parameter: one}} for one in value]
            if any(matches(one, either) for one in configurations for either in patterns):
                return patterns
    return [pattern]


def apply_set(axis: Any, parameter: str, value: Any) -> tuple[bool, Any]:
    """Set a parameter in every entry of an axis, wherever it takes one; whether any did, and the new axis."""
    if isinstance(axis, list):
        entries = [apply_set(entry, parameter, value) for entry in axis]
        return any(changed for changed, _ in entries), [entry for _, entry in entries]
    if isinstance(axis, dict) and "combine" in axis:
        changed, parts = apply_set(axis["combine"], parameter, value)
        return changed, {**axis, "combine": parts}
    if axis in ("none", {"name": "none"}):
        return False, axis
    if isinstance(axis, str):
        return True, {"name": axis, parameter: value}
    return isinstance(axis, dict), {**axis, parameter: value} if isinstance(axis, dict) else axis


def values_text(configurations: Sequence[dict[str, Any]], pattern: dict[str, Any]) -> list[str]:
    """What the configurations have where the pattern looks, a line for each of its keys and parameters."""
    lines = []
    for key, wanted in pattern.items():
        different = {_identity(value): value for value in (c.get(key, LATER.get(key)) for c in configurations)}
        for parameter in wanted if isinstance(wanted, dict) else [None]:
            texts = list(
                dict.fromkeys(shorten(one) for value in different.values() for one in _values(value, parameter))
            )
            more = ", ..." if len(texts) > MOST_VALUES else ""
            place = f"{key}.{parameter}" if parameter else key
            lines.append(f"{place} is there: {', '.join(texts[:MOST_VALUES]) or 'nowhere'}{more}")
    return lines


def _values(found: Any, parameter: str | None) -> list[Any]:
    entries = found if isinstance(found, list) else [found]
    if parameter is None:
        return [e["name"] if isinstance(e, dict) and "name" in e else e for e in entries] or ["none"]
    return [e[parameter] for e in entries if isinstance(e, dict) and parameter in e]
