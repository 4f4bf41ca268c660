"""Learning-rate schedules: each gives the factor on the optimizer's own learning rate, step by step."""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from bench.components.optimization import Schedule
from bench.errors import UserError
from bench.user_code.run_code import call_component, code_location

Factor = Callable[[int], float]
"""Factor at a 0-based step."""


@dataclass(frozen=True)
class ScheduleContext:
    """What a schedule runs along.

    `epochs` is the whole budget, `learning_rate` the optimizer's. `curves` are metrics by name with one value for each
    finished epoch; a schedule that follows them reads them as training goes on (in a refit, those of the search).
    """

    epochs: int
    steps_per_epoch: int
    learning_rate: float
    curves: Mapping[str, Sequence[float | None]] = field(default_factory=dict)


def create(component: Schedule, context: ScheduleContext) -> Factor | None:
    """The factor of a configuration's schedule, or None where the learning rate never changes."""
    factor = call_component(component, context, **component.parameters)
    if factor is not None and not callable(factor):
        raise UserError(
            f"schedule {component.name!r}: its factory returned {type(factor).__name__}, expected a function that "
            "gives the factor on the learning rate at a step, counted from 0"
        )
    return _warmed_up(factor, component.warmup * context.steps_per_epoch) if component.warmup else factor


def check(component: Schedule, epochs: int) -> None:
    """UserError unless the schedule gives a finite number from 0 at the first and at the last step."""
    curves = {name: [0.5] * epochs for name in ("train_loss", "train_accuracy", "val_loss", "val_accuracy", "lr")}
    factor = create(component, ScheduleContext(epochs, steps_per_epoch=2, learning_rate=0.1, curves=curves))
    if factor is None:
        return
    for step in (0, 2 * epochs - 1):
        try:
            value = factor(step)
        except Exception as error:
            where = code_location(component, error)
            raise UserError(
                f"schedule {component.name!r} fails at step {step}: {type(error).__name__}: {error}{where}"
            ) from error
        if not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
            raise UserError(
                f"schedule {component.name!r} gives {value!r} at step {step}, expected the factor on the learning "
                "rate, a number of at least 0"
            )


def constant(context: ScheduleContext) -> None:  # noqa: ARG001 (every schedule takes the context)
    return None


def cosine(context: ScheduleContext, *, final_factor: float) -> Factor:
    """Half a cosine over the whole budget (Loshchilov and Hutter 2017, arXiv 1608.03983, no restart)."""
    total = context.epochs * context.steps_per_epoch

    def factor(step: int) -> float:
        return final_factor + (1 - final_factor) * 0.5 * (1 + math.cos(math.pi * min(step / total, 1.0)))

    return factor


def step(
    context: ScheduleContext,
    *,
    every: int | None,
    milestones: list[int] | None,
    gamma: float,
    factors: list[float] | None,
) -> Factor:
    """Times `gamma` after every `every` epochs or after each of `milestones`, or one of `factors` after each."""
    ordered = sorted(milestones or [])

    def factor(step_number: int) -> float:
        epochs_done = step_number // context.steps_per_epoch
        drops = epochs_done // every if every else bisect.bisect_right(ordered, epochs_done)
        if factors is not None:
            return [1.0, *factors][drops]
        try:
            return float(gamma**drops)
        except OverflowError:
            return math.inf

    return factor


def one_cycle(context: ScheduleContext, *, pct_start: float, div_factor: float, final_div_factor: float) -> Factor:
    """Up to the optimizer's learning rate and down again (Smith and Topin 2018, arXiv 1708.07120).

    As torch's OneCycleLR in two phases with cosine annealing and ``cycle_momentum=False``: from 1 / `div_factor` to 1
    in the fraction `pct_start` of all steps, then down to 1 / (`div_factor` * `final_div_factor`) with the last step.
    """
    total = context.epochs * context.steps_per_epoch
    start, end = 1 / div_factor, 1 / (div_factor * final_div_factor)
    peak, last = pct_start * total - 1, total - 1

    def factor(step: int) -> float:
        if step < peak:
            return _annealed(start, 1.0, step / peak)
        return _annealed(1.0, end, min((step - peak) / (last - peak), 1.0)) if last > peak else 1.0

    return factor


def time_decay(context: ScheduleContext, *, decay: float) -> Factor:  # noqa: ARG001
    """1 / (1 + `decay` * step), what Keras's optimizers did with their argument `decay`."""
    return lambda step: 1 / (1 + decay * step)


def plateau(
    context: ScheduleContext,
    *,
    factor: float,
    patience: int,
    monitor: str,
    min_delta: float,
    min_lr: float,
) -> Factor:
    """Times `factor` after `patience` epochs in which the monitored metric did not improve by more than `min_delta`.

    Keras's ReduceLROnPlateau without a cooldown. The rate does not fall below `min_lr`; where it starts below, it
    stays.
    """
    sign = -1 if monitor == "val_loss" else 1
    lowest = min(min_lr / context.learning_rate, 1.0)

    def factor_at(step: int) -> float:
        current, best, waited = 1.0, -math.inf, 0
        for value in context.curves[monitor][: step // context.steps_per_epoch]:
            if value is not None and sign * value > best + min_delta:
                best, waited = sign * value, 0
                continue
            waited += 1
            if waited >= patience:
                current, waited = max(current * factor, lowest), 0
        return current

    return factor_at


def _warmed_up(factor: Factor | None, steps: float) -> Factor:
    """A schedule whose first `steps` are scaled by a straight line, from 1 / `steps` up to 1."""

    def warmed_up(step: int) -> float:
        return (factor(step) if factor else 1.0) * min((step + 1) / steps, 1.0)

    return warmed_up


def _annealed(start: float, end: float, fraction: float) -> float:
    """On half a cosine from `start` to `end`."""
    return end + (start - end) * 0.5 * (1 + math.cos(math.pi * fraction))
