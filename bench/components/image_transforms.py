"""What is done to images: how pixels are scaled (preprocessing), and augmentation of training images."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from bench.components.base import Component, Fraction, NotNegative, Positive, Probability, Ratio, low_to_high, register


class PreprocessingComponent(Component):
    """``implementation(train_images, **parameters)`` returns an nn.Module that maps pixels to the network's input."""

    axis = "preprocessing"


@register
class Unit(PreprocessingComponent):
    """Pixels divided by 255."""

    implementation = "bench.training.preprocessors:unit"
    name: Literal["unit"] = "unit"


@register
class Standardize(PreprocessingComponent):
    """Pixels in [0, 1] minus the mean, over the standard deviation, of each channel of the training part."""

    implementation = "bench.training.preprocessors:standardize"
    name: Literal["standardize"] = "standardize"


@register
class ColumnStandardize(PreprocessingComponent):
    """One channel per column of the image: the whole image, standardised by that column's mean and deviation.

    What Keras's Normalization does to (28, 28, 1) after it was adapted on (N, 28, 28): grey images only.
    """

    implementation = "bench.training.preprocessors:column_standardize"
    name: Literal["column_standardize"] = "column_standardize"


@register
class ColumnL2(PreprocessingComponent):
    """Each column of each channel divided by its Euclidean length, pixels in [0, 1]; then by `divisor`."""

    implementation = "bench.training.preprocessors:column_l2"
    name: Literal["column_l2"] = "column_l2"
    divisor: Ratio = 1.0


class Augmentation(Component):
    """``implementation(images, generator, **parameters)`` returns images (B, C, H, W) of the same shape."""

    axis = "augmentation"
    handled: ClassVar[tuple[str, ...]] = ("static", "validation_too")
    static: bool = Field(False, description="Draw once before training instead of anew for every batch.")
    validation_too: bool = Field(False, description="With `static`: the validation images as well.")

    @model_validator(mode="after")
    def _validation_only_once(self) -> Self:
        if self.validation_too and not self.static:
            raise ValueError("`validation_too: true` needs `static: true`: validation images are drawn once")
        return self


@register
class Flip(Augmentation):
    """Mirrors left and right."""

    implementation = "bench.training.augment:flip"
    name: Literal["flip"] = "flip"
    p: Probability = 0.5


@register
class Shift(Augmentation):
    """Moves the image by up to this many whole pixels; what comes in is black."""

    implementation = "bench.training.augment:shift"
    name: Literal["shift"] = "shift"
    vertical: Annotated[int, Field(ge=0)] = 2
    horizontal: Annotated[int, Field(ge=0)] = 2


@register
class Crop(Augmentation):
    """Pads every side, then crops a window of the original size at a random position."""

    implementation = "bench.training.augment:crop"
    name: Literal["crop"] = "crop"
    padding: Positive = 2
    mode: Literal["constant", "reflect", "replicate"] = "constant"


@register
class GaussianNoise(Augmentation):
    """Adds noise of this standard deviation to pixels in [0, 1] and clips to [0, 1]."""

    implementation = "bench.training.augment:gaussian_noise"
    name: Literal["gaussian_noise"] = "gaussian_noise"
    sigma: NotNegative = 0.05


@register
class RandomErasing(Augmentation):
    """Erases one random rectangle with probability p (Zhong et al. 2020, arXiv 1708.04896)."""

    implementation = "bench.training.augment:random_erasing"
    name: Literal["random_erasing"] = "random_erasing"
    p: Probability = 0.5
    area: Annotated[list[Fraction], Field(min_length=2, max_length=2), AfterValidator(low_to_high)] = Field(
        [0.02, 0.33], description="Smallest and largest fraction of the image."
    )
    aspect: Annotated[list[Ratio], Field(min_length=2, max_length=2), AfterValidator(low_to_high)] = Field(
        [0.3, 3.3], description="Smallest and largest ratio of height to width."
    )
    fill: Literal["zero", "noise"] = "zero"


@register
class Cutout(Augmentation):
    """Blackens one square around a random position with probability p (DeVries and Taylor 2017, arXiv 1708.04552)."""

    implementation = "bench.training.augment:cutout"
    name: Literal["cutout"] = "cutout"
    size: Positive = Field(8, description="Pixels of a side; what lies outside the image is cut off.")
    p: Probability = 1.0


@register
class Rotation(Augmentation):
    """Rotates about the centre by an angle up to this either way; what comes in is black."""

    implementation = "bench.training.augment:rotation"
    name: Literal["rotation"] = "rotation"
    degrees: Annotated[float, Field(ge=0, le=180)] = 15.0


@register
class Scaling(Augmentation):
    """Enlarges about the centre by a factor between these two; what comes in is black."""

    implementation = "bench.training.augment:scaling"
    name: Literal["scaling"] = "scaling"
    scale: Annotated[list[Ratio], AfterValidator(low_to_high)] = Field([0.8, 1.2], min_length=2, max_length=2)


@register
class Shearing(Augmentation):
    """Slants upright lines by an angle up to this either way; what comes in is black."""

    implementation = "bench.training.augment:shearing"
    name: Literal["shearing"] = "shearing"
    degrees: Annotated[float, Field(ge=0, lt=90)] = 15.0


@register
class RandAugment(Augmentation):
    """Random operations of one strength (Cubuk et al. 2020, arXiv 1909.13719), with torchvision's ranges."""

    implementation = "bench.training.auto_augment:rand_augment"
    name: Literal["rand_augment"] = "rand_augment"
    num_ops: Annotated[int, Field(gt=0, le=100)] = Field(2, description="Operations one after the other.")
    magnitude: Annotated[int, Field(ge=0, le=30)] = Field(9, description="Strength of each.")


@register
class TrivialAugment(Augmentation):
    """One random operation of random strength (Müller and Hutter 2021, arXiv 2103.10158, the wide ranges)."""

    implementation = "bench.training.auto_augment:trivial_augment"
    name: Literal["trivial_augment"] = "trivial_augment"


class Mixing(Component):
    """``implementation(images, generator, **parameters)`` returns each pixel's weight in the mix with another image."""

    axis = "augmentation"


@register
class Mixup(Mixing):
    """Mixes each image of a batch with another, and their labels (Zhang et al. 2018, arXiv 1710.09412)."""

    implementation = "bench.training.augment:mixup"
    name: Literal["mixup"] = "mixup"
    alpha: Ratio = Field(0.2, description="An image's own weight is from the Beta(alpha, alpha) distribution.")
    p: Probability = 1.0


@register
class CutMix(Mixing):
    """Pastes a box of another image of the batch, and mixes their labels (Yun et al. 2019, arXiv 1905.04899)."""

    implementation = "bench.training.augment:cutmix"
    name: Literal["cutmix"] = "cutmix"
    alpha: Ratio = Field(1.0, description="The box's area is from the Beta(alpha, alpha) distribution.")
    p: Probability = 1.0
