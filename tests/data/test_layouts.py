"""Archives of other layouts than four IDX files, tiny ones made here."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from bench.data import DatasetInfo
from bench.data.catalogue import DATASETS, FileInfo
from bench.data.dataset import load_info
from bench.errors import UserError

from .conftest import idx_bytes

Put = Callable[[Path, dict[str, bytes]], Path]

pytestmark = pytest.mark.usefixtures("bare_machine")


def archived(
    layout: Literal["emnist", "cifar"], name: str, data: bytes, train: tuple[str, ...], test: tuple[str, ...]
) -> DatasetInfo:
    """The catalogue's entry of six training and two test images of 4 x 3 (colour ones in the layout cifar)."""
    file = FileInfo(name, "archive", hashlib.sha256(data).hexdigest(), hashlib.md5(data).hexdigest(), True)
    shape = (3, 4, 3) if layout == "cifar" else (1, 4, 3)
    return DatasetInfo("hats", "Hats", ("sock", "hat"), shape, 6, 2, (file,), (), ("hats",), None, layout, train, test)


@pytest.fixture
def emnist() -> tuple[DatasetInfo, bytes]:
    """A zip whose images lie on their side, with labels from 1."""
    members = {
        "gzip/train-images.gz": np.arange(6 * 12, dtype=np.uint8).reshape(6, 4, 3),
        "gzip/train-labels.gz": np.array([1, 2, 2, 1, 2, 1], dtype=np.uint8),
        "gzip/test-images.gz": np.arange(2 * 12, dtype=np.uint8).reshape(2, 4, 3),
        "gzip/test-labels.gz": np.array([2, 1], dtype=np.uint8),
    }
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, array in members.items():
            archive.writestr(name, gzip.compress(idx_bytes(array)))
    names = tuple(members)
    info = archived("emnist", "gzip.zip", file.getvalue(), names[:2], names[2:])
    return info, file.getvalue()


def cifar(labels: int) -> tuple[DatasetInfo, bytes]:
    """A tar of two training batches and a test batch, of records with this many labels before the pixels."""
    random = np.random.default_rng(0)
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, count in (("bin/one.bin", 3), ("bin/two.bin", 3), ("bin/test.bin", 2), ("bin/readme.html", 1)):
            records = random.integers(0, 256, (count, labels + 36), dtype=np.uint8)
            records[:, labels - 1] = np.arange(count) % 2
            member = tarfile.TarInfo(name)
            member.size = records.nbytes
            archive.addfile(member, io.BytesIO(records.tobytes()))
    info = archived("cifar", "bin.tar.gz", file.getvalue(), ("bin/one.bin", "bin/two.bin"), ("bin/test.bin",))
    return info, file.getvalue()


def test_emnists_pictures_are_turned_upright_and_its_letters_counted_from_0(
    emnist: tuple[DatasetInfo, bytes], put: Put, tmp_path: Path
) -> None:
    info, data = emnist
    dataset = load_info(info, put(tmp_path, {"gzip.zip": data}))
    # These are higher than wide, so that one sees them turned; EMNIST's own are square.
    np.testing.assert_array_equal(dataset.train_images[0, 0], np.arange(12).reshape(4, 3).T)
    assert dataset.train_labels.tolist() == [0, 1, 1, 0, 1, 0]
    assert dataset.test_labels.tolist() == [1, 0]


@pytest.mark.parametrize("labels", [1, 2])
def test_cifars_batches_are_joined_and_the_last_label_is_the_class(labels: int, put: Put, tmp_path: Path) -> None:
    info, data = cifar(labels)
    dataset = load_info(info, put(tmp_path, {"bin.tar.gz": data}))
    assert dataset.train_images.shape == (6, 3, 4, 3)
    assert dataset.train_labels.tolist() == [0, 1, 0, 0, 1, 0]
    assert dataset.test_labels.tolist() == [0, 1]
    first = np.random.default_rng(0).integers(0, 256, (3, labels + 36), dtype=np.uint8)[0, labels:]
    np.testing.assert_array_equal(dataset.train_images[0], first.reshape(3, 4, 3))


def test_a_damaged_archive_is_refused_before_it_is_opened(put: Put, tmp_path: Path) -> None:
    info, data = cifar(1)
    with pytest.raises(UserError, match=r"bin.tar.gz does not hold Hats's archive: it is damaged or another release"):
        load_info(info, put(tmp_path, {"bin.tar.gz": data[:-1]}))


def test_an_archive_that_lacks_a_batch_is_an_error(put: Put, tmp_path: Path) -> None:
    info, data = cifar(1)
    lacking = replace(info, train_members=("bin/one.bin", "bin/three.bin"))
    with pytest.raises(UserError, match=r"found 111 bytes for 6 images"):
        load_info(lacking, put(tmp_path, {"bin.tar.gz": data}))


def as_distributed(info: DatasetInfo, packed: dict[str, bytes]) -> DatasetInfo:
    """The same dataset, of whose files only the compressed form's checksums are known."""
    files = tuple(
        FileInfo(name, "file", hashlib.sha256(data).hexdigest(), hashlib.md5(data).hexdigest(), True)
        for name, data in packed.items()
    )
    return replace(info, files=files)


def test_a_file_of_which_only_the_distributed_form_is_known_must_come_in_it(
    info: DatasetInfo, packed: dict[str, bytes], put: Put, tmp_path: Path
) -> None:
    strict = as_distributed(info, packed)
    assert load_info(strict, put(tmp_path / "good", packed)).train_labels.tolist() == [0, 1, 1, 0, 1, 0]
    again = {name: gzip.compress(gzip.decompress(data), 1, mtime=1) for name, data in packed.items()}
    with pytest.raises(UserError, match="damaged or another release"):
        load_info(strict, put(tmp_path / "again", again))


def test_another_datasets_file_in_its_place_is_named(
    info: DatasetInfo,
    packed: dict[str, bytes],
    other: tuple[DatasetInfo, dict[str, bytes]],
    put: Put,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(DATASETS, "digits", other[0])
    put(tmp_path, {**packed, "t10k-images-idx3-ubyte.gz": other[1]["t10k-images-idx3-ubyte.gz"]})
    with pytest.raises(UserError, match=r"t10k-images\S+ holds Digits's test images, not Clothes's file"):
        load_info(as_distributed(info, packed), tmp_path)
