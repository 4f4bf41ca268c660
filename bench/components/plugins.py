"""Component classes of installed packages, which name them under the entry point `bench.components`."""

from __future__ import annotations

import importlib.metadata
import warnings

from bench.components.base import AXES, Component, register

GROUP = "bench.components"


def load_plugins() -> None:
    """Import what installed packages name there: a component class each, or a module that registers some.

    A package that cannot be imported, or whose components clash with others, is left out with a warning.
    """
    for entry_point in importlib.metadata.entry_points(group=GROUP):
        try:
            loaded = entry_point.load()
            if isinstance(loaded, type) and issubclass(loaded, Component) and not _is_registered(loaded):
                register(loaded)
        except Exception as error:
            package = entry_point.dist.name if entry_point.dist else entry_point.value
            warnings.warn(
                f"the components of the package {package} ({entry_point.name} = {entry_point.value}) were left out: "
                f"{type(error).__name__}: {error}",
                stacklevel=2,
            )


def _is_registered(component: type[Component]) -> bool:
    return any(component is known for axis in AXES.values() for known in axis.values())
