"""Checkpoints of trials on other nodes: they lie where the driver runs, and travel there and back."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from bench.errors import UserError
from bench.ledger.files import TEMPORARY, place


class CheckpointActor:
    """A process on the driver's node that reads and writes checkpoints for the others."""

    def read(self, path: str) -> bytes | None:
        try:
            return Path(path).read_bytes()
        except FileNotFoundError:
            return None

    def write(self, path: str, data: bytes) -> str | None:
        """What went wrong, if anything did."""
        try:
            place(data, Path(path), aside=Path(path).parent.parent / TEMPORARY)
        except UserError as error:
            return str(error)
        return None


@dataclass(frozen=True)
class RemoteCheckpointStore:
    """The driver's disk as another node sees it; see `bench.execution.checkpoints.Files`."""

    shelf: Any
    node: str

    def read(self, path: Path) -> bytes:
        try:
            data = ray.get(self.shelf.read.remote(str(path)))
        except ray.exceptions.RayError as error:  # the trial trains from its beginning
            raise OSError(errno.EIO, f"the driver's node does not answer ({type(error).__name__})") from error
        if data is None:
            raise FileNotFoundError(path)
        return bytes(data)

    def write(self, data: bytes, path: Path) -> None:
        try:
            wrong = ray.get(self.shelf.write.remote(str(path), data))
        except ray.exceptions.RayError as error:  # and trains on without
            wrong = f"{path}: the driver's node does not answer ({type(error).__name__})"
        if wrong:
            raise UserError(wrong)

    def takes(self, path: Path) -> bool:  # noqa: ARG002 (the driver has made the folder)
        return True

    def from_here(self) -> RemoteCheckpointStore | None:
        """Itself, unless this process is on the driver's node, whose disk it sees."""
        return None if ray.get_runtime_context().get_node_id() == self.node else self


def remote_checkpoint_store() -> RemoteCheckpointStore:
    """For a driver that is connected to a cluster, to be sent along with its trials."""
    node = ray.get_runtime_context().get_node_id()
    here = NodeAffinitySchedulingStrategy(node, soft=False)
    shelf = ray.remote(num_cpus=0, max_restarts=-1)(CheckpointActor).options(scheduling_strategy=here).remote()
    return RemoteCheckpointStore(shelf, node)
