"""Trained networks in use: `bench.load_model`, `bench export --weights`, `bench predict`, `bench latency`."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image
from saved_network import SUITE, made_arrays, run_suite, weights_files, write_suite
from torch import nn

import bench as bench_package
from bench.inference.network_files import TOLERANCE, compare
from bench.ledger.ledger import Ledger
from bench.ledger.weights_files import read_weights
from bench.suite.trial import NetworkOrigin
from bench.training.network import WeightsMetadata, from_safetensors, to_safetensors

OWN = """
import torch
from torch import nn


class Tied(nn.Module):
    '''Two layers of the same weights, a buffer, and preprocessing that keeps a plain number.'''

    def __init__(self, input_shape, classes):
        super().__init__()
        size = input_shape[0] * input_shape[1] * input_shape[2]
        self.register_buffer("offset", torch.rand(size))
        self.first = nn.Linear(size, size, bias=False)
        self.second = nn.Linear(size, size, bias=False)
        self.second.weight = self.first.weight
        self.last = nn.Linear(size, classes)

    def forward(self, x):
        x = x.flatten(1) + self.offset
        return self.last(torch.relu(self.second(torch.relu(self.first(x)))))


class Minus(nn.Module):
    def __init__(self, mean):
        super().__init__()
        self.mean = mean

    def forward(self, pixels):
        return pixels - self.mean


def center(images):
    return Minus(float(images.mean()) / 255)
