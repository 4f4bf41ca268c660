"""Data sets of other libraries, read from files that these libraries wrote."""

from __future__ import annotations

import ast
import errno
import io
import json
import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from library_files import medmnist_file
from PIL import Image

from bench.components import parse_component
from bench.components.datasets import MEDMNIST
from bench.data import fingerprint, labels, load, medmnist_files, shape
from bench.errors import UserError

pytestmark = pytest.mark.usefixtures("bare_machine", "datasets_cache")

PIXELS = np.random.default_rng(0).integers(0, 256, (12, 6, 5), dtype=np.uint8)
FEATURES = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])})


def component(name: str, path: Path | str, **parameters: Any) -> dict[str, Any]:
    """As a suite file has it, its defaults filled in."""
    return parse_component("dataset", {"name": name, "path": str(path), **parameters}).to_json()


def rows(start: int, stop: int, **columns: Any) -> datasets.Dataset:
    images = [Image.fromarray(PIXELS[i % 12]) for i in range(start, stop)]
    table = {"image": images, "label": [i % 2 for i in range(start, stop)], **columns}
    features = FEATURES if not columns else None
    return datasets.Dataset.from_dict(table, features=features)


@pytest.fixture
def splits() -> datasets.DatasetDict:
    return datasets.DatasetDict({"train": rows(0, 6), "validation": rows(6, 8), "test": rows(8, 12)})


def parquet(folder: Path, splits: datasets.DatasetDict) -> Path:
    folder.mkdir()
    for name, part in splits.items():
        part.to_parquet(folder / f"{name}-00000-of-00001.parquet")
    return folder


@pytest.mark.parametrize("form", ["save_to_disk", "parquet through datasets", "parquet", "jsonl folder"])
def test_the_same_images_come_from_every_form(form: str, tmp_path: Path, splits: datasets.DatasetDict) -> None:
    if form == "save_to_disk":
        splits.save_to_disk(tmp_path / "pets")
        entry = component("hf", tmp_path / "pets")
    elif form == "jsonl folder":  # of files as `datasets` finds them: images by name and a table of labels
        for split, part in splits.items():
            folder = tmp_path / "pets" / split
            folder.mkdir(parents=True)
            lines = []
            for i, row in enumerate(part):
                row["image"].save(folder / f"{i}.png")
                lines.append(json.dumps({"file_name": f"{i}.png", "label": ["cat", "dog"][row["label"]]}))
            (folder / "metadata.jsonl").write_text("\n".join(lines))
        entry = component("hf", tmp_path / "pets")
    else:
        parquet(tmp_path / "pets", splits)
        entry = component("parquet" if form == "parquet" else "hf", tmp_path / "pets")
    data = load(entry)
    assert (data.name, data.classes, data.sha256) == ("pets", ("cat", "dog"), fingerprint(entry))
    np.testing.assert_array_equal(data.train_images, PIXELS[:6, None])
    np.testing.assert_array_equal(data.val_images, PIXELS[6:8, None])
    np.testing.assert_array_equal(data.test_images, PIXELS[8:, None])
    assert data.train_labels.tolist() == [0, 1, 0, 1, 0, 1]
    said: list[str] = []
    again = load(entry, notify=said.append)  # from the cache, without the library
    assert said == []
    np.testing.assert_array_equal(again.train_images, data.train_images)
    told = labels(entry)
    assert told.given is not None and told.given.tolist() == [0, 1]
    assert shape(entry) == ((1, 6, 5), 2)


