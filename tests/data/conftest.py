"""A dataset of a few tiny images, and a machine that has no data."""

from __future__ import annotations

import gzip
import hashlib
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from bench.data import DatasetInfo, local_files
from bench.data.catalogue import FileInfo

NAMES = {
    "train-images-idx3-ubyte": "training images",
    "train-labels-idx1-ubyte": "training labels",
    "t10k-images-idx3-ubyte": "test images",
    "t10k-labels-idx1-ubyte": "test labels",
}


def idx_bytes(array: NDArray[np.uint8]) -> bytes:
    header = bytes((0, 0, 8, array.ndim)) + b"".join(size.to_bytes(4, "big") for size in array.shape)
    return header + array.tobytes()


def make(name: str, seed: int) -> tuple[DatasetInfo, dict[str, bytes]]:
    """The catalogue's entry of a tiny dataset, and file name to its compressed bytes."""
    random = np.random.default_rng(seed)
    arrays = (
        random.integers(0, 256, (6, 4, 3), dtype=np.uint8),
        np.array([0, 1, 1, 0, 1, 0], dtype=np.uint8),
        random.integers(0, 256, (2, 4, 3), dtype=np.uint8),
        np.array([seed % 2, 1], dtype=np.uint8),
    )
    packed = {f"{file}.gz": gzip.compress(idx_bytes(array)) for file, array in zip(NAMES, arrays, strict=True)}
    files = [
        FileInfo(
            file,
            NAMES[file],
            hashlib.sha256(idx_bytes(array)).hexdigest(),
            hashlib.md5(packed[f"{file}.gz"]).hexdigest(),
        )
        for file, array in zip(NAMES, arrays, strict=True)
    ]
    info = DatasetInfo(name, name.title(), ("sock", "hat"), (1, 4, 3), 6, 2, tuple(files), mirrors=(), folders=(name,))
    return info, packed


@pytest.fixture
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No data anywhere and a user cache of its own, whose folder is returned."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home/.cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("BENCH_DATA", raising=False)
    monkeypatch.setattr(local_files, "SYSTEM_DATASETS", tmp_path / "usr/share/datasets")
    return local_files.user_cache()


@pytest.fixture
def tiny() -> tuple[DatasetInfo, dict[str, bytes]]:
    """`clothes`: six training and two test images of 4 x 3 in two classes."""
    return make("clothes", seed=1)


@pytest.fixture
def info(tiny: tuple[DatasetInfo, dict[str, bytes]]) -> DatasetInfo:
    return tiny[0]


@pytest.fixture
def packed(tiny: tuple[DatasetInfo, dict[str, bytes]]) -> dict[str, bytes]:
    """File name, with ``.gz``, to compressed bytes."""
    return tiny[1]


@pytest.fixture
def other() -> tuple[DatasetInfo, dict[str, bytes]]:
    """`digits`: another dataset of the same shape and file names."""
    return make("digits", seed=2)


@pytest.fixture
def put() -> Callable[[Path, dict[str, bytes]], Path]:
    """A function that writes files into a folder, made where it is missing, and returns the folder."""

    def write(folder: Path, files: dict[str, bytes]) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            (folder / name).write_bytes(data)
        return folder

    return write


@pytest.fixture
def any_checksum(monkeypatch: pytest.MonkeyPatch) -> None:
    """torchvision holds some files against the MD5 sums of the published ones, which those made here have not."""

    def is_file(path: str, md5: str | None = None) -> bool:
        return Path(path).is_file()

    for module in ("cifar", "svhn", "stl10", "utils"):
        monkeypatch.setattr(f"torchvision.datasets.{module}.check_integrity", is_file)


@pytest.fixture
def datasets_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library `datasets` caches in a folder of its own, and is quiet."""
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "huggingface")
    datasets.disable_progress_bars()


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """``bench("plan", "suite.yaml")`` in this process; its exit code."""
    from bench.__main__ import main

    def run(*arguments: object) -> int:
        monkeypatch.setattr(sys, "argv", ["bench", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        return int(end.value.code or 0)

    return run
