"""What would make a training step faster? ``python benchmarks/step_variants.py [--repeats N]``.

Asked for the trainings that `profile_step.py` takes apart, and for the recipe of `suites/frontier.yaml`: what each of a
few changes would give, whether the product has them (the memory format, memory that is kept, bfloat16), offers them
(`compile`) or does without them (pictures held as floats). A turn times every way once, an epoch of
`bench.training.fit.fit` in one thread after one that does not count; the ratio is the median of the ratios within a
turn. A compiled step is timed when it is compiled; the seconds that took stand beside it.

Augmentation by itself is timed for pictures of one batch at a time, and for sixteen batches at once.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import time
import warnings
from dataclasses import dataclass, replace
from typing import Any

import torch
from figures import load_now, median_and_spread, show
from profile_step import AUGMENTED, SWEEP, VGG, configuration

from bench.data import load
from bench.data.dataset import Dataset
from bench.models.create import create
from bench.training import augment
from bench.training.fit import Pictures, Progress, fit
from bench.training.machine import settings
from bench.training.regularizers import combine

RECIPE = {
    "model": {"name": "resnet9", "filters": [24, 64, 128, 192], "residual": [2, 3]}, "batch_size": 256,
    "optimizer": {"name": "sgd", "lr": 0.1, "momentum": 0.9}, "precision": "bfloat16",
}  # fmt: skip


@dataclass(frozen=True)
class Way:
    """How a training is run: `channels_last` and `kept` memory are the product's own ways, `floats` is not."""

    change: dict[str, Any]
    channels_last: bool = True
    kept: bool = True
    floats: bool = False


PLAIN = Way({})
COMPILED, BFLOAT16 = replace(PLAIN, change={"compile": True}), replace(PLAIN, change={"precision": "bfloat16"})
FLOATS = replace(PLAIN, floats=True)
WITHOUT_FORMAT, WITHOUT_KEPT = replace(PLAIN, channels_last=False), replace(PLAIN, kept=False)
CASES: dict[str, tuple[dict[str, Any], int, dict[str, Way]]] = {
    "sweep": (SWEEP, 24_000, {"compile": COMPILED, "bfloat16": BFLOAT16, "pictures held as floats": FLOATS}),
    "customVGG, float32": (
        VGG, 640,
        {"compile": COMPILED, "bfloat16": BFLOAT16, "channels first": WITHOUT_FORMAT, "memory not kept": WITHOUT_KEPT},
    ),
    "recipe, bfloat16": (
        RECIPE, 2_560,
        {"compile": COMPILED, "channels first": WITHOUT_FORMAT, "memory not kept": WITHOUT_KEPT},
    ),
}  # fmt: skip
"""Configuration, images, and the ways to be held against the plain one."""

BATCH, AT_ONCE = 128, 16


def speed(config: dict[str, Any], data: Dataset, count: int, way: Way) -> tuple[float, float]:
    """Images a second of the second epoch on the first `count` images, and the seconds of the first."""
    config = config | way.change | {"epochs": 2}
    effects = combine(config["regularizer"])
    torch.manual_seed(0)
    model = create(config["model"], (1, 28, 28), 10, overrides=effects.model)
    if way.channels_last:
        model = model.to(memory_format=torch.channels_last)
    images, labels = torch.from_numpy(data.train_images[:count]), torch.from_numpy(data.train_labels[:count]).long()
    if way.floats:
        images = images.float().div_(255)
    pictures = Pictures(images, labels, 10, torch.arange(count), torch.arange(0))
    ends: list[float] = []

    def note(progress: Progress) -> None:
        ends.append(progress.train_seconds)

    with settings(deterministic=False) if way.kept else contextlib.nullcontext():
        torch.set_flush_denormal(True)
        fit(model, config, 0, pictures, effects, note)
    return count / (ends[1] - ends[0]), ends[0]


def augmentation(images: torch.Tensor, at_once: int) -> float:
    """Microseconds a picture of the sweep's augmentation, drawn for so many pictures at once."""
    _, per_batch = augment.build(configuration(SWEEP | AUGMENTED)["augmentation"])
    assert per_batch is not None
    draws = torch.Generator().manual_seed(0)
    start = time.perf_counter()
    for part in torch.split(images, at_once):
        per_batch(part, draws)
    return 1e6 * (time.perf_counter() - start) / len(images)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
    torch.set_num_threads(1)
    data, before, rows = load("fashion_mnist"), load_now(), []
    for name, (case, count, ways) in CASES.items():
        config = configuration(case)
        found: dict[str, list[tuple[float, float]]] = {}
        for _ in range(repeats):
            for way, how in ({"": PLAIN} | ways).items():
                found.setdefault(way, []).append(speed(config, data, count, how))
        for way, taken in found.items():
            ratios = [one[0] / plain[0] for one, plain in zip(taken, found[""], strict=True)]
            compiled = f"{statistics.median(first for _, first in taken):.0f}" if way == "compile" else ""
            speeds = median_and_spread([one for one, _ in taken], ",.0f")
            rows.append((name, way or "as it is", speeds, median_and_spread(ratios) if way else "", compiled))
    images = torch.from_numpy(data.train_images[: BATCH * AT_ONCE * 4]).float().div_(255)
    apart: dict[int, list[float]] = {BATCH: [], BATCH * AT_ONCE: []}
    for _ in range(repeats + 1):
        for at_once, took in apart.items():
            took.append(augmentation(images, at_once))
    alone = [[f"{at_once:,}", median_and_spread(took[1:], ".1f")] for at_once, took in apart.items()]
    header = ("training", "way", "images/s", "over as it is", "s of the first epoch")
    show(f"One thread, {repeats} turns; medians (smallest to largest)", header, rows, before)
    show("The sweep's augmentation alone, one thread", ("pictures at once", "microseconds a picture"), alone, before)


if __name__ == "__main__":
    main()
