"""Padding and residual sums, against small computations written out here."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from bench.models.layers import Residual, SamePad, activated


@pytest.mark.parametrize("size", range(2, 12))
@pytest.mark.parametrize(("kernel", "stride"), [(2, 2), (3, 1), (3, 2), (5, 2), (7, 2), (1, 2)])
def test_same_padding_is_tensorflows(size: int, kernel: int, stride: int) -> None:
    """Output i is over the window from i * stride - floor(missing / 2), as TensorFlow's notes on padding have it."""
    signal, weights = np.random.default_rng(size).random(size), np.arange(1.0, kernel + 1)
    count = math.ceil(size / stride)
    before = max((count - 1) * stride + kernel - size, 0) // 2
    starts = [i * stride - before for i in range(count)]
    expected = [sum(weights[k] * signal[start + k] for k in range(kernel) if 0 <= start + k < size) for start in starts]
    padded = SamePad(kernel, stride)(torch.from_numpy(signal).expand(1, 1, size, size))
    rows = padded[:, :, padded.shape[2] // 2]  # all rows but the padding are alike
    found = F.conv1d(rows, torch.from_numpy(weights)[None, None], stride=stride)
    assert padded.shape[2] == padded.shape[3]
    np.testing.assert_allclose(found[0, 0].numpy(), expected)


def test_stride_two_pads_the_end_more_than_the_beginning() -> None:
    assert SamePad(3, 2)(torch.ones(1, 1, 4, 4))[0, 0].tolist() == [[1, 1, 1, 1, 0]] * 4 + [[0] * 5]


def test_padding_for_maxima_never_wins() -> None:
    pooled = nn.MaxPool2d(3, 2)(SamePad(3, 2, -math.inf)(torch.full((1, 1, 4, 4), -5.0)))
    assert pooled.tolist() == [[[[-5.0, -5.0], [-5.0, -5.0]]]]


def test_a_residual_adds_its_input_before_the_activation() -> None:
    double = nn.Linear(2, 2, bias=False)
    with torch.no_grad():
        double.weight.copy_(2 * torch.eye(2))
    x = torch.tensor([[1.0, -1.0]])
    assert Residual(double)(x).tolist() == [[3.0, -3.0]]
    assert Residual(double, activation="relu")(x).tolist() == [[3.0, 0.0]]


def test_stochastic_depth_leaves_out_whole_branches_in_training_only() -> None:
    torch.manual_seed(0)
    net = Residual(nn.Identity(), drop_path=0.5)
    x = torch.ones(1000, 1)
    kept = net(x)[:, 0]
    assert set(kept.tolist()) == {1.0, 3.0}, "left out, or scaled up by 1 / (1 - 0.5)"
    assert 400 < int((kept == 3).sum()) < 600
    assert net.eval()(x).unique().tolist() == [2.0]


@pytest.mark.parametrize(
    ("batch_norm", "order"),
    [
        ("none", "Linear ReLU"),
        ("before", "Linear BatchNorm1d ReLU"),
        ("after", "Linear ReLU BatchNorm1d"),
        ("between", "Linear ReLU BatchNorm1d ReLU"),
    ],
)
def test_batch_normalisation_stands_where_it_is_asked_for(batch_norm: str, order: str) -> None:
    layers = activated(nn.Linear(2, 2), nn.BatchNorm1d(2), "relu", batch_norm)
    assert " ".join(type(layer).__name__ for layer in layers) == order