"""

CASES = {
    "mlp": "model: {name: mlp, hidden: [8]}, preprocessing: standardize",
    "folded": "model: {name: cnn, channels: [4], kernel: 3, hidden: [8]}, preprocessing: column_standardize",
    "timm": "model: {name: resnet10t}, test_time: flip",
    "bfloat16": "model: {name: mlp, hidden: [8]}, precision: bfloat16, regularizer: {name: dropout, rate: 0.2}",
    "own": "model: 'net.py:Tied', preprocessing: 'net.py:center', optimizer: {name: sgd, lr: 0.01}",
}


def suite_text(case: str) -> str:
    start = SUITE[: SUITE.index("grid:")].replace("seeds: 2", "seeds: 1").replace("epochs: 2", "epochs: 1")
    return f"{start}grid: {{{CASES[case]}}}\n"


class Saved:
    """A ledger with the weights of one trial, and its test images."""

    def __init__(self, folder: Path, bench: Any, case: str, channels: int = 1):
        (folder / "net.py").write_text(OWN)
        self.folder = folder
        self.results = run_suite(bench, folder, "--keep", "all", text=suite_text(case), channels=channels)
        self.ledger = Ledger(self.results)
        (self.record,) = self.ledger.records()
        self.key = self.record.key
        self.images = np.load(folder / "data.npz")["test_images"]
        self.stored = self.ledger.predictions(self.key)


@pytest.mark.parametrize("case", CASES)
def test_a_loaded_network_gives_the_record_and_so_does_what_is_exported(bench: Any, tmp_path: Path, case: str) -> None:
    saved = Saved(tmp_path, bench, case, 3 if case == "timm" else 1)
    model = bench_package.load_model(saved.key[:8], results=saved.results, folder=tmp_path)
    assert not model.training
    assert model.classes == ("low", "middle", "high")
    with torch.inference_mode():
        probabilities = model(torch.from_numpy(saved.images)).softmax(1)
    assert np.array_equal(probabilities.half().numpy(), saved.stored.probabilities)
    out = tmp_path / "out"
    export = ("export", saved.key, "--weights", out, "--results", saved.results, "--from", tmp_path)
    ran = bench(*export)
    assert (ran.code, ran.err) == (0, ""), ran.err
    assert "program.pt2: 100 test images, probabilities within " in ran.out
    assert sorted(path.name for path in out.iterdir()) == ["config.json", "load.py", "model.safetensors", "program.pt2"]
    assert json.loads((out / "config.json").read_text())["config"] == saved.record.config
    assert run_elsewhere(out, saved.images, tmp_path) == [model.classes[i] for i in saved.stored.predicted]


def test_preprocessing_of_a_refit_is_fitted_to_the_given_validation_part_too(bench: Any, tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(OWN)
    text = suite_text("own").replace("validation: {tail: 0.2}", "validation: given\n  refit: true")
    suite = write_suite(tmp_path, text)
    arrays = made_arrays()
    bright = np.full_like(arrays["test_images"], 255)
    np.savez(tmp_path / "data.npz", **arrays, val_images=bright, val_labels=arrays["test_labels"])
    ran = bench("run", suite, "--no-ray", "--keep", "all", "--results", tmp_path / "results")
    assert ran.code == 0, ran.err
    (record,) = Ledger(tmp_path / "results").records()
    model = bench_package.load_model(record.key, results=tmp_path / "results", folder=tmp_path)
    with torch.inference_mode():
        probabilities = model(torch.from_numpy(arrays["test_images"])).softmax(1)
    stored = Ledger(tmp_path / "results").predictions(record.key)
    assert np.array_equal(probabilities.half().numpy(), stored.probabilities)


def run_elsewhere(out: Path, images: Any, folder: Path) -> list[str]:
    """What `load.py` prints in a process that cannot import bench, nor a model of the user's own."""
    np.save(folder / "images.npy", images)
    blocker = folder / "blocked"
    blocker.mkdir()
    (blocker / "sitecustomize.py").write_text(
        "import sys\nsys.modules['bench'] = sys.modules['timm'] = sys.modules['net'] = None\n"
    )
    done = subprocess.run(
        [sys.executable, str(out / "load.py"), str(folder / "images.npy")],
        capture_output=True,
        text=True,
        cwd=blocker,
        env={"PYTHONPATH": str(blocker), "PATH": ""},
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_onnx_gives_the_record_on_every_test_image(bench: Any, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    saved = Saved(tmp_path, bench, "folded")
    export = ("export", saved.key, "--weights", tmp_path / "out", "--onnx", "--results", saved.results)
    ran = bench(*export, "--from", tmp_path)
    assert (ran.code, ran.err) == (0, ""), ran.err
    assert "model.onnx: 100 test images, probabilities within " in ran.out
    session = onnxruntime.InferenceSession(tmp_path / "out" / "model.onnx", providers=["CPUExecutionProvider"])
    assert [node.shape[1:] for node in session.get_inputs()] == [[12, 12]]
    for count in (1, 100):
        (logits,) = session.run(None, {"images": saved.images[:count]})
        probabilities = torch.from_numpy(logits).softmax(1).numpy()
        stored = np.asarray(saved.stored.probabilities[:count], np.float32)
        assert np.abs(probabilities - stored).max() <= TOLERANCE
    ran = bench(*export, "--from", tmp_path)
    assert (ran.code, "exists already" in ran.err) == (2, True)


def test_a_network_that_differs_from_its_record_is_not_written(
    bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = Saved(tmp_path, bench, "mlp")
    monkeypatch.setattr("bench.inference.network_files.softmax", lambda logits: np.roll(logits, 1, axis=1))
    ran = bench("export", saved.key, "--weights", tmp_path / "out", "--results", saved.results, "--from", tmp_path)
    assert (ran.code, "does not give what the record holds" in ran.err) == (2, True)
    assert not [path for path in tmp_path.iterdir() if "out" in path.name]


def test_near_ties_are_counted_and_other_classes_disagree(bench: Any, tmp_path: Path) -> None:
    stored = Saved(tmp_path, bench, "mlp").stored
    assert stored.probabilities is not None
    exact = np.asarray(stored.probabilities, np.float32)
    assert compare(stored, exact).agrees
    tie = exact.copy()
    tie[0] = [0.4999, 0.5001, 0]
    agreement = compare(stored, tie)
    assert agreement.ties + agreement.other_class == int(stored.predicted[0] != 1)
    other = np.roll(exact, 1, axis=1)
    assert not compare(stored, other).agrees
    assert compare(stored, other).other_class > 0


def test_predict_takes_files_folders_and_arrays(bench: Any, tmp_path: Path) -> None:
    saved = Saved(tmp_path, bench, "mlp")
    folder = tmp_path / "images" / "deep"
    folder.mkdir(parents=True)
    for index in range(3):
        Image.fromarray(saved.images[index]).save(folder / f"{index}.png")
    np.save(tmp_path / "images.npy", saved.images)
    options = ("--results", saved.results)
    ran = bench("predict", saved.key[:6], tmp_path / "images", tmp_path / "images.npy", "--json", *options)
    predictions = json.loads(ran.out)["predictions"]
    assert len(predictions) == 103
    classes = saved.record.result.classes
    expected = [classes[number] for number in saved.stored.predicted]
    assert [row["class"] for row in predictions] == [*expected[:3], *expected]
    assert predictions[0]["image"] == str(folder / "0.png")
    assert predictions[0]["probability"] == pytest.approx(float(saved.stored.confidence[0]), abs=1e-5)
    assert sum(predictions[0]["probabilities"].values()) == pytest.approx(1)
    ran = bench("predict", saved.key, folder, "--csv", *options)
    rows = list(csv.DictReader(io.StringIO(ran.out)))
    assert [row["class"] for row in rows] == expected[:3]
    assert set(rows[0]) == {"image", "class", "probability", *classes}
    ran = bench("predict", saved.key, folder / "0.png", *options)
    assert ran.out.split()[:2] == [str(folder / "0.png"), expected[0]]


def test_images_that_do_not_fit_are_refused(bench: Any, tmp_path: Path) -> None:
    saved = Saved(tmp_path, bench, "mlp")

    def refused(path: Path) -> str:
        ran = bench("predict", saved.key, path, "--results", saved.results)
        assert ran.code == 2
        return str(ran.err)

    colour = tmp_path / "colour.png"
    Image.fromarray(np.full((12, 12, 3), (200, 0, 0), np.uint8)).save(colour)
    assert "is in colour, and the network was trained on grey images" in refused(colour)
    large = tmp_path / "large.png"
    Image.fromarray(np.zeros((30, 20), np.uint8)).save(large)
    assert "is 30 x 20 (height x width), the network takes 12 x 12" in refused(large)
    (tmp_path / "text.png").write_text("no image")
    assert "cannot be read as an image" in refused(tmp_path / "text.png")
    np.save(tmp_path / "floats.npy", saved.images / 255)
    assert "expected uint8" in refused(tmp_path / "floats.npy")
    np.savez(tmp_path / "none.npz", a=saved.images, b=saved.images)
    assert "has no array 'images'" in refused(tmp_path / "none.npz")
    assert "no such file or folder" in refused(tmp_path / "missing.png")
    (tmp_path / "empty").mkdir()
    assert "holds no image file" in refused(tmp_path / "empty")
    ran = bench("predict", saved.key, large, "--json", "--csv", "--results", saved.results)
    assert (ran.code, "one of the two" in ran.err) == (2, True)


def test_latency_names_device_and_threads(bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.inference.measure_latency.MEASURED_SECONDS", 0.01)
    saved = Saved(tmp_path, bench, "mlp")
    ran = bench("latency", saved.key, "--json", "--results", saved.results)
    measured = json.loads(ran.out)
    assert (measured["threads"], bool(measured["device"])) == (1, True)
    assert [row["batch"] for row in measured["latencies"]] == [1, 256]
    for row in measured["latencies"]:
        assert 0 < row["median_ms"] <= row["p99_ms"]
        assert row["images_per_second"] == pytest.approx(1000 * row["batch"] / row["median_ms"])
    assert "99th perc." in bench("latency", saved.key, "--results", saved.results).out


def test_a_trial_without_weights_and_an_unknown_key_say_so(bench: Any, tmp_path: Path) -> None:
    results = run_suite(bench, tmp_path, text=suite_text("mlp"))
    (record,) = Ledger(results).records()
    images = tmp_path / "data.npz"
    for command in (("predict", record.key, images), ("latency", record.key), ("export", record.key, "--weights", "o")):
        ran = bench(*command, "--results", results)
        assert (ran.code, "has no weights of this trial" in ran.err, "--force" in ran.err) == (2, True, True)
    ran = bench("predict", "ffffffff", images, "--results", results)
    assert (ran.code, "ffffffff" in ran.err) == (2, True)
    ran = bench("export", "--onnx", "--results", results)
    assert (ran.code, "goes with --weights DIR" in ran.err) == (2, True)


def test_a_missing_library_is_named(bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved = Saved(tmp_path, bench, "mlp")
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    ran = bench("export", saved.key, "--weights", tmp_path / "o", "--onnx", "--results", saved.results)
    assert (ran.code, "pip install 'benchgrid[onnx]'" in ran.err) == (2, True)


def test_code_that_has_changed_is_refused(bench: Any, tmp_path: Path) -> None:
    saved = Saved(tmp_path, bench, "own")
    (tmp_path / "net.py").write_text(OWN.replace("torch.relu(self.first(x))", "torch.tanh(self.first(x))"))
    ran = bench("latency", saved.key, "--results", saved.results, "--from", tmp_path)
    assert (ran.code, "has changed since the trial was trained" in ran.err) == (2, True)


def test_tied_weights_are_saved_once_and_load_as_safetensors_does(bench: Any, tmp_path: Path) -> None:
    saved = Saved(tmp_path, bench, "own")
    assert len(weights_files(saved.results)) == 1
    _, data = read_weights(saved.ledger, saved.key)
    assert "net.second.weight" not in safetensors.torch.load(data)
    tensors, metadata = from_safetensors(data)
    assert metadata.origin.key == saved.key
    assert torch.equal(tensors["net.second.weight"], tensors["net.first.weight"])

    class Pair(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(3, 3), nn.BatchNorm1d(3)
            self.c = self.a

    pair, copy = Pair(), Pair()
    file = tmp_path / "pair.safetensors"
    file.write_bytes(to_safetensors(pair, WeightsMetadata(NetworkOrigin("made", []), (1, 1, 3), 3)))
    assert safetensors.torch.load_model(copy, file) == (set(), [])
    assert all(torch.equal(x, y) for x, y in zip(pair.state_dict().values(), copy.state_dict().values(), strict=True))


def test_a_folder_that_cannot_be_written_says_so_and_leaves_nothing(
    bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = Saved(tmp_path, bench, "mlp")
    (tmp_path / "file").write_text("")
    ran = bench(
        "export", saved.key, "--weights", tmp_path / "file" / "o", "--results", saved.results, "--from", tmp_path
    )
    assert (ran.code, "cannot write" in ran.err) == (2, True)

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("torch.export.save", full)
    ran = bench("export", saved.key, "--weights", tmp_path / "o", "--results", saved.results, "--from", tmp_path)
    assert (ran.code, "The disk is full" in ran.err) == (2, True)
    assert not [path for path in tmp_path.iterdir() if path.name.strip(".").startswith("o.")]
