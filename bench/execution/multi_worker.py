"""A trial of several workers: Ray Train's processes, each on a device of its own.

Tune runs a function for the trial that takes no CPU and no GPU. It starts a `TorchTrainer`, whose workers reserve their
devices all at once or wait, so that two such trials never hold half of what they need each. Rank 0 reports through a
`Channel` to that function, which passes the reports on to Tune.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
import tempfile
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import ray
import ray.train
import ray.train.torch

from bench.execution.logs import capture_output
from bench.execution.messages import TrialFailure, TrialReport, TrialResult, TrialStoppedError, TrialTask
from bench.execution.worker import run_trial
from bench.user_code.run_code import as_written, running

CPU_BACKEND = "gloo"
GPU_BACKEND = "cpu:gloo,cuda:nccl"
"""Metrics and random streams' states go from processor to processor, gradients from GPU to GPU."""
RECEIVE_SECONDS = 1.0
GET_INTERFACE_ADDRESS = 0x8915
"""Linux's SIOCGIFADDR, of netdevice(7)."""


class _UserCodeError(Exception):
    """A worker failed by the trial's own fault, and has reported it; raising this ends the other workers."""


class Channel:
    """An actor between rank 0 and the trial's function: reports, each with whether it is answered, and answers."""

    def __init__(self) -> None:
        self.reports: asyncio.Queue[tuple[TrialReport, bool]] = asyncio.Queue()
        self.answers: asyncio.Queue[bool] = asyncio.Queue()

    async def send(self, report: TrialReport) -> None:
        await self.reports.put((report, False))

    async def ask(self, report: TrialReport) -> bool:
        """Send, and wait for the answer whether to go on."""
        await self.reports.put((report, True))
        return await self.answers.get()

    async def answer(self, go_on: bool) -> None:
        await self.answers.put(go_on)

    async def receive(self) -> tuple[TrialReport, bool] | None:
        """The next report; None if there is none for a while."""
        try:
            return await asyncio.wait_for(self.reports.get(), RECEIVE_SECONDS)
        except TimeoutError:
            return None


class NodeTorchConfig(ray.train.torch.TorchConfig):
    """PyTorch's process group over the network interface that Ray's nodes know each other by.

    Gloo would take the one that the host's own name stands for: on many machines that is 127.0.1.1, which no other
    node reaches, and where the name stands for nothing it is the loopback.
    """

    @property
    def backend_cls(self) -> Any:
        base: Any = super().backend_cls

        class Backend(base):  # type: ignore[misc]
            def on_start(self, worker_group: Any, backend_config: Any) -> None:
                worker_group.execute(use_node_interface)
                super().on_start(worker_group, backend_config)

        return Backend


def use_node_interface() -> None:
    """Let Gloo use the interface with this node's address in Ray, unless the environment names one."""
    name = interface_of(ray.util.get_node_ip_address())  # type: ignore[no-untyped-call]
    if name:
        os.environ.setdefault("GLOO_SOCKET_IFNAME", name)


