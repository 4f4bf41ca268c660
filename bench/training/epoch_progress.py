"""An epoch's metrics, as reported to the driver; imports no torch, which drivers do without."""

from __future__ import annotations

from dataclasses import dataclass

EpochMetrics = dict[str, float | None]
"""An epoch's metrics by name, such as ``val_accuracy``; None where one was not finite."""

Curves = dict[str, list[float | None]]


@dataclass(frozen=True)
class Progress:
    """What is reported after every epoch: its metrics, never the test set's.

    `refit`: of the second training, with a budget of its own. `resumed`: nothing was trained since the last report, the
    trial goes on after this epoch from a saved state; it holds the curves of the epochs before.
    """

    epoch: int
    epochs: int
    metrics: EpochMetrics
    train_seconds: float
    refit: bool = False
    resumed: Curves | None = None
