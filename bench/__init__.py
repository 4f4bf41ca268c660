"""A benchmark suite for small-image classification.

load_suite, Suite    a suite from a file, or from Python values: `Suite.from_dict`
Dataset              your own arrays as a data set: `Dataset.from_arrays`
run                  train what a ledger lacks of a suite
load, Results        a ledger as pandas frames
load_model           a trained network with its preprocessing
report               a ledger or a run as a page: `report(results).show()`
UserError            what is wrong with the input, as the command line says it
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.data.dataset import Dataset
    from bench.errors import UserError
    from bench.frames import Results, load
    from bench.inference.classifier import load_model
    from bench.interface import load_suite, report, run
    from bench.suite.suite import Suite

__version__ = "0.1.0"
__all__ = [
    "Dataset",
    "Results",
    "Suite",
    "UserError",
    "__version__",
    "load",
    "load_model",
    "load_suite",
    "report",
    "run",
]

_MODULES = {
    "Dataset": "bench.data.dataset",
    "Results": "bench.frames",
    "Suite": "bench.suite.suite",
    "UserError": "bench.errors",
    "load": "bench.frames",
    "load_model": "bench.inference.classifier",
    "load_suite": "bench.interface",
    "run": "bench.interface",
}


def __getattr__(name: str) -> object:
    """Names are imported when they are first used: pandas takes a second, and most commands do without."""
    if name == "report":  # the package, which can be called: importing any of its modules makes it an attribute here
        return importlib.import_module("bench.report")
    if name in _MODULES:
        value: object = getattr(importlib.import_module(_MODULES[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'bench' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
