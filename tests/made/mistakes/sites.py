"""The places of the code that speak of what a suite file asks for, and which of them a run passes."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import bench

ROOT = Path(bench.__file__).parent

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Site:
    """A simple statement of a function that holds a text of words or raises something.

    `name` (``suite/expand.py block: names no model``) stays when lines move; `texts` are the constant parts of its
    messages, as the source has them.
    """

    name: str
    file: str
    line: int
    last: int
    texts: tuple[str, ...]


def sites(file: str) -> list[Site]:
    """Those of one file of the package, in its order."""
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    found = []
    for function in (node for node in ast.walk(tree) if isinstance(node, Function)):
        for statement in _statements(function):
            texts = tuple(_texts(statement))
            if texts or (isinstance(statement, ast.Raise) and statement.exc is not None):
                said = " ... ".join(text.strip() for text in texts) or ast.unparse(statement)
                last = statement.end_lineno or statement.lineno
                found.append(Site(f"{file} {function.name}: {said}", file, statement.lineno, last, texts))
    return sorted(found, key=lambda site: site.line)


def _statements(function: Function) -> Iterator[ast.stmt]:
    """The simple statements of a function, but for its docstring and what is inside functions within it."""
    left: list[ast.AST] = [*function.body]
    while left:
        node = left.pop()
        if isinstance(node, Function | ast.ClassDef):
            continue
        is_simple = isinstance(node, ast.stmt) and not any(isinstance(n, ast.stmt) for n in ast.iter_child_nodes(node))
        if isinstance(node, ast.stmt) and is_simple and not isinstance(node, ast.Match | ast.Try):
            if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
                yield node
        else:
            left += [child for child in ast.iter_child_nodes(node) if not isinstance(child, ast.expr)]


def _texts(statement: ast.stmt) -> Iterator[str]:
    """Constants that are words with a space: the parts of a sentence, and no key or name."""
    for node in ast.walk(statement):
        text = node.value if isinstance(node, ast.Constant) else None
        if isinstance(text, str) and " " in text and sum(map(str.isalpha, text)) > 2:
            yield text


@contextmanager
def passed(files: set[str]) -> Iterator[set[tuple[str, int]]]:
    """The lines of these files that run inside the block, as (file, line)."""
    known = {str(ROOT / file): file for file in files}
    lines: set[tuple[str, int]] = set()

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        file = known.get(frame.f_code.co_filename)
        if file is None:
            return None
        if event == "line":
            lines.add((file, frame.f_lineno))
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield lines
    finally:
        sys.settrace(before)
