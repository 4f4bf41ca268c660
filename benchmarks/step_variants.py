"""What would make a training step faster? ``python benchmarks/step_variants.py [--repeats N]``.

Asked for the trainings that `profile_step.py` takes apart, and for the recipe of `suites/frontier.yaml`: what each of a
few changes gives, whether the product has it (channels last, memory that is kept within a trial), offers it
(`compile`, bfloat16) or does without it (images held as floats). A turn times every way once, the second of two
epochs of `bench.training.train_trial.train_trial` in one thread; the ratio is the median of the ratios within a turn.
With `compile` the first epoch is the one that compiles (caches on disk are off), and what it took more stands beside
it.

Augmentation by itself is timed for the images of one batch at a time, and for sixteen batches at once.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any
from unittest.mock import patch

os.environ["TORCHINDUCTOR_FORCE_DISABLE_CACHES"] = "1"  # read when torch is imported

import numpy as np
import torch
from cases import first
from figures import load_now, median_and_spread, show
from profile_step import CASES

from bench.data import load
from bench.data.dataset import Dataset
from bench.suite.find_suite import find_suite
from bench.suite.suite import load_suite
from bench.suite.trial import TrialConfig
from bench.training import augment, runtime, train_trial
from bench.training.epoch_progress import Progress

BATCH, AT_ONCE = 128, 16


@contextlib.contextmanager
def channels_first() -> Iterator[None]:
    build = train_trial._build
    with patch.object(train_trial, "_build", lambda *given: build(*given).to(memory_format=torch.contiguous_format)):
        yield


def memory_given_back() -> AbstractContextManager[object]:
    return patch.object(runtime, "_keep_freed_memory", lambda _: False)


@dataclass(frozen=True)
class Way:
    """How a training is run, other than as it is."""

    change: dict[str, Any] = field(default_factory=dict)
    within: Callable[[], AbstractContextManager[object]] = nullcontext
    floats: bool = False


PLAIN = "as it is"
COMPILE, BFLOAT16 = Way({"compile": True}), Way({"precision": "bfloat16"})
FIRST, BACK = Way(within=channels_first), Way(within=memory_given_back)
WAYS: dict[str, dict[str, Way]] = {
    "sweep": {"compile": COMPILE, "bfloat16": BFLOAT16, "images held as floats": Way(floats=True)},
    "customVGG, float32": {
        "compile": COMPILE, "bfloat16": BFLOAT16, "channels first": FIRST, "memory given back": BACK,
    },
    "recipe": {"compile": COMPILE, "channels first": FIRST, "memory given back": BACK},
}  # fmt: skip


def speed(config: dict[str, Any], data: Dataset, way: Way, device: str = "cpu") -> tuple[float, float]:
    """Images a second of the second epoch, and by how many seconds the first took longer."""
    if way.floats:
        data = replace(data, train_images=data.train_images.astype(np.float32) / np.float32(255))
    ends: list[float] = []

    def told(progress: Progress) -> None:
        ends.append(progress.train_seconds)

    with way.within():
        train_trial.train_trial(TrialConfig.from_json(config | way.change | {"epochs": 2}), 0, data, device, told)
    second = ends[1] - ends[0]
    return len(data.train_labels) / second, ends[0] - second


def augmentation(images: torch.Tensor, at_once: int) -> float:
    """Microseconds an image of the sweep's augmentation, drawn for so many images at once."""
    _, per_batch = augment.create_augmentation(TrialConfig.from_json(CASES["sweep, augmented"][0]).augmentation)
    assert per_batch is not None
    draws = torch.Generator().manual_seed(0)
    start = time.perf_counter()
    for part in torch.split(images, at_once):
        per_batch(part, draws)
    return 1e6 * (time.perf_counter() - start) / len(images)


def recipe() -> dict[str, Any]:
    """The first bfloat16 recipe of suites/frontier.yaml for two CPU cores."""
    configs = [config for config, _ in load_suite(find_suite("frontier")).configurations]
    return next(c for c in configs if c["model"]["name"] == "resnet9" and c["precision"] == "bfloat16")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
    torch.set_num_threads(1)
    data, before, rows = load("fashion_mnist"), load_now(), []
    cases = CASES | {"recipe": (recipe(), 2_560)}
    for name, ways in WAYS.items():
        config, count = cases[name]
        found: dict[str, list[tuple[float, float]]] = {}
        for _ in range(repeats):
            for way, how in ({PLAIN: Way()} | ways).items():
                found.setdefault(way, []).append(speed(config, first(data, count), how))
        for way, taken in found.items():
            ratios = [one[0] / plain[0] for one, plain in zip(taken, found[PLAIN], strict=True)]
            compiled = f"{statistics.median(seconds for _, seconds in taken):.0f}" if way == "compile" else ""
            speeds = median_and_spread([one for one, _ in taken], ",.0f")
            rows.append((name, way, speeds, "" if way == PLAIN else median_and_spread(ratios), compiled))
    images = torch.from_numpy(data.train_images[: BATCH * AT_ONCE * 4]).float().div_(255)
    apart: dict[int, list[float]] = {BATCH: [], BATCH * AT_ONCE: []}
    for _ in range(repeats + 1):
        for at_once, took in apart.items():
            took.append(augmentation(images, at_once))
    alone = [[f"{at_once:,}", median_and_spread(took[1:], ".1f")] for at_once, took in apart.items()]
    header = ("training", "way", "images/s", "over as it is", "s to compile")
    show(f"One thread, {repeats} turns; medians (smallest to largest)", header, rows, before)
    show("The sweep's augmentation alone, one thread", ("images at once", "microseconds an image"), alone, before)


if __name__ == "__main__":
    main()
