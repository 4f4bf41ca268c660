"""A ledger as pandas frames, for notebooks: `bench.load("results/")`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.components import AXES, COMBINABLE
from bench.errors import UserError, plural
from bench.ledger.ledger import Ledger
from bench.ledger.record import PARTS, Record, is_external
from bench.ledger.store import is_url
from bench.metrics import Predictions
from bench.report.ensemble_rows import ensemble_frame, ensemble_rows
from bench.report.epoch_curves import EPOCH_METRICS as FIGURES
from bench.report.epoch_curves import epoch_curves as curves_of
from bench.report.grouping import Configuration, TrialGroup, group_trials
from bench.suite.labels import ORDER, axis_label, context_free_label

if TYPE_CHECKING:
    from bench.suite.suite import Suite
    from bench.suite.trial import Trial

COST_COLUMNS = (
    *("parameters", "parameters_trainable", "flops"),
    *("train_seconds", "evaluation_seconds", "images_per_second", "peak_memory_bytes"),
)
ENVIRONMENT_COLUMNS = ("device", "threads", "git_commit", "started", "finished")
NAME_COLUMNS = ("config_key", "comparison", "label")
"""What names a configuration in every frame; labels alone are unique within a comparison only."""
IMAGE_COLUMNS = (
    "key",
    *NAME_COLUMNS,
    "seed",
    "image",
    "true",
    "predicted",
    "correct",
    "confidence",
    "true_class_probability",
    "true_rank",
)
INTEGER_COLUMNS = (
    *("seed", "epochs", "batch_size", "epochs_run", "best_epoch", "threads"),
    *("parameters", "parameters_trainable", "flops", "peak_memory_bytes"),
)
"""Columns of integers, some of them missing."""


class Results:
    """A ledger's records as frames, each made when it is first asked for.

    `ledger` is the folder as `bench.ledger.ledger.Ledger`; what is published later is not seen: load it again. With a
    `suite` and its `planned` trials, as `bench.run` returns it, the records of others are left out.
    """

    def __init__(self, ledger: Ledger, suite: Suite | None = None, planned: Sequence[Trial] = ()) -> None:
        self.ledger = ledger
        self.suite = suite
        self.planned = tuple(planned)

    def __repr__(self) -> str:
        return f"Results({str(self.ledger.root)!r}, {plural(len(self._records), 'trial')})"

    @cached_property
    def trials(self) -> pd.DataFrame:
        """A row per trial, ordered by data set, label and seed.

        Columns: ``key``, ``config_key`` (equal for the seeds of one configuration, and for no others), ``comparison``
        as in `bench report`, which has a table per comparison, and ``label``: the model, the optimizer and all that is
        not at its default, which depends on nothing else in the ledger and is unique within a comparison.
        Then ``suite``, ``status``, ``seed``, ``imported`` (imported predictions); a column per axis and
        setting (``model``, ``optimizer``, ..., ``epochs``), and one per parameter (``model.hidden``, ``optimizer.lr``,
        ``validation.stratified``; ``regularizer.dropout.rate`` where an axis takes several components), lists as text
        (``128-64``); ``epochs_run`` and ``best_epoch``;
        every metric as ``train_accuracy``, ``validation_accuracy``, ``test_accuracy``, ``test_ece``, ...; what it cost
        (``parameters``, ``flops``, ``train_seconds``, ...) and where. Accuracies are fractions. The configuration
        itself is in ``config``, a dictionary.
        """
        parts = [
            (_identity(group, configuration, record), axes, parameters, _measured(record))
            for group in self._groups
            for configuration in group.configurations
            for axes, parameters in [(_axes(configuration.config), _parameters(configuration.config))]
            for record in configuration.records
        ]
        if not parts:
            return pd.DataFrame(columns=["key", *NAME_COLUMNS, "suite", "status", "seed"])
        names, axes, parameters, measured = (pd.DataFrame(list(rows)) for rows in zip(*parts, strict=True))
        ordered: list[str] = sorted(map(str, parameters.columns), key=_axis_position)
        frame: pd.DataFrame = pd.concat([names, axes, _integers(parameters[ordered]), measured], axis="columns")
        frame = frame.drop_duplicates("key")  # imported predictions are in several comparisons
        frame = frame.sort_values(["dataset", "label", "seed"], kind="stable").reset_index(drop=True)
        return frame.astype({name: "Int64" for name in INTEGER_COLUMNS if name in frame})

    @cached_property
    def curves(self) -> pd.DataFrame:
        """A row per trial and epoch: what names the trial as in `trials`, ``epoch`` and the values of each epoch.

        These are ``train_loss``, ``val_loss``, ``train_accuracy`` and ``val_accuracy``; nan where there is none.
        """
        frames = [curves_of(group) for group in self._groups]
        columns = ["key", *NAME_COLUMNS, "seed", "status", "epoch", *FIGURES]
        if not frames:
            return pd.DataFrame(columns=columns)
        names = self.trials[["key", *NAME_COLUMNS]]
        curves = pd.concat(frames, ignore_index=True).drop(columns="label")
        return curves.merge(names, on="key", validate="many_to_one")[columns]

    @cached_property
    def ensembles(self) -> pd.DataFrame:
        """Single networks and ensembles of the configurations best on validation, before and after temperature scaling.

        Columns: ``comparison``, then those of `bench.report.ensemble_rows.COLUMNS`: ``label``, ``kind`` (``single
        networks`` or ``ensemble``), ``networks`` and their ``keys``, ``temperature``, and of accuracy, log_loss,
        brier_score and ece the value, ``_low`` and ``_high`` (95 %, new images), with ``_scaled`` after temperature
        scaling. They are computed from the stored probabilities; what they mean is in docs/in_and_out.md.
        """
        frames = []
        for group in self._groups:
            rows = ensemble_rows(group, self.ledger.predictions, self.ledger.validation_probabilities)
            labels = {c.label: context_free_label(c.config, c.identity) for c in group.configurations}
            frame = ensemble_frame(rows).replace({"label": labels})
            frame.insert(0, "comparison", group.title)
            frames.append(frame)
        return pd.concat(frames, ignore_index=True) if frames else ensemble_frame([])

    def predictions(self, trials: str | pd.DataFrame | Iterable[str]) -> pd.DataFrame:
        """The predictions of the test images, read from the ledger at each call.

        Parameters
        ----------
        trials
            A key or the beginning of one, several keys, or rows of `trials` (those that are not complete are left out).

        Returns
        -------
        pd.DataFrame
            A row per trial and image, in the test set's order: ``key``, ``config_key``, ``comparison``, ``label`` and
            ``seed`` as in `trials`, ``image`` (from 0), ``true`` and ``predicted`` (class numbers), ``correct``,
            ``confidence`` (the probability of the predicted class), ``true_class_probability`` and ``true_rank`` (how
            many classes have a higher score than the true one). Of imported predictions of classes alone the
            confidences are nan, and the ranks of wrong predictions NA.

        Raises
        ------
        UserError
            No trial, or more than one, has a key that begins so; or it has no predictions.
        """
        keys = [self.ledger.record(text).key for text in _keys(trials)]
        frames = [self._image_frame(key) for key in keys]
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=list(IMAGE_COLUMNS))

    def correct(self, trials: str | pd.DataFrame | Iterable[str]) -> NDArray[np.bool_]:
        """Whether each trial classified each test image correctly, shape (trials, images), in the order of `trials`.

        This is what `bench.statistics` takes: a table per configuration, a row per seed. A pivot of `predictions` would
        count an image that one trial does not have as correct.

        Raises
        ------
        UserError
            As in `predictions`; or there is no complete trial, or two of them were tested on other images.
        """
        return np.stack([predictions.correct for predictions in self._of_same_images(trials)])

    def probabilities(self, trials: str | pd.DataFrame | Iterable[str]) -> NDArray[np.float16]:
        """Class probabilities of the test images, shape (trials, images, classes), in the order of `trials`.

        Raises
        ------
        UserError
            As in `correct`; or a trial has none, as imported predictions of classes alone.
        """
        stacked = []
        for predictions in self._of_same_images(trials):
            if predictions.probabilities is None:
                raise UserError("one of these trials has predicted classes and no probabilities; leave it out")
            stacked.append(predictions.probabilities)
        return np.stack(stacked)

    def _of_same_images(self, trials: str | pd.DataFrame | Iterable[str]) -> list[Predictions]:
        keys = [self.ledger.record(text).key for text in _keys(trials)]
        all_predictions = [self.ledger.predictions(key) for key in keys]
        if not all_predictions:
            raise UserError("there is no complete trial among these, so no prediction")
        labels = all_predictions[0].labels
        for key, predictions in zip(keys, all_predictions, strict=True):
            if not np.array_equal(predictions.labels, labels):
                raise UserError(
                    f"{keys[0]} and {key} were tested on different images ({len(labels):,} and "
                    f"{len(predictions.labels):,}, or in another order); take the trials of one comparison"
                )
        return all_predictions

    def record(self, key: str) -> Record:
        """Everything about one trial, by its key or the beginning of it; UserError where that names none or several."""
        return self.ledger.record(key)

    @cached_property
    def _records(self) -> list[Record]:
        keys = {trial.key for trial in self.planned}
        return [record for record in self.ledger.records() if self.suite is None or record.key in keys]

    @cached_property
    def _groups(self) -> list[TrialGroup]:
        return group_trials(self._records, self.planned)

    def _image_frame(self, key: str) -> pd.DataFrame:
        predictions = self.ledger.predictions(key)
        ranks = pd.array(predictions.true_rank, dtype="UInt16")
        if np.isnan(predictions.confidence).any():
            ranks[~predictions.correct] = pd.NA
        columns: dict[str, Any] = {
            "key": key,
            **self._names.get(key, {}),
            "image": np.arange(len(predictions.labels)),
            "true": predictions.labels,
            "predicted": predictions.predicted,
            "correct": predictions.correct,
            "confidence": predictions.confidence,
            "true_class_probability": predictions.true_class_probability,
            "true_rank": ranks,
        }
        return pd.DataFrame(columns, columns=list(IMAGE_COLUMNS))

    @cached_property
    def _names(self) -> dict[str, dict[str, Any]]:
        """By key, the columns that identify a trial; trials that were published since are missing."""
        named = self.trials.set_index("key")[[*NAME_COLUMNS, "seed"]].to_dict("index")
        return {str(key): {str(name): value for name, value in row.items()} for key, row in named.items()}


def load(results: str | Path = "results") -> Results:
    """A ledger's trials, curves and predictions as pandas frames; `results` is its folder or URL.

    Raises
    ------
    UserError
        There is no such folder, or it is no ledger; or the URL cannot be reached.
    """
    if is_url(results):
        return Results(Ledger(results))
    folder = Path(results).expanduser()
    if not folder.exists():
        raise UserError(f"{folder}: there is no such folder; give a ledger, which `bench run` makes (results/)")
    return Results(Ledger(folder))


def _keys(trials: str | pd.DataFrame | Iterable[str]) -> list[str]:
    if isinstance(trials, str):
        return [trials]
    if isinstance(trials, pd.DataFrame):
        return [str(key) for key in trials.loc[trials["status"] == "complete", "key"]]
    return list(trials)


def _axes(config: dict[str, Any]) -> dict[str, Any]:
    return {
        key: axis_label(config[key], key if key in AXES else None)
        if isinstance(config[key], dict | list)
        else config[key]
        for key in ORDER
        if key in config
    }


def _parameters(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Column name to value of every parameter."""
    columns: dict[str, object] = {}
    for key in (key for key in ORDER if key in config):
        listed = config[key] if isinstance(config[key], list) else [config[key]]
        for component in (item for item in listed if isinstance(item, dict)):
            prefix = f"{key}.{component['name']}" if key in COMBINABLE else key
            for parameter, value in component.items():
                if parameter != "name":
                    column = _unused(f"{prefix}.{parameter}", columns)
                    columns[column] = axis_label(value) if isinstance(value, list | dict) else value
    return columns


