"""A ledger as pandas frames, for notebooks: `bench.load("results/")`."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.ledger.added import is_added
from bench.ledger.address import is_url
from bench.ledger.ledger import Ledger
from bench.ledger.record import PARTS, Record
from bench.report.curves import curves as curves_of
from bench.report.sections import Section, sections
from bench.suite.components import AXES
from bench.suite.errors import UserError, plural
from bench.suite.labels import ORDER, axis_label

MEASURED = ("parameters", "parameters_trainable", "flops", "train_seconds", "evaluation_seconds", "peak_memory_bytes")
PLACES = ("device", "threads", "git_commit", "started", "finished")
WHOLE = ("seed", "epochs", "batch_size", "epochs_run", "chosen_epoch", "threads", *MEASURED[:3], MEASURED[5])
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

        Columns: ``key``, ``configuration`` (equal for the seeds of one configuration), ``label`` and ``section`` as in
        `bench report`, ``suite``, ``status``, ``seed``, ``added`` (from its predictions alone); a column per axis and
        setting as labels name it (``model``, ``optimizer``, ..., ``epochs``); ``epochs_run`` and ``chosen_epoch``;
        every figure as ``train_accuracy``, ``validation_accuracy``, ``test_accuracy``, ``test_ece``, ...; what it cost
        (``parameters``, ``flops``, ``train_seconds``, ...) and where. Accuracies are fractions. The configuration
        itself is in ``config``, a dictionary.
        """
        rows = [
            _row(section, one.label, axes, record)
            for section in self._sections
            for one in section.configurations
            for axes in [_axes(one.config)]
            for record in one.records
        ]
        frame = pd.DataFrame(rows, columns=None if rows else ["key", "configuration", "label", "section", "status"])
        frame = frame.drop_duplicates("key").reset_index(drop=True)  # an added row stands in several sections
        return frame.astype({name: "Int64" for name in WHOLE if name in frame})

    @cached_property
    def curves(self) -> pd.DataFrame:
        """A row per trial and epoch: ``label``, ``key``, ``seed``, ``status``, ``epoch`` and the figures of each epoch.

        These are ``train_loss``, ``val_loss``, ``train_accuracy`` and ``val_accuracy``; nan where there is none.
        """
        parts = [curves_of(section) for section in self._sections]
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["label", "key", "epoch"])

    def predictions(self, trials: str | pd.DataFrame | Iterable[str]) -> pd.DataFrame:
        """What trials said of the test images, read from the ledger at each call.

        Parameters
        ----------
        trials
            A key or the beginning of one, several keys, or rows of `trials` (those that are not complete are left out).

        Returns
        -------
        pd.DataFrame
            A row per trial and image, in the test set's order: ``key``, ``image`` (from 0), ``true`` and ``predicted``
            (class numbers), ``right``, ``confidence`` (the probability of the predicted class), ``true_confidence`` and
            ``true_rank`` (how many classes were rated above the true one). Where a row was added as classes alone,
            confidences are nan, and NA the ranks of true classes that were missed.

        Raises
        ------
        UserError
            No trial, or more than one, has a key that begins so; or it left no predictions.
        """
        keys = [self.ledger.record(text).key for text in _keys(trials)]
        parts = [self._said(key) for key in keys]
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["key", "image", "true"])

    def record(self, key: str) -> Record:
        """Everything about one trial, by its key or the beginning of it; UserError where that names none or several."""
        return self.ledger.record(key)

    @cached_property
    def _records(self) -> list[Record]:
        return self.ledger.records()

    @cached_property
    def _sections(self) -> list[Section]:
        return sections(self._records)

    def _said(self, key: str) -> pd.DataFrame:
        said = self.ledger.predictions(key)
        ranks = pd.array(said.true_rank, dtype="UInt16")
        if np.isnan(said.confidence).any():
            ranks[said.labels != said.predicted] = pd.NA
        columns: dict[str, Any] = {
            "key": key,
            "image": np.arange(len(said.labels)),
            "true": said.labels,
            "predicted": said.predicted,
            "right": said.labels == said.predicted,
            "confidence": said.confidence,
            "true_confidence": said.true_confidence,
            "true_rank": ranks,
        }
        return pd.DataFrame(columns)


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


def _row(section: Section, label: str, axes: dict[str, Any], record: Record) -> dict[str, Any]:
    figures = {
        f"{part}_{metric}": value for part in PARTS for metric, value in (getattr(record.result, part) or {}).items()
    }
    return {
        "key": record.key,
        "configuration": record.configuration,
        "label": label,
        "section": section.title,
        "suite": record.suite,
        "status": record.status,
        "seed": record.seed,
        "added": is_added(record.config),
        **axes,
        "epochs_run": record.result.epochs_run,
        "chosen_epoch": record.result.chosen_epoch,
        **figures,
        **{name: getattr(record.measured, name) for name in (*MEASURED, *PLACES)},
        "config": record.config,
    }
