"""Data of the user's own: a folder of images, or an .npz file."""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from pngs import RGB, png

from mistakes.row import Mistake

FOLDER = "name: t\ngrid:\n  model: mlp\n  dataset: {name: image_folder, path: images}\n"
NPZ = "name: t\ngrid:\n  model: mlp\n  dataset: {name: npz, path: data.npz}\n"
PLACE = "suite.yaml:4: grid.dataset: "

PIXELS, LABELS = np.zeros((4, 5, 5), np.uint8), np.array([0, 1, 0, 1])
GOOD = {"train_images": PIXELS, "train_labels": LABELS, "test_images": PIXELS, "test_labels": LABELS}


def image(mode: str = "L", size: tuple[int, int] = (5, 5), kind: str = "png") -> bytes:
    out = io.BytesIO()
    Image.new(mode, size).save(out, kind)
    return out.getvalue()


def images(**more: bytes | None) -> Callable[[Path], None]:
    """Two classes with an image in each part; `more` are other files, None for a folder, ``__`` for a slash."""

    def beside(folder: Path) -> None:
        good = {f"{part}__{name}__1.png": image() for part in ("train", "test") for name in ("cat", "dog")}
        for name, data in {**good, **{name.replace("_png", ".png"): data for name, data in more.items()}}.items():
            path = folder / "images" / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            if data is None:
                path.mkdir()
            else:
                path.write_bytes(data)

    return beside


def only(*names: str) -> Callable[[Path], None]:
    """Files of one good image, or folders where a name ends with a slash."""

    def beside(folder: Path) -> None:
        (folder / "images").mkdir()
        for name in names:
            path = folder / "images" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.mkdir() if name.endswith("/") else path.write_bytes(image())

    return beside


def then(*steps: Callable[[Path], object]) -> Callable[[Path], None]:
    """One after the other."""

    def beside(folder: Path) -> None:
        for step in steps:
            step(folder)

    return beside


def npz(left_out: str = "", **changed: object) -> Callable[[Path], None]:
    """The good arrays but for `left_out`, and `changed` ones."""

    def beside(folder: Path) -> None:
        arrays = {key: value for key, value in GOOD.items() if key != left_out}
        np.savez(folder / "data.npz", **{**arrays, **changed})  # type: ignore[arg-type]

    return beside


def raw(data: bytes) -> Callable[[Path], None]:
    return lambda folder: (folder / "data.npz").write_bytes(data) and None


def damaged(folder: Path) -> None:
    """An .npz file whose first array has other bytes than its checksum says."""
    npz()(folder)
    path = folder / "data.npz"
    data = bytearray(path.read_bytes())
    data[200] ^= 255
    path.write_bytes(data)


def many(count: int) -> dict[str, object]:
    """The last of these labels are of one class, which no random order has."""
    labels = np.arange(count) % 2
    ordered = np.concatenate([np.sort(labels[: count - 200])[::-1], np.ones(198, np.int64), [0, 0]])
    pixels = np.zeros((count, 2, 2), np.uint8)
    return {"train_images": pixels, "train_labels": ordered, "test_images": pixels, "test_labels": labels}


