"""A made-up ledger of any size, as a suite would have left it: what the scripts that measure the report read.

Images are blurred blobs, one kind per class; every trial has 30 epochs of five curves and predictions for 10,000 test
images, of which the hard ones are hard for all. Entries are as large as real ones, and their keys are the suite's.
"""

from __future__ import annotations

import math
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from bench.commands.load_suites import trials_of
from bench.ledger.entries import encode
from bench.ledger.ledger import Ledger
from bench.ledger.record import Record, Result, RunInfo
from bench.ledger.store import entry_path
from bench.metrics import Predictions
from bench.suite.suite import load_suite
from bench.suite.trial import Trial

EPOCHS, TRAINING, TEST, SHARE = 30, 20_000, 10_000, 100
PER_MODEL = 351
"""Configurations of the grid below for one model: 13 learning rates, 3 regularizers, 3 augmentations, 3 sizes."""

GRID = """
name: made
limit: 20000
defaults: {{dataset: {{name: npz, path: {images}}}, epochs: {epochs}, seeds: {seeds}}}
grid:
  model: {{name: mlp, hidden: {{grid: {hidden}}}}}
  optimizer: {{name: adam, lr: {{grid: {rates}}}}}
  regularizer: [none, {{name: l2, strength: 1e-3}}, {{name: dropout, rate: 0.5}}]
  augmentation: [none, flip, crop]
  batch_size: [64, 128, 256]
"""


@dataclass(frozen=True)
class Size:
    """How large a ledger: configurations with seeds each, classes, and images of `side` x `side` x `channels`."""

    configurations: int = 333
    seeds: int = 3
    classes: int = 10
    side: int = 28
    channels: int = 1

    @property
    def trials(self) -> int:
        return self.configurations * self.seeds


def write_suite(folder: Path, size: Size) -> Path:
    """The suite file, with one model more for every `PER_MODEL` configurations, beside the images it names."""
    folder.mkdir(parents=True, exist_ok=True)
    write_pictures(folder / "images.npz", size)
    models = math.ceil(size.configurations / PER_MODEL)
    text = GRID.format(
        images="images.npz",
        epochs=EPOCHS,
        seeds=size.seeds,
        hidden=[[32 * (number + 1)] for number in range(models)],
        rates=[round(1e-4 * number, 6) for number in range(1, 14)],
    )
    path = folder / "made.yaml"
    path.write_text(text)
    return path


def write_pictures(path: Path, size: Size) -> None:
    """Training and test images with labels, as a suite's `npz` data set."""
    random = np.random.default_rng(0)
    shape = (size.side, size.side, size.channels)
    coarse = random.random((size.classes, 7, 7, size.channels))
    near = np.arange(size.side) * 7 // size.side
    blobs = 200 * coarse[:, near][:, :, near]
    arrays: dict[str, Any] = {}
    for part, count in (("train", TRAINING), ("test", TEST)):
        labels = np.concatenate([np.arange(size.classes), random.integers(0, size.classes, count - size.classes)])
        noise = random.integers(0, 56, (count, *shape), dtype=np.uint8)
        arrays |= {f"{part}_images": blobs[labels].astype(np.uint8) + noise, f"{part}_labels": labels}
    np.savez(path, allow_pickle=False, classes=np.array([f"class {n}" for n in range(size.classes)]), **arrays)


def fill(folder: Path, size: Size) -> tuple[Path, Path]:
    """Write the suite and a ledger with all of its first `size.configurations`; where the two are.

    Entries are written straight to their places, for publishing syncs each to the disk; the index is there too.
    """
    suite, root = write_suite(folder, size), folder / "results"
    chosen = trials_of(load_suite(suite))[: size.trials]
    shares = [chosen[start : start + SHARE] for start in range(0, len(chosen), SHARE)]
    workers = len(os.sched_getaffinity(0))
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        list(pool.map(_write, shares, repeat(root), repeat(size)))
    Ledger(root).records()
    return suite, root


def _write(trials: list[Trial], root: Path, size: Size) -> None:
    hardness = np.random.default_rng(1).random(TEST)
    with np.load(root.parent / "images.npz") as images:
        labels = images["test_labels"].astype(np.uint8)
    for trial in trials:
        random = np.random.default_rng(int(trial.key, 16))
        said, accuracy = _answers(labels, hardness, 0.85 + 0.07 * np.sin(trial.group), size.classes, random)
        name, data = encode(_record(trial, accuracy, size.classes, random), said)
        path = root / entry_path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def _record(trial: Trial, accuracy: float, classes: int, random: np.random.Generator) -> Record:
    rising = accuracy - 0.3 * np.exp(-np.arange(EPOCHS) / 4) + random.normal(0, 0.003, EPOCHS)
    falling = 1.2 * np.exp(-np.arange(EPOCHS) / 6) + random.normal(0, 0.01, EPOCHS) + 0.2
    curves: dict[str, list[float | None]] = {
        "train_loss": falling.tolist(),
        "train_accuracy": (rising + 0.02).tolist(),
        "val_loss": (falling + 0.004 * np.arange(EPOCHS)).tolist(),
        "val_accuracy": rising.tolist(),
        "lr": [0.001] * EPOCHS,
    }
    figures = {"accuracy": accuracy, "loss": 0.3}
    names = [f"class {number}" for number in range(classes)]
    result = Result(curves, EPOCHS, EPOCHS, figures, figures, figures, names)
    measured = RunInfo(
        parameters=109_386,
        parameters_trainable=109_386,
        flops=218_000,
        train_seconds=float(random.uniform(10, 60)),
        evaluation_seconds=1.0,
        device="cpu",
        threads=1,
    )
    config, seed, group = trial.config.to_json(), trial.seed, trial.config_key
    return Record(trial.key, config, seed, "complete", result, measured, suite="made", config_key=group)


def _answers(
    labels: Any, hardness: Any, skill: float, classes: int, random: np.random.Generator
) -> tuple[Predictions, float]:
    """What a network says that is right on the easier images, with noise, and how often it is right."""
    right = hardness + random.normal(0, 0.05, TEST) < skill
    wrong = ((labels + random.choice([2, 4, 6], TEST)) % classes).astype(np.uint8)
    sure = (1 - random.random(TEST) ** 2 / 2).astype(np.float32)
    true = np.where(right, sure, (1 - sure) * random.random(TEST)).astype(np.float32)
    predicted = np.where(right, labels, wrong)
    probabilities = random.dirichlet(np.full(classes, 0.3), TEST) * (1 - sure[:, None])
    probabilities[np.arange(TEST), predicted] = sure
    probabilities = probabilities.astype(np.float16)
    said = Predictions(labels, predicted, sure, true, (~right).astype(np.uint8), probabilities)
    return said, float(right.mean())
