"""What was measured after each epoch? The curves of every trial as one long frame."""

from __future__ import annotations

import math

import pandas as pd

from bench.report.grouping import TrialGroup

FIGURES = ("train_loss", "val_loss", "train_accuracy", "val_accuracy")
COLUMNS = ("label", "key", "seed", "status", "epoch", *FIGURES)


def curves(group: TrialGroup) -> pd.DataFrame:
    """A row per trial and epoch, trials of every status, in the section's order.

    Returns
    -------
    pd.DataFrame
        `COLUMNS`. Epochs count from 1; accuracies are fractions. A figure is nan where it was not finite, was not
        reached, or is not there at all, as those of validation under ``validation: none``.
    """
    rows = [
        (one.label, record.key, record.seed, record.status, epoch, *figures)
        for one in group.configurations
        for record in one.records
        for epoch, figures in enumerate(_figures(record.result.curves), 1)
    ]
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    return frame.astype({"epoch": "int64", "seed": "int64", **dict.fromkeys(FIGURES, "float64")})


def _figures(kept: dict[str, list[float | None]]) -> list[tuple[float, ...]]:
    """The four figures by epoch, as many epochs as the longest curve has."""
    found = [kept.get(name, []) for name in FIGURES]
    length = max(map(len, found))
    padded = [[*(math.nan if v is None else v for v in one), *[math.nan] * (length - len(one))] for one in found]
    return list(zip(*padded, strict=True))
