"""Checkpoints: a long trial's state after its latest epoch, one file for each trial under way.

They lie in the ledger's folder, as ``checkpoints/<key>.pt``: a SHA-256 checksum, then what `torch.save` writes for
tensors and plain values, read back by ``torch.load(weights_only=True)``, which runs no code. One that is damaged, or
was left by other versions or on another processor (where not every bit would be the same), is passed over.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import time
from collections.abc import Callable, Container
from pathlib import Path
from typing import Any, Protocol

from bench.errors import UserError
from bench.ledger.files import TEMPORARY, cannot_write, place

FOLDER = "checkpoints"
AFTER_SECONDS = 60.0
"""A trial that is over sooner needs no checkpoint: training it again costs little."""
SHARE = 0.05
"""At most this share of a trial's time goes into its checkpoints; a large network with short epochs skips some."""
PAUSE_SECONDS = 60.0
"""How long to wait after a checkpoint that could not be written, say because the disk is full."""
FORMAT = 1
"""Raised when a state means something else than before."""
DIGEST = 32


class CheckpointFiles(Protocol):
    """Where checkpoints lie: this machine's disk, or
    (`bench.execution.remote_checkpoints.RemoteCheckpointStore`) the driver's."""

    def read(self, path: Path) -> bytes:
        """The file's content; OSError where it cannot be read, FileNotFoundError where it is not there."""

    def write(self, data: bytes, path: Path) -> None:
        """Put it there whole or not at all; UserError says why not."""

    def takes(self, path: Path) -> bool:
        """Whether there is a folder for it."""


class LocalCheckpointFiles:
    """This machine's own."""

    def read(self, path: Path) -> bytes:
        return path.read_bytes()

    def write(self, data: bytes, path: Path) -> None:
        place(data, path, aside=path.parent.parent / TEMPORARY)

    def takes(self, path: Path) -> bool:
        return path.parent.is_dir()


class Checkpoint:
    """The checkpoint of one trial; see `bench.training.checkpoint.Checkpointer`.

    Parameters
    ----------
    path : as `path_of` gives it. Where its folder is missing nothing is kept.
    about : what the process that goes on must have in common with the one that wrote it: device, threads, versions.
    after_seconds : how long a trial trains before its first checkpoint.
    note : told what a person should know, in one line.
    files : where `path` is; this machine's disk if not given.
    """

    def __init__(
        self,
        path: Path,
        about: dict[str, Any],
        after_seconds: float,
        note: Callable[[str], None],
        files: CheckpointFiles | None = None,
    ):
        self.path = path
        self.files = files or LocalCheckpointFiles()
        self.header = {"format": FORMAT, "key": path.stem, **about}
        self.note = note
        self._not_before = time.monotonic() + after_seconds
        self._told = False

    def load(self) -> dict[str, Any] | None:
        """The state that was kept; None where there is none that can be trusted."""
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

    def save(self, state: Callable[[], dict[str, Any]]) -> None:
        """Keep a state in place of the one before; a failure to do so is told once and costs the trial nothing."""
        import torch

        start = time.monotonic()
        if start < self._not_before or not self.files.takes(self.path):
            return
        file = io.BytesIO(bytes(DIGEST))
        file.seek(DIGEST)
        torch.save({"header": self.header, "state": state()}, file)
        with file.getbuffer() as whole:
            whole[:DIGEST] = hashlib.sha256(whole[DIGEST:]).digest()
        try:
            self.files.write(file.getvalue(), self.path)
        except UserError as error:
            if not self._told:
                self.note(f"trial {self.path.stem[:8]} trains on without a checkpoint: {str(error).splitlines()[0]}")
            self._told = True
            self._not_before = time.monotonic() + PAUSE_SECONDS
            return
        now = time.monotonic()
        self._not_before = now + (now - start) / SHARE

    def refuse(self, reason: str) -> None:
        """Tell that the checkpoint is not used."""
        self.note(f"trial {self.path.stem[:8]} starts anew, its checkpoint is passed over: {reason}")

    def _read(self) -> dict[str, Any]:
        """The state in the file; ValueError says why it is not to be used."""
        import torch

        data = self.files.read(self.path)
        digest, body = data[:DIGEST], data[DIGEST:]
        if hashlib.sha256(body).digest() != digest:
            raise ValueError("it is damaged")
        try:
            kept = torch.load(io.BytesIO(body), map_location="cpu", weights_only=True)
            other = [name for name in self.header if kept["header"][name] != self.header[name]]
            state = dict(kept["state"])
        except Exception as error:  # whatever torch makes of a file that others wrote
            raise ValueError(f"it is none of ours ({type(error).__name__})") from error
        if other:
            raise ValueError(f"it was left under other conditions ({', '.join(other)})")
        return state


def path_of(root: Path, key: str) -> Path:
    """Where the trial `key` is kept in the ledger `root`, as an absolute path in a folder that is there."""
    folder = root.resolve() / FOLDER
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error
    return folder / f"{key}.pt"


def remove(root: Path, key: str) -> None:
    """The trial is over; where its checkpoint cannot be removed it is harmless."""
    with contextlib.suppress(OSError):
        (root / FOLDER / f"{key}.pt").unlink()


def sweep(root: Path, done: Container[str]) -> None:
    """Remove the checkpoints of trials that are over: their drivers were killed before they could."""
    for path in (root / FOLDER).glob("*.pt"):
        if path.stem in done:
            remove(root, path.stem)
