"""Training takes the same path on every device: nothing asks which one it is, but to measure memory or keep streams."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

import bench
from bench.suite.suite import load_suite
from bench.suite.trial import trials

ASK = {
    "training/runtime.py",  # a GPU's name, and the peak of its memory
    "training/checkpoint.py",  # a GPU's own stream of random numbers
}
"""Files that ask what a device is, and why."""

PACKAGE = Path(bench.__file__).parent


def asks(text: str) -> bool:
    """Whether a source compares with the name of a kind of device, or asks whether there is a GPU."""

    def found() -> Iterator[bool]:
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Compare):
                names = [one.value for one in [node.left, *node.comparators] if isinstance(one, ast.Constant)]
                yield bool({"cuda", "cpu", "mps"} & set(names))
            yield isinstance(node, ast.Attribute) and node.attr in {"is_cuda", "is_cpu", "is_available"}

    return any(found())


@pytest.mark.parametrize("package", ["suite", "data", "models", "training"])
def test_nothing_asks_what_the_device_is(package: str) -> None:
    files = sorted((PACKAGE / package).rglob("*.py"))
    asking = {str(path.relative_to(PACKAGE)) for path in files if asks(path.read_text())}
    assert files and asking == {name for name in ASK if name.startswith(package)}


@pytest.mark.parametrize(
    "text", ['x = 1 if device.type == "cuda" else 2', "if torch.cuda.is_available(): pass", "y = images.is_cuda"]
)
def test_asking_is_found_out(text: str) -> None:
    assert asks(text)


def test_keys_and_settings_are_the_same_where_there_is_a_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "suite.yaml"
    path.write_text("name: here\ngrid: {model: [mlp, cnn, resnet18], optimizer: [adam, {name: muon, lr: 0.02}]}\n")

    def planned(gpu: Callable[[], bool]) -> list[tuple[str, object]]:
        monkeypatch.setattr(torch.cuda, "is_available", gpu)
        return [(one.key, one.config.to_json()) for one in trials(load_suite(path), lambda _: "made", lambda _: None)]

    assert planned(lambda: True) == planned(lambda: False)
