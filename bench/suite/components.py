"""What may stand in an axis: the names, parameters, bounds and defaults of every built-in entry.

Each class describes one entry of a suite file; the code that carries it out is filed under the same
name in `bench.models`, `bench.training` or `bench.data` (a test holds the two against each other).
Defaults never depend on the device, since they are part of a trial's key. Where PyTorch has a default
we take PyTorch's; Keras's conventions are spelled out in the suites that need them.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

Positive = Annotated[int, Field(gt=0)]
Fraction = Annotated[float, Field(gt=0, lt=1)]
Probability = Annotated[float, Field(ge=0, le=1)]
Rate = Annotated[float, Field(ge=0, lt=1)]
LearningRate = Annotated[float, Field(gt=0)]
Ratio = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Init = Literal["torch", "keras", "he_normal"]
Activation = Literal["relu", "gelu", "tanh", "sigmoid", "silu", "leaky_relu"]


def _low_to_high(values: list[float]) -> list[float]:
    if values[0] > values[1]:
        raise ValueError(f"{values} must be [low, high], and {values[0]:g} is above {values[1]:g}")
    return values


def _rising(values: list[int]) -> list[int]:
    if any(a >= b for a, b in pairwise(values)):
        raise ValueError(f"{values} must rise: each epoch later than the one before")
    return values


class Entry(BaseModel):
    """An axis entry: a name and its parameters, nothing else."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


# --- models -------------------------------------------------------------------------------------


class Mlp(Entry):
    """Dense layers on the flattened picture."""

    name: Literal["mlp"] = "mlp"
    hidden: list[Positive] = Field([128, 64], description="Units of each hidden layer; [] is a linear classifier.")
    activation: Activation = "relu"
    batch_norm: bool = Field(False, description="Batch normalisation between each hidden layer and its activation.")
    dropout: Rate = Field(0.0, description="Dropout after each hidden layer.")
    init: Init = "torch"


class Cnn(Entry):
    """Convolution blocks (convolution, activation, max pooling, dropout), then dense layers."""

    name: Literal["cnn"] = "cnn"
    filters: list[Positive] = Field([32], min_length=1, description="Filters of each convolution block.")
    kernel: Positive = 5
    padding: Literal["valid", "same"] = "valid"
    pool: Positive = Field(2, description="Max pooling window and stride of each block; 1 for none.")
    hidden: list[Positive] = Field([128], description="Units of each dense layer before the output.")
    activation: Activation = "relu"
    batch_norm: bool = Field(False, description="Batch normalisation between each convolution and its activation.")
    dropout: Rate = Field(0.0, description="Dropout after each pooling.")
    init: Init = "torch"


# --- optimizers ---------------------------------------------------------------------------------


class Sgd(Entry):
    """torch.optim.SGD."""

    name: Literal["sgd"] = "sgd"
    lr: LearningRate = 1e-3
    momentum: Rate = 0.0
    nesterov: bool = Field(False, description="Needs a momentum above 0.")
    weight_decay: NotNegative = 0.0

    @model_validator(mode="after")
    def _nesterov_has_momentum(self) -> Self:
        if self.nesterov and not self.momentum:
            raise ValueError(
                "optimizer 'sgd' with `nesterov: true` needs a momentum above 0: "
                "write {name: sgd, nesterov: true, momentum: 0.9}"
            )
        return self


class Adam(Entry):
    """torch.optim.Adam."""

    name: Literal["adam"] = "adam"
    lr: LearningRate = 1e-3
    betas: Annotated[list[Rate], Field(min_length=2, max_length=2)] = [0.9, 0.999]
    eps: NotNegative = 1e-8
    amsgrad: bool = False
    weight_decay: NotNegative = 0.0


class RmsProp(Entry):
    """torch.optim.RMSprop."""

    name: Literal["rmsprop"] = "rmsprop"
    lr: LearningRate = 1e-2
    alpha: Rate = 0.99
    eps: NotNegative = 1e-8
    momentum: Rate = 0.0
    centered: bool = False
    weight_decay: NotNegative = 0.0


# --- regularizers -------------------------------------------------------------------------------

Layers = Literal["hidden", "all", "conv"]


class L1(Entry):
    """Adds strength * sum(|w|) over kernels to the loss (Keras's sense)."""

    name: Literal["l1"] = "l1"
    strength: NotNegative = 1e-4
    layers: Layers = Field("hidden", description="Kernels it counts: all but the output layer's, all, or convolutions.")


class L2(Entry):
    """Adds strength * sum(w^2) over kernels to the loss (Keras's sense: the gradient is 2 * strength * w)."""

    name: Literal["l2"] = "l2"
    strength: NotNegative = 1e-4
    layers: Layers = Field("hidden", description="Kernels it counts: all but the output layer's, all, or convolutions.")


class WeightDecay(Entry):
    """The optimizer's own weight decay (PyTorch's sense)."""

    name: Literal["weight_decay"] = "weight_decay"
    strength: NotNegative = 5e-4
    kernels_only: bool = Field(False, description="Leave out biases and normalisation parameters.")


class Dropout(Entry):
    """Sets the model's own `dropout` parameter."""

    name: Literal["dropout"] = "dropout"
    rate: Rate = 0.5


