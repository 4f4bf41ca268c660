"""Reads one YAML file into plain data, and remembers the line of every key.

YAML 1.2's core schema is used rather than PyYAML's 1.1, so that ``1e-3`` is a number and ``no`` a word.
The tree is walked by hand because `yaml.safe_load` forgets lines, lets a later duplicate key win, and
expands aliases without limit.
"""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from bench.errors import Problem, SuiteError, control_character
from bench.jsonutil import JsonObject

MAX_BYTES = 64 * 1024  # half a second of reading; the largest suite of ours has a tenth
MAX_NODES = 20_000
MAX_DEPTH = 30

KeyPath = tuple[str | int, ...]
PROSE = (("title",), ("description",), ("references",))
"""Where texts may have several lines."""
OPTION = "--set"
"""First part of the path of a value that stands on the command line and not in the file."""


@dataclass(frozen=True)
class YamlDocument:
    """Plain data (dict, list, str, int, float, bool, None) and the line, from 1, of every key path."""

    file: str
    data: Any
    lines: dict[KeyPath, int] = field(default_factory=dict)

    def line(self, path: KeyPath) -> int | None:
        """Line of the path, or of its nearest ancestor that stands in the file; None for an option's value."""
        if path[:1] == (OPTION,):
            return None
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path)


def path_text(path: KeyPath) -> str:
    """``("grid", "model", 0, "name")`` as ``grid.model[0].name``."""
    if path[:1] == (OPTION,):
        return f"{OPTION} {path_text(path[1:])}"
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


_TAG = "tag:yaml.org,2002:"
_PLAIN: dict[type[yaml.Node], tuple[str, ...]] = {
    yaml.ScalarNode: ("str", "null", "bool", "int", "float"),
    yaml.SequenceNode: ("seq",),
    yaml.MappingNode: ("map",),
}


