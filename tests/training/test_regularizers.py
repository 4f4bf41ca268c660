"""Penalties against autograd with the term written into the loss; the rest against its definition."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from by_name import combine, create_model, create_optimizer
from torch import Tensor, nn
from torch.nn import functional as F

from bench.data import Dataset
from bench.training import optimizer_factory
from bench.training.fit import TrainingData, fit
from bench.training.objective import RegularizerSpec
from bench.training.objective import combine as combine_components
from bench.training.train_trial import train_trial

MLP = {"name": "mlp", "hidden": [16, 8], "batch_norm": "before"}
CNN = {"name": "cnn", "channels": [4, 6], "hidden": [8]}
KERNELS = {
    # Flatten, Linear, BatchNorm, ReLU, Linear, BatchNorm, ReLU, Linear
    ("mlp", "hidden"): ["1.weight", "4.weight"],
    ("mlp", "all"): ["1.weight", "4.weight", "7.weight"],
    ("mlp", "conv"): [],
    # Conv, ReLU, Pool, Conv, ReLU, Pool, Flatten, Linear, ReLU, Linear
    ("cnn", "hidden"): ["0.weight", "3.weight", "7.weight"],
    ("cnn", "all"): ["0.weight", "3.weight", "7.weight", "9.weight"],
    ("cnn", "conv"): ["0.weight", "3.weight"],
}


class OutputFirst(nn.Module):
    """A user's network that happens to name its output layer before the hidden one."""

    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(5, 3)
        self.hidden = nn.Linear(4, 5)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.out(self.hidden(x))
        return logits


def add_penalties(model: nn.Module, effects: RegularizerSpec, classes: int = 10) -> None:
    for penalty in effects.penalties:
        penalty(model, classes)()


PENALTIES: dict[str, tuple[dict[str, float], Callable[[Tensor], Tensor]]] = {
    "l1": ({"strength": 0.03}, lambda w: 0.03 * w.abs().sum()),
    "l2": ({"strength": 0.03}, lambda w: 0.03 * (w**2).sum()),
    "elastic_net": ({"l1": 0.02, "l2": 0.05}, lambda w: 0.02 * w.abs().sum() + 0.05 * (w**2).sum()),
}


@pytest.mark.parametrize("name", PENALTIES)
@pytest.mark.parametrize("entry", [MLP, CNN], ids=["mlp", "cnn"])
@pytest.mark.parametrize("layers", ["hidden", "all", "conv"])
def test_a_penalty_adds_the_gradient_of_its_term_in_the_loss(name: str, entry: dict[str, Any], layers: str) -> None:
    torch.manual_seed(0)
    model = create_model(entry, (1, 28, 28), 10)
    with torch.no_grad():
        next(iter(model.parameters())).view(-1)[:5] = 0  # where |w| has a corner, autograd and Keras say 0
    named = dict(model.named_parameters())
    images, labels = torch.rand(12, 1, 28, 28), torch.arange(12) % 10

    strengths, term_of = PENALTIES[name]
    term = sum((term_of(named[key]) for key in KERNELS[entry["name"], layers]), torch.zeros(()))
    wanted = torch.autograd.grad(F.cross_entropy(model(images), labels) + term, list(named.values()))
    without = torch.autograd.grad(F.cross_entropy(model(images), labels), list(named.values()))

    F.cross_entropy(model(images), labels).backward()
    add_penalties(model, combine([{"name": name, "layers": layers, **strengths}]))
    for (key, parameter), gradient, plain in zip(named.items(), wanted, without, strict=True):
        assert parameter.grad is not None
        assert torch.allclose(parameter.grad, gradient, rtol=1e-4, atol=1e-7)
        assert torch.equal(parameter.grad, plain) == (key not in KERNELS[entry["name"], layers])


def test_hidden_leaves_out_the_layer_with_one_output_per_class() -> None:
    model = OutputFirst()
    model(torch.rand(2, 4)).sum().backward()
    before = [model.out.weight.grad.clone(), model.hidden.weight.grad.clone()]
    add_penalties(model, combine([{"name": "l2", "strength": 0.5, "layers": "hidden"}]), classes=3)
    assert torch.equal(model.out.weight.grad, before[0])
    assert torch.allclose(model.hidden.weight.grad, before[1] + model.hidden.weight)


def test_a_kernel_the_loss_does_not_reach_is_still_penalised() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 3))
    model[1](torch.rand(4, 2)).sum().backward()
    add_penalties(model, combine([{"name": "l2", "strength": 0.5, "layers": "hidden"}]), classes=3)
    assert torch.equal(model[0].weight.grad, model[0].weight)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_max_norm_shortens_the_weights_into_a_unit_that_are_too_long(layout: torch.memory_format) -> None:
    torch.manual_seed(0)
    model = create_model(CNN, (1, 28, 28), 10).to(memory_format=layout)
    before = {key: value.detach().numpy().copy() for key, value in model.named_parameters()}
    hidden = KERNELS["cnn", "hidden"]
    for constraint in combine([{"name": "max_norm", "max_value": 0.55, "layers": "hidden"}]).constraints:
        constraint(model, 10)()
    for key, value in model.named_parameters():
        old = before[key]
        if key in hidden:
            lengths = np.sqrt((old**2).reshape(len(old), -1).sum(axis=1))
            scale = np.minimum(0.55 / lengths, 1)
            old = old * scale.reshape(-1, *[1] * (old.ndim - 1))
        assert value.detach().numpy() == pytest.approx(old, rel=1e-5)


