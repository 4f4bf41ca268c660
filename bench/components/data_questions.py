"""Questions about data: long tails, wrong training labels, and the corruptions of test images.

Each corruption has five severities; `bench.data.corrupt` carries them out. Parameters are CIFAR-10-C's (Hendrycks and
Dietterich 2019, arXiv 1903.12261), and MNIST-C's (Mu and Gilmer 2019, arXiv 1906.02337) for translate, rotate, scale
and shear, which CIFAR-10-C does not have. Lengths are in pixels of images of about 30 x 30.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from bench.components.base import Component, Fraction, register


class ImbalanceComponent(Component):
    """``implementation(sizes, **parameters)`` returns how many of each class's images to train on."""

    axis = "imbalance"


@register
class Balanced(ImbalanceComponent):
    """All of each class's training images."""

    implementation = "bench.data.training_part:all_images"
    name: Literal["none"] = "none"


@register
class Exponential(ImbalanceComponent):
    """A long tail (Cui et al. 2019): the last class has one in `ratio` of its images, the classes between decay."""

    implementation = "bench.data.training_part:exponential"
    name: Literal["exponential"] = "exponential"
    ratio: Annotated[float, Field(gt=1)] = Field(
        100.0, description="Images of the first class over those of the last one, where classes are of equal size."
    )


class LabelNoiseComponent(Component):
    """``implementation(labels, classes, random, **parameters)`` returns labels; `random` is a NumPy RandomState."""

    axis = "label_noise"


@register
class TrueLabels(LabelNoiseComponent):
    """The labels of the data set."""

    implementation = "bench.data.training_part:true_labels"
    name: Literal["none"] = "none"


@register
class SymmetricNoise(LabelNoiseComponent):
    """Each label becomes, with this probability, one of the other classes, all equally likely."""

    implementation = "bench.data.training_part:symmetric"
    name: Literal["symmetric"] = "symmetric"
    rate: Fraction = Field(description="Probability that a training label is wrong.", examples=[0.2])


@register
class AsymmetricNoise(LabelNoiseComponent):
    """Each label becomes, with this probability, the next class: i becomes i + 1, the last class the first one."""

    implementation = "bench.data.training_part:asymmetric"
    name: Literal["asymmetric"] = "asymmetric"
    rate: Fraction = Field(description="Probability that a training label is wrong.", examples=[0.2])


@dataclass(frozen=True)
class Corruption:
    """What it does, and its parameters at the severities 1 to 5."""

    description: str
    severities: tuple[tuple[float, ...], ...]


CORRUPTIONS: dict[str, Corruption] = {
    "gaussian_noise": Corruption(
        "normal noise of this standard deviation", ((0.04,), (0.06,), (0.08,), (0.09,), (0.10,))
    ),
    "shot_noise": Corruption(
        "Poisson noise with this many photons for white", ((500.0,), (250.0,), (100.0,), (75.0,), (50.0,))
    ),
    "impulse_noise": Corruption(
        "this fraction of the values becomes black or white", ((0.01,), (0.02,), (0.03,), (0.05,), (0.07,))
    ),
    "defocus_blur": Corruption(
        "a disk of this radius, its edge blurred", ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1.0, 0.2), (1.5, 0.1))
    ),
    "glass_blur": Corruption(
        "Gaussian blur (deviation), pixels swapped within a distance, so many times, and blur again",
        ((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2)),
    ),
    "motion_blur": Corruption(
        "one-sided Gaussian (radius, deviation) along a line within 45 degrees of the horizontal",
        ((6, 1.0), (6, 1.5), (6, 2.0), (8, 2.0), (9, 2.5)),
    ),
    "fog": Corruption(
        "a plasma fractal (weight, decay) over the image",
        ((0.2, 3.0), (0.5, 3.0), (0.75, 2.5), (1.0, 2.0), (1.5, 1.75)),
    ),
    "brightness": Corruption("the brightness (HSV's value) plus this", ((0.05,), (0.1,), (0.15,), (0.2,), (0.3,))),
    "contrast": Corruption("differences from the image's mean times this", ((0.75,), (0.5,), (0.4,), (0.3,), (0.15,))),
    "pixelate": Corruption(
        "down to this fraction of the side and up again", ((0.95,), (0.9,), (0.85,), (0.75,), (0.65,))
    ),
    "jpeg": Corruption("JPEG compression of this quality", ((80,), (65,), (58,), (50,), (40,))),
    "translate": Corruption("this many pixels in either diagonal direction", ((1,), (2,), (3,), (4,), (5,))),
    "rotate": Corruption("this angle in radians, either way", ((0.2,), (0.4,), (0.6,), (0.8,), (1.0,))),
    "scale": Corruption("shrunk to this fraction of its size", ((0.9,), (0.8,), (0.7,), (0.6,), (0.5,))),
    "shear": Corruption("sheared by this angle in radians, either way", ((0.2,), (0.4,), (0.6,), (0.8,), (1.0,))),
}
"""In the order of tables."""

SEVERITIES = (1, 2, 3, 4, 5)