def interface_of(address: str) -> str:
    """The network interface with this IPv4 address; "" where there is none, or the system does not say."""
    with contextlib.suppress(ImportError, OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as query:
        import fcntl  # not on Windows

        for _, name in socket.if_nameindex():
            with contextlib.suppress(OSError):  # one without an address
                answer = fcntl.ioctl(query, GET_INTERFACE_ADDRESS, struct.pack("256s", name.encode()[:15]))
                if socket.inet_ntoa(answer[20:24]) == address:
                    return name
    return ""


def train_together(task: TrialTask, send: Callable[[TrialReport], None]) -> TrialResult | TrialFailure:
    """Train one trial by Ray Train's workers.

    TrialStoppedError out of `send` ends the workers after their epoch, and is passed on.

    Raises
    ------
    ray.train.TrainingFailedError
        A worker died.
    """
    channel: Any = ray.remote(num_cpus=0)(Channel).remote()
    resources = task.resources
    with tempfile.TemporaryDirectory(prefix="bench-train-") as folder:
        trainer = ray.train.torch.TorchTrainer(
            _worker_loop,
            train_loop_config={"task": task, "channel": channel},
            torch_config=NodeTorchConfig(backend=GPU_BACKEND if resources.device == "cuda" else CPU_BACKEND),
            scaling_config=ray.train.ScalingConfig(
                num_workers=resources.workers,
                use_gpu=resources.gpus > 0,
                resources_per_worker={"CPU": resources.cpus, **({"GPU": resources.gpus} if resources.gpus else {})},
            ),
            run_config=ray.train.RunConfig(name="trial", storage_path=folder),
        )
        training = _TrainingThread(trainer.fit)
        end: TrialResult | TrialFailure | None = None
        stopped: TrialStoppedError | None = None
        while (received := ray.get(channel.receive.remote())) is not None or training.is_alive():
            if received is None:
                continue
            report, answered = received
            end = end or report.end
            try:
                if report.progress or report.notes:
                    send(replace(report, end=None))
            except TrialStoppedError as stop:
                stopped = stop
            if answered:
                ray.get(channel.answer.remote(stopped is None))
    if stopped:
        raise stopped
    if end is None:
        raise training.error or RuntimeError("its workers ended without a report")
    return end


class _TrainingThread(threading.Thread):
    """Ray Train's `fit`, which returns when all workers have ended, while the trial's function receives reports."""

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


def _worker_loop(config: dict[str, Any]) -> None:
    """What each of Ray Train's workers runs."""
    task: TrialTask = config["task"]
    os.environ.update(task.resources.variables)
    rank = ray.train.get_context().get_world_rank()
    reporter = ProgressReporter(config["channel"], rank, task)
    code = ray.get(task.code) if task.code else None
    try:
        # Ray Train's workers are new processes, so user code needs none of its own.
        with (
            running(code) if code else contextlib.nullcontext(),
            capture_output(task.log if rank == 0 else task.log.with_suffix(f".{rank}.log")) as printed,
        ):
            end = run_trial(
                task.config,
                task.seed,
                ray.get(task.data),
                str(ray.train.torch.get_device()) if task.resources.device == "cuda" else "cpu",
                task.resources.threads,
                reporter.report,
                passed_on=(TrialStoppedError,),
                checkpoint=task.checkpoint if rank == 0 else None,
                checkpoint_after=task.checkpoint_after,
                note=lambda text: reporter.unsent.notes.append(text),
                rank=rank,
                workers=task.resources.workers,
                files=task.checkpoint_store and task.checkpoint_store.unless_local(),
                network_origin=task.network_origin,
                pause_after=task.pause_after,
                gpu_fraction=task.resources.gpus or 1.0,
            )
            end = replace(end, printed=printed())
    except TrialStoppedError:  # on all ranks at once
        return
    if isinstance(end, TrialFailure):
        texts = {name: as_written(text) for name, text in vars(end).items()}
        end = TrialFailure(**texts)
    if rank == 0 or isinstance(end, TrialFailure):
        reporter.send(end)
    if isinstance(end, TrialFailure):
        raise _UserCodeError(end.message)


class ProgressReporter:
    """Reports rank 0's progress; where the driver may stop the trial, all ranks hear of it after the same epoch."""

    def __init__(self, channel: Any, rank: int, task: TrialTask):
        self.channel, self.rank, self.task = channel, rank, task
        self.unsent = TrialReport()

    def report(self, progress: Any) -> None:
        import torch.distributed as dist

        if self.rank == 0:
            self.unsent.progress.append(progress)
        if not (self.task.every_epoch or self.task.is_at_rung(progress)):
            if self.rank == 0:
                self.send()
            return
        go_on = [self.rank == 0 and ray.get(self.channel.ask.remote(self._take()))]
        dist.broadcast_object_list(go_on, 0)
        if not go_on[0]:
            raise TrialStoppedError

    def send(self, end: TrialResult | TrialFailure | None = None) -> None:
        """Send what is unsent, and the end of the trial."""
        ray.get(self.channel.send.remote(replace(self._take(), end=end)))

    def _take(self) -> TrialReport:
        report, self.unsent = self.unsent, TrialReport()
        return report
