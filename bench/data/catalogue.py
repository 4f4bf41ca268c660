"""The datasets bench knows: their files, checksums, classes and sources."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from bench.suite.errors import UserError, nearest


@dataclass(frozen=True)
class FileInfo:
    """One IDX file; `name` is without ``.gz``.

    `sha256` is that of the unpacked bytes, since mirrors and packages compress them differently;
    `md5` is that of the original ``.gz``, as torchvision has it.
    """

    name: str
    title: str
    sha256: str
    md5: str


@dataclass(frozen=True)
class DatasetInfo:
    """One dataset; `shape` is (channels, height, width), `folders` are where its files commonly lie."""

    name: str
    title: str
    classes: tuple[str, ...]
    shape: tuple[int, int, int]
    train_size: int
    test_size: int
    train_images: FileInfo
    train_labels: FileInfo
    test_images: FileInfo
    test_labels: FileInfo
    mirrors: tuple[str, ...]
    folders: tuple[str, ...]
    debian_package: str | None = None

    @property
    def files(self) -> tuple[FileInfo, FileInfo, FileInfo, FileInfo]:
        """The four files, in the order of `fingerprint`."""
        return self.train_images, self.train_labels, self.test_images, self.test_labels

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of the four unpacked checksums, one per line; part of every trial's key."""
        lines = "".join(f"{file.sha256}\n" for file in self.files)
        return hashlib.sha256(lines.encode("ascii")).hexdigest()


# Mirrors and MD5 sums: torchvision 0.29, torchvision/datasets/mnist.py.
DATASETS: dict[str, DatasetInfo] = {
    info.name: info
    for info in (
        DatasetInfo(
            name="fashion_mnist",
            title="Fashion-MNIST",
            classes=(
                "T-shirt/top",
                "Trouser",
                "Pullover",
                "Dress",
                "Coat",
                "Sandal",
                "Shirt",
                "Sneaker",
                "Bag",
                "Ankle boot",
            ),
            shape=(1, 28, 28),
            train_size=60_000,
            test_size=10_000,
            train_images=FileInfo(
                "train-images-idx3-ubyte",
                "training images",
                "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
                "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            ),
            train_labels=FileInfo(
                "train-labels-idx1-ubyte",
                "training labels",
                "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
                "25c81989df183df01b3e8a0aad5dffbe",
            ),
            test_images=FileInfo(
                "t10k-images-idx3-ubyte",
                "test images",
                "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
                "bef4ecab320f06d8554ea6380940ec79",
            ),
            test_labels=FileInfo(
                "t10k-labels-idx1-ubyte",
                "test labels",
                "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
                "bb300cfdad3c16e7a12a480ee83cd310",
            ),
            mirrors=("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",),
            folders=("fashion_mnist", "fashion-mnist", "FashionMNIST/raw", "FashionMNIST"),
            debian_package="dataset-fashion-mnist",
        ),
        DatasetInfo(
            name="mnist",
            title="MNIST",
            classes=("0", "1", "2", "3", "4", "5", "6", "7", "8", "9"),
            shape=(1, 28, 28),
            train_size=60_000,
            test_size=10_000,
            train_images=FileInfo(
                "train-images-idx3-ubyte",
                "training images",
                "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
                "f68b3c2dcbeaaa9fbdd348bbdeb94873",
            ),
            train_labels=FileInfo(
                "train-labels-idx1-ubyte",
                "training labels",
                "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
                "d53e105ee54ea40749a09fcbcd1e9432",
            ),
            test_images=FileInfo(
                "t10k-images-idx3-ubyte",
                "test images",
                "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
                "9fb629c4189551a2d022fa330f9573f3",
            ),
            test_labels=FileInfo(
                "t10k-labels-idx1-ubyte",
                "test labels",
                "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
                "ec29112dd5afa0611ce80d1b7f02629c",
            ),
            mirrors=("https://ossci-datasets.s3.amazonaws.com/mnist/", "http://yann.lecun.com/exdb/mnist/"),
            folders=("mnist", "MNIST/raw", "MNIST"),
        ),
    )
}


def find(name: str) -> DatasetInfo:
    """The catalogue's entry of that name; UserError with the nearest spelling where there is none."""
    if name in DATASETS:
        return DATASETS[name]
    hint = nearest(name, DATASETS)
    raise UserError(f"unknown dataset {name!r}; known: {', '.join(DATASETS)}" + (f"\n  {hint}" if hint else ""))


def fingerprint(name: str) -> str:
    """SHA-256 (hex) over the four unpacked checksums of a dataset; needs no files."""
    return find(name).fingerprint
