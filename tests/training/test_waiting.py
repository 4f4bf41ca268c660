"""Nothing inside an epoch waits for the device: twice as many batches an epoch, and not one waiting call more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from waiting import Waits

from bench.components import AXES, COMBINABLE
from bench.data import Dataset
from bench.training import augment, optimizer_factory
from bench.training.train_trial import train_trial

TRAIN, FEW, MANY = 96, 32, 16
"""Training images, and batch sizes that make 3 and 6 batches of them."""

NEEDS: dict[str, dict[str, Any]] = {"step": {"every": 1}}
DEEP = {"name": "residual_mlp", "stem": 8, "blocks": [8], "hidden": 8}

VARIANTS: list[dict[str, Any]] = [
    {"augmentation": [{"name": "crop", "mode": "reflect"}]},
    {"augmentation": [{"name": "random_erasing", "fill": "noise"}]},
    {"augmentation": [{"name": "flip", "static": True, "validation_too": True}]},
    {"augmentation": [{"name": "flip"}, {"name": "shift"}, {"name": "mixup"}, {"name": "cutmix"}]},
    {"loss": {"name": "binary_cross_entropy", "outputs": "sigmoid"}, "regularizer": [{"name": "label_smoothing"}]},
    {"regularizer": [{"name": "weight_decay", "kernels_only": True}, {"name": "l1"}, {"name": "max_norm"}]},
    {"optimizer": {"name": "sgd", "lr": 0.1, "momentum": 0.9, "nesterov": True}, "schedule": {"name": "cosine"}},
    {"optimizer": {"name": "rmsprop", "momentum": 0.9, "centered": True}, "precision": "bfloat16"},
    {"optimizer": {"name": "adam", "amsgrad": True}, "schedule": {"name": "plateau", "warmup": 0.5}},
    {"preprocessing": {"name": "standardize"}, "model": {"name": "mlp", "hidden": [8], "batch_norm": "before"}},
    {"preprocessing": {"name": "column_standardize"}, "model": {"name": "cnn", "channels": [2], "hidden": [4]}},
    {"preprocessing": {"name": "column_l2"}, "weights": "best", "early_stopping": {"patience": 9}},
    {"ema": 0.9, "test_time": "flip", "augmentation": [{"name": "crop"}, {"name": "random_erasing"}]},
    {"model": {"name": "test_resnet"}, "regularizer": [{"name": "l2", "layers": "all"}]},
]
"""What an entry's defaults leave untried."""

WAIT = {
    "adafactor": "takes the larger of a limit and a tensor, by Python",
    **dict.fromkeys(("adamp", "cadamp", "sgdp", "csgdp"), "asks by `if` whether gradient and weight point one way"),
    **dict.fromkeys(("novograd", "novogradc", "novogradw"), "asks by `if` whether a moment is still zero"),
    "asgd": "reads its averaging's weight, and makes the next from Python's numbers",
    "rprop": "writes through masks",
}
"""Optimizers of timm's and torch's that wait in every step, and why; they train all the same, slower on a GPU."""

UNTRIED = ("bnb", "fused", "kron")
"""They need other packages and CUDA, or compile for half a minute."""

MOMENTUM = {"csgdc", "csgdp", "csgdw", "nesterovw", "nlarc", "nlars", "sgdc", "sgdp", "sgdw"}
"""They have no default momentum and do not go without."""


def entries() -> list[dict[str, Any]]:
    """Every entry of every training axis, as a change of the small configuration."""
    axes = ("optimizer", "schedule", "loss", "step", "regularizer", "augmentation", "preprocessing")
    found = []
    for axis in axes:
        for name in AXES[axis]:
            entry = {"name": name, **NEEDS.get(name, {})}
            change: dict[str, Any] = {axis: [entry] if axis in COMBINABLE else entry}
            found.append(change | ({"model": DEEP} if name == "stochastic_depth" else {}))
    return found


