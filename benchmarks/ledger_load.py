"""How long a ledger of N entries takes to load, with its index and without: ``python benchmarks/ledger_load.py [N]``.

Entries have 30 epochs of five curves and the predictions of 10,000 test images, without their class probabilities
(another 200 kB of ten classes).
"""

from __future__ import annotations

import argparse
import hashlib
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from bench.ledger.entries import encode
from bench.ledger.ledger import Ledger
from bench.ledger.record import Record, Result, RunInfo
from bench.ledger.store import INDEX, entry_path
from bench.metrics import Predictions

EPOCHS, PICTURES = 30, 10_000
CURVES = ("train_loss", "train_accuracy", "val_loss", "val_accuracy", "lr")
CONFIG = {
    "dataset": {"name": "fashion_mnist"},
    "preprocessing": {"name": "unit"},
    "model": {"name": "mlp", "hidden": [128, 64], "activation": "relu", "batch_norm": False, "dropout": 0.0},
    "optimizer": {"name": "adam", "lr": 0.001, "betas": [0.9, 0.999], "eps": 1e-08, "weight_decay": 0.0},
    "schedule": {"name": "constant"},
    "loss": {"name": "cross_entropy"},
    "regularizer": [{"name": "l2", "strength": 0.001, "layers": "hidden"}],
    "augmentation": [{"name": "flip", "static": False, "p": 0.5}],
    "batch_size": 256,
    "epochs": EPOCHS,
    "validation": {"tail": 0.2},
}
VERSIONS = {"python": "3.12.3", "torch": "2.8.0", "numpy": "2.3.1", "ray": "2.50.0", "timm": "1.0.20"}


def synthetic_record(number: int, random: np.random.Generator) -> Record:
    figures: dict[str, list[float | None]] = {name: random.random(EPOCHS).tolist() for name in CURVES}
    metrics = {"accuracy": random.random(), "loss": random.random()}
    return Record(
        key=hashlib.sha256(str(number).encode()).hexdigest()[:20],
        config=CONFIG,
        seed=number,
        status="complete",
        result=Result(figures, EPOCHS, EPOCHS, metrics, metrics, metrics, [f"class {i}" for i in range(10)]),
        run_info=RunInfo(parameters=109_386, device="cpu", versions=VERSIONS, finished="2025-01-01T00:00:00+00:00"),
        suite="benchmark",
    )


def synthetic_predictions(random: np.random.Generator) -> Predictions:
    labels = random.integers(0, 10, PICTURES, dtype=np.uint8)
    right = random.random(PICTURES) < 0.9
    confidence = (1 - random.random(PICTURES) ** 3 / 2).astype(np.float32)
    predicted = np.where(right, labels, (labels + 1) % 10).astype(np.uint8)
    probabilities = np.repeat(((1 - confidence) / 9)[:, None], 10, axis=1).astype(np.float16)
    probabilities[np.arange(PICTURES), predicted] = confidence
    return Predictions(
        labels=labels,
        predicted=predicted,
        confidence=confidence,
        true_class_probability=np.where(right, confidence, 1 - confidence).astype(np.float32),
        true_rank=(~right).astype(np.uint8),
        probabilities=probabilities,
    )


def fill(root: Path, entries: int) -> int:
    """Write the entries straight to their places (publishing syncs each to the disk) and return their bytes."""
    random = np.random.default_rng(0)
    some = [synthetic_predictions(random) for _ in range(8)]
    total = 0
    for number in range(entries):
        name, data = encode(synthetic_record(number, random), some[number % len(some)])
        path = root / entry_path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        total += len(data)
    return total


def seconds_to_load(root: Path, entries: int) -> float:
    start = time.perf_counter()
    found = len(Ledger(root).records())
    seconds = time.perf_counter() - start
    if found != entries:
        sys.exit(f"{found} of {entries} entries were read")
    return seconds


def seconds_to_publish(root: Path, entries: int, times: int = 50) -> float:
    random = np.random.default_rng(1)
    ledger = Ledger(root)
    predictions = synthetic_predictions(random)
    records = [synthetic_record(entries + i, random) for i in range(times)]
    start = time.perf_counter()
    for record in records:
        ledger.publish(record, predictions)
    return (time.perf_counter() - start) / times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("entries", type=int, nargs="?", default=10_000)
    entries = parser.parse_args().entries
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        size = fill(root, entries)
        without = seconds_to_load(root, entries)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with_index = min(seconds_to_load(root, entries) for _ in range(3))
        index = (root / INDEX).stat().st_size
        publish = seconds_to_publish(root, entries)
    print(f"entries                  {entries:10,}")
    print(f"load with the index      {with_index:10.2f} s")
    print(f"load without it          {without:10.2f} s   (and writes it: {without / with_index:.1f} times as long)")
    print(f"bytes per entry          {size / entries:10,.0f}")
    print(f"index bytes per entry    {index / entries:10,.0f}")
    print(f"peak memory              {before / 1024:10,.0f} MiB")
    print(f"publish one, synced      {publish * 1000:10.1f} ms")


if __name__ == "__main__":
    main()
