"""What did it cost, and what did pruning save? Epochs and seconds of training by status."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from bench.ledger.record import Status
from bench.report.grouping import Configuration

STATUSES: tuple[Status, ...] = ("complete", "diverged", "pruned", "failed")
SPARED = "skipped by pruning"
NOT_RUN = "not run"

COLUMNS = ("status", "trials", "epochs", "seconds", "saved_epochs")


def budget(configurations: Sequence[Configuration]) -> pd.DataFrame:
    """`COLUMNS`, a row per status that occurs.

    `epochs` and `seconds` (of training, without evaluation) are what the trials took, `saved_epochs` what their full
    budget would have taken beyond that: of pruned trials, and of the seeds that were never begun because pruning had
    let their configuration go. Other seeds without a record are not run yet, and save nothing.
    """
    rows: list[tuple[str, int, int, float, int]] = []
    for status in STATUSES:
        trials = [(one, record) for one in configurations for record in one.with_status(status)]
        if not trials:
            continue
        epochs = [record.result.epochs_run for _, record in trials]
        left = sum(_epochs(one) for one, _ in trials) - sum(epochs)
        seconds = sum(record.run_info.train_seconds for _, record in trials)
        rows.append((status, len(trials), sum(epochs), seconds, max(left, 0) if status == "pruned" else 0))
    spared = [(len(one.planned) - len(one.records) - one.missing, _epochs(one)) for one in configurations]
    if seeds := sum(count for count, _ in spared):
        rows.append((SPARED, seeds, 0, 0.0, sum(count * epochs for count, epochs in spared)))
    if missing := sum(one.missing for one in configurations):
        rows.append((NOT_RUN, missing, 0, 0.0, 0))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _epochs(one: Configuration) -> int:
    return int(one.config.get("epochs") or 0)
