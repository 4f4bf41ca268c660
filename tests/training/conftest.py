"""Configurations in full from the part a test is about, and slices of the real data small enough for many trainings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch

from bench.data import Dataset
from bench.suite.schema import Settings
from bench.suite.trial import TrialConfig

Configured = Callable[..., TrialConfig]
Sliced = Callable[[int, int], Dataset]

SMALL = {
    "dataset": {"name": "fashion_mnist"},
    "preprocessing": {"name": "unit"},
    "model": {"name": "mlp", "hidden": [32]},
    "optimizer": {"name": "adam"},
    "schedule": {"name": "constant"},
    "loss": {"name": "cross_entropy"},
    "step": {"name": "standard"},
    "regularizer": [],
    "augmentation": [],
    "batch_size": 64,
    "epochs": 3,
    "validation": {"tail": 0.2},
}


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """As trials run on a CPU."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def configured() -> Configured:
    """``configured(epochs=2, model={"name": "cnn"})``: a small configuration with every default filled in."""

    def configuration(**changes: Any) -> TrialConfig:
        asked = SMALL | changes
        full = Settings(**{key: asked.pop(key) for key in list(asked) if key in Settings.model_fields})
        return TrialConfig.from_json(asked | full.model_dump(mode="json")).changed()

    return configuration


@pytest.fixture(scope="session")
def sliced(fashion_mnist: Dataset) -> Sliced:
    """``sliced(1000, 300)``: the first images of Fashion-MNIST's training and test part, as copies."""

    def first(train: int, test: int) -> Dataset:
        return replace(
            fashion_mnist,
            train_images=fashion_mnist.train_images[:train].copy(),
            train_labels=fashion_mnist.train_labels[:train].copy(),
            test_images=fashion_mnist.test_images[:test].copy(),
            test_labels=fashion_mnist.test_labels[:test].copy(),
        )

    return first


@pytest.fixture(scope="session")
def small(sliced: Sliced) -> Dataset:
    """1,000 training and 300 test images; not to be written to."""
    return sliced(1000, 300)
