"""A suite file, read, checked and expanded."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import bench
from bench.errors import MAX_PROBLEMS, Problem, SuiteError, UserError, nearest, plural, shorten
from bench.jsonutil import JsonObject, canonical
from bench.suite.expand import Configuration, SubGrid, expand
from bench.suite.python_values import DICT_NAME, from_python
from bench.suite.schema import AXIS_DEFAULTS, BLOCK_KEYS, Pruning, SuiteFile
from bench.suite.select import (
    MATCHABLE,
    ReferenceMatch,
    Selection,
    apply_set,
    comparisons,
    matches,
    only_patterns,
    parse_option,
    reference_ids,
    reference_problems,
    split_pattern,
    values_text,
)
from bench.suite.validation import check, unknown_key_hint
from bench.suite.yaml_loader import OPTION, KeyPath, YamlDocument, path_text, read


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
    locations: dict[str, str] = field(default_factory=dict, repr=False, compare=False)
    """Where models, optimizers, data, validation, metrics and references were written; see `place`."""
    metrics: tuple[str, ...] = ("accuracy",)
    """What a leaderboard shows; the first one ranks."""
    comparisons: tuple[ReferenceMatch, ...] = ()
    """The references that say which configuration repeats them, or why none does."""
    sampling_seed: int = 0
    max_minutes: float | None = None
    """Of training, for each trial; it changes no result of a trial that ends in time, so it is in no key."""

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], folder: str | Path = ".") -> Suite:
        """A suite from plain Python values instead of a file.

        Parameters
        ----------
        data
            What a suite file holds: mappings, lists, texts, numbers, True, False and None. A `bench.Dataset` may stand
            where a data set's name would.
        folder
            Where relative paths start: of own data, and of own components (``mine.py:factory``).

        Raises
        ------
        SuiteError
            A UserError with every problem found, as a suite file gets it: ``suite: grid.model: ...``.

        Examples
        --------
        >>> suite = Suite.from_dict({"name": "first", "grid": {"model": ["mlp", "cnn"]}, "defaults": {"seeds": 3}})
        >>> len(suite)
        6
        """
        return read_suite(from_python(data), Path(folder) / DICT_NAME)

    def __len__(self) -> int:
        """How many trials: the seeds of all configurations."""
        return sum(len(seeds) for _, seeds in self.configurations)

    def __repr__(self) -> str:
        configurations = plural(len(self.configurations), "configuration")
        return f"Suite({self.name!r}, {configurations}, {plural(len(self), 'trial')})"

    def location(self, key: str, component: Any) -> str:
        """``FILE:LINE: KEY PATH`` of an entry under this key, for messages about what the file cannot tell."""
        return self.locations.get(canonical([key, component]), str(self.path))

    def components(self, axis: str) -> list[JsonObject]:
        """What the configurations have on an axis, each once."""
        values = {id(config[axis]): config[axis] for config, _ in self.configurations if axis in config}.values()
        return [component for value in values for component in (value if isinstance(value, list) else [value])]

    def resolved(self, axis: str, resolve: Callable[[JsonObject], JsonObject]) -> Suite:
        """The same suite with an axis's entries spelled out by `resolve`; configurations that become equal are one."""
        spelled: dict[int, Any] = {}

        def spell_out(config: Configuration) -> Configuration:
            if axis not in config:
                return config
            value = config[axis]
            if id(value) not in spelled:
                spelled[id(value)] = (
                    [resolve(component) for component in value] if isinstance(value, list) else resolve(value)
                )
            return {**config, axis: spelled[id(value)]}

        pairs, locations = [], dict(self.locations)
        for config, seeds in self.configurations:
            new = spell_out(config)
            if axis in new:
                locations[canonical([axis, new[axis]])] = self.location(axis, config[axis])
            pairs.append((new, seeds))
        unique = _unique(pairs)
        repeated = self.repeated + len(pairs) - len(unique)
        compared = tuple(
            replace(comparison, configs=tuple(map(spell_out, comparison.configs))) for comparison in self.comparisons
        )
        return replace(self, configurations=tuple(unique), locations=locations, repeated=repeated, comparisons=compared)


