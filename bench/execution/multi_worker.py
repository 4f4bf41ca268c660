"""A trial of several workers: Ray Train's processes, each on a device of its own, and who speaks for them to Tune.

Tune runs a function for the trial that takes no CPU and no GPU. It starts a `TorchTrainer`, whose workers reserve their
devices all at once or wait, so that two such trials never hold half of what they need each.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ray
import ray.train
import ray.train.torch

from bench.execution.remote_checkpoints import RemoteCheckpointStore
from bench.execution.trial_log import printed_to
from bench.execution.worker import Message, run_trial
from bench.models.user_model import as_written, running

CPU_BACKEND = "gloo"
GPU_BACKEND = "cpu:gloo,cuda:nccl"
"""Figures and checkpoints' streams go from processor to processor, gradients from GPU to GPU."""
REPORT_SECONDS = 1.0


@dataclass(frozen=True)
class WorkerResources:
    """What each worker of a trial gets; `variables` are environment variables."""

    workers: int
    cpus: float
    gpus: float
    device: str
    threads: int
    variables: dict[str, str] = field(default_factory=dict, repr=False)


class TrialStoppedError(Exception):
    """The driver wants no more of this trial."""


class _UserCodeError(Exception):
    """A worker found the trial itself to be at fault, and has said so; this takes the others down."""


class Channel:
    """Between rank 0 and the trial's function, which are two processes: what is told, and answers to it."""

    def __init__(self) -> None:
        self.told: asyncio.Queue[Message] = asyncio.Queue()
        self.answers: asyncio.Queue[bool] = asyncio.Queue()

    async def tell(self, message: Message) -> None:
        await self.told.put(message)

    async def ask(self, message: Message) -> bool:
        """Tell, and wait for word whether to go on."""
        await self.told.put(message)
        return await self.answers.get()

    async def answer(self, go_on: bool) -> None:
        await self.answers.put(go_on)

    async def next(self) -> Message | None:
        """The next that is told; None if there is none for a while."""
        try:
            return await asyncio.wait_for(self.told.get(), REPORT_SECONDS)
        except TimeoutError:
            return None


def train_together(
    trial: dict[str, Any],
    data: Any,
    code: Any,
    share: WorkerResources,
    tell: Callable[[Message], None],
    every_epoch: bool,
    checkpoint_after: float,
    shelf: RemoteCheckpointStore | None,
) -> Message:
    """Train one trial by Ray Train's workers; what `run_trial` would return.

    Parameters
    ----------
    trial : `config`, `seed`, `checkpoint`, `log` and `code`, as the driver sends them.
    data : a reference to the `bench.data.Dataset`.
    code : a reference to the user's own code of its model (`bench.suite.trial.ModelCode`), or None.
    tell : called with ``progress`` and ``notes``; StoppedError out of it ends the workers in their next epoch if they
        wait for word after `every_epoch`, and is passed on.
    shelf : where checkpoints lie, for workers on other nodes than the driver's.

    Raises
    ------
    ray.train.TrainingFailedError
        A worker died.
    """
    line: Any = ray.remote(num_cpus=0)(Channel).remote()
    with tempfile.TemporaryDirectory(prefix="bench-train-") as folder:
        trainer = ray.train.torch.TorchTrainer(
            _worker_loop,
            train_loop_config={
                "trial": trial,
                "data": [data],  # Ray follows references inside of lists, and leaves them as they are
                "code": [code],
                "share": share,
                "line": line,
                "every_epoch": every_epoch,
                "checkpoint_after": checkpoint_after,
                "shelf": shelf,
            },
            torch_config=ray.train.torch.TorchConfig(backend=GPU_BACKEND if share.device == "cuda" else CPU_BACKEND),
            scaling_config=ray.train.ScalingConfig(
                num_workers=share.workers,
                use_gpu=share.gpus > 0,
                resources_per_worker={"CPU": share.cpus, **({"GPU": share.gpus} if share.gpus else {})},
            ),
            run_config=ray.train.RunConfig(name="trial", storage_path=folder),
        )
        run = _TrainingThread(trainer.fit)
        message: Message | None = None
        stopped: TrialStoppedError | None = None
        while (told := ray.get(line.next.remote())) is not None or run.is_alive():
            if told is None:
                continue
            if "message" in told and message is None:
                message = told["message"]
            try:
                if told["progress"] or told["notes"]:
                    tell({"progress": told["progress"], "notes": told["notes"]})
            except TrialStoppedError as stop:
                stopped = stop
            if told.get("asks"):
                ray.get(line.answer.remote(stopped is None))
    if stopped:
        raise stopped
    if message is None:
        raise run.error or RuntimeError("its workers ended without a word")
    return message


class _TrainingThread(threading.Thread):
    """Ray Train's `fit`, which returns when all is over, beside the function that listens."""

    def __init__(self, fit: Callable[[], Any]):
        super().__init__(name="workers", daemon=True)
        self.fit = fit
        self.error: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            self.fit()
        except BaseException as error:
            self.error = error


def _worker_loop(about: dict[str, Any]) -> None:
    """What each of Ray Train's workers runs."""
    trial, share, line = about["trial"], about["share"], about["line"]
    os.environ.update(share.variables)
    rank = ray.train.get_context().get_world_rank()
    teller = ProgressReporter(line, rank, about["every_epoch"])
    code = ray.get(about["code"][0]) if about["code"][0] else None
    log = Path(trial["log"])
    try:
        # Ray Train's workers are new processes, so user code needs none of its own.
        with (
            running(code) if code else contextlib.nullcontext(),
            printed_to(log if rank == 0 else log.with_suffix(f".{rank}.log")) as printed,
        ):
            message = run_trial(
                trial["config"],
                trial["seed"],
                ray.get(about["data"][0]),
                str(ray.train.torch.get_device()) if share.device == "cuda" else "cpu",
                share.threads,
                teller.report,
                passed_on=(TrialStoppedError,),
                checkpoint=Path(trial["checkpoint"]) if rank == 0 else None,
                checkpoint_after=about["checkpoint_after"],
                note=teller.notes.append,
                rank=rank,
                workers=share.workers,
                files=about["shelf"] and about["shelf"].from_here(),
            )
            message["printed"] = printed()
    except TrialStoppedError:  # on all ranks at once
        return
    if "failure" in message:
        message["failure"] = {name: as_written(text) for name, text in message["failure"].items()}
    if rank == 0 or "failure" in message:
        ray.get(line.tell.remote(teller.flushed({"message": message})))
    if "failure" in message:
        raise _UserCodeError(message["failure"]["message"])


class ProgressReporter:
    """Tells rank 0's progress; where the driver may stop the trial, all ranks hear of it after the same epoch."""

    def __init__(self, line: Any, rank: int, every_epoch: bool):
        self.line, self.rank, self.every_epoch = line, rank, every_epoch
        self.unsent: list[Any] = []
        self.notes: list[str] = []

    def report(self, progress: Any) -> None:
        import torch.distributed as dist

        if self.rank == 0:
            self.unsent.append(vars(progress))
        if not self.every_epoch:
            if self.rank == 0:
                ray.get(self.line.tell.remote(self.flushed({})))
            return
        word = [self.rank == 0 and ray.get(self.line.ask.remote(self.flushed({"asks": True})))]
        dist.broadcast_object_list(word, 0)
        if not word[0]:
            raise TrialStoppedError

    def flushed(self, more: dict[str, Any]) -> Message:
        """What is unsent, and more."""
        message = {"progress": self.unsent.copy(), "notes": self.notes.copy(), **more}
        self.unsent.clear()
        self.notes.clear()
        return message
