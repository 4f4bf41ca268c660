from __future__ import annotations

import pytest
import torch
from by_name import cnn

from bench.errors import UserError
from bench.models.count_operations import count_parameters


def test_lab_b_conv2d_on_one_channel_has_592074_parameters() -> None:
    # 5*5*1*32 + 32, then 12*12*32 = 4608 inputs: 4608*128 + 128, 128*10 + 10
    net = cnn((1, 28, 28), 10, channels=[32], kernel=5, pool=2, dropout=0.2, hidden=[128])
    assert count_parameters(net) == (592_074, 592_074)


def test_lab_b_conv2d_on_its_28_channels_has_the_printed_count() -> None:
    # The printed 613,731 include 57 of the layer that standardises the input.
    assert count_parameters(cnn((28, 28, 28), 10))[0] == 613_731 - 57


def test_layers_come_in_the_stated_order() -> None:
    net = cnn((1, 8, 8), 3, channels=[2], kernel=3, batch_norm="before", dropout=0.25, hidden=[4])
    assert [type(layer).__name__ for layer in net] == [
        "Conv2d", "BatchNorm2d", "ReLU", "MaxPool2d", "Dropout", "Flatten", "Linear", "ReLU", "Linear",
    ]  # fmt: skip


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32)])
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("pool", [1, 2, 3])
def test_gives_one_logit_per_class(shape: tuple[int, int, int], padding: str, pool: int) -> None:
    net = cnn(shape, 7, channels=[4, 6], kernel=3, padding=padding, pool=pool, hidden=[8])
    assert net(torch.rand(2, *shape)).shape == (2, 7)


def test_says_which_block_has_nothing_left() -> None:
    with pytest.raises(UserError, match=r"block 3 of 4 gets images of 4 x 4, too small for a 5 x 5 kernel"):
        cnn((1, 28, 28), 10, channels=[8, 8, 8, 8])
