"""Folders of images, made here."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.__main__ import main
from bench.data import fingerprint, load, local_files, shape
from bench.data.prepare import split
from bench.errors import UserError
from bench.suite.schema import Tail

Tree = dict[str, np.ndarray]

pytestmark = pytest.mark.usefixtures("bare_machine")


def entry(root: Path, **parameters: object) -> dict[str, object]:
    return {"name": "image_folder", "path": str(root), **parameters}


def draw(path: Path, pixels: np.ndarray, **options: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Twenty training and four test images of 3 x 4, grey, each of one value that tells its file."""
    for part, count in (("train", 10), ("test", 2)):
        for number, name in enumerate(("cat", "dog")):
            for i in range(count):
                draw(tmp_path / "pets" / part / name / f"{i}.png", np.full((3, 4), 100 * number + i, np.uint8))
    return tmp_path / "pets"


def test_classes_are_the_folders_and_pixels_go_with_their_labels(root: Path) -> None:
    data = load(entry(root))
    assert (data.name, data.classes, data.source) == ("pets", ("cat", "dog"), root)
    assert data.train_images.shape == (20, 1, 3, 4)
    assert data.test_images.shape == (4, 1, 3, 4)
    np.testing.assert_array_equal(data.train_images[:, 0, 0, 0] // 100, data.train_labels)
    assert sorted(data.train_images[:, 0, 0, 0].tolist()) == [*range(10), *range(100, 110)]
    assert shape(entry(root)) == ((1, 3, 4), 2)


def test_a_folder_val_is_the_validation_part(root: Path) -> None:
    before = fingerprint(entry(root))
    assert load(entry(root)).val_images is None
    draw(root / "val/dog/7.png", np.full((3, 4), 107, np.uint8))
    data = load(entry(root))
    assert data.val_images is not None and data.val_labels is not None
    assert (data.val_images[:, 0, 0, 0].tolist(), data.val_labels.tolist()) == ([107], [1])
    assert len(data.train_images) == 20
    assert fingerprint(entry(root)) != before
    draw(root / "val/bird/1.png", np.full((3, 4), 1, np.uint8))
    with pytest.raises(
        UserError, match=r"val/bird: there is no class 'bird' to learn: put images of it into train/bird"
    ):
        load(entry(root))


def test_the_order_is_mixed_and_the_same_for_ever(root: Path) -> None:
    labels = load(entry(root)).train_labels
    assert labels.tolist() == [1, 0, 1, 0, 1, 1, 0, 1, 0, 0, 0, 1, 0, 0, 1, 1, 0, 0, 1, 1]
    split(labels, Tail(tail=0.2))  # files as they lie, sorted by class, would be refused


def test_a_second_load_reads_arrays_and_no_pictures(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    first = load(entry(root), notify=said.append)
    assert said[0] == f"{root}: reading 24 images"
    said.clear()
    second = load(entry(root), notify=said.append)
    assert said == []
    np.testing.assert_array_equal(first.train_images, second.train_images)
    np.testing.assert_array_equal(first.test_images, second.test_images)
    assert type(second.train_images) is np.ndarray


def test_a_damaged_cache_is_made_anew(root: Path, bare_machine: Path) -> None:
    before = load(entry(root)).train_images.tolist()
    (cached,) = bare_machine.glob("decoded/*/train.npy")
    cached.write_bytes(b"half a file")
    assert load(entry(root)).train_images.tolist() == before
    assert load(entry(root)).train_images.tolist() == before


def test_a_cache_that_cannot_be_written_to_costs_only_time(root: Path, bare_machine: Path) -> None:
    bare_machine.parent.mkdir(parents=True)
    bare_machine.write_text("a file where the folder should be")
    assert len(load(entry(root)).train_labels) == 20


def test_the_fingerprint_is_that_of_names_and_contents_wherever_they_lie(root: Path, tmp_path: Path) -> None:
    before = fingerprint(entry(root))
    moved = root.rename(tmp_path / "animals")
    assert fingerprint(entry(moved)) == before
    (moved / "train/cat/0.png").rename(moved / "train/cat/zero.png")
    assert fingerprint(entry(moved)) != before


def test_a_changed_file_changes_the_fingerprint_although_size_and_time_stay(root: Path) -> None:
    path = root / "train/cat/0.png"
    before, times = fingerprint(entry(root)), path.stat()
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert fingerprint(entry(root)) != before


def test_files_at_rest_are_not_read_for_a_second_fingerprint(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_files, "SETTLED_SECONDS", -60.0)  # these files were written just now
    before = fingerprint(entry(root))
    monkeypatch.setattr(local_files, "read", lambda path: pytest.fail(f"{path} was read"))
    assert fingerprint(entry(root)) == before


def test_one_picture_in_colour_makes_all_of_them_colour(root: Path) -> None:
    draw(root / "train/dog/x.png", np.full((3, 4, 3), (1, 2, 3), np.uint8))
    data = load(entry(root))
    assert data.train_images.shape == (21, 3, 3, 4)
    assert [1, 2, 3] in data.train_images[:, :, 0, 0].tolist()
    assert load(entry(root, channels=1)).train_images.shape == (21, 1, 3, 4)
    assert load(entry(root, channels=3, size=[6, 5])).test_images.shape == (4, 3, 6, 5)


def test_a_picture_of_another_size_is_named_unless_a_size_is_given(root: Path) -> None:
    draw(root / "train/dog/wide.png", np.zeros((3, 5), np.uint8))
    with pytest.raises(UserError, match=r"wide.png is 3 x 5 .* is 3 x 4: .* `size: \[3, 4\]`"):
        load(entry(root))
    assert load(entry(root, size=[3, 4])).train_images.shape == (21, 1, 3, 4)


def test_sixteen_bits_transparency_and_a_turned_camera_are_understood(root: Path) -> None:
    def only(path: str, pixels: np.ndarray, **options: object) -> np.ndarray:
        draw(root / path, pixels, **options)
        data = load(entry(root, channels=3))
        (root / path).unlink()
        others = {(value,) * 3 for value in (*range(10), *range(100, 110))}
        return next(p for p in data.train_images if tuple(p[:, 0, 0].tolist()) not in others)

    assert only("train/cat/deep.png", np.full((3, 4), 200 * 256, np.uint16))[0, 0, 0] == 200
    clear = np.full((3, 4, 4), (90, 50, 20, 255), np.uint8)
    clear[1:, :, 3] = 0
    assert only("train/cat/clear.png", clear)[:, :2, 0].tolist() == [[90, 0], [50, 0], [20, 0]]
    turned = Image.Exif()
    turned[0x0112] = 6  # the camera was held on its side
    lying = np.full((4, 3), 240, np.uint8)
    assert only("train/cat/turned.png", lying, exif=turned).shape == (3, 3, 4)


def test_hidden_files_and_sub_folders_are_what_one_expects(root: Path) -> None:
    (root / "train/cat/.DS_Store").write_bytes(b"\0")
    (root / "train/.cache").mkdir()
    (root / "train/cat/Thumbs.db").write_bytes(b"\0")
    (root / "README.txt").write_text("pets")
    draw(root / "train/cat/more/deep.PNG", np.zeros((3, 4), np.uint8))
    assert len(load(entry(root)).train_labels) == 21


def test_classes_may_be_of_any_size(root: Path) -> None:
    for i in range(3, 10):
        (root / f"train/dog/{i}.png").unlink()
    assert np.bincount(load(entry(root)).train_labels).tolist() == [10, 3]


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda root: (root / "train/cat/0.png").write_bytes(b"GIF89a"), r"cat/0.png cannot be read as an image"),
        (
            lambda root: (root / "train/cat/0.png").write_bytes((root / "train/cat/0.png").read_bytes()[:-25]),
            r"cat/0.png cannot be read as an image: it is damaged",
        ),
        (lambda root: draw(root / "train/cat/0.tiff", np.ones((3, 4), np.float32)), r"0.tiff .* 32-bit numbers"),
        (lambda root: (root / "train/cat/notes.txt").write_text("x"), r"notes.txt has no ending of an image file"),
        (lambda root: draw(root / "train/stray.png", np.zeros((3, 4), np.uint8)), r"stray.png is in no class"),
        (
            lambda root: (root / "train/bird").mkdir(),
            "train/bird is empty, so class 'bird' cannot be learned: put images of it into train/bird and test/bird, "
            "or remove train/bird$",
        ),
        (
            lambda root: [(root / part / "bird").mkdir() for part in ("train", "test")],
            "put images of it into train/bird and test/bird, or remove train/bird and test/bird$",
        ),
        (
            lambda root: (root / "test/bird").mkdir(),
            "train/bird does not exist, .* into train/bird and test/bird, or remove test/bird$",
        ),
        (
            lambda root: [draw(root / "train/bird/0.png", np.zeros((3, 4), np.uint8)), (root / "test/bird").mkdir()],
            "test/bird is empty, .* of it into test/bird, or remove train/bird and test/bird$",
        ),
        (
            lambda root: draw(root / "train/bird/0.png", np.zeros((3, 4), np.uint8)),
            r"test/bird does not exist, so class 'bird' cannot be tested.* or remove train/bird$",
        ),
        (
            lambda root: draw(root / "test/dogs/0.png", np.zeros((3, 4), np.uint8)),
            r"train/dogs does not exist, so class 'dogs' cannot be learned",
        ),
        (lambda root: (root / "train").rename(root / "training"), r"has no folder train/ \(it holds test, training\)"),
        (lambda root: root.rename(root.parent / "away"), r"pets does not exist; an image folder has train/CLASS/FILE"),
    ],
)
def test_what_is_wrong_is_named(root: Path, harm: Callable[[Path], object], message: str) -> None:
    harm(root)
    with pytest.raises(UserError, match=message):
        load(entry(root))


