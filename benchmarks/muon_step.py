"""What does Muon's `ns_dtype` cost here? ``python benchmarks/muon_step.py [--repeats N]``.

Claim: where a processor has no units for bfloat16, a step of Muon in it takes many times as long as in float32. Timed
in one thread: the optimizer's step alone, for the convolutions of the first bfloat16 recipe of `suites/frontier.yaml`,
both types in turn.
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch
from figures import load_now, median_and_spread, show
from step_variants import recipe

from bench.models.resnets import resnet9
from bench.training.muon import Muon

DTYPES = ("float32", "bfloat16")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    before = load_now()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    settings = {key: value for key, value in recipe()["model"].items() if key != "name"}
    parameters = list(resnet9((1, 28, 28), 10, **settings).parameters())
    for parameter in parameters:
        parameter.grad = torch.randn_like(parameter)
    optimizers = {dtype: Muon(parameters, lr=0.02, nesterov=True, ns_dtype=dtype) for dtype in DTYPES}
    seconds: dict[str, list[float]] = {dtype: [] for dtype in DTYPES}
    for turn in range(repeats + 1):
        for dtype, optimizer in optimizers.items():
            start = time.perf_counter()
            optimizer.step()
            if turn:  # the first is to warm up
                seconds[dtype].append(time.perf_counter() - start)
    fastest = statistics.median(seconds[DTYPES[0]])
    rows = [
        (dtype, median_and_spread([1e3 * one for one in taken], ".1f"), f"{statistics.median(taken) / fastest:.1f}")
        for dtype, taken in seconds.items()
    ]
    count = sum(parameter.numel() for parameter in parameters)
    header = ("ns_dtype", "ms a step", "times as long as in float32")
    show(f"A step of Muon for {count:,} parameters, one thread", header, rows, before)


if __name__ == "__main__":
    main()
