"""ASHA over configurations: groups, rungs, replay."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bench.execution.pruning import Asha
from bench.suite.schema import Pruning
from bench.suite.suite import Suite
from bench.suite.trial import Trial

TrialsOf = Callable[[Suite], list[Trial]]
GRID = "grid: {model: mlp, optimizer: {name: sgd, lr: {grid: [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]}}, epochs: 10}"


@pytest.fixture
def six(suite_of: Callable[[str], Suite], trials_of: TrialsOf) -> list[Trial]:
    return trials_of(suite_of(GRID))


def test_rungs_are_powers_of_the_reduction_below_the_budget() -> None:
    assert Asha(Pruning(grace=1, reduction=3)).milestones(10) == [1, 3, 9]
    assert Asha(Pruning(grace=2, reduction=2)).milestones(8) == [2, 4]
    assert Asha(Pruning(grace=5, reduction=3)).milestones(5) == []


def test_the_lower_ones_stop_at_a_rung(six: list[Trial]) -> None:
    asha = Asha(Pruning(grace=1, reduction=3))
    scores = [0.9, 0.8, 0.7, 0.6, 0.95, 0.1]
    assert [asha.stops(t, 1, s) for t, s in zip(six, scores, strict=True)] == [False, True, True, True, False, True]


def test_between_rungs_and_in_the_last_epoch_nobody_stops(six: list[Trial]) -> None:
    asha = Asha(Pruning(grace=1, reduction=3))
    for epoch in range(1, 11):
        assert not asha.stops(six[0], epoch, 0.9)
    assert asha.stops(six[1], 1, 0.1)
    assert not asha.stops(six[2], 10, 0.1)


def test_groups_are_judged_by_themselves(suite_of: Callable[[str], Suite], trials_of: TrialsOf) -> None:
    text = "grid: {model: [{name: mlp, hidden: {grid: [[8], [16]]}}, cnn], epochs: 10}"
    small, large, cnn = trials_of(suite_of(text))
    by_model = Asha(Pruning(group=["model"]))
    assert not any(by_model.stops(t, 1, s) for t, s in ((small, 0.9), (large, 0.2), (cnn, 0.1)))
    together = Asha(Pruning(group=["optimizer"]))
    assert [together.stops(t, 1, s) for t, s in ((small, 0.9), (large, 0.2), (cnn, 0.1))] == [False, True, True]


def test_different_budgets_are_never_compared(suite_of: Callable[[str], Suite], trials_of: TrialsOf) -> None:
    short, long = trials_of(suite_of("grid: {model: mlp, epochs: [5, 10]}"))
    asha = Asha(Pruning())
    assert not asha.stops(short, 1, 0.9)
    assert not asha.stops(long, 1, 0.1)


def test_replayed_curves_fill_the_rungs(six: list[Trial]) -> None:
    fresh, resumed = Asha(Pruning()), Asha(Pruning())
    resumed.replay([(six[0], [0.9, 0.91, 0.92])])
    assert not fresh.stops(six[1], 1, 0.5)
    assert resumed.stops(six[1], 1, 0.5)


def test_decisions_are_recorded_with_the_rule(six: list[Trial]) -> None:
    asha = Asha(Pruning(grace=1, reduction=3))
    asha.stops(six[0], 1, 0.9)
    asha.stops(six[0], 2, 0.9)
    asha.stops(six[1], 1, 0.5)
    assert asha.decisions(six[0])["decisions"] == [{"epoch": 1, "val_accuracy": 0.9, "decision": "continue"}]
    assert asha.decisions(six[1]) == {
        "rule": {"method": "asha", "grace": 1, "reduction": 3, "group": ["model"]},
        "decisions": [{"epoch": 1, "val_accuracy": 0.5, "decision": "stop"}],
    }
