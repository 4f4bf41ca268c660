"""A ledger as pandas frames, for notebooks: `bench.load("results/")`."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.components import AXES
from bench.errors import UserError, plural
from bench.ledger.address import is_url
from bench.ledger.external import is_external
from bench.ledger.ledger import Ledger
from bench.ledger.record import PARTS, Record
from bench.metrics import Predictions
from bench.report.epoch_curves import EPOCH_METRICS as FIGURES
from bench.report.epoch_curves import epoch_curves as curves_of
from bench.report.grouping import Configuration, TrialGroup, group_trials
from bench.suite.labels import ORDER, axis_label

COST_COLUMNS = (
    *("parameters", "parameters_trainable", "flops"),
    *("train_seconds", "evaluation_seconds", "peak_memory_bytes"),
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

    `ledger` is the folder as `bench.ledger.ledger.Ledger`; what is published later is not seen: load it again.
    """

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger

    def __repr__(self) -> str:
        return f"Results({str(self.ledger.root)!r}, {plural(len(self._records), 'trial')})"

    @cached_property
    def trials(self) -> pd.DataFrame:
        """A row per trial, ordered by data set, label and seed.

        Columns: ``key``, ``config_key`` (equal for the seeds of one configuration, and for no others), ``comparison``
        and ``label`` as in `bench report`, which has a table per comparison: a label is unique within it only.
        Then ``suite``, ``status``, ``seed``, ``imported`` (imported predictions); a column per axis and
        setting as labels name it (``model``, ``optimizer``, ..., ``epochs``); ``epochs_run`` and ``best_epoch``;
        every metric as ``train_accuracy``, ``validation_accuracy``, ``test_accuracy``, ``test_ece``, ...; what it cost
        (``parameters``, ``flops``, ``train_seconds``, ...) and where. Accuracies are fractions. The configuration
        itself is in ``config``, a dictionary.
        """
        rows = [
            _row(group, configuration, axes, record)
            for group in self._groups
            for configuration in group.configurations
            for axes in [_axes(configuration.config)]
            for record in configuration.records
        ]
        frame = pd.DataFrame(rows, columns=None if rows else ["key", *NAME_COLUMNS, "suite", "status", "seed"])
        frame = frame.drop_duplicates("key").reset_index(drop=True)  # imported predictions are in several comparisons
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
        names = self.trials[["key", "config_key", "comparison"]]
        return pd.concat(frames, ignore_index=True).merge(names, on="key", validate="many_to_one")[columns]

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
        return self.ledger.records()

    @cached_property
    def _groups(self) -> list[TrialGroup]:
        return group_trials(self._records)

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


def _row(group: TrialGroup, configuration: Configuration, axes: dict[str, Any], record: Record) -> dict[str, Any]:
    metrics = {
        f"{part}_{metric}": value for part in PARTS for metric, value in (getattr(record.result, part) or {}).items()
    }
    return {
        "key": record.key,
        "config_key": configuration.identity,
        "comparison": group.title,
        "label": configuration.label,
        "suite": record.suite,
        "status": record.status,
        "seed": record.seed,
        "imported": is_external(record.config),
        **axes,
        "epochs_run": record.result.epochs_run,
        "best_epoch": record.result.best_epoch,
        **metrics,
        **{name: getattr(record.run_info, name) for name in (*COST_COLUMNS, *ENVIRONMENT_COLUMNS)},
        "config": record.config,
    }
