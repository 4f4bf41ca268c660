"""Every command that bench prints does what it says when it is pasted into a shell, in the same folder."""

from __future__ import annotations

import html
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

NET = """
from torch import nn

class Net(nn.Sequential):
    def forward(self, x):
        if len(x) == 7:
            raise ValueError("[/broken] by a batch of 7 − always")
        return super().forward(x)

def net(input_shape, classes):
    return Net(nn.Flatten(), nn.Linear(36, classes))
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A suite, its data and its model where every name needs quoting; one of two configurations fails."""
    home = tmp_path / "it's $HOME"
    suites = home / "-my suites"
    suites.mkdir(parents=True)
    random, labels = np.random.default_rng(0), np.arange(40) % 2
    pixels = random.integers(0, 256, (40, 6, 6), dtype=np.uint8)
    np.savez(suites / "d.npz", train_images=pixels, train_labels=labels, test_images=255 - pixels, test_labels=labels)
    (suites / "my net.py").write_text(NET, encoding="utf-8")
    grid = {
        "model": "my net.py:net",
        "dataset": {"name": "npz", "path": "d.npz"},
        "batch_size": {"grid": [7, 20, 40]},
    }
    (suites / "s 1.yaml").write_text(json.dumps({"name": "pasted", "defaults": {"epochs": 9}, "grid": grid}))
    monkeypatch.chdir(home)
    return home


def pasted(text: str, folder: Path) -> list[str]:
    """The arguments that a shell makes of a command."""
    shims = folder / "bin"
    shims.mkdir(exist_ok=True)
    shim = shims / "bench"
    shim.write_text(f"#!{sys.executable}\nimport json, sys\nprint(json.dumps(sys.argv[1:]))\n")
    shim.chmod(0o755)
    environment = os.environ | {"PATH": f"{shims}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(["sh", "-c", text], env=environment, capture_output=True, text=True, timeout=300, check=True)
    arguments: list[str] = json.loads(done.stdout)
    return arguments


def test_all_that_a_run_and_its_report_print(folder: Path, bench: Any) -> None:
    options = ("--only", "batch_size=[7, 20]", "--set", "epochs=1", "--seeds", "2", "--results", "my results")
    ran = bench("run", "--no-ray", *options, "--", "-my suites/s 1.yaml")
    assert ran.code == 1, ran.err
    assert "ValueError: [/broken] by a batch of 7 − always" in ran.out
    (page,) = re.findall(r"^The whole page: (.*)$", ran.out, re.MULTILINE)
    shown = re.findall(r"`(bench show .*?)`", ran.out)
    assert len(shown) == 2
    for command in shown:
        said = bench(*pasted(command, folder))
        assert (said.code, "ValueError: [/broken]" in said.out) == (0, True)
    written = bench(*pasted(page, folder))
    assert written.code == 0, written.err
    text = Path(re.findall(r"^wrote (.*)$", written.out, re.MULTILINE)[0]).read_text(encoding="utf-8")
    codes = [html.unescape(code) for code in re.findall(r"<code>(bench .*?)</code>", text)]
    again = [code for code in codes if code.startswith("bench run")]
    repeats = [code for code in codes if code.startswith("bench reproduce")]
    assert len(again) == len(repeats) == 1
    arguments = pasted(again[0], folder)
    assert bench(*arguments, "--no-ray").code == 1
    said = bench("plan", *arguments[1:], "--json")
    assert json.loads(said.out)["trials"] == 4
    said = bench(*pasted(repeats[0], folder))
    assert (said.code, said.out.count("is bit-identical")) == (0, 2), said.out + said.err


def test_a_suite_that_comes_with_bench_is_named_as_it_was(folder: Path, bench: Any) -> None:
    ran = bench("plan", "quick", "--json")
    assert json.loads(ran.out)["suite"] == "quick"
    (folder / "results" / "entries").mkdir(parents=True)
    said = bench("report", "quick", "--markdown", "--out", "-").out
    assert "| Command | `bench run quick` |" in said
