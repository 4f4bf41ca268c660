"""A suite of two small networks on made images of three classes, and the ledger of its run with weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SUITE = """
name: tiny
defaults:
  dataset: {name: npz, path: data.npz}
  epochs: 2
  batch_size: 32
  validation: {tail: 0.2}
  seeds: 2
grid:
  - model: [{name: mlp, hidden: [2]}, {name: mlp, hidden: [32]}]
    preprocessing: standardize
"""
CONFIRMED = f"confirm: 2\n{SUITE}"


def made_arrays(channels: int = 1, size: int = 12) -> dict[str, NDArray[np.generic]]:
    """Arrays of an npz data set: 300 training and 100 test images with a bright band, which says the class."""
    random = np.random.RandomState(0)
    labels = random.randint(0, 3, 400)
    images = (random.rand(400, size, size, channels) * 150).astype(np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[4 * label : 4 * label + 3, 3:9] += 60
    images = images if channels > 1 else images[..., 0]
    return {
        "train_images": images[:300],
        "train_labels": labels[:300],
        "test_images": images[300:],
        "test_labels": labels[300:],
        "classes": np.array(["low", "middle", "high"][:3]),
    }


def write_suite(folder: Path, text: str = SUITE, channels: int = 1, size: int = 12) -> Path:
    """The suite file and its data set in a folder."""
    np.savez(folder / "data.npz", **made_arrays(channels, size))
    path = folder / "tiny.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def weights_files(results: Path) -> list[str]:
    """The names of the files with weights in a ledger's folder."""
    return sorted(path.name for path in results.glob("entries/*/*.safetensors"))


def run_suite(bench: Callable[..., object], folder: Path, *options: str, text: str = SUITE, channels: int = 1) -> Path:
    """Run it in this process; the ledger's folder."""
    path = write_suite(folder, text, channels)
    ran = bench("run", path, "--no-ray", "--results", folder / "results", *options)
    assert ran[0] == 0, ran  # type: ignore[index]
    return folder / "results"
