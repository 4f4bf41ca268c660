from __future__ import annotations

import pytest
import torch
from by_name import create_model as create
from torch import nn

from bench.models.count_operations import all_kernels, count_parameters, forward_flops, kernels, selected

GREY = (1, 28, 28)


def shapes(weights: list[nn.Parameter]) -> list[tuple[int, ...]]:
    return [tuple(weight.shape) for weight in weights]


@pytest.mark.parametrize("statistics", [None, (0.286, 0.353)])
def test_hidden_kernels_leave_out_the_output_layer(statistics: tuple[float, float] | None) -> None:
    net = create({"name": "mlp"}, GREY, 10, statistics)
    assert shapes(kernels(net, "hidden")) == [(128, 784), (64, 128)]
    assert shapes(kernels(net, "all")) == [(128, 784), (64, 128), (10, 64)]
    assert kernels(net, "conv") == []


def test_conv_kernels_are_the_convolutions() -> None:
    net = create({"name": "cnn", "channels": [32, 64], "kernel": 3}, GREY, 10)
    assert shapes(kernels(net, "conv")) == [(32, 1, 3, 3), (64, 32, 3, 3)]


def test_timm_names_its_own_output_layer() -> None:
    net = create({"name": "test_resnet"}, GREY, 10)
    hidden, everything = kernels(net, "hidden"), kernels(net, "all")
    assert len(hidden) == len(everything) - 1
    assert all(weight is not net.get_classifier().weight for weight in hidden)


def test_an_output_layer_that_is_not_listed_last_is_found_by_its_width() -> None:
    class HeadFirst(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(16, 10)
            self.body = nn.Linear(784, 16)

    assert shapes(kernels(HeadFirst(), "hidden", classes=10)) == [(16, 784)]


def test_a_shared_kernel_counts_once() -> None:
    layer = nn.Linear(8, 8)
    assert shapes(kernels(nn.Sequential(layer, layer, nn.Linear(8, 3)), "all")) == [(8, 8), (3, 8)]


def test_frozen_parameters_are_not_trainable() -> None:
    net = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    net[0].requires_grad_(False)
    assert count_parameters(net) == (23, 8)


def test_standardising_the_input_adds_no_parameters() -> None:
    assert count_parameters(create({"name": "mlp"}, GREY, 10, (0.286, 0.353))) == (109_386, 109_386)


def test_flops_count_a_multiply_add_twice() -> None:
    assert forward_flops(create({"name": "mlp"}, GREY, 10), GREY) == 2 * (784 * 128 + 128 * 64 + 64 * 10)


def test_flops_of_attention_are_counted() -> None:
    width, tokens = 8, 5
    attention = nn.MultiheadAttention(width, 1, batch_first=True)

    class Attend(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention = attention

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            x = pixels.squeeze(1)
            return torch.nn.functional.scaled_dot_product_attention(x, x, x)

    assert forward_flops(Attend(), (1, tokens, width)) == 2 * 2 * tokens * tokens * width


def test_counting_flops_leaves_the_model_as_it_was() -> None:
    net = create({"name": "mlp", "batch_norm": "before"}, GREY, 10)
    net[2].eval()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    forward_flops(net, GREY)
    assert net.training and not net[2].training
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())


def test_patterns_choose_layers_by_name() -> None:
    found = selected(all_kernels(create({"name": "resnet"}, GREY, 10), 10), ["*.conv1", "*.shortcut"])
    assert [kernel.layer for kernel in found] == [
        "group1.0.branch.conv1",
        "group2.0.branch.conv1", "group2.0.shortcut",
        "group3.0.branch.conv1", "group3.0.shortcut",
        "group4.0.branch.conv1", "group4.0.shortcut",
    ]  # fmt: skip


def test_kernels_that_views_of_columns_fold_are_the_trained_ones() -> None:
    views = create({"name": "vgg"}, GREY, 10, ([0.5] * 28, [0.5] * 28), preprocessing={"name": "column_standardize"})
    assert kernels(views, "conv")[0].shape == (32, 28, 3, 3)
