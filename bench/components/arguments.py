"""Do a suite file's parameters fit the function that takes them? For torch's, timm's and the user's own functions.

What a function takes is read off its annotations, else off its defaults. Python itself would not complain: any text
counts as true, and true counts as 1.
"""

from __future__ import annotations

import collections.abc
import contextlib
import functools
import inspect
import operator
import re
import sys
import types
import typing
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, Union, get_args, get_origin

from bench.errors import shorten

Types = dict[str, Any]
"""Parameter to what it takes, as a type hint of plain values; Any where nothing is known."""

BOOLEANS = {"true": "true", "yes": "true", "on": "true", "false": "false", "no": "false", "off": "false"}
"""Words that are booleans in YAML 1.1, or in quotes, to what to write."""

_UNIONS = (Union, types.UnionType)
_SEQUENCES = (list, collections.abc.Sequence, collections.abc.Iterable, collections.abc.Collection)
_NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


def accepted_types(function: Callable[..., Any]) -> Types:
    """What each named parameter takes; for a class, also those that it hands on to the classes it extends."""
    while isinstance(function, functools.partial):
        function = function.func
    if not isinstance(function, type):
        return _of_signature(function)
    accepted: Types = {}
    for class_ in function.__mro__:
        if "__init__" not in vars(class_) or class_ is object:
            continue
        accepted = _of_signature(vars(class_)["__init__"]) | accepted
        if not any(p.kind is p.VAR_KEYWORD for p in inspect.signature(vars(class_)["__init__"]).parameters.values()):
            break
    return accepted


def type_hints(function: Callable[..., Any]) -> dict[str, Any]:
    """Its annotations, without those that name what only a type checker imports, or else what is not there."""
    with contextlib.suppress(Exception):
        return typing.get_type_hints(function)
    hints: dict[str, Any] = {}
    for owner in reversed(function.__mro__) if isinstance(function, type) else [inspect.unwrap(function)]:
        globals_ = getattr(owner, "__globals__", None) or vars(sys.modules.get(owner.__module__, typing))
        for name, annotation in getattr(owner, "__annotations__", {}).items():

            def single() -> None: ...

            single.__annotations__ = {name: annotation}
            with contextlib.suppress(Exception):
                hints |= typing.get_type_hints(single, globals_, dict(vars(owner)))
    return hints


def misfits(parameters: Mapping[str, Any], types_: Mapping[str, Any]) -> str:
    """What is wrong with the parameters, and how to write them; '' where they fit. Names in `types_` only matter."""
    misfitting = {key: value for key, value in parameters.items() if not fits(value, types_.get(key, Any))}
    messages = [_message(key, value, types_.get(key, Any)) for key, value in misfitting.items()]
    hints = [how_to_write(value, types_.get(key, Any)) for key, value in misfitting.items()]
    return "\n  ".join(["; ".join(messages), *filter(None, dict.fromkeys(hints))])


def fits(value: Any, kind: Any) -> bool:
    """Whether plain data is what a type hint of plain values says; Any takes all but words for booleans or numbers."""
    origin, args = get_origin(kind), get_args(kind)
    if kind is Any:
        parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
        return not _is_doubtful(value) and all(fits(part, Any) for part in parts)
    if origin in _UNIONS:
        if bool in args and isinstance(value, str) and value.lower() in BOOLEANS:
            return False
        return any(fits(value, arg) for arg in args)
    if origin is Literal:
        return any(type(value) is type(arg) and value == arg for arg in args)
    if origin is list:
        return isinstance(value, list) and all(fits(part, args[0]) for part in value)
    if origin is tuple:
        return isinstance(value, list) and len(value) == len(args) and all(map(fits, value, args))
    if kind is dict:
        return isinstance(value, dict) and fits(value, Any)
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return type(value) is kind


def describe(kind: Any) -> str:
    """What a parameter takes, in words."""
    origin, args = get_origin(kind), get_args(kind)
    names = {bool: "true or false", int: "a whole number", float: "a number", str: "text", dict: "a mapping"}
    if origin in _UNIONS:
        descriptions = [describe(arg) for arg in args if arg not in (type(None), int if float in args else None)]
        return " or ".join(dict.fromkeys(descriptions))
    if origin is Literal:
        return f"one of {', '.join(map(shorten, args))}"
    if origin is list:
        return f"a list of {_plural(args[0])}"
    if origin is tuple:
        same = len(set(args)) == 1
        return f"a list of {len(args)} {_plural(args[0]) if same else 'values'}"
    return names.get(kind, "left out")


