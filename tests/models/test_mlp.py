from __future__ import annotations

import pytest
import torch
from by_name import mlp
from torch import nn

from bench.models.count_operations import count_parameters
from bench.models.layers import ACTIVATIONS


def test_lab_e_has_109386_parameters() -> None:
    # 784*128 + 128, 128*64 + 64, 64*10 + 10
    assert count_parameters(mlp((1, 28, 28), 10)) == (109_386, 109_386)


def test_lab_c_with_batch_norm_counts_running_statistics_as_not_trained() -> None:
    net = mlp((1, 28, 28), 10, hidden=[512, 512], batch_norm="before")
    dense = 784 * 512 + 512 + 512 * 512 + 512 + 512 * 10 + 10
    assert count_parameters(net) == (dense + 2 * 4 * 512, dense + 2 * 2 * 512)


def test_no_hidden_layer_is_a_linear_classifier() -> None:
    assert count_parameters(mlp((1, 28, 28), 10, hidden=[])) == (7850, 7850)


def test_layers_come_in_the_stated_order() -> None:
    net = mlp((1, 2, 2), 3, hidden=[5], batch_norm="before", dropout=0.25, activation="gelu")
    assert [type(layer).__name__ for layer in net] == [
        "Flatten", "Linear", "BatchNorm1d", "GELU", "Dropout", "Linear",
    ]  # fmt: skip
    assert net[4].p == 0.25


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32)])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_gives_one_logit_per_class(shape: tuple[int, int, int], activation: str) -> None:
    assert mlp(shape, 7, activation=activation)(torch.rand(4, *shape)).shape == (4, 7)


def test_dropout_follows_every_hidden_layer() -> None:
    assert sum(isinstance(layer, nn.Dropout) for layer in mlp((1, 28, 28), 10, hidden=[9, 8, 7], dropout=0.5)) == 3
