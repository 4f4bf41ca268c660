"""Where does a user's factory take a float? Told from the text of its file, which nothing of is run.

YAML's `rate: 1` and `rate: 1.0` are one value to a person, and would be two in a trial's key.
"""

from __future__ import annotations

import ast
import contextlib
from typing import Any

from bench.user_code.component_code import ComponentCode

REPEATED = ("list", "List", "Sequence", "Iterable", "Collection")


def floats_spelled_out(component: dict[str, Any], code: ComponentCode) -> dict[str, Any]:
    """A model's entry with whole numbers as floats where its factory takes a float, by annotation, else by default.

    What the factory's own file does not say (a function that is imported there, or made by another) stays as it is.
    """
    examples = _examples(code.files[code.file], component["name"].rpartition(":")[2])
    return {key: _as_floats(value, examples.get(key)) for key, value in component.items()}


def _examples(text: bytes, factory: str) -> dict[str, Any]:
    """For each parameter a value with floats where it takes them; None where nothing is known."""
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError):  # importing it will tell
        return {}
    factory_node = next((node for node in reversed(body) if getattr(node, "name", None) == factory), None)
    if isinstance(factory_node, ast.ClassDef):
        factory_node = next((node for node in factory_node.body if getattr(node, "name", None) == "__init__"), None)
    if not isinstance(factory_node, ast.FunctionDef):
        return {}
    positional = [*factory_node.args.posonlyargs, *factory_node.args.args]
    lacking: list[ast.expr | None] = [None] * (len(positional) - len(factory_node.args.defaults))
    defaults = [*lacking, *factory_node.args.defaults, *factory_node.args.kw_defaults]
    parameters = [*positional, *factory_node.args.kwonlyargs]
    return {
        parameter.arg: _of_annotation(parameter.annotation) if parameter.annotation else _of_default(default)
        for parameter, default in zip(parameters, defaults, strict=True)
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
        return [_as_floats(part, element_example) for part, element_example in zip(value, example, strict=True)]
    if isinstance(value, list) and isinstance(example, list):
        floats = next(
            (element_example for element_example in example if isinstance(element_example, float | list | tuple)), None
        )
        return [_as_floats(part, floats) for part in value]
    is_integer = isinstance(value, int) and not isinstance(value, bool)
    if is_integer and isinstance(example, float):
        with contextlib.suppress(OverflowError):
            return float(value)
    return value
