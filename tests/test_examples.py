"""What stands in examples/ runs: the notebook is executed, the gate of CI passes and fails."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from bench.cli import load_command

EXAMPLES = Path(__file__).parents[1] / "examples"


def test_the_notebook_runs(tmp_path: Path) -> None:
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    notebook = nbformat.read(EXAMPLES / "notebook.ipynb", as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells), "outputs are not committed"
    client = nbclient.NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": tmp_path}}
    )
    client.execute()  # raises for an exception in a cell
    shown = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    html = " ".join(output["data"].get("text/html", "") for output in shown if "data" in output)
    assert "trials ended; took" in html, "the table of progress"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A suite on easy data of its own, and a change that unlearns it."""
    folder = tmp_path_factory.mktemp("project")
    random, labels = np.random.default_rng(0), np.arange(600) % 2
    images = random.integers(0, 100, (600, 6, 6)).astype(np.uint8)
    images[labels == 1, :3] += 100
    parts = {"train_images": images[:300], "train_labels": labels[:300]}
    np.savez(folder / "data.npz", **parts, test_images=images[300:], test_labels=labels[300:])
    swapped = {"label_noise": {"name": "asymmetric", "rate": 0.95}}  # whatever the seed, it learns the wrong class
    for name, change in (("base", {}), ("same", {}), ("worse", swapped)):
        optimizer = {"name": "adam", "lr": 0.01}
        data = {"name": "npz", "path": "data.npz"}
        grid = {"dataset": data, "model": "mlp", "optimizer": optimizer, "epochs": 3, **change}
        (folder / f"{name}.yaml").write_text(yaml.safe_dump({"name": name, "grid": {**grid, "batch_size": 32}}))
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(("new", "code", "verdict"), [("same", 0, "identical"), ("worse", 1, "NEW is worse")])
def test_the_gate_passes_what_is_equal_and_stops_what_is_worse(
    new: str, code: int, verdict: str, project: Path
) -> None:
    command = [EXAMPLES / "ci_gate/gate.sh", "base.yaml", f"{new}.yaml", "--seeds", "2", "--no-ray"]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    # Each change has a ledger of its own; what was trained of BASE is kept between jobs.
    environment = {**os.environ, "PATH": path, "RESULTS": "results"}
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)
    subprocess.run(["rm", "-r", project / "results/new"], check=True)
    assert (done.returncode, verdict in done.stdout) == (code, True), done.stdout + done.stderr


def test_the_gate_and_its_workflow_use_options_that_exist() -> None:
    workflow = (EXAMPLES / "ci_gate/accuracy.yml").read_text()
    (step,) = [s["run"] for s in yaml.safe_load(workflow)["jobs"]["compare"]["steps"] if "gate.sh" in s.get("run", "")]
    extra = shlex.split(step.partition("|")[0])[3:]
    lines = [line for line in (EXAMPLES / "ci_gate/gate.sh").read_text().splitlines() if line.startswith("bench ")]
    assert [line.split()[1] for line in lines] == ["run", "run", "compare"]
    for line in lines:
        words = [word for text in shlex.split(line)[2:] for word in (extra if text == "$@" else [text])]
        words = ["1" if "MAX_DROP" in word else word for word in words]
        load_command(line.split()[1]).make_context(line.split()[1], words)  # raises for an option that there is not
