"""Losses against their formulas."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from by_name import create_loss as create
from scipy.special import log_softmax, softmax

from bench.components import AXES
from bench.data import Dataset
from bench.training.train_trial import train_trial


@pytest.mark.parametrize("amount", [0.0, 0.1, 0.5])
def test_label_smoothing_spreads_its_share_over_all_classes(amount: float) -> None:
    generator = np.random.default_rng(0)
    logits, labels = generator.normal(size=(20, 10)), generator.integers(0, 10, 20)
    targets = (1 - amount) * np.eye(10)[labels] + amount / 10
    wanted = -(targets * log_softmax(logits, axis=1)).sum(axis=1).mean()
    loss = create({"name": "cross_entropy"}, label_smoothing=amount)
    assert float(loss(torch.from_numpy(logits), torch.from_numpy(labels))) == pytest.approx(wanted)


def by_formula(name: str, logits: np.ndarray, targets: np.ndarray) -> float:
    p = softmax(logits, axis=1)
    if name == "cross_entropy":
        return float(-(targets * np.log(p)).sum(axis=1).mean())
    if name == "mean_squared_error":
        return float(((p - targets) ** 2).mean())
    p = p.clip(1e-7, 1 - 1e-7)
    return float(-(targets * np.log(p) + (1 - targets) * np.log(1 - p)).mean())


@pytest.mark.parametrize("name", AXES["loss"])
@pytest.mark.parametrize("amount", [0.0, 0.2])
def test_a_loss_takes_labels_or_soft_targets(name: str, amount: float) -> None:
    draws = np.random.default_rng(0)
    logits, labels = draws.normal(size=(20, 5)), draws.integers(0, 5, 20)
    soft = draws.dirichlet(np.ones(5), size=20)
    loss = create({"name": name}, label_smoothing=amount)
    for given, targets in ((labels, np.eye(5)[labels]), (soft, soft)):
        wanted = by_formula(name, logits, (1 - amount) * targets + amount / 5)
        assert float(loss(torch.from_numpy(logits), torch.from_numpy(given))) == pytest.approx(wanted)


@pytest.mark.parametrize("name", AXES["loss"])
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_certainty_right_or_wrong_has_a_finite_loss_and_gradient(name: str, kind: torch.dtype) -> None:
    logits = torch.tensor([[80.0, -80.0, 0.0], [80.0, -80.0, 0.0], [0.0, 0.0, 0.0]], dtype=kind, requires_grad=True)
    value = create({"name": name}, label_smoothing=0.0)(logits, torch.tensor([0, 1, 2]))
    value.backward()
    assert torch.isfinite(value) and value > 0
    assert logits.grad is not None and torch.isfinite(logits.grad).all() and logits.grad[2].abs().sum() > 0


@pytest.mark.parametrize("name", AXES["loss"])
def test_a_network_learns_by_it_and_its_own_loss_is_reported(name: str, configured: Any, small: Dataset) -> None:
    smooth = configured(loss={"name": name}, regularizer=[{"name": "label_smoothing"}], epochs=5)
    found = train_trial(smooth, 0, small)
    assert found.test is not None and found.predicted is not None and found.test["accuracy"] > 0.5
    p = found.predicted.true_class_probability.astype(np.float64)
    # Cross-entropy needs the true class's probability only; the others lie within the bounds it sets.
    if name == "cross_entropy":
        assert found.test["loss"] == pytest.approx(-np.log(p).mean(), rel=1e-4)
    elif name == "mean_squared_error":
        least, most = ((1 - p) ** 2 + (1 - p) ** 2 / 9) / 10, 2 * (1 - p) ** 2 / 10
        assert least.mean() < found.test["loss"] < most.mean()
    else:
        assert -np.log(p).mean() / 10 < found.test["loss"] < -2 * np.log(p).mean() / 10


@pytest.mark.parametrize("amount", [0.0, 0.1])
def test_the_sigmoids_binary_cross_entropy_is_a_yes_or_no_for_each_class(amount: float) -> None:
    generator = np.random.default_rng(0)
    logits, labels = generator.normal(size=(20, 10)), generator.integers(0, 10, 20)
    t, p = (1 - amount) * np.eye(10)[labels] + amount / 10, 1 / (1 + np.exp(-logits))
    wanted = -(t * np.log(p) + (1 - t) * np.log(1 - p)).mean()
    loss = create({"name": "binary_cross_entropy", "outputs": "sigmoid"}, label_smoothing=amount)
    assert float(loss(torch.from_numpy(logits), torch.from_numpy(labels))) == pytest.approx(wanted)
