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
BatchNorm = Literal["none", "before", "after", "between"]
"""Batch normalisation of a layer: before its activation, after it, or between two of them."""


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
    batch_norm: BatchNorm = Field(
        "none", description="In each hidden layer, before its activation, after it, or between two of them."
    )
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
    batch_norm: BatchNorm = Field(
        "none", description="With each convolution, before its activation, after it, or between two of them."
    )
    dropout: Rate = Field(0.0, description="Dropout after each pooling.")
    init: Init = "torch"


class Vgg(Entry):
    """Blocks of 3 x 3 convolutions, each with activation and batch normalisation, and max pooling; then dense layers.

    After Simonyan and Zisserman 2015 (arXiv 1409.1556); the defaults are a small one for 28 x 28.
    """

    name: Literal["vgg"] = "vgg"
    blocks: list[Annotated[list[Positive], Field(min_length=2, max_length=2)]] = Field(
        [[2, 32], [2, 64], [3, 128], [3, 256]],
        min_length=1,
        description="Convolutions and filters of each block.",
    )
    hidden: list[Positive] = Field([256], description="Units of each dense layer before the output.")
    activation: Activation = "relu"
    batch_norm: BatchNorm = Field(
        "before", description="With each convolution, before its activation, after it, or between two of them."
    )
    dropout: Rate = Field(0.3, description="Dropout after each dense layer.")
    init: Init = "torch"


class ResNet(Entry):
    """A stem (7 x 7 convolution, max pooling), residual blocks of two 3 x 3 convolutions, average pooling, output.

    After He et al. 2016 (arXiv 1512.03385). Strides pad as TensorFlow's 'same' does. Each group after the first halves
    the picture with its first block, whose shortcut is a 1 x 1 convolution without normalisation.
    """

    name: Literal["resnet"] = "resnet"
    blocks: list[Annotated[list[Positive], Field(min_length=2, max_length=2)]] = Field(
        [[1, 64], [1, 128], [1, 256], [1, 512]],
        min_length=1,
        description="Residual blocks and filters of each group; the first group's filters are the stem's too.",
    )
    border: Annotated[int, Field(ge=0)] = Field(3, description="Rows and columns of zeros around the input.")
    drop_path: Rate = Field(0.0, description="Stochastic depth: chance to leave out a block's convolutions.")
    init: Init = "torch"


class ResidualMlp(Entry):
    """Dense residual blocks: dense, norm, activation, dropout, dense, norm, plus the shortcut, activation."""

    name: Literal["residual_mlp"] = "residual_mlp"
    stem: Positive = Field(1024, description="Units of the dense layer before the blocks.")
    blocks: list[Positive] = Field(
        [1024, 512, 512, 256, 256, 128],
        min_length=1,
        description="Units of each block; its shortcut is a dense layer where the width changes.",
    )
    dropout: Rate | list[Rate] = Field(
        0.0, description="Within each block: one rate, or one per block and one for before the output."
    )
    hidden: Positive = Field(64, description="Units of the dense layer after the blocks.")
    activation: Activation = "relu"
    drop_path: Rate = Field(0.0, description="Stochastic depth: chance to leave out a block's dense layers.")
    init: Init = "torch"

    @model_validator(mode="after")
    def _one_rate_each(self) -> Self:
        if isinstance(self.dropout, list) and len(self.dropout) != len(self.blocks) + 1:
            raise ValueError(
                f"model 'residual_mlp' with {len(self.blocks)} blocks needs one dropout rate, or "
                f"{len(self.blocks) + 1} (one per block and one for before the output), and has {len(self.dropout)}"
            )
        return self


class SkipMlp(Entry):
    """Dense layers of one width, then stacks of dense, norm, activation and dropout, with or without their input added.

    With `per_pixel` every dense layer works on the channels of each pixel, as a Keras Dense on a picture does.
    """

    name: Literal["skip_mlp"] = "skip_mlp"
    width: Positive = 128
    stem: Positive = Field(2, description="Plain dense layers before the stacks.")
    stacks: list[Positive] = Field([2] * 9, description="Dense layers of each stack.")
    skip: bool = Field(True, description="Add the input of each stack to its output.")
    hidden: list[Positive] = Field([128], description="Units of each dense layer after the stacks.")
    activation: Activation = "relu"
    dropout: Rate = Field(0.5, description="After each layer of a stack and each dense layer after the stacks.")
    per_pixel: bool = False
    drop_path: Rate = Field(0.0, description="Stochastic depth: chance to leave out a stack; needs `skip`.")
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

