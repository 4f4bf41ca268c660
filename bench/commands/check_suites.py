"""Can a suite be trained and measured at all? Asked before anything starts, without torch where its file tells."""

from __future__ import annotations

import importlib.util
import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import typer

from bench import library_cache
from bench.commands.load_suites import has_known_names
from bench.components import AXES, EXTENSIBLE_AXES, Component, DatasetComponent, is_user_defined
from bench.components.datasets import IN_MEMORY
from bench.components.user_defined import known_defaults
from bench.data import labels as read_labels
from bench.data.catalogue import find
from bench.data.prepare import split, stratified_sizes
from bench.data.training_part import fraction_sizes, tail_sizes
from bench.errors import UserError
from bench.execution.forkserver import files_opened
from bench.execution.user_dataset import dataset_shape, load_dataset
from bench.jsonutil import JsonObject, canonical
from bench.metrics import METRICS
from bench.suite.expand import DEFERRED_CHECKS
from bench.suite.labels import axis_label
from bench.suite.schema import Stratified
from bench.suite.suite import Suite
from bench.user_code.metric_code import check_metric, register_metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from bench.data.prepare import Labels
    from bench.suite.schema import Validation
    from bench.suite.trial import Trial


Shapes = dict[str, tuple[tuple[int, int, int], int]]
"""By `Trial.data`, the (channels, height, width) of its images, and the number of classes."""

CHECKED = ("model", "preprocessing", "optimizer", "regularizer", "augmentation")
"""All that `bench.training.preflight` looks at, besides the images' shape and the number of classes."""


def check(suite: Suite, trials: list[Trial]) -> None:
    """Whether all of it can be trained and measured; torch is left out where the file itself has told everything.

    Raises
    ------
    UserError
        A metric, a model or an optimizer is out of place; all of them are named. Or the user's own data are wrong.
    """
    check_metrics(suite, trials)
    trial_of_group = {trial.group: trial for trial in trials}.values()
    if not any(
        trial.code or needs_libraries(trial.config.to_json()) or trial.config.model.name != "mlp"
        for trial in trial_of_group
    ):
        return

    shapes, cache_keys = _unanswered_checks(suite, trials)
    unchecked = [trial for trial in trial_of_group if trial.group in cache_keys]
    if not unchecked:
        return
    locations = {
        canonical([axis, trial.run_config.to_json().get(axis)]): suite.location(axis, trial.config.to_json().get(axis))
        for trial in unchecked
        for axis in (*EXTENSIBLE_AXES, *DEFERRED_CHECKS)
    }
    _check_configurations(suite, unchecked, shapes, locations)
    library_cache.remember({cache_keys[trial.group]: True for trial in unchecked if trial.code is None})


def _unanswered_checks(suite: Suite, trials: list[Trial]) -> tuple[Shapes, dict[int, str]]:
    """The shape of each data set, and whether a configuration fits where no check has told yet, by `Trial.group`."""
    trial_of_group = {trial.group: trial for trial in trials}.values()
    shapes = {
        text: _image_shape(suite, trial) for text, trial in {trial.data: trial for trial in trial_of_group}.items()
    }
    cache_keys = {
        trial.group: canonical(
            [
                "fits",
                shapes[trial.data],
                {axis: trial.config.to_json().get(axis) for axis in CHECKED},
                trial.config.batch_size == 1,
            ]
        )
        for trial in trial_of_group
    }
    unanswered = {trial.group for trial in trial_of_group if trial.code}
    return shapes, {
        group: cache_key
        for group, cache_key in cache_keys.items()
        if group in unanswered or library_cache.recall(cache_key) is None
    }


def _check_configurations(suite: Suite, trials: list[Trial], shapes: Shapes, locations: dict[str, str]) -> None:
    """`bench.training.preflight.check`, with each of the user's own codes in a process of its own.

    Files that such a code reads though its key does not hold them are told.
    """
    from bench.training.preflight import check

    by_code: dict[str, list[Trial]] = {}
    for trial in trials:
        by_code.setdefault(trial.code.identity if trial.code else "", []).append(trial)
    problems: dict[str, None] = {}  # a set that keeps its order: an optimizer is tried beside each code
    for first, *more_trials in by_code.values():
        code, configs = first.code, [trial.run_config for trial in (first, *more_trials)]
        try:
            if code is None:
                check(configs, shapes, locations)
                continue
            for path in files_opened(code, check, configs, shapes, locations):
                location = suite.location(code.axes[0], first.config.to_json()[code.axes[0]])
                typer.echo(
                    f"note: {location}: {code.name!r} reads {path}, which the trials' keys do not hold: a change of it "
                    f"changes results and no key; name it in `files: [...]` of the component",
                    err=True,
                )
        except UserError as error:
            problems |= dict.fromkeys(re.split(r"\n(?! )", str(error)))  # further lines of one problem are indented
    if problems:
        raise UserError("\n".join(problems))


