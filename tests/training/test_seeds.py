"""One seed, independent streams: what one part draws changes nothing elsewhere."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch

from bench.data import Dataset
from bench.training.runtime import Stream, generator, stream_seed
from bench.training.train_trial import train_trial

# Each of these draws numbers all the time and changes no pixel and no unit.
FLIP_NOTHING = {"name": "flip", "p": 0.0}
NO_NOISE = {"name": "gaussian_noise", "sigma": 0.0}
DROP_NOTHING = {"name": "dropout", "rate": 1e-12}


def test_every_stream_of_every_seed_has_a_seed_of_its_own() -> None:
    seeds = [stream_seed(seed, stream) for seed in range(100) for stream in get_args(Stream)]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_a_stream_s_seed_stays_the_same_for_ever() -> None:
    assert stream_seed(0, "order") == 5231958647509549229
    assert generator(0, "order").initial_seed() == stream_seed(0, "order")


@pytest.mark.parametrize(
    "changes",
    [
        {"augmentation": [FLIP_NOTHING]},
        {"augmentation": [NO_NOISE]},
        {"augmentation": [NO_NOISE | {"static": True}]},
        {"regularizer": [DROP_NOTHING]},
        {"augmentation": [NO_NOISE], "regularizer": [DROP_NOTHING]},
    ],
)
def test_drawing_for_augmentation_or_dropout_leaves_start_values_and_order(
    changes: dict[str, Any], configured: Any, small: Dataset
) -> None:
    validation = {"stratified": 0.2}  # unlike a tail, it leaves gaps in the training part
    plain = train_trial(configured(validation=validation), 0, small)
    drawn = train_trial(configured(validation=validation, **changes), 0, small)
    assert drawn.curves == plain.curves
    assert drawn.test == plain.test


def test_drawing_for_augmentation_leaves_the_dropped_units(configured: Any, small: Dataset) -> None:
    dropout = [{"name": "dropout", "rate": 0.5}]
    plain = train_trial(configured(regularizer=dropout), 0, small)
    drawn = train_trial(configured(regularizer=dropout, augmentation=[NO_NOISE, FLIP_NOTHING]), 0, small)
    assert drawn.curves == plain.curves


def test_dropout_draws_from_a_stream_of_its_own_not_from_what_the_start_values_left(
    configured: Any, small: Dataset
) -> None:
    seeds: list[int] = []
    train_trial(configured(epochs=1), 4, small, report=lambda _: seeds.append(torch.initial_seed()))
    assert seeds == [stream_seed(4, "dropout")]


def test_another_seed_is_another_training(configured: Any, small: Dataset) -> None:
    assert train_trial(configured(), 0, small).curves != train_trial(configured(), 1, small).curves


DRAWING = """
import random
import numpy as np
import torch

class Net(torch.nn.Module):
    def __init__(self, features, classes):
        super().__init__()
        self.layer = torch.nn.Linear(features, classes)
        self.layer.weight.data *= random.random() * np.random.rand()

    def forward(self, pixels):
        scale = random.random() + np.random.rand() if self.training else 1.0
        return self.layer(pixels.flatten(1)) * scale

def network(input_shape, classes):
    return Net(input_shape[0] * input_shape[1] * input_shape[2], classes)
"""


def test_a_network_that_draws_from_python_and_numpy_is_seeded_and_leaves_their_streams(
    configured: Any, small: Dataset, tmp_path: Path
) -> None:
    file = tmp_path / "drawing.py"
    file.write_text(DRAWING)
    config = configured(model={"name": f"{file}:network"}, epochs=2)
    first = train_trial(config, 0, small)
    random.seed(1)
    np.random.seed(1)
    untouched = (random.random(), np.random.rand())
    random.seed(1)
    np.random.seed(1)
    again = train_trial(config, 0, small)
    assert (again.curves, again.test) == (first.curves, first.test)
    assert (random.random(), np.random.rand()) == untouched


DRAWN_AS_BUILT = """
import numpy as np
import torch
from torch import nn


class Weighted(nn.Module):
    def __init__(self, weights):
        super().__init__()
        self.register_buffer("weights", torch.tensor(weights, dtype=torch.float32))

    def forward(self, pixels):
        return pixels * self.weights


def weighted(images):
    return Weighted(np.random.rand(*images.shape[2:]))


def towards_a_point():
    point = torch.rand(32)
    return lambda model: 0.1 * (model.get_parameter("1.bias") - point).square().sum()
"""


@pytest.mark.parametrize(("axis", "factory"), [("preprocessing", "weighted"), ("regularizer", "towards_a_point")])
def test_what_a_user_s_component_draws_as_it_is_built_is_of_the_trial_s_seed(
    axis: str, factory: str, configured: Any, small: Dataset, tmp_path: Path
) -> None:
    (tmp_path / "drawing.py").write_text(DRAWN_AS_BUILT)
    entry = {"name": f"{tmp_path}/drawing.py:{factory}"}
    config = configured(**{axis: [entry] if axis == "regularizer" else entry}, epochs=1)
    curves = []
    for seed in (0, 0, 1):
        torch.rand(1), np.random.rand(1)  # whatever this process has drawn before
        curves.append(train_trial(config, seed, small).curves)
    assert curves[0] == curves[1] != curves[2]
