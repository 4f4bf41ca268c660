"""What may stand in an axis: the names, parameters, bounds and defaults of every built-in entry.

Each class describes one entry of a suite file; the code that carries it out is filed under the same
name in `bench.models`, `bench.training` or `bench.data` (a test holds the two against each other).
Defaults never depend on the device, since they are part of a trial's key. Where PyTorch has a default
we take PyTorch's; Keras's conventions are spelled out in the suites that need them.
"""

from __future__ import annotations

from bench.components.augmentations import (
    Crop,
    CutMix,
    Cutout,
    Flip,
    GaussianNoise,
    Mixup,
    RandAugment,
    RandomErasing,
    Rotation,
    Scaling,
    Shearing,
    Shift,
    TrivialAugment,
)
from bench.components.base import Component
from bench.components.datasets import Cifar10, Cifar100, Emnist, FashionMnist, ImageFolder, Kmnist, Mnist, Npz
from bench.components.losses import BinaryCrossEntropy, CrossEntropy, MeanSquaredError
from bench.components.models import (
    Cnn,
    ConvNext,
    Mlp,
    PreactResNet,
    ResidualMlp,
    ResNet,
    ResNet9,
    SkipMlp,
    Vgg,
    WideResNet,
)
from bench.components.optimizers import Adam, RmsProp, Sgd
from bench.components.preprocessing import ColumnL2, ColumnStandardize, Standardize, Unit
from bench.components.regularizers import (
    L1,
    L2,
    Dropout,
    ElasticNet,
    LabelSmoothing,
    MaxNorm,
    StochasticDepth,
    WeightDecay,
)
from bench.components.schedules import Constant, Cosine, OneCycle, Plateau, Step, TimeDecay


def _by_name(*entries: type[Component]) -> dict[str, type[Component]]:
    return {entry.model_fields["name"].default: entry for entry in entries}


AXES: dict[str, dict[str, type[Component]]] = {
    "dataset": _by_name(FashionMnist, Mnist, Kmnist, Emnist, Cifar10, Cifar100, ImageFolder, Npz),
    "preprocessing": _by_name(Unit, Standardize, ColumnStandardize, ColumnL2),
    "model": _by_name(Mlp, Cnn, Vgg, ResNet, ResNet9, ConvNext, PreactResNet, WideResNet, ResidualMlp, SkipMlp),
    "optimizer": _by_name(Sgd, Adam, RmsProp),
    "schedule": _by_name(Constant, Cosine, Step, OneCycle, TimeDecay, Plateau),
    "loss": _by_name(CrossEntropy, BinaryCrossEntropy, MeanSquaredError),
    "regularizer": _by_name(L1, L2, ElasticNet, MaxNorm, WeightDecay, Dropout, StochasticDepth, LabelSmoothing),
    "augmentation": _by_name(
        Flip,
        Shift,
        Crop,
        GaussianNoise,
        RandomErasing,
        Cutout,
        Rotation,
        Scaling,
        Shearing,
        RandAugment,
        TrivialAugment,
        Mixup,
        CutMix,
    ),
}
"""Axis to name to schema, for the axes whose entries have names."""

COMBINABLE = ("regularizer", "augmentation")
"""Axes that also know `none` and `{combine: [...]}`; a configuration holds a list of entries there."""

OPEN = ("model", "optimizer")
"""Axes that also take names a library or the user's own code must answer for, with any parameters."""
