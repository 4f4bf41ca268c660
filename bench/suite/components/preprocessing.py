"""How pixels are scaled."""

from __future__ import annotations

from typing import Literal

from bench.suite.components.entry import Entry, Ratio


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
