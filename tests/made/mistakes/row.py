"""A suite file that is wrong, what lies beside it, and what must be said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

TOP = "name: t\ngrid:\n  model: mlp\n"
"""Three lines to which a mistake is added: inside `grid` when it starts with two spaces."""

Row = tuple[str | bytes, *tuple[str, ...]]
"""The file, and parts of what must be said of it."""


def nothing(_: Path) -> None:
    """Leaves the suite file alone in its folder."""


@dataclass(frozen=True)
class Mistake:
    """`beside` puts what the suite names into its folder; `options` follow ``bench run suite.yaml``.

    With `asks_ray` only a started Ray can tell, and stdout has the count of trials, which is 0.
    """

    suite: str | bytes
    said: tuple[str, ...]
    beside: Callable[[Path], object] = nothing
    options: tuple[str, ...] = ()
    asks_ray: bool = False


def plain(rows: dict[str, Row]) -> dict[str, Mistake]:
    """Of files that need nothing beside them."""
    return {name: Mistake(suite, said) for name, (suite, *said) in rows.items()}
