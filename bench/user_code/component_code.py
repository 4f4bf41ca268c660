"""The code of a component as read for the key, and where the user's factory takes a float.

The latter is read off the text of the file, of which nothing is run. YAML's `rate: 1` and `rate: 1.0` are one value to
a person, and would be two in a trial's key.
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.jsonutil import JsonObject, canonical


@dataclass(frozen=True)
class ComponentCode:
    """The user's own code of a component as it was read for its trials' keys: what any process runs, on any machine.

    `modules` maps dotted names to files, `module` is the factory's and `name` the component's. `files` holds what all
    of them contained, those that the component declares to read (`declared`) among them. `roots` are the
    folders that modules are imported from, `folder` is the suite file's, where relative paths in the code start. All
    paths are those of the machine where the key was made. `installed` code is imported where it is installed. A timm
    model has no modules, and declares the file of its weights.
    """

    name: str
    module: str
    folder: Path
    roots: tuple[Path, ...]
    modules: dict[str, Path]
    files: dict[Path, bytes] = field(repr=False)
    declared: tuple[Path, ...]
    installed: bool
    checksum: str
    """Of all of it, for the key."""
    axis: str = "model"

    @property
    def title(self) -> str:
        """For messages."""
        return f"{self.axis} {self.name!r}"

    @property
    def file(self) -> Path:
        """The factory's."""
        return self.modules[self.module]


@dataclass(frozen=True)
class UserCode:
    """The user's own code of all components of a trial; they run in one process and share its modules."""

    parts: tuple[ComponentCode, ...]

    @property
    def axes(self) -> tuple[str, ...]:
        return tuple(part.axis for part in self.parts)

    @property
    def name(self) -> str:
        return ", ".join(dict.fromkeys(part.name for part in self.parts))

    @property
    def title(self) -> str:
        """For messages."""
        return ", ".join(part.title for part in self.parts)

    @property
    def checksum(self) -> str:
        """Of all of it, for the key; that of a model alone is its own."""
        if self.axes == ("model",):
            return self.parts[0].checksum
        named = [[part.axis, part.name, part.checksum] for part in self.parts]
        return hashlib.sha256(canonical(named).encode()).hexdigest()

    @property
    def of_network(self) -> list[list[str]]:
        """What of it builds the network: axis, name and checksum of each such component, for a file of weights."""
        axes = ("model", "preprocessing", "regularizer")
        return sorted(
            [part.axis, part.name, part.checksum] for part in self.parts if part.axis in axes and part.modules
        )

    @property
    def identity(self) -> str:
        """What tells it from every other code of the same suite."""
        return f"{self.checksum} {self.name}"

    @property
    def folder(self) -> Path:
        return self.parts[0].folder

    @property
    def roots(self) -> tuple[Path, ...]:
        return tuple(dict.fromkeys(root for part in self.parts for root in part.roots))

    @property
    def files(self) -> dict[Path, bytes]:
        return {path: content for part in self.parts for path, content in part.files.items()}

    @property
    def declared(self) -> tuple[Path, ...]:
        return tuple(dict.fromkeys(path for part in self.parts for path in part.declared))

    @property
    def modules(self) -> dict[str, Path]:
        return {name: path for part in self.parts for name, path in part.modules.items()}


REPEATED = ("list", "List", "Sequence", "Iterable", "Collection")


def floats_spelled_out(component: JsonObject, code: ComponentCode) -> JsonObject:
    """A model's entry with whole numbers as floats where its factory takes a float, by annotation, else by default.

    What the factory's own file does not say (a function that is imported there, or made by another) stays as it is.
    """
    examples = _examples(code.files[code.file], component["name"].rpartition(":")[2])
    return {key: _as_floats(value, examples.get(key)) for key, value in component.items()}


def _examples(text: bytes, factory: str) -> JsonObject:
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
