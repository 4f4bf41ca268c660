"""What does bfloat16 cost on this processor? Without units for it, it is emulated, many times as slow as float32."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from bench import library_cache
from bench.system import gpu_count, processor_name

if TYPE_CHECKING:
    from bench.suite.trial import Trial

SLOWER = 1.3
"""A precision that takes this many times as long as float32 is worth a warning."""
REPEATS = 3
"""The fastest of these counts: what else the machine does only ever adds time."""


@dataclass(frozen=True)
class PrecisionCost:
    """Time of bfloat16 as a multiple of that of float32, forward and backward, with one thread.

    `product` is of dense layers (256 images, 784 to 512 features), `convolution` of 3 x 3 ones (32 images of 28 x 28,
    32 to 32 channels).
    """

    product: float
    convolution: float

    @property
    def is_slower(self) -> bool:
        return max(self.product, self.convolution) >= SLOWER

    def __str__(self) -> str:
        product, convolution = (f"{factor:.2g} times" for factor in (self.product, self.convolution))
        return f"a dense layer takes {product} and a convolution {convolution} as long as in float32"


def precision_cost() -> PrecisionCost:
    """Measured in a few seconds, once per machine and version of torch; then from the user cache."""
    # The variable is oneDNN's own: it hides units that the processor has.
    question = f"cost of bfloat16 on {processor_name()} {os.environ.get('ONEDNN_MAX_CPU_ISA', '')}"
    cost = library_cache.recall(question)
    if cost is not None:
        return PrecisionCost(**cost)
    measured = measure()
    library_cache.remember({question: asdict(measured)})
    return measured


def measure() -> PrecisionCost:
    """As `PrecisionCost` says, on the CPU; torch's streams and threads are as before."""
    import torch
    from torch import nn

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            layers: tuple[tuple[nn.Module, torch.Tensor], ...] = (
                (nn.Linear(784, 512), torch.rand(256, 784)),
                (nn.Conv2d(32, 32, 3, padding=1), torch.rand(32, 32, 28, 28)),
            )

            def seconds(layer: nn.Module, images: torch.Tensor, autocast: bool) -> float:
                def step() -> None:
                    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
                        output = layer(images)
                    output.float().sum().backward()

                return _fastest(step)

            product, convolution = (
                seconds(layer, images, True) / seconds(layer, images, False) for layer, images in layers
            )
            return PrecisionCost(product, convolution)
    finally:
        torch.set_num_threads(threads)


def precision_warning(trials: Iterable[Trial], gpus_per_trial: float | None) -> str | None:
    """A line where trials would train in an emulated precision on this machine's CPUs, with what avoids it."""
    if gpus_per_trial != 0 and gpu_count() > 0:
        return None
    configs = [trial.config for trial in trials]
    in_bfloat16 = any(config.precision == "bfloat16" for config in configs)
    with_muon = any(getattr(config.optimizer, "ns_dtype", None) == "bfloat16" for config in configs)
    if not in_bfloat16 and not with_muon:
        return None
    cost = precision_cost()
    advice = []
    if in_bfloat16 and cost.is_slower:
        advice.append("--set precision=float32 trains in float32, as trials of their own")
    if with_muon and cost.product >= SLOWER:
        advice.append("an optimizer without `ns_dtype: bfloat16` multiplies in float32, as trials of their own")
    if not advice:
        return None
    return f"precision: bfloat16 is emulated on this processor ({processor_name()}): {cost}; {'; '.join(advice)}"


def _fastest(step: Callable[[], None]) -> float:
    step()
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return min(times)
