"""The larger networks: VGG, ResNets of several kinds and residual MLPs."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from by_name import create_model as create

from bench.errors import UserError

MODELS: list[dict[str, Any]] = [
    {"name": "vgg", "blocks": [[1, 4], [2, 6]], "hidden": [8]},
    {"name": "vgg", "blocks": [[1, 4]], "hidden": [], "batch_norm": "none", "dropout": 0.0},
    {"name": "resnet", "blocks": [[1, 4], [2, 6]]},
    {"name": "resnet", "blocks": [[2, 4]], "stem_padding": 0, "drop_path": 0.2},
    {"name": "residual_mlp", "stem": 8, "blocks": [8, 6], "dropout": [0.4, 0.3, 0.2], "hidden": 5},
    {"name": "residual_mlp", "stem": 8, "blocks": [6], "drop_path": 0.2},
    {"name": "skip_mlp", "width": 8, "stacks": [1, 3], "hidden": [6, 5]},
    {"name": "preact_resnet", "blocks": [[1, 4], [2, 6]], "stem": 5, "drop_path": 0.2},
    {"name": "preact_resnet", "blocks": [[1, 4]], "stem": 4, "stem_stride": 2, "dropout": 0.2},
    {"name": "wide_resnet", "depth": 10, "width_multiplier": 1},
    {"name": "resnet9", "channels": [4, 6, 8], "residual": [1, 3], "drop_path": 0.2},
    {"name": "resnet9", "channels": [4, 6], "stem_stride": 2, "residual": []},
    {"name": "convnext", "dims": [4, 6], "depths": [1, 2], "drop_path": 0.2},
    {"name": "convnext", "dims": [5], "depths": [1], "patch": 4, "kernel": 5, "activation": "gelu"},
    {"name": "skip_mlp", "width": 8, "stacks": [2], "skip": False, "hidden": [], "per_pixel": True},
]


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (2, 9, 15)])
@pytest.mark.parametrize("model", MODELS, ids=lambda entry: entry["name"])
@pytest.mark.parametrize("init", ["torch", "keras", "he_normal"])
def test_gives_one_logit_per_class_and_trains(model: dict[str, Any], shape: tuple[int, int, int], init: str) -> None:
    net = create({**model, "init": init}, shape, 7)
    logits = net(torch.rand(3, *shape))
    assert logits.shape == (3, 7)
    logits.square().sum().backward()
    assert all(parameter.grad is not None for parameter in net.parameters())


def test_a_vgg_that_halves_too_often_says_so() -> None:
    with pytest.raises(UserError, match="3 blocks halve an image of 6 x 6 to nothing"):
        create({"name": "vgg", "blocks": [[1, 4]] * 3}, (1, 6, 6), 10)


@pytest.mark.parametrize(
    ("model", "millions"),
    [
        ({"name": "wide_resnet"}, 2.75),
        ({"name": "wide_resnet", "depth": 28, "width_multiplier": 10}, 36.5),
        ({"name": "preact_resnet"}, 11.2),
        ({"name": "resnet9"}, 6.6),
    ],
)
def test_networks_of_papers_have_the_parameters_that_those_quote(model: dict[str, Any], millions: float) -> None:
    """36.5 is what arXiv 1605.07146 quotes for WRN-28-10; the others are what their authors' code counts."""
    with torch.device("meta"):
        net = create(model, (3, 32, 32), 10)
    assert sum(parameter.numel() for parameter in net.parameters()) / 1e6 == pytest.approx(millions, abs=0.05)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"channels": [4] * 5}, "divide an image of 9 x 9 by 16, to nothing; give fewer `channels`"),
        ({"channels": [4, 4], "residual": [3]}, "names group 3, and `channels` gives 2 groups; allowed: 1 to 2"),
    ],
)
def test_a_resnet9_that_cannot_be_says_why(model: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        create({"name": "resnet9", **model}, (1, 9, 9), 10)


def test_the_convnext_of_the_paper_has_the_parameters_that_it_quotes_but_for_layer_scale() -> None:
    """28.6 million for ConvNeXt-T with 1,000 classes, of which 6,624 scale its blocks' channels."""
    paper = {"dims": [96, 192, 384, 768], "depths": [3, 3, 9, 3], "patch": 4, "kernel": 7, "expansion": 4}
    with torch.device("meta"):
        net = create({"name": "convnext", **paper}, (3, 224, 224), 1000)
    assert sum(parameter.numel() for parameter in net.parameters()) == 28_589_128 - 6_624


def test_a_stem_of_stride_two_halves_the_picture() -> None:
    net = create({"name": "preact_resnet", "blocks": [[1, 4]], "stem": 4, "stem_stride": 2}, (1, 28, 28), 10)
    assert net.stem(torch.zeros(1, 1, 28, 28)).shape == (1, 4, 14, 14)


def test_the_first_group_of_the_resnet_has_plain_shortcuts_and_later_ones_begin_with_a_convolution() -> None:
    net = create({"name": "resnet", "blocks": [[2, 4], [2, 8]]}, (1, 28, 28), 10)
    names = [name for name, _ in net.named_modules() if name.endswith("shortcut")]
    kinds = [type(net.get_submodule(name)).__name__ for name in names]
    assert kinds == ["Identity", "Identity", "Conv2d", "Identity"]


def test_dense_layers_per_pixel_treat_every_pixel_alike() -> None:
    net = create({"name": "skip_mlp", "width": 4, "stacks": [1], "per_pixel": True}, (3, 5, 5), 2).eval()
    stem = torch.nn.Sequential(net.stem1, net.stem2, net.stack1)
    pixels = torch.rand(1, 3, 5, 5)
    torch.testing.assert_close(stem(pixels.transpose(2, 3)), stem(pixels).transpose(2, 3))
