"""The checks of one entry: is it as it was written, and do its numbers follow from what it stores?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.components import AXES, is_user_defined
from bench.components.datasets import FROM_PATH
from bench.data import fingerprint
from bench.errors import UserError
from bench.jsonutil import JsonObject
from bench.ledger.entries import DamagedEntryError, LedgerEntry, decode, decode_predictions, decode_validation
from bench.ledger.record import Record, external_key, is_external
from bench.metrics import METRICS, Floats, LabelledProbabilities, Predictions, compute_metrics
from bench.suite.trial import Codes, TrialConfig, data_source, trial_key
from bench.user_code.read_code import read_component, weights_files

if TYPE_CHECKING:
    from bench.data.dataset import Dataset

TOLERANCE = 1e-6
"""How far a metric may lie from its recomputed value: another order of adding up, and no image classified otherwise."""
HALF_TOLERANCE = 1e-4
"""The same for a metric of all class probabilities, which training computes before they are rounded for storage."""
HALF = 2.0**-10
"""How far a probability of single precision may lie from its value in half precision, for values up to 1."""

DatasetOf = Callable[[JsonObject], "Dataset"]
"""From a data set's component to its arrays; UserError where this machine does not have them."""


@dataclass
class EntryCheck:
    """What the checks of one entry showed.

    `checked` are the checks that passed, `problems` what is wrong, `unchecked` what could not be checked, with why.
    """

    name: str
    record: Record | None = None
    predictions: Predictions | None = None
    checked: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)

    def add(self, subject: str, problems: list[str]) -> None:
        """Note that a check passed, or its problems."""
        self.problems += [f"{subject}: {problem}" for problem in problems]
        if not problems:
            self.checked.append(subject)


def check_entry(name: str, data: bytes, dataset_of: DatasetOf, folder: Path | None) -> EntryCheck:
    """Check an entry by its file's name and bytes.

    Parameters
    ----------
    dataset_of
        Gives the data set, for its labels.
    folder
        Where the user's own components and data of the configuration lie; without it they cannot be part of the key.
    """
    check = EntryCheck(name)
    try:
        record = check.record = decode(name, data)
        stored = LedgerEntry(name, record)
        check.predictions, validation = decode_predictions(stored, data), decode_validation(stored, data)
    except DamagedEntryError as error:
        check.problems.append(f"checksum: {error}")
        return check
    check.checked.append("checksum")
    _check_key(check, record, folder)
    if check.predictions is None:
        check.unchecked.append(f"metrics: the trial was not tested ({record.status})")
    else:
        _check_labels(check, record, check.predictions, dataset_of)
        check.add("predictions", prediction_problems(check.predictions))
        check.add("metrics", metric_problems(record, check.predictions))
        _list_unstored(check, record)
    if is_external(record.config):
        check.unchecked.append("protocol: imported predictions; how they were made is unknown")
    else:
        check.add("protocol", protocol_problems(record, validation))
    return check


def _check_key(check: EntryCheck, record: Record, folder: Path | None) -> None:
    """Whether the key follows from the configuration, the seed, the data and the code."""
    config = record.config
    try:
        if is_external(config):
            contents = fingerprint(config["dataset"])
            keys = [external_key(config, contents, seed) for seed in (record.seed, None)]
        else:
            if folder is None and (submitters := submitters_component(config)):
                check.unchecked.append(f"key: {submitters} is the submitter's own; --from names its folder")
                return
            typed = TrialConfig.from_json(config)
            codes = Codes(lambda *_: record.key, lambda component: read_component(component, folder))
            _, contents, _ = data_source((folder or Path()) / "suite.yaml", typed.dataset, fingerprint, codes)
            code = codes.of(typed)
            keys = [trial_key(config, seed, contents, code.checksum if code else None) for seed in (record.seed, None)]
    except (UserError, ValueError) as error:
        check.unchecked.append(f"key: {str(error).splitlines()[0]}; --from names the folder of the suite file")
        return
    if keys != [record.key, record.config_key or keys[1]]:
        version = record.run_info.versions.get("bench", "unknown")
        check.problems.append(
            f"key: configuration, seed and data give {keys[0]}: they were changed afterwards, or another version of "
            f"bench wrote them ({version})"
        )
        return
    check.checked.append("key")


def submitters_component(config: JsonObject) -> str:
    """The first component that is read from the submitter's files, as ``model net.py:build``; empty without one."""
    for axis in AXES:
        value = config.get(axis, [])
        for component in value if isinstance(value, list) else [value]:
            if is_user_defined(component["name"]) or component["name"] in FROM_PATH or weights_files(component):
                return f"{axis} {component['name']}"
    return ""


