"""`--no-ray`: the same trials, one after the other in this process; for debugging, and the same records.

Those with a model of the user's own run one after the other too, each in a process forked for it.
"""

from __future__ import annotations

import time
from typing import Any

from bench.errors import UserError
from bench.execution.checkpoints import AFTER_SECONDS, path_of
from bench.execution.forkserver import ProcessDiedError, train
from bench.execution.scheduler import Scheduler
from bench.execution.signals import raise_if_stopped

POLL_SECONDS = 2.0


class _PrunedError(Exception):
    """Ends a trial inside its training loop."""


def run_in_process(
    board: Scheduler,
    datasets: dict[str, Any],
    threads: int,
    gpus_per_trial: float | None = None,
    checkpoint_after: float = AFTER_SECONDS,
) -> None:
    """Run the board's trials in order until nothing is left, also not with other drivers."""
    import torch

    if gpus_per_trial and not torch.cuda.is_available():
        raise UserError(f"--gpus-per-trial {gpus_per_trial:g}: PyTorch finds no GPU on this machine")
    device = "cuda" if torch.cuda.is_available() and gpus_per_trial != 0 else "cpu"
    while True:
        trial = board.next_trial()
        if trial is None:
            if not board.elsewhere:
                return
            time.sleep(POLL_SECONDS)
            board.look_elsewhere()
            continue
        key = trial.key

        def report(progress: Any, key: str = key) -> None:
            if board.progress(key, **vars(progress)):
                raise _PrunedError

        data = datasets[trial.data]
        try:
            message = train(
                trial.code,
                trial.run_config,
                trial.seed,
                data,
                device,
                threads,
                report,
                passed_on=(_PrunedError,),
                checkpoint=path_of(board.ledger.store.local, key),
                checkpoint_after=checkpoint_after,
                note=board.view.note,
            )
        except _PrunedError:
            continue
        except ProcessDiedError as error:
            raise_if_stopped()
            board.lost(key, str(error))
            continue
        if "failure" in message:
            raise_if_stopped()  # what an interrupted import became is no failure of the trial
            board.failed(key, message["failure"])
        else:
            board.finished(key, message["status"], message["result"], message["run_info"], message["predictions"])
