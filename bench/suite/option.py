"""One entry an axis may take, with what in it is still to be drawn."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from bench.suite.document import KeyPath


@dataclass(frozen=True)
class Draw:
    """A distribution in an entry's parameter, to be drawn once per sample."""

    kind: str
    values: tuple[Any, ...]
    name: str

    def sample(self, seed: int, index: int) -> Any:
        """The value of draw `index`; six significant digits, so that no C library's last bit shows."""
        stream = random.Random(f"{seed}/{index}/{self.name}")
        if self.kind == "choice":
            return self.values[int(stream.random() * len(self.values))]
        low, high = self.values
        if self.kind == "uniform":
            return float(f"{low + (high - low) * stream.random():.6g}")
        return float(f"{math.exp(math.log(low) + (math.log(high) - math.log(low)) * stream.random()):.6g}")


@dataclass(frozen=True)
class Option:
    """One entry an axis may take: plain parameters, some of them draws; and where each of them was written."""

    entry: dict[str, Any]
    path: KeyPath
    origins: dict[str, KeyPath]
    drawn: bool = False
    """Whether a distribution was drawn from."""

    @property
    def has_draws(self) -> bool:
        return any(isinstance(value, Draw) for value in self.entry.values())

    def resolved(self, seed: int, index: int) -> Option:
        if not self.has_draws:
            return self
        entry = {key: v.sample(seed, index) if isinstance(v, Draw) else v for key, v in self.entry.items()}
        return Option(entry, self.path, self.origins, drawn=True)

    def choices(self, seed: int) -> Iterator[Option]:
        """The first draw, with each value that a `choice` could give in its turn, also those that are never drawn."""
        first = self.resolved(seed, 0)
        for key, value in self.entry.items():
            if isinstance(value, Draw) and value.kind == "choice":
                for choice in value.values:
                    yield replace(first, entry={**first.entry, key: choice}, drawn=False)


Level = tuple[Option, ...]
"""One level of an axis: a single option, or several for a combination; empty for `none`."""


def has_draws(level: Level) -> bool:
    return any(option.has_draws for option in level)
