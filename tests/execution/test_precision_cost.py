from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench.cli import app
from bench.execution import precision_cost
from bench.execution.precision_cost import PrecisionCost

SUITE = """
name: half
grid: {model: mlp, dataset: mnist, precision: PRECISION, epochs: 1}
"""
NO_UNITS = {"ONEDNN_MAX_CPU_ISA": "AVX2"}
"""oneDNN then computes as on a processor without units for bfloat16."""


def plan(folder: Path, precision: str) -> subprocess.CompletedProcess[str]:
    (folder / "half.yaml").write_text(SUITE.replace("PRECISION", precision))
    command = [sys.executable, "-m", "bench", "plan", "half.yaml"]
    environment = os.environ | NO_UNITS | {"XDG_CACHE_HOME": str(folder / "cache"), "CUDA_VISIBLE_DEVICES": ""}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the variable that hides the units is for x86")
def test_a_plan_names_what_an_emulated_precision_costs(tmp_path: Path) -> None:
    ran = plan(tmp_path, "bfloat16")
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr.startswith("precision: bfloat16 is emulated on this processor (")
    assert "times as long as in float32; --set precision=float32 trains in float32" in ran.stderr
    assert ran.stderr.count("emulated") == 1
    assert plan(tmp_path, "bfloat16").stderr == ran.stderr, "measured once, then from the cache"
    assert plan(tmp_path, "float32").stderr == ""


@pytest.mark.parametrize(("product", "convolution", "warned"), [(0.2, 0.4, False), (0.9, 14.0, True)])
def test_only_a_slower_precision_is_warned_of(
    product: float, convolution: float, warned: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision_cost, "precision_cost", lambda: PrecisionCost(product, convolution))
    monkeypatch.setattr(precision_cost, "gpu_count", lambda: 0)
    monkeypatch.chdir(tmp_path)
    Path("half.yaml").write_text(SUITE.replace("PRECISION", "bfloat16"))
    ran = CliRunner().invoke(app, ["plan", "half.yaml"])
    assert ran.exit_code == 0
    assert ("a convolution 14 times" in ran.stderr) is warned


@pytest.mark.parametrize(
    ("ns_dtype", "product", "warned"), [("bfloat16", 9.0, True), ("bfloat16", 0.9, False), ("float32", 9.0, False)]
)
def test_an_optimizer_that_multiplies_in_an_emulated_precision_is_warned_of(
    ns_dtype: str, product: float, warned: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision_cost, "precision_cost", lambda: PrecisionCost(product, 14.0))
    monkeypatch.setattr(precision_cost, "gpu_count", lambda: 0)
    monkeypatch.chdir(tmp_path)
    optimizer = f"optimizer: {{name: muon, ns_dtype: {ns_dtype}}}, epochs"
    Path("half.yaml").write_text(SUITE.replace("PRECISION", "float32").replace("epochs", optimizer))
    ran = CliRunner().invoke(app, ["plan", "half.yaml"])
    assert ran.exit_code == 0
    assert ("; an optimizer without `ns_dtype: bfloat16` multiplies in float32" in ran.stderr) is warned
    assert ("emulated" in ran.stderr) is warned and "--set precision" not in ran.stderr


def test_what_holds_for_two_suites_is_said_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision_cost, "precision_cost", lambda: PrecisionCost(9.0, 9.0))
    monkeypatch.setattr(precision_cost, "gpu_count", lambda: 0)
    monkeypatch.chdir(tmp_path)
    Path("half.yaml").write_text(SUITE.replace("PRECISION", "bfloat16"))
    muon = "optimizer: {name: muon, ns_dtype: bfloat16}, epochs"
    Path("muon.yaml").write_text(SUITE.replace("half", "muon").replace("PRECISION", "float32").replace("epochs", muon))
    ran = CliRunner().invoke(app, ["plan", "half.yaml", "muon.yaml", "half.yaml"])
    first, second = (line for line in ran.stderr.splitlines() if "emulated" in line)
    assert "--set precision=float32" in first and "ns_dtype" not in first
    assert "`ns_dtype: bfloat16`" in second and "--set" not in second


def test_a_gpu_that_trials_use_is_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision_cost, "precision_cost", lambda: PrecisionCost(9.0, 9.0))
    monkeypatch.setattr(precision_cost, "gpu_count", lambda: 1)
    monkeypatch.chdir(tmp_path)
    Path("half.yaml").write_text(SUITE.replace("PRECISION", "bfloat16"))
    arguments = ["plan", "half.yaml"]
    assert "emulated" not in CliRunner().invoke(app, arguments).stderr
    assert "emulated" in CliRunner().invoke(app, [*arguments, "--gpus-per-trial", "0"]).stderr
