"""How many workers train a configuration: one number for a sub-grid, or rules by partial matches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bench.suite.document import Document, KeyPath, path_text
from bench.suite.errors import Problem, nearest
from bench.suite.select import MATCHABLE, levels_text, matches

RULE_KEYS = tuple(key for key in MATCHABLE if key != "workers")
"""What a rule may match."""


class WorkerRules:
    """The rules in a document, each known by its place, and which of them have fitted a configuration.

    `asked` is a checked `workers` as plain data, `path` its place: rules under `defaults` are one for all sub-grids.
    """

    def __init__(self, document: Document) -> None:
        self.document = document
        self._fitted: dict[KeyPath, bool] = {}
        self._matches: dict[KeyPath, dict[str, Any]] = {}

    def add(self, asked: Any, path: KeyPath) -> Iterator[Problem]:
        """Take in a sub-grid's rules; what is wrong with them."""
        for place, rule in _rules(asked, path):
            self._fitted.setdefault(place, False)
            self._matches[place] = rule["match"]
            unknown = next((key for key in rule["match"] if key not in RULE_KEYS), None)
            if unknown is not None:
                hint = "\n".join(filter(None, [nearest(unknown, RULE_KEYS), f"allowed: {', '.join(RULE_KEYS)}"]))
                yield self._problem((*place, "match", unknown), f"unknown key {unknown!r}", hint)

    def workers(self, asked: Any, configuration: dict[str, Any], path: KeyPath) -> int:
        """The number of the first rule that fits, else the default."""
        for place, rule in _rules(asked, path):
            if matches(configuration, rule["match"]):
                self._fitted[place] = True
                return int(rule["workers"])
        return int(asked["default"] if isinstance(asked, dict) else asked)

    def idle(self, configurations: list[dict[str, Any]]) -> Iterator[Problem]:
        """The rules that none of the document's configurations needed."""
        for place, fitted in self._fitted.items():
            if not fitted:
                lines = levels_text(configurations, self._matches[place])
                hint = "\n".join([*lines, "mend the rule, take it out, or put it before one that fits more"])
                yield self._problem(place, "fits no configuration that no rule before it fits", hint)

    def _problem(self, path: KeyPath, message: str, hint: str) -> Problem:
        return Problem(path_text(path), message, self.document.line(path), hint)


def _rules(asked: Any, path: KeyPath) -> Iterator[tuple[KeyPath, dict[str, Any]]]:
    for i, rule in enumerate(asked["rules"] if isinstance(asked, dict) else []):
        yield (*path, "rules", i), rule