def check_metrics(suite: Suite, trials: list[Trial]) -> None:
    """UserError for metrics of the leaderboard: the user's own that are wrong, others that need more classes."""
    user_metrics = [name for name in suite.metrics if is_user_defined(name)]
    for name in user_metrics:
        try:
            register_metrics([name], suite.path.resolve().parent)
        except UserError as error:
            raise UserError(f"{suite.location('metrics', name)}: {error}") from error
    min_classes = {name: minimum for name in suite.metrics if (minimum := METRICS[name].classes) > 1}
    if not min_classes and not user_metrics:
        return
    trial_of_data = {trial.data: trial for trial in trials}.values()
    classes = {
        axis_label(trial.config.dataset.to_json(), "dataset"): _image_shape(suite, trial)[1] for trial in trial_of_data
    }
    problems = []
    for name in user_metrics:
        for count in sorted(set(classes.values())):
            try:
                check_metric(name, count)
            except UserError as error:
                raise UserError(f"{suite.location('metrics', name)}: {error}") from error
    for name, minimum in min_classes.items():
        too_few = [f"{data} has {count}" for data, count in classes.items() if count < minimum]
        if too_few:
            location = suite.location("metrics", name)
            problems.append(f"{location}: {name!r} needs {minimum} classes or more, and {', '.join(too_few)}")
    if problems:
        raise UserError("\n".join([*problems, "  take another metric; `bench list metrics` shows all"]))


def data_locations(suite: Suite, trials: list[Trial]) -> dict[str, str]:
    """Where the suite file names each data set of its trials, by `Trial.data`."""
    return {trial.data: suite.location("dataset", trial.config.dataset.to_json()) for trial in trials}


def check_data(suite: Suite, trials: list[Trial], notify: Callable[[str], None]) -> None:
    """UserError where the user's own data are wrong, or parts of any data too small, as far as pixels do not tell."""

    user_trials = [trial for trial in trials if trial.is_from_path or trial.data_code is not None]
    labels: dict[str, Labels] = {}
    problems = []
    for text, trial in {trial.data: trial for trial in user_trials}.items():
        try:
            if trial.data_code is not None:
                labels[text] = load_dataset(trial).labels
            else:
                labels[text] = read_labels(trial.run_config.dataset.to_json(), notify)
        except UserError as error:
            problems.append(f"{suite.location('dataset', trial.config.dataset.to_json())}: {error}")
    if problems:
        raise UserError("\n".join(problems))
    check_splits(suite, user_trials, labels)
    others = [trial for trial in trials if not trial.is_from_path and trial.data_code is None]
    in_catalogue = [trial for trial in others if trial.config.dataset.name != IN_MEMORY]
    _check_training_parts(suite, in_catalogue, {_division(trial): _catalogue_sizes(trial) for trial in in_catalogue})


def check_splits(suite: Suite, trials: list[Trial], labels: Mapping[str, Labels]) -> None:
    """UserError where a data set has too few images, or labels in an order, that a `validation` cannot divide.

    Or where it comes without a validation part that is to be used, or a `fraction` or an `imbalance` of bench's leaves
    a class without images. `labels` are those of each data set, by `Trial.data`.
    """
    class_sizes: dict[Division, NDArray[np.int64]] = {}
    for division, trial in {_division(trial): trial for trial in trials}.items():
        validation = trial.config.to_json()["validation"]
        data_labels = labels[trial.data]
        try:
            train, _ = split(data_labels.train, trial.config.validation)
            if trial.config.validation == "given" and data_labels.given is None:
                raise UserError(_no_given_part(trial.config.dataset))
        except UserError as error:
            raise UserError(f"{suite.location('validation', validation)}: {error}") from error
        class_sizes[division] = np.bincount(data_labels.train[train])
    _check_training_parts(suite, trials, class_sizes)


Division = tuple[str, "Validation"]
"""A data set and how it is divided: `Trial.data` and the trial's `validation`."""


def _division(trial: Trial) -> Division:
    return trial.data, trial.config.validation


def _catalogue_sizes(trial: Trial) -> NDArray[np.int64]:
    """Training images of each class, which for a `tail` only the labels tell: those of all training images."""
    sizes = np.array(find(trial.config.dataset.to_json()).class_sizes)
    validation = trial.config.validation
    held_out = validation.stratified if isinstance(validation, Stratified) else 0.0
    return sizes - stratified_sizes(sizes, held_out)


