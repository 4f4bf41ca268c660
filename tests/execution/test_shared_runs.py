"""Runs whose ledger others use too: in a bucket of a real S3 server, or in a folder with two drivers at once."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from bucket import Bucket, opened
from commands import bench, start
from rich.console import Console

from bench.data import Dataset
from bench.errors import UserError
from bench.execution.messages import RunOptions
from bench.execution.progress import PlainProgress
from bench.execution.run_trials import run_trials
from bench.ledger.leases import owner_bytes, this_process
from bench.ledger.ledger import Ledger
from bench.ledger.merge import merge_ledgers
from bench.ledger.record import Record
from bench.suite.suite import Suite
from bench.suite.trial import Trial

pytestmark = pytest.mark.usefixtures("fashion_mnist")

SUITE = """
name: small
grid:
  model: {name: mlp, hidden: []}
  optimizer: {name: sgd, lr: {grid: [0.05, 0.1, 0.2, 0.3]}}
  batch_size: 2000
  epochs: 1
"""
"""Four trials of about a second."""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(SUITE)
    return path


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Bucket]:
    made = opened(monkeypatch, tmp_path / "state")
    yield made
    made.go_away()


def found(ledger: Ledger) -> dict[str, object]:
    """Key to result fields."""
    return {record.key: record.result for record in ledger.records()}


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ledger that one driver leaves in a folder."""
    folder = tmp_path_factory.mktemp("alone")
    path = folder / "small.yaml"
    path.write_text(SUITE)
    assert bench("run", path, "--no-ray", "--results", folder / "results")[0] == 0
    return folder / "results"


def test_a_run_into_a_bucket_leaves_what_a_run_into_a_folder_does(suite: Path, bucket: Bucket, alone: Path) -> None:
    code, out, err = bench("run", suite, "--no-ray", "--results", bucket.url)
    assert (code, err) == (0, ""), err
    assert "4 of 4 trials ended" in out
    code, out, err = bench("report", suite, "--results", bucket.url)
    assert (code, err) == (0, ""), err
    selected = re.compile(r"Selected on validation, of 4 complete configurations: mlp · sgd lr=\S+ test [0-9.]+")
    assert (match := selected.search(" ".join(out.split()))), out
    assert match.group() in " ".join(bench("report", suite, "--results", alone)[1].split())
    code, out, _ = bench("run", suite, "--no-ray", "--results", bucket.url)
    assert (code, "nothing to run" in out) == (0, True)
    assert found(Ledger(bucket.url)) == found(Ledger(alone))
    assert [path for path in bucket.paths("leases") if not path.endswith(".clock")] == []


def test_so_does_a_run_on_ray(suite: Path, bucket: Bucket, alone: Path) -> None:
    code, _, err = bench("run", suite, "--results", bucket.url)
    assert (code, err) == (0, ""), err
    assert found(Ledger(bucket.url)) == found(Ledger(alone))


