"""What networks do with their pixels first."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from by_name import component
from by_name import create_model as create
from torch import nn

from bench.errors import UserError
from bench.models.layers import ColumnNormalize, ColumnViews, with_preprocessing
from bench.training.preprocessors import network_input_shape

MEAN, STD = np.linspace(0.1, 0.6, 28, dtype=np.float32), np.linspace(0.05, 0.4, 28, dtype=np.float32)
COLUMNS = {"name": "column_standardize"}


def views(pixels: torch.Tensor) -> torch.Tensor:
    """(B, 1, 28, 28) to (B, 28, 28, 28): channel c is the image standardised by column c."""
    return torch.stack([(pixels[:, 0] - float(m)) / float(s) for m, s in zip(MEAN, STD, strict=True)], 1)


@pytest.mark.parametrize("name", ["mlp", "cnn", "vgg", "resnet"])
def test_folded_kernels_compute_what_the_views_would(name: str) -> None:
    torch.manual_seed(0)
    folded = create({"name": name}, (1, 28, 28), 10, (MEAN, STD), preprocessing=COLUMNS).eval()
    torch.manual_seed(0)
    plain = create({"name": name}, (28, 28, 28), 10).eval()
    pixels = torch.rand(4, 1, 28, 28)
    torch.testing.assert_close(folded(pixels), plain(views(pixels)), rtol=1e-4, atol=1e-5)


def test_folded_kernels_get_the_gradients_that_the_views_would_give() -> None:
    torch.manual_seed(0)
    folded = create({"name": "cnn"}, (1, 28, 28), 10, (MEAN, STD), preprocessing=COLUMNS)
    torch.manual_seed(0)
    plain = create({"name": "cnn"}, (28, 28, 28), 10)
    pixels = torch.rand(4, 1, 28, 28)
    folded(pixels).square().sum().backward()
    plain(views(pixels)).square().sum().backward()
    for ours, theirs in zip(folded.parameters(), plain.parameters(), strict=True):
        if ours.shape == theirs.shape:
            assert ours.grad is not None and theirs.grad is not None
    first = folded.get_parameter("net.0.parametrizations.weight.original").grad
    torch.testing.assert_close(first, plain.get_parameter("0.weight").grad, rtol=1e-3, atol=1e-4)


def test_a_network_that_begins_otherwise_gets_the_views_themselves() -> None:
    preprocess = ColumnViews(torch.tensor(MEAN), torch.tensor(STD))
    with_preprocessing(preprocess, nn.Sequential(nn.BatchNorm2d(28), nn.Flatten()))
    pixels = torch.rand(2, 1, 28, 28)
    torch.testing.assert_close(preprocess(pixels), views(pixels))


def test_views_of_columns_are_for_grey_pictures_only() -> None:
    assert network_input_shape(component("preprocessing", COLUMNS), (1, 28, 24)) == (24, 28, 24)
    with pytest.raises(UserError, match="3 channels; take standardize"):
        network_input_shape(component("preprocessing", COLUMNS), (3, 32, 32))


def test_columns_get_length_one_and_black_ones_stay_black() -> None:
    pixels = np.random.default_rng(0).random((2, 3, 4, 5), dtype=np.float32)
    pixels[0, 1, :, 2] = 0
    expected = np.zeros_like(pixels)
    for n, c, w in np.ndindex(2, 3, 5):
        length = sum(float(v) ** 2 for v in pixels[n, c, :, w]) ** 0.5
        if length:
            expected[n, c, :, w] = pixels[n, c, :, w] / length / 255
    found = ColumnNormalize(255.0)(torch.from_numpy(pixels))
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5)
