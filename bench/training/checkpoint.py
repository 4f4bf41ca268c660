"""A training in the middle of its budget as tensors and plain values, and back; knows nothing of files."""

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
"""Tensors, numbers, texts, None, and lists, tuples and dicts of them: to read one back nothing is ever unpickled."""

Save = Callable[[Callable[[], State]], None]
"""Called after an epoch that is not the last with a function that gives the state, should it be wanted by then."""


class Checkpointer(Protocol):
    """Who keeps a trial's latest state; `bench.execution.checkpoints.Checkpoint` does so in a file."""

    def load(self) -> State | None:
        """The state to go on from; None to start at the beginning."""

    def save(self, state: Callable[[], State]) -> None:
        """Keep a state in place of the one before, if it is time for that."""

    def refuse(self, reason: str) -> None:
        """The state given by `load` does not fit its trial, which starts at the beginning."""


class UnfitStateError(Exception):
    """A state that is not one of this trial, as this version trains it."""


@dataclass(frozen=True)
class SharedCheckpointer:
    """A keeper for all ranks of a trial: rank 0 has the one that keeps, and every rank's streams are kept with it."""

    keeper: Checkpointer | None
    ranks: DistributedContext

    def load(self) -> State | None:
        return self.ranks.told(self.keeper.load() if self.keeper else None)

    def save(self, state: Callable[[], State]) -> None:
        """Rank 0's keeper says whether it is time; a state then takes all ranks."""
        asked = False

        def whole() -> State:
            nonlocal asked
            asked = self.ranks.told(True)
            return state()

        if self.ranks.rank:
            if self.ranks.told(False):
                state()
            return
        if self.keeper:
            self.keeper.save(whole)
        if not asked:
            self.ranks.told(False)

    def refuse(self, reason: str) -> None:
        if self.keeper:
            self.keeper.refuse(reason)


def capture(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    generators: Mapping[str, torch.Generator],
    device: torch.device,
    ranks: DistributedContext = SINGLE_PROCESS,
) -> State:
    """Everything that training changes, but not copied: to be written out before the next step.

    Buffers stand beside the model's own state, which leaves some out (`persistent=False`). Of several ranks each has
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
        **({"ranks": ranks.gathered(streams)} if ranks.several else {}),
    }


def restore(
    state: State,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    generators: Mapping[str, torch.Generator],
    device: torch.device,
    ranks: DistributedContext = SINGLE_PROCESS,
) -> None:
    """Put back what `capture` took into a model and an optimizer made as they were then."""
    model.load_state_dict(state["model"])
    with torch.no_grad():
        for name, buffer in model.named_buffers():
            buffer.copy_(state["buffers"][name])
    optimizer.load_state_dict(state["optimizer"])
    streams = state["ranks"][ranks.rank] if ranks.several else state
    for name, generator in generators.items():
        generator.set_state(streams["generators"][name])
    _set_global_streams(streams["global streams"], device)


def _global_streams(device: torch.device) -> State:
    """PyTorch's streams, Python's and NumPy's: dropout and a user's own network draw from them."""
    kind, numbers, *rest = np.random.get_state()
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
        "python": random.getstate(),
        "numpy": (kind, np.asarray(numbers).tolist(), *rest),
    }


def _set_global_streams(state: State, device: torch.device) -> None:
    torch.set_rng_state(state["torch"])
    if device.type == "cuda":
        torch.cuda.set_rng_state(state["cuda"], device)
    random.setstate(state["python"])
    np.random.set_state(state["numpy"])
