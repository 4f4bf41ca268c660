"""Every entry of every training axis, with its defaults, trains a few steps on real images."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bench.components import AXES, COMBINABLE
from bench.data import Dataset
from bench.suite.validation import constraint_violation
from bench.training.train_trial import train_trial

AXES_HERE = ("optimizer", "schedule", "loss", "step", "regularizer", "augmentation")

NEEDS: dict[str, dict[str, Any]] = {"step": {"every": 1}}
"""What an entry cannot do without."""

RESIDUAL = {"name": "residual_mlp", "stem": 8, "blocks": [8], "hidden": 8}


@pytest.mark.parametrize(("axis", "name"), [(axis, name) for axis in AXES_HERE for name in AXES[axis]])
def test_an_entry_trains_with_its_defaults(axis: str, name: str, configured: Any, sliced: Any) -> None:
    data: Dataset = sliced(96, 20)
    entry = {"name": name, **NEEDS.get(name, {})}
    config = configured(
        **{axis: [entry] if axis in COMBINABLE else entry},
        model=RESIDUAL if name == "stochastic_depth" else {"name": "mlp", "hidden": [16]},
        batch_size=16,
        validation={"stratified": 0.33},  # 64 images train
        epochs=2,
    )
    assert constraint_violation(config.to_json()) is None
    found = train_trial(config, 0, data)
    assert found.status == "complete" and found.epochs_run == 2
    assert all(math.isfinite(value) for curve in found.curves.values() for value in curve if value is not None)


@pytest.mark.parametrize("name", AXES["augmentation"])
@pytest.mark.parametrize("shape", [(3, 32, 32), (3, 20, 30), (1, 8, 8)])
def test_an_augmentation_takes_colour_and_other_sizes(
    name: str, shape: tuple[int, int, int], configured: Any, small: Dataset
) -> None:
    rng = np.random.default_rng(0)
    data = replace(
        small,
        train_images=rng.integers(0, 256, (80, *shape), dtype=np.uint8),
        train_labels=small.train_labels[:80],
        test_images=rng.integers(0, 256, (20, *shape), dtype=np.uint8),
        test_labels=small.test_labels[:20],
    )
    config = configured(
        augmentation=[{"name": name}], batch_size=16, epochs=1, model={"name": "mlp", "hidden": [8]}, validation="none"
    )
    assert train_trial(config, 0, data).status == "complete"
