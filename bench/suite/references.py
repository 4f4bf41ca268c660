"""Which of a suite's configurations stands for which published result?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.errors import SHOWN as SHOWN_PROBLEMS
from bench.errors import Problem, nearest
from bench.suite.labels import labels
from bench.suite.schema import SuiteFile, SuiteReference
from bench.suite.select import MATCHABLE, Selection, values_text
from bench.suite.validation import check
from bench.suite.yaml_loader import KeyPath, YamlDocument, path_text

SHOWN = 5
"""Configurations named where a `match` fits several."""


@dataclass(frozen=True)
class ReferenceMatch:
    """A published result, by its id, and the configurations that may stand for it.

    They are none where the suite has none, one as a rule, and several for a search, of which validation chooses one.
    `note` says why ours differs, or why it is not run. `removed` is whether options left its `match` without any.
    """

    reference: str
    configs: tuple[dict[str, Any], ...]
    note: str
    removed: bool = False


def problems_of(document: YamlDocument) -> list[Problem]:
    """What is wrong with the references that are mappings, each by itself."""
    found: list[Problem] = []
    references = document.data.get("references")
    for i, entry in enumerate(references if isinstance(references, list) else []):
        if isinstance(entry, dict):
            checked = check(SuiteReference, entry, document, ("references", i), "a reference")
            found += checked if isinstance(checked, list) else _unknown_keys(document, i, entry.get("match"))
    return found


def ids(top: SuiteFile) -> list[str]:
    """The ids of the file's references, in its order."""
    return [entry if isinstance(entry, str) else entry.id for entry in top.references]


def comparisons(
    document: YamlDocument, top: SuiteFile, pairs: Sequence[tuple[dict[str, Any], list[int]]], changed: bool
) -> tuple[list[ReferenceMatch], list[Problem]]:
    """The references that name a configuration or a note, each with the configuration that its `match` fits.

    In a suite that was `changed` by options, a `match` that fits none or several is no mistake of the file's: the
    reference then has no configuration.
    """
    found: list[ReferenceMatch] = []
    problems: list[Problem] = []
    selection = Selection([config for config, _ in pairs])
    for i, entry in enumerate(top.references):
        if isinstance(entry, str):
            continue
        fitting = selection.matching(entry.match) if entry.match else 0
        enough = fitting.bit_count() == 1 or (entry.chosen and fitting > 0)
        if entry.match and not enough and not changed:
            advised = len(problems) < SHOWN_PROBLEMS  # each looks at all configurations
            path: KeyPath = ("references", i, "match")
            problems.append(_not_one(document, path, entry.match, fitting, selection if advised else Selection([])))
        configs = tuple(selection.configurations[at] for at in selection.indices(fitting)) if enough else ()
        found.append(ReferenceMatch(entry.id, configs, entry.note, removed=bool(entry.match) and not enough))
    return found, problems


def _not_one(
    document: YamlDocument,
    path: KeyPath,
    pattern: dict[str, Any],
    fitting: int,
    selection: Selection,
) -> Problem:
    """`selection` is empty where nobody reads the advice."""
    if not fitting:
        lines = values_text(selection.configurations, pattern)
        hint = "\n".join([*lines, "mend the pattern, or leave it out and say why in `note`"])
        return Problem(path_text(path), "matches no configuration", document.line(path), hint)
    count = fitting.bit_count()
    first = selection.indices(fitting, SHOWN) if selection.configurations else []
    more = [f"... and {count - SHOWN} more"] if count > SHOWN else []
    advice = "say more in the pattern, until one is left, or `chosen: true` to let validation choose"
    hint = "\n".join([*labels([selection.configurations[at] for at in first]), *more, advice])
    return Problem(path_text(path), f"matches {count} configurations", document.line(path), hint)


def _unknown_keys(document: YamlDocument, i: int, pattern: dict[str, Any] | None) -> list[Problem]:
    problems = []
    for key in (key for key in pattern or {} if key not in MATCHABLE):
        place: KeyPath = ("references", i, "match", key)
        hint = "\n".join(filter(None, [nearest(key, MATCHABLE), f"allowed: {', '.join(MATCHABLE)}"]))
        problems.append(Problem(path_text(place), f"unknown key {key!r}", document.line(place), hint))
    return problems
