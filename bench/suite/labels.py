"""What is a configuration called? The shortest readable name that tells it from the others shown.

A label starts with the model and then names what varies: ``mlp · adam lr=0.001 · l2 · flip+crop``. An entry shows
a parameter only where its namesakes differ in it. What all configurations share, `common_label` names once; what
all entries of one name share, `legend` does.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from bench.components import AXES, is_user_defined
from bench.components.user_defined import USER_DEFINED
from bench.jsonutil import JsonObject
from bench.suite.schema import AXIS_DEFAULTS, OMITTED_DEFAULTS, Settings

Config = JsonObject

SEPARATOR = " · "
ORDER = (
    *("dataset", "preprocessing", "model", "optimizer", "schedule", "loss", "step", "regularizer", "augmentation"),
    *("fraction", "imbalance", "label_noise"),
    *("batch_size", "epochs", "validation", "early_stopping", "weights", "refit", "ema", "test_time", "robustness"),
    *("precision", "compile", "workers", "deterministic"),
)
"""The order in which a label names the axes; keys it does not know follow by name."""

UNCLEAR = ("preprocessing", "schedule", "loss", "imbalance", "label_noise")
"""Axes whose entries (``unit``, ``constant``) do not say what they are of; `common_label` names the axis too."""

NAMED_IN_LABELS = {"imbalance": "imbalance", "label_noise": "label noise"}
"""Axes that a label names too, with their words."""


def labels(configs: list[Config]) -> list[str]:
    """Name each configuration by its model and by what varies among `configs`; different ones never share a name.

    An empty regularizer or augmentation is left out. Floats show four digits, and values are written out in full
    where two configurations would share a label otherwise.
    """
    varying = {key for key in _ordered_keys(configs) if not _is_shared(configs, key)}
    displayed = {axis: _differing(configs, axis) for axis in varying & AXES.keys()}
    distinct = len({_json(config) for config in configs})
    texts: list[str] = []
    for format_value in (_short, _exact, _json):
        texts = [_label(config, varying, displayed, format_value) for config in configs]
        if len(set(texts)) == distinct:
            break
    return texts


def by_axis(configs: list[Config]) -> dict[str, list[str]]:
    """Name each configuration's entry on every axis that varies among `configs`, as `labels` does but one by one.

    ``{"optimizer": ["adam lr=0.001", "sgd lr=0.1"], "regularizer": ["none", "l2"]}``, in the order of `ORDER`.
    """
    varying = [key for key in _ordered_keys(configs) if not _is_shared(configs, key)]
    by_key = {}
    for key in varying:
        displayed = _differing(configs, key) if key in AXES else set()
        by_key[key] = [
            (_part(config, key, displayed, _short) if key in config or key in AXES else "") or "none"
            for config in configs
        ]
    return by_key


def common_label(configs: list[Config]) -> str:
    """Name what all configurations share, without the switches that stand at their usual value."""
    parts = []
    for key in filter(lambda key: _is_shared(configs, key), _ordered_keys(configs)):
        value = configs[0].get(key)
        usual = key in Settings.model_fields and key != "validation" and value == Settings.model_fields[key].default
        if value is None or value == [] or usual:
            continue
        name = axis_label(value, key if key in AXES else None)
        parts.append(f"{key}={name}" if key not in AXES else f"{key} {name}" if key in UNCLEAR else name)
    return SEPARATOR.join(parts)


def legend(configs: list[Config]) -> str:
    """Name the parameters that `labels` leaves out: what all entries of a name share, unless it is the default.

    ``cnn: channels=16-32 kernel=3; sgd: momentum=0.9``. Axes that all configurations share are left to `common_label`.
    """
    parts: dict[str, None] = {}
    for axis in (key for key in _ordered_keys(configs) if key in AXES and not _is_shared(configs, key)):
        differing = _differing(configs, axis)
        for component in _components(configs, axis):
            unusual = [p for p in _parameters(component, axis) if _is_unusual(component, p, axis)]
            shared = [p for p in unusual if (component["name"], p) not in differing]
            if shared:
                parts[f"{component['name']}: {_assignments(component, shared, _short)}"] = None
    return "; ".join(parts)


def axis_label(component: object, axis: str | None = None, all_parameters: bool = False) -> str:
    """Name one axis entry, or the list of a combinable axis, with the parameters that are not at their default.

    ``[]`` and None are ``none``; without `axis`, a component is looked up by its name alone. `all_parameters`
    names every one.
    """
    if isinstance(component, dict) and "name" in component:
        return _component_label(
            component,
            [p for p in _parameters(component, axis) if all_parameters or _is_unusual(component, p, axis)],
            _short,
        )
    if isinstance(component, list) and all(isinstance(item, dict) and "name" in item for item in component):
        return _join([axis_label(item, axis, all_parameters) for item in component]) or "none"
    return _short(component)


PROTOCOL = ("dataset", "validation", "refit", "weights", "early_stopping", "test_time")
"""Settings that must be equal before two configurations are ranked; epochs too, unless they are an axis."""
ALWAYS = ("model", "optimizer")
"""Axes that every `context_free_label` names."""


def context_free_label(config: Config, config_key: str) -> str:
    """Name a configuration by itself, whatever else there is: ``mlp hidden=64 · adam lr=0.01 · epochs=5``.

    The model and the optimizer, then each axis and setting that is not at its default, each with the parameters that
    are not at theirs. Own code and own data may change under one name, so the beginning of the key follows there.
    """
    parts = []
    for key in filter(lambda key: key not in PROTOCOL, _ordered_keys([config])):
        name = axis_label(config[key], key if key in AXES else None)
        default = AXIS_DEFAULTS.get(key, Settings.model_fields[key].default if key in Settings.model_fields else None)
        if key in ALWAYS or name != axis_label(default):
            parts.append(name if key in AXES else f"{key}={name}")
    components = (component for axis in AXES.keys() & config.keys() for component in _components([config], axis))
    has_own = any(is_user_defined(component["name"]) or "path" in component for component in components)
    return SEPARATOR.join(parts) + (f" [{config_key[:6]}]" if has_own else "")


Formatter = Callable[[object], str]
"""How a value is written in a label."""


def _label(
    config: Config, varying: set[str], displayed: dict[str, set[tuple[str, str]]], format_value: Formatter
) -> str:
    parts = []
    for key in _ordered_keys([config]):
        if key in varying:
            parts.append(_part(config, key, displayed.get(key, set()), format_value))
        elif key == "model":
            parts.append(str(config["model"]["name"]))
    return SEPARATOR.join(filter(None, parts))


def _part(config: Config, key: str, displayed: set[tuple[str, str]], format_value: Formatter) -> str:
    if key not in AXES:
        return f"{key}={format_value(config[key])}"
    text = _join(
        [
            _component_label(
                component, [p for p in _parameters(component, key) if (component["name"], p) in displayed], format_value
            )
            for component in _components([config], key)
        ]
    )
    return f"{NAMED_IN_LABELS[key]} {text}" if key in NAMED_IN_LABELS and key in config else text


def _differing(configs: list[Config], axis: str) -> set[tuple[str, str]]:
    """Name and parameter wherever entries of one name differ, or some have the parameter and some do not."""
    counts: Counter[str] = Counter()
    values: dict[tuple[str, str], list[str]] = {}
    for component in _components(configs, axis):
        counts[component["name"]] += 1
        for parameter in _parameters(component, axis):
            values.setdefault((component["name"], parameter), []).append(_json(component[parameter]))
    return {
        (name, parameter)
        for (name, parameter), written in values.items()
        if len(set(written)) > 1 or len(written) < counts[name]
    }


def _is_unusual(component: Config, parameter: str, axis: str | None) -> bool:
    """Whether a parameter is not at its component's default; always so for names without a schema."""
    for name in [axis] if axis else AXES:
        user_defined = USER_DEFINED.get(name) if is_user_defined(component["name"]) else None
        component_class = user_defined or AXES.get(name, {}).get(component["name"])
        if component_class and parameter in component_class.model_fields:
            return bool(component_class.model_fields[parameter].default != component[parameter])
    return True


