"""Names of runs, and what a node is found to lack."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from bench.errors import UserError
from bench.execution.cluster import jobs, requirements
from bench.execution.cluster.jobs import Job, new_name, run_folder
from bench.execution.cluster.launcher import ClusterSettings, Launcher

LAUNCHER = Launcher(Path("cluster.yaml"), "three", "local", ClusterSettings(), gpus=False, autoscaling=False)


@pytest.mark.parametrize("suite", ["quick", "Größe & Tiefe/../..", "---", "x" * 300])
def test_a_suite_gives_its_run_a_name_that_is_safe_as_a_folder(suite: str) -> None:
    name = new_name(suite)
    assert run_folder(LAUNCHER, name) == f"~/bench/runs/{name}"
    assert name != new_name(suite)


@pytest.mark.parametrize("name", ["", "..", "../x", "a b", "a;b", "A", "-x", "$HOME"])
def test_what_is_no_name_never_reaches_the_head(name: str) -> None:
    with pytest.raises(UserError, match="no run's name"):
        run_folder(LAUNCHER, name)


def test_a_node_is_asked_for_what_it_lacks(tmp_path: Path) -> None:
    wanted = requirements.requirements("results")
    assert any(text.startswith("torch==") for text in wanted)
    assert not any(text.startswith("ray") for text in wanted)
    file = tmp_path / "requirements.json"
    file.write_text(json.dumps([*wanted, "no-such-package-anywhere==1.0"]))
    out = subprocess.run([sys.executable, requirements.__file__, file], check=True, capture_output=True, text=True)
    assert json.loads(out.stdout) == ["no-such-package-anywhere==1.0"]


def test_a_ledger_in_a_bucket_asks_for_the_library_that_reaches_it() -> None:
    assert not any(text.startswith("s3fs") for text in requirements.requirements("results"))
    assert f"s3fs=={version('s3fs')}" in requirements.requirements("s3://bucket/results")
    assert requirements.requirements("memory://results") == requirements.requirements("results")


def test_a_data_set_of_a_library_asks_for_the_library() -> None:
    plain = requirements.requirements("results")
    assert not any(text.startswith("datasets") for text in plain)
    assert set(requirements.requirements("results", ["hf", "npz"])) - set(plain) == {f"datasets=={version('datasets')}"}


def test_a_job_that_ray_failed_to_set_up_says_why_in_pips_words() -> None:
    job = Job("FAILED", "runtime_env setup failed: ...\nERROR: No matching distribution found for timm==1.0\n]\n")
    assert job.reason == "ERROR: No matching distribution found for timm==1.0"


def test_of_runs_that_never_started_the_variables_are_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    states_text = 'new-1 \nold-2 {"state": "done", "counts": "4 of 4"}\nbad-3 \nwaits-4 \n'
    commands: list[str] = []

    def shell(_: Launcher, command: str) -> str:
        commands.append(command)
        return states_text if "ls -t" in command else ""

    states = {"new-1": Job("RUNNING"), "old-2": Job("SUCCEEDED"), "bad-3": Job("FAILED"), "waits-4": Job("PENDING")}
    monkeypatch.setattr(jobs, "shell", shell)
    monkeypatch.setattr(jobs, "jobs_of", lambda _: states)
    assert [run.name for run in jobs.run_statuses(LAUNCHER)] == list(states)
    assert commands[1:] == ["rm -f ~/bench/runs/bad-3/variables.json"]


def test_variables_are_written_for_their_owner_alone(tmp_path: Path) -> None:
    jobs._write_private(tmp_path / "variables.json", "{}")
    assert (tmp_path / "variables.json").stat().st_mode & 0o777 == 0o600
