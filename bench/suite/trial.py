"""Trials, and the key that says whether two of them are the same."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from bench.errors import UserError
from bench.jsonutil import canonical
from bench.suite.suite import Suite


@dataclass(frozen=True)
class ModelCode:
    """The user's own code of a model as it was read for its trials' keys: what any process runs, on any machine.

    `modules` maps dotted names to files, `module` is the factory's and `name` the model's in the suite file. `files`
    holds what all of them contained, those that a model declares to read (`declared`) among them. `roots` are the
    folders that modules are imported from, `folder` is the suite file's, where relative paths in the code start. All
    paths are those of the machine where the key was made. An `installed` model is imported where it is installed. A
    timm model has no modules, and declares the file of its weights.
    """

    name: str
    module: str
    folder: Path
    roots: tuple[Path, ...]
    modules: dict[str, Path]
    files: dict[Path, bytes] = field(repr=False)
    declared: tuple[Path, ...]
    installed: bool
    checksum: str
    """Of all of it, for the key."""

    @property
    def file(self) -> Path:
        """The factory's."""
        return self.modules[self.module]

    @property
    def identity(self) -> str:
        """What tells it from every other code of the same suite."""
        return f"{self.checksum} {self.name}"


SEMANTICS = 1
"""Raised whenever the same configuration would train differently than before."""


class HasChecksum(Protocol):
    """Data that were loaded, such as a `bench.data.Dataset`."""

    @property
    def sha256(self) -> str: ...


@dataclass(frozen=True)
class Trial:
    """A configuration with a seed. `key` names it in the ledger, `group` counts its configuration in the suite."""

    key: str
    config_key: str
    """The key without the seed: trials that share it are seeds of one configuration, of the same data and code."""
    config: dict[str, Any]
    seed: int
    group: int
    code: ModelCode | None = None
    """The user's own code of its model, or file of its weights; None for any other model."""
    data_path: Path | None = None
    """Where the user's own data are; the configuration keeps the path as the suite file has it."""
    contents: str = ""
    """The dataset's checksum."""

    @property
    def run_config(self) -> dict[str, Any]:
        """The configuration with the user's own data named by their absolute path, for another process."""
        config = self.config
        if self.data_path is not None:
            config = {**config, "dataset": {**config["dataset"], "path": str(self.data_path)}}
        return config

    @property
    def data(self) -> str:
        """What tells a dataset from every other one: its entry, as text, with the path of the user's own made whole."""
        return canonical(self.run_config["dataset"])


def trial_key(config: dict[str, Any], seed: int | None, fingerprint: str, source: str | None) -> str:
    """Twenty hex digits of a hash over everything that may change a trial's result.

    `fingerprint` is the dataset's checksum, `source` that of the user's own model code; without a seed it is the
    key of the configuration. The user's own data are known by their contents, wherever they lie. Hardware, versions and
    the number of threads stand in the record, not here.
    """
    dataset = {name: value for name, value in config["dataset"].items() if name != "path"}
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
    fingerprint: Callable[[dict[str, Any]], str],
    code: Callable[[dict[str, Any]], ModelCode | None],
) -> list[Trial]:
    """The suite's trials in order: configurations as the file has them, seeds within.

    `fingerprint` maps a dataset entry, its `path` made absolute, to its checksum, `code` a model's entry to what of it
    is the user's own (None where nothing is).
    """
    out: list[Trial] = []
    checksums: dict[str, tuple[Path | None, str]] = {}
    codes: dict[str, ModelCode | None] = {}
    problems: list[str] = []
    for group, (config, seeds) in enumerate(suite.configurations):
        dataset = canonical(config["dataset"])
        named = ("name", "files", "pretrained_cfg", "pretrained_cfg_overlay")
        model = canonical([config["model"].get(part) for part in named])
        if dataset not in checksums:
            path, entry = data_path(config["dataset"], suite.path), config["dataset"]
            checksums[dataset] = path, ""
            try:
                checksums[dataset] = path, fingerprint({**entry, "path": str(path)} if path else entry)
            except UserError as error:
                problems.append(f"{suite.place('dataset', entry)}: {error}")
        if model not in codes:
            codes[model] = None
            try:
                codes[model] = code(config["model"])
            except UserError as error:
                problems.append(f"{suite.place('model', config['model'])}: {error}")
        if problems:
            continue
        own = codes[model]
        path, contents = checksums[dataset]
        configuration, *keys = (
            trial_key(config, seed, contents, own.checksum if own else None) for seed in (None, *seeds)
        )
        out.extend(
            Trial(key, configuration, config, seed, group, own, path, contents)
            for key, seed in zip(keys, seeds, strict=True)
        )
    if problems:
        raise UserError("\n".join(problems))
    return out


def data_path(entry: dict[str, Any], suite: Path) -> Path | None:
    """The absolute path of the user's own data, which a suite file names from its own folder; None for others."""
    if "path" not in entry:
        return None
    path = os.path.expanduser(entry["path"])  # noqa: PTH111 (a Path's own raises for ~nobody)
    # realpath, since a Path's own resolving raises where links lead in a circle
    return Path(os.path.realpath(Path(os.path.realpath(suite)).parent / path))


def check_contents(trials: Iterable[Trial], datasets: Mapping[str, HasChecksum]) -> None:
    """UserError where the data that were loaded are not those that the trials' keys were made with.

    `datasets` maps `Trial.data` to what was loaded, with the checksum of the very bytes that were read.
    """
    for trial in trials:
        data = datasets[trial.data]
        if trial.contents and data.sha256 != trial.contents:
            name = trial.data_path or trial.config["dataset"]["name"]
            raise UserError(
                f"{name}: changed after the trials' keys were made of it, so its results would stand under the keys of "
                "other data; leave it as it is while a run goes on, and run the command again"
            )