FOLDERS: dict[str, Mistake] = {
    "folder: missing": Mistake(
        FOLDER, (PLACE, "images does not exist; an image folder has train/CLASS/FILE and test/CLASS/FILE")
    ),
    "folder: a file": Mistake(
        FOLDER,
        (PLACE, "images is a file, not a folder"),
        beside=lambda folder: (folder / "images").write_bytes(b""),
    ),
    "folder: no path": Mistake(FOLDER.replace(", path: images", ""), (f"{PLACE}dataset 'image_folder' lacks `path`",)),
    "folder: empty path": Mistake(
        FOLDER.replace("images", "''"), ("suite.yaml:4: grid.dataset.path: an empty text is not allowed here",)
    ),
    "folder: no user of that name": Mistake(FOLDER.replace("images", "~nobody-of-this-name"), (PLACE, "~nobody-of")),
    "folder: empty": Mistake(FOLDER, (PLACE, "images has no folder train/ (it holds nothing)"), beside=only()),
    "folder: no test part": Mistake(
        FOLDER, (PLACE, "has no folder test/ (it holds train)"), beside=only("train/cat/1.png", "train/dog/1.png")
    ),
    "folder: no classes": Mistake(
        FOLDER,
        (PLACE, "images/train has no classes: put images into a folder per class, train/CLASS/FILE"),
        beside=only("train/", "test/"),
    ),
    "folder: one class": Mistake(
        FOLDER,
        (PLACE, "images has one class, 'cat': there is nothing to tell apart"),
        beside=only("train/cat/1.png", "test/cat/1.png"),
    ),
    "folder: image in no class": Mistake(
        FOLDER,
        (PLACE, "1.png is in no class: put it into a folder train/CLASS below"),
        beside=images(train__1_png=image()),
    ),
    "folder: no image": Mistake(
        FOLDER,
        (PLACE, "notes.txt has no ending of an image file (.png, .jpg, ...): take it out of the class's folder"),
        beside=images(**{"train__cat__notes.txt": b""}),
    ),
    "folder: class never tested": Mistake(
        FOLDER,
        (
            PLACE,
            "images/test/cats does not exist, so class 'cats' cannot be tested (nor can owl)",
            ": put images of it into test/cats, or remove train/cats\n",
        ),
        beside=images(train__cats__1_png=image(), train__owl__1_png=image()),
    ),
    "folder: class misspelt": Mistake(
        FOLDER,
        (PLACE, "images/train/cta does not exist, so class 'cta' cannot be learned", "did you mean 'cat'?"),
        beside=only("train/cat/1.png", "train/dog/1.png", "test/cta/1.png", "test/dog/1.png"),
    ),
    "folder: empty class": Mistake(
        FOLDER,
        (
            PLACE,
            "images/train/owl is empty, so class 'owl' cannot be learned",
            "of it into train/owl, or remove train/owl and test/owl",
        ),
        beside=images(train__owl=None, test__owl__1_png=image()),
    ),
    "folder: damaged image": Mistake(
        FOLDER,
        (PLACE, "2.png cannot be read as an image: it is damaged (", "mend or remove it"),
        beside=images(train__cat__2_png=image(size=(50, 50))[:60]),
    ),
    "folder: no image in an image's file": Mistake(
        FOLDER,
        (PLACE, "2.png cannot be read as an image: it is no image, or damaged at its beginning"),
        beside=images(train__cat__2_png=b"hello"),
    ),
    "folder: pixels of 32 bits": Mistake(
        FOLDER,
        (
            PLACE,
            "2.png cannot be read as an image: its pixels are 32-bit numbers or have a sign; save it with 8 or ",
        ),
        beside=images(train__cat__2_png=image("F", kind="tiff")),
    ),
    "folder: pixels of 12 bits": Mistake(
        FOLDER,
        (PLACE, "2.png cannot be read as an image: its pixels have 12 bits"),
        beside=images(
            train__cat__2_png=image("I;16", kind="tiff").replace(
                struct.pack("<HHIH", 258, 3, 1, 16), struct.pack("<HHIH", 258, 3, 1, 12)
            )
        ),
    ),
    "folder: pixels of another kind": Mistake(
        FOLDER,
        (PLACE, "its pixels are of Pillow's mode LAB; save it in grey or in red, green and blue"),
        beside=images(train__cat__2_png=image("LAB", kind="tiff")),
    ),
    "folder: a transparent colour of 16 bits": Mistake(
        FOLDER,
        (PLACE, "one of its colours of 16 bits is transparent, and Pillow reads 8 bits of them; save it with an alpha"),
        beside=images(train__cat__2_png=png(np.zeros((5, 5, 3)), 16, RGB, bytes(6))),
    ),
    "folder: an image beyond measure": Mistake(
        FOLDER,
        (PLACE, "2.png cannot be read as an image: it is too large (Image size (400000000 pixels) exceeds limit"),
        beside=images(train__cat__2_png=b"P5 20000 20000 255 "),
    ),
    "folder: a pipe": Mistake(
        FOLDER,
        (
            PLACE,
            "images/train/cat/2.png is no file: a pipe, a socket, a device, or a link that leads nowhere; remove",
        ),
        beside=then(images(), lambda folder: os.mkfifo(folder / "images/train/cat/2.png")),
    ),
    "folder: a link in a circle": Mistake(
        FOLDER,
        (
            PLACE,
            "images/train/cat/all is the folder train/cat again, by a symbolic link, and its images would count",
        ),
        beside=then(images(), lambda folder: (folder / "images/train/cat/all").symlink_to(".")),
    ),
    "folder: a class that a terminal obeys": Mistake(
        FOLDER,
        (
            PLACE,
            r"images/train: the name 'ca\x1b[2Jt' has a character that is obeyed and not shown, wr",
        ),
        beside=images(**{"train__ca\x1b[2Jt__1_png": image()}),
    ),
    "folder: a class that is nowhere else": Mistake(
        FOLDER,
        (
            PLACE,
            "images/val/bird: there is no class 'bird' to learn: put images of it into train/bird, or",
        ),
        beside=images(val__bird__1_png=image()),
    ),
    "folder: two sizes": Mistake(
        FOLDER,
        (PLACE, "2.png is 6 x 7 (height x width), while ", " is 5 x 5: make them one size, or have all resized with"),
        beside=images(test__dog__2_png=image("RGB", size=(7, 6))),
    ),
    "folder: more than the memory": Mistake(
        FOLDER.replace("path: images", "path: images, size: [1000000, 1000000]"),
        (PLACE, "images: 4 images of 1000000 x 1000000 take ", "have them made smaller with `size: [HEIGHT, WIDTH"),
        beside=images(),
    ),
}

