"""What runs far from the command line: the driver on a cluster's head, and that of a SLURM task.

``python -m bench.commands.drive FOLDER`` drives the run in a folder of the head, with a TASK's number after it that of
an array. They are commands since `confirm` goes by the report's selection, which `bench.execution` knows nothing of.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bench.commands.load_results import confirmation

if TYPE_CHECKING:
    from bench.execution.cluster.bundle import BundledSuite
    from bench.ledger.ledger import Ledger
    from bench.suite.trial import Trial


def select_fresh(ledger: Ledger, suite: BundledSuite) -> list[Trial]:
    """What a suite's `confirm` asks for, now that its trials have ended."""
    if suite.confirm is None:
        return []
    return confirmation(ledger, suite.trials_so_far(ledger), suite.confirm, suite.rank_by)


def main(folder: Path, task: str | None = None) -> int:
    """Drive a run, or a task of it; the exit code."""
    if task is None:
        from bench.execution.cluster.driver import drive_run

        return drive_run(folder, select_fresh)
    from bench.execution.slurm_task import drive_task

    return drive_task(folder.resolve(), task, select_fresh)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:]))