def load_suite(
    path: Path,
    only: Sequence[str] = (),
    cli_overrides: Sequence[str] = (),
    seeds: int | None = None,
    notify: Callable[[str], None] = lambda _: None,
) -> Suite:
    """Read a suite file and expand it.

    `only` keeps the configurations that match every pattern (``model=vgg*``), `cli_overrides` sets axes, parameters
    or settings (``epochs=2``, ``optimizer.lr=0.1``), `seeds` replaces the number of seeds. What takes a
    while is told to `notify` before.
    Raises SuiteError with every problem found in the file, UserError for a wrong option.
    """
    return read_suite(read(path), path, only, cli_overrides, seeds, notify)


def read_suite(
    document: YamlDocument,
    path: Path,
    only: Sequence[str] = (),
    cli_overrides: Sequence[str] = (),
    seeds: int | None = None,
    notify: Callable[[str], None] = lambda _: None,
) -> Suite:
    """Expand what was read from a suite file, or given in Python; parameters and errors as in `load_suite`."""
    if not isinstance(document.data, dict):
        hint = "a suite needs at least `name: ...` and `grid: {model: ...}`; `bench list suites` shows examples"
        message = f"is not a suite: the top level must be a mapping, not {shorten(document.data)}"
        raise SuiteError(document.file, [Problem("", message, document.line(()), hint)])
    settings = [(text, *parse_option(OPTION, text)) for text in cli_overrides]
    if seeds is not None:
        settings.append((f"seeds={seeds}", ["seeds"], seeds))
    patterns = {text: only_patterns(text) for text in only}
    try:
        top, repeated, remaining, compared, origins = _read(document, settings, bool(cli_overrides), notify)
        selected = _matching(patterns, remaining, document.file)
        if top.pruning and any(config["validation"] == "none" for config, _ in selected):
            message = "pruning needs validation images, and `validation: none` leaves none"
            raise SuiteError(document.file, [Problem("pruning", message, document.line(("pruning",)))])
    except SuiteError as error:
        if cli_overrides:  # the file alone may be right
            raise UserError(f"{error}\n  (read with {_options_text('--set', cli_overrides)})") from error
        raise
    for i, reference in enumerate(reference_ids(top)):
        origins.setdefault(canonical(["references", reference]), ("references", i))
    origins[canonical(["metrics", top.rank_by])] = ("rank_by",)
    for i, metric in enumerate(top.metrics):
        origins.setdefault(canonical(["metrics", metric]), ("metrics", i))
    locations = {
        component: Problem(path_text(path), "", document.line(path)).location(document.file)
        for component, path in origins.items()
    }
    return Suite(
        path,
        top.name,
        " ".join(top.title.split()) or top.name,
        top.description,
        tuple(dict.fromkeys(reference_ids(top))),
        tuple(selected),
        top.pruning,
        repeated,
        locations,
        tuple(dict.fromkeys([top.rank_by, *top.metrics])),
        tuple(compared),
        sampling_seed=top.sampling_seed,
        max_minutes=top.max_minutes,
    )


def _read(
    document: YamlDocument, settings: list[tuple[str, list[str], Any]], changed: bool, notify: Callable[[str], None]
) -> tuple[SuiteFile, int, list[tuple[Configuration, list[int]]], list[ReferenceMatch], dict[str, KeyPath]]:
    """The top level, how many configurations stand in the file again, those that `exclude` leaves, references, places.

    Raises SuiteError with every mistake of the file: what is wrong in one part does not hide what is wrong in another.
    """
    top, problems = _top_level(document)
    if top is None:
        raise SuiteError(document.file, problems)
    blocks, new_problems = _blocks(document, top, settings)
    problems += new_problems
    expanded, origins, new_problems = expand(document, blocks, top.sampling_seed, top.limit, notify)
    problems += new_problems
    pairs = _unique(expanded)
    remaining, new_problems = _excluded(document, top, pairs, complete=not problems)
    complete = not problems and bool(remaining)
    problems += new_problems
    compared: list[ReferenceMatch] = []
    if complete:
        compared, new_problems = comparisons(document, top, remaining, changed)
        problems += new_problems
    if problems:
        raise SuiteError(document.file, sorted(dict.fromkeys(problems), key=lambda problem: problem.line or 0))
    return top, len(expanded) - len(pairs), remaining, compared, origins


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


