"""What the machine's matrix units give, measured beside the trainings: the most that any of them could reach."""

from __future__ import annotations

import time
from collections.abc import Sequence

SIZE = 2048


def matrix_throughput(seconds: float = 1.0) -> dict[str, float]:
    """GF/s of a product of two 2048 x 2048 matrices on two threads, float32 and bfloat16: the best of `seconds`."""
    import torch

    torch.set_num_threads(2)
    found: dict[str, float] = {}
    for name, kind in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        left, right = torch.randn(SIZE, SIZE).to(kind), torch.randn(SIZE, SIZE).to(kind)
        _ = left @ right
        best, end = float("inf"), time.perf_counter() + seconds
        while time.perf_counter() < end:
            start = time.perf_counter()
            _ = left @ right
            best = min(best, time.perf_counter() - start)
        found[name] = 2 * SIZE**3 / best / 1e9
    return found


def of_the_machine(measured: Sequence[dict[str, float]]) -> dict[str, float]:
    """The best of what several turns measured."""
    return {name: max(one[name] for one in measured) for name in measured[0]}


def training_gflops(forward_flops: int, pictures_per_second: float) -> float:
    """GF/s of a training: forward and twice that backward, for every picture."""
    return 3 * forward_flops * pictures_per_second / 1e9


def line(machine: dict[str, float]) -> str:
    """The sentence under a table."""
    return f"A {SIZE} x {SIZE} product on two threads, the best of all turns of this run: " + ", ".join(
        f"{value:,.0f} GF/s {name}" for name, value in machine.items()
    )
