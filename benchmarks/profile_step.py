"""Where does a training step spend its time? ``python benchmarks/profile_step.py``.

Our side of the trainings that are compared with peers: document B's customVGG in float32 and bfloat16, and the network
of document E's sweep at batches of 128, without and with augmentation. Each is the second of two epochs of
`bench.training.train_trial.train_trial` on some thousand images in one thread, under torch's profiler. Shown is the
share of the processor time that is spent in an operation itself, the largest eight.
"""

from __future__ import annotations

import warnings
from typing import Any

import torch
from cases import AUGMENTATION, CUSTOM_VGG, SWEEP_DEFAULTS, VGG_DEFAULTS, first, sweep_grid
from figures import configuration, load_now, show
from torch.profiler import ProfilerActivity, profile

from bench.data import load
from bench.data.dataset import Dataset
from bench.suite.trial import TrialConfig
from bench.training.epoch_progress import Progress
from bench.training.train_trial import train_trial

SHOWN = 8
SWEEP = SWEEP_DEFAULTS | {"validation": "none"}
VGG = configuration(CUSTOM_VGG, **VGG_DEFAULTS)
CASES: dict[str, tuple[dict[str, Any], int]] = {
    "customVGG, float32": (VGG, 1_280),
    "customVGG, bfloat16": (VGG | {"precision": "bfloat16"}, 1_280),
    "sweep": (configuration(sweep_grid(1e-3, 0.2, 128), **SWEEP), 24_064),
    "sweep, augmented": (configuration(sweep_grid(1e-3, 0.2, 128), **SWEEP, augmentation=AUGMENTATION), 24_064),
}
"""Configurations, and how many images are trained on: whole batches."""


def shares(config: dict[str, Any], data: Dataset) -> list[str]:
    """The operations that the second epoch spends most time in."""
    watched = profile(activities=[ProfilerActivity.CPU])

    def told(progress: Progress) -> None:
        if progress.epoch == 1:
            watched.start()
        else:
            watched.stop()

    train_trial(TrialConfig.from_json(config | {"epochs": 2}), 0, data, report=told)
    found = sorted(watched.key_averages(), key=lambda one: -one.self_cpu_time_total)
    whole = sum(one.self_cpu_time_total for one in found)
    return [f"{one.key.removeprefix('aten::')} {one.self_cpu_time_total / whole:.0%}" for one in found[:SHOWN]]


def main() -> None:
    warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
    torch.set_num_threads(1)
    data, before = load("fashion_mnist"), load_now()
    rows = [(name, ", ".join(shares(config, first(data, count)))) for name, (config, count) in CASES.items()]
    show("Self time by operation, one thread", ("training", "largest shares"), rows, before)


if __name__ == "__main__":
    main()
