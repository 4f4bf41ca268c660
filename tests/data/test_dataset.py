"""Files that are there already: which are found, and which are refused."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bench.data import DATASETS, DatasetInfo, file_formats, local_files
from bench.data.dataset import load_info, load_local
from bench.errors import UserError

Put = Callable[[Path, dict[str, bytes]], Path]
TRAIN_IMAGES = "train-images-idx3-ubyte.gz"

pytestmark = pytest.mark.usefixtures("bare_machine")


def unpacked(files: dict[str, bytes]) -> dict[str, bytes]:
    return {name.removesuffix(".gz"): gzip.decompress(data) for name, data in files.items()}


def test_load_gives_pixels_and_labels_in_their_order(
    info: DatasetInfo, packed: dict[str, bytes], put: Put, tmp_path: Path
) -> None:
    dataset = load_info(info, put(tmp_path / "mine", packed))
    pixels = file_formats.parse(gzip.decompress(packed[TRAIN_IMAGES]))
    assert dataset.train_images.shape == (6, 1, 4, 3)
    np.testing.assert_array_equal(dataset.train_images[:, 0], pixels)
    assert dataset.train_labels.tolist() == [0, 1, 1, 0, 1, 0]
    assert dataset.test_images.shape == (2, 1, 4, 3)
    assert dataset.test_labels.tolist() == [1, 1]
    assert dataset.sha256 == info.fingerprint
    assert dataset.source == tmp_path / "mine"


@pytest.mark.parametrize("folder", [".", "clothes"])
def test_unpacked_files_and_the_usual_sub_folder_will_do(
    folder: str, info: DatasetInfo, packed: dict[str, bytes], put: Put, tmp_path: Path
) -> None:
    put(tmp_path / folder, unpacked(packed))
    assert load_info(info, tmp_path).source == tmp_path / folder


def test_torchvisions_layout_is_among_fashion_mnists_folders() -> None:
    assert "FashionMNIST/raw" in DATASETS["fashion_mnist"].folders


def test_data_dir_comes_before_bench_data_before_the_cache_before_the_system(
    info: DatasetInfo, packed: dict[str, bytes], put: Put, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = put(local_files.SYSTEM_DATASETS / "clothes", packed)
    assert load_info(info).source == system
    cache = put(local_files.user_cache() / "clothes", packed)
    assert load_info(info).source == cache
    monkeypatch.setenv("BENCH_DATA", str(put(tmp_path / "variable", packed)))
    assert load_info(info).source == tmp_path / "variable"
    assert load_info(info, put(tmp_path / "argument", packed)).source == tmp_path / "argument"


def test_passing_over_a_folder_the_user_named_is_said(
    info: DatasetInfo, packed: dict[str, bytes], put: Put, tmp_path: Path
) -> None:
    put(local_files.user_cache() / "clothes", packed)
    (tmp_path / "empty").mkdir()
    said: list[str] = []
    load_info(info, tmp_path / "empty", said.append)
    assert said == [f"clothes: --data-dir ({tmp_path / 'empty'}): holds none of its files; looking elsewhere"]


def test_a_data_dir_that_does_not_exist_is_an_error(info: DatasetInfo, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"--data-dir .*absent: there is no such folder"):
        load_info(info, tmp_path / "absent")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: data[:-20], "gzip data are truncated"),
        (lambda data: data[:10] + bytes([data[10] ^ 0xFF]) + data[11:], "gzip data are damaged"),
        (lambda _: b"", "it is empty"),
        (lambda _: b"<html>log in</html>", "no IDX data"),
        (lambda data: gzip.compress(gzip.decompress(data)[:-1]), "header promises 72 values, 71 follow"),
        (lambda data: gzip.compress(gzip.decompress(data)[:-1] + b"\0"), "damaged or another release"),
    ],
)
def test_a_damaged_file_is_named_and_no_other_place_is_tried(
    damage: Callable[[bytes], bytes],
    message: str,
    info: DatasetInfo,
    packed: dict[str, bytes],
    put: Put,
    tmp_path: Path,
) -> None:
    put(local_files.user_cache() / "clothes", packed)
    put(tmp_path, {**packed, TRAIN_IMAGES: damage(packed[TRAIN_IMAGES])})
    with pytest.raises(UserError) as caught:
        load_info(info, tmp_path)
    assert str(tmp_path / TRAIN_IMAGES) in str(caught.value)
    assert message in str(caught.value)


def test_another_datasets_file_is_named_as_what_it_is(
    info: DatasetInfo,
    packed: dict[str, bytes],
    other: tuple[DatasetInfo, dict[str, bytes]],
    put: Put,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(DATASETS, "digits", other[0])
    put(tmp_path, {**packed, TRAIN_IMAGES: other[1][TRAIN_IMAGES]})
    with pytest.raises(
        UserError, match=r"train-images\S+ holds Digits's training images, not Clothes's training images"
    ):
        load_info(info, tmp_path)


def test_test_images_in_the_place_of_training_images_are_refused(
    info: DatasetInfo, packed: dict[str, bytes], put: Put, tmp_path: Path
) -> None:
    put(tmp_path, {**packed, TRAIN_IMAGES: packed["t10k-images-idx3-ubyte.gz"]})
    with pytest.raises(UserError, match=r"holds Clothes's test images, not Clothes's training images"):
        load_info(info, tmp_path)


def test_when_all_fails_the_error_lists_every_place_and_route_and_what_to_do(
    info: DatasetInfo, packed: dict[str, bytes], put: Put, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "three", {name: data for name, data in packed.items() if name != TRAIN_IMAGES})
    monkeypatch.setenv("BENCH_DATA", str(tmp_path / "absent"))
    with pytest.raises(UserError) as caught:
        load_info(info, tmp_path / "three")
    message = str(caught.value)
    assert f"--data-dir ({tmp_path / 'three'}): {tmp_path / 'three'} is incomplete" in message
    assert "it lacks train-images-idx3-ubyte" in message
    assert f"BENCH_DATA ({tmp_path / 'absent'}): no such folder" in message
    assert f"user cache ({local_files.user_cache() / 'clothes'}): no such folder" in message
    assert f"system ({local_files.SYSTEM_DATASETS}): no such folder" in message
    assert "mirrors: it has no mirrors" in message
    assert "Debian package: Debian has no package of it" in message
    assert "run `bench data fetch clothes` again" in message


def test_a_cache_that_cannot_be_written_to_is_said(info: DatasetInfo, bare_machine: Path) -> None:
    bare_machine.parent.mkdir(parents=True)
    bare_machine.write_text("a file where the folder should be")
    with pytest.raises(UserError, match=r"cannot be written to: .*XDG_CACHE_HOME"):
        load_info(info)


def test_a_mere_look_fetches_nothing(tmp_path: Path) -> None:
    assert load_local("fashion_mnist") is None
    assert load_local({"name": "npz", "path": str(tmp_path / "gone.npz")}) is None