FILES: dict[str, Mistake] = {
    "npz: missing": Mistake(NPZ, (PLACE, "data.npz cannot be read: No such file or directory")),
    "npz: a folder": Mistake(
        NPZ,
        (PLACE, "data.npz cannot be read: Is a directory"),
        beside=lambda folder: (folder / "data.npz").mkdir(),
    ),
    "npz: no arrays": Mistake(
        NPZ,
        (
            PLACE,
            "data.npz: it is no .npz file\n  an npz data set has the arrays train_images, ",
            ", and perhaps classes\n",
        ),
        beside=raw(b"hello"),
    ),
    "npz: an empty file": Mistake(NPZ, (PLACE, "data.npz: it is empty\n"), beside=raw(b"")),
    "npz: a pickle": Mistake(
        NPZ,
        (PLACE, "data.npz: it is no .npz file\n"),
        beside=raw(b"\x80\x04K\x01."),
    ),
    "npz: one array": Mistake(
        NPZ,
        (PLACE, "data.npz: it holds one array without a name (numpy.savez_compressed writes an .npz)"),
        beside=lambda folder: np.save((folder / "data.npz").open("wb"), PIXELS),
    ),
    "npz: an array is missing": Mistake(
        NPZ,
        (
            PLACE,
            "has no array 'test_labels'; it has train_images, ",
            ", and needs train_images, ",
            "did you mean 'test_label'?",
        ),
        beside=npz("test_labels", test_label=LABELS),
    ),
    "npz: objects": Mistake(
        NPZ,
        (PLACE, "data.npz: `train_labels` is neither plain numbers nor text: ", "; save it as plain numbers or text"),
        beside=npz(train_labels=np.array([0, "a", 0, 1], dtype=object)),
    ),
    "npz: damaged": Mistake(
        NPZ, (PLACE, "`train_images` is damaged (Bad CRC-32", "write the file again"), beside=damaged
    ),
    "npz: pixels from 0 to 1": Mistake(
        NPZ,
        (PLACE, "train_images are of type float32, expected uint8 from 0 to 255; pixels in [0, 1] become that by"),
        beside=npz(train_images=PIXELS.astype(np.float32)),
    ),
    "npz: flat images": Mistake(
        NPZ,
        (PLACE, "train_images have the shape (4, 25); expected (N, height, width), (N, height, width, channels) or"),
        beside=npz(train_images=PIXELS.reshape(4, 25)),
    ),
    "npz: channels first or last": Mistake(
        NPZ,
        (PLACE, "test_images have the shape (4, 3, 5, 3), where the channels may stand first or last"),
        beside=npz(test_images=np.zeros((4, 3, 5, 3), np.uint8)),
    ),
    "npz: two sizes": Mistake(
        NPZ,
        (PLACE, "train_images are (1, 5, 5) (channels, height, width), test_images (1, 6, 6)"),
        beside=npz(test_images=np.zeros((4, 6, 6), np.uint8)),
    ),
    "npz: half a validation part": Mistake(
        NPZ,
        (PLACE, "data.npz has val_images and no val_labels: a validation part has both"),
        beside=npz(val_images=PIXELS),
    ),
    "npz: no validation part": Mistake(
        NPZ + "  validation: given\n",
        ("suite.yaml:5: grid.validation: ", "save it in the file as the arrays val_images and val_labels, or take"),
        beside=npz(),
    ),
    "npz: too few labels": Mistake(
        NPZ, (PLACE, "3 train_labels for 4 images: give one for each"), beside=npz(train_labels=LABELS[:3])
    ),
    "npz: a pipe": Mistake(
        NPZ,
        (PLACE, "data.npz is a pipe, a socket or a device: give a file"),
        beside=lambda folder: os.mkfifo(folder / "data.npz"),
    ),
    "npz: one-hot labels": Mistake(
        NPZ,
        (
            PLACE,
            "train_labels are of type float64 and shape (4, 2); ",
            "each image; of one-hot rows save labels.argm",
        ),
        beside=npz(train_labels=np.eye(2)[LABELS]),
    ),
    "npz: a class without a name": Mistake(
        NPZ,
        (PLACE, "data.npz: classes: the name '' is blank: give every class a name that can be read"),
        beside=npz(classes=np.array(["", "b"])),
    ),
    "npz: a class's name of a page": Mistake(
        NPZ,
        (PLACE, "classes: the name '" + "a" * 40 + "...' has 300 characters, allowed are 255"),
        beside=npz(classes=np.array(["a" * 300, "b"])),
    ),
    "npz: classes that look the same": Mistake(
        NPZ,
        (PLACE, r"classes: the names '\xe9' and 'e\u0301' look the same: rename one of the classes"),
        beside=npz(classes=np.array(["\xe9", "e\u0301"])),
    ),
    "npz: classes that are no text": Mistake(
        NPZ,
        (PLACE, "data.npz: `classes` has values that are no characters; write the file again"),
        beside=npz(classes=np.array([0x110000, 98], np.uint32).view("<U1")),
    ),
    "npz: labels with halves": Mistake(
        NPZ,
        (PLACE, "test_labels are of type float64 and shape (4,); expected whole numbers from 0, one for each image"),
        beside=npz(test_labels=LABELS / 2),
    ),
    "npz: labels below 0": Mistake(
        NPZ, (PLACE, "train_labels go down to -1; number the classes from 0"), beside=npz(train_labels=LABELS - 1)
    ),
    "npz: labels far too high": Mistake(
        NPZ,
        (PLACE, "labels go up to 1000001, with too few images for so many classes; number them from 0"),
        beside=npz(train_labels=LABELS + 1_000_000),
    ),
    "npz: classes not of text": Mistake(
        NPZ,
        (PLACE, "classes are of type int64 and shape (2,); expected a list of text"),
        beside=npz(classes=np.array([0, 1])),
    ),
    "npz: a class twice": Mistake(
        NPZ, (PLACE, "classes names 'a' twice"), beside=npz(classes=np.array(["a", "a", "b"]))
    ),
    "npz: too few names": Mistake(
        NPZ,
        (PLACE, "test_labels go up to 2, while classes has 2 names, for 0 and up"),
        beside=npz(classes=np.array(["a", "b"]), test_labels=np.array([0, 1, 2, 1])),
    ),
    "npz: one class": Mistake(
        NPZ,
        (PLACE, "data.npz has one class, '0': there is nothing to tell apart"),
        beside=npz(train_labels=LABELS * 0, test_labels=LABELS * 0),
    ),
    "npz: a class without images": Mistake(
        NPZ,
        (PLACE, "test_labels have no image of class 1 ('b'); number the classes from 0 without gaps, and give each"),
        beside=npz(test_labels=LABELS * 0, classes=np.array(["a", "b"])),
    ),
    "npz: wrong for a network that is tried before": Mistake(
        NPZ.replace("mlp", "cnn"),
        (PLACE, "train_labels go down to -1; number the classes from 0"),
        beside=npz(train_labels=LABELS - 1),
    ),
    "npz: too few classes for a metric": Mistake(
        NPZ + "metrics: [top_3_accuracy]\n",
        ("suite.yaml:5: metrics[0]: 'top_3_accuracy' needs 4 classes or more, and ", " has 2\n  take another metric"),
        beside=npz(),
    ),
}

