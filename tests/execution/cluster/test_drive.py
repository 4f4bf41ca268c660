"""The driver of a run on a head, which trains in this process here, and what a follower makes of its events."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from saved_network import CONFIRMED, write_suite

from bench.commands.drive import main as drive
from bench.commands.load_suites import trials_of
from bench.execution.cluster import driver, follow
from bench.execution.cluster.bundle import VARIABLES, BundledSuite, RunBundle, pack
from bench.execution.cluster.driver import OUT
from bench.execution.cluster.events import EVENTS, read_events
from bench.execution.messages import RunOptions
from bench.execution.run_trials import run_trials
from bench.ledger.ledger import Ledger
from bench.ledger.merge import merge_ledgers
from bench.ledger.store import open_store
from bench.suite.suite import load_suite


def without_ray(trials: Any, datasets: Any, ledger: Any, console: Any, options: RunOptions, **more: Any) -> Any:
    options = replace(options, connection=None, use_ray=False)
    return run_trials(trials, datasets, ledger, console, options, **more)


def test_the_head_trains_fresh_seeds_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    suite = load_suite(write_suite(tmp_path, CONFIRMED))
    bundled = BundledSuite(suite.name, trials_of(suite), confirm=suite.confirm)
    bundle = RunBundle("run", [bundled], str(tmp_path / "there"), RunOptions(gpus_per_trial=0))
    run = tmp_path / "runs" / "run"
    run.mkdir(parents=True)
    pack(bundle, run)
    (run / VARIABLES).write_text("{}")
    monkeypatch.setattr(driver, "run_trials", without_ray)
    monkeypatch.setattr(driver, "watch_nodes", lambda *_: None)
    assert drive(run) == 0
    fresh = [record for record in Ledger(tmp_path / "there").records() if record.seed > 1]
    assert {record.seed for record in fresh} == {2, 3}

    def fetch(_: Any, __: str, ___: Path, ledger: Ledger) -> int:
        return merge_ledgers([open_store(run / OUT)], ledger.store).copied

    ledger, out = Ledger(tmp_path / "here"), io.StringIO()
    monkeypatch.setattr(follow, "fetch", fetch)
    monkeypatch.setattr(follow, "_events", lambda *_: iter(read_events(run / EVENTS)[0]))
    last: dict[str, Any] = follow.follow(None, bundle, ledger, Console(file=out, width=200))  # type: ignore[arg-type]
    assert (last["outcome"], last["failed"]) == ("done", False)
    assert "4 of 4 trials ended" in out.getvalue()
    assert "with 2 fresh seeds" in out.getvalue()
    assert f"{len(fresh)} of {len(fresh)} trials ended" in out.getvalue()
    here, there = ({record.key for record in Ledger(tmp_path / name).records()} for name in ("here", "there"))
    assert here == there
