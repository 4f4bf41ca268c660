from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.data import fingerprint, labels, load
from bench.errors import UserError

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
    columns = {key: GOOD[key][:, None].astype(np.uint8) for key in ("train_labels", "test_labels")}
    data = load(saved(tmp_path, train_images=given[:6], test_images=given[6:], **columns))
    np.testing.assert_array_equal(data.train_images, colour[:6])
    assert data.train_labels.tolist() == [0, 1, 1, 0, 1, 0]


def test_grey_pictures_in_three_channels_are_told(tmp_path: Path) -> None:
    grey = np.repeat(IMAGES[..., None], 3, axis=-1)
    colour = grey.copy()
    colour[5, 4, 3, 2] ^= 1
    told: list[str] = []
    for images in (colour, grey):
        load(saved(tmp_path, train_images=images[:6], test_images=images[6:]), notify=told.append)
    assert told == [
        "note: mine.npz: all its images are grey, saved with three equal channels, and networks will see three; "
        "save one channel to train on one"
    ]


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
        ({"train_labels": GOOD["train_labels"][1:]}, "5 train_labels for 6 images"),
        ({"train_labels": GOOD["train_labels"] / 1}, "train_labels are of type float64"),
        ({"train_labels": GOOD["train_labels"] - 1}, "train_labels go down to -1"),
        ({"train_labels": GOOD["train_labels"] * 2}, "train_labels have no image of class 1"),
        ({"test_labels": np.array([1, 2])}, "train_labels have no image of class 2"),
        ({"test_labels": np.array([1, 1])}, "test_labels have no image of class 0"),
        ({"test_labels": np.array([1, 10**12])}, "labels go up to 1000000000000"),
        ({"classes": np.array(["sock"])}, "train_labels go up to 1, while classes has 1 names"),
        ({"classes": np.array(["sock", "sock"])}, "classes names 'sock' twice"),
        ({"classes": np.array([b"sock", b"hat"])}, "classes are of type"),
        (
            {"classes": np.array(["sock", "hat"], dtype=object)},
            "`classes` is neither plain numbers nor text",
        ),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message) as caught:
        load(saved(tmp_path, **changes))
    assert "mine.npz" in str(caught.value)
    assert "pickle" not in str(caught.value)


