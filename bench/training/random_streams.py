"""One seed, several independent streams: changing what one part draws changes nothing in the others."""

from __future__ import annotations

import contextlib
import hashlib
import random
from collections.abc import Iterator
from typing import Literal

import numpy as np
import torch

Stream = Literal[
    "regularizer",
    "preprocessing",
    "init",
    "order",
    "augmentation",
    "static augmentation",
    "static augmentation of validation",
    "dropout",
]


def stream_seed(seed: int, stream: Stream, rank: int = 0) -> int:
    """A 63-bit seed for one stream of a trial's seed; each further rank of a trial of several workers has its own."""
    name = f"{seed}/{stream}" if rank == 0 else f"{seed}/{stream}/{rank}"
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") >> 1


def generator(seed: int, stream: Stream, device: torch.device | str = "cpu", rank: int = 0) -> torch.Generator:
    """A generator of its own for one stream, on the device whose kernels draw from it."""
    return torch.Generator(device=device).manual_seed(stream_seed(seed, stream, rank))


def seed_global_streams(seed: int, stream: Stream, rank: int = 0) -> None:
    """Seed what draws without being given a generator: PyTorch's stream, Python's and NumPy's."""
    value = stream_seed(seed, stream, rank)
    torch.manual_seed(value)
    random.seed(value)
    np.random.seed(value % 2**32)  # its seeds have 32 bits


@contextlib.contextmanager
def global_streams_kept() -> Iterator[None]:
    """Leave Python's and NumPy's streams as they were, since others in this process draw from them."""
    python, numpy = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
