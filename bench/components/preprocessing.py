"""How pixels are scaled."""

from __future__ import annotations

from typing import Literal

from bench.components.base import Component, Ratio


class Unit(Component):
    """Pixels divided by 255."""

    name: Literal["unit"] = "unit"


class Standardize(Component):
    """Pixels in [0, 1] minus the mean, over the standard deviation, of each channel of the training part."""

    name: Literal["standardize"] = "standardize"


class ColumnStandardize(Component):
    """One channel per column of the image: the whole image, standardised by that column's mean and deviation.

    What Keras's Normalization does to (28, 28, 1) after it was adapted on (N, 28, 28): grey images only.
    """

    name: Literal["column_standardize"] = "column_standardize"


class ColumnL2(Component):
    """Each column of each channel divided by its Euclidean length, pixels in [0, 1]; then by `divisor`."""

    name: Literal["column_l2"] = "column_l2"
    divisor: Ratio = 1.0
