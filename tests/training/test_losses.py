"""Losses against their formulas."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
import torch
from scipy.special import log_softmax

from bench.suite.components import AXES
from bench.training.losses import LOSSES, create


def test_registry_and_schema_have_the_same_names_and_parameters() -> None:
    assert LOSSES.keys() == AXES["loss"].keys()
    for name, function in LOSSES.items():
        fields = AXES["loss"][name].model_fields.keys() - {"name"}
        assert inspect.signature(function).parameters.keys() == fields | {"label_smoothing"}


@pytest.mark.parametrize("amount", [0.0, 0.1, 0.5])
def test_label_smoothing_spreads_its_share_over_all_classes(amount: float) -> None:
    generator = np.random.default_rng(0)
    logits, labels = generator.normal(size=(20, 10)), generator.integers(0, 10, 20)
    targets = (1 - amount) * np.eye(10)[labels] + amount / 10
    wanted = -(targets * log_softmax(logits, axis=1)).sum(axis=1).mean()
    loss = create({"name": "cross_entropy"}, label_smoothing=amount)
    assert float(loss(torch.from_numpy(logits), torch.from_numpy(labels))) == pytest.approx(wanted)
