"""Where does a user's factory take a float? Told from the text of its file, which nothing of is run.

YAML's `rate: 1` and `rate: 1.0` are one value to a person, and would be two in a trial's key.
"""

from __future__ import annotations

import ast
import contextlib
from typing import Any

from bench.suite.trial import ComponentCode

REPEATED = ("list", "List", "Sequence", "Iterable", "Collection")


def floats_spelled_out(entry: dict[str, Any], code: ComponentCode) -> dict[str, Any]:
    """A model's entry with whole numbers as floats where its factory takes a float, by annotation, else by default.

    What the factory's own file does not say (a function that is imported there, or made by another) stays as it is.
    """
    examples = _examples(code.files[code.file], entry["name"].rpartition(":")[2])
    return {key: _as_floats(value, examples.get(key)) for key, value in entry.items()}


def _examples(text: bytes, factory: str) -> dict[str, Any]:
    """For each parameter a value with floats where it takes them; None where nothing is known."""
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError):  # importing it will tell
        return {}
    found = next((node for node in reversed(body) if getattr(node, "name", None) == factory), None)
    if isinstance(found, ast.ClassDef):
        found = next((node for node in found.body if getattr(node, "name", None) == "__init__"), None)
    if not isinstance(found, ast.FunctionDef):
        return {}
    positional = [*found.args.posonlyargs, *found.args.args]
    lacking: list[ast.expr | None] = [None] * (len(positional) - len(found.args.defaults))
    defaults = [*lacking, *found.args.defaults, *found.args.kw_defaults]
    parameters = [*positional, *found.args.kwonlyargs]
    return {
        one.arg: _of_annotation(one.annotation) if one.annotation else _of_default(default)
        for one, default in zip(parameters, defaults, strict=True)
    }


def _of_annotation(node: ast.expr) -> Any:
    name = getattr(node, "attr", None) or getattr(node, "id", None)
    if name == "float":
        return 0.0
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        try:
            return _of_annotation(ast.parse(node.value, mode="eval").body)
        except SyntaxError:
            return None
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        kinds = [side for side in (node.left, node.right) if ast.unparse(side) != "None"]
        return _of_annotation(kinds[0]) if len(kinds) == 1 else None
    if not isinstance(node, ast.Subscript):
        return None
    outer = ast.unparse(node.value).rpartition(".")[2]
    inner = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    if outer == "Optional":
        return _of_annotation(inner[0])
    if outer in REPEATED or (outer in ("tuple", "Tuple") and ast.unparse(inner[-1]) == "..."):
        return [_of_annotation(inner[0])]
    return tuple(map(_of_annotation, inner)) if outer in ("tuple", "Tuple") else None


def _of_default(node: ast.expr | None) -> Any:
    try:
        return ast.literal_eval(node) if node else None
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None


def _as_floats(value: Any, example: Any) -> Any:
    """A list's values by those at their places, of a list (which may have any length) all by its floats."""
    if isinstance(value, list) and isinstance(example, tuple) and len(value) == len(example):
        return [_as_floats(part, other) for part, other in zip(value, example, strict=True)]
    if isinstance(value, list) and isinstance(example, list):
        floats = next((other for other in example if isinstance(other, float | list | tuple)), None)
        return [_as_floats(part, floats) for part in value]
    whole = isinstance(value, int) and not isinstance(value, bool)
    if whole and isinstance(example, float):
        with contextlib.suppress(OverflowError):
            return float(value)
    return value
