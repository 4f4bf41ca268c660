"""Files of a few random images in the layouts of torchvision and MedMNIST; each function returns the images by part."""

from __future__ import annotations

import bz2
import pickle
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.io import savemat

RANDOM = np.random.default_rng(0)


def pixels(count: int, *shape: int) -> np.ndarray:
    return RANDOM.integers(0, 256, (count, *shape), dtype=np.uint8)


def alternating(count: int, classes: int = 10) -> np.ndarray:
    return np.arange(count, dtype=np.uint8) % classes


def draw(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)


def mnist(root: Path, folder: str = "MNIST", prefix: tuple[str, str] = ("train", "t10k")) -> dict[str, np.ndarray]:
    (root / folder / "raw").mkdir(parents=True)
    made = {}
    for part, name, count in zip(("train", "test"), prefix, (20, 10), strict=True):
        images, values = pixels(count, 28, 28), alternating(count)
        made[part] = images
        for kind, array in (("images-idx3", images), ("labels-idx1", values)):
            sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
            path = root / folder / "raw" / f"{name}-{kind}-ubyte"
            path.write_bytes(bytes((0, 0, 8, array.ndim)) + sizes + array.tobytes())
    return {part: images[:, None] for part, images in made.items()}


def emnist(root: Path) -> dict[str, np.ndarray]:
    return mnist(root, "EMNIST", ("emnist-digits-train", "emnist-digits-test"))


def qmnist(root: Path) -> dict[str, np.ndarray]:
    """Labels are rows of eight numbers, the class first."""
    (root / "QMNIST/raw").mkdir(parents=True)
    made = {"train": pixels(20, 28, 28), "test": pixels(10, 28, 28)}
    for part, images in made.items():
        labels = np.zeros((len(images), 8), ">i4")
        labels[:, 0] = alternating(len(images))
        for kind, code, array in (("images-idx3-ubyte", 8, images), ("labels-idx2-int", 12, labels)):
            sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
            path = root / f"QMNIST/raw/qmnist-{part}-{kind}"
            path.write_bytes(bytes((0, 0, code, array.ndim)) + sizes + array.tobytes())
    return {part: images[:, None] for part, images in made.items()}


def svhn(root: Path, train: int = 20) -> dict[str, np.ndarray]:
    """The file's images have the number last; its label 10 is the digit 0."""
    made = {part: pixels(count, 32, 32, 3) for part, count in (("train", train), ("test", 10))}
    for part, images in made.items():
        values = np.where(alternating(len(images)) == 0, 10, alternating(len(images)))[:, None]
        savemat(root / f"{part}_32x32.mat", {"X": images.transpose(1, 2, 3, 0), "y": values})
    return {part: images.transpose(0, 3, 1, 2) for part, images in made.items()}


def cifar10(root: Path) -> dict[str, np.ndarray]:
    folder = root / "cifar-10-batches-py"
    folder.mkdir()
    made = {"train": pixels(50, 3, 32, 32), "test": pixels(10, 3, 32, 32)}
    names = [f"data_batch_{i}" for i in range(1, 6)]
    for name, images in zip([*names, "test_batch"], [*np.split(made["train"], 5), made["test"]], strict=True):
        batch = {"data": images.reshape(10, -1), "labels": alternating(10).tolist()}
        (folder / name).write_bytes(pickle.dumps(batch))
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": list("abcdefghij")}))
    return made


def stl10(root: Path) -> dict[str, np.ndarray]:
    """Columns first, labels from 1."""
    folder = root / "stl10_binary"
    folder.mkdir()
    made = {"train": pixels(20, 3, 96, 96), "test": pixels(10, 3, 96, 96)}
    for part, images in made.items():
        (folder / f"{part}_X.bin").write_bytes(images.transpose(0, 1, 3, 2).tobytes())
        (folder / f"{part}_y.bin").write_bytes((alternating(len(images)) + 1).tobytes())
    (folder / "unlabeled_X.bin").write_bytes(b"")
    (folder / "class_names.txt").write_text("\n".join("abcdefghij"))
    return made


def usps(root: Path) -> dict[str, np.ndarray]:
    """Text with values from -1 to 1, labels from 1."""
    made = {}
    for part, name, count in (("train", "usps.bz2", 20), ("test", "usps.t.bz2", 10)):
        values = RANDOM.integers(0, 2, (count, 256)) * 2.0 - 1
        lines = (
            f"{label + 1} " + " ".join(f"{i + 1}:{v}" for i, v in enumerate(row))
            for label, row in zip(alternating(count), values, strict=True)
        )
        (root / name).write_bytes(bz2.compress("\n".join(lines).encode()))
        made[part] = ((values + 1) / 2 * 255).astype(np.uint8).reshape(-1, 1, 16, 16)
    return made


def gtsrb(root: Path) -> dict[str, np.ndarray]:
    base = root / "gtsrb/GTSRB"
    made = {"train": pixels(6, 9, 8, 3), "test": pixels(4, 9, 8, 3)}
    for i, image in enumerate(made["train"]):
        draw(base / f"Training/{i // 3:05d}/{i:05d}.ppm", image)
    for i, image in enumerate(made["test"]):
        draw(base / f"Final_Test/Images/{i:05d}.ppm", image)
    rows = "".join(f"{i:05d}.ppm;{i % 2}\n" for i in range(4))
    (root / "gtsrb/GT-final_test.csv").write_text("Filename;ClassId\n" + rows)
    return {part: images.transpose(0, 3, 1, 2) for part, images in made.items()}


def image_folder(root: Path) -> dict[str, np.ndarray]:
    made = {part: pixels(4, 5, 6, 3) for part in ("train", "val", "test")}
    for part, images in made.items():
        for i, image in enumerate(images):
            draw(root / part / "ab"[i // 2] / f"{i}.png", image)
    return {part: images.transpose(0, 3, 1, 2) for part, images in made.items()}


def dtd(root: Path) -> dict[str, np.ndarray]:
    """Lists of files say which part an image is of."""
    made = {}
    for part in ("train", "val", "test"):
        lines = []
        for i, kind in enumerate(("banded", "dotted") * 2):
            draw(root / "dtd/dtd/images" / kind / f"{kind}_{part}{i}.jpg", np.full((8, 8, 3), 60 * i, np.uint8))
            lines.append(f"{kind}/{kind}_{part}{i}.jpg")
        (root / "dtd/dtd/labels").mkdir(exist_ok=True)
        (root / f"dtd/dtd/labels/{part}1.txt").write_text("\n".join(lines))
        made[part] = np.repeat(np.uint8([0, 60, 120, 180]), 3 * 64).reshape(4, 3, 8, 8)
    return made


def medmnist_file(folder: Path, name: str = "pathmnist.npz", classes: int = 9, channels: int = 3) -> Path:
    """As MedMNIST writes them: labels in a column, channels last, a validation part."""
    shape = (2 * classes, 28, 28) + (channels,) * (channels > 1)
    arrays = {}
    for number, part in enumerate(("train", "val", "test")):
        arrays[f"{part}_images"] = np.random.default_rng(number).integers(0, 256, shape, dtype=np.uint8)
        arrays[f"{part}_labels"] = (np.arange(2 * classes, dtype=np.uint8) % classes)[:, None]
    np.savez_compressed(folder / name, **arrays)
    return folder / name
