"""Partial matches on configurations: what `exclude`, `--only` and `--set` share."""

from __future__ import annotations

import fnmatch
from typing import Any

from bench.suite.components import AXES, COMBINABLE
from bench.suite.document import plain_value
from bench.suite.errors import UserError, nearest
from bench.suite.schema import AXIS_ORDER, Sampling, Settings

MATCHABLE = (*AXIS_ORDER, *Settings.model_fields)


def matches(configuration: dict[str, Any], pattern: dict[str, Any]) -> bool:
    """Whether every key of the pattern fits the configuration.

    An axis is matched by its name with wildcards (``vgg*``), or by a mapping of parameters that must all
    be equal; `none` matches an axis without entries; in a combination one matching entry is enough.
    """
    return all(_fits(configuration.get(key), wanted, key in COMBINABLE) for key, wanted in pattern.items())


def _fits(found: Any, wanted: Any, several: bool = False) -> bool:
    if several:
        if wanted in ("none", {"name": "none"}):
            return not found
        return any(_fits(entry, wanted) for entry in found)
    if isinstance(found, dict) and isinstance(wanted, str):
        return fnmatch.fnmatchcase(str(found.get("name")), wanted)
    if isinstance(found, dict) and isinstance(wanted, dict):
        return all(key in found and _fits(found[key], value) for key, value in wanted.items())
    if isinstance(found, str) and isinstance(wanted, str):
        return fnmatch.fnmatchcase(found, wanted)
    return bool(found == wanted)


def parse_option(option: str, text: str) -> tuple[list[str], Any]:
    """``optimizer.lr=0.1`` of `--only` or `--set` as (["optimizer", "lr"], 0.1)."""
    key, equals, value = text.partition("=")
    parts = key.strip().split(".")
    example = "model=vgg*" if option == "--only" else "epochs=2"
    if not equals or not all(parts) or not value.strip():
        raise UserError(f"{option} {text!r}: write AXIS=VALUE or AXIS.PARAMETER=VALUE, e.g. {option} '{example}'")
    known = MATCHABLE if option == "--only" else (*MATCHABLE, *Sampling.model_fields)
    if parts[0] not in known or len(parts) > 2 or (len(parts) == 2 and parts[0] not in AXES):
        hint = nearest(parts[0], known) if parts[0] not in known else "parameters belong to " + ", ".join(AXES)
        raise UserError(f"{option} {text!r}: there is no {key!r}\n  allowed: {', '.join(known)}\n  {hint}".rstrip())
    return parts, plain_value(value, f"{option} {text!r}")


def only_pattern(text: str) -> dict[str, Any]:
    """The pattern that one `--only` stands for."""
    parts, value = parse_option("--only", text)
    return {parts[0]: value if len(parts) == 1 else {parts[1]: value}}


def apply_set(block: dict[str, Any], parts: list[str], value: Any, is_defaults: bool) -> None:
    """Carry out one `--set` on the defaults or on one sub-grid, in place.

    A whole axis or setting moves to the defaults; a parameter is set in every entry of its axis.
    """
    if len(parts) == 1:
        block.pop(parts[0], None)
        if is_defaults:
            block[parts[0]] = value
        return
    axis, parameter = parts
    if axis in block:
        entries = block[axis] if isinstance(block[axis], list) else [block[axis]]
        block[axis] = [_with_parameter(entry, parameter, value) for entry in entries]


def _with_parameter(entry: Any, parameter: str, value: Any) -> Any:
    if entry == "none":
        return entry
    if isinstance(entry, str):
        return {"name": entry, parameter: value}
    if isinstance(entry, dict) and isinstance(entry.get("combine"), list):
        return {**entry, "combine": [_with_parameter(part, parameter, value) for part in entry["combine"]]}
    return {**entry, parameter: value} if isinstance(entry, dict) else entry

