"""Ledgers for the report's tests."""

from __future__ import annotations

import pytest
from made_ledger import BASE, FLIP, L2, Ledger, config


@pytest.fixture
def ledger() -> Ledger:
    """An empty ledger to fill."""
    return Ledger()


@pytest.fixture
def full() -> Ledger:
    """A suite in every state: three configurations complete, one incomplete, trials pruned, diverged and failed."""
    made = Ledger()
    made.add(config(), [0.881, 0.883, 0.884], validation=[0.89, 0.891, 0.892])
    made.add(config(regularizer=L2), [0.878, 0.879, 0.88], validation=[0.893, 0.894, 0.895])
    made.add(config(augmentation=FLIP), [0.87], validation=[0.88])
    made.add(config(regularizer=L2, augmentation=FLIP), [0.9, 0.9], validation=[0.91, 0.91])
    made.add_ended(
        config(regularizer=L2, augmentation=FLIP), 2, "failed", 3, failure={"kind": "MemoryError", "message": "no room"}
    )
    slow = {**BASE["optimizer"], "lr": 1e-05}
    rung = {"epoch": 2, "val_accuracy": 0.412, "decision": "stop"}
    made.add_ended(config(optimizer=slow), 0, "pruned", 2, pruning={"rule": {"grace_period": 2}, "decisions": [rung]})
    fast = {**BASE["optimizer"], "lr": 10.0}
    made.add_ended(config(optimizer=fast), 0, "diverged", 1)
    return made
