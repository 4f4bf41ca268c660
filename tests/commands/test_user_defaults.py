"""Defaults of options from `bench.toml` and the environment, `--dry-run`, `-q`, and what the shell completes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.completion import complete_axis, complete_dataset, complete_key, complete_suites

SUITE = (
    "name: s\ngrid: {dataset: {name: npz, path: d.npz}, model: [{name: mlp, hidden: [4]}, {name: mlp, hidden: [5]}]}\n"
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a suite of two configurations on twenty images."""
    images, labels = np.zeros((20, 4, 4), np.uint8), np.arange(20) % 2
    np.savez(tmp_path / "d.npz", train_images=images, train_labels=labels, test_images=images, test_labels=labels)
    (tmp_path / "s.yaml").write_text(SUITE)
    monkeypatch.chdir(tmp_path)
    for name in ("BENCH_RESULTS", "BENCH_JOBS"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_the_command_line_comes_before_the_table_and_that_before_the_top(folder: Path, bench: Any) -> None:
    (folder / "bench.toml").write_text("seeds = 3\n[plan]\nseeds = 2\n")
    assert "2 configurations, 4 trials" in bench("plan", "s.yaml").out
    assert "2 configurations, 10 trials" in bench("plan", "s.yaml", "--seeds", 5).out
    assert "2 configurations, 6 trials" in bench("run", "s.yaml", "--dry-run").out
    assert not (folder / "results").exists(), "a dry run writes nothing"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("result = 'x'", "bench.toml: result: did you mean 'results'?"),
        ("[plann]\nseeds = 2", "bench.toml: [plann]: there is no such command; did you mean 'plan'?"),
        ("[plan]\nseed = 2", "bench.toml: [plan] seed: there is no such option; did you mean 'seeds'?"),
        ("[plan]\nmeasure = 'yes'", "bench.toml: measure = 'yes': this option takes true or false"),
        ("[plan]\nonly = 'model=mlp'", "this option takes a list"),
        ("results =", "bench.toml: cannot be read as TOML"),
    ],
)
def test_a_mistake_in_the_file_is_named_with_what_is_allowed(text: str, message: str, folder: Path, bench: Any) -> None:
    (folder / "bench.toml").write_text(text)
    planned = bench("plan", "s.yaml")
    assert (planned.code, planned.out) == (2, "") and message in planned.err


def test_a_quiet_run_prints_nothing_and_a_verbose_one_every_epoch(
    folder: Path, bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ("s.yaml", "--no-ray", "--set", "epochs=3", "--only", "model.hidden=[4]")
    monkeypatch.setenv("BENCH_RESULTS", "verbose")
    verbose = bench("run", *options, "-v")
    assert verbose.code == 0 and [f"epoch {n}/3" in verbose.out for n in (1, 2, 3)] == [True] * 3, verbose
    monkeypatch.setenv("BENCH_RESULTS", "quiet")
    quiet = bench("run", *options, "-q")
    assert (quiet.code, quiet.out) == (0, "") and (folder / "quiet/entries").is_dir()
    monkeypatch.setenv("BENCH_RESULTS", "quiet")
    (key,) = complete_key("")
    assert complete_key(key[:3]) == [key] and complete_key("zz") == []


def test_words_are_completed_as_far_as_they_stand(folder: Path) -> None:
    assert complete_suites("labs/res") == ["labs/resnet_search"] and "s.yaml" in complete_suites("")
    assert complete_axis("opt") == ["optimizer="] and "model=resnet9" in complete_axis("model=res")
    assert complete_dataset("fashion") == ["fashion_mnist"]


def test_the_shell_gets_them_from_the_command(folder: Path) -> None:
    words = {"COMP_WORDS": "bench run quick --only optimizer=ad", "COMP_CWORD": "4", "_BENCH_COMPLETE": "complete_bash"}
    program = Path(sys.executable).with_name("bench")
    done = subprocess.run([program], env={**os.environ, **words}, capture_output=True, text=True, check=True)
    assert "optimizer=adam" in done.stdout.split()
