"""The larger networks of the labs: VGG, ResNet and residual MLPs."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from bench.models.create import create
from bench.suite.errors import UserError

MODELS: list[dict[str, Any]] = [
    {"name": "vgg", "blocks": [[1, 4], [2, 6]], "hidden": [8]},
    {"name": "vgg", "blocks": [[1, 4]], "hidden": [], "batch_norm": "none", "dropout": 0.0},
    {"name": "resnet", "blocks": [[1, 4], [2, 6]]},
    {"name": "resnet", "blocks": [[2, 4]], "border": 0, "drop_path": 0.2},
    {"name": "residual_mlp", "stem": 8, "blocks": [8, 6], "dropout": [0.4, 0.3, 0.2], "hidden": 5},
    {"name": "residual_mlp", "stem": 8, "blocks": [6], "drop_path": 0.2},
    {"name": "skip_mlp", "width": 8, "stacks": [1, 3], "hidden": [6, 5]},
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
    with pytest.raises(UserError, match="3 blocks halve a picture of 6 x 6 to nothing"):
        create({"name": "vgg", "blocks": [[1, 4]] * 3}, (1, 6, 6), 10)


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
