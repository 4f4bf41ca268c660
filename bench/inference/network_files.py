"""A trained network as a folder that works without bench: program, weights, configuration, `load.py`, perhaps ONNX.

The program is what `torch.export` records of the network with its preprocessing: PyTorch alone runs it, whatever code
the network was built by. It is run on every test image before the folder gets its name, and so is the ONNX model.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import shutil
import uuid
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bench.errors import UserError
from bench.ledger.file_store import cannot_write
from bench.ledger.record import Record
from bench.metrics import Predictions

if TYPE_CHECKING:
    from bench.training.network import ImageClassifier

BATCH = 250
"""Images per forward pass of the checks, as in the trial's test."""
OPSET = 20
"""Of ONNX's operators, version 20: ONNX 1.15 (2023) and ONNX Runtime 1.17 have it."""
TOLERANCE = 2.0**-10
"""Records hold half precision, whose numbers lie 2^-11 apart below 1; sums in another order take some of the rest."""

PROGRAM, WEIGHTS, CONFIG, LOAD, ONNX = "program.pt2", "model.safetensors", "config.json", "load.py", "model.onnx"

LOAD_TEMPLATE = '''"""Classify {title} with this network; needs PyTorch and NumPy, and no bench.

python load.py IMAGES.npy: uint8 images {shape}; prints the class and the probability of each.
"""

import json
import sys
from pathlib import Path

import numpy
import torch

FOLDER = Path(__file__).resolve().parent
CLASSES = json.loads((FOLDER / "config.json").read_text(encoding="utf-8"))["classes"]


def load():
    """The network: uint8 images {shape} to logits (N, {classes})."""
    return torch.export.load(FOLDER / "program.pt2").module()


if __name__ == "__main__":
    with torch.inference_mode():
        probabilities = load()(torch.from_numpy(numpy.load(sys.argv[1]))).softmax(1)
    for best in probabilities.max(1).indices.tolist():
        print(CLASSES[best])
'''


@dataclass(frozen=True)
class RecordAgreement:
    """How far probabilities are from a record's.

    Attributes
    ----------
    images
        How many were compared.
    largest_difference
        Between two probabilities of one image and class.
    ties
        Images with another predicted class, whose two highest probabilities are within `TOLERANCE` of each other.
    other_class
        Images with another predicted class otherwise.
    """

    images: int
    largest_difference: float
    ties: int
    other_class: int

    @property
    def agrees(self) -> bool:
        return self.largest_difference <= TOLERANCE and not self.other_class

    @property
    def text(self) -> str:
        ties = f", {self.ties} with another class of equal probability" if self.ties else ""
        others = f", {self.other_class} with another class" if self.other_class else ""
        return (
            f"{self.images:,} test images, probabilities within {self.largest_difference:.1e} of the record's "
            f"(tolerance {TOLERANCE:.1e}){ties}{others}"
        )


def compare(stored: Predictions, probabilities: NDArray[np.float32]) -> RecordAgreement:
    """Compare probabilities (N, classes) of the test images with those of a record."""
    assert stored.probabilities is not None
    difference = np.abs(probabilities.astype(np.float32) - stored.probabilities.astype(np.float32))
    second, first = np.sort(probabilities, axis=1)[:, -2:].T
    differs = probabilities.argmax(1) != stored.predicted
    is_tie = first - second <= TOLERANCE
    largest = float(difference.max()) if np.isfinite(difference).all() else float("inf")
    return RecordAgreement(len(difference), largest, int((differs & is_tie).sum()), int((differs & ~is_tie).sum()))


def write_network(
    classifier: ImageClassifier,
    record: Record,
    weights: bytes,
    target: Path,
    test_images: NDArray[np.uint8],
    stored: Predictions,
    *,
    onnx: bool = False,
) -> dict[str, RecordAgreement]:
    """Write the folder `target`, completely or not at all; how the program (and the ONNX model) agree with the record.

    Parameters
    ----------
    weights
        The safetensors file, which is copied as it is.
    test_images, stored
        uint8 (N, C, H, W), and what the record holds of them.

    Raises
    ------
    UserError
        The folder exists and is not empty, or cannot be written; the network cannot be exported; or what was exported
        does not give the record's probabilities.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UserError(f"{target}: exists already; choose another folder, or remove it")
    example = exported_input(test_images)
    with _unfinished(target) as folder:
        (folder / WEIGHTS).write_bytes(weights)
        program = _export_program(classifier, record, example[:2], folder / PROGRAM)
        agreements = {PROGRAM: _checked(PROGRAM, record, _run_torch(program), example, stored)}
        if onnx:
            _export_onnx(classifier, record, example[:2], folder / ONNX)
            agreements[ONNX] = _checked(ONNX, record, onnx_session(folder / ONNX), example, stored)
        (folder / CONFIG).write_text(_config_text(classifier, record, onnx), encoding="utf-8")
        (folder / LOAD).write_text(_load_text(classifier, record), encoding="utf-8")
    return agreements


def exported_input(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Images (N, C, H, W) as an exported network takes them: (N, H, W) in grey, (N, H, W, C) in colour."""
    return np.ascontiguousarray(images[:, 0] if images.shape[1] == 1 else images.transpose(0, 2, 3, 1))