Layers = Literal["hidden", "all", "conv"] | Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1)]
"""Which kernels a penalty counts: a group of them, or patterns over the names of layers, as in ``["*.conv1"]``."""

LAYERS = "Kernels it counts: all but the output layer's, all, convolutions', or patterns of layer names: ['*.conv1']."


class L1(Entry):
    """Adds strength * sum(|w|) over kernels to the loss (Keras's sense)."""

    name: Literal["l1"] = "l1"
    strength: NotNegative = 1e-4
    layers: Layers = Field("hidden", description=LAYERS)


class L2(Entry):
    """Adds strength * sum(w^2) over kernels to the loss (Keras's sense: the gradient is 2 * strength * w)."""

    name: Literal["l2"] = "l2"
    strength: NotNegative = 1e-4
    layers: Layers = Field("hidden", description=LAYERS)


class ElasticNet(Entry):
    """Adds l1 * sum(|w|) + l2 * sum(w^2) over kernels to the loss (Keras's `l1_l2`)."""

    name: Literal["elastic_net"] = "elastic_net"
    l1: NotNegative = 1e-4
    l2: NotNegative = 1e-4
    layers: Layers = Field("hidden", description=LAYERS)


class MaxNorm(Entry):
    """Scales each unit's incoming weights down to this Euclidean length after every step (Keras's MaxNorm)."""

    name: Literal["max_norm"] = "max_norm"
    max_value: Ratio = Field(2.0, description="Of a convolution, the length over all inputs and places of a filter.")
    layers: Layers = Field("hidden", description=LAYERS)


class WeightDecay(Entry):
    """The optimizer's own weight decay (PyTorch's sense)."""

    name: Literal["weight_decay"] = "weight_decay"
    strength: NotNegative = 5e-4
    kernels_only: bool = Field(False, description="Leave out biases and normalisation parameters.")


class Dropout(Entry):
    """Sets the model's own `dropout` parameter."""

    name: Literal["dropout"] = "dropout"
    rate: Rate = 0.5


class StochasticDepth(Entry):
    """Sets the model's own `drop_path` (timm: `drop_path_rate`): the chance to leave out a residual branch."""

    name: Literal["stochastic_depth"] = "stochastic_depth"
    rate: Rate = 0.1


class LabelSmoothing(Entry):
    """Moves this share of each label's weight to a uniform distribution over the classes."""

    name: Literal["label_smoothing"] = "label_smoothing"
    amount: Rate = 0.1


# --- augmentations ------------------------------------------------------------------------------


class Augmentation(Entry):
    static: bool = Field(False, description="Draw once before training instead of anew for every batch.")
    validation_too: bool = Field(False, description="With `static`: the validation pictures as well.")

    @model_validator(mode="after")
    def _validation_only_once(self) -> Self:
        if self.validation_too and not self.static:
            raise ValueError("`validation_too: true` needs `static: true`: validation pictures are drawn once")
        return self


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


class Cutout(Augmentation):
    """Blackens one square around a random place with probability p (DeVries and Taylor 2017, arXiv 1708.04552)."""

    name: Literal["cutout"] = "cutout"
    size: Positive = Field(8, description="Pixels of a side; what lies outside the picture is cut off.")
    p: Probability = 1.0


class Rotation(Augmentation):
    """Rotates about the centre by an angle up to this either way; what comes in is black."""

    name: Literal["rotation"] = "rotation"
    degrees: Annotated[float, Field(ge=0, le=180)] = 15.0


class Scaling(Augmentation):
    """Enlarges about the centre by a factor between these two; what comes in is black."""

    name: Literal["scaling"] = "scaling"
    scale: Annotated[list[Ratio], Field(min_length=2, max_length=2), AfterValidator(_low_to_high)] = [0.8, 1.2]


class Shearing(Augmentation):
    """Slants upright lines by an angle up to this either way; what comes in is black."""

    name: Literal["shearing"] = "shearing"
    degrees: Annotated[float, Field(ge=0, lt=90)] = 15.0


class RandAugment(Augmentation):
    """Random operations of one strength (Cubuk et al. 2020, arXiv 1909.13719), with torchvision's ranges."""

    name: Literal["rand_augment"] = "rand_augment"
    num_ops: Positive = Field(2, description="Operations one after the other.")
    magnitude: Annotated[int, Field(ge=0, le=30)] = Field(9, description="Strength of each.")


class TrivialAugment(Augmentation):
    """One random operation of random strength (Müller and Hutter 2021, arXiv 2103.10158, the wide ranges)."""

    name: Literal["trivial_augment"] = "trivial_augment"