def test_a_file_without_permission_is_named(root: Path) -> None:
    """Root may read everything, so a process of root's gives up that right first."""
    (root / "train/cat/0.png").chmod(0)
    limits = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    command = [sys.executable, "-m", "bench", "data", "show", root]
    shown = subprocess.run([*limits, *command], capture_output=True, text=True, timeout=400, check=False)
    assert shown.returncode == 2
    assert "0.png cannot be read: Permission denied" in shown.stderr


def test_a_damaged_array_in_the_cache_is_decoded_anew(root: Path, bare_machine: Path) -> None:
    before = load(entry(root)).train_images.tolist()
    (cached,) = bare_machine.glob("decoded/*/train.npy")
    data = bytearray(cached.read_bytes())
    data[-1] ^= 1
    cached.write_bytes(bytes(data))
    for _ in range(2):
        assert load(entry(root)).train_images.tolist() == before


@pytest.mark.parametrize(
    ("target", "link", "message"),
    [
        (".", "train/cat/all", "train/cat/all is the folder train/cat again, by a symbolic link"),
        ("../..", "train/cat/all", "train/cat/all/train/cat is the folder train/cat again|cat/all.*has no ending"),
        ("cat", "train/copy", "train/copy is the folder train/cat again"),
        ("all", "train/cat/all", "train/cat/all has no ending|train/cat/all cannot be read: Too many levels"),
        ("x.png", "train/cat/x.png", "x.png (is no file|cannot be read)"),
        ("nowhere.png", "train/cat/x.png", "x.png is no file: .* a link that leads nowhere"),
        ("/dev/zero", "train/cat/x.png", "x.png is no file: a pipe, a socket, a device"),
    ],
)
def test_links_in_a_circle_or_to_no_file_are_named(root: Path, target: str, link: str, message: str) -> None:
    (root / link).symlink_to(target)
    with pytest.raises(UserError, match=message):
        load(entry(root))


