"""Penalties against autograd with the term written into the loss; the rest against its definition."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.data import Dataset
from bench.models.create import create as create_model
from bench.suite.components import AXES
from bench.training import optimizers
from bench.training.regularizers import REGULARIZERS, Effects, combine
from bench.training.trial import train_trial

MLP = {"name": "mlp", "hidden": [16, 8], "batch_norm": True}
CNN = {"name": "cnn", "filters": [4, 6], "hidden": [8]}
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


def add_penalties(model: nn.Module, effects: Effects, classes: int = 10) -> None:
    for penalty in effects.penalties:
        penalty(model, classes)()


def test_registry_and_schema_have_the_same_names_and_parameters() -> None:
    assert REGULARIZERS.keys() == AXES["regularizer"].keys()
    for name, function in REGULARIZERS.items():
        assert inspect.signature(function).parameters.keys() == AXES["regularizer"][name].model_fields.keys() - {"name"}


@pytest.mark.parametrize("name", ["l1", "l2"])
@pytest.mark.parametrize("entry", [MLP, CNN], ids=["mlp", "cnn"])
@pytest.mark.parametrize("layers", ["hidden", "all", "conv"])
def test_a_penalty_adds_the_gradient_of_its_term_in_the_loss(name: str, entry: dict[str, Any], layers: str) -> None:
    torch.manual_seed(0)
    model = create_model(entry, (1, 28, 28), 10)
    with torch.no_grad():
        next(iter(model.parameters())).view(-1)[:5] = 0  # where |w| has a corner, autograd and Keras say 0
    named = dict(model.named_parameters())
    images, labels = torch.rand(12, 1, 28, 28), torch.arange(12) % 10

    chosen = [named[key] for key in KERNELS[entry["name"], layers]]
    term = sum((w.abs().sum() if name == "l1" else (w**2).sum() for w in chosen), torch.zeros(()))
    wanted = torch.autograd.grad(F.cross_entropy(model(images), labels) + 0.03 * term, list(named.values()))
    without = torch.autograd.grad(F.cross_entropy(model(images), labels), list(named.values()))

    F.cross_entropy(model(images), labels).backward()
    add_penalties(model, combine([{"name": name, "strength": 0.03, "layers": layers}]))
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


@pytest.mark.parametrize("kernels_only", [False, True])
def test_weight_decay_shrinks_everything_or_kernels_only(kernels_only: bool) -> None:
    torch.manual_seed(0)
    model = create_model(MLP, (1, 28, 28), 10)
    before = {key: value.detach().clone() for key, value in model.named_parameters()}
    effects = combine([{"name": "weight_decay", "strength": 0.5, "kernels_only": kernels_only}])
    groups = optimizers.parameter_groups(model, effects.weight_decay, effects.kernels_only)
    # The suite's own SGD says weight_decay 0; the regularizer wins.
    optimizer = optimizers.create({"name": "sgd", "lr": 0.1, "weight_decay": 0.0}, groups)
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
    assert combine([]) == Effects()
