from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from by_name import create_model as create

from bench.errors import UserError

GREY = (1, 28, 28)
PIXELS = torch.linspace(0, 1, 2 * 784).view(2, *GREY)


def test_the_network_standardises_its_input() -> None:
    torch.manual_seed(0)
    plain = create({"name": "mlp"}, GREY, 10)
    torch.manual_seed(0)
    mean, std = np.full((1, 1, 1), 0.25), np.full((1, 1, 1), 0.5)
    net = create({"name": "mlp"}, GREY, 10, statistics=(mean, std))
    assert torch.equal(net(PIXELS), plain((PIXELS - 0.25) / 0.5))


def test_each_channel_has_its_own_statistics() -> None:
    mean, std = np.array([0.1, 0.2, 0.3]).reshape(3, 1, 1), np.array([1.0, 0.5, 0.25]).reshape(3, 1, 1)
    net = create({"name": "mlp", "hidden": []}, (3, 4, 4), 5, statistics=(mean, std))
    net.net = torch.nn.Identity()
    standardized = net(torch.full((1, 3, 4, 4), 0.6))
    torch.testing.assert_close(standardized[0, :, 0, 0], torch.tensor([0.5, 0.8, 1.2]))


def test_the_statistics_are_saved_with_the_network_and_not_trained() -> None:
    net = create({"name": "mlp"}, GREY, 10, statistics=(0.286, 0.353))
    assert {"preprocess.mean", "preprocess.std"} <= net.state_dict().keys()
    assert not {"preprocess.mean", "preprocess.std"} & dict(net.named_parameters()).keys()


def test_the_dropout_regularizer_sets_the_models_dropout() -> None:
    net = create({"name": "mlp", "dropout": 0.0}, GREY, 10, overrides={"dropout": 0.4})
    assert [layer.p for layer in net if isinstance(layer, torch.nn.Dropout)] == [0.4, 0.4]


@pytest.mark.parametrize(("name", "near"), [("nlp", "mlp"), ("resent18", "resnet18")])
def test_an_unknown_name_is_answered_with_the_nearest(name: str, near: str) -> None:
    with pytest.raises(
        UserError,
        match=rf"(?s)unknown model '{name}'; allowed: cnn, convnext, mlp, .*vgg, .*any timm.*did you mean '{near}'",
    ):
        create({"name": name}, GREY, 10)


def test_a_file_without_a_factory_asks_for_one() -> None:
    with pytest.raises(UserError, match=r"name the factory in the file: 'nets/mine.py:FACTORY'"):
        create({"name": "nets/mine.py"}, GREY, 10)


def test_a_users_factory_gets_its_parameters_and_the_dropout(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        "from torch import nn\n"
        "def net(input_shape, classes, units=4, dropout=0.0):\n"
        "    dense = nn.Linear(784, units), nn.Dropout(dropout), nn.Linear(units, classes)\n"
        "    return nn.Sequential(nn.Flatten(), *dense)\n"
    )
    net = create({"name": f"{file}:net", "units": 6}, GREY, 10, overrides={"dropout": 0.2})
    assert (net[1].out_features, net[2].p, net(PIXELS).shape) == (6, 0.2, (2, 10))


def test_lazy_layers_get_their_shapes_from_the_images_and_their_values_from_the_seed(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        "from torch import nn\n"
        "def net(input_shape, classes):\n"
        "    frozen = nn.BatchNorm2d(4).eval()\n"
        "    convolution = nn.LazyConv2d(4, 3), frozen, nn.LazyBatchNorm2d()\n"
        "    return nn.Sequential(*convolution, nn.Flatten(), nn.LazyLinear(classes))\n"
    )
    nets = []
    for _ in range(2):
        torch.manual_seed(5)
        nets.append(create({"name": f"{file}:net"}, GREY, 10))
    first, second = (net.state_dict() for net in nets)
    assert first["4.weight"].shape == (10, 4 * 26 * 26)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not first["2.running_mean"].any(), "as before training"
    assert all(parameter.requires_grad and not parameter.is_inference() for parameter in nets[0].parameters())
    assert [module.training for module in nets[0]] == [True, False, True, True, True]
