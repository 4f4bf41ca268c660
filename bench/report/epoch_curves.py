"""What was measured after each epoch? The curves of every trial as one long frame."""

from __future__ import annotations

import math

import pandas as pd

from bench.report.grouping import TrialGroup

EPOCH_METRICS = ("train_loss", "val_loss", "train_accuracy", "val_accuracy")
COLUMNS = ("label", "key", "seed", "status", "epoch", *EPOCH_METRICS)


def epoch_curves(group: TrialGroup) -> pd.DataFrame:
    """A row per trial and epoch, trials of every status, in the group's order.

    Returns
    -------
    pd.DataFrame
        `COLUMNS`. Epochs count from 1; accuracies are fractions. A value is nan where it was not finite, was not
        reached, or does not exist, as those of validation under ``validation: none``.
    """
    rows = [
        (configuration.label, record.key, record.seed, record.status, epoch, *values)
        for configuration in group.configurations
        for record in configuration.records
        for epoch, values in enumerate(_by_epoch(record.result.curves), 1)
    ]
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    return frame.astype({"epoch": "int64", "seed": "int64", **dict.fromkeys(EPOCH_METRICS, "float64")})


def _by_epoch(curves: dict[str, list[float | None]]) -> list[tuple[float, ...]]:
    """The four metrics by epoch, as many epochs as the longest curve has."""
    columns = [curves.get(name, []) for name in EPOCH_METRICS]
    length = max(map(len, columns))
    padded = [
        [*(math.nan if v is None else v for v in curve), *[math.nan] * (length - len(curve))] for curve in columns
    ]
    return list(zip(*padded, strict=True))
