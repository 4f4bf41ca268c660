"""One seed, several independent streams: changing what one part draws changes nothing in the others."""

from __future__ import annotations

import hashlib
from typing import Literal

import torch

Stream = Literal["init", "order", "augmentation", "static augmentation", "dropout"]


def stream_seed(seed: int, stream: Stream) -> int:
    """A 63-bit seed for one stream of a trial's seed."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{stream}".encode()).digest()[:8], "big") >> 1


def generator(seed: int, stream: Stream, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator of its own for one stream, on the device whose kernels draw from it."""
    return torch.Generator(device=device).manual_seed(stream_seed(seed, stream))
