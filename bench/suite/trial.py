"""Trials: a configuration as typed components, one seed, and the key that says whether two of them are the same."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Protocol

from bench.components import AXES, COMBINABLE, parse_component
from bench.components.base import Component
from bench.components.datasets import FROM_PATH, HUB_NAME, IN_MEMORY
from bench.components.models import ModelComponent
from bench.components.optimization import OptimizerComponent, Schedule
from bench.components.user_defined import LibraryModel
from bench.errors import UserError
from bench.jsonutil import JsonObject, canonical
from bench.suite.schema import OMITTED_DEFAULTS, VALUE_AXES, EarlyStoppingRule, Settings, Validation
from bench.suite.search_space import Search, SearchPoint
from bench.suite.suite import Suite
from bench.user_code.component_code import ComponentCode, UserCode


@dataclass(frozen=True, kw_only=True)
class TrialConfig:
    """One point of a suite's grid with every default filled in: ``config.optimizer.parameters``, ``config.epochs``."""

    dataset: Component
    preprocessing: Component
    model: ModelComponent
    optimizer: OptimizerComponent
    schedule: Schedule
    loss: Component
    step: Component
    regularizer: tuple[Component, ...]
    augmentation: tuple[Component, ...]
    imbalance: Component
    label_noise: Component
    batch_size: int
    epochs: int
    fraction: float
    validation: Validation
    early_stopping: EarlyStoppingRule | None
    weights: Literal["last", "best"]
    refit: bool
    ema: float | None
    test_time: Literal["none", "flip"]
    robustness: list[str]
    precision: Literal["float32", "bfloat16"]
    compile: bool
    workers: int
    deterministic: bool
    plain: Mapping[str, Any] | None = field(default=None, repr=False, compare=False)
    """The JSON that it was made of."""

    @classmethod
    def from_json(cls, config: Mapping[str, Any], parsed: dict[tuple[str, Any], Any] | None = None) -> TrialConfig:
        """The configuration that plain data describe; ValueError where they are not those of this version.

        `parsed` is filled with the components and settings of one suite's configurations, which share them: each is
        parsed once.
        """
        parsed = {} if parsed is None else parsed
        complete = {key: value for key, value in OMITTED_DEFAULTS.items() if key not in config} | dict(config)

        def parse(axis: str, plain: Mapping[str, Any]) -> Any:
            key = axis, id(plain)
            if key not in parsed:
                parsed[key] = parse_component(axis, plain)
            return parsed[key]

        axes: JsonObject = {
            axis: tuple(parse(axis, component) for component in complete[axis])
            if axis in COMBINABLE
            else parse(axis, complete[axis])
            for axis in AXES
        }
        settings = {key: complete[key] for key in Settings.model_fields}
        question = "settings", tuple(map(id, settings.values()))
        if question not in parsed:
            parsed[question] = dict(vars(Settings.model_validate(settings)))
        sizes = {axis: complete[axis] for axis in VALUE_AXES}
        return cls(**axes, **sizes, **parsed[question], plain=config)

    def to_json(self) -> JsonObject:
        """As keys and records have it; not to be changed."""
        if self.plain is None:
            settings = Settings.model_construct(**{key: getattr(self, key) for key in Settings.model_fields})
            axes = {
                axis: [item.to_json() for item in value] if axis in COMBINABLE else value.to_json()
                for axis, value in ((axis, getattr(self, axis)) for axis in AXES)
            }
            sizes = {axis: getattr(self, axis) for axis in VALUE_AXES}
            everything = {**axes, **sizes, **settings.model_dump(mode="json")}
            plain = {key: value for key, value in everything.items() if OMITTED_DEFAULTS.get(key, ...) != value}
            object.__setattr__(self, "plain", plain)
        assert isinstance(self.plain, dict)
        return self.plain

    def changed(self, **values: Any) -> TrialConfig:
        """A copy with other values of some axes or settings."""
        return replace(self, **values, plain=None)


SEMANTICS = 2
"""Raised whenever the same configuration would train differently than before."""


class HasChecksum(Protocol):
    """Data that were loaded, such as a `bench.data.Dataset`."""

    @property
    def sha256(self) -> str: ...


@dataclass(frozen=True)
class NetworkOrigin:
    """What a file of weights says of its trial: the key, and what of the user's own code builds the network."""

    key: str
    code: list[list[str]]


