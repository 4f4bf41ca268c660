"""Where a run shall take place, as a command line says it, and the mistakes in that."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SUITE = "name: t\ngrid: {model: mlp}\n"
OWN = "cluster_name: c\nprovider: {type: local, head_ip: 127.0.0.1, worker_ips: []}\nauth: {ssh_user: me}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "suite.yaml").write_text(SUITE)
    (tmp_path / "own.yaml").write_text(OWN)
    return tmp_path


def bench(folder: Path, *arguments: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "bench", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--cluster", "own.yaml", "--address", "auto"), "--cluster and --address: a run takes one of them"),
        (("--cluster", "own.yaml", "--no-ray"), "--cluster and --no-ray: a run takes one of them"),
        (("--teardown",), "--teardown tears a cluster down: it goes with --cluster FILE"),
        (("--address", "ray://host:10001"), "expected HOST:PORT of a Ray cluster's head"),
        (("--address", "127.0.0.1:1"), "--address 127.0.0.1:1: nothing answers there"),
        (("--cluster", "nowhere.yaml"), "--cluster nowhere.yaml: cannot be read: No such file"),
        (("--cluster", "suite.yaml"), "suite.yaml: not a cluster-launcher file: it has no `provider`"),
    ],
)
def test_a_place_that_is_none_is_told(folder: Path, options: tuple[str, ...], told: str) -> None:
    code, err = bench(folder, "run", "suite.yaml", *options)
    assert (code, told in err) == (2, True), err
    assert not (folder / "results").exists()


@pytest.mark.parametrize("command", ["attach", "stop", "fetch"])
def test_a_name_that_no_run_can_have_is_told(folder: Path, command: str) -> None:
    code, err = bench(folder, "cluster", command, "../x", "--cluster", "own.yaml")
    assert (code, "'../x' is no run's name" in err) == (2, True), err
