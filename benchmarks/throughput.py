"""What the machine's matrix units give, measured beside the trainings: the most that any of them could reach."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

SIZE = 2048
PICTURES, FILTERS, SIDE = 128, 128, 14
"""Of the convolution: images, channels in and out, rows and columns."""


def matrix_throughput(seconds: float = 1.0) -> dict[str, float]:
    """GF/s on two threads, float32 and bfloat16: the best that `seconds` of matrix products, and of convolutions, gave.

    A product of two 2048 x 2048 matrices, and the forward pass of a 3 x 3 convolution of 128 channels on 14 x 14.
    """
    import torch
    from torch.nn import functional as F

    torch.set_num_threads(2)
    found: dict[str, float] = {}
    for name, kind in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        left, right = torch.randn(SIZE, SIZE).to(kind), torch.randn(SIZE, SIZE).to(kind)
        last = torch.channels_last
        images = torch.randn(PICTURES, FILTERS, SIDE, SIDE).to(kind).to(memory_format=last)
        kernels = torch.randn(FILTERS, FILTERS, 3, 3).to(kind).to(memory_format=last)
        product = 2 * SIZE**3 / best_seconds(lambda a=left, b=right: a @ b, seconds)
        work = 2 * PICTURES * SIDE**2 * FILTERS**2 * 9
        convolution = work / best_seconds(lambda x=images, w=kernels: F.conv2d(x, w, padding=1), seconds)
        found[name] = max(product, convolution) / 1e9
    return found


def best_seconds(work: Callable[[], object], seconds: float) -> float:
    """The shortest time of many turns, in seconds."""
    work()
    best, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return best


def of_the_machine(measured: Sequence[dict[str, float]]) -> dict[str, float]:
    """The best of what several turns measured."""
    return {name: max(one[name] for one in measured) for name in measured[0]}


def training_gflops(forward_flops: int, pictures_per_second: float) -> float:
    """GF/s of a training: forward and twice that backward, for every image."""
    return 3 * forward_flops * pictures_per_second / 1e9


def line(machine: dict[str, float]) -> str:
    """The sentence under a table."""
    return "The machine's matrix throughput (the best product or convolution of this run, two threads): " + ", ".join(
        f"{value:,.0f} GF/s {name}" for name, value in machine.items()
    )