class Mixup(Entry):
    """Mixes each picture of a batch with another, and their labels (Zhang et al. 2018, arXiv 1710.09412)."""

    name: Literal["mixup"] = "mixup"
    alpha: Ratio = Field(0.2, description="A picture's own share is from the Beta(alpha, alpha) distribution.")
    p: Probability = 1.0


class CutMix(Entry):
    """Pastes a box of another picture of the batch, and mixes their labels (Yun et al. 2019, arXiv 1905.04899)."""

    name: Literal["cutmix"] = "cutmix"
    alpha: Ratio = Field(1.0, description="The box's share is from the Beta(alpha, alpha) distribution.")
    p: Probability = 1.0


# --- schedules, losses, preprocessing -----------------------------------------------------------


class Schedule(Entry):
    warmup: NotNegative = Field(
        0.0, description="Epochs of linear rise from 0 to the schedule's own rate, from which it then goes on."
    )


class Constant(Schedule):
    """The optimizer's learning rate throughout."""

    name: Literal["constant"] = "constant"


class Cosine(Schedule):
    """Half a cosine from the learning rate to `final` times it, moved every step."""

    name: Literal["cosine"] = "cosine"
    final: Probability = 0.0


class Step(Schedule):
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
    factors: Annotated[list[Ratio], Field(min_length=1)] | None = Field(
        None,
        description="With `milestones`: the factor on the learning rate after each, instead of powers of gamma.",
        examples=[[0.1, 0.05]],
    )

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.every is None) == (self.milestones is None):
            found = "neither" if self.every is None else "both"
            raise ValueError(
                f"schedule 'step' needs either `every` or `milestones`, and has {found}: "
                "write {name: step, every: 10} or {name: step, milestones: [15, 25]}"
            )
        if self.factors is not None and len(self.factors) != len(self.milestones or []):
            raise ValueError(
                f"schedule 'step' has {len(self.factors)} factors for {len(self.milestones or [])} milestones: "
                "write as many of one as of the other"
            )
        return self


class OneCycle(Schedule):
    """Up to the learning rate and down to nearly nothing on half cosines, moved every step (torch's OneCycleLR)."""

    name: Literal["one_cycle"] = "one_cycle"
    pct_start: Probability = Field(0.3, description="Share of all steps that rise.")
    div_factor: Ratio = Field(25.0, description="The first step's rate is the learning rate over this.")
    final_div_factor: Ratio = Field(1e4, description="The last step's rate is the first one's over this.")


class TimeDecay(Schedule):
    """The learning rate over 1 + decay * step: the argument `decay` of Keras's older optimizers."""

    name: Literal["time_decay"] = "time_decay"
    decay: NotNegative = 1e-6


class Plateau(Schedule):
    """Multiplies the learning rate by `factor` when validation stops improving (Keras's ReduceLROnPlateau)."""

    name: Literal["plateau"] = "plateau"
    factor: Fraction = 0.1
    patience: Positive = Field(10, description="Epochs without an improvement before the rate falls.")
    monitor: Literal["val_loss", "val_accuracy"] = "val_loss"
    min_delta: NotNegative = Field(1e-4, description="What counts as an improvement is larger than this.")
    min_lr: NotNegative = Field(0.0, description="The learning rate does not fall below it.")


class CrossEntropy(Entry):
    """Cross-entropy of the softmax of the logits."""

    name: Literal["cross_entropy"] = "cross_entropy"


class BinaryCrossEntropy(Entry):
    """Keras's binary_crossentropy on softmax outputs and one-hot labels: the mean over the classes."""

    name: Literal["binary_cross_entropy"] = "binary_cross_entropy"


class MeanSquaredError(Entry):
    """Squared difference between softmax outputs and one-hot labels: the mean over the classes."""

    name: Literal["mean_squared_error"] = "mean_squared_error"


class Unit(Entry):
    """Pixels divided by 255."""

    name: Literal["unit"] = "unit"


class Standardize(Entry):
    """Pixels in [0, 1] minus the mean, over the standard deviation, of each channel of the training part."""

    name: Literal["standardize"] = "standardize"


class ColumnStandardize(Entry):
    """One channel per column of the picture: the whole picture, standardised by that column's mean and deviation.

    What Keras's Normalization does to (28, 28, 1) after it was adapted on (N, 28, 28): grey pictures only.
    """

    name: Literal["column_standardize"] = "column_standardize"


class ColumnL2(Entry):
    """Each column of each channel divided by its Euclidean length, pixels in [0, 1]; then by `divisor`."""

    name: Literal["column_l2"] = "column_l2"
    divisor: Ratio = 1.0