def test_links_to_folders_and_files_are_followed(root: Path, tmp_path: Path) -> None:
    (root / "train/dog").rename(tmp_path / "elsewhere")
    (root / "train/dog").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere/9.png").rename(tmp_path / "nine.png")
    (tmp_path / "elsewhere/9.png").symlink_to(tmp_path / "nine.png")
    assert sorted(load(entry(root)).train_images[:, 0, 0, 0].tolist()) == [*range(10), *range(100, 110)]


@pytest.mark.parametrize("where", ["train", "train/cat", "."])
def test_a_root_that_leads_in_a_circle_is_named(root: Path, where: str) -> None:
    place = root / where if where != "." else root
    place.rename(root.parent / "away")
    place.symlink_to(place.name)
    with pytest.raises(UserError, match=r"has no folder train/|cannot be read|cannot be learned|does not exist"):
        load(entry(root))


@pytest.mark.parametrize("path", ["x" * 300, "x/" * 3000])
def test_paths_that_no_file_can_have_are_named(path: str, tmp_path: Path) -> None:
    with pytest.raises(UserError):
        load(entry(tmp_path / path))


def test_folders_may_be_nested_deep(root: Path) -> None:
    deep = root / "train/cat" / "/".join("x" * 1100)
    try:
        subprocess.run(["mkdir", "-p", deep], check=True)  # deeper than Python's own functions can go
        (root / "train/cat/0.png").rename(deep / "0.png")
        assert len(load(entry(root)).train_labels) == 20
    finally:
        subprocess.run(["rm", "-rf", root / "train/cat/x"], check=True)


