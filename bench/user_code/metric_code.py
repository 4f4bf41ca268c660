"""The user's own metrics: `file.py:function` under `metrics:` of a suite file, computed from stored predictions.

No trial's key holds them, since they change no result: a report computes them from what records store, so that an
edited or a new metric needs no training. The report names the checksum of their source.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from bench.components import is_user_defined
from bench.errors import UserError
from bench.metrics import METRICS, Metric, Predictions, predictions_from
from bench.user_code.read_code import read
from bench.user_code.run_code import code_frame, describe, load


def register_metrics(names: Iterable[str], folder: Path) -> None:
    """File those of `names` that are the user's own in `METRICS`, their files read anew from `folder`.

    Raises
    ------
    UserError
        There is no such file or function, or it cannot be imported.
    """
    for name in filter(is_user_defined, names):
        code = read({"name": name}, folder, "metric")
        assert code is not None
        path = sys.path.copy()
        try:
            function = load(name, "metric", folder)
        finally:
            sys.path[:] = path
        METRICS[name] = Metric(
            name.rpartition(":")[2],
            f"your own, {name}",
            _checked(name, function),
            "probabilities",
            percent=False,
            source=code.checksum,
        )


def check_metric(name: str, classes: int) -> None:
    """UserError unless the user's metric gives a number for some predictions of so many classes."""
    probabilities = np.random.RandomState(0).dirichlet(np.ones(classes), 4 * classes).astype(np.float16)
    compute = METRICS[name].compute
    assert compute is not None
    compute(predictions_from(np.arange(4 * classes) % classes, probabilities))


def _checked(name: str, function: Callable[[Predictions], object]) -> Callable[[Predictions], float]:
    """The function with its mistakes as UserError; nan is allowed, where a metric is not defined."""

    def compute(predictions: Predictions) -> float:
        images = f"{len(predictions.labels):,} images"
        try:
            value = function(predictions)
        except Exception as error:
            message = f"metric {name!r} fails on predictions of {images}: {describe(error)}{code_frame(error, name)}"
            raise UserError(message) from error
        if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
            returned = f"{value!r}" if value is None else f"{type(value).__name__}"
            raise UserError(f"metric {name!r} gives {returned} for predictions of {images}, expected a number")
        return float(value) if math.isfinite(value) else math.nan

    return compute
