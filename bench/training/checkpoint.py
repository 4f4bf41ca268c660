"""A training between two epochs as tensors and plain values, and back; knows nothing of files."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn

from bench.training.distributed import SINGLE_PROCESS, DistributedContext

State = dict[str, Any]
"""Tensors, numbers, texts, None, and lists, tuples and dicts of them: it is read back without unpickling anything."""

Save = Callable[[Callable[[], State]], None]
"""Called after an epoch that is not the last with a function that returns the state, for when it is to be saved."""


class Checkpointer(Protocol):
    """Keeps a trial's latest state; `bench.execution.checkpoints.Checkpoint` does so in a file."""

    def load(self) -> State | None:
        """The state to go on from; None to start at the beginning."""

    def save(self, state: Callable[[], State]) -> None:
        """Replace the saved state by this one, if it is time for that."""

    def refuse(self, reason: str) -> None:
        """Discard the state that `load` returned: it does not fit its trial, which starts at the beginning."""


class UnfitStateError(Exception):
    """A state that is not one of this trial, as this version trains it."""


@dataclass(frozen=True)
class SharedCheckpointer:
    """A checkpointer for all ranks of a trial: rank 0's saves, every rank's random streams with it."""

    checkpointer: Checkpointer | None
    distributed: DistributedContext

    def load(self) -> State | None:
        return self.distributed.broadcast(self.checkpointer.load() if self.checkpointer else None)

    def save(self, state: Callable[[], State]) -> None:
        """Rank 0's checkpointer decides whether it is time; all ranks then take part in the state."""
        saving = False

        def state_of_all_ranks() -> State:
            nonlocal saving
            saving = self.distributed.broadcast(True)
            return state()

        if self.distributed.rank:
            if self.distributed.broadcast(False):
                state()
            return
        if self.checkpointer:
            self.checkpointer.save(state_of_all_ranks)
        if not saving:
            self.distributed.broadcast(False)

    def refuse(self, reason: str) -> None:
        if self.checkpointer:
            self.checkpointer.refuse(reason)


def capture(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    generators: Mapping[str, torch.Generator],
    device: torch.device,
    distributed: DistributedContext = SINGLE_PROCESS,
) -> State:
    """Everything that training changes, but not copied: to be written out before the next step.

    Buffers are saved next to the model's state, which leaves some out (`persistent=False`). Each of several ranks has
    its own streams; everything else is the same on all.
    """
    streams = {
        "generators": {name: generator.get_state() for name, generator in generators.items()},
        "global streams": _global_streams(device),
    }
    return {
        "model": model.state_dict(),
        "buffers": dict(model.named_buffers()),
        "optimizer": optimizer.state_dict(),
        **streams,
        **({"ranks": distributed.all_gather(streams)} if distributed.is_distributed else {}),
    }


def restore(
    state: State,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    generators: Mapping[str, torch.Generator],
    device: torch.device,
    distributed: DistributedContext = SINGLE_PROCESS,
) -> None:
    """Put back what `capture` took into a model and an optimizer that were built in the same way."""
    model.load_state_dict(state["model"])
    with torch.no_grad():
        for name, buffer in model.named_buffers():
            buffer.copy_(state["buffers"][name])
    optimizer.load_state_dict(state["optimizer"])
    streams = state["ranks"][distributed.rank] if distributed.is_distributed else state
    for name, generator in generators.items():
        generator.set_state(streams["generators"][name])
    _set_global_streams(streams["global streams"], device)


def _global_streams(device: torch.device) -> State:
    """PyTorch's, Python's and NumPy's random states: dropout and a user-defined network draw from them."""
    algorithm, numbers, *position = np.random.get_state()
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
        "python": random.getstate(),
        "numpy": (algorithm, np.asarray(numbers).tolist(), *position),
    }


def _set_global_streams(state: State, device: torch.device) -> None:
    torch.set_rng_state(state["torch"])
    if device.type == "cuda":
        torch.cuda.set_rng_state(state["cuda"], device)
    random.setstate(state["python"])
    np.random.set_state(state["numpy"])