def test_the_ledger_may_be_named_by_the_environment(
    suite: Path, bucket: Bucket, alone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    merge_ledgers([alone], bucket.url)
    monkeypatch.setenv("BENCH_RESULTS", bucket.url)
    assert json.loads(bench("plan", suite, "--json")[1])["done"] == {"complete": 4}


def test_a_server_that_goes_away_mid_run_costs_nothing(
    bucket: Bucket,
    suite_of: Callable[[str], Suite],
    trials_of: Callable[[Suite], list[Trial]],
    few_pictures: dict[str, Dataset],
) -> None:
    trials = trials_of(suite_of("grid: {model: {name: mlp, hidden: []}, epochs: 1, batch_size: 50, seeds: 4}\n"))
    said = io.StringIO()

    def run() -> list[Record]:
        return run_trials(trials, few_pictures, Ledger(bucket.url), Console(file=said), RunOptions(use_ray=False))

    class Ending(PlainProgress):
        """Lets the server go away when the first trial has ended."""

        def trial_ended(self, trial: Trial, record: Record) -> None:
            super().trial_ended(trial, record)
            if self.stats.status["complete"] == 1:
                bucket.go_away()

    with pytest.raises(UserError, match=r"cannot be reached(.|\n)*3 finished trials are pending in "):
        run_trials(
            trials,
            few_pictures,
            Ledger(bucket.url),
            Console(file=said),
            RunOptions(use_ray=False),
            display=lambda stats: Ending(stats, Console(file=said)),
        )
    assert "the run goes on; records are stored here" in said.getvalue()
    bucket.come_back()
    assert run() == []
    assert len(Ledger(bucket.url).done(None)) == 4


@pytest.mark.parametrize("home", ["folder", "bucket"])
def test_two_drivers_at_once_do_no_trial_twice(
    suite: Path, tmp_path: Path, bucket: Bucket, alone: Path, home: str
) -> None:
    results = bucket.url if home == "bucket" else tmp_path / "shared"
    drivers = [start("run", suite, "--no-ray", "--results", results) for _ in range(2)]
    outcomes = [(driver.communicate(timeout=300), driver.returncode) for driver in drivers]
    assert [code for _, code in outcomes] == [0, 0], outcomes
    ledger = Ledger(results)
    assert found(ledger) == found(Ledger(alone))
    assert [ledger.replicates(record.key) for record in ledger.records()] == [[]] * 4


LIMITED = """
import resource, signal, sys
from bench.__main__ import main
from bench.ledger.file_store import FileStore

def fill():
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))  # an entry with its predictions is larger

check = FileStore.check
def checked(disk, writable=False):
    exists = check(disk, writable)
    if writable:
        fill()
    return exists

if sys.argv.pop(1) == "before":
    fill()
else:
    FileStore.check = checked
sys.argv[0] = "bench"
main()
"""
"""A disk that is full before the run looks whether it can write, or from then on."""


def test_a_full_disk_ends_the_run_with_one_message_and_a_later_run_goes_on(suite: Path, tmp_path: Path) -> None:
    results = tmp_path / "full"
    run = ["run", str(suite), "--no-ray", "--results", str(results)]
    refused = subprocess.run([sys.executable, "-c", LIMITED, "before", *run], capture_output=True, text=True)
    assert refused.returncode == 2, refused.stderr
    assert refused.stderr.startswith(f"error: cannot write {results}/entries: File too large."), "before any training"
    assert not results.exists()
    ended = subprocess.run([sys.executable, "-c", LIMITED, "later", *run], capture_output=True, text=True, timeout=300)
    assert ended.returncode == 2, ended.stderr
    assert f"error: cannot write {results}/entries/" in ended.stderr
    assert "the same command goes on from there" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert list((results / "tmp").iterdir()) == []
    assert not list(results.glob("leases/[0-9a-f]*"))
    code, out, err = bench("run", suite, "--no-ray", "--results", results)
    assert (code, err) == (0, ""), err
    assert "4 of 4 trials ended" in out


def test_a_half_written_entry_is_told_and_its_trial_runs_again(suite: Path, tmp_path: Path, alone: Path) -> None:
    results = tmp_path / "half"
    shutil.copytree(alone, results)
    cut = sorted(results.glob("entries/*/*.npz"))[0]
    cut.write_bytes(cut.read_bytes()[:1000])
    code, out, err = bench("run", suite, "--no-ray", "--results", results)
    assert code == 0
    assert f"skipped {cut}: truncated or changed" in err
    assert "3 from the ledger" in out
    assert found(Ledger(results)) == found(Ledger(alone))


def test_claims_from_before_a_clock_was_set_back_hold_nobody_up(suite: Path, tmp_path: Path, alone: Path) -> None:
    results = tmp_path / "clock"
    (results / "leases").mkdir(parents=True)
    for record in Ledger(alone).records():
        claim = results / "leases" / f"{record.key}.0"
        claim.write_bytes(owner_bytes(replace(this_process(), host="another machine")))
        os.utime(claim, (time.time() + 86_400,) * 2)
    code, out, err = bench("run", suite, "--no-ray", "--results", results)
    assert (code, err) == (0, ""), err
    assert "4 of 4 trials ended" in out
    assert found(Ledger(results)) == found(Ledger(alone))