def _unused(name: str, columns: Collection[str]) -> str:
    """The name, numbered where an axis lists a component twice."""
    numbers = (name if n == 1 else f"{name}.{n}" for n in count(1))
    return next(candidate for candidate in numbers if candidate not in columns)


def _axis_position(column: str) -> int:
    return ORDER.index(column.partition(".")[0])


def _integers(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with columns of integers as such, where some are missing."""
    return frame.astype(
        {name: "Int64" for name in frame if all(type(value) is int for value in frame[name].dropna().astype(object))}
    )


def _identity(group: TrialGroup, configuration: Configuration, record: Record) -> Mapping[str, Any]:
    return {
        "key": record.key,
        "config_key": configuration.identity,
        "comparison": group.title,
        "label": context_free_label(configuration.config, configuration.identity),
        "suite": record.suite,
        "status": record.status,
        "seed": record.seed,
        "imported": is_external(record.config),
    }


def _measured(record: Record) -> Mapping[str, Any]:
    metrics = {
        f"{part}_{metric}": value for part in PARTS for metric, value in (getattr(record.result, part) or {}).items()
    }
    return {
        "epochs_run": record.result.epochs_run,
        "best_epoch": record.result.best_epoch,
        **metrics,
        **{name: getattr(record.run_info, name) for name in (*COST_COLUMNS, *ENVIRONMENT_COLUMNS)},
        "config": record.config,
    }
