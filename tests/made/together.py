"""Trials trained by two processes on this machine, as Ray Train starts them but without Ray."""

from __future__ import annotations

import multiprocessing
import tempfile
from datetime import timedelta
from typing import Any

from bench.execution.checkpoints import Checkpoint

WORKERS = 2


class Together:
    """Two processes that wait for trials; starting them and importing PyTorch takes longer than most trials."""

    def __init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        address = f"file://{self.folder.name}/ranks"
        context = multiprocessing.get_context("spawn")
        self.answers = context.Queue()
        self.orders = [context.Queue() for _ in range(WORKERS)]
        self.processes = [
            context.Process(target=_rank, args=(rank, address, self.orders[rank], self.answers), daemon=True)
            for rank in range(WORKERS)
        ]
        for process in self.processes:
            process.start()

    def __call__(self, config: Any, seed: int, data: Any, checkpointer: Any = None) -> list[Any]:
        """The outcomes of both ranks; `checkpointer` is rank 0's. The first exception is raised."""
        for rank, orders in enumerate(self.orders):
            orders.put((config.changed(workers=WORKERS), seed, data, checkpointer if rank == 0 else None))
        found = {}
        for _ in self.orders:
            rank, outcome = self.answers.get(timeout=400)
            if isinstance(outcome, str):
                raise RuntimeError(f"rank {rank}: {outcome}")
            found[rank] = outcome
        return [found[rank] for rank in range(WORKERS)]

    def end(self) -> None:
        for process in self.processes:
            process.kill()
            process.join()
        self.folder.cleanup()


class KeepsFirst(Checkpoint):
    """Leaves behind what a trial stopped after its first `epochs` (those of a refit among them) would have kept."""

    epochs = 2

    def save(self, state: Any) -> None:
        if self.epochs:
            self.epochs -= 1
            super().save(state)


class NotAnew(Checkpoint):
    """Fails the trial that does not go on from what was kept."""

    def load(self) -> Any:
        state = super().load()
        assert state is not None
        return state

    def refuse(self, reason: str) -> None:
        raise AssertionError(reason)


def _rank(rank: int, address: str, orders: Any, answers: Any) -> None:
    import torch
    import torch.distributed as dist

    from bench.training.distributed import DistributedContext
    from bench.training.train_trial import train_trial

    torch.set_num_threads(1)
    limit = timedelta(seconds=300)
    dist.init_process_group("gloo", init_method=address, rank=rank, world_size=WORKERS, timeout=limit)
    while True:
        config, seed, data, checkpointer = orders.get()
        try:
            outcome = train_trial(
                config, seed, data, checkpointer=checkpointer, distributed=DistributedContext(rank, WORKERS)
            )
        except Exception as error:
            answers.put((rank, f"{type(error).__name__}: {error}"))
        else:
            answers.put((rank, outcome))