class FashionMnist(Entry):
    """Fashion-MNIST, current release: 60,000 + 10,000 grey pictures of 28 x 28, ten classes."""

    name: Literal["fashion_mnist"] = "fashion_mnist"


class Mnist(Entry):
    """MNIST: 60,000 + 10,000 grey pictures of 28 x 28, ten digits."""

    name: Literal["mnist"] = "mnist"


class Kmnist(Entry):
    """Kuzushiji-MNIST: 60,000 + 10,000 grey pictures of 28 x 28, ten cursive Japanese characters."""

    name: Literal["kmnist"] = "kmnist"


class Emnist(Entry):
    """EMNIST, handwritten characters of 28 x 28, grey: balanced (47 classes), letters (26) or digits (10)."""

    name: Literal["emnist"] = "emnist"
    split: Literal["balanced", "letters", "digits"] = "balanced"


class Cifar10(Entry):
    """CIFAR-10: 50,000 + 10,000 colour pictures of 32 x 32, ten classes."""

    name: Literal["cifar10"] = "cifar10"


class Cifar100(Entry):
    """CIFAR-100: 50,000 + 10,000 colour pictures of 32 x 32, a hundred classes."""

    name: Literal["cifar100"] = "cifar100"


class ImageFolder(Entry):
    """Your own pictures: train/CLASS/FILE and test/CLASS/FILE below `path`."""

    name: Literal["image_folder"] = "image_folder"
    path: Annotated[str, Field(min_length=1)] = Field(description="The folder, from the suite file's own folder.")
    size: Annotated[list[Positive], Field(min_length=2, max_length=2)] | None = Field(
        None, description="Height and width that every picture is resized to.", examples=[[32, 32]]
    )
    channels: Literal[1, 3] | None = Field(
        None, description="1 for grey, 3 for colour; without it, grey where every picture is.", examples=[3]
    )


class Npz(Entry):
    """Your own arrays: an .npz file with train_images, train_labels, test_images, test_labels, perhaps classes."""

    name: Literal["npz"] = "npz"
    path: Annotated[str, Field(min_length=1)] = Field(description="The file, from the suite file's own folder.")


AXES: dict[str, dict[str, type[Entry]]] = {
    "dataset": {
        "fashion_mnist": FashionMnist,
        "mnist": Mnist,
        "kmnist": Kmnist,
        "emnist": Emnist,
        "cifar10": Cifar10,
        "cifar100": Cifar100,
        "image_folder": ImageFolder,
        "npz": Npz,
    },
    "preprocessing": {
        "unit": Unit,
        "standardize": Standardize,
        "column_standardize": ColumnStandardize,
        "column_l2": ColumnL2,
    },
    "model": {
        "mlp": Mlp,
        "cnn": Cnn,
        "vgg": Vgg,
        "resnet": ResNet,
        "residual_mlp": ResidualMlp,
        "skip_mlp": SkipMlp,
    },
    "optimizer": {"sgd": Sgd, "adam": Adam, "rmsprop": RmsProp},
    "schedule": {
        "constant": Constant,
        "cosine": Cosine,
        "step": Step,
        "one_cycle": OneCycle,
        "time_decay": TimeDecay,
        "plateau": Plateau,
    },
    "loss": {
        "cross_entropy": CrossEntropy,
        "binary_cross_entropy": BinaryCrossEntropy,
        "mean_squared_error": MeanSquaredError,
    },
    "regularizer": {
        "l1": L1,
        "l2": L2,
        "elastic_net": ElasticNet,
        "max_norm": MaxNorm,
        "weight_decay": WeightDecay,
        "dropout": Dropout,
        "stochastic_depth": StochasticDepth,
        "label_smoothing": LabelSmoothing,
    },
    "augmentation": {
        "flip": Flip,
        "shift": Shift,
        "crop": Crop,
        "gaussian_noise": GaussianNoise,
        "random_erasing": RandomErasing,
        "cutout": Cutout,
        "rotation": Rotation,
        "scaling": Scaling,
        "shearing": Shearing,
        "rand_augment": RandAugment,
        "trivial_augment": TrivialAugment,
        "mixup": Mixup,
        "cutmix": CutMix,
    },
}
"""Axis to name to schema, for the axes whose entries have names."""

COMBINABLE = ("regularizer", "augmentation")
"""Axes that also know `none` and `{combine: [...]}`; a configuration holds a list of entries there."""

OPEN = ("model", "optimizer")
"""Axes that also take names a library or the user's own code must answer for, with any parameters."""

Parameters = dict[str, Any]