def _parameters(component: Config, axis: str | None) -> list[str]:
    """The entry's parameters in the order of its schema, those without one by name."""
    schemas = [AXES.get(axis, {})] if axis else list(AXES.values())
    in_schema = next((list(s[component["name"]].model_fields) for s in schemas if component["name"] in s), [])
    return [p for p in in_schema if p in component and p != "name"] + sorted(
        component.keys() - set(in_schema) - {"name"}
    )


def _components(configs: list[Config], axis: str) -> Iterator[Config]:
    """Every entry of an axis, in order: one of each configuration, or as many as a combinable axis lists."""
    for config in configs:
        value: Any = config.get(axis, OMITTED_DEFAULTS.get(axis, []))
        yield from value if isinstance(value, list) else [value]


def _component_label(component: Config, parameters: Sequence[str], format_value: Formatter) -> str:
    return " ".join(filter(None, [str(component["name"]), _assignments(component, parameters, format_value)]))


def _assignments(component: Config, parameters: Sequence[str], format_value: Formatter) -> str:
    return " ".join(f"{p}={format_value(component[p])}" for p in parameters)


def _join(names: list[str]) -> str:
    return (" + " if any(" " in name for name in names) else "+").join(names)


def _short(value: object) -> str:
    """Floats with four digits."""
    return _value(value, lambda number: f"{number:.4g}")


def _exact(value: object) -> str:
    """Floats with every digit."""
    return _value(value, repr)


def _value(value: object, of_float: Callable[[float], str]) -> str:
    if isinstance(value, float):
        return of_float(value)
    if isinstance(value, list):
        integers = bool(value) and all(isinstance(v, int) and v >= 0 for v in value)
        return ("-" if integers else ",").join(_value(v, of_float) for v in value) or "none"
    if isinstance(value, dict):
        return " ".join(f"{key} {_value(item, of_float)}" for key, item in value.items())
    if value is None or isinstance(value, bool):
        return {None: "none", True: "true", False: "false"}[value]
    return str(value)


def _is_shared(configs: list[Config], key: str) -> bool:
    return len({_json(config.get(key)) for config in configs}) == 1


def _ordered_keys(configs: list[Config]) -> list[str]:
    keys = {key for config in configs for key in config}
    return [key for key in ORDER if key in keys] + sorted(keys - set(ORDER))


_json = json.JSONEncoder(sort_keys=True).encode