def require_onnx() -> None:
    """UserError where the libraries of `--onnx` are missing."""
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise UserError(f"--onnx needs {error.name}: pip install 'benchgrid[onnx]'") from error


def onnx_session(file: Path) -> Callable[[NDArray[np.uint8]], NDArray[np.float32]]:
    """Logits of images by ONNX Runtime on the CPU."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])

    def run(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        logits: NDArray[np.float32] = session.run(None, {"images": images})[0]
        return logits

    return run


@contextlib.contextmanager
def _unfinished(target: Path) -> Iterator[Path]:
    """A new folder that gets the name `target` at the end, and is removed where that is not reached."""
    folder = target.parent / f".{target.name}.{uuid.uuid4().hex[:12]}"
    try:
        folder.mkdir(parents=True)
        yield folder
        if target.is_dir():
            target.rmdir()
        folder.rename(target)
    except OSError as error:
        raise cannot_write(target, error) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without what exporters tell those who develop them."""
    disabled_up_to = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled_up_to)


def _export_program(classifier: ImageClassifier, record: Record, example: NDArray[np.uint8], file: Path) -> Any:
    import torch

    try:
        with _quiet():
            program = torch.export.export(
                classifier, (torch.from_numpy(example),), dynamic_shapes=({0: torch.export.Dim("batch")},)
            )
            torch.export.save(program, file)
            return torch.export.load(file).module()
    except OSError:
        raise
    except Exception as error:  # whatever torch raises for code that it cannot trace
        raise UserError(_cannot_export(record, "torch.export", error)) from error


def _export_onnx(classifier: ImageClassifier, record: Record, example: NDArray[np.uint8], file: Path) -> None:
    import torch

    if record.config.get("precision", "float32") != "float32":
        raise UserError(
            f"{record.key}: was tested in {record.config['precision']}, which ONNX Runtime lacks on CPUs\n"
            "  leave --onnx out, or train it with `precision: float32`"
        )
    try:
        with _quiet(), contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            torch.onnx.export(
                classifier,
                (torch.from_numpy(example),),
                str(file),
                input_names=["images"],
                output_names=["logits"],
                dynamic_shapes=({0: torch.export.Dim("batch")},),
                opset_version=OPSET,
                dynamo=True,
                external_data=False,
            )
    except OSError:
        raise
    except Exception as error:  # whatever torch raises for operators that ONNX lacks
        raise UserError(_cannot_export(record, "torch.onnx", error)) from error


def _cannot_export(record: Record, exporter: str, error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    reason = lines[0][:300] if lines else type(error).__name__
    return (
        f"{record.key}: {exporter} cannot export model {record.config['model']['name']!r}: {reason}\n"
        f"  `bench.load_model({record.key[:10]!r})` gives the module itself"
    )


def _run_torch(program: Any) -> Callable[[NDArray[np.uint8]], NDArray[np.float32]]:
    import torch

    def run(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        with torch.inference_mode():
            logits: NDArray[np.float32] = program(torch.from_numpy(images)).numpy()
        return logits

    return run


def _checked(
    what: str,
    record: Record,
    run: Callable[[NDArray[np.uint8]], NDArray[np.float32]],
    images: NDArray[np.uint8],
    stored: Predictions,
) -> RecordAgreement:
    """How what was exported agrees with the record; UserError where it does not."""
    if len(images) != len(stored.labels):
        raise UserError(f"{record.key}: was tested on {len(stored.labels):,} images, and there are {len(images):,} now")
    parts = [softmax(run(images[start : start + BATCH])) for start in range(0, len(images), BATCH)]
    agreement = compare(stored, np.concatenate(parts))
    if not agreement.agrees:
        raise UserError(
            f"{record.key}: {what} does not give what the record holds: {agreement.text}\n"
            "  nothing was written; was it trained on another processor, in lower precision?"
        )
    return agreement


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probabilities (N, classes) of logits."""
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: NDArray[np.float32] = exponentials / exponentials.sum(axis=1, keepdims=True)
    return probabilities


def _config_text(classifier: ImageClassifier, record: Record, onnx: bool) -> str:
    channels, height, width = classifier.image_shape
    content = {
        "key": record.key,
        "classes": list(classifier.classes),
        "input": {"dtype": "uint8", "shape": ["N", height, width, *([channels] if channels > 1 else [])]},
        "output": "logits",
        "seed": record.seed,
        "test": record.result.test,
        "versions": record.run_info.versions,
        **({"onnx_opset": OPSET} if onnx else {}),
        "config": record.config,
    }
    return json.dumps(content, indent=2)


def _load_text(classifier: ImageClassifier, record: Record) -> str:
    channels, height, width = classifier.image_shape
    shape = f"(N, {height}, {width}{f', {channels}' if channels > 1 else ''})"
    title = f"images of {record.config['dataset']['name']}"
    return LOAD_TEMPLATE.format(title=title, shape=shape, classes=len(classifier.classes))