class _Core(yaml.SafeLoader):
    """SafeLoader that resolves plain scalars by YAML 1.2's core schema, less infinities and NaN."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 (PyYAML's own interface)


for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?",
        list("-+.0123456789"),
    ),
):
    _Core.add_implicit_resolver(f"{_TAG}{_tag}", re.compile(rf"^(?:{_pattern})$"), _first)


def read(path: Path) -> YamlDocument:
    """Read a YAML file; SuiteError with file and line for anything that is not one plain YAML mapping."""
    file = str(path)

    def error_at(message: str, line: int | None = None, hint: str = "") -> SuiteError:
        return SuiteError(file, [Problem("", message, line, hint)])

    if path.is_dir():
        inside = sorted(p.name for p in path.glob("*.y*ml"))
        hint = f"name one of the files in it: {', '.join(inside[:8])}" if inside else "name a suite file (*.yaml)"
        raise error_at("is a directory, not a suite file", hint=hint)
    try:
        with path.open("rb") as stream:  # no more than that of what may be a device or a pipe without an end
            raw = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise error_at(
            "there is no such file", hint="`bench list suites` shows the suites that come with bench"
        ) from None
    except OSError as error:
        raise error_at(f"cannot be read: {error.strerror}") from None
    if len(raw) > MAX_BYTES:
        raise error_at(f"is too large: a suite file may have {MAX_BYTES:,} bytes", hint="is it a data file?")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise error_at(
            f"is not UTF-8 text (byte 0x{raw[error.start]:02x})", line, "save the file with UTF-8 encoding"
        ) from None
    try:
        node = yaml.compose(text, Loader=_Core)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        description = ", ".join(str(part) for part in (error.context, error.problem) if part)
        raise error_at(
            f"is not valid YAML: {description}", mark.line + 1 if mark else None, _yaml_hint(description)
        ) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise error_at(f"holds a control character ({chr(error.character)!r})", line, "delete it") from None
    except (ValueError, OverflowError):  # PyYAML passes "\UFFFFFFFF" to chr()
        raise error_at("is not valid YAML: an escape such as \\U names no character") from None
    except RecursionError:
        raise error_at(f"is nested more than {MAX_DEPTH} levels deep") from None
    if node is None:
        raise error_at("is empty", hint="a suite needs at least `name` and `grid`; `bench list suites` shows examples")
    return _Reader(file).read(node)


def _yaml_hint(description: str) -> str:
    if "'\\t'" in description:
        return "indent with spaces, not with tabs"
    if "single document" in description:
        return "one file holds one suite: remove the line `---` in the middle"
    if "undefined alias" in description:
        return "quote a value that starts with '*'; an alias (*name) needs its anchor (&name) before it"
    return "look at the indentation, brackets, quotes and colons of this line and the one above it"


def plain_value(text: str, where: str) -> Any:
    """One YAML value given on the command line, by the same rules as in a file; SuiteError names `where`."""
    try:
        node = yaml.compose(text, Loader=_Core)
    except (yaml.YAMLError, RecursionError, ValueError, OverflowError):
        raise SuiteError(where, [Problem("", f"{text!r} is not a YAML value", hint="quote it")]) from None
    try:
        return None if node is None else _Reader(where).read(node).data
    except SuiteError as error:
        raise SuiteError(where, [replace(problem, line=None) for problem in error.problems]) from None


class _Reader:
    """Turns PyYAML's node tree into data; holds the count that stops exploding aliases."""

    def __init__(self, file: str):
        self.file = file
        self.nodes = 0
        self.lines: dict[KeyPath, int] = {}

    def read(self, node: yaml.Node) -> YamlDocument:
        return YamlDocument(self.file, self.value(node, ()), self.lines)

    def error(self, message: str, node: yaml.Node, path: KeyPath, hint: str = "") -> SuiteError:
        return SuiteError(self.file, [Problem(path_text(path), message, node.start_mark.line + 1, hint)])

    def value(self, node: yaml.Node, path: KeyPath) -> Any:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise self.error(
                f"holds more than {MAX_NODES:,} values once its aliases are expanded", node, (), "use fewer aliases"
            )
        if len(path) > MAX_DEPTH:
            hint = "is an alias used inside its own anchor?"
            raise self.error(f"is nested more than {MAX_DEPTH} levels deep", node, path[:3], hint)
        self.lines.setdefault(path, node.start_mark.line + 1)
        self.refuse_tag(node, path)
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return self.sequence(node, path)
        return self.scalar(node, path)

    def mapping(self, node: yaml.MappingNode, path: KeyPath) -> JsonObject:
        data: JsonObject = {}
        before: yaml.ScalarNode | None = None
        for key_node, child in node.value:
            key = key_node.value
            if not isinstance(key, str):
                raise self.error("a key must be a plain word", key_node, path)
            self.refuse_tag(key_node, path)
            self.refuse_control(key, key_node, path)
            if key == "<<":
                raise self.error(
                    "merge keys (<<) are not part of YAML 1.2",
                    key_node,
                    path,
                    "put what sub-grids share under `defaults`, or repeat a component by an alias",
                )
            if re.fullmatch(r"[0-9]+(e[-+]?[0-9]+)?", key) and before and before.value.isdigit() and not child.value:
                raise self.decimal_comma(before, key_node, path)
            if key in data:
                first = self.lines[(*path, key)]
                hint = f"the first is on line {first}; keep one of the two"
                raise self.error(f"the key {key!r} is given twice", key_node, path, hint)
            self.lines[(*path, key)] = key_node.start_mark.line + 1
            data[key] = self.value(child, (*path, key))
            before = child if isinstance(child, yaml.ScalarNode) else None
        return data

    def sequence(self, node: yaml.SequenceNode, path: KeyPath) -> list[Any]:
        for before, child in itertools.pairwise(node.value):
            is_plain = isinstance(before, yaml.ScalarNode) and isinstance(child, yaml.ScalarNode) and not child.style
            if node.flow_style and is_plain and before.value.isdigit() and re.fullmatch("0[0-9]+", child.value):
                raise self.decimal_comma(before, child, path)
        return [self.value(child, (*path, i)) for i, child in enumerate(node.value)]

    def decimal_comma(self, before: yaml.Node, after: yaml.Node, path: KeyPath) -> SuiteError:
        text = f"{before.value},{after.value}"
        hint = f"a number has a decimal point, not a comma: {text.replace(',', '.')}"
        return self.error(f"{text} is two values, {before.value} and {after.value}", after, path, hint)

    def scalar(self, node: yaml.Node, path: KeyPath) -> Any:
        text = str(node.value)
        tag = node.tag.removeprefix(_TAG)
        if tag in ("int", "float") and len(text) > 40:
            raise self.error(f"a number of {len(text)} digits is too long", node, path)
        try:
            match tag:
                case "str":
                    self.refuse_control(text, node, path)
                    return text
                case "null" if text.lower() in ("", "~", "null"):
                    return None
                case "bool" if text.lower() in ("true", "false"):
                    return text.lower() == "true"
                case "int":
                    return int(text, 0) if text[:2] in ("0x", "0o") else int(text)
                case "float" if math.isfinite(float(text)):
                    return float(text)
                case "float":
                    raise self.error(f"the number {text} is too large", node, path)
        except ValueError:
            pass
        raise self.error(f"{text!r} is not of the type its tag names ({tag})", node, path, "leave the tag out")

    def refuse_tag(self, node: yaml.Node, path: KeyPath) -> None:
        """A tag asks for another type, or for a Python object; plain data needs none."""
        if node.tag.removeprefix(_TAG) not in _PLAIN[type(node)]:
            raise self.error(f"the YAML tag {node.tag!r} is not allowed", node, path, "write plain values only")

    def refuse_control(self, text: str, node: yaml.Node, path: KeyPath) -> None:
        """Escapes in quotes can write what no editor shows and what a terminal obeys; only prose has several lines."""
        if bad := control_character(text, one_line=path[:1] not in PROSE):
            description = "a line break" if bad == "\n" else "a tab" if bad == "\t" else "a control character"
            raise self.error(f"holds {description} ({bad!r})", node, path, "delete it")
