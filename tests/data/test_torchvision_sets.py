"""Data sets of torchvision, read by its classes from files as it lays them out."""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torchvision.datasets
from library_files import cifar10, draw, dtd, emnist, gtsrb, image_folder, mnist, pixels, qmnist, stl10, svhn, usps

from bench.components import parse_component
from bench.components.datasets import TORCHVISION
from bench.data import fingerprint, load
from bench.data.torchvision_sets import NOT_OFFERED, SETS
from bench.errors import UserError

pytestmark = pytest.mark.usefixtures("bare_machine", "any_checksum")

PAGE = Path(__file__).parents[2] / "docs/in_and_out.md"


def component(dataset: str, root: Path, **parameters: Any) -> dict[str, Any]:
    return parse_component(
        "dataset", {"name": "torchvision", "dataset": dataset, "path": str(root), **parameters}
    ).to_json()


MAKERS: dict[str, tuple[Callable[[Path], dict[str, np.ndarray]], dict[str, Any], int]] = {
    "MNIST": (mnist, {}, 10),
    "EMNIST": (emnist, {"options": {"split": "digits"}}, 10),
    "QMNIST": (qmnist, {}, 10),
    "SVHN": (svhn, {}, 10),
    "CIFAR10": (cifar10, {}, 10),
    "STL10": (stl10, {}, 10),
    "USPS": (usps, {}, 10),
    "GTSRB": (gtsrb, {}, 2),
    "ImageFolder": (image_folder, {}, 2),
    "DTD": (dtd, {"channels": 3}, 2),
}


def test_two_labels_of_one_name_are_two_classes(tmp_path: Path) -> None:
    cifar10(tmp_path)
    names = {"label_names": ["crane", "crane", *"cdefghij"]}
    (tmp_path / "cifar-10-batches-py" / "batches.meta").write_bytes(pickle.dumps(names))
    assert load(component("CIFAR10", tmp_path)).classes[:3] == ("crane (0)", "crane (1)", "c")


@pytest.mark.parametrize("dataset", MAKERS)
def test_images_and_labels_are_those_of_the_files(dataset: str, tmp_path: Path) -> None:
    make, parameters, classes = MAKERS[dataset]
    made = make(tmp_path)
    entry = component(dataset, tmp_path, **parameters)
    data = load(entry)
    assert (data.name, len(data.classes), data.sha256) == (dataset, classes, fingerprint(entry))
    for part, images in made.items():
        np.testing.assert_array_equal(getattr(data, f"{part}_images"), images)
    assert (data.val_labels is None) == ("val" not in made)
    expected = np.arange(len(made["train"])) % classes if classes == 10 or dataset == "DTD" else None
    if expected is not None:
        assert data.train_labels.tolist() == expected.tolist()
    said: list[str] = []
    assert load(entry, notify=said.append).test_labels.tolist() == data.test_labels.tolist()
    assert said == [] or said[0].startswith("note:")


@pytest.mark.parametrize("dataset", MAKERS)
def test_every_file_of_a_set_is_in_its_checksum(dataset: str, tmp_path: Path) -> None:
    make, parameters, _ = MAKERS[dataset]
    make(tmp_path)
    entry = component(dataset, tmp_path, **parameters)
    before = fingerprint(entry)
    files = [path for path in tmp_path.rglob("*") if path.is_file() and "home" not in path.parts]
    for path in files:
        content = path.read_bytes()
        path.write_bytes(content + b"!")
        assert fingerprint(entry) != before, path
        path.write_bytes(content)
    assert len(files) >= 2 and fingerprint(entry) == before


def test_a_part_that_lacks_a_class_has_the_labels_of_the_others(tmp_path: Path) -> None:
    """torchvision numbers the folders of each part by themselves."""
    for part, classes in (("train", "abc"), ("val", "c"), ("test", "cab")):
        for name in classes:
            draw(tmp_path / part / name / "0.png", np.full((4, 4, 3), ord(name), np.uint8))
    data = load(component("ImageFolder", tmp_path))
    assert data.val_labels is not None and data.val_images is not None
    assert data.classes == ("a", "b", "c")
    assert (data.val_labels.tolist(), data.val_images.max()) == ([2], ord("c"))
    (tmp_path / "val/c").rename(tmp_path / "val/d")
    with pytest.raises(UserError, match="its part 'val' has the class 'd', which the part 'train' has not"):
        load(component("ImageFolder", tmp_path))


def test_a_folder_without_a_training_part_is_told(tmp_path: Path) -> None:
    draw(tmp_path / "test/a/0.png", pixels(1, 4, 4, 3)[0])
    with pytest.raises(UserError, match="has no folder train/ to learn from"):
        load(component("ImageFolder", tmp_path))


def test_images_behind_a_link_are_in_the_checksum(tmp_path: Path) -> None:
    root = tmp_path / "root"
    image_folder(root)
    (root / "train/a").rename(tmp_path / "elsewhere")
    (root / "train/a").symlink_to(tmp_path / "elsewhere")
    before = fingerprint(component("ImageFolder", root))
    assert len(load(component("ImageFolder", root)).train_labels) == 4
    draw(tmp_path / "elsewhere/0.png", pixels(1, 5, 6, 3)[0])
    assert fingerprint(component("ImageFolder", root)) != before
    (root / "train/a/round").symlink_to(root / "train")
    with pytest.raises(UserError, match="again, by a symbolic link: remove the link"):
        fingerprint(component("ImageFolder", root))