def more_for_more_batches(configured: Any, data: Dataset, **changes: Any) -> Counter[str]:
    """Waiting calls of a trial of 6 batches an epoch that one of 3 does not have."""

    def counted(batch_size: int) -> Waits:
        asked = {"model": {"name": "mlp", "hidden": [8]}, "validation": {"tail": 0.25}, "epochs": 2} | changes
        with Waits() as waits:
            outcome = train_trial(configured(**asked, batch_size=batch_size), 0, data)
        assert outcome.status == "complete"
        return waits

    few, many = counted(FEW), counted(MANY)
    assert few.counts["read back: _local_scalar_dense"] > 0  # figures, after each epoch
    assert many.operations > few.operations
    return many.counts - few.counts


@pytest.fixture(scope="module")
def pictures(small: Dataset) -> Dataset:
    return replace(
        small,
        train_images=small.train_images[: TRAIN * 4 // 3],
        train_labels=small.train_labels[: TRAIN * 4 // 3],
        test_images=small.test_images[:20],
        test_labels=small.test_labels[:20],
    )


@pytest.mark.parametrize("changes", [*entries(), *VARIANTS], ids=str)
def test_no_entry_waits_for_the_device_inside_an_epoch(
    changes: dict[str, Any], configured: Any, pictures: Dataset
) -> None:
    assert more_for_more_batches(configured, pictures, **changes) == {}


@pytest.mark.parametrize("name", AXES["augmentation"])
def test_nor_does_an_augmentation_of_colour_pictures(name: str, configured: Any, pictures: Dataset) -> None:
    colour = replace(
        pictures,
        train_images=np.repeat(pictures.train_images, 3, axis=1),
        test_images=np.repeat(pictures.test_images, 3, axis=1),
    )
    assert more_for_more_batches(configured, colour, augmentation=[{"name": name}]) == {}


OTHERS = [name for name in optimizer_factory.names() if name not in AXES["optimizer"] and not name.startswith(UNTRIED)]


@pytest.mark.parametrize("name", [name for name in OTHERS if name not in WAIT])
def test_nor_does_another_optimizer_of_torch_or_timm(name: str, configured: Any, pictures: Dataset) -> None:
    entry = {"name": name, "lr": 1e-3} | ({"momentum": 0.9} if name in MOMENTUM else {})
    assert more_for_more_batches(configured, pictures, optimizer=entry) == {}


@pytest.mark.parametrize("name", sorted(WAIT))
def test_optimizers_that_are_said_to_wait_do_so(name: str, configured: Any, pictures: Dataset) -> None:
    entry = {"name": name, "lr": 1e-3} | ({"momentum": 0.9} if name in MOMENTUM else {})
    assert more_for_more_batches(configured, pictures, optimizer=entry) != {}


WAITING: dict[str, Callable[[Tensor], Any]] = {
    "item": lambda x: x.sum().item(),
    "float": lambda x: float(x.sum()),
    "bool": lambda x: bool(x.sum() > 0),
    "equal": lambda x: torch.equal(x, x),
    "allclose": lambda x: torch.allclose(x, x),
    "nonzero": lambda x: x.nonzero(),
    "mask": lambda x: x[x > 0.5],
    "assignment by mask": lambda x: x.clone().__setitem__(x > 0.5, 0.0),
    "masked_select": lambda x: x.masked_select(x > 0.5),
    "unique": lambda x: x.unique(),
    "bincount": lambda x: x.long().flatten().bincount(),
    "one_hot": lambda x: torch.nn.functional.one_hot(x.long()),
    "cpu": lambda x: x.cpu(),
    "to": lambda x: x.to("cpu"),
    "numpy": lambda x: x.numpy(),
    "tolist": lambda x: x.tolist(),
    "of Python's numbers": lambda x: torch.tensor([0.5], device=x.device) * x,
    "of NumPy's": lambda x: torch.from_numpy(np.ones(1)) * x,
    "drawn without a device": lambda x: torch.rand(len(x)),
}


@pytest.mark.parametrize("wait", WAITING.values(), ids=WAITING)
def test_an_augmentation_that_waits_is_found_out(
    wait: Callable[[Tensor], Any], configured: Any, pictures: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flip(images: Tensor, generator: torch.Generator, **_: Any) -> Tensor:
        wait(images)
        return images

    monkeypatch.setattr(augment, "flip", flip)
    found = more_for_more_batches(configured, pictures, augmentation=[{"name": "flip"}])
    assert found.total() >= 6  # three more batches in each of two epochs
