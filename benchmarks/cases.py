"""Configurations that several scripts time, and the images they are timed on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bench.data import Dataset

CUSTOM_VGG: dict[str, Any] = {
    "model": {"name": "vgg", "batch_norm": "between", "init": "keras"},
    "optimizer": {"name": "sgd", "lr": 0.01, "momentum": 0.9},
}
"""Document B's."""

VGG_DEFAULTS: dict[str, Any] = {
    "dataset": "fashion_mnist", "preprocessing": "column_standardize", "batch_size": 64, "epochs": 1,
    "validation": "none",
}  # fmt: skip
"""Standardized columns are 28 channels, which bench folds into two where the network begins."""

SWEEP_DEFAULTS: dict[str, Any] = {
    "dataset": "fashion_mnist", "optimizer": {"name": "adam", "lr": 1e-3, "eps": 1e-7}, "validation": {"tail": 0.2},
}  # fmt: skip

AUGMENTATION: dict[str, Any] = {"combine": ["flip", {"name": "crop", "padding": 2}, "random_erasing"]}


def sweep_grid(strength: Any, rate: Any, batch_size: Any) -> dict[str, Any]:
    """Document E's network with its penalty, dropout and batch size, each a value or several to choose from."""
    penalty = {"name": "l2", "strength": strength, "layers": "hidden"}
    return {
        "model": {"name": "mlp", "hidden": [128, 64], "init": "keras"},
        "regularizer": {"combine": [penalty, {"name": "dropout", "rate": rate}]},
        "batch_size": batch_size,
    }


def first(data: Dataset, count: int, test: int = 64) -> Dataset:
    """The first `count` training and `test` test images."""
    return replace(
        data,
        train_images=data.train_images[:count], train_labels=data.train_labels[:count],
        test_images=data.test_images[:test], test_labels=data.test_labels[:test],
    )  # fmt: skip


def unfolded_flops(config: dict[str, Any]) -> int:
    """Forward operations for an image of the network as it is written down, which is what a peer computes."""
    from bench.models.count_operations import forward_flops
    from bench.models.create import check
    from bench.suite.trial import TrialConfig
    from bench.training.preprocessors import network_input_shape

    typed = TrialConfig.from_json(config)
    seen = network_input_shape(typed.preprocessing, (1, 28, 28))
    return forward_flops(check(typed.model, seen, 10), seen)
