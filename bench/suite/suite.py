"""A suite file, read, checked and expanded."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bench
from bench.suite.components import AXES
from bench.suite.document import Document, KeyPath, path_text, read
from bench.suite.errors import Problem, SuiteError, UserError, nearest
from bench.suite.expand import Configuration, canonical, expand
from bench.suite.schema import AXIS_DEFAULTS, AXIS_ORDER, Pruning, Sampling, Settings, SuiteFile, check
from bench.suite.select import apply_set, matches, only_pattern, parse_option

BLOCK_KEYS = (*AXIS_ORDER, *Settings.model_fields, *Sampling.model_fields)


@dataclass(frozen=True)
class Suite:
    """What a suite file asks for: its configurations, each with its seeds, and how they are searched."""

    path: Path
    name: str
    title: str
    description: str
    references: tuple[str, ...]
    configurations: tuple[tuple[Configuration, list[int]], ...]
    pruning: Pruning | None
    repeated: int
    """How many configurations of the file were equal to an earlier one, and left out."""


def load_suite(
    path: Path, only: Sequence[str] = (), overrides: Sequence[str] = (), seeds: int | None = None
) -> Suite:
    """Read a suite file and expand it.

    `only` keeps the configurations that match every pattern (``model=vgg*``), `overrides` sets axes, parameters
    or settings (``epochs=2``, ``optimizer.lr=0.1``), `seeds` replaces the number of seeds.
    Raises SuiteError with every problem found in the file, UserError for a wrong option.
    """
    document = read(path)
    if not isinstance(document.data, dict):
        raise SuiteError(document.file, [Problem("", "is not a suite: the top level must be a mapping", 1)])
    top = check(SuiteFile, _with_plain_pruning(document.data), document, (), "suite")
    if isinstance(top, list):
        raise SuiteError(document.file, top)
    assert isinstance(top, SuiteFile)
    settings = [parse_option("--set", text) for text in overrides]
    if seeds is not None:
        settings.append((["seeds"], seeds))
    blocks = _blocks(document, top, settings)
    pairs = _unique(expand(document, blocks, top.sampling_seed, top.limit))
    total = len(pairs)
    pairs, repeated = [pair for pair in pairs if pair is not None], sum(pair is None for pair in pairs)
    pairs = _excluded(document, top, [pair for pair in pairs if pair is not None])
    patterns = [only_pattern(text) for text in only]
    kept = [pair for pair in pairs if all(matches(pair[0], pattern) for pattern in patterns)]
    if not kept:
        raise UserError(
            f"--only {' --only '.join(only)}: matches none of the {total} configurations of {document.file}\n"
            f"  {_levels_text(pairs)}"
        )
    if top.pruning:
        bad = next((c for c, _ in kept if c["validation"] == "none"), None)
        if bad:
            message = "pruning needs validation pictures, and `validation: none` leaves none"
            raise SuiteError(document.file, [Problem("pruning", message, document.line(("pruning",)))])
    return Suite(
        path, top.name, top.title or top.name, top.description, tuple(top.references), tuple(kept), top.pruning, repeated
    )


def _with_plain_pruning(data: dict[str, Any]) -> dict[str, Any]:
    """`pruning: none` and `pruning: asha` in the long form."""
    plain: dict[str, Any] = {"none": None, "asha": {}}
    pruning = data.get("pruning")
    return {**data, "pruning": plain[pruning]} if isinstance(pruning, str) and pruning in plain else data


Block = dict[str, tuple[KeyPath, Any]]


def _blocks(
    document: Document, top: SuiteFile, settings: list[tuple[list[str], Any]]
) -> list[tuple[KeyPath, Block]]:
    """Sub-grids with the defaults filled in; each key with the path it was written at."""
    grids: list[tuple[KeyPath, dict[str, Any]]] = (
        [(("grid", i), block) for i, block in enumerate(top.grid)]
        if isinstance(top.grid, list)
        else [(("grid",), top.grid)]
    )
    if not grids:
        raise SuiteError(document.file, [Problem("grid", "is empty", document.line(("grid",)), "give it a model")])
    problems = [
        _unknown_key(document, (*path, key))
        for path, block in [(("defaults",), top.defaults), *grids]
        for key in block
        if key not in BLOCK_KEYS
    ]
    if problems:
        raise SuiteError(document.file, problems)
    defaults = copy.deepcopy(top.defaults)
    out = []
    for parts, value in settings:
        apply_set(defaults, parts, value, is_defaults=True)
    set_keys = {parts[0] for parts, _ in settings if len(parts) == 1}
    for path, block in grids:
        mine = copy.deepcopy(block)
        for parts, value in settings:
            apply_set(mine, parts, value, is_defaults=False)
        merged: Block = {}
        for key, value in defaults.items():
            merged[key] = (("--set", key) if key in set_keys else ("defaults", key), value)
        merged.update({key: ((*path, key), value) for key, value in mine.items()})
        for parts, value in settings:
            # An axis that the file leaves at its default still takes a parameter.
            if len(parts) == 2 and parts[0] not in merged and parts[0] in AXES:
                default = AXIS_DEFAULTS.get(parts[0])
                if default not in (None, "none"):
                    merged[parts[0]] = (("--set", parts[0]), {"name": default, parts[1]: value})
        out.append((path, merged))
    return out


def _unknown_key(document: Document, path: KeyPath) -> Problem:
    hint = "\n".join(part for part in (nearest(path[-1], BLOCK_KEYS), f"allowed: {', '.join(BLOCK_KEYS)}") if part)
    return Problem(path_text(path), f"unknown key {path[-1]!r}", document.line(path), hint)


def _unique(
    pairs: list[tuple[Configuration, list[int]]],
) -> list[tuple[Configuration, list[int]] | None]:
    """The same list with None where a configuration was there before; its seeds join the earlier one's."""
    first: dict[str, int] = {}
    out: list[tuple[Configuration, list[int]] | None] = []
    for config, seeds in pairs:
        text = canonical(config)
        if text in first:
            earlier = out[first[text]]
            assert earlier is not None
            out[first[text]] = (config, sorted({*earlier[1], *seeds}))
            out.append(None)
        else:
            first[text] = len(out)
            out.append((config, seeds))
    return out


