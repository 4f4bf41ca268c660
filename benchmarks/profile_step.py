"""Where does a training step spend its time? ``python benchmarks/profile_step.py``.

The trainings that are compared with peers: document B's customVGG at batches of 64, in float32 and bfloat16, and the
network of document E's sweep at batches of 128, without and with augmentation. Each is one epoch of
`bench.training.fit.fit` over some thousand images in one thread, under torch's profiler after one that does not count.
Shown is the share of the processor time that is spent in an operation itself, the largest eight.
"""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path
from typing import Any

import torch
from figures import load_now, show, write_suite

from bench.data import load
from bench.data.dataset import Dataset
from bench.models.create import create
from bench.suite.suite import load_suite
from bench.training.fit import Pictures, fit
from bench.training.machine import settings
from bench.training.regularizers import combine

SHOWN = 8
VGG = {
    "model": {"name": "vgg", "batch_norm": "between", "init": "keras"}, "batch_size": 64,
    "optimizer": {"name": "sgd", "lr": 0.01, "momentum": 0.9},
}  # fmt: skip
SWEEP = {"model": {"name": "mlp", "hidden": [128, 64]}, "batch_size": 128, "optimizer": "adam",
         "regularizer": {"combine": [{"name": "l2", "strength": 1e-3}, {"name": "dropout", "rate": 0.2}]}}  # fmt: skip
AUGMENTED = {"augmentation": {"combine": ["flip", {"name": "crop", "padding": 2}, "random_erasing"]}}
CASES: dict[str, tuple[dict[str, Any], int]] = {
    "customVGG, float32": (VGG, 1_280),
    "customVGG, bfloat16": (VGG | {"precision": "bfloat16"}, 1_280),
    "sweep": (SWEEP, 24_000),
    "sweep, augmented": (SWEEP | AUGMENTED, 24_000),
}
"""Configurations, and how many images are trained on."""


def configuration(case: dict[str, Any]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        defaults = {"dataset": "fashion_mnist", "epochs": 1, "validation": "none"}
        return load_suite(write_suite(Path(folder), case, defaults)).configurations[0][0]


def epoch(config: dict[str, Any], data: Dataset, count: int) -> None:
    """Train a fresh network on the first `count` images once."""
    effects = combine(config["regularizer"])
    torch.manual_seed(0)
    model = create(config["model"], (1, 28, 28), 10, overrides=effects.model).to(memory_format=torch.channels_last)
    images, labels = torch.from_numpy(data.train_images[:count]), torch.from_numpy(data.train_labels[:count]).long()
    nothing = torch.arange(0)
    fit(model, config, 0, Pictures(images, labels, 10, torch.arange(count), nothing), effects)


def main() -> None:
    warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
    torch.set_num_threads(1)
    data, before, rows = load("fashion_mnist"), load_now(), []
    for name, (case, count) in CASES.items():
        config = configuration(case)
        with settings(deterministic=False):
            epoch(config, data, count)
            with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
                epoch(config, data, count)
        found = sorted(profile.key_averages(), key=lambda one: -one.self_cpu_time_total)
        whole = sum(one.self_cpu_time_total for one in found)
        shares = [f"{one.key.removeprefix('aten::')} {one.self_cpu_time_total / whole:.0%}" for one in found[:SHOWN]]
        rows.append((name, ", ".join(shares)))
    show("Self time by operation, one thread", ("training", "largest shares"), rows, before)


if __name__ == "__main__":
    main()
