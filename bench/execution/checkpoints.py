"""Checkpoints: a long trial's state after its latest epoch, one file for each trial that runs.

They lie in the ledger's folder, as ``checkpoints/<key>.pt``: a SHA-256 checksum, then what `torch.save` writes for
tensors and plain values, read back by ``torch.load(weights_only=True)``, which runs no code. A checkpoint that is
damaged, or of other versions or another processor (where not every bit would be the same), is ignored. Trials on other
nodes of a cluster read and write the driver's disk through an actor (`RemoteCheckpointStore`).
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import time
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from bench.errors import UserError
from bench.ledger.file_store import cannot_write, write_atomically
from bench.ledger.store import TEMPORARY

if TYPE_CHECKING:
    from bench.training.checkpoint import State

FOLDER = "checkpoints"
MAX_FRACTION = 0.05
"""At most this fraction of a trial's time goes into its checkpoints; a large network with short epochs skips some."""
PAUSE_SECONDS = 60.0
"""How long to wait after a checkpoint that could not be written, say because the disk is full."""
FORMAT = 1
"""Raised when the meaning of a state changes."""
DIGEST_BYTES = 32


class CheckpointFiles(Protocol):
    """Where checkpoints lie: on this machine's disk, or the driver's."""

    def read(self, path: Path) -> bytes:
        """The file's content; OSError where it cannot be read, FileNotFoundError where it does not exist."""

    def write(self, data: bytes, path: Path) -> None:
        """Write it whole or not at all; UserError says why not."""

    def has_folder(self, path: Path) -> bool:
        """Whether there is a folder for it."""


class LocalCheckpointFiles:
    """Files on this machine's disk."""

    def read(self, path: Path) -> bytes:
        return path.read_bytes()

    def write(self, data: bytes, path: Path) -> None:
        write_atomically(data, path, aside=path.parent.parent / TEMPORARY)

    def has_folder(self, path: Path) -> bool:
        return path.parent.is_dir()


class CheckpointActor:
    """A Ray actor on the driver's node that reads and writes checkpoints for the other nodes."""

    def read(self, path: str) -> bytes | None:
        try:
            return LocalCheckpointFiles().read(Path(path))
        except FileNotFoundError:
            return None

    def write(self, path: str, data: bytes) -> str | None:
        """The error message, if it could not be written."""
        try:
            LocalCheckpointFiles().write(data, Path(path))
        except UserError as error:
            return str(error)
        return None


@dataclass(frozen=True)
class RemoteCheckpointStore:
    """Files on the driver's disk, read and written through a `CheckpointActor` on the driver's `node`."""

    actor: Any
    node: str

    @classmethod
    def start(cls) -> RemoteCheckpointStore:
        """For a driver that is connected to a cluster, to be sent along with its trials."""
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        node = ray.get_runtime_context().get_node_id()
        on_this_node = NodeAffinitySchedulingStrategy(node, soft=False)
        actor = ray.remote(num_cpus=0, max_restarts=-1)(CheckpointActor)
        return cls(actor.options(scheduling_strategy=on_this_node).remote(), node)

    def unless_local(self) -> RemoteCheckpointStore | None:
        """Itself, or None if this process is on the driver's node and sees its disk."""
        import ray

        return None if ray.get_runtime_context().get_node_id() == self.node else self

    def read(self, path: Path) -> bytes:
        import ray

        try:
            data = ray.get(self.actor.read.remote(str(path)))
        except ray.exceptions.RayError as error:  # the trial trains from its beginning
            raise OSError(errno.EIO, f"the driver's node does not answer ({type(error).__name__})") from error
        if data is None:
            raise FileNotFoundError(path)
        return bytes(data)

    def write(self, data: bytes, path: Path) -> None:
        import ray

        try:
            error_text = ray.get(self.actor.write.remote(str(path), data))
        except ray.exceptions.RayError as error:  # the trial trains on without a checkpoint
            error_text = f"{path}: the driver's node does not answer ({type(error).__name__})"
        if error_text:
            raise UserError(error_text)

    def has_folder(self, path: Path) -> bool:  # noqa: ARG002 (the driver has created the folder)
        return True