@dataclass(frozen=True)
class Trial:
    """A configuration with a seed. `key` names it in the ledger, `group` counts its configuration in the suite."""

    key: str
    config_key: str
    """The key without the seed: trials that share it are seeds of one configuration, of the same data and code."""
    config: TrialConfig
    seed: int
    group: int
    code: UserCode | None = None
    """The user's own code that training runs, or file of weights; None where there is none."""
    data_code: ComponentCode | None = None
    """The user's own code of its data set."""
    data_path: Path | None = None
    """Where the user's own data are; the configuration keeps the path as the suite file has it."""
    contents: str = ""
    """The dataset's checksum."""
    search: SearchPoint | None = None
    """Where the configuration stands in a search; None where a suite lists it."""

    @property
    def network_origin(self) -> NetworkOrigin:
        """For a file of its weights."""
        return NetworkOrigin(self.key, self.code.of_network if self.code else [])

    @property
    def is_from_path(self) -> bool:
        """Whether only files, or a hub, tell what its data are."""
        return self.config.dataset.name in FROM_PATH

    @property
    def run_config(self) -> TrialConfig:
        """The configuration with the user's own data named by their absolute path, for another process."""
        if self.data_path is None:
            return self.config
        return self.config.changed(dataset=self.config.dataset.model_copy(update={"path": str(self.data_path)}))

    @property
    def data(self) -> str:
        """What tells a dataset from every other one: its component, as text, with the full path of the user's own."""
        return canonical(self.run_config.dataset.to_json())


def trial_key(config: JsonObject, seed: int | None, fingerprint: str, source: str | None) -> str:
    """Twenty hex digits of a hash over everything that may change a trial's result.

    `fingerprint` is the dataset's checksum, `source` that of the user's own code; without a seed it is the
    key of the configuration. Data of `FROM_PATH` and `IN_MEMORY` are known by their contents, wherever they lie.
    Hardware, versions and the number of threads stand in the record, not here.
    """
    dataset = config["dataset"]
    if dataset["name"] in FROM_PATH:
        dataset = {name: value for name, value in dataset.items() if name != "path"}
    elif dataset["name"] == IN_MEMORY:
        dataset = {"name": IN_MEMORY}
    parts = {
        "semantics": SEMANTICS,
        "config": {**config, "dataset": dataset},
        "seed": seed,
        "dataset": fingerprint,
        "source": source,
    }
    return hashlib.sha256(canonical(parts).encode()).hexdigest()[:20]


def trials(
    suite: Suite,
    fingerprint: Callable[[JsonObject], str],
    read_code: Callable[[Component], ComponentCode | None],
) -> list[Trial]:
    """The suite's trials in order: configurations as the file has them, seeds within.

    `fingerprint` maps a data set, its `path` made absolute, to its checksum; `read_code` reads what of a component is
    the user's own (None where nothing is). UserError names all that is wrong with either.
    """
    found_trials: list[Trial] = []
    sources: dict[str, tuple[Path | None, str, ComponentCode | None]] = {}
    parsed: dict[tuple[str, int], Any] = {}
    codes = Codes(suite.location, read_code)
    problems: dict[str, None] = {}
    points, identities = _search_points(suite), dict[int, str]()
    for group, (plain, seeds) in enumerate(suite.configurations):
        config = TrialConfig.from_json(plain, parsed)
        dataset = canonical(plain["dataset"])
        if dataset not in sources:
            sources[dataset] = None, "", None
            try:
                sources[dataset] = data_source(suite.path, config.dataset, fingerprint, codes)
            except UserError as error:
                problems[str(error)] = None
        path, contents, data_code = sources[dataset]
        try:
            code = codes.of(config)
        except UserError as error:
            problems[str(error)] = None
        if problems:
            continue
        configuration, *keys = (
            trial_key(plain, seed, contents, code.checksum if code else None) for seed in (None, *seeds)
        )
        point = None
        if found_point := points.get(canonical(plain)) if points else None:
            search, number = found_point
            if id(search) not in identities:  # its configurations share data and code
                fixed_key = trial_key(search.fixed(), None, contents, code.checksum if code else None)
                identities[id(search)] = search.identity(fixed_key, suite.metrics[0])
            point = SearchPoint(id=identities[id(search)], rule=search.rule, number=number, trials=search.n_trials)
        found_trials.extend(
            Trial(key, configuration, config, seed, group, code, data_code, path, contents, point)
            for key, seed in zip(keys, seeds, strict=True)
        )
    if problems:
        raise UserError("\n".join(problems))
    return found_trials


def _search_points(suite: Suite) -> dict[str, tuple[Search, int]]:
    """The search and the first number of each configuration that is drawn, by its JSON."""
    points: dict[str, tuple[Search, int]] = {}
    for search in suite.searches:
        for number, config in enumerate(search.configurations):
            points.setdefault(canonical(config), (search, number))
    return points


def with_configuration(trial: Trial, config: JsonObject, group: int, search: SearchPoint) -> Trial:
    """The trial of another configuration of the same search: the same seed, data and code."""
    source = trial.code.checksum if trial.code else None
    key, config_key = (trial_key(config, seed, trial.contents, source) for seed in (trial.seed, None))
    return replace(
        trial, key=key, config_key=config_key, config=TrialConfig.from_json(config), group=group, search=search
    )


