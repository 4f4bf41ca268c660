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
from bench.report.curves import FIGURES
from bench.report.curves import curves as curves_of
from bench.report.grouping import Configuration, TrialGroup, group_trials
from bench.suite.labels import ORDER, axis_label

MEASURED = ("parameters", "parameters_trainable", "flops", "train_seconds", "evaluation_seconds", "peak_memory_bytes")
PLACES = ("device", "threads", "git_commit", "started", "finished")
NAMES = ("config_key", "comparison", "label")
"""What names a configuration in every frame; labels alone are unique within a comparison only."""
IMAGES = (
    "key",
    *NAMES,
    "seed",
    "image",
    "true",
    "predicted",
    "right",
    "confidence",
    "true_class_probability",
    "true_rank",
)
WHOLE = ("seed", "epochs", "batch_size", "epochs_run", "best_epoch", "threads", *MEASURED[:3], MEASURED[5])
"""Columns that hold whole numbers, or nothing."""


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
        Then ``suite``, ``status``, ``seed``, ``imported`` (from its predictions alone); a column per axis and
        setting as labels name it (``model``, ``optimizer``, ..., ``epochs``); ``epochs_run`` and ``best_epoch``;
        every figure as ``train_accuracy``, ``validation_accuracy``, ``test_accuracy``, ``test_ece``, ...; what it cost
        (``parameters``, ``flops``, ``train_seconds``, ...) and where. Accuracies are fractions. The configuration
        itself is in ``config``, a dictionary.
        """
        rows = [
            _row(group, one, axes, record)
            for group in self._groups
            for one in group.configurations
            for axes in [_axes(one.config)]
            for record in one.records
        ]
        frame = pd.DataFrame(rows, columns=None if rows else ["key", *NAMES, "suite", "status", "seed"])
        frame = frame.drop_duplicates("key").reset_index(drop=True)  # an imported row stands in several comparisons
        return frame.astype({name: "Int64" for name in WHOLE if name in frame})

    @cached_property
    def curves(self) -> pd.DataFrame:
        """A row per trial and epoch: what names the trial as in `trials`, ``epoch`` and the figures of each epoch.

        These are ``train_loss``, ``val_loss``, ``train_accuracy`` and ``val_accuracy``; nan where there is none.
        """
        parts = [curves_of(group) for group in self._groups]
        columns = ["key", *NAMES, "seed", "status", "epoch", *FIGURES]
        if not parts:
            return pd.DataFrame(columns=columns)
        names = self.trials[["key", "config_key", "comparison"]]
        return pd.concat(parts, ignore_index=True).merge(names, on="key", validate="many_to_one")[columns]

    def predictions(self, trials: str | pd.DataFrame | Iterable[str]) -> pd.DataFrame:
        """What trials said of the test images, read from the ledger at each call.

        Parameters
        ----------
        trials
            A key or the beginning of one, several keys, or rows of `trials` (those that are not complete are left out).

        Returns
        -------
        pd.DataFrame
            A row per trial and image, in the test set's order: ``key``, ``config_key``, ``comparison``, ``label`` and
            ``seed`` as in `trials`, ``image`` (from 0), ``true`` and ``predicted`` (class numbers), ``right``,
            ``confidence`` (the probability of the predicted class), ``true_class_probability`` and ``true_rank`` (how
            many classes were rated above the true one). Where a row was added as classes alone, confidences are nan,
            and NA the ranks of true classes that were missed.

        Raises
        ------
        UserError
            No trial, or more than one, has a key that begins so; or it left no predictions.
        """
        keys = [self.ledger.record(text).key for text in _keys(trials)]
        parts = [self._said(key) for key in keys]
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(IMAGES))

    def right(self, trials: str | pd.DataFrame | Iterable[str]) -> NDArray[np.bool_]:
        """Which test images each trial got right: booleans of shape (trials, images), in the order of `trials`.

        This is what `bench.statistics` takes: a table per configuration, a row per seed. A pivot of `predictions` would
        count an image that one trial does not have as right.

        Raises
        ------
        UserError
            As in `predictions`; or there is no complete trial, or two of them were tested on other images.
        """
        keys = [self.ledger.record(text).key for text in _keys(trials)]
        said = [self.ledger.predictions(key) for key in keys]
        if not said:
            raise UserError("there is no complete trial among these, so nothing that was right or wrong")
        for key, one in zip(keys, said, strict=True):
            if not np.array_equal(one.labels, said[0].labels):
                raise UserError(
                    f"{keys[0]} and {key} were tested on different images ({len(said[0].labels):,} and "
                    f"{len(one.labels):,}, or in another order); take the trials of one comparison"
                )
        return np.stack([one.predicted == one.labels for one in said])

    def record(self, key: str) -> Record:
        """Everything about one trial, by its key or the beginning of it; UserError where that names none or several."""
        return self.ledger.record(key)

    @cached_property
    def _records(self) -> list[Record]:
        return self.ledger.records()

    @cached_property
    def _groups(self) -> list[TrialGroup]:
        return group_trials(self._records)

    def _said(self, key: str) -> pd.DataFrame:
        said = self.ledger.predictions(key)
        ranks = pd.array(said.true_rank, dtype="UInt16")
        if np.isnan(said.confidence).any():
            ranks[said.labels != said.predicted] = pd.NA
        columns: dict[str, Any] = {
            "key": key,
            **self._names.get(key, {}),
            "image": np.arange(len(said.labels)),
            "true": said.labels,
            "predicted": said.predicted,
            "right": said.labels == said.predicted,
            "confidence": said.confidence,
            "true_class_probability": said.true_class_probability,
            "true_rank": ranks,
        }
        return pd.DataFrame(columns, columns=list(IMAGES))

    @cached_property
    def _names(self) -> dict[str, dict[str, Any]]:
        """By key, what names a trial in the frames; nothing of those that were published since."""
        named = self.trials.set_index("key")[[*NAMES, "seed"]].to_dict("index")
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


def _row(group: TrialGroup, one: Configuration, axes: dict[str, Any], record: Record) -> dict[str, Any]:
    figures = {
        f"{part}_{metric}": value for part in PARTS for metric, value in (getattr(record.result, part) or {}).items()
    }
    return {
        "key": record.key,
        "config_key": one.identity,
        "comparison": group.title,
        "label": one.label,
        "suite": record.suite,
        "status": record.status,
        "seed": record.seed,
        "imported": is_external(record.config),
        **axes,
        "epochs_run": record.result.epochs_run,
        "best_epoch": record.result.best_epoch,
        **figures,
        **{name: getattr(record.run_info, name) for name in (*MEASURED, *PLACES)},
        "config": record.config,
    }