def zipped(path: Path, **members: bytes) -> dict[str, str]:
    """The entry of an archive with these members, `_npy` for the ending."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name.replace("_npy", ".npy"), data)
    return {"name": "npz", "path": str(path)}


def npy(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


MEMBERS = {f"{key}_npy": npy(array) for key, array in GOOD.items()}


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"train_images_npy": b"hello"}, "`train_images` is no NumPy array"),
        ({"train_images_npy": b""}, "`train_images` is no NumPy array"),
        ({"train_images_npy": MEMBERS["train_images_npy"][:-1]}, "its header promises 120 bytes, 119 follow"),
        ({"train_images_npy": MEMBERS["train_images_npy"] + b"x"}, "its header promises 120 bytes, 121 follow"),
        ({"train_images_npy": b"\x93NUMPY\x09\x00"}, "`train_images` is (damaged|in version 9.0 of NumPy's format)"),
        ({"train_images_npy": b"\x93NUMPY\x01\x00\x05\x00((((("}, "`train_images` is damaged"),
        (
            {"train_images_npy": MEMBERS["train_images_npy"].replace(b"(6, 5, 4)", b"(9**9,  )")},
            "`train_images` is damaged",
        ),
        (
            {"test_labels_npy": MEMBERS["test_labels_npy"].replace(b"(2,)", b"(9999999999999,)")},
            "`test_labels` is damaged: its header promises 79,999,999,999,992 bytes",
        ),
        ({"train_images": b"hello"}, "it holds two arrays named `train_images`"),
        ({"test_labels_npy": npy(np.array([2**63, 0], np.uint64))}, "test_labels go up to 9223372036854775808"),
        ({"classes_npy": npy(np.array(["a\x1b[2J", "b"]))}, r"classes: the name 'a\\x1b\[2J' has a character"),
        ({"classes_npy": npy(np.array(["a\n|b", "b"]))}, r"classes: the name 'a\\n\|b' has a character"),
        ({"classes_npy": npy(np.array(["a", "a "]))}, "look the same"),
        ({"classes_npy": npy(np.array([], "<U1"))}, "while classes has 0 names"),
        ({"classes_npy": npy(np.array(["", ""], "<U0"))}, "classes names '' twice"),
    ],
)
def test_members_that_are_no_such_arrays_are_named(members: dict[str, bytes], message: str, tmp_path: Path) -> None:
    for read in (load, labels):
        with pytest.raises(UserError, match=message) as caught:
            read(zipped(tmp_path / "mine.npz", **{**MEMBERS, **members}))
        assert str(caught.value).replace("\n", "").isprintable()


def test_damaged_pixels_are_named(tmp_path: Path) -> None:
    entry = saved(tmp_path)
    data = bytearray((tmp_path / "mine.npz").read_bytes())
    data[data.index(IMAGES[:6].tobytes())] ^= 1
    (tmp_path / "mine.npz").write_bytes(data)
    with pytest.raises(UserError, match="`train_images` is damaged"):
        load(entry)


def test_every_way_of_cutting_an_archive_is_named(tmp_path: Path) -> None:
    entry = saved(tmp_path)
    whole = (tmp_path / "mine.npz").read_bytes()
    for end in range(0, len(whole), 7):
        (tmp_path / "mine.npz").write_bytes(whole[:end])
        with pytest.raises(UserError, match=r"mine.npz: it is"):
            load(entry)


def test_more_than_half_of_the_memory_is_refused_before_it_is_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = npy(np.zeros((6, 500, 500), np.uint8))
    members = {
        **MEMBERS,
        "train_images_npy": large,
        "test_images_npy": large,
        "test_labels_npy": MEMBERS["train_labels_npy"],
    }
    entry = zipped(tmp_path / "mine.npz", **members)
    monkeypatch.setattr("bench.arrays.memory", lambda: 2_000_000)
    with pytest.raises(UserError, match=r"`train_images` takes .* more than half"):
        load(entry)
    monkeypatch.setattr("bench.data.local_files.memory", lambda: 200)
    with pytest.raises(UserError, match=r"mine.npz has .* more than half of the memory"):
        load(entry)


def test_a_validation_part_comes_with_the_file(tmp_path: Path) -> None:
    entry = saved(tmp_path, val_images=IMAGES[3:5], val_labels=np.array([[1], [1]]))
    data = load(entry)
    assert data.val_images is not None and data.val_labels is not None
    np.testing.assert_array_equal(data.val_images, IMAGES[3:5, None])
    assert data.val_labels.tolist() == [1, 1]
    told = labels(entry)
    assert told.given is not None and told.given.tolist() == [1, 1]
    assert labels(saved(tmp_path)).given is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"val_images": IMAGES[:2]}, "has val_images and no val_labels: a validation part has both"),
        ({"val_labels": GOOD["test_labels"]}, "has val_labels and no val_images"),
        (
            {"val_images": IMAGES[:2, :3], "val_labels": [0, 1]},
            r"train_images are \(1, 5, 4\) .*, val_images \(1, 3, 4\)",
        ),
        ({"val_images": IMAGES[:2], "val_labels": [0, 1, 1]}, "3 val_labels for 2 images"),
        (
            {"val_images": IMAGES[:2], "val_labels": [0, 5], "classes": ["a", "b"]},
            "val_labels go up to 5, while classes",
        ),
    ],
)
def test_half_a_validation_part_is_refused(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    for read in (load, labels):
        with pytest.raises(UserError, match=message):
            read(saved(tmp_path, **changes))


def test_arrays_that_are_not_used_are_named(tmp_path: Path) -> None:
    entry = saved(tmp_path, valid_images=IMAGES[:2])
    for read in (load, labels):
        said: list[str] = []
        read(entry, notify=said.append)
        assert said == [
            "note: mine.npz holds arrays that are not used: valid_images; a validation part is called val_images and "
            "val_labels"
        ]
    said.clear()
    load(saved(tmp_path, **{"we\x1b[2Jights": IMAGES}), notify=said.append)
    assert said == [r"note: mine.npz holds arrays that are not used: we\x1b[2Jights"]


def test_nothing_writes_to_what_all_trials_share(tmp_path: Path) -> None:
    data = load(saved(tmp_path))
    for array in (data.train_images, data.train_labels, data.test_images, data.test_labels):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_what_may_have_no_end_is_not_read(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.npz"
    os.mkfifo(path) if kind == "pipe" else path.symlink_to("/dev/zero")
    for read in (load, labels, fingerprint):
        with pytest.raises(UserError, match=r"mine.npz is a pipe, a socket or a device: give a file"):
            read({"name": "npz", "path": str(path)})


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 half a zip", b"\x80\x04N.", b"text"])
def test_a_file_of_another_kind_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "mine.npz").write_bytes(content)
    with pytest.raises(UserError, match=r"mine.npz: it is (empty|damaged or cut short|no .npz file)") as caught:
        load({"name": "npz", "path": str(tmp_path / "mine.npz")})
    assert "pickle" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"absent.npz cannot be read: No such file"):
        fingerprint({"name": "npz", "path": str(tmp_path / "absent.npz")})
