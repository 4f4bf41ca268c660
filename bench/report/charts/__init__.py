"""The report's charts: one specification each, drawn as SVG for the page, as an interactive view, and as files."""

from __future__ import annotations

from collections.abc import Iterator

from bench.report.charts.budget import rungs, spent
from bench.report.charts.calibration import calibration
from bench.report.charts.confusion import difference, matrix
from bench.report.charts.cost import cost
from bench.report.charts.curves import learning_curves
from bench.report.charts.draw import library, png, specification, svg
from bench.report.charts.effects import effects, interactions
from bench.report.charts.figure import Figure, LeftOut
from bench.report.charts.losses import losses
from bench.report.charts.tries import tries
from bench.report.report import Comparison

__all__ = ["Figure", "LeftOut", "charts", "drawn", "library", "png", "specification", "svg"]

CAUTIONS = {
    "train_seconds": "Seconds of training without evaluation, mean over seeds, as measured with other trials running "
    "beside it on the same machine: good for orders of magnitude, not for ranking similar times.",
    "parameters": "Parameters say nothing of the arithmetic: compare FLOPs in the table.",
}


def charts(comparison: Comparison) -> tuple[Figure, ...]:
    """The charts that have something to say of this part."""
    return tuple(one for one in drawn(comparison) if isinstance(one, Figure))


def drawn(comparison: Comparison) -> tuple[Figure | LeftOut, ...]:
    """Every chart or why it is left out, in the order of the page; heat maps for files come last."""
    return tuple(_all(comparison))


def _all(comparison: Comparison) -> Iterator[Figure | LeftOut]:
    yield cost(comparison, "train_seconds", "time", "Accuracy against training time", "training seconds",
               CAUTIONS["train_seconds"])  # fmt: skip
    yield cost(comparison, "parameters", "parameters", "Accuracy against parameters", "parameters",
               CAUTIONS["parameters"])  # fmt: skip
    yield effects(comparison)
    yield interactions(comparison)
    yield learning_curves(comparison)
    yield losses(comparison)
    yield calibration(comparison)
    yield tries(comparison)
    yield spent(comparison)
    yield rungs(comparison)
    yield matrix(comparison)
    yield difference(comparison)
