"""Which of a suite's configurations stands for which published result?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.errors import MAX_PROBLEMS, Problem, nearest
from bench.suite.labels import labels
from bench.suite.schema import SuiteFile, SuiteReference
from bench.suite.select import MATCHABLE, Selection, values_text
from bench.suite.validation import check
from bench.suite.yaml_loader import KeyPath, YamlDocument, path_text

MAX_DISPLAYED = 5
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


def reference_problems(document: YamlDocument) -> list[Problem]:
    """What is wrong with the references that are mappings, each by itself."""
    problems: list[Problem] = []
    references = document.data.get("references")
    for i, reference in enumerate(references if isinstance(references, list) else []):
        if isinstance(reference, dict):
            checked = check(SuiteReference, reference, document, ("references", i), "a reference")
            problems += checked if isinstance(checked, list) else _unknown_keys(document, i, reference.get("match"))
    return problems


def reference_ids(top: SuiteFile) -> list[str]:
    """The ids of the file's references, in its order."""
    return [reference if isinstance(reference, str) else reference.id for reference in top.references]


def comparisons(
    document: YamlDocument, top: SuiteFile, pairs: Sequence[tuple[dict[str, Any], list[int]]], changed: bool
) -> tuple[list[ReferenceMatch], list[Problem]]:
    """The references that name a configuration or a note, each with the configuration that its `match` fits.

    In a suite that was `changed` by options, a `match` that fits none or several is no mistake of the file's: the
    reference then has no configuration.
    """
    comparisons: list[ReferenceMatch] = []
    problems: list[Problem] = []
    selection = Selection([config for config, _ in pairs])
    for i, reference in enumerate(top.references):
        if isinstance(reference, str):
            continue
        fitting = selection.matching(reference.match) if reference.match else 0
        fits = fitting.bit_count() == 1 or (reference.chosen and fitting > 0)
        if reference.match and not fits and not changed:
            with_advice = len(problems) < MAX_PROBLEMS  # each looks at all configurations
            path: KeyPath = ("references", i, "match")
            problems.append(
                _match_problem(document, path, reference.match, fitting, selection if with_advice else Selection([]))
            )
        configs = tuple(selection.configurations[at] for at in selection.indices(fitting)) if fits else ()
        comparisons.append(
            ReferenceMatch(reference.id, configs, reference.note, removed=bool(reference.match) and not fits)
        )
    return comparisons, problems


def _match_problem(
    document: YamlDocument,
    path: KeyPath,
    pattern: dict[str, Any],
    fitting: int,
    selection: Selection,
) -> Problem:
    """`selection` is empty where nobody reads the advice."""
    if not fitting:
        lines = values_text(selection.configurations, pattern)
        hint = "\n".join([*lines, "correct the pattern, or leave it out and say why in `note`"])
        return Problem(path_text(path), "matches no configuration", document.line(path), hint)
    count = fitting.bit_count()
    displayed = selection.indices(fitting, MAX_DISPLAYED) if selection.configurations else []
    omitted = [f"... and {count - MAX_DISPLAYED} more"] if count > MAX_DISPLAYED else []
    advice = "say more in the pattern, until one is left, or `chosen: true` to let validation choose"
    hint = "\n".join([*labels([selection.configurations[at] for at in displayed]), *omitted, advice])
    return Problem(path_text(path), f"matches {count} configurations", document.line(path), hint)


def _unknown_keys(document: YamlDocument, i: int, pattern: dict[str, Any] | None) -> list[Problem]:
    problems = []
    for key in (key for key in pattern or {} if key not in MATCHABLE):
        path: KeyPath = ("references", i, "match", key)
        hint = "\n".join(filter(None, [nearest(key, MATCHABLE), f"allowed: {', '.join(MATCHABLE)}"]))
        problems.append(Problem(path_text(path), f"unknown key {key!r}", document.line(path), hint))
    return problems