def test_a_full_disk_costs_time_and_nothing_else(
    tmp_path: Path, splits: datasets.DatasetDict, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    entry = component("parquet", parquet(tmp_path / "pets", splits))
    monkeypatch.setattr("bench.data.decoded.np.save", full)
    for _ in range(2):
        said: list[str] = []
        assert load(entry, notify=said.append).train_labels.tolist() == [0, 1, 0, 1, 0, 1]
        assert "pets: reading 12 images" in said[0]
        assert "which has no room or no rights: it is read anew each time" in said[1]


def test_half_a_cache_is_read_anew(tmp_path: Path, splits: datasets.DatasetDict, bare_machine: Path) -> None:
    entry = component("parquet", parquet(tmp_path / "pets", splits))
    images = load(entry).train_images.copy()
    (saved,) = (bare_machine / "decoded").glob("*/train_images.npy")
    saved.write_bytes(saved.read_bytes()[:-7])
    np.testing.assert_array_equal(load(entry).train_images, images)


def test_contents_are_in_the_checksum(tmp_path: Path, splits: datasets.DatasetDict) -> None:
    folder = parquet(tmp_path / "pets", splits)
    before = {name: fingerprint(component(name, folder)) for name in ("hf", "parquet")}
    rows(1, 7).to_parquet(folder / "train-00000-of-00001.parquet")
    assert all(fingerprint(component(name, folder)) != checksum for name, checksum in before.items())


@pytest.mark.parametrize("form", ["folder", "file"])
def test_changed_files_are_read_though_their_times_are_as_before(form: str, tmp_path: Path) -> None:
    """As an archive unpacks them: the cache of `datasets` knows local files by their times."""
    path = tmp_path / "pets"
    path.mkdir()
    entry = component("hf", path if form == "folder" else path / "train.parquet", test_fraction=0.5)
    for start in (0, 6):
        rows(start, start + 6).to_parquet(path / "train.parquet")
        os.utime(path / "train.parquet", (1e9, 1e9))
        data = load(entry)
        read = {image.tobytes() for image in (*data.train_images, *data.test_images)}
        assert read == {image.tobytes() for image in PIXELS[start : start + 6]}


@pytest.mark.parametrize("name", ["hf", "parquet"])
def test_parts_that_name_their_labels_otherwise_are_refused(
    name: str, tmp_path: Path, splits: datasets.DatasetDict
) -> None:
    splits["test"] = splits["test"].cast_column("label", datasets.ClassLabel(names=["dog", "cat"]))
    if name == "hf":
        splits.save_to_disk(tmp_path / "pets")
    else:
        parquet(tmp_path / "pets", splits)
    with pytest.raises(UserError, match="names its labels dog, cat, and what was read before it cat, dog"):
        load(component(name, tmp_path / "pets"))


def test_a_split_without_the_column_is_named(tmp_path: Path, splits: datasets.DatasetDict) -> None:
    splits["test"] = splits["test"].rename_column("label", "kind")
    splits.save_to_disk(tmp_path / "pets")
    with pytest.raises(UserError, match="has no column 'label' for `label`; it has image, kind"):
        load(component("hf", tmp_path / "pets"))


@pytest.mark.parametrize("name", ["hf", "parquet"])
def test_a_file_of_a_row_that_is_no_part_of_the_data_is_refused(name: str, tmp_path: Path) -> None:
    """A change of it would change no key."""
    (tmp_path / "outside.png").write_bytes(png(PIXELS[0]))
    (tmp_path / "pets").mkdir()
    cells = [{"bytes": None, "path": str(tmp_path / "outside.png")}] * 4
    for part in ("train", "test"):
        table = pa.table({"image": cells, "label": [0, 1] * 2})
        pq.write_table(table, tmp_path / "pets" / f"{part}.parquet")
    with pytest.raises(UserError, match=r"outside\.png, which is no part of the data set"):
        load(component(name, tmp_path / "pets"))


@pytest.mark.parametrize(
    ("patterns", "message"),
    [
        ({"train": "*.parquet"}, r"test.*.parquet is named by `train` and `test`: give each part files of its own"),
        ({"train": "/data/*.parquet"}, r"`train: /data/\*.parquet` is no pattern of files below it"),
        ({"train": "**.parquet"}, r"`train: \*\*.parquet` is no pattern of files below it"),
    ],
)
def test_patterns_of_parquet_files_are_checked(
    patterns: dict[str, str], message: str, tmp_path: Path, splits: datasets.DatasetDict
) -> None:
    parquet(tmp_path / "pets", datasets.DatasetDict({name: splits[name] for name in ("train", "test")}))
    with pytest.raises(UserError, match=message):
        fingerprint(component("parquet", tmp_path / "pets", **patterns))


def test_a_test_part_is_drawn_where_none_comes_along(tmp_path: Path) -> None:
    rows(0, 12).save_to_disk(tmp_path / "pets")
    with pytest.raises(UserError, match=r"comes without a test part: write `test_fraction: 0.2`"):
        load(component("hf", tmp_path / "pets"))
    data = load(component("hf", tmp_path / "pets", test_fraction=0.34))
    assert sorted(data.test_labels.tolist()) == [0, 0, 1, 1]
    together = np.concatenate([data.train_images, data.test_images])
    assert {image.tobytes() for image in together} == {image.tobytes() for image in PIXELS}


def test_text_and_gaps_become_classes(tmp_path: Path) -> None:
    for values, expected in ((["b", "a"], ("a", "b")), ([7, 3], ("3", "7"))):
        table = pa.table({"x": [[[1, 2], [3, 4]]] * 4, "y": values * 2})
        for part in ("train", "test"):
            pq.write_table(table, tmp_path / f"{part}.parquet")
        data = load(component("parquet", tmp_path, image="x", label="y"))
        assert (data.classes, data.train_labels.tolist()) == (expected, [1, 0, 1, 0])
        assert data.train_images[0, 0].tolist() == [[1, 2], [3, 4]]


def png(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def test_sizes_that_differ_need_a_size(tmp_path: Path) -> None:
    images = [png(PIXELS[0]), png(PIXELS[1, :4])]
    for part in ("train", "test"):
        pq.write_table(pa.table({"image": images, "label": [0, 1]}), tmp_path / f"{part}.parquet")
    with pytest.raises(UserError, match=r"row 1 is 4 x 5 .* while .*row 0 is 6 x 5: .* `size: \[6, 5\]`"):
        load(component("parquet", tmp_path))
    assert load(component("parquet", tmp_path, size=[3, 3], channels=3)).train_images.shape == (2, 3, 3, 3)


WRONG: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "no such column": (
        {},
        {"label": "labels"},
        "no column 'labels' for `label`; it has image, label\n  did you mean",
    ),
    "no such image column": ({}, {"image": "pixels"}, "has no column 'pixels' for `image`"),
    "several labels": ({"tags": [[0], [1]] * 3}, {"label": "tags"}, "several labels an image"),
    "no image": ({"text": ["a", "b"] * 3}, {"image": "text"}, "its column 'text' holds .*string, no images"),
    "not labelled": ({"kind": [-1, 0] * 3}, {"label": "kind"}, "image 0 of the part 'train' has no label"),
    "half a number": ({"size": [0.5, 1.0] * 3}, {"label": "size"}, "is 0.5, expected a whole number or text"),
    "one class": ({"kind": [1] * 6}, {"label": "kind"}, "has 1 class: there is nothing to tell apart"),
}


@pytest.mark.parametrize("name", ["hf", "parquet"])
@pytest.mark.parametrize("case", WRONG)
def test_what_does_not_fit_is_one_message(case: str, name: str, tmp_path: Path) -> None:
    columns, parameters, message = WRONG[case]
    part = rows(0, 6)
    for column, values in columns.items():
        part = part.add_column(column, values)
    parquet(tmp_path / "pets", datasets.DatasetDict({"train": part, "test": part}))
    with pytest.raises(UserError, match=message) as caught:
        load(component(name, tmp_path / "pets", **parameters))
    assert str(tmp_path / "pets") in str(caught.value)


def test_video_is_refused(tmp_path: Path) -> None:
    features = datasets.Features({"image": datasets.Video(), "label": datasets.Value("int64")})
    clips = {"image": [{"bytes": b"...", "path": None}] * 4, "label": [0, 1] * 2}
    datasets.Dataset.from_dict(clips, features=features).save_to_disk(tmp_path / "clips")
    with pytest.raises(UserError, match="its column 'image' holds video, no images"):
        load(component("hf", tmp_path / "clips", test_fraction=0.5))


@pytest.mark.parametrize("name", ["hf", "parquet"])
def test_a_half_written_file_is_named(name: str, tmp_path: Path, splits: datasets.DatasetDict) -> None:
    folder = parquet(tmp_path / "pets", splits)
    file = folder / "train-00000-of-00001.parquet"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(UserError, match="pets"):
        load(component(name, folder))


def test_damaged_images_are_named(tmp_path: Path) -> None:
    for part in ("train", "test"):
        table = pa.table({"image": [png(PIXELS[0]), png(PIXELS[1])[:40]], "label": [0, 1]})
        pq.write_table(table, tmp_path / f"{part}.parquet")
    with pytest.raises(UserError, match=r"row 1 cannot be read as an image: it is .*damaged"):
        load(component("parquet", tmp_path))


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (
            component("hf", "owner/name"),
            "a name on the hub.: without a revision its contents may change",
        ),
        (component("hf", "owner/name", revision="main"), "`revision: main` may move"),
        (component("hf", "/absent"), "/absent cannot be read: No such file"),
        (component("parquet", "/absent"), "/absent does not exist; `path` is the folder"),
    ],
)
def test_what_is_not_there_is_told(entry: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        fingerprint(entry)


def test_a_revision_of_the_hub_stands_for_its_contents() -> None:
    first, second = (fingerprint(component("hf", "owner/name", revision=digit * 40)) for digit in "ab")
    assert first != second == fingerprint(component("hf", "owner/name", revision="b" * 40, label="y"))


def test_a_missing_library_says_what_to_install(
    tmp_path: Path, splits: datasets.DatasetDict, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = parquet(tmp_path / "pets", splits)
    monkeypatch.setitem(__import__("sys").modules, "datasets", None)
    with pytest.raises(UserError, match=r"needs the library `datasets`: pip install 'benchgrid\[hf\]'"):
        load(component("hf", folder))


def test_medmnist_is_read_from_its_file_with_the_official_validation_part(tmp_path: Path) -> None:
    path = medmnist_file(tmp_path)
    said: list[str] = []
    entry = component("medmnist", tmp_path, dataset="pathmnist")
    data = load(entry, notify=said.append)
    assert (data.name, data.classes[:2], len(data.classes)) == ("pathmnist", ("adipose", "background"), 9)
    assert data.train_images.shape == (18, 3, 28, 28)
    np.testing.assert_array_equal(data.val_images, np.load(path)["val_images"].transpose(0, 3, 1, 2))
    assert said == [
        f"note: {path} is not the file that MedMNIST distributes under this name: its MD5 sum is another one"
    ]
    with pytest.raises(UserError, match=r"pathmnist_64.npz does not exist \(the folder has pathmnist.npz\): fetch"):
        load(component("medmnist", tmp_path, dataset="pathmnist", size=64))
    (tmp_path / "bloodmnist.npz").write_bytes(path.read_bytes())
    with pytest.raises(UserError, match="has 9 classes, and bloodmnist has 8"):
        load(component("medmnist", tmp_path, dataset="bloodmnist"))


def test_medmnists_catalogue_is_that_of_its_library() -> None:
    spec = find_spec("medmnist")  # its `__init__` would import torch
    assert spec is not None and spec.origin is not None
    tree = ast.parse(Path(spec.origin).with_name("info.py").read_text())
    (info,) = (
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "INFO"
    )
    wanted = {
        name: {
            "classes": list(values["label"].values()),
            "md5": {size: values["MD5" if size == "28" else f"MD5_{size}"] for size in ("28", "64", "128", "224")},
        }
        for name, values in info.items()
        if not name.endswith("3d") and "multi-label" not in values["task"]
    }
    assert medmnist_files.known_sets() == wanted
    assert tuple(wanted) == MEDMNIST
    assert all(info[name]["url"] == medmnist_files.URL.format(file=f"{name}.npz") for name in wanted)