class Checkpoint:
    """The checkpoint of one trial; see `bench.training.checkpoint.Checkpointer`.

    Parameters
    ----------
    path : as `checkpoint_path` gives it. Where its folder is missing nothing is saved.
    conditions : device, threads and versions, which the process that goes on must have in common with the writer.
    after_seconds : how long a trial trains before its first checkpoint.
    note : called with what a person should know, in one line.
    files : where `path` is; this machine's disk if not given.
    """

    def __init__(
        self,
        path: Path,
        conditions: Mapping[str, object],
        after_seconds: float,
        note: Callable[[str], None],
        files: CheckpointFiles | None = None,
    ):
        self.path = path
        self.files = files or LocalCheckpointFiles()
        self.header = {"format": FORMAT, "key": path.stem, **conditions}
        self.note = note
        self._not_before = time.monotonic() + after_seconds
        self._warned = False

    def load(self) -> State | None:
        """The saved state; None where there is none that can be trusted."""
        try:
            state = self._read()
        except FileNotFoundError:
            return None
        except OSError as error:
            self.refuse(f"it cannot be read: {error.strerror}")
            return None
        except ValueError as error:
            self.refuse(str(error))
            return None
        self._not_before = time.monotonic()
        return state

    def save(self, state: Callable[[], State]) -> None:
        """Replace the saved state, unless it is too soon. Write errors are noted once; training continues."""
        start = time.monotonic()
        if start < self._not_before or not self.files.has_folder(self.path):
            return
        self._write(state())
        now = time.monotonic()
        self._not_before = max(self._not_before, now + (now - start) / MAX_FRACTION)

    def save_now(self, state: Callable[[], State]) -> None:
        """Replace the saved state, however soon."""
        if self.files.has_folder(self.path):
            self._write(state())

    def _write(self, state: State) -> None:
        """Write a state; an error is noted once, and nothing is written for a while."""
        import torch

        file = io.BytesIO(bytes(DIGEST_BYTES))
        file.seek(DIGEST_BYTES)
        torch.save({"header": self.header, "state": state}, file)
        with file.getbuffer() as buffer:
            buffer[:DIGEST_BYTES] = hashlib.sha256(buffer[DIGEST_BYTES:]).digest()
        try:
            self.files.write(file.getvalue(), self.path)
        except UserError as error:
            if not self._warned:
                self.note(f"trial {self.path.stem[:8]} trains on without a checkpoint: {str(error).splitlines()[0]}")
            self._warned = True
            self._not_before = time.monotonic() + PAUSE_SECONDS

    def refuse(self, reason: str) -> None:
        """Note that the checkpoint is not used."""
        self.note(f"trial {self.path.stem[:8]} starts from the beginning, its checkpoint is ignored: {reason}")

    def _read(self) -> State:
        """The state in the file; ValueError says why it must not be used."""
        import torch

        data = self.files.read(self.path)
        digest, body = data[:DIGEST_BYTES], data[DIGEST_BYTES:]
        if hashlib.sha256(body).digest() != digest:
            raise ValueError("it is damaged")
        try:
            saved = torch.load(io.BytesIO(body), map_location="cpu", weights_only=True)
            differing = [name for name in self.header if saved["header"][name] != self.header[name]]
            state = dict(saved["state"])
        except Exception as error:  # whatever torch raises for a file of another program
            raise ValueError(f"it is no checkpoint of bench ({type(error).__name__})") from error
        if differing:
            raise ValueError(f"it was written under other conditions ({', '.join(differing)})")
        return state


def checkpoint_path(folder: Path, key: str) -> Path:
    """Where the checkpoint of the trial `key` lies in a ledger's folder; absolute, and its parent exists."""
    parent = folder.resolve() / FOLDER
    try:
        parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(parent, error) from error
    return parent / f"{key}.pt"


def remove(folder: Path, key: str) -> None:
    """Remove the checkpoint of a trial that is over; one that cannot be removed is harmless."""
    with contextlib.suppress(OSError):
        (folder / FOLDER / f"{key}.pt").unlink()


def checkpoint_times(folder: Path) -> dict[str, int]:
    """By trial key, when its checkpoint was written, in nanoseconds since 1970."""
    times: dict[str, int] = {}
    for path in (folder / FOLDER).glob("*.pt"):
        with contextlib.suppress(FileNotFoundError):  # its trial has just ended
            times[path.stem] = path.stat().st_mtime_ns
    return times


def sweep(folder: Path, done: Container[str]) -> None:
    """Remove the checkpoints of trials that are done: their drivers were killed before they could."""
    for path in (folder / FOLDER).glob("*.pt"):
        if path.stem in done:
            remove(folder, path.stem)
