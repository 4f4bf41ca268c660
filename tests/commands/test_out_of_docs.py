"""Every example of the section on weights in docs/in_and_out.md runs, in its order, as a reader would run it."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from saved_network import made_arrays

from bench.ledger.ledger import Ledger
from bench.ledger.weights_files import list_weights

PAGE = Path(__file__).parents[2] / "docs" / "in_and_out.md"


def blocks() -> list[tuple[str, str]]:
    """Language and text of the section's code blocks."""
    text = PAGE.read_text(encoding="utf-8")
    section = text[text.index("## Out: weights") :].partition("\n## ")[0]
    return re.findall(r"^```(\w+)\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)


def test_every_example_runs(bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    pytest.importorskip("onnxruntime")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BENCH_RESULTS", raising=False)
    monkeypatch.setattr("bench.inference.measure_latency.MEASURED_SECONDS", 0.05)
    arrays = made_arrays()
    np.savez("data.npz", **arrays)
    np.save("images.npy", arrays["test_images"])
    Image.fromarray(arrays["test_images"][0]).save("image.png")
    key = ""
    for language, text in blocks():
        if language == "yaml":
            Path("bands.yaml").write_text(text)
        elif language == "python":
            capsys.readouterr()
            exec(compile(text.replace("KEY", repr(key)), "example", "exec"), {})
            assert capsys.readouterr().out.strip() in arrays["classes"]
        else:
            for line in text.splitlines():
                run_line(bench, line.replace("KEY", key))
            key = key or list_weights(Ledger("results").store)[0].key
    assert (tmp_path / "predictions.csv").read_text().startswith("image,class,probability,low,middle,high\n")
    assert (tmp_path / "network" / "model.onnx").is_file()


def run_line(bench: Any, line: str) -> None:
    command, _, target = line.partition(" > ")
    program, *arguments = shlex.split(command)
    if program == "bench":
        ran = bench(*arguments)
        assert (ran.code, ran.err) == (0, ""), (line, ran)
        if target:
            Path(target).write_text(ran.out)
        return
    assert program == "python"
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, timeout=400, check=False, env=dict(os.environ)
    )
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 100), done.stderr