def how_to_write(value: Any, kind: Any) -> str:
    """The way a value that does not fit is written for a parameter of this kind; '' where nobody can tell."""
    kinds = _leaves(kind)
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    if parts:
        inner = Any if isinstance(value, dict) else kind
        return next(filter(None, (how_to_write(part, inner) for part in parts)), "")
    if isinstance(value, str) and kinds & {bool, Any} and value.lower() in BOOLEANS:
        boolean = BOOLEANS[value.lower()]
        if value.lower() in ("true", "false"):
            return f"write it without quotes: {boolean}"
        return f"`{value}` is text in YAML 1.2: write {boolean}"
    if isinstance(value, str) and kinds & {int, float, Any}:
        return number_hint(value, is_integer=not kinds & {float, Any})
    if type(value) in (int, float) and value in (0, 1) and bool in kinds:
        return f"write {'true' if value else 'false'}"
    if isinstance(value, float) and value.is_integer() and int in kinds:
        return f"write it as a whole number: {int(value)}"
    return ""


def number_hint(text: str, is_integer: bool = False) -> str:
    """How a number that YAML takes for text is written; '' where it is none."""
    plain = unicodedata.normalize("NFKC", text).strip().replace("_", "").replace("\u2212", "-")
    if re.fullmatch(r"[-+]?\.?(inf|infinity|nan)", plain, re.IGNORECASE):
        return "a number here must be finite"
    if re.fullmatch(r"[-+]?[0-9]+,[0-9]+([eE][-+]?[0-9]+)?", plain):
        return f"a number has a decimal point, not a comma: {plain.replace(',', '.')}"
    if re.fullmatch(r"[0-9.]+ ?%", plain) and _NUMBER.fullmatch(plain.rstrip(" %")):
        return f"write it as a fraction of 1: {float(plain.rstrip(' %')) / 100:g}"
    if not _NUMBER.fullmatch(plain) or len(plain) > 40:
        return ""
    number = str(int(float(plain))) if is_integer and float(plain).is_integer() else plain
    return f"write it without {'underscores' if '_' in text else 'quotes'}: {number}"


def _message(key: str, value: Any, kind: Any) -> str:
    if kind is Any or (kind is dict and isinstance(value, dict)):
        return f"`{key}` holds text where a boolean or a number seems meant: {shorten(value)}"
    return f"`{key}` must be {describe(kind)}, not {shorten(value)}"


def _of_signature(function: Callable[..., Any]) -> Types:
    hints = type_hints(function)
    return {
        name: _accepted(hints.get(name, Any), parameter.default)
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD) and name != "self"
    }


def _accepted(hint: Any, default: Any) -> Any:
    """What a parameter with this annotation (Any for none) and default takes."""
    kind = _plain(hint)
    if default is inspect.Parameter.empty:
        return kind
    if kind is Any:
        return Any if default is None else _of_default(default)
    as_data = _as_data(default)  # a list, of which the length does not count: this annotation is a loose one
    return kind if as_data is Any or fits(as_data, kind) else _union([kind, _of_default(as_data)])


def _of_default(default: Any) -> Any:
    """What a parameter takes whose default alone is known: of a tuple also its length."""
    if isinstance(default, bool | str):
        return type(default)
    if isinstance(default, int | float):
        return float  # a whole number may stand where any is meant
    if default is None:
        return type(None)
    if isinstance(default, tuple) and default:
        return tuple[tuple(map(_of_default, default))]  # type: ignore[misc]
    if isinstance(default, list | tuple):
        return list[_union(map(_of_default, default)) if default else Any]  # type: ignore[misc]
    return dict if isinstance(default, dict) else Any


def _union(kinds: Iterable[Any]) -> Any:
    return functools.reduce(operator.or_, kinds)


def _plain(hint: Any) -> Any:
    """A type hint with only what a suite file can hold; Any where it holds nothing of the kind."""
    origin, args = get_origin(hint), get_args(hint)
    if hint in (bool, int, float, str, dict, type(None)) or origin is Literal:
        return hint
    if origin in _UNIONS:
        plain_args = [kind for kind in map(_plain, args) if kind is not Any]
        return _union(plain_args) if set(plain_args) - {type(None)} else Any
    if origin is typing.Annotated:
        return _plain(args[0])
    if origin is tuple and Ellipsis not in args and len(args) > 1:
        return tuple[tuple(map(_plain, args))]  # type: ignore[misc]
    if hint is tuple or hint in _SEQUENCES or origin is tuple or origin in _SEQUENCES:
        return list[_plain(args[0])] if args else list[Any]  # type: ignore[misc]  # `tuple[int]` means any length too
    if origin in (dict, collections.abc.Mapping, collections.abc.MutableMapping):
        return dict
    return Any


def _as_data(default: Any) -> Any:
    """A default as a suite file would hold it; Any where none could."""
    if isinstance(default, tuple | list):
        parts = list(map(_as_data, default))
        return Any if Any in parts else parts
    return default if isinstance(default, bool | int | float | str | dict | None) else Any


def _is_doubtful(value: Any) -> bool:
    return isinstance(value, str) and (value.lower() in BOOLEANS or bool(number_hint(value)))


def _leaves(kind: Any) -> set[Any]:
    if get_origin(kind) in (*_UNIONS, list, tuple):
        return set().union(*map(_leaves, get_args(kind)))
    return {kind}


def _plural(kind: Any) -> str:
    return {int: "whole numbers", float: "numbers", bool: "true or false", str: "texts"}.get(kind, "values")
