"""Where a run shall take place, as a command line says it, and the mistakes in that."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
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
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=400, check=False)
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


@pytest.mark.parametrize(
    ("grid", "told"),
    [
        (
            "{model: mlp, fraction: 0.00001}",
            "suite.yaml:2: grid.fraction: fraction: 1e-05 leaves class 0 none of its 5,4",
        ),
        (
            "{model: mlp, dataset: {name: npz, path: few.npz}, validation: given}",
            "suite.yaml:2: grid.validation: `validation: given` is the validation part that comes with a data set, and",
        ),
    ],
)
def test_data_that_do_not_suffice_are_told_before_machines_start(folder: Path, grid: str, told: str) -> None:
    images, labels = np.zeros((10, 4, 4), np.uint8), np.arange(10) % 2
    arrays = {"train_images": images, "train_labels": labels, "test_images": images, "test_labels": labels}
    np.savez(folder / "few.npz", **arrays)
    (folder / "suite.yaml").write_text(SUITE.replace("{model: mlp}", grid))
    for command in (("plan", "suite.yaml"), ("run", "suite.yaml", "--cluster", "own.yaml")):
        code, err = bench(folder, *command)
        assert (code, told in err) == (2, True), err


@pytest.mark.parametrize("command", ["attach", "stop", "fetch"])
def test_a_name_that_no_run_can_have_is_told(folder: Path, command: str) -> None:
    code, err = bench(folder, "cluster", command, "../x", "--cluster", "own.yaml")
    assert (code, "'../x' is no run's name" in err) == (2, True), err