def with_seed(trial: Trial, seed: int) -> Trial:
    """The same configuration with another seed, which is in no search any more: nothing is proposed by its result."""
    source = trial.code.checksum if trial.code else None
    key = trial_key(trial.config.to_json(), seed, trial.contents, source)
    return replace(trial, seed=seed, key=key, search=None)


def data_source(
    suite: Path, component: Component, fingerprint: Callable[[JsonObject], str], codes: Codes
) -> tuple[Path | None, str, ComponentCode | None]:
    """The path, the checksum and the code of a data set; code stands for what it reads."""
    component_json = component.to_json()
    if component.user_code:
        code = codes.read("dataset", component, component_json)
        assert code is not None, component
        return None, code.checksum, code
    path = data_path(component_json, suite)
    try:
        return path, fingerprint({**component_json, "path": str(path)} if path else component_json), None
    except UserError as error:
        raise UserError(f"{codes.location('dataset', component_json)}: {error}") from error


class Codes:
    """What of components is the user's own, each read once; `location` is where a suite file has an axis's value."""

    def __init__(self, location: Callable[[str, Any], str], read_code: Callable[[Component], ComponentCode | None]):
        self.location, self.read_code = location, read_code
        self._parts: dict[str, ComponentCode | UserError | None] = {}
        self._codes: dict[tuple[str, ...], UserCode | None] = {}

    def read(self, axis: str, component: Component, written: Any) -> ComponentCode | None:
        """What of a component is the user's own, which the suite file has in this value of the axis."""
        cache_key = canonical([axis, component.user_code, component.to_json()])
        if cache_key not in self._parts:
            try:
                self._parts[cache_key] = self.read_code(component)
            except UserError as error:
                self._parts[cache_key] = UserError(f"{self.location(axis, written)}: {error}")
        part = self._parts[cache_key]
        if isinstance(part, UserError):
            raise part
        return part

    def of(self, config: TrialConfig) -> UserCode | None:
        """All code and weights of the user's own that training a configuration needs."""
        components = [
            (axis, component)
            for axis in AXES
            if axis != "dataset"
            for component in (getattr(config, axis) if axis in COMBINABLE else [getattr(config, axis)])
            if component.user_code or isinstance(component, LibraryModel)
        ]
        if not components:
            return None
        plain = config.to_json()
        cache_key = tuple(canonical([axis, plain[axis]]) for axis, _ in components)
        if cache_key not in self._codes:
            parts = {
                (axis, component.name): part
                for axis, component in components
                if (part := self.read(axis, component, plain[axis])) is not None
            }
            self._check_modules(parts, plain)
            self._codes[cache_key] = UserCode(tuple(parts.values())) if parts else None
        return self._codes[cache_key]

    def _check_modules(self, parts: Mapping[tuple[str, str], ComponentCode], plain: Mapping[str, Any]) -> None:
        """UserError where two files would be imported by one name."""
        files: dict[str, Path] = {}
        for (axis, name), part in parts.items():
            for module, path in part.modules.items():
                if files.setdefault(module, path) != path:
                    raise UserError(
                        f"{self.location(axis, plain[axis])}: {name!r} imports {path} as the module {module!r}, "
                        f"which is {files[module]} for another component of the same configuration: rename one of them"
                    )


def data_path(dataset: JsonObject, suite: Path) -> Path | None:
    """The absolute path of data that a suite file names from its own folder; None for others and names on a hub."""
    if dataset["name"] not in FROM_PATH or "path" not in dataset:
        return None
    path = os.path.expanduser(dataset["path"])  # noqa: PTH111 (a Path's own raises for ~nobody)
    # realpath, since a Path's own resolving raises where links lead in a circle
    path = os.path.realpath(Path(os.path.realpath(suite)).parent / path)
    if dataset["name"] == "hf" and HUB_NAME.fullmatch(dataset["path"]) and not os.path.exists(path):  # noqa: PTH110
        return None
    return Path(path)


def check_contents(trials: Iterable[Trial], datasets: Mapping[str, HasChecksum]) -> None:
    """UserError where the data that were loaded are not those that the trials' keys were made with.

    `datasets` maps `Trial.data` to what was loaded, with the checksum of the very bytes that were read.
    """
    for trial in trials:
        data = datasets[trial.data]
        if trial.contents and data.sha256 != trial.contents:
            name = trial.data_path or trial.config.dataset.name
            raise UserError(
                f"{name}: changed after the trials' keys were made of it, so its results would stand under the keys of "
                "other data; leave it as it is while a run goes on, and run the command again"
            )
