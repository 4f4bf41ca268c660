"""How long did each configuration take to a given validation accuracy?"""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from bench.report.grouping import Configuration
from bench.statistics.time_to_accuracy import time_to_target

STEP = 0.005
"""Targets are multiples of half a point."""

COLUMNS = ("label", "target", "reached", "seeds", "epochs", "seconds")

Curve = list[float | None]


def times(numbers: Sequence[Configuration], target: float | None = None) -> pd.DataFrame:
    """`COLUMNS`, the fastest first: medians over seeds of the time to a validation accuracy, inf where never.

    By default the target is the highest multiple of `STEP` that half of the configurations reach, that is, more than
    half of their seeds. Configurations without a curve of validation accuracy are left out, and those of a refit, whose
    seconds are of two trainings.
    """
    asked = [one for one in numbers if not one.config.get("refit")]
    curves = {one.label: told for one in asked if (told := _curves(one))}
    goal = target if target is not None else _reached_by_half([curve for curve, _ in curves.values()])
    if not curves or goal is None:
        return pd.DataFrame(columns=list(COLUMNS))
    rows = []
    for label, (lines, seconds) in curves.items():
        found = time_to_target(lines, seconds, goal)
        rows.append((label, goal, found.reached, found.seeds, found.epochs, found.seconds))
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    return frame.sort_values(["seconds", "epochs"], kind="stable", ignore_index=True)


def _curves(one: Configuration) -> tuple[list[Curve], list[float]] | None:
    done = one.with_status("complete")
    lines = [record.result.curves.get("val_accuracy", []) for record in done]
    return (lines, [record.run_info.train_seconds for record in done]) if all(lines) and lines else None


def _reached_by_half(configurations: Sequence[list[Curve]]) -> float | None:
    """The highest step that half of the configurations reach with more than half of their seeds."""
    peaks = []
    for lines in configurations:
        best = sorted((max((v for v in line if v is not None), default=-math.inf) for line in lines), reverse=True)
        peaks.append(best[len(best) // 2])
    if not peaks:
        return None
    peak = sorted(peaks, reverse=True)[(len(peaks) - 1) // 2]
    # A figure that is the step itself may fall short of it by rounding.
    return STEP * math.floor(peak / STEP + 1e-9) if math.isfinite(peak) else None
