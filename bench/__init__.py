"""A benchmark suite for small-image classification."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.frames import Results, load

__version__ = "0.1.0"
__all__ = ["Results", "__version__", "load"]


def __getattr__(name: str) -> object:
    """`bench.load` for notebooks, found when asked for: pandas takes a second to import, and commands do without."""
    if name in ("load", "Results"):
        from bench import frames

        return getattr(frames, name)
    raise AttributeError(f"module 'bench' has no attribute {name!r}")
