"""What the user's environment says of folders, GPUs and Ray, and what a run makes of it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from bench import system
from bench.commands.run import git_commit
from bench.errors import UserError
from bench.execution.ray_cluster import SETTINGS, set_environment
from bench.system import MAX_PATH_LENGTH, gpu_count, temporary_folder


def test_ray_uses_the_folder_that_the_user_names(monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="a") as first, tempfile.TemporaryDirectory(dir="/tmp") as other:
        monkeypatch.setenv("TMPDIR", other)
        assert temporary_folder() == Path(other)
        monkeypatch.setenv("RAY_TMPDIR", first)
        assert temporary_folder() == Path(first)
        monkeypatch.setenv("RAY_TMPDIR", "/dev/null")
        assert temporary_folder() == Path(other)


def test_a_folder_too_long_for_sockets_is_passed_over(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    assert len(str(tmp_path)) > MAX_PATH_LENGTH
    assert len(str(temporary_folder())) <= MAX_PATH_LENGTH


def test_where_nothing_can_be_written_every_folder_is_told_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(dir: Path) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(system.tempfile, "TemporaryFile", refuse)
    monkeypatch.setenv("RAY_TMPDIR", "/no")
    message = r"(?s)RAY_TMPDIR=/no cannot be written to: Read-only file system.*/tmp cannot.*name one with RAY_TMPDIR"
    with pytest.raises(UserError, match=message):
        temporary_folder()


@pytest.mark.parametrize(
    ("visible", "gpus", "count"),
    [
        (None, 0, 0),
        ("0", 0, 0),
        ("0,1", 0, 0),
        (None, 2, 2),
        ("", 2, 0),
        ("-1", 2, 0),
        ("1", 2, 1),
        ("0,1,2,3", 2, 2),
        ("NoDevFiles", 2, 0),
        ("GPU-8932f937", 2, 1),
        ("MIG-GPU-8932f937/1/0, MIG-GPU-8932f937/2/0", 1, 2),
    ],
)
def test_gpus_are_those_that_are_there_and_visible(
    visible: str | None, gpus: int, count: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    for number in range(gpus):
        (tmp_path / f"0000:0{number}").mkdir()
    assert gpu_count(tmp_path if gpus else tmp_path / "none") == count


def test_what_the_shell_says_of_tune_and_train_does_not_reach_a_run() -> None:
    environment = {
        "RAY_AIR_NEW_OUTPUT": "1",
        "TUNE_DISABLE_STRICT_METRIC_CHECKING": "0",
        "TUNE_RESULT_BUFFER_LENGTH": "1000",
        "TUNE_MAX_PENDING_TRIALS_PG": "1",
        "RAY_TRAIN_V2_ENABLED": "0",
        "MALLOC_ARENA_MAX": "8",
        "RAY_memory_usage_threshold": "0.8",
        "RAY_AUTH_MODE": "disabled",
        "TUNED": "x",
    }
    set_environment(environment)
    assert environment == {
        **SETTINGS,
        "RAY_memory_usage_threshold": "0.8",
        "RAY_AUTH_MODE": "disabled",
        "TUNED": "x",
    }


def test_a_user_without_a_name_and_a_home_is_given_both(tmp_path: Path) -> None:
    code = """
import os, getpass, pwd
from pathlib import Path
def unknown(number): raise KeyError(f"uid not found: {number}")
pwd.getpwuid = unknown
for name in ("HOME", "LOGNAME", "USER", "LNAME", "USERNAME"): os.environ.pop(name, None)
from bench.system import set_environment_user
set_environment_user()
print(getpass.getuser(), Path.home(), oct(Path.home().stat().st_mode & 0o777))
"""
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    said = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    user, home, mode = said.stdout.split()
    assert (user, Path(home), mode) == (f"user-{os.getuid()}", tmp_path / f"bench-home-{os.getuid()}", "0o700")


def test_the_commit_is_of_the_repository_that_holds_bench(tmp_path: Path) -> None:
    """Not of the user's own, in which it is installed."""

    def git(*words: str) -> str:
        who = ("-c", "user.name=a", "-c", "user.email=a@b.c")
        done = subprocess.run(["git", *who, *words], cwd=tmp_path, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    file = tmp_path / ".venv" / "bench" / "run.py"
    file.parent.mkdir(parents=True)
    file.write_text("")
    (tmp_path / "paper.tex").write_text("")
    git("init", "-q")
    git("add", "paper.tex")
    git("commit", "-qm", "mine")
    assert git_commit(file) is None
    git("add", str(file))
    git("commit", "-qm", "bench in it")
    assert git_commit(file) == git("rev-parse", "HEAD")
    (tmp_path / "paper.tex").write_text("more")
    assert git_commit(file) == git("rev-parse", "HEAD") + "+"
