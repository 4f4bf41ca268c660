"""A suite file, read, checked and expanded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bench.errors import Problem, SuiteError, UserError, plural, shorten
from bench.jsonutil import JsonObject, canonical
from bench.suite.expand import Configuration
from bench.suite.expand_file import Pair, expand_file, merge_equal
from bench.suite.python_values import DICT_NAME, from_python
from bench.suite.schema import Pruning
from bench.suite.search_space import Search
from bench.suite.select import (
    ReferenceMatch,
    matches,
    only_patterns,
    parse_option,
    reference_ids,
    split_pattern,
    values_text,
)
from bench.suite.yaml_loader import OPTION, YamlDocument, path_text, read


@dataclass(frozen=True)
class Suite:
    """What a suite file asks for: its configurations, each with its seeds, and how they are searched."""

    path: Path
    name: str
    title: str
    description: str
    references: tuple[str, ...]
    configurations: tuple[Pair, ...]
    pruning: Pruning | None
    repeated: int
    """How many configurations of the file were equal to an earlier one, and left out."""
    locations: dict[str, str] = field(default_factory=dict, repr=False, compare=False)
    """Where models, optimizers, data, validation, metrics and references were written; see `location`."""
    metrics: tuple[str, ...] = ("accuracy",)
    """What a leaderboard shows; the first one ranks."""
    comparisons: tuple[ReferenceMatch, ...] = ()
    """The references that say which configuration repeats them, or why none does."""
    sampling_seed: int = 0
    max_minutes: float | None = None
    """Of training, for each trial; it changes no result of a trial that ends in time, so it is in no key."""
    confirm: int | None = None
    """Fresh seeds for what validation selected and its rivals."""
    searches: tuple[Search, ...] = ()
    """Of the configurations, those that are drawn from distributions; adaptive searches add others as results come."""

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
        """How many trials: the seeds of all configurations, also of those that a search is still to propose."""
        listed = sum(len(seeds) for _, seeds in self.configurations)
        return listed + sum(search.n_to_propose * search.n_seeds for search in self.searches)

    def __repr__(self) -> str:
        return f"Suite({self.name!r}, {plural(self.n_configurations, 'configuration')}, {plural(len(self), 'trial')})"

    @property
    def n_configurations(self) -> int:
        """Also those that a search is still to propose."""
        return len(self.configurations) + sum(search.n_to_propose for search in self.searches)

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
        merged = merge_equal(pairs)
        repeated = self.repeated + len(pairs) - len(merged)
        compared = tuple(
            replace(comparison, configs=tuple(map(spell_out, comparison.configs))) for comparison in self.comparisons
        )
        searches = tuple(search.changed(spell_out) for search in self.searches)
        return replace(
            self,
            configurations=tuple(merged),
            locations=locations,
            repeated=repeated,
            comparisons=compared,
            searches=searches,
        )


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
        expanded = expand_file(document, settings, bool(cli_overrides), notify)
        top, origins = expanded.top, expanded.origins
        selected = _matching(patterns, expanded.pairs, document.file)
        searches = _selected_searches(expanded.searches, selected, document)
        if top.pruning and any(config["validation"] == "none" for config, _ in selected):
            message = "pruning needs validation images, and `validation: none` leaves none"
            raise SuiteError(document.file, [Problem("pruning", message, document.line(("pruning",)))])
        if top.confirm and (message := _why_not_confirmed(selected)):
            raise SuiteError(document.file, [Problem("confirm", message, document.line(("confirm",)))])
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
        expanded.repeated,
        locations,
        tuple(dict.fromkeys([top.rank_by, *top.metrics])),
        tuple(expanded.references),
        sampling_seed=top.sampling_seed,
        max_minutes=top.max_minutes,
        confirm=top.confirm,
        searches=tuple(searches),
    )


def _selected_searches(searches: Sequence[Search], selected: list[Pair], document: YamlDocument) -> list[Search]:
    """The searches of what is selected; SuiteError where only a part of an adaptive one is."""
    adaptive = [search for search in searches if search.rule.is_adaptive]
    remaining = {canonical(config) for config, _ in selected} if adaptive else set()
    selected_searches = [search for search in searches if not search.rule.is_adaptive]
    for search in adaptive:
        count = sum(canonical(config) in remaining for config in search.configurations)
        if 0 < count < len(search.configurations):
            message = (
                f"`exclude` or `--only` leaves {count} of the {len(search.configurations)} configurations that a "
                "search starts with, and it proposes by the results of all"
            )
            hint = "select by what all configurations of a search share; cut its distributions for less of it"
            raise SuiteError(document.file, [Problem("grid", message, document.line(("grid",)), hint)])
        if count:
            selected_searches.append(search)
    return selected_searches


def _why_not_confirmed(pairs: list[Pair]) -> str:
    """Why nothing can be selected and confirmed; "" where it can."""
    if any(config["validation"] == "none" for config, _ in pairs):
        return "confirm needs validation images to select by, and `validation: none` leaves none"
    if any(len(seeds) < 2 for _, seeds in pairs):
        return (
            "confirm needs at least 2 seeds of every configuration: rivals are those that seeds do not tell from the "
            "selected one; give `seeds: 2` or more"
        )
    return ""


def forced_configurations(
    configurations: Sequence[Configuration], texts: Sequence[str], file: Path
) -> list[Configuration]:
    """Those of a suite's configurations that the patterns of every `--force` fit, as with `--only`; errors as there."""
    patterns = {text: only_patterns(text, "--force") for text in texts}
    pairs: list[Pair] = [(config, []) for config in configurations]
    return [config for config, _ in _matching(patterns, pairs, str(file), "--force")]


def _matching(
    patterns: dict[str, list[JsonObject]],
    remaining: list[Pair],
    file: str,
    option: str = "--only",
) -> list[Pair]:
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
