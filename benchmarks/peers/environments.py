"""The peers' environments, each made once under a folder of the user's, and the images as each peer reads them."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np

from bench.data import Dataset, load

KERAS = ("tensorflow-cpu==2.21.0", "keras==3.15.1", "keras-tuner==1.4.8", "tensorboard==2.20.0")
"""KerasTuner fails every trial without TensorBoard, and does not ask for it."""

OPTUNA = ("optuna==5.0.0",)


def keras(folder: Path) -> Path:
    """The Python of an environment with TensorFlow, Keras and KerasTuner, and nothing of bench."""
    return _environment(folder / "keras", KERAS, on_top=False)


def optuna(folder: Path) -> Path:
    """The Python of an environment with Optuna, which finds this environment's torch as well."""
    return _environment(folder / "optuna", OPTUNA, on_top=True)


def arrays(folder: Path, name: str = "fashion_mnist", train: int | None = None, test: int | None = None) -> Path:
    """Fashion-MNIST, or the first `train` and `test` images of it, as an .npz that both sides read.

    The arrays bear the names of bench's `npz` data sets; images are uint8 of shape (N, 28, 28).
    """
    path = folder / f"{name}.npz"
    if not path.exists():
        data = load("fashion_mnist")
        folder.mkdir(parents=True, exist_ok=True)
        half = path.with_suffix(".half.npz")
        np.savez(
            half,
            train_images=data.train_images[:train, 0], train_labels=data.train_labels[:train],
            test_images=data.test_images[:test, 0], test_labels=data.test_labels[:test],
        )  # fmt: skip
        half.rename(path)
    return path


def torchvision_folder(folder: Path) -> Path:
    """A root for ``torchvision.datasets.FashionMNIST(root, download=False)``."""
    raw = folder / "FashionMNIST" / "raw"
    if not raw.exists():
        data: Dataset = load("fashion_mnist")
        half = raw.with_name("half")
        half.mkdir(parents=True, exist_ok=True)
        parts = {"train": (data.train_images, data.train_labels), "t10k": (data.test_images, data.test_labels)}
        for part, (images, labels) in parts.items():
            _write_idx(half / f"{part}-images-idx3-ubyte", images[:, 0])
            _write_idx(half / f"{part}-labels-idx1-ubyte", labels)
        half.rename(raw)
    return folder


def _write_idx(path: Path, values: np.ndarray) -> None:
    """MNIST's own format: two zero bytes, 8 for uint8, the number of dimensions, their sizes, the bytes."""
    header = bytes([0, 0, 8, values.ndim]) + np.array(values.shape, ">i4").tobytes()
    path.write_bytes(header + values.astype(np.uint8).tobytes())


def _environment(folder: Path, packages: tuple[str, ...], on_top: bool) -> Path:
    """The environment's Python; made, or brought to these versions, where it has others.

    `on_top` lets it find the packages of the environment that runs this script (a path file, since
    ``--system-site-packages`` would show those of the Python that environment was made from).
    """
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        if on_top:
            query = "import sysconfig; print(sysconfig.get_path('purelib'))"
            site = subprocess.run([python, "-c", query], check=True, capture_output=True, text=True).stdout.strip()
            (Path(site) / "bench-environment.pth").write_text(sysconfig.get_path("purelib") + "\n")
    wanted = folder / "peers.txt"
    if not wanted.exists() or wanted.read_text().split() != list(packages):
        print(f"installing {' '.join(packages)} into {folder}", flush=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
        wanted.write_text("\n".join(packages))
    return python
