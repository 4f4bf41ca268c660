"""What `bench plan` prints, from what it knows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.commands.plan import plan_json, plan_text
from bench.execution.cost_estimate import estimate
from bench.execution.operation_cost import OperationCost
from bench.suite.suite import Suite
from bench.suite.trial import Trial

SUITES_PAGE = Path(__file__).parents[2] / "docs" / "suites.md"


@pytest.fixture
def plan_of(suite_of: Callable[[str], Suite], trials_of: Callable[[Suite], list[Trial]]) -> Callable[..., Any]:
    """From a suite's lines to its plan, with an empty ledger."""

    def plan(text: str, counted: OperationCost | None = None) -> dict[str, Any]:
        suite = suite_of(text)
        trials = trials_of(suite)
        return plan_json(suite, trials, trials, {}, estimate(trials, {}, 2), 2, counted)

    return plan


@pytest.mark.parametrize(
    ("epochs", "brackets", "left", "words"),
    [
        ("5", 40, {"5": 3}, "in brackets, as Hyperband: of 40, the budget leaves 3 for 5 epochs;"),
        ("[1, 9]", 4, {"1": 1, "9": 3}, "of 4, the budget leaves 1 for 1 epoch, 3 for 9 epochs;"),
        ("27", 4, {"27": 4}, "in 4 brackets, as Hyperband;"),
    ],
)
def test_a_plan_tells_how_many_brackets_the_budget_leaves(
    epochs: str, brackets: int, left: dict[str, int], words: str, plan_of: Callable[..., Any]
) -> None:
    rule = f"{{grace_period: 1, reduction_factor: 3, brackets: {brackets}}}"
    plan = plan_of(f"grid: {{model: mlp, epochs: {epochs}}}\npruning: {rule}")
    assert plan["brackets"] == left
    assert words in plan_text(plan)


def test_a_plan_says_what_a_barrier_costs_as_the_docs_have_it(plan_of: Callable[..., Any]) -> None:
    rates = [number / 100 for number in range(1, 13)]
    grid = f"grid: {{model: mlp, epochs: 30, seeds: 3, optimizer: {{name: sgd, lr: {{grid: {rates}}}}}}}"
    text = plan_text(plan_of(f"{grid}\npruning: halving"))
    lines = [line for line in text.splitlines() if "successive halving" in line or "exactly" in line]
    assert len(lines) == 2
    assert all(f"    {line}\n" in SUITES_PAGE.read_text() for line in lines)
    assert "advice" not in text
    advice = "trains 210 epochs, 58 % of this grid with 1 seed and without pruning"
    assert advice in plan_text(plan_of(f"{grid.replace('seeds: 3', 'seeds: 1')}\npruning: asha"))


@pytest.mark.parametrize(
    ("models", "n", "line"),
    [
        ("[mlp, {name: mlp, hidden: [8]}]", 2, "2 of 2 configurations have no other with their model, data set and"),
        ("mlp", 0, ""),
    ],
)
def test_a_plan_says_what_pruning_never_stops(models: str, n: int, line: str, plan_of: Callable[..., Any]) -> None:
    lr = "0.1" if n else "{grid: [0.1, 0.2]}"
    plan = plan_of(f"grid: {{model: {models}, optimizer: {{name: sgd, lr: {lr}}}, epochs: 9}}\npruning: asha")
    assert plan["uncompared"] == n
    assert line in plan_text(plan)
    assert ("pruning never stops" in plan_text(plan)) == bool(n)


def test_without_brackets_none_are_told(plan_of: Callable[..., Any]) -> None:
    plan = plan_of("grid: {model: mlp}\npruning: asha")
    assert plan["brackets"] is None
    assert "bracket" not in plan_text(plan)


def test_where_no_similar_trial_has_run_the_operations_are_shown(plan_of: Callable[..., Any]) -> None:
    grid = "grid: {model: mlp, seeds: 3}"
    assert "no estimate for 3 trials: no similar trial has run, and their operations are not yet" in plan_text(
        plan_of(grid)
    )
    plan = plan_of(grid, OperationCost(2, int(1.5e18), rate=5e10, measured=False, seconds=1.5e7))
    assert plan["estimate"]["operations"] == {
        "trials": 2,
        "pflop": 1500.0,
        "seconds": 1.5e7,
        "flop_per_second": 5e10,
        "rate": "assumed",
        "gpu_seconds": 1.5e5,
        "gpu_flop_per_second": 1e13,
    }
    text = plan_text(plan)
    assert "for 2 trials no similar trial has run: training takes 1,500 PFLOP" in text
    assert "about 4166 h 40 min with 2 side by side at an assumed 50 GFLOP/s each, or 41 h 40 min on one GPU" in text
    assert "no estimate for 1 trials" not in text
    assert "no estimate for 1 trial: no similar trial has run" in text


def test_an_estimate_is_a_range_and_says_by_what(plan_of: Callable[..., Any]) -> None:
    plan = plan_of("grid: {model: mlp}")
    known = {"seconds": 600.0, "seconds_low": 540.0, "seconds_high": 800.0, "memory_bytes": 2**30, "trials_unknown": 0}
    text = plan_text({**plan, "estimate": {**plan["estimate"], **known, "from": "measured steps"}})
    assert "about 10 min 0 s (9 min 0 s to 13 min 20 s) with 2 side by side, 1.0 GiB for the processes" in text
    assert "the range is by the fastest and the slowest measurements of each kind of trial" in text
    one_record = {**plan["estimate"], **known, "seconds_low": 600.0, "seconds_high": 600.0, "from": "records"}
    assert "about 10 min 0 s with 2 side by side" in plan_text({**plan, "estimate": one_record})


def test_networks_that_no_check_has_built_are_told(plan_of: Callable[..., Any]) -> None:
    assert "not yet built" not in plan_text(plan_of("grid: {model: mlp}"))
    text = plan_text({**plan_of("grid: {model: mlp}"), "networks_unchecked": 14})
    assert "14 networks not yet built for these images: `bench run` does that before anything trains" in text


def test_a_setting_is_counted_where_it_varies(plan_of: Callable[..., Any]) -> None:
    plan = plan_of("grid: [{model: mlp}, {model: mlp, ema: 0.9}, {model: mlp, ema: 0.9, precision: bfloat16}]")
    assert plan["axes"]["ema"] == {"none": 1, "0.9": 2}
    assert plan["axes"]["precision"] == {"float32": 2, "bfloat16": 1}
    assert "refit" not in plan["axes"]
    assert "  ema            none (1), 0.9 (2)" in plan_text(plan)
