"""`bench doctor` as a user runs it, on this machine as it is and with things broken on purpose."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
import torch

from bench.commands import doctor as doctor_module
from bench.data import DATASETS, Dataset

ROOT = Path(__file__).parents[2]
BROKEN = "raise ImportError('libgomp.so.1: cannot open shared object file')\n"


def doctor(folder: Path, *arguments: str, libraries: dict[str, str] | None = None, **settings: str) -> Any:
    """Run the command in `folder`, where `libraries` stand before the installed ones; JSON is read."""
    for name, source in (libraries or {}).items():
        (folder / "libraries").mkdir(exist_ok=True)
        (folder / "libraries" / f"{name}.py").write_text(source)
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("BENCH_", "CUDA_"))}
    ran = subprocess.run(
        [sys.executable, "-m", "bench", "doctor", *arguments],
        cwd=folder,
        env=environment | {"PYTHONPATH": f"{folder / 'libraries'}:{ROOT}"} | settings,
        capture_output=True,
        text=True,
        timeout=540,
    )
    assert ran.stderr == ""
    return ran.returncode, json.loads(ran.stdout) if "--json" in arguments else ran.stdout


def by_name(answer: dict[str, Any]) -> dict[str, dict[str, str]]:
    return {check["name"]: check for check in answer["checks"]}


def test_on_a_machine_that_trains_there_is_no_problem(fashion_mnist: Dataset, tmp_path: Path) -> None:
    code, text = doctor(tmp_path, BENCH_DATA=str(fashion_mnist.source))
    assert (code, text.splitlines()[-1].split(", ")[0]) == (0, "no problems"), text
    lines = {line[9:24].strip(): line for line in text.splitlines()}
    assert lines["fashion_mnist"] == f"ok       fashion_mnist  verified in {fashion_mnist.source}"
    assert f"{torch.__version__}, " in lines["torch"]
    assert "starts here and runs" in lines["Ray"]
    assert {"python", "CPUs", "memory", "shared memory", "results", "download cache", "Ray's folder"} <= lines.keys()
    assert "times as long as in float32" in lines["bfloat16"]
    assert list(tmp_path.iterdir()) == [], "it leaves nothing behind"


def test_what_is_broken_is_told_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    damaged = tmp_path / "data" / "fashion_mnist"
    damaged.mkdir(parents=True)
    for file in DATASETS["fashion_mnist"].files:
        (damaged / file.name).write_bytes(b"not this")
    code, answer = doctor(
        tmp_path,
        "--json",
        "--results",
        "file/results",
        libraries={"torch": BROKEN, "ray": "import os\nos.abort()\n"},
        BENCH_DATA=str(tmp_path / "data"),
        XDG_CACHE_HOME=str(tmp_path / "file"),
    )
    found = by_name(answer)
    assert (code, answer["problems"]) == (1, 5)
    assert {name for name, check in found.items() if check["status"] == "problem"} == {
        "results",
        "fashion_mnist",
        "torch",
        "timm",  # which imports torch
        "Ray",
    }
    assert "a ledger is a folder" in found["results"]["message"]
    assert "--results" in found["results"]["advice"]
    assert f"{damaged}/train-images-idx3-ubyte does not hold" in found["fashion_mnist"]["message"]
    assert found["torch"]["message"] == "does not work: ImportError: libgomp.so.1: cannot open shared object file"
    assert found["Ray"]["message"] == "does not work: ended its process by SIGABRT"
    assert "--no-ray" in found["Ray"]["advice"]
    assert found["download cache"]["status"] == "warning"
    assert "XDG_CACHE_HOME" in found["download cache"]["advice"]


def test_what_would_do_better_is_a_warning(tmp_path: Path) -> None:
    """A data set that is not here, a folder that is none."""
    code, answer = doctor(
        tmp_path,
        "--json",
        libraries={"ray": BROKEN, "timm": BROKEN},
        BENCH_DATA=str(tmp_path / "data"),
        XDG_CACHE_HOME=str(tmp_path),
    )
    found = by_name(answer)
    assert (code, answer["problems"]) == (1, 2)
    assert "not on this machine: " in found["data"]["message"]
    assert "kmnist" in found["data"]["message"]
    assert found["data"]["advice"].startswith("`bench data fetch ")
    assert found["BENCH_DATA"]["message"] == f"{tmp_path}/data: there is no such folder"
    assert [found[name]["status"] for name in ("data", "BENCH_DATA")] == ["warning"] * 2


def test_a_gpu_that_torch_does_not_see_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_module, "gpu_count", lambda: 1)  # as the driver lists them
    facts: Future[dict[str, Any]] = Future()
    facts.set_result({"version": "2.9.0", "threads": 2, "cuda": None, "devices": [], "mps": False})
    found = doctor_module._torch(facts)
    assert (found.status, found.message) == (
        "warning",
        "2.9.0, 2 threads, built without CUDA: sees none of 1 NVIDIA GPUs",
    )


def test_a_results_folder_that_cannot_be_written_to(tmp_path: Path) -> None:
    missing = dict.fromkeys(("torch", "timm", "ray"), BROKEN)
    code, answer = doctor(tmp_path, "--json", "--results", "/proc/results", libraries=missing)
    check = by_name(answer)["results"]
    assert (code, check["status"]) == (1, "problem")
    assert "/proc/results cannot be written to" in check["message"]
    assert not any("Traceback" in check["message"] for check in answer["checks"])
