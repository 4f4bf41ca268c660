"""How long the page of a large suite takes, and how large it is: ``python benchmarks/report_page.py [--repeats N]``.

A made-up ledger of 333 configurations (optimizers, regularizers, batch sizes and augmentation) with 3 seeds each: 30
epochs of five curves, and predictions for 10,000 images of which the hard ones are hard for all. `bench report --html`
reads it as a process of its own, start-up included. The page's size is told with and without the libraries in it
(DataTables, Vega), which are the same in every page. Bounds: 20 s, and 3 MB beside the libraries.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import islice, product
from pathlib import Path
from typing import Any

import numpy as np
from figures import median_and_spread, show, verdict

from bench.ledger.ledger import Ledger
from bench.ledger.record import Measured, Predictions, Record, Result
from bench.suite.suite import load_suite

CONFIGURATIONS, SEEDS, EPOCHS, IMAGES, CLASSES = 333, 3, 30, 10_000, 10
LIBRARY = 60_000
"""Scripts of more characters are libraries; bench's own have a tenth of that."""

SUITE = """
name: large
defaults: {dataset: fashion_mnist, epochs: 30, seeds: 3}
grid:
  model: mlp
  optimizer: {name: adam, lr: {grid: [LRS]}}
  regularizer: [none, {name: l2, strength: 1e-3}, {name: dropout, rate: 0.5}]
  augmentation: [none, flip, crop]
  batch_size: [64, 128, 256]
"""


def configs(folder: Path) -> Iterator[dict[str, Any]]:
    """Configurations as a suite resolves them, one after the other."""
    path = folder / "large.yaml"
    path.write_text(SUITE.replace("LRS", ", ".join(f"{n}e-4" for n in range(1, 14))))
    yield from (config for config, _ in load_suite(path).configurations)


def fill(root: Path) -> None:
    """Publish the ledger's trials."""
    random = np.random.default_rng(0)
    labels = random.integers(0, CLASSES, IMAGES, dtype=np.uint8)
    hardness = random.random(IMAGES)
    ledger = Ledger(root)
    chosen = islice(configs(root.parent), CONFIGURATIONS)
    for (number, config), seed in product(enumerate(chosen), range(SEEDS)):
        skill = 0.85 + 0.07 * np.sin(number)
        said, accuracy = answers(labels, hardness, skill, random)
        rising = accuracy - 0.3 * np.exp(-np.arange(EPOCHS) / 4) + random.normal(0, 0.003, EPOCHS)
        falling = 1.2 * np.exp(-np.arange(EPOCHS) / 6) + random.normal(0, 0.01, EPOCHS) + 0.2
        curves = {
            "train_loss": falling.tolist(),
            "train_accuracy": (rising + 0.02).tolist(),
            "val_loss": (falling + 0.004 * np.arange(EPOCHS)).tolist(),
            "val_accuracy": rising.tolist(),
            "lr": [0.001] * EPOCHS,
        }
        figures = {"accuracy": accuracy, "loss": 0.3}
        key = hashlib.sha256(f"{number} {seed}".encode()).hexdigest()[:20]
        configuration = hashlib.sha256(f"{number}".encode()).hexdigest()[:20]
        measured = Measured(109_386, 109_386, 218_000, float(random.uniform(10, 60)), 1.0, device="cpu", threads=1)
        names = [f"class {one}" for one in range(CLASSES)]
        result = Result(curves, EPOCHS, EPOCHS, figures, figures, figures, names)
        record = Record(key, config, seed, "complete", result, measured, suite="large", configuration=configuration)
        ledger.publish(record, said)


def answers(labels: Any, hardness: Any, skill: float, random: np.random.Generator) -> tuple[Predictions, float]:
    """What a network says that is right on the easier images, with noise, and how often it is right."""
    right = hardness + random.normal(0, 0.05, IMAGES) < skill
    wrong = ((labels + random.choice([2, 4, 6], IMAGES)) % CLASSES).astype(np.uint8)
    sure = (1 - random.random(IMAGES) ** 2 / 2).astype(np.float32)
    true = np.where(right, sure, (1 - sure) * random.random(IMAGES)).astype(np.float32)
    said = Predictions(labels, np.where(right, labels, wrong), sure, true, (~right).astype(np.uint8))
    return said, float(right.mean())


def page(results: Path, out: Path) -> tuple[float, float, float, int, int]:
    """Seconds, CPU seconds, peak MiB, bytes in all and beside the libraries."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, "-m", "bench.cli", "report", "--html", "--results", results, "--out", out]
    subprocess.run(list(map(str, command)), check=True, stdout=subprocess.DEVNULL)
    took, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    text = (out / "leaderboard.html").read_text("utf-8")
    scripts = re.findall(r'<script type="module">(.*?)</script>', text, re.DOTALL)
    libraries = sum(len(one.encode()) for one in scripts if len(one) > LIBRARY)
    whole = len(text.encode())
    return took, spent, after.ru_maxrss / 1024, whole, whole - libraries


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results"
        fill(results)
        runs = [page(results, Path(folder)) for _ in range(parser.parse_args().repeats)]
    seconds, cpu, memory, whole, beside = zip(*runs, strict=True)
    show(
        f"The page of {CONFIGURATIONS * SEEDS:,} trials",
        ("what", "measured", "bound", "kept"),
        [
            ("seconds", median_and_spread(seconds), "20", verdict(max(seconds), 20, at_least=False)),
            ("CPU seconds", median_and_spread(cpu), "", ""),
            ("peak memory, MiB", median_and_spread(memory, ".0f"), "", ""),
            ("MB in all", f"{whole[0] / 1e6:.2f}", "", ""),
            ("MB beside the libraries", f"{beside[0] / 1e6:.2f}", "3", verdict(beside[0] / 1e6, 3, at_least=False)),
        ],
    )


if __name__ == "__main__":
    main()
