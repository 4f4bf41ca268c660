"""Start values against the formulas, worked out here with NumPy and SciPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from by_name import cnn, mlp
from scipy import stats
from torch import nn

from bench.models.layers import TRUNCATED_STD, initialise


def values(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().numpy().ravel().astype(float)


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def test_torch_leaves_start_values_alone() -> None:
    before = nn.Linear(30, 20)
    weight, bias = before.weight.clone(), before.bias.clone()
    initialise(before, "torch")
    assert torch.equal(before.weight, weight) and torch.equal(before.bias, bias)


def test_keras_dense_kernels_are_glorot_uniform() -> None:
    kernel = values(mlp((1, 28, 28), 10, hidden=[256], init="keras")[1].weight)
    limit = np.sqrt(6 / (784 + 256))
    assert stats.kstest(kernel, stats.uniform(-limit, 2 * limit).cdf).pvalue > 0.01


def test_keras_conv_kernels_count_the_receptive_field() -> None:
    kernel = values(cnn((3, 32, 32), 10, channels=[64], kernel=5, init="keras")[0].weight)
    limit = np.sqrt(6 / (5 * 5 * 3 + 5 * 5 * 64))
    assert stats.kstest(kernel, stats.uniform(-limit, 2 * limit).cdf).pvalue > 0.01


def test_he_normal_is_a_truncated_normal_with_the_full_standard_deviation() -> None:
    kernel = values(mlp((1, 28, 28), 10, hidden=[256], init="he_normal")[1].weight)
    wanted = np.sqrt(2 / 784)
    width = wanted / stats.truncnorm(-2, 2).std()
    assert kernel.std() == pytest.approx(wanted, rel=0.01)
    assert np.abs(kernel).max() <= 2 * width
    assert stats.kstest(kernel, stats.truncnorm(-2, 2, scale=width).cdf).pvalue > 0.01


def test_the_truncated_standard_deviation_is_scipys() -> None:
    assert pytest.approx(stats.truncnorm(-2, 2).std(), abs=1e-12) == TRUNCATED_STD


@pytest.mark.parametrize("init", ["keras", "he_normal"])
def test_biases_start_at_zero(init: str) -> None:
    net = cnn((1, 28, 28), 10, init=init)
    assert all(not module.bias.any() for module in net if isinstance(module, nn.Linear | nn.Conv2d))


@pytest.mark.parametrize(
    ("init", "momentum", "eps"), [("torch", 0.1, 1e-5), ("keras", 0.01, 1e-3), ("he_normal", 0.1, 1e-5)]
)
def test_batch_norm_follows_keras_with_init_keras_only(init: str, momentum: float, eps: float) -> None:
    norm = mlp((1, 28, 28), 10, batch_norm="before", init=init)[2]
    assert (norm.momentum, norm.eps) == (momentum, eps)


def test_an_unknown_init_is_an_error() -> None:
    with pytest.raises(ValueError, match="init is 'kears'; allowed: torch, keras, he_normal"):
        mlp((1, 28, 28), 10, init="kears")
