"""Fashion-MNIST itself."""

from __future__ import annotations

import subprocess
import sys

import numpy as np

from bench.data import DATASETS, Dataset, fetch


def test_fashion_mnist_is_balanced_and_complete(fashion_mnist: Dataset) -> None:
    assert fashion_mnist.train_images.shape == (60_000, 1, 28, 28)
    assert fashion_mnist.test_images.shape == (10_000, 1, 28, 28)
    assert np.bincount(fashion_mnist.train_labels).tolist() == [6_000] * 10
    assert np.bincount(fashion_mnist.test_labels).tolist() == [1_000] * 10
    assert fashion_mnist.sha256 == DATASETS["fashion_mnist"].fingerprint


def test_its_first_picture_is_an_ankle_boot(fashion_mnist: Dataset) -> None:
    assert fashion_mnist.classes[fashion_mnist.train_labels[0]] == "Ankle boot"
    assert fashion_mnist.train_images[0].sum() == 76_247


def test_fetch_gives_the_folder_it_was_read_from(fashion_mnist: Dataset) -> None:
    assert fetch("fashion_mnist") == fashion_mnist.source


def test_the_package_imports_neither_torch_nor_the_downloader() -> None:
    code = (
        "import bench.data, sys; print([name for name in ('torch', 'ray', 'pooch', 'requests') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
