from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.data import fingerprint, load
from bench.suite.errors import UserError

pytestmark = pytest.mark.usefixtures("bare_machine")

IMAGES = np.random.default_rng(0).integers(0, 256, (8, 5, 4), dtype=np.uint8)
GOOD: dict[str, Any] = {
    "train_images": IMAGES[:6],
    "train_labels": np.array([0, 1, 1, 0, 1, 0]),
    "test_images": IMAGES[6:],
    "test_labels": np.array([1, 0]),
}


def saved(folder: Path, **changes: Any) -> dict[str, str]:
    """The entry of a file with these arrays; None leaves one out."""
    arrays = {key: value for key, value in {**GOOD, **changes}.items() if value is not None}
    np.savez(folder / "mine.npz", **arrays)
    return {"name": "npz", "path": str(folder / "mine.npz")}


def test_arrays_are_taken_in_their_order(tmp_path: Path) -> None:
    data = load(saved(tmp_path, classes=np.array(["sock", "hat"])))
    assert (data.name, data.classes) == ("mine.npz", ("sock", "hat"))
    np.testing.assert_array_equal(data.train_images, IMAGES[:6, None])
    assert data.test_labels.tolist() == [1, 0]
    assert data.train_labels.dtype == np.int64


def test_without_names_classes_are_numbers(tmp_path: Path) -> None:
    assert load(saved(tmp_path)).classes == ("0", "1")


@pytest.mark.parametrize("last", [True, False])
def test_channels_may_stand_last_or_first_and_labels_in_a_column(last: bool, tmp_path: Path) -> None:
    colour = np.repeat(IMAGES[:, None], 3, axis=1)
    colour[:, 2] = 7
    given = colour.transpose(0, 2, 3, 1) if last else colour
    labels = {key: GOOD[key][:, None].astype(np.uint8) for key in ("train_labels", "test_labels")}
    data = load(saved(tmp_path, train_images=given[:6], test_images=given[6:], **labels))
    np.testing.assert_array_equal(data.train_images, colour[:6])
    assert data.train_labels.tolist() == [0, 1, 1, 0, 1, 0]


def test_the_fingerprint_is_that_of_the_contents(tmp_path: Path) -> None:
    before = fingerprint(saved(tmp_path))
    assert fingerprint(saved(tmp_path)) == before
    renamed = (tmp_path / "mine.npz").rename(tmp_path / "yours.npz")
    assert fingerprint({"name": "npz", "path": str(renamed)}) == before
    assert fingerprint(saved(tmp_path, test_labels=np.array([0, 1]))) != before


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"test_labels": None}, r"has no array 'test_labels'; it has train_images, train_labels, test_images"),
        ({"train_images": IMAGES[:6] / 255}, r"train_images are of type float64, expected uint8"),
        ({"train_images": IMAGES[:6, 0]}, r"train_images have the shape \(6, 4\); expected"),
        ({"train_images": np.zeros((6, 3, 5, 3), np.uint8)}, "channels may stand first or last"),
        ({"train_images": IMAGES[:6, 1:]}, r"train_images are \(1, 4, 4\).*test_images \(1, 5, 4\)"),
        ({"train_labels": GOOD["train_labels"][1:]}, "5 train_labels for 6 pictures"),
        ({"train_labels": GOOD["train_labels"] / 1}, "train_labels are of type float64"),
        ({"train_labels": GOOD["train_labels"] - 1}, "train_labels go down to -1"),
        ({"train_labels": GOOD["train_labels"] * 2}, "train_labels have no picture of class 1"),
        ({"test_labels": np.array([1, 2])}, "train_labels have no picture of class 2"),
        ({"test_labels": np.array([1, 1])}, "test_labels have no picture of class 0"),
        ({"test_labels": np.array([1, 10**12])}, "labels go up to 1000000000000"),
        ({"classes": np.array(["sock"])}, "train_labels go up to 1, while classes has 1 names"),
        ({"classes": np.array(["sock", "sock"])}, "classes names 'sock' twice"),
        ({"classes": np.array([b"sock", b"hat"])}, "classes are of type"),
        (
            {"classes": np.array(["sock", "hat"], dtype=object)},
            "classes cannot be read: it is neither plain numbers nor text",
        ),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message) as caught:
        load(saved(tmp_path, **changes))
    assert "mine.npz" in str(caught.value)
    assert "pickle" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 half a zip", b"\x80\x04N.", b"text"])
def test_a_file_of_another_kind_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "mine.npz").write_bytes(content)
    with pytest.raises(UserError, match=r"mine.npz is not an .npz file") as caught:
        load({"name": "npz", "path": str(tmp_path / "mine.npz")})
    assert "pickle" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"absent.npz cannot be read: No such file"):
        fingerprint({"name": "npz", "path": str(tmp_path / "absent.npz")})
