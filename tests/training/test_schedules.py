"""Learning rates by hand, and in a trial."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from by_name import create_schedule as create

from bench.components import parse_component
from bench.data import Dataset
from bench.training.lr_schedules import Factor, ScheduleContext
from bench.training.train_trial import train_trial


def factor_of(entry: dict[str, Any], epochs: int, steps_per_epoch: int, **context: Any) -> Factor:
    """The factor of an entry that changes the rate; what it leaves out has its default."""
    factor = create(entry, ScheduleContext(epochs, steps_per_epoch, **{"learning_rate": 1.0} | context))
    assert factor is not None
    return factor


def test_constant_changes_nothing() -> None:
    assert (
        create({"name": "constant", "warmup": 0.0}, ScheduleContext(epochs=10, steps_per_epoch=7, learning_rate=0.1))
        is None
    )


def test_cosine_starts_at_one_is_halfway_in_the_middle_and_never_quite_ends() -> None:
    factor = factor_of({"name": "cosine", "final_factor": 0.2}, epochs=5, steps_per_epoch=10)
    assert factor(0) == 1
    assert factor(25) == pytest.approx(0.6)  # halfway between 1 and 0.2
    assert factor(49) == pytest.approx(0.2 + 0.8 * (1 + math.cos(math.pi * 49 / 50)) / 2)
    assert factor(50) == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("entry", "by_epoch"),
    [
        ({"every": 2, "gamma": 0.5}, [1, 1, 0.5, 0.5, 0.25, 0.25]),
        ({"every": 1, "gamma": 0.1}, [1, 0.1, 0.01, 0.001, 1e-4, 1e-5]),
        ({"milestones": [2, 5], "gamma": 0.1}, [1, 1, 0.1, 0.1, 0.1, 0.01]),
        ({"milestones": [1, 3, 4], "factors": [0.1, 0.01, 0.5]}, [1, 0.1, 0.1, 0.01, 0.5, 0.5]),
    ],
)
def test_step_lowers_the_rate_after_the_epochs_it_names(entry: dict[str, Any], by_epoch: list[float]) -> None:
    factor = factor_of({"name": "step", **entry}, epochs=6, steps_per_epoch=10)
    for epoch, wanted in enumerate(by_epoch, start=1):
        steps = range(10 * (epoch - 1), 10 * epoch)
        assert [factor(step) for step in steps] == pytest.approx([wanted] * 10)


def test_a_rate_too_large_for_a_float_is_infinite() -> None:
    factor = factor_of({"name": "step", "every": 1, "gamma": 1e308}, epochs=3, steps_per_epoch=1)
    assert [factor(step) for step in range(3)] == [1, 1e308, math.inf]


@pytest.mark.parametrize(
    "entry",
    [{}, {"pct_start": 0.5, "div_factor": 10.0}, {"pct_start": 0.0}, {"final_div_factor": 1.0}],
)
@pytest.mark.parametrize(("epochs", "steps"), [(3, 7), (10, 11), (1, 40)])
def test_one_cycle_is_torchs(entry: dict[str, Any], epochs: int, steps: int) -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=0.5, total_steps=epochs * steps, cycle_momentum=False, **entry
    )
    wanted = []
    for _ in range(epochs * steps):
        wanted.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if len(wanted) < epochs * steps:
            scheduler.step()
    factor = factor_of({"name": "one_cycle", **entry}, epochs, steps)
    assert [0.5 * factor(step) for step in range(epochs * steps)] == pytest.approx(wanted, rel=1e-6)


def test_one_cycle_that_only_rises_ends_at_the_top() -> None:
    factor = factor_of({"name": "one_cycle", "pct_start": 1.0}, epochs=1, steps_per_epoch=10)
    rates = [factor(step) for step in range(10)]
    assert rates == sorted(rates) and rates[0] == pytest.approx(1 / 25) and rates[-1] == 1


def test_warmup_rises_in_a_straight_line_to_the_schedule_s_own_rate() -> None:
    flat = factor_of({"name": "constant", "warmup": 2.0}, epochs=5, steps_per_epoch=4)
    assert [flat(step) for step in range(10)] == [0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1, 1, 1]
    half = factor_of({"name": "constant", "warmup": 0.5}, epochs=5, steps_per_epoch=4)
    assert [half(step) for step in range(3)] == [0.5, 1, 1]
    plain = factor_of({"name": "cosine"}, epochs=5, steps_per_epoch=4)
    cosine = factor_of({"name": "cosine", "warmup": 1.0}, epochs=5, steps_per_epoch=4)
    assert [cosine(step) for step in range(4)] == [plain(step) * (step + 1) / 4 for step in range(4)]
    assert [cosine(step) for step in range(4, 20)] == [plain(step) for step in range(4, 20)]


FALLING = [1.0, 0.9, 0.95, 0.91, 0.8, 0.8, 0.79995, 0.9, 0.9, 0.9]
"""Validation losses: two epochs in a row bring nothing after 4, 7 and 9 epochs (0.79995 is better by too little)."""


@pytest.mark.parametrize(
    ("entry", "sign", "by_epoch"),
    [
        ({"patience": 2}, 1, [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.125]),
        ({"patience": 3}, 1, [1, 1, 1, 1, 1, 1, 1, 1, 0.5, 0.5]),
        ({"patience": 2, "min_delta": 0.0}, 1, [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.25]),
        ({"patience": 2, "min_lr": 0.04}, 1, [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.4, 0.4, 0.4]),
        ({"patience": 2, "min_lr": 0.3}, 1, [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]),
        ({"patience": 2, "monitor": "val_accuracy"}, -1, [1, 1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.125]),
    ],
)
def test_plateau_lowers_the_rate_when_validation_does_not_improve(
    entry: dict[str, Any], sign: int, by_epoch: list[float]
) -> None:
    curves = {entry.get("monitor", "val_loss"): [sign * figure for figure in FALLING]}
    factor = factor_of({"name": "plateau", "factor": 0.5, **entry}, 10, 3, learning_rate=0.1, curves=curves)
    # The last step of each epoch and the first: an epoch's rate depends on the epochs before it only.
    assert [factor(3 * epoch + 2) for epoch in range(10)] == pytest.approx(by_epoch)
    assert [factor(3 * epoch) for epoch in range(10)] == pytest.approx(by_epoch)


def test_plateau_follows_validation_in_a_trial_and_a_refit_repeats_it(configured: Any, small: Dataset) -> None:
    config = configured(
        optimizer={"name": "sgd", "lr": 0.2, "momentum": 0.9},
        schedule={"name": "plateau", "factor": 0.25, "patience": 1, "monitor": "val_accuracy"},
        epochs=8,
    )
    found = train_trial(config, 0, small)
    rates, figures = found.curves["lr"], found.curves["val_accuracy"]
    wanted, best = [0.2, 0.2], figures[0]
    for figure in figures[1:-1]:
        assert figure is not None and best is not None
        wanted.append(wanted[-1] if figure > best + 1e-4 else wanted[-1] / 4)
        best = max(best, figure)
    assert rates == pytest.approx(wanted) and 1 < len(set(rates)) < 8

    # A step schedule with the same drops, without any validation, ends at the same network.
    drops = [epoch for epoch in range(1, 8) if wanted[epoch] != wanted[epoch - 1]]
    by_hand = {"name": "step", "milestones": drops, "factors": [wanted[epoch] / 0.2 for epoch in drops]}
    whole = train_trial(config.changed(schedule=parse_component("schedule", by_hand), validation="none"), 0, small)
    assert train_trial(config.changed(refit=True), 0, small).test == whole.test


def test_time_decay_divides_by_the_steps_so_far() -> None:
    factor = factor_of({"name": "time_decay", "decay": 0.5}, epochs=5, steps_per_epoch=2)
    assert [factor(step) for step in range(4)] == [1, 1 / 1.5, 1 / 2, 1 / 2.5]


def test_a_trial_reports_the_rate_of_each_epochs_last_step(configured: Any, small: Dataset) -> None:
    optimizer = {"name": "sgd", "lr": 0.5}
    stepped = configured(optimizer=optimizer, schedule={"name": "step", "every": 2}, epochs=3)
    assert train_trial(stepped, 0, small).curves["lr"] == pytest.approx([0.5, 0.5, 0.05])
    # 800 images in batches of 100 are 8 steps an epoch, so the epochs end with steps 7 and 15 of 16.
    cosine = configured(optimizer=optimizer, schedule={"name": "cosine"}, epochs=2, batch_size=100)
    wanted = [0.25 * (1 + math.cos(math.pi * step / 16)) for step in (7, 15)]
    assert train_trial(cosine, 0, small).curves["lr"] == pytest.approx(wanted)