def _check_training_parts(suite: Suite, trials: list[Trial], class_sizes: Mapping[Division, NDArray[np.int64]]) -> None:
    """UserError where a `fraction` or an `imbalance` of bench's leaves a class without images."""
    problems: dict[str, None] = {}
    for trial in {trial.group: trial for trial in trials}.values():
        config = trial.config
        axis: str = "fraction"
        value: object = config.fraction
        try:
            sizes = fraction_sizes(class_sizes[_division(trial)], config.fraction)
            axis, value = "imbalance", config.imbalance.to_json()
            if config.imbalance.user_code is None:
                tail_sizes(sizes, partial(config.imbalance.load(), **config.imbalance.parameters))
        except UserError as error:
            problems[f"{suite.location(axis, value)}: {error}"] = None
    if problems:
        raise UserError("\n".join(problems))


def _no_given_part(dataset: Component) -> str:
    assert isinstance(dataset, DatasetComponent), dataset
    plain = dataset.to_json()
    return dataset.no_given_part(str(plain.get("dataset") or plain.get("path") or dataset.name))


def checked_for_plan(suite: Suite, trials: list[Trial], max_networks: int | None = None) -> tuple[list[Trial], int]:
    """Check a suite for its plan: the trials that were checked, and how many networks were left to the run.

    A plan that names only components of bench imports no torch and decodes no images of the user's. Building a network
    takes half a second: where more than `max_networks` are to be built, only one for each of the user's factories is,
    and those with unknown names. Errors as in `check`.
    """
    if not any(trial.code or needs_libraries(trial.config.to_json()) for trial in trials):
        return [], 0
    candidates = [
        trial for trial in trials if trial.code or not trial.is_from_path or not has_known_names(trial.config.to_json())
    ]
    skipped: dict[int, str] = {}
    if max_networks is not None:
        _, cache_keys = _unanswered_checks(suite, candidates)
        networks = {trial.group: network_of(trial) for trial in candidates if trial.group in cache_keys}
        if len(set(networks.values())) > max_networks:
            skipped = {group: networks[group] for group in _groups_with_known_names(candidates) if group in networks}
    checked = [trial for trial in candidates if trial.group not in skipped]
    check(suite, checked)
    return checked, len(set(skipped.values()) - {network_of(trial) for trial in checked})


def network_of(trial: Trial) -> str:
    """What tells a trial's network from others."""
    return canonical([trial.config.model.to_json(), trial.config.preprocessing.to_json(), trial.data])


def _groups_with_known_names(trials: list[Trial]) -> set[int]:
    """The configurations all of whose names are bench's or the libraries', or of a factory that is there already."""
    models = AXES["model"].keys() | _timm_models()
    factories: set[str] = set()
    groups = set()
    for trial in {trial.group: trial for trial in trials}.values():
        model, optimizer = trial.config.model.name, trial.config.optimizer.name
        if model in factories or model.partition(".")[0] in models:
            if optimizer in AXES["optimizer"] or known_defaults(optimizer) is not None:
                groups.add(trial.group)
        elif trial.code is not None:
            factories.add(model)
    return groups


def _timm_models() -> set[str]:
    """The names in timm's source, which take seconds to import."""
    spec = importlib.util.find_spec("timm")
    if spec is None or spec.origin is None:
        return set()
    files = Path(spec.origin).with_name("models").glob("*.py")
    return {name for file in files for name in re.findall(r"^@register_model\s+def (\w+)", file.read_text(), re.M)}


def needs_libraries(config: JsonObject) -> bool:
    """Whether only torch or timm can tell if a configuration fits: its names, or what is as the images or layers are.

    Patterns of layers may find none, mirrored borders may be wider than an image, columns are those of grey ones, and
    networks with batch normalisation may not take one image at a time.
    """
    return (
        not has_known_names(config)
        or any(component.get("mode") == "reflect" for component in config["augmentation"])
        or any(isinstance(component.get("layers"), list) for component in config["regularizer"])
        or config["preprocessing"]["name"] == "column_standardize"
        or (config["batch_size"] == 1 and config["model"]["name"] != "mlp")
    )


def _image_shape(suite: Suite, trial: Trial) -> tuple[tuple[int, int, int], int]:
    """The (channels, height, width) of a trial's images, and how many classes; UserError with the data's place."""
    try:
        return dataset_shape(trial)
    except UserError as error:
        raise UserError(f"{suite.location('dataset', trial.config.dataset.to_json())}: {error}") from error