class LabelSmoothing(Entry):
    """Moves this share of each label's weight to a uniform distribution over the classes."""

    name: Literal["label_smoothing"] = "label_smoothing"
    amount: Rate = 0.1


# --- augmentations ------------------------------------------------------------------------------


class Augmentation(Entry):
    static: bool = Field(False, description="Draw once before training instead of anew for every batch.")


class Flip(Augmentation):
    """Mirrors left and right."""

    name: Literal["flip"] = "flip"
    p: Probability = 0.5


class Shift(Augmentation):
    """Moves the picture by up to this many whole pixels; what comes in is black."""

    name: Literal["shift"] = "shift"
    vertical: Annotated[int, Field(ge=0)] = 2
    horizontal: Annotated[int, Field(ge=0)] = 2


class Crop(Augmentation):
    """Pads every side, then crops a window of the original size at a random place."""

    name: Literal["crop"] = "crop"
    padding: Positive = 2
    mode: Literal["constant", "reflect", "replicate"] = "constant"


class GaussianNoise(Augmentation):
    """Adds noise of this standard deviation to pixels in [0, 1] and clips to [0, 1]."""

    name: Literal["gaussian_noise"] = "gaussian_noise"
    sigma: NotNegative = 0.05


class RandomErasing(Augmentation):
    """Erases one random rectangle with probability p (Zhong et al. 2020, arXiv 1708.04896)."""

    name: Literal["random_erasing"] = "random_erasing"
    p: Probability = 0.5
    area: Annotated[list[Fraction], Field(min_length=2, max_length=2), AfterValidator(_low_to_high)] = Field(
        [0.02, 0.33], description="Smallest and largest share of the picture."
    )
    aspect: Annotated[list[Ratio], Field(min_length=2, max_length=2), AfterValidator(_low_to_high)] = Field(
        [0.3, 3.3], description="Smallest and largest ratio of height to width."
    )
    fill: Literal["zero", "noise"] = "zero"


# --- schedules, losses, preprocessing -----------------------------------------------------------


class Constant(Entry):
    """The optimizer's learning rate throughout."""

    name: Literal["constant"] = "constant"


class Cosine(Entry):
    """Half a cosine from the learning rate to `final` times it, moved every step."""

    name: Literal["cosine"] = "cosine"
    final: Probability = 0.0


class Step(Entry):
    """Multiplies the learning rate by `gamma` every `every` epochs, or after the epochs in `milestones`."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["every"]}, {"required": ["milestones"]}]},
    )

    name: Literal["step"] = "step"
    every: Positive | None = Field(None, examples=[10])
    milestones: Annotated[list[Positive], Field(min_length=1), AfterValidator(_rising)] | None = Field(
        None, examples=[[15, 25]]
    )
    gamma: Ratio = 0.1

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.every is None) == (self.milestones is None):
            found = "neither" if self.every is None else "both"
            raise ValueError(
                f"schedule 'step' needs either `every` or `milestones`, and has {found}: "
                "write {name: step, every: 10} or {name: step, milestones: [15, 25]}"
            )
        return self


class CrossEntropy(Entry):
    """Cross-entropy of the softmax of the logits."""

    name: Literal["cross_entropy"] = "cross_entropy"


class Unit(Entry):
    """Pixels divided by 255."""

    name: Literal["unit"] = "unit"


class Standardize(Entry):
    """Pixels in [0, 1] minus the mean, over the standard deviation, of each channel of the training part."""

    name: Literal["standardize"] = "standardize"


class FashionMnist(Entry):
    """Fashion-MNIST, current release: 60,000 + 10,000 grey pictures of 28 x 28, ten classes."""

    name: Literal["fashion_mnist"] = "fashion_mnist"


class Mnist(Entry):
    """MNIST: 60,000 + 10,000 grey pictures of 28 x 28, ten digits."""

    name: Literal["mnist"] = "mnist"


AXES: dict[str, dict[str, type[Entry]]] = {
    "dataset": {"fashion_mnist": FashionMnist, "mnist": Mnist},
    "preprocessing": {"unit": Unit, "standardize": Standardize},
    "model": {"mlp": Mlp, "cnn": Cnn},
    "optimizer": {"sgd": Sgd, "adam": Adam, "rmsprop": RmsProp},
    "schedule": {"constant": Constant, "cosine": Cosine, "step": Step},
    "loss": {"cross_entropy": CrossEntropy},
    "regularizer": {
        "l1": L1,
        "l2": L2,
        "weight_decay": WeightDecay,
        "dropout": Dropout,
        "label_smoothing": LabelSmoothing,
    },
    "augmentation": {
        "flip": Flip,
        "shift": Shift,
        "crop": Crop,
        "gaussian_noise": GaussianNoise,
        "random_erasing": RandomErasing,
    },
}
"""Axis to name to schema, for the axes whose entries have names."""

COMBINABLE = ("regularizer", "augmentation")
"""Axes that also know `none` and `{combine: [...]}`; a configuration holds a list of entries there."""

OPEN = ("model", "optimizer")
"""Axes that also take names a library or the user's own code must answer for, with any parameters."""

Parameters = dict[str, Any]
