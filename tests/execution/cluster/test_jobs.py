"""Names of runs, and what a node is found to lack."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.execution.cluster import requirements
from bench.execution.cluster.jobs import folder_of_run, new_name
from bench.execution.cluster.launcher import Launcher, Settings
from bench.suite.errors import UserError

LAUNCHER = Launcher(Path("cluster.yaml"), "three", "local", Settings(), gpus=False, grows=False)


@pytest.mark.parametrize("suite", ["quick", "Größe & Tiefe/../..", "---", "x" * 300])
def test_a_suite_gives_its_run_a_name_that_is_safe_as_a_folder(suite: str) -> None:
    name = new_name(suite)
    assert folder_of_run(LAUNCHER, name) == f"~/bench/runs/{name}"
    assert name != new_name(suite)


@pytest.mark.parametrize("name", ["", "..", "../x", "a b", "a;b", "A", "-x", "$HOME"])
def test_what_is_no_name_never_reaches_the_head(name: str) -> None:
    with pytest.raises(UserError, match="no run's name"):
        folder_of_run(LAUNCHER, name)


def test_a_node_is_asked_for_what_it_lacks(tmp_path: Path) -> None:
    wanted = requirements.requirements()
    assert any(text.startswith("torch==") for text in wanted)
    assert not any(text.startswith("ray") for text in wanted)
    file = tmp_path / "requirements.json"
    file.write_text(json.dumps([*wanted, "no-such-package-anywhere==1.0"]))
    out = subprocess.run([sys.executable, requirements.__file__, file], check=True, capture_output=True, text=True)
    assert json.loads(out.stdout) == ["no-such-package-anywhere==1.0"]
