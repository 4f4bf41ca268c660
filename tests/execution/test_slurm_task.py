"""One task of a SLURM array, without SLURM: the driver that each of them runs, and what a follower makes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from saved_network import SUITE, weights_files, write_suite

from bench.commands.load_suites import trials_of
from bench.execution.cluster.bundle import BundledSuite, RunBundle, pack, unpack
from bench.execution.messages import RunOptions
from bench.execution.slurm_array import TASKS, is_default_folder, trials_left
from bench.execution.slurm_task import drive_task
from bench.ledger.ledger import Ledger
from bench.ledger.record import Record, Result, RunInfo
from bench.suite.suite import load_suite


@pytest.fixture
def submitted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., RunBundle]:
    """Writes the folder of a run of a suite, `run` below, for one task with one CPU."""
    monkeypatch.setenv("SLURM_CPUS_ON_NODE", "1")

    def submit(text: str = SUITE, **options: object) -> RunBundle:
        suite = load_suite(write_suite(tmp_path, text))
        bundled = BundledSuite(
            suite.name, trials_of(suite), suite.pruning, max_minutes=suite.max_minutes, rank_by=suite.metrics[0]
        )
        run = replace(RunOptions(gpus_per_trial=0), **options)  # type: ignore[arg-type]
        bundle = RunBundle("run", [bundled], str(tmp_path / "results"), run)
        (tmp_path / "run" / TASKS / "0").mkdir(parents=True)
        pack(bundle, tmp_path / "run")
        return bundle

    return submit


def test_a_task_follows_the_suites_limit_and_its_metric(tmp_path: Path, submitted: Callable[..., RunBundle]) -> None:
    bundle = submitted(f"max_minutes: 1.0e-9\n{SUITE}")
    assert drive_task(tmp_path / "run", "0") == 0
    ledger = Ledger(tmp_path / "results")
    assert [record.status for record in ledger.records()] == ["timed_out"] * 4
    assert trials_left(bundle, ledger) == set()
    (suite,) = unpack(tmp_path / "run", with_code=False).suites
    options = suite.options(RunOptions(jobs=3))
    assert (options.suite, options.jobs, options.max_minutes) == ("tiny", 3, 1e-9)


def test_a_task_saves_the_weights_of_what_the_suite_ranks_first(
    tmp_path: Path, submitted: Callable[..., RunBundle]
) -> None:
    submitted(f"rank_by: log_loss\n{SUITE}", keep="best")
    assert drive_task(tmp_path / "run", "0") == 0
    losses: dict[str, list[tuple[float, str]]] = {}
    for record in Ledger(tmp_path / "results").records():
        losses.setdefault(record.config_key, []).append(((record.result.validation or {})["log_loss"], record.key))
    best = min(losses.values(), key=lambda pairs: sum(loss for loss, _ in pairs))
    saved = {name.partition("-")[0] for name in weights_files(tmp_path / "results")}
    assert saved == {key for _, key in best}


def test_later_seeds_of_a_first_seed_that_failed_are_not_waited_for(
    tmp_path: Path, submitted: Callable[..., RunBundle]
) -> None:
    bundle = submitted(f"pruning: {{grace_period: 1}}\n{SUITE}")
    first, second, *others = bundle.trials
    ledger = Ledger(tmp_path / "results")
    failure = {"kind": "ValueError", "message": "no", "traceback": ""}
    record = Record(first.key, first.config.to_json(), 0, "failed", Result({}, 0), RunInfo(), failure=failure)
    ledger.publish(replace(record, config_key=first.config_key))
    assert trials_left(bundle, ledger) == {trial.key for trial in bundle.trials}
    assert trials_left(bundle, ledger, {first.key}) == {first.key, *(trial.key for trial in others)}
    assert second.group == first.group


def test_another_folder_than_the_ledgers_has_to_be_named_again(tmp_path: Path) -> None:
    assert is_default_folder(tmp_path / "results" / "slurm", tmp_path / "results")
    assert not is_default_folder(tmp_path / "elsewhere", tmp_path / "results")
    assert not is_default_folder(tmp_path / "elsewhere", "s3://bucket/results")
