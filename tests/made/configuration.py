"""The configuration that the shortest suite file stands for, spelled out: every axis, parameter and setting."""

from __future__ import annotations

from typing import Any

MLP = {"name": "mlp", "hidden": [128, 64], "activation": "relu", "batch_norm": "none", "dropout": 0.0, "init": "torch"}
ADAM = {"name": "adam", "lr": 0.001, "betas": [0.9, 0.999], "eps": 1e-08, "amsgrad": False, "weight_decay": 0.0}

DEFAULTS: dict[str, Any] = {
    "dataset": {"name": "fashion_mnist"},
    "preprocessing": {"name": "unit"},
    "model": MLP,
    "optimizer": ADAM,
    "schedule": {"name": "constant", "warmup": 0.0},
    "loss": {"name": "cross_entropy"},
    "regularizer": [],
    "augmentation": [],
    "batch_size": 128,
    "epochs": 10,
    "validation": {"stratified": 0.1},
    "early_stopping": None,
    "weights": "last",
    "refit": False,
    "precision": "float32",
    "compile": False,
    "workers": 1,
    "deterministic": False,
}
"""Of ``grid: {model: mlp}``; the model is the least a suite file has to name."""