def test_max_norm_holds_after_every_step(configured: Any, small: Dataset) -> None:
    config = configured(
        model={"name": "mlp", "hidden": [32]},
        optimizer={"name": "sgd", "lr": 1.0},
        regularizer=[{"name": "max_norm", "max_value": 0.3}],
    )
    model = create_model(config.model.to_json(), (1, 28, 28), 10)
    images = TrainingData(
        torch.from_numpy(small.train_images),
        torch.from_numpy(small.train_labels).long(),
        10,
        torch.arange(800),
        torch.arange(800, 1000),
    )
    fit(model, config, 0, images, combine_components(config.regularizer))
    assert float(model[1].weight.detach().norm(dim=1).max()) == pytest.approx(0.3, abs=1e-5)
    assert float(model[3].weight.detach().norm(dim=1).min()) > 0.3  # the output layer is free


def test_stochastic_depth_is_the_models_own_drop_path(configured: Any, small: Dataset) -> None:
    model = {"name": "residual_mlp", "stem": 16, "blocks": [16, 8], "hidden": 8}
    by_regularizer = train_trial(
        configured(model=model, regularizer=[{"name": "stochastic_depth", "rate": 0.5}]), 0, small
    )
    by_model = train_trial(configured(model=model | {"drop_path": 0.5}), 0, small)
    assert by_regularizer.curves == by_model.curves
    assert by_regularizer.curves != train_trial(configured(model=model), 0, small).curves


@pytest.mark.parametrize("kernels_only", [False, True])
def test_weight_decay_shrinks_everything_or_kernels_only(kernels_only: bool) -> None:
    torch.manual_seed(0)
    model = create_model(MLP, (1, 28, 28), 10)
    before = {key: value.detach().clone() for key, value in model.named_parameters()}
    effects = combine([{"name": "weight_decay", "strength": 0.5, "kernels_only": kernels_only}])
    groups = optimizer_factory.parameter_groups(model, effects.weight_decay, effects.kernels_only)
    # The suite's own SGD says weight_decay 0; the regularizer wins.
    optimizer = create_optimizer({"name": "sgd", "lr": 0.1, "weight_decay": 0.0}, groups)
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    for key, value in model.named_parameters():
        decays = key in KERNELS["mlp", "all"] or not kernels_only
        assert torch.allclose(value, before[key] * (0.95 if decays else 1.0))
    assert sum(len(group["params"]) for group in optimizer.param_groups) == len(before)


def test_the_dropout_regularizer_is_the_models_own_dropout(configured: Any, small: Dataset) -> None:
    by_regularizer = train_trial(configured(regularizer=[{"name": "dropout", "rate": 0.5}]), 0, small)
    by_model = train_trial(configured(model={"name": "mlp", "hidden": [32], "dropout": 0.5}), 0, small)
    assert by_regularizer.curves == by_model.curves
    assert by_regularizer.curves != train_trial(configured(), 0, small).curves


def test_label_smoothing_reaches_the_loss_of_training_only(configured: Any, small: Dataset) -> None:
    # A learning rate of nearly nothing: both networks stay what they were, only the training loss is another one.
    optimizer = {"name": "sgd", "lr": 1e-20}
    plain = train_trial(configured(optimizer=optimizer, epochs=1), 0, small)
    smooth = train_trial(
        configured(optimizer=optimizer, epochs=1, regularizer=[{"name": "label_smoothing", "amount": 0.5}]), 0, small
    )
    assert smooth.curves["train_loss"] != plain.curves["train_loss"]
    assert smooth.curves["val_loss"] == plain.curves["val_loss"] and smooth.test == plain.test


def test_combined_regularizers_all_have_their_effect() -> None:
    effects = combine(
        [
            {"name": "l1", "strength": 0.1, "layers": "all"},
            {"name": "l2", "strength": 0.1, "layers": "hidden"},
            {"name": "weight_decay", "strength": 0.2, "kernels_only": True},
            {"name": "dropout", "rate": 0.3},
            {"name": "label_smoothing", "amount": 0.4},
        ]
    )
    assert len(effects.penalties) == 2
    assert (effects.weight_decay, effects.kernels_only) == (0.2, True)
    assert (effects.model, effects.label_smoothing) == ({"dropout": 0.3}, 0.4)


def test_no_regularizer_has_no_effect() -> None:
    assert combine([]) == RegularizerSpec()
