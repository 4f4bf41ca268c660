"""The sections "Out: trackers" and "Running" of docs/in_and_out.md: every command there, as it stands."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.ledger.ledger import Ledger
from bench.suite.suite import load_suite

PAGE = Path(__file__).parents[2] / "docs" / "in_and_out.md"


def section(title: str) -> str:
    text = PAGE.read_text(encoding="utf-8")
    return re.split(r"^## ", text.split(f"\n## {title}\n")[1], flags=re.M)[0]


def commands(title: str) -> list[list[str]]:
    """The words of the section's commands after `bench`."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", section(title), re.M | re.S)
    lines = [shlex.split(line, comments=True) for block in blocks for line in block.splitlines()]
    return [words[1:] for words in lines if words[0] == "bench"]


@pytest.fixture
def suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a suite of two trials that take a moment, where the commands run."""
    rng = np.random.RandomState(0)
    labels = rng.randint(0, 2, 300)
    images = (rng.rand(300, 8, 8) * 100 + labels[:, None, None] * 60).astype(np.uint8)
    np.savez(
        tmp_path / "dots.npz",
        train_images=images[:200], train_labels=labels[:200], test_images=images[200:], test_labels=labels[200:],
    )  # fmt: skip
    (tmp_path / "suite.yaml").write_text(
        "name: dots\ngrid:\n  dataset: {name: npz, path: dots.npz}\n  model: {name: mlp, hidden: [8]}\n"
        "  seeds: 2\n  epochs: 2\n"
    )
    monkeypatch.chdir(tmp_path)
    for name in ("WANDB_PROJECT", "WANDB_DIR", "MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setattr("bench.execution.trackers.tracking.QUIET_SECONDS", 300.0)  # the machine may be busy
    return tmp_path


def test_the_commands_on_trackers(suite: Path, bench: Any) -> None:
    first, second, export = commands("Out: trackers")
    ran = bench(*first, "--no-ray")
    assert (ran.code, "complete after 2 epochs" in ran.out) == (0, True), ran
    assert len(list((suite / "board" / "dots").iterdir())) == 2
    second = [word.replace("http://HOST:5000", f"sqlite:///{suite}/runs.db") for word in second]
    ran = bench(*second, "--no-ray", "--results", "others")
    assert ran.code == 0 and "--log" not in ran.out, ran
    assert (suite / "runs.db").exists() and len(list(suite.glob("wandb/offline-run-*"))) == 2
    ran = bench(*export)
    assert (ran.code, "tensorboard=board: wrote 0 trials, 2 were there" in ran.out) == (0, True), ran


def test_the_commands_on_running(suite: Path, bench: Any) -> None:
    show, force, max_hours = commands("Running")
    assert bench(*max_hours, "--no-ray").code == 0  # it takes less
    ledger = Ledger(suite / "results")
    key = ledger.records()[0].key
    (suite / "results" / "logs").mkdir(exist_ok=True)
    (suite / "results" / "logs" / f"{key}.log").write_text("epoch one\n")
    assert bench(*(key if word == "KEY" else word for word in show)).out == "epoch one\n"
    ran = bench(*force, "--no-ray")
    assert (ran.code, "2 of 2 trials ended" in ran.out, "WARNING" in ran.out) == (0, True, False), ran
    started = {record.key: record.run_info.started for record in ledger.records()}
    again = Ledger(suite / "results")
    assert all(record.run_info.started > started[record.key] for record in again.records())
    assert not any(again.replicates(key) for key in started)


def test_the_suite_with_a_limit_loads(tmp_path: Path) -> None:
    (text,) = re.findall(r"^```yaml\n(name.*?)^```$", section("Running"), re.M | re.S)
    (tmp_path / "suite.yaml").write_text(text)
    assert load_suite(tmp_path / "suite.yaml").max_minutes == 30


def test_hours_that_are_over_end_a_run_with_a_code_of_its_own(suite: Path, bench: Any) -> None:
    ran = bench("run", "suite.yaml", "--no-ray", "--max-hours", "1e-9")
    assert ran.code == 124, ran
    assert ran.err.endswith("--max-hours is over. What ended is in the ledger; the same command goes on from there.\n")
    ran = bench("run", "suite.yaml", "--no-ray", "--max-hours", "-1")
    assert (ran.code, "give a number of hours above 0" in ran.err) == (2, True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--log", "tensorbord=x"), "did you mean 'tensorboard'"),
        (("--force", "batch_size=7"), "--force 'batch_size=7' matches none"),
        (("--force", "lr"), "--force 'lr': write AXIS=VALUE"),
        (("--force", "model=mlp", "--cluster", "c.yaml"), "--force and --cluster"),
    ],
)
def test_wrong_options_are_told_before_anything_runs(suite: Path, bench: Any, options: Any, message: str) -> None:
    ran = bench("run", "suite.yaml", *options)
    assert (ran.code, message in ran.err) == (2, True), ran
    assert not (suite / "results").exists()


def test_a_plan_names_the_limit(suite: Path, bench: Any) -> None:
    text = (suite / "suite.yaml").read_text()
    (suite / "suite.yaml").write_text(f"max_minutes: 0.5\n{text}")
    assert "max_minutes: a trial ends as timed out after 0.5 min of training" in bench("plan", "suite.yaml").out
    (suite / "suite.yaml").write_text(f"max_minutes: 1e-9\n{text}")
    ran = bench("run", "suite.yaml", "--no-ray")
    assert (ran.code, "2 timed out" in ran.out) == (0, True), ran
    assert "in the ledger: 2 timed out; to run: 0 trials" in bench("plan", "suite.yaml").out
    page = bench("report", "suite.yaml", "--markdown", "--out", "-").out
    assert "Timed out" in page and "min of training (" in page and "FAILED" not in page
    key = Ledger(suite / "results").records()[0].key
    ran = bench("reproduce", key)
    assert (ran.code, "a higher `max_minutes`" in ran.err) == (2, True)
