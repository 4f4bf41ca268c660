"""A suite given as Python values instead of a file: checked, and made plain as if it were read from YAML."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from bench.errors import Problem, SuiteError, control_character
from bench.suite.yaml_loader import MAX_DEPTH, MAX_NODES, PROSE, KeyPath, YamlDocument, path_text

DICT_NAME = "suite"
"""Stands for the file in messages about a suite that was given in Python."""


def from_python(data: Mapping[str, Any]) -> YamlDocument:
    """A suite given as Python values, as if it were read from a file; SuiteError for what a suite cannot hold.

    What has a method `to_component`, as a `bench.Dataset`, is replaced by what that returns.
    """
    problems: list[Problem] = []
    nodes = itertools.count(1)

    def problem(path: KeyPath, message: str, hint: str = "") -> None:
        problems.append(Problem(path_text(path), message, hint=hint))

    def plain(value: Any, path: KeyPath) -> Any:
        if len(path) > MAX_DEPTH or next(nodes) > MAX_NODES:
            raise SuiteError(DICT_NAME, [Problem(path_text(path[:3]), "holds too many values", hint="is it data?")])
        if hasattr(value, "to_component"):
            value = value.to_component()
        if isinstance(value, np.generic):
            value = value.item()
        if isinstance(value, Mapping):
            for key in value:
                if not isinstance(key, str):
                    problem(path, f"a key must be a plain word, not {key!r}")
            return {str(key): plain(item, (*path, str(key))) for key, item in value.items()}
        if isinstance(value, list | tuple | range):
            return [plain(item, (*path, i)) for i, item in enumerate(value)]
        if isinstance(value, str) and (bad := control_character(value, one_line=path[:1] not in PROSE)):
            problem(path, f"holds a control character ({bad!r})", "delete it")
        elif isinstance(value, float) and not math.isfinite(value):
            problem(path, f"is {value}, which is no number to train with")
        elif callable(value):
            hint = "put it into a file and name it: 'path/to/file.py:NAME'; its source is part of the trials' keys"
            problem(path, f"is the object {getattr(value, '__name__', type(value).__name__)}", hint)
        elif value is not None and not isinstance(value, str | int | float):
            hint = "a suite holds mappings, lists, texts and numbers, and a bench.Dataset as `dataset`"
            problem(path, f"is a {type(value).__name__}", hint)
        return value

    document = YamlDocument(DICT_NAME, plain(data, ()))
    if problems:
        raise SuiteError(DICT_NAME, problems)
    return document
