"""Every network of the five lab documents has the number of parameters its document prints, counted as Keras counts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from by_name import create_model as create

from bench.models.count_operations import count_parameters

GREY, COLOUR = (1, 28, 28), (3, 32, 32)
COLUMNS = {"name": "column_standardize"}
UNIT = {"name": "unit"}
PER_PIXEL = {"name": "skip_mlp", "stacks": [2], "skip": False, "hidden": [], "per_pixel": True}

SYSTEMS: dict[str, tuple[dict[str, Any], tuple[int, int, int], dict[str, str], int]] = {
    "A: deep residual MLP (worked out)": ({"name": "residual_mlp"}, GREY, UNIT, 5_320_842),
    "B: baseline": ({"name": "mlp", "hidden": [128, 128, 128]}, GREY, COLUMNS, 2_844_355),
    "B: conv2D": ({"name": "cnn", "channels": [32], "hidden": [128], "dropout": 0.2}, GREY, COLUMNS, 613_731),
    "B: customVGG": ({"name": "vgg"}, GREY, COLUMNS, 1_990_915),
    "B: customResNet": ({"name": "resnet"}, GREY, COLUMNS, 4_994_435),
    "C: 100-512-512-1024-10": ({"name": "mlp", "hidden": [512, 512, 1024]}, (1, 10, 10), UNIT, 849_930),
    "D: 64-64-64 on MNIST": ({"name": "mlp", "hidden": [64, 64, 64]}, GREY, UNIT, 59_210),
    "D: shallow": ({"name": "skip_mlp", "stacks": [2], "skip": False, "hidden": []}, GREY, UNIT, 152_330),
    "D: ten blocks": ({"name": "skip_mlp", "stacks": [2] * 9}, GREY, UNIT, 441_226),
    "D: skips of one and three": ({"name": "skip_mlp", "stacks": [1, 3]}, GREY, UNIT, 202_890),
    "D: 64-64-64 on CIFAR-10": ({"name": "mlp", "hidden": [64, 64, 64]}, COLOUR, UNIT, 205_642),
    "D: shallow per pixel": (PER_PIXEL, COLOUR, UNIT, 1_361_802),
    "E: 784-128-64-10 (worked out)": ({"name": "mlp", "hidden": [128, 64]}, GREY, UNIT, 109_386),
}


def built(model: dict[str, Any], shape: tuple[int, int, int], preprocessing: dict[str, str]) -> Any:
    statistics = (np.zeros(28), np.ones(28)) if preprocessing is COLUMNS else None
    return create(model, shape, 10, statistics, preprocessing=preprocessing)


@pytest.mark.parametrize("system", SYSTEMS)
def test_it_has_its_documents_number_of_parameters(system: str) -> None:
    *network, expected = SYSTEMS[system]
    assert count_parameters(built(*network))[0] == expected


def test_the_documents_split_of_the_resnet_into_trained_and_not() -> None:
    assert count_parameters(built({"name": "resnet"}, GREY, COLUMNS)) == (4_994_435, 4_990_410)
