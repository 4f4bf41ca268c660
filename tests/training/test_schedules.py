"""Learning rates by hand, and in a trial."""

from __future__ import annotations

import inspect
import math
from typing import Any

import pytest

from bench.data import Dataset
from bench.suite.components import AXES
from bench.training.schedules import SCHEDULES, create
from bench.training.trial import train_trial


def test_registry_and_schema_have_the_same_names_parameters_and_defaults() -> None:
    assert SCHEDULES.keys() == AXES["schedule"].keys()
    for name, function in SCHEDULES.items():
        epochs, steps, *parameters = inspect.signature(function).parameters.values()
        fields = {key: field.default for key, field in AXES["schedule"][name].model_fields.items() if key != "name"}
        assert (epochs.name, steps.name) == ("epochs", "steps_per_epoch")
        assert {p.name: p.default for p in parameters} == fields


def test_constant_changes_nothing() -> None:
    assert create({"name": "constant"}, 10, 7) is None


def test_cosine_starts_at_one_is_halfway_in_the_middle_and_never_quite_ends() -> None:
    factor = create({"name": "cosine", "final": 0.2}, epochs=5, steps_per_epoch=10)
    assert factor is not None
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
        ({"milestones": [5, 2], "gamma": 0.1}, [1, 1, 0.1, 0.1, 0.1, 0.01]),
    ],
)
def test_step_lowers_the_rate_after_the_epochs_it_names(entry: dict[str, Any], by_epoch: list[float]) -> None:
    factor = create({"name": "step", **entry}, epochs=6, steps_per_epoch=10)
    assert factor is not None
    for epoch, wanted in enumerate(by_epoch, start=1):
        steps = range(10 * (epoch - 1), 10 * epoch)
        assert [factor(step) for step in steps] == pytest.approx([wanted] * 10)


def test_a_rate_too_large_for_a_float_is_infinite() -> None:
    factor = create({"name": "step", "every": 1, "gamma": 1e308}, epochs=3, steps_per_epoch=1)
    assert factor is not None
    assert [factor(step) for step in range(3)] == [1, 1e308, math.inf]


def test_a_trial_reports_the_rate_of_each_epochs_last_step(configured: Any, small: Dataset) -> None:
    optimizer = {"name": "sgd", "lr": 0.5}
    stepped = configured(optimizer=optimizer, schedule={"name": "step", "every": 2}, epochs=3)
    assert train_trial(stepped, 0, small).curves["lr"] == pytest.approx([0.5, 0.5, 0.05])
    # 800 pictures in batches of 100 are 8 steps an epoch, so the epochs end with steps 7 and 15 of 16.
    cosine = configured(optimizer=optimizer, schedule={"name": "cosine"}, epochs=2, batch_size=100)
    wanted = [0.25 * (1 + math.cos(math.pi * step / 16)) for step in (7, 15)]
    assert train_trial(cosine, 0, small).curves["lr"] == pytest.approx(wanted)
