"""Which configurations differ in one axis, or two, and in nothing else?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

Level = tuple[str, ...]


@dataclass(frozen=True)
class Cells:
    """`members` gives the row numbers by cell (a combination of all other axes, by number) and level.

    `levels` are those of the axes in question, in the order of first appearance, `count` the number of cells.
    """

    members: dict[tuple[int, Level], list[int]]
    levels: tuple[Level, ...]
    count: int

    @cached_property
    def having(self) -> dict[Level, set[int]]:
        """The cells of each level."""
        found: dict[Level, set[int]] = {}
        for cell, level in self.members:
            found.setdefault(level, set()).add(cell)
        return found

    def matched(self, levels: Sequence[Level]) -> list[int]:
        """The cells that have every one of these levels."""
        if len(levels) > len(self.members):  # as where every configuration drew a value of its own
            return []
        return sorted(set.intersection(*sorted((self.having.get(one, set()) for one in levels), key=len)))


def varying(axes: pd.DataFrame) -> list[str]:
    """The axes with two levels or more."""
    return [axis for axis in axes.columns if axes[axis].nunique(dropna=False) > 1]


def cells_of(axes: pd.DataFrame, inner: Sequence[str]) -> Cells:
    """Sort the rows of `axes` by the levels of `inner`, one cell per combination of the other columns."""
    outer = [axis for axis in axes.columns if axis not in inner]
    numbers: dict[tuple[object, ...], int] = {}
    members: dict[tuple[int, Level], list[int]] = {}
    around = zip(*(axes[axis] for axis in outer), strict=True) if outer else [()] * len(axes)
    within = zip(*(axes[axis] for axis in inner), strict=True)
    for row, (cell, level) in enumerate(zip(around, within, strict=True)):
        number = numbers.setdefault(tuple(cell), len(numbers))
        members.setdefault((number, tuple(level)), []).append(row)
    return Cells(members, tuple(dict.fromkeys(level for _, level in members)), len(numbers))
