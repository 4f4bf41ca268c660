"""How pixels are scaled."""

from __future__ import annotations

from typing import Literal

from bench.components.base import Component, Ratio, register


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