def test_the_source_is_the_folder_that_was_asked_for(tmp_path: Path) -> None:
    """Not the one that the arrays in the cache were read from."""
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    mnist(tmp_path / "first")
    for path in (tmp_path / "first").rglob("*-ubyte"):
        target = tmp_path / "second" / path.relative_to(tmp_path / "first")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    sources = [load(component("MNIST", tmp_path / name)).source for name in ("first", "second")]
    assert sources == [tmp_path / "first", tmp_path / "second"]


def test_where_there_is_no_test_part_it_is_drawn(tmp_path: Path) -> None:
    for i, image in enumerate(pixels(20, 8, 8, 3)):
        draw(tmp_path / "eurosat/2750" / ("Forest", "River")[i % 2] / f"{i}.jpg", image)
    with pytest.raises(UserError, match="torchvision's EuroSAT comes without a test part: write `test_fraction"):
        load(component("EuroSAT", tmp_path))
    data = load(component("EuroSAT", tmp_path, test_fraction=0.2))
    assert (data.classes, len(data.train_labels), sorted(data.test_labels)) == (("Forest", "River"), 16, [0, 0, 1, 1])


def test_wrong_files_are_one_message(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"has no files of torchvision's SVHN .*bench data fetch '\{name: torchvision, data"
    ):
        load(component("SVHN", tmp_path))
    svhn(tmp_path)
    (tmp_path / "test_32x32.mat").write_bytes((tmp_path / "test_32x32.mat").read_bytes()[:2000])
    with pytest.raises(UserError, match=r"torchvision.datasets.SVHN\('.*', split='test'\) fails: .*downloads it anew"):
        load(component("SVHN", tmp_path))
    (tmp_path / "test_32x32.mat").unlink()
    with pytest.raises(UserError, match=r"split='test'.* fails: Dataset not found or corrupted; `bench data fetch"):
        load(component("SVHN", tmp_path))
    mnist(tmp_path)
    with pytest.raises(UserError, match="torchvision's MNIST comes with a test part: leave out `test_fraction`"):
        load(component("MNIST", tmp_path, test_fraction=0.1))
    with pytest.raises(UserError, match="torchvision's MNIST has no option 'split' in a suite file; allowed: none"):
        load(component("MNIST", tmp_path, options={"split": "x"}))
    emnist(tmp_path)
    with pytest.raises(UserError, match=r"EMNIST\(.* fails: .*Unknown value 'x' for argument split"):
        load(component("EMNIST", tmp_path, options={"split": "x"}))


def test_every_classification_set_is_offered_and_every_other_named() -> None:
    classes = {
        name for name in torchvision.datasets.__all__ if name not in ("VisionDataset", "wrap_dataset_for_transforms_v2")
    }
    assert set(SETS) | set(NOT_OFFERED) == classes
    assert not set(SETS) & set(NOT_OFFERED)
    assert tuple(SETS) == TORCHVISION


def test_the_parameters_are_those_that_torchvision_takes() -> None:
    import inspect

    for name, info in SETS.items():
        bases = [base for base in getattr(torchvision.datasets, name).__mro__ if "__init__" in vars(base)]
        taken = {parameter for base in bases for parameter in inspect.signature(base.__init__).parameters}
        needed = {key for part in info.parts.values() for key in part} | set(info.options)
        assert needed <= taken, name
        assert ("download" in taken and name != "StanfordCars") == info.can_fetch, name


def test_the_table_of_the_page_is_that_of_the_code() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*?) \| (.*?) \| (.*?) \|$", PAGE.read_text(), re.M)
    table = {name: columns for name, *columns in rows if name in SETS}
    assert list(table) == list(SETS)
    for name, (train, validation, test, note) in table.items():
        info = SETS[name]
        shown = [None if text == "none" else text for text in (train, validation)]
        assert shown == [_call(info.folders.get("train"), info.train), _call(info.folders.get("val"), info.val)], name
        assert test == (_call(info.folders.get("test"), info.test) or "drawn: `test_fraction`"), name
        assert all(f"`{option}`" in note for option in info.options) and info.note in note, name
        assert ("not fetched" in note) == (not info.can_fetch), name
    text = " ".join(PAGE.read_text().split())
    assert all(f"`{name}`" in text and reason in text for name, reason in NOT_OFFERED.items())


def _call(folder: str | None, parameters: Any) -> str | None:
    """As the table writes a part: its folder, or the parameters that torchvision is given."""
    if parameters is None:
        return None
    if folder:
        return f"`{folder}/`"
    return f"`{', '.join(f'{key}={value!r}' for key, value in parameters.items())}`" if parameters else "the rest"


def test_a_suite_plans_and_trains_with_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], bench: Callable[..., int]
) -> None:
    mnist(tmp_path)
    suite = tmp_path / "suite.yaml"
    suite.write_text(
        "name: t\ndefaults: {dataset: {name: torchvision, dataset: MNIST, path: .}, epochs: 1, validation: none}\n"
        "grid: {model: mlp}\n"
    )
    assert bench("run", suite, "--no-ray", "--results", tmp_path / "r") == 0
    suite.write_text(suite.read_text().replace("MNIST", "MNITS"))
    capsys.readouterr()
    assert bench("plan", suite) == 2
    assert "did you mean 'MNIST'" in capsys.readouterr().err
