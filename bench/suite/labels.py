"""What is a configuration called? The shortest readable name that tells it from the others shown.

A label starts with the model and then names what varies: ``mlp · adam lr=0.001 · l2 strength=0.01 · flip+crop``.
Parameters at their default are left out unless they vary; so is everything that all configurations share,
which `common_label` names once.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from bench.suite.components import AXES

Config = dict[str, Any]

SEPARATOR = " · "
ORDER = (
    *("dataset", "preprocessing", "model", "optimizer", "schedule", "loss", "regularizer", "augmentation"),
    *("batch_size", "epochs", "validation", "early_stopping", "weights", "refit"),
    *("precision", "compile", "workers", "deterministic"),
)
"""The order in which a label names the axes; keys it does not know follow by name."""

_DIGITS = 4
_EXACT = 17


def labels(configs: list[Config]) -> list[str]:
    """Name each configuration by its model and by what varies among `configs`; different ones never share a name.

    An empty regularizer or augmentation is left out. Floats show four digits, or all of them where four would
    give two configurations the same label.
    """
    varying = {key for key in _keys(configs) if len({_text(config.get(key)) for config in configs}) > 1}
    shown = {axis: _shown(configs, axis) for axis in varying & AXES.keys()}
    short = [_label(config, varying, shown, _DIGITS) for config in configs]
    if len(set(short)) == len({_text(config) for config in configs}):
        return short
    return [_label(config, varying, shown, _EXACT) for config in configs]


def common_label(configs: list[Config]) -> str:
    """Name what all configurations share, without the switches that stand at their usual value."""
    shared = [key for key in _keys(configs) if len({_text(config.get(key)) for config in configs}) == 1]
    usual = {"precision": "float32", "compile": False, "workers": 1, "deterministic": True, "refit": False}
    parts = []
    for key in shared:
        value = configs[0].get(key)
        if value is None or value == [] or (key in usual and value == usual[key]):
            continue
        parts.append(axis_label(value, key) if key in AXES else f"{key}={axis_label(value)}")
    return SEPARATOR.join(parts)


def axis_label(entry: object, axis: str | None = None) -> str:
    """Name one axis entry, or the list of a combinable axis, with the parameters that are not at their default.

    ``[]`` and None are ``none``; without `axis`, a component is looked up by its name alone.
    """
    if isinstance(entry, dict) and "name" in entry:
        return _entry_label(entry, [p for p in _parameters(entry, axis) if _differs(entry, p, axis)], _DIGITS)
    if isinstance(entry, list) and all(isinstance(item, dict) and "name" in item for item in entry):
        return _join([axis_label(item, axis) for item in entry]) or "none"
    return _value(entry, _DIGITS)


Shown = dict[str, set[tuple[str, str, str]]]
"""Axis to the (name of the entry, parameter, value) that its labels need."""


def _label(config: Config, varying: set[str], shown: Shown, digits: int) -> str:
    parts = []
    for key in _keys([config]):
        if key in varying:
            parts.append(_part(config, key, shown.get(key, set()), digits))
        elif key == "model":
            parts.append(str(config["model"]["name"]))
    return SEPARATOR.join(filter(None, parts))


def _part(config: Config, key: str, shown: set[tuple[str, str, str]], digits: int) -> str:
    if key not in AXES:
        return f"{key}={_value(config[key], digits)}"
    return _join(
        [
            _entry_label(
                entry, [p for p in _parameters(entry, key) if (entry["name"], p, _text(entry[p])) in shown], digits
            )
            for entry in _entries(config, key)
        ]
    )


def _shown(configs: list[Config], axis: str) -> set[tuple[str, str, str]]:
    """What the labels of an axis need: parameters in which namesakes differ, and unusual ones that not all share."""
    values: dict[tuple[str, str], set[str]] = {}
    found: set[tuple[str, str, str]] = set()
    unusual: set[tuple[str, str, str]] = set()
    sharing: Counter[tuple[str, str]] = Counter()
    namesakes: Counter[str] = Counter()
    having: Counter[tuple[str, str]] = Counter()
    for config in configs:
        sharing.update({(p, _text(e[p])) for e in _entries(config, axis) for p in _parameters(e, axis)})
        for entry in _entries(config, axis):
            name = entry["name"]
            namesakes[name] += 1
            for parameter in _parameters(entry, axis):
                text = _text(entry[parameter])
                values.setdefault((name, parameter), set()).add(text)
                having[name, parameter] += 1
                found.add((name, parameter, text))
                if _differs(entry, parameter, axis):
                    unusual.add((name, parameter, text))
    return {
        (name, parameter, text)
        for name, parameter, text in found
        if len(values[name, parameter]) > 1
        or having[name, parameter] < namesakes[name]
        or ((name, parameter, text) in unusual and sharing[parameter, text] < len(configs))
    }


def _differs(entry: Config, parameter: str, axis: str | None) -> bool:
    """Whether a parameter is not at its component's default; always so for names we have no schema of."""
    for name in [axis] if axis else AXES:
        component = AXES.get(name, {}).get(entry["name"])
        if component and parameter in component.model_fields:
            return bool(component.model_fields[parameter].default != entry[parameter])
    return True


def _parameters(entry: Config, axis: str | None) -> list[str]:
    """The entry's parameters in the order of its schema, those without one by name."""
    schemas = [AXES.get(axis, {})] if axis else list(AXES.values())
    known = next((list(s[entry["name"]].model_fields) for s in schemas if entry["name"] in s), [])
    return [p for p in known if p in entry and p != "name"] + sorted(entry.keys() - set(known) - {"name"})


def _entries(config: Config, axis: str) -> list[Config]:
    value = config.get(axis, [])
    return value if isinstance(value, list) else [value]


def _entry_label(entry: Config, shown: Sequence[str], digits: int) -> str:
    return " ".join([str(entry["name"]), *(f"{p}={_value(entry[p], digits)}" for p in shown)])


def _join(names: list[str]) -> str:
    return (" + " if any(" " in name for name in names) else "+").join(names)


def _value(value: object, digits: int) -> str:
    if isinstance(value, float):
        return repr(value) if digits == _EXACT else f"{value:.{digits}g}"
    if isinstance(value, list):
        whole = bool(value) and all(isinstance(v, int) and v >= 0 for v in value)
        return ("-" if whole else ",").join(_value(v, digits) for v in value) or "none"
    if isinstance(value, dict):
        return " ".join(f"{key} {_value(item, digits)}" for key, item in value.items())
    if value is None or isinstance(value, bool):
        return {None: "none", True: "true", False: "false"}[value]
    return str(value)


def _keys(configs: list[Config]) -> list[str]:
    found = {key for config in configs for key in config}
    return [key for key in ORDER if key in found] + sorted(found - set(ORDER))


def _text(value: object) -> str:
    return json.dumps(value, sort_keys=True)