SPLITS: dict[str, Mistake] = {
    "too few of a class": Mistake(
        NPZ + "  validation: {stratified: 0.1}\n",
        (
            "suite.yaml:5: grid.validation: validation.stratified: 0.1 of the 2 images of class 0 is 0",
            "each part needs at least one image of every class; choose another fraction or use more images",
        ),
        beside=npz(),
    ),
    "too few of a class, by default": Mistake(
        NPZ, ("suite.yaml: validation.stratified: 0.1 of the 2 images of class 0 is 0",), beside=npz()
    ),
    "a tail of ordered labels": Mistake(
        NPZ + "  validation: {tail: 0.5}\n",
        (
            "suite.yaml:5: grid.validation: validation.tail: 0.5 is refused, the labels are ordered or too few: of the "
            "last 2 of 4 labels and those before, one part lacks a class. Use {stratified: 0.5}",
        ),
        beside=npz(train_labels=np.sort(LABELS)),
    ),
    "a tail mostly of one class": Mistake(
        NPZ + "  validation: {tail: 0.2}\n",
        ("suite.yaml:5: grid.validation: validation.tail: 0.2 is refused", "labels are of one class, "),
        beside=npz(**many(1000)),
    ),
}

ROOM: dict[str, Mistake] = {
    "more workers than there are": Mistake(
        NPZ + "  validation: none\n  workers: 64\n",
        (
            "trials of 64 workers (each with CPUs: 1) can never run here: there is room for ",
            "lower `workers` (--set workers=1), give each less (--cpus-per-trial, --gpus-per-trial), or add machines",
        ),
        beside=npz(),
        asks_ray=True,
    ),
}

ARRAYS = {
    "arrays: of a Python session": Mistake(
        "name: t\ngrid:\n  model: mlp\n  dataset: {name: arrays, title: mine, sha256: 0123456789ab}\n",
        (
            PLACE,
            "dataset 'mine': these arrays (0123456789ab) are in no file: a Python session gave them",
            "give the same arrays to bench.Dataset.from_arrays there, or write them to an .npz file",
            "(numpy.savez) and name that: {name: npz, path: FILE}",
        ),
    )
}

ROWS = FOLDERS | FILES | SPLITS | ROOM | ARRAYS
