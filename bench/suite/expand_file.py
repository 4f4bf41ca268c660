"""From a suite file's plain data to its configurations: top level, sub-grids with defaults and options, `exclude`."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bench.errors import MAX_PROBLEMS, Problem, SuiteError, UserError, nearest
from bench.jsonutil import JsonObject, canonical
from bench.suite.expand import Configuration, SubGrid, expand
from bench.suite.schema import AXIS_DEFAULTS, BLOCK_KEYS, SuiteFile
from bench.suite.search_space import Search
from bench.suite.select import (
    MATCHABLE,
    SEARCH,
    ReferenceMatch,
    Selection,
    apply_set,
    comparisons,
    reference_problems,
    values_text,
)
from bench.suite.validation import check, unknown_key_hint
from bench.suite.yaml_loader import OPTION, KeyPath, YamlDocument, path_text

Pair = tuple[Configuration, list[int]]
"""A configuration with its seeds."""


@dataclass(frozen=True)
class ExpandedFile:
    """A suite file's top level and the configurations that `exclude` leaves.

    `repeated` is how many stand in the file again, `origins` where what others judge was written.
    """

    top: SuiteFile
    pairs: list[Pair]
    repeated: int
    references: list[ReferenceMatch]
    origins: dict[str, KeyPath]
    searches: list[Search]


def expand_file(
    document: YamlDocument, settings: list[tuple[str, list[str], Any]], changed: bool, notify: Callable[[str], None]
) -> ExpandedFile:
    """Check and expand a file, with the values of `--set`; `changed` where there are some.

    Raises SuiteError with every mistake of the file: what is wrong in one part does not hide what is wrong in another.
    """
    top, problems = _top_level(document)
    if top is None:
        raise SuiteError(document.file, problems)
    blocks, new_problems = _blocks(document, top, settings)
    problems += new_problems
    expanded, expander = expand(document, blocks, top.sampling_seed, top.limit, notify)
    problems += expander.problems
    pairs = merge_equal(expanded)
    remaining, new_problems = _excluded(document, top, pairs, complete=not problems)
    complete = not problems and bool(remaining)
    problems += new_problems
    compared: list[ReferenceMatch] = []
    if complete:
        compared, new_problems = comparisons(document, top, remaining, changed)
        problems += new_problems
    if problems:
        raise SuiteError(document.file, sorted(dict.fromkeys(problems), key=lambda problem: problem.line or 0))
    return ExpandedFile(top, remaining, len(expanded) - len(pairs), compared, expander.origins, expander.searches)


def _top_level(document: YamlDocument) -> tuple[SuiteFile | None, list[Problem]]:
    """The top level, without the keys whose values are wrong, and what is wrong; None where no grid can be read."""
    data = _with_plain_pruning(document.data)
    problems = reference_problems(document)
    top = check(SuiteFile, data, document, (), "suite")
    if isinstance(top, SuiteFile):
        return top, problems
    assert isinstance(top, list)
    problems += [problem for problem in top if not (problems and problem.path.startswith("references["))]
    minimal = {"name": "t", "grid": {}}
    valid = {
        key: value
        for key, value in data.items()
        if isinstance(check(SuiteFile, {**minimal, key: value}, document, (), "suite"), SuiteFile)
    }
    readable = isinstance(data.get("grid"), dict | list) and ("defaults" in valid or "defaults" not in data)
    return (SuiteFile.model_validate(minimal | valid) if readable else None), problems


def _with_plain_pruning(data: JsonObject) -> JsonObject:
    """`pruning: none`, `pruning: asha` and `pruning: halving` in the long form."""
    plain: JsonObject = {"none": None, "asha": {}, "halving": {"method": "halving"}}
    pruning = data.get("pruning")
    return {**data, "pruning": plain[pruning]} if isinstance(pruning, str) and pruning in plain else data


def _blocks(
    document: YamlDocument, top: SuiteFile, settings: list[tuple[str, list[str], Any]]
) -> tuple[list[tuple[KeyPath, SubGrid]], list[Problem]]:
    """Sub-grids with the defaults and the options filled in, each key with the path it was written at; and problems."""
    grid = document.data["grid"]
    grids: list[tuple[KeyPath, JsonObject]] = (
        [(("grid", i), block) for i, block in enumerate(grid) if isinstance(block, dict)]
        if isinstance(grid, list)
        else [(("grid",), grid)]
    )
    if not grid and isinstance(grid, list):
        return [], [Problem("grid", "is empty", document.line(("grid",)), "give it a model")]
    problems = [
        _unknown_key(document, (*path, key))
        for path, block in [(("defaults",), top.defaults), *grids]
        for key in block
        if key not in BLOCK_KEYS
    ]
    blocks: list[tuple[KeyPath, SubGrid]] = []
    for path, block in grids:
        merged: SubGrid = {key: (("defaults", key), copy.deepcopy(value)) for key, value in top.defaults.items()}
        merged.update({key: ((*path, key), copy.deepcopy(value)) for key, value in block.items()})
        blocks.append((path, merged))
    for text, parts, value in settings:
        # Not any(): every sub-grid is to be changed.
        if not sum(_set(merged, parts, value) for _, merged in blocks):
            message = f"{OPTION} '{text}': no component of `{parts[0]}` in {document.file} takes parameters"
            raise UserError(f"{message}\n  give one first, e.g. {OPTION} {parts[0]}=NAME")
    return blocks, problems


def _set(block: SubGrid, parts: list[str], value: Any) -> bool:
    """Carry out one `--set` on a sub-grid that has its defaults; whether there was anything to set."""
    key = parts[0]
    if len(parts) == 1:
        block[key] = ((OPTION, key), value)
        return True
    if key == SEARCH:
        path, search = block.get(key, ((OPTION, key), {}))
        block[key] = (path, {**search, parts[1]: value} if isinstance(search, dict) else search)
        return True
    path, axis = block.get(key, ((OPTION, key), AXIS_DEFAULTS.get(key, "none")))
    changed, components = apply_set(axis, parts[1], value)
    if changed:
        block[key] = (path, components)
    return changed


def _unknown_key(document: YamlDocument, path: KeyPath) -> Problem:
    key = str(path[-1])
    return Problem(path_text(path), f"unknown key {key!r}", document.line(path), unknown_key_hint(key, top=False))


def merge_equal(pairs: list[Pair]) -> list[Pair]:
    """Each configuration once, where it stands first, with the seeds of all its places."""
    first: dict[str, tuple[Configuration, list[int]]] = {}
    for config, seeds in pairs:
        text = canonical(config)
        earlier = first.get(text)
        first[text] = (config, sorted({*earlier[1], *seeds})) if earlier and earlier[1] != seeds else (config, seeds)
    return list(first.values())


def _excluded(
    document: YamlDocument, top: SuiteFile, pairs: list[Pair], complete: bool
) -> tuple[list[Pair], list[Problem]]:
    """What `exclude` leaves, and what is wrong with it; whether a pattern fits is known of `complete` suites only."""
    problems = []
    selection = Selection([config for config, _ in pairs])
    excluded = 0
    for i, pattern in enumerate(top.exclude):
        path: KeyPath = ("exclude", i)
        unknown = [key for key in pattern if key not in MATCHABLE]
        if unknown:
            hint = "\n".join(filter(None, [nearest(unknown[0], MATCHABLE), f"allowed: {', '.join(MATCHABLE)}"]))
            key_path: KeyPath = (*path, unknown[0])
            problems.append(Problem(path_text(key_path), f"unknown key {unknown[0]!r}", document.line(key_path), hint))
        elif not pattern:
            problems.append(Problem(path_text(path), "is empty and would leave out everything", document.line(path)))
        elif matching := selection.matching(pattern):
            excluded |= matching
        elif complete:
            configurations = (
                selection.configurations if len(problems) < MAX_PROBLEMS else []
            )  # each looks at all configurations
            hint = "\n".join([*values_text(configurations, pattern), "correct the pattern, or remove it"])
            problems.append(Problem(path_text(path), "matches no configuration", document.line(path), hint))
    remaining = [pairs[i] for i in selection.indices(((1 << len(pairs)) - 1) & ~excluded)] if excluded else pairs
    if not remaining and complete and not problems:
        problems.append(Problem("exclude", "leaves out every configuration", document.line(("exclude",))))
    return remaining, problems