def forced_configurations(suite: Suite, texts: Sequence[str]) -> list[Configuration]:
    """Those of a suite that the patterns of every `--force` fit, as those of `--only` do; errors as there."""
    patterns = {text: only_patterns(text, "--force") for text in texts}
    return [config for config, _ in _matching(patterns, list(suite.configurations), str(suite.path), "--force")]


def _matching(
    patterns: dict[str, list[JsonObject]],
    remaining: list[tuple[Configuration, list[int]]],
    file: str,
    option: str = "--only",
) -> list[tuple[Configuration, list[int]]]:
    """The configurations that fit one of the patterns of each `--only`.

    Raises UserError where there is none, or where one of several values of an `--only` fits nothing.
    """
    configs = [config for config, _ in remaining]
    patterns = {
        text: [part for pattern in either for part in split_pattern(pattern, configs)]
        for text, either in patterns.items()
    }
    unmatched: list[tuple[str, JsonObject]] = []
    for text, either in patterns.items():
        unfit = [pattern for pattern in either if not any(matches(config, pattern) for config in configs)]
        if 0 < len(unfit) < len(either):
            unmatched += [
                (f"{_options_text(option, [text])}: {shorten(next(iter(pattern.values())))}", pattern)
                for pattern in unfit
            ]
    selected = [
        pair
        for pair in remaining
        if all(any(matches(pair[0], pattern) for pattern in either) for either in patterns.values())
    ]
    if not selected:  # the values of a list all ask for the same, so the first stands for it
        unmatched = [(_options_text(option, list(patterns)), pattern) for pattern, *_ in patterns.values()]
    if unmatched:
        message = f"{unmatched[0][0]} matches none of the {plural(len(remaining), 'configuration')} of {file}"
        value_lines = [
            line for name, pattern in unmatched if name == unmatched[0][0] for line in values_text(configs, pattern)
        ]
        raise UserError("\n  ".join([message, *value_lines]))
    return selected


def _options_text(option: str, texts: Sequence[str]) -> str:
    return " ".join(f"{option} '{text}'" for text in texts)


def _with_plain_pruning(data: JsonObject) -> JsonObject:
    """`pruning: none` and `pruning: asha` in the long form."""
    plain: JsonObject = {"none": None, "asha": {}}
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
    path, axis = block.get(key, ((OPTION, key), AXIS_DEFAULTS.get(key, "none")))
    changed, components = apply_set(axis, parts[1], value)
    if changed:
        block[key] = (path, components)
    return changed


def _unknown_key(document: YamlDocument, path: KeyPath) -> Problem:
    key = str(path[-1])
    return Problem(path_text(path), f"unknown key {key!r}", document.line(path), unknown_key_hint(key, top=False))


def _unique(pairs: list[tuple[Configuration, list[int]]]) -> list[tuple[Configuration, list[int]]]:
    """Each configuration once, where it stands first, with the seeds of all its places."""
    first: dict[str, tuple[Configuration, list[int]]] = {}
    for config, seeds in pairs:
        text = canonical(config)
        earlier = first.get(text)
        first[text] = (config, sorted({*earlier[1], *seeds})) if earlier and earlier[1] != seeds else (config, seeds)
    return list(first.values())


def _excluded(
    document: YamlDocument, top: SuiteFile, pairs: list[tuple[Configuration, list[int]]], complete: bool
) -> tuple[list[tuple[Configuration, list[int]]], list[Problem]]:
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
    name = path.as_posix().removeprefix("suites/").removesuffix(".yaml")
    if _exists(path) and not (path.is_dir() and text in shipped):  # a folder hides no shipped suite of its name
        return path
    if name in shipped:
        return shipped[name]
    names = ", ".join(shipped) or "none"
    message = f"{text}: there is no such suite file\n  suites that come with bench: {names}"
    raise UserError(f"{message}\n  {nearest(name, shipped)}".rstrip())


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name that no file system takes
        return False
