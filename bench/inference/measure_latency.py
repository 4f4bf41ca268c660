"""How long does a forward pass take? Seconds per batch on this machine, warmed up, one pass at a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from bench.training.network import ImageClassifier

BATCHES = (1, 256)
WARM_UP_SECONDS = 0.3
WARM_UP_PASSES = 5
MEASURED_SECONDS = 2.0
PASSES = (30, 1000)
"""Timed passes, at least and at most; in between `MEASURED_SECONDS` decide. A 99th percentile of 30 is nearly the
largest."""


@dataclass(frozen=True)
class Latency:
    """Of one batch size: milliseconds of a pass, and images per second by the median."""

    batch: int
    passes: int
    median_ms: float
    p99_ms: float
    images_per_second: float


def measure_latency(classifier: ImageClassifier, batch: int, device: str, seconds: float = MEASURED_SECONDS) -> Latency:
    """Time passes over one batch of random uint8 images that are on the device, until the logits are computed."""
    import torch

    channels, height, width = classifier.image_shape
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (batch, height, width, channels), generator=generator, dtype=torch.uint8).to(device)
    model = classifier.to(device)

    def run() -> float:
        start = time.perf_counter()
        model(images)
        if images.device.type == "cuda":
            torch.cuda.synchronize(images.device)
        return time.perf_counter() - start

    with torch.inference_mode():
        _repeat(run, WARM_UP_PASSES, 10**6, min(WARM_UP_SECONDS, seconds))
        times = _repeat(run, *PASSES, seconds)
    median = float(np.median(times))
    return Latency(batch, len(times), 1000 * median, 1000 * float(np.quantile(times, 0.99)), batch / median)


def _repeat(run: Callable[[], float], least: int, most: int, seconds: float) -> list[float]:
    times: list[float] = []
    while len(times) < least or (sum(times) < seconds and len(times) < most):
        times.append(run())
    return times
