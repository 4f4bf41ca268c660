"""Files for `--slurm`: their mistakes, and the job script that they make."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest
from commands import bench

from bench.errors import UserError
from bench.execution.signals import INTERRUPTED
from bench.execution.slurm_array import check_slurm, script
from bench.execution.slurm_settings import SlurmSettings, read_settings, time_limit
from bench.execution.slurm_task import GAVE_UP

SUITE = Path(__file__).parents[2] / "suites/quick.yaml"


def settings_of(folder: Path, text: str) -> SlurmSettings:
    path = folder / "slurm.yaml"
    path.write_text(text)
    return read_settings(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tasks: 2\ntask: 3\n", "slurm.yaml:2: task: unknown; known are tasks, sbatch"),
        ("task: 3\n", "did you mean 'tasks'?"),
        ("tasks: 0\n", "slurm.yaml:1: tasks: Input should be greater than or equal to 1, found 0"),
        ("tasks: 1\nsbatch:\n  array: 0-3\n", "slurm.yaml:3: sbatch.array: bench sets this option itself; remove it"),
        ("sbatch: {p: main, Time: 3}\n", "sbatch.Time: String should match pattern"),
        ("sbatch: [main]\n", "slurm.yaml:1: sbatch: Input should be a valid dictionary"),
        ("sbatch:\n  time: 1:00\nlead_seconds: 60\n", "slurm.yaml:2: sbatch.time: 60 s, of which the last 60 are for"),
        ("- tasks\n", "the file: Input should be a valid dictionary"),
    ],
)
def test_mistakes_are_named_with_their_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError) as error:
        settings_of(tmp_path, text)
    assert message in str(error.value)


def test_a_time_is_text_as_slurm_has_it(tmp_path: Path) -> None:
    text = script(
        settings_of(tmp_path, "sbatch: {time: 4:00:00, exclusive: true, nice: false}\n"), "r", tmp_path, 3, None
    )
    assert "#SBATCH --time=4:00:00\n" in text
    assert "#SBATCH --exclusive\n" in text
    assert "nice" not in text
    assert "#SBATCH --array=0-2\n" in text
    assert "#SBATCH --signal=B:TERM@120\n" in text
    file = tmp_path / "job.sh"
    file.write_text(text)
    assert subprocess.run(["bash", "-n", file], capture_output=True, text=True).stderr == ""


DRIVER = """#!/bin/bash
trap 'sleep {seconds}; exit {code}' TERM
touch {folder}/started
while :; do sleep 0.02; done
"""
SLOW_KILL = 'kill() { builtin kill "$@"; local code=$?; sleep 0.5; return $code; }'
SCONTROL = """#!/bin/bash
[ "$1" = show ] && echo JobState=RUNNING
[ "$1" = requeue ] && echo "$2" > {folder}/requeued
"""


@pytest.mark.parametrize(("seconds", "setup"), [(0.5, ()), (0, (SLOW_KILL,))])
@pytest.mark.parametrize(("code", "is_requeued"), [(INTERRUPTED, True), (GAVE_UP, False), (1, False)])
def test_a_stopped_task_is_queued_again_unless_its_driver_gives_up(
    tmp_path: Path, code: int, is_requeued: bool, seconds: float, setup: tuple[str, ...]
) -> None:
    """Also a driver that has ended before the script looks for it."""
    for name, text in {"driver": DRIVER, "scontrol": SCONTROL}.items():
        (tmp_path / name).write_text(text.format(code=code, seconds=seconds, folder=tmp_path))
        (tmp_path / name).chmod(0o755)
    settings = SlurmSettings(python=str(tmp_path / "driver"), setup=setup)
    (tmp_path / "job.sh").write_text(script(settings, "r", tmp_path, 1, None))
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "0"}
    process = subprocess.Popen(["bash", tmp_path / "job.sh"], env=environment)
    while not (tmp_path / "started").exists():
        time.sleep(0.02)
    process.terminate()
    assert process.wait(timeout=60) == code
    assert (tmp_path / "requeued").exists() == is_requeued


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (2, 120), ("90", 5400), ("1:01", 120), ("4:00:00", 14_400), ("1-0", 86_400), ("1-2:03", 93_780),
        ("1-2:03:30", 93_840), ("0", None), ("UNLIMITED", None), ("", None),
    ],
)  # fmt: skip
def test_time_limits_are_read_as_sbatch_does(text: str | int, seconds: int | None) -> None:
    assert time_limit(text) == seconds


def test_where_there_is_no_slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="`sbatch` is not on this machine\n  run this on a login node"):
        check_slurm()


def test_a_run_takes_one_place(tmp_path: Path) -> None:
    code, _, err = bench("run", SUITE, "--slurm", tmp_path / "none.yaml", "--no-ray")
    assert code == 2
    assert "--slurm and --no-ray: a run takes one of them" in err
    code, _, err = bench("run", SUITE, "--slurm", tmp_path / "none.yaml", "--results", tmp_path / "r")
    assert code == 2
    assert "none.yaml: there is no such file; docs/slurm.md says how to write one" in err