def _excluded(
    document: Document, top: SuiteFile, pairs: list[tuple[Configuration, list[int]]]
) -> list[tuple[Configuration, list[int]]]:
    problems = []
    kept = pairs
    for i, pattern in enumerate(top.exclude):
        path: KeyPath = ("exclude", i)
        unknown = [key for key in pattern if key not in BLOCK_KEYS]
        if unknown or not pattern:
            problems.append(
                _unknown_key(document, (*path, unknown[0]))
                if unknown
                else Problem(path_text(path), "is empty and would leave out everything", document.line(path))
            )
        elif not any(matches(config, pattern) for config, _ in pairs):
            hint = "check its spelling against `bench plan`; a pattern that matches nothing is a mistake"
            problems.append(Problem(path_text(path), "matches no configuration", document.line(path), hint))
        else:
            kept = [pair for pair in kept if not matches(pair[0], pattern)]
    if not kept and not problems:
        problems.append(Problem("exclude", "leaves out every configuration", document.line(("exclude",))))
    if problems:
        raise SuiteError(document.file, problems)
    return kept


def _levels_text(pairs: list[tuple[Configuration, list[int]]]) -> str:
    names = sorted({config["model"]["name"] for config, _ in pairs})
    return f"its models: {', '.join(names[:12])}{', ...' if len(names) > 12 else ''}; `bench plan` shows every axis"


def suites_folder() -> Path:
    """Where the suite files that come with the package are: beside it in a checkout, inside it in a wheel."""
    package = Path(bench.__file__).parent
    return package / "suites" if (package / "suites").is_dir() else package.parent / "suites"


def shipped_suites() -> dict[str, Path]:
    """Name (``quick``, ``labs/regularization``) to file."""
    folder = suites_folder()
    return {p.relative_to(folder).with_suffix("").as_posix(): p for p in sorted(folder.rglob("*.yaml"))}


def find_suite(text: str) -> Path:
    """A path as given if it is there, else the shipped suite of that name."""
    path = Path(text)
    shipped = shipped_suites()
    if path.exists():
        return path
    if text in shipped:
        return shipped[text]
    if path.suffix in (".yaml", ".yml") and path.as_posix().removeprefix("suites/").removesuffix(".yaml") in shipped:
        return shipped[path.as_posix().removeprefix("suites/").removesuffix(".yaml")]
    names = ", ".join(shipped) or "none"
    raise UserError(
        f"{text}: there is no such suite file\n  suites that come with bench: {names}\n  {nearest(text, shipped)}".rstrip()
    )