def test_a_folder_named_like_a_picture_is_a_folder(root: Path) -> None:
    draw(root / "train/cat/more.png/10.png", np.full((3, 4), 50, np.uint8))
    assert 50 in load(entry(root)).train_images


@pytest.mark.parametrize("name", [b"\xff\xfe.png", b"a\nb.png", b"\x1b[2J.png"])
def test_files_may_have_any_name(root: Path, name: bytes) -> None:
    (root / "train/cat/0.png").rename(os.fsdecode(os.fsencode(root / "train/cat") + b"/" + name))
    assert sorted(load(entry(root)).train_images[:, 0, 0, 0].tolist()) == [*range(10), *range(100, 110)]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a\nb", r"train: the name 'a\\nb' has a character that is obeyed and not shown, written out here: rename"),
        ("a\tb", r"the name 'a\\tb'"),
        ("\x1b[31mred", r"the name '\\x1b\[31mred'"),
        ("gnp.\u202etac", r"the name 'gnp.\\u202etac'"),
        ("a\u200fb", r"the name 'a\\u200fb'"),
        ("a\u2028b", r"the name 'a\\u2028b'"),
        ("a\x9bb", r"the name 'a\\x9bb'"),
        ("a\uffffb", r"the name 'a\\uffffb'"),
        (os.fsdecode(b"caf\xe9"), r"the name 'caf\\udce9'"),
        (" ", "the name ' ' is blank"),
        ("cat ", "the names 'cat' and 'cat ' look the same"),
    ],
)
def test_classes_that_no_table_can_show_are_refused(root: Path, name: str, message: str) -> None:
    for part in ("train", "test"):
        draw(root / part / name / "0.png", np.zeros((3, 4), np.uint8))
    with pytest.raises(UserError, match=message) as caught:
        fingerprint(entry(root))
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "name", ["café", "می\u200cخواهم", "日本　語", "👩\u200d🔬", "=1+1", "T-shirt/top".replace("/", "|")]
)
def test_classes_may_be_of_any_language(root: Path, name: str) -> None:
    for part in ("train", "test"):
        (root / part / "cat").rename(root / part / name)
    assert name in load(entry(root)).classes


def test_a_file_that_changes_while_it_is_read_is_noticed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_files, "SETTLED_SECONDS", -60.0)
    fingerprint(entry(root))
    monkeypatch.setattr(local_files, "_state", lambda *_: ("as before", 0.0))  # a change that the times do not tell
    fingerprint(entry(root))
    draw(root / "train/cat/0.png", np.full((3, 4), 77, np.uint8))
    with pytest.raises(UserError, match="changed while they were read"):
        load(entry(root))
    assert len(load(entry(root)).train_labels) == 20  # "run the command again" helps


def test_more_pixels_than_memory_are_refused_before_they_are_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.data.decoded.MAX_MEMORY_FRACTION", 1e-12)
    with pytest.raises(UserError, match=r"24 images of 3 x 4 take .* `size: \[HEIGHT, WIDTH\]`"):
        load(entry(root))


def test_a_files_name_reaches_no_terminal_raw(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "train/cat/0.png").rename(root / "train/cat/\x1b[2J.txt")
    monkeypatch.setattr(sys, "argv", ["bench", "data", "show", str(root)])
    with pytest.raises(SystemExit) as end:
        main()
    said = capsys.readouterr().err
    assert (end.value.code, "\x1b" in said, r"train/cat/\x1b[2J.txt has no ending" in said) == (2, False, True)