def _check_labels(check: EntryCheck, record: Record, predictions: Predictions, dataset_of: DatasetOf) -> None:
    try:
        data = dataset_of(record.config["dataset"])
    except UserError as error:
        check.unchecked.append(f"labels: {str(error).splitlines()[0]}")
        return
    if not np.array_equal(data.test_labels, predictions.labels):
        check.problems.append(f"labels: not those of the test part of {data.name}, in its order")
    elif record.result.classes and list(data.classes) != record.result.classes:
        check.problems.append(f"labels: the classes are not those of {data.name}")
    else:
        check.checked.append("labels")


def prediction_problems(predictions: Predictions) -> list[str]:
    """Where the values of an image contradict the class probabilities; none where those are not known."""
    probabilities = predictions.probabilities
    if probabilities is None:
        return []
    rows = np.arange(len(predictions.labels))
    of_predicted = probabilities[rows, predictions.predicted].astype(np.float32)
    of_true = probabilities[rows, predictions.labels].astype(np.float32)
    # Rounding to half precision keeps the order, but for ties.
    above = (probabilities > probabilities[rows, predictions.labels][:, None]).sum(1)
    not_below = (probabilities >= probabilities[rows, predictions.labels][:, None]).sum(1) - 1
    wrong = {
        "predicted is not the most probable class": of_predicted != probabilities.max(1),
        "confidence is not the probability of the predicted class": abs(predictions.confidence - of_predicted) > HALF,
        "the true class has another probability": abs(predictions.true_class_probability - of_true) > HALF,
        "the rank of the true class is another": (predictions.true_rank < above) | (predictions.true_rank > not_below),
        "the probabilities do not sum to 1": abs(probabilities.astype(np.float32).sum(1) - 1)
        > HALF * probabilities.shape[1],
    }
    return [f"{what}, for {count:,} images" for what, where in wrong.items() if (count := int(np.count_nonzero(where)))]


def metric_problems(record: Record, predictions: Predictions) -> list[str]:
    """The metrics of the test part that do not follow from its predictions."""
    stated = record.result.test
    if not stated:
        return ["the record has none of the test part, and holds predictions of it"]
    n_classes = len(record.result.classes) or int(predictions.labels.max()) + 1
    recomputed = compute_metrics(predictions, n_classes)
    return [
        f"{name} is stated as {stated[name]:.6f}, and its predictions give {value:.6f}"
        for name, value in recomputed.items()
        if name in stated and not abs(stated[name] - value) <= _tolerance(name) * max(1.0, abs(value))
    ]


def _tolerance(metric: str) -> float:
    return HALF_TOLERANCE if METRICS[metric].needs == "probabilities" else TOLERANCE


def _list_unstored(check: EntryCheck, record: Record) -> None:
    """What a record states and stores nothing of: the loss, the training part, corrupted images."""
    assert check.predictions is not None
    n_classes = len(record.result.classes) or int(check.predictions.labels.max()) + 1
    recomputed = compute_metrics(check.predictions, n_classes)
    others = [name for name in record.result.test or {} if name not in recomputed]
    if others:
        check.unchecked.append(f"metrics: {', '.join(others)} of the test part cannot be computed from predictions")
    if record.result.train:
        check.unchecked.append("metrics: of the training part no predictions are stored")
    if record.result.robustness:
        check.unchecked.append("metrics: of corrupted images no predictions are stored")


def protocol_problems(record: Record, validation: LabelledProbabilities | None) -> list[str]:
    """Where the course of training contradicts the configuration, or the validation part's result its probabilities."""
    result, config = record.result, record.config
    problems = []
    epochs = config.get("epochs", result.epochs_run)
    if result.epochs_run > epochs:
        problems.append(f"{result.epochs_run} epochs were run, and the configuration has {epochs}")
    lengths = {len(curve) for curve in result.curves.values()} - {0}
    if lengths and max(lengths) != result.epochs_run and not config.get("refit"):
        problems.append(f"curves of {max(lengths)} epochs, and {result.epochs_run} were run")
    if result.best_epoch is not None and not 1 <= result.best_epoch <= max(result.epochs_run, 1):
        problems.append(f"the weights are of epoch {result.best_epoch}, and {result.epochs_run} were run")
    stated = (result.validation or {}).get("accuracy")
    if config.get("validation", "none") == "none" and stated is not None:
        problems.append("there is a validation result, and the configuration has no validation part")
    if validation is not None and stated is not None:
        low, high = accuracy_bounds(validation)
        if not low - TOLERANCE <= stated <= high + TOLERANCE:
            problems.append(f"validation accuracy is stated as {stated:.6f}, and its probabilities give {low:.6f}")
    return problems


def accuracy_bounds(validation: LabelledProbabilities) -> tuple[float, float]:
    """The least and the largest accuracy that probabilities in half precision allow: ties may fall either way."""
    probabilities: Floats = validation.probabilities
    of_true = probabilities[np.arange(len(validation.labels)), validation.labels][:, None]
    is_highest = (probabilities <= of_true).all(1)
    is_tied = (probabilities == of_true).sum(1) > 1
    return float((is_highest & ~is_tied).mean()), float(is_highest.mean())
