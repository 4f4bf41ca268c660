"""Is the training loop as fast as a bare PyTorch loop? ``python benchmarks/training_loop.py [--repeats N]``.

Claim: `bench.training.train_trial.train_trial` trains at least 0.95 times as many images per second as a bare loop of
the same network, batch size and optimizer, in one thread on a CPU: for the 784-128-64-10 network with Adam and batches
of 256, and for one convolution block (32 channels of 5 x 5, dropout 0.2) with SGD and batches of 64.

The bare loop is what a good practitioner writes: float32 images ready in memory, a `randperm` cut into batches, no
figures, no copy of the images per epoch. It stands here three times: as PyTorch comes, with `fused=True`, and with
the channels last too; ours does both of these, and has bytes instead of floats, a training loss and accuracy, and
deterministic algorithms. Seconds are `Outcome.train_seconds`, which leave evaluation out, and the same of the bare
loop. All are measured in turn, --repeats times after one that does not count, in one process. The ratio is the
median of the ratios within a turn.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from collections.abc import Callable
from typing import Any

import torch
from cases import first
from figures import configuration, load_now, median_and_spread, show, verdict
from torch import Tensor, nn
from torch.nn import functional as F

from bench.data import load
from bench.data.dataset import Dataset
from bench.suite.trial import TrialConfig
from bench.training.train_trial import train_trial

BOUND = 0.95


def mlp() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10))


def conv2d() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 32, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.2),
        nn.Flatten(), nn.Linear(32 * 12 * 12, 128), nn.ReLU(), nn.Linear(128, 10),
    )  # fmt: skip


def adam(model: nn.Module, fused: bool) -> torch.optim.Optimizer:
    return torch.optim.Adam(model.parameters(), lr=1e-3, fused=fused or None)


def sgd(model: nn.Module, fused: bool) -> torch.optim.Optimizer:
    return torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, fused=fused or None)


CASES: dict[str, dict[str, Any]] = {
    "784-128-64-10, batch 256": {
        "build": mlp, "optimizer": adam, "batch_size": 256, "images": 60_000,
        "model": {"name": "mlp", "hidden": [128, 64]}, "ours": {"name": "adam", "lr": 1e-3},
    },
    "conv2D, batch 64": {
        "build": conv2d, "optimizer": sgd, "batch_size": 64, "images": 12_000,
        "model": {"name": "cnn", "channels": [32], "kernel": 5, "padding": "valid", "hidden": [128], "dropout": 0.2},
        "ours": {"name": "sgd", "lr": 0.01, "momentum": 0.9},
    },
}  # fmt: skip


def bare_seconds(case: dict[str, Any], images: Tensor, labels: Tensor, fused: bool, channels_last: bool) -> float:
    """One epoch of the loop that is compared with."""
    torch.manual_seed(0)
    model = case["build"]()
    if channels_last:
        model = model.to(memory_format=torch.channels_last)
    optimizer = case["optimizer"](model, fused)
    model.train()
    start = time.perf_counter()
    for index in torch.split(torch.randperm(len(images)), case["batch_size"]):
        loss = F.cross_entropy(model(images[index]), labels[index])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return time.perf_counter() - start


def measure(case: dict[str, Any], data: Dataset, repeats: int) -> dict[str, list[float]]:
    """Images per second of ours and of each bare loop, in the order of the turns."""
    count = case["images"]
    data = first(data, count, test=250)
    config = configuration({"model": case["model"], "optimizer": case["ours"]}, batch_size=case["batch_size"])
    images = torch.from_numpy(data.train_images).float() / 255
    labels = torch.from_numpy(data.train_labels)
    loops: dict[str, Callable[[], float]] = {
        "bench": lambda: train_trial(TrialConfig.from_json(config), 0, data).train_seconds,
        "bare": lambda: bare_seconds(case, images, labels, fused=False, channels_last=False),
        "bare, fused": lambda: bare_seconds(case, images, labels, fused=True, channels_last=False),
        "bare, fused, channels last": lambda: bare_seconds(case, images, labels, fused=True, channels_last=True),
    }
    turns = [{name: count / loop() for name, loop in loops.items()} for _ in range(repeats + 1)][1:]
    return {name: [turn[name] for turn in turns] for name in loops}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=9)
    repeats = parser.parse_args().repeats
    warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
    torch.set_num_threads(1)
    load_before, data, rows = load_now(), load("fashion_mnist"), []
    for title, case in CASES.items():
        speeds = measure(case, data, repeats)
        for name, speed in speeds.items():
            ratios = [ours / theirs for ours, theirs in zip(speeds["bench"], speed, strict=True)]
            compared = name != "bench"
            rows.append((
                title, name, median_and_spread(speed, ",.0f"),
                median_and_spread(ratios) if compared else "",
                verdict(statistics.median(ratios), BOUND, at_least=True) if compared else "",
            ))  # fmt: skip
    header = ("network", "loop", "images/s", "bench / loop", f">= {BOUND}")
    show(f"Training, one thread, median of {repeats} turns (smallest to largest)", header, rows, load_before)


if __name__ == "__main__":
    main()
