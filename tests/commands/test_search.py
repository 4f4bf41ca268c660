"""An adaptive search as a user runs it: planned, in one process and on Ray, interrupted, extended, by two drivers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bands import write_bands
from commands import start

from bench.execution import adaptive_search
from bench.ledger.ledger import Ledger

SUITE = """\
name: searched
grid:
  dataset: {name: npz, path: bands.npz}
  model: {name: mlp, hidden: {choice: [[4], [8]]}}
  optimizer: {name: sgd, lr: {log_uniform: [1e-3, 1]}}
  batch_size: 32
  epochs: 2
  search: {algorithm: tpe, trials: 8, startup: 4, batch: 2}
"""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    write_bands(tmp_path / "bands.npz")
    (tmp_path / "searched.yaml").write_text(SUITE)
    return tmp_path / "searched.yaml"


def searched(results: Path) -> dict[int, tuple[Any, ...]]:
    """Number in the search to the key and the results of what was trained."""
    records = Ledger(results).records()
    return {record.search["number"]: (record.key, record.result) for record in records if record.search}


def test_a_plan_says_that_a_search_of_choices_ends_before_its_trials(
    bench: Callable[..., Any], suite: Path, tmp_path: Path
) -> None:
    choices = SUITE.replace("{log_uniform: [1e-3, 1]}", "{choice: [0.1, 0.2, 0.3]}")
    assert choices != SUITE
    suite.write_text(choices)
    plan = " ".join(bench("plan", suite, "--results", tmp_path / "plain").out.split())
    assert "6 configurations (all there are, 8 are asked for), 4 at random" in plan
    assert "6 configurations, 6 trials" in plan


def test_a_search_is_the_same_in_one_process_by_two_drivers_with_ray_and_extended(
    suite: Path, bench: Callable[..., Any], tmp_path: Path
) -> None:
    plan = bench("plan", suite, "--results", tmp_path / "plain", "--json")
    (search,) = json.loads(plan.out)["searches"]
    assert (search["trials"], search["proposed"]) == (8, 4)
    assert json.loads(plan.out)["to_run"] == 8
    text = " ".join(bench("plan", suite, "--results", tmp_path / "plain").out.split())
    assert "search: tpe over model.hidden (one of [4], [8]); optimizer.lr (log-uniform from 0.001 to 1)" in text
    assert "8 configurations, 4 at random, then 2 at a time" in text

    ran = bench("run", suite, "--no-ray", "--results", tmp_path / "plain")
    assert ran.code == 0, ran.err
    assert "8 of 8 trials ended" in ran.out
    assert "4 configurations of 8 were proposed by an adaptive search, which chose them by val" in " ".join(
        ran.out.split()
    )
    plain = searched(tmp_path / "plain")
    assert sorted(plain) == list(range(8))
    assert "nothing to run" in bench("run", suite, "--no-ray", "--results", tmp_path / "plain").out

    drivers = [start("run", suite, *how, "--results", tmp_path / "two") for how in (["--jobs", "2"], ["--no-ray"])]
    for driver in drivers:
        _, err = driver.communicate(timeout=300)
        assert driver.returncode == 0, err
    assert searched(tmp_path / "two") == plain, "two drivers of one ledger, one of which is Ray with two workers"

    longer = ("run", suite, "--no-ray", "--set", "search.trials=11")
    assert bench(*longer, "--results", tmp_path / "plain").code == 0
    extended = searched(tmp_path / "plain")
    assert sorted(extended) == list(range(11)) and {n: extended[n] for n in plain} == plain
    assert json.loads(bench("plan", suite, "--results", tmp_path / "plain", "--json").out)["to_run"] == 0


def test_a_search_trained_anew_has_all_of_its_trials_anew(
    suite: Path, bench: Callable[..., Any], tmp_path: Path
) -> None:
    ledger = ("--no-ray", "--results", tmp_path / "r")
    assert bench("run", suite, *ledger).code == 0
    before = {record.key: record for record in Ledger(tmp_path / "r").records()}
    ran = bench("run", suite, *ledger, "--force", "model=mlp")
    assert ran.code == 0, ran.err
    assert "[1 of 8 trials ended] " in ran.out and "from the ledger" not in ran.out
    after = {record.key: record for record in Ledger(tmp_path / "r").records()}
    assert after.keys() == before.keys()
    for key, record in after.items():
        assert record.run_info.started > before[key].run_info.finished
        assert record.result == before[key].result


@pytest.mark.parametrize(
    ("search", "message"),
    [
        ("{algorithm: tpe, trials: 8, startup: 9}", "`startup: 9` is more than `trials: 8`"),
        ("{algorithm: tpe, trials: 8}", "`startup: 10` (the default) is more than `trials: 8`"),
        ("{algorithm: gp, trials: 8}", "allowed: random, tpe"),
        ("{algorithm: random, trials: 8, batch: 2}", "`batch` is for algorithm tpe"),
        ("{trials: 20}\n  samples: 20", "`search` and `samples` exclude each other"),
        ("{trials: 20}\n  validation: none", "tpe needs validation images"),
    ],
)
def test_a_wrong_search_starts_nothing(
    search: str, message: str, suite: Path, bench: Callable[..., Any], tmp_path: Path
) -> None:
    text = SUITE.replace("{algorithm: tpe, trials: 8, startup: 4, batch: 2}", search)
    suite.write_text(text)
    ran = bench("run", suite, "--no-ray", "--results", tmp_path / "r")
    assert ran.code == 2 and message in ran.err
    assert not (tmp_path / "r").exists()


def test_a_search_needs_a_distribution_and_all_of_its_configurations(
    suite: Path, bench: Callable[..., Any], tmp_path: Path
) -> None:
    part = bench("plan", suite, "--only", "model.hidden=[4]", "--results", tmp_path / "r")
    assert part.code == 2 and "configurations that a search starts with" in part.err
    suite.write_text(SUITE.replace("{choice: [[4], [8]]}", "[4]").replace("{log_uniform: [1e-3, 1]}", "0.1"))
    ran = bench("plan", suite, "--results", tmp_path / "r")
    assert ran.code == 2 and "no distribution in this sub-grid" in ran.err


def test_without_optuna_it_says_what_to_install(
    suite: Path, bench: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adaptive_search, "has_optuna", lambda: False)
    ran = bench("run", suite, "--no-ray", "--results", tmp_path / "r")
    assert ran.code == 2 and "pip install 'benchgrid[search]'" in ran.err
    assert not (tmp_path / "r").exists()
