"""The datasets bench knows: their files, checksums, classes and sources."""

from __future__ import annotations

import hashlib
import string
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from bench.errors import UserError, escaped_line, match_spelling, nearest
from bench.jsonutil import JsonObject

LONGEST = 255
"""Characters of a class's name."""

DIGITS = tuple(string.digits)

FASHION = (
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
)

KUZUSHIJI = ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")

LETTERS = tuple(string.ascii_lowercase)
"""EMNIST's 26 letters, small and capital ones together."""

BALANCED = (*string.digits, *string.ascii_uppercase, *"abdefghnqrt")
"""EMNIST's 47 classes: small letters that look like their capitals are one class with them (arXiv 1702.05373)."""

CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

_CIFAR100 = """
apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can castle
caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin elephant
flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree
motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain plate
poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper snail snake spider
squirrel streetcar sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip turtle
wardrobe whale willow_tree wolf woman worm
"""
CIFAR100 = tuple(_CIFAR100.split())


def check_names(names: Iterable[str], what: str) -> None:
    """UserError, which begins with `what`, for names of classes from outside that no table or terminal can show.

    They are checked here, where they enter; terminal, page, CSV and Markdown show them as they are.
    """
    by_normal_form: dict[str, str] = {}
    for name in names:
        text = f"{escaped_line(name[:40])}..." if len(name) > LONGEST else escaped_line(name)
        if not name.strip():
            raise UserError(f"{what}: the name '{text}' is blank: give every class a name that can be read")
        if escaped_line(name) != name:
            raise UserError(
                f"{what}: the name '{text}' has a character that is obeyed and not shown, written out here: "
                "rename the class"
            )
        if len(name) > LONGEST:
            raise UserError(f"{what}: the name '{text}' has {len(name):,} characters, allowed are {LONGEST}")
        same_text = by_normal_form.setdefault(unicodedata.normalize("NFC", name).strip(), name)
        if same_text != name:
            raise UserError(f"{what}: the names {same_text!a} and {name!a} look the same: rename one of the classes")


@dataclass(frozen=True)
class FileInfo:
    """One file; `md5` is that of the file as it is distributed, as torchvision or the makers' own page has it.

    `sha256` is that of the unpacked bytes, since mirrors and packages compress them differently, and `name` is then
    without ``.gz``. With `as_distributed` only the checksum of the distributed file is known: `name` and `sha256` are
    its own, and no other form of it will do.
    """

    name: str
    title: str
    sha256: str
    md5: str
    as_distributed: bool = False

    @property
    def distributed(self) -> str:
        """The file's name on the mirrors."""
        return self.name if self.as_distributed else f"{self.name}.gz"

    @property
    def names(self) -> tuple[str, ...]:
        """What the file may be called on a disk; the unpacked one is read faster."""
        return (self.name,) if self.as_distributed else (self.name, f"{self.name}.gz")


@dataclass(frozen=True)
class DatasetInfo:
    """One dataset; `shape` is (channels, height, width), `folders` are where its files commonly lie.

    `layout` says how its files are read (`bench.data.file_formats`): ``idx`` are four files, training images and
    labels, then the test's. The others are one archive, of which `train_members` and `test_members` are read. The first
    of `folders` is also its folder in the user cache.
    """

    name: str
    title: str
    classes: tuple[str, ...]
    shape: tuple[int, int, int]
    train_size: int
    test_size: int
    files: tuple[FileInfo, ...]
    mirrors: tuple[str, ...]
    folders: tuple[str, ...]
    debian_package: str | None = None
    layout: Literal["idx", "emnist", "cifar"] = "idx"
    train_members: tuple[str, ...] = ()
    test_members: tuple[str, ...] = ()
    unequal_classes: tuple[int, ...] = ()
    """Training images of each class, where they are not equally many."""

    @property
    def class_sizes(self) -> tuple[int, ...]:
        """Training images of each class, the validation part included."""
        return self.unequal_classes or (self.train_size // len(self.classes),) * len(self.classes)

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of the files' checksums and the members read, one per line; part of every trial's key."""
        parts = (*(file.sha256 for file in self.files), *self.train_members, *self.test_members)
        return hashlib.sha256("".join(f"{part}\n" for part in parts).encode("ascii")).hexdigest()


def _emnist(split: str, classes: tuple[str, ...], train_size: int, test_size: int) -> DatasetInfo:
    """One of EMNIST's splits; all are in one archive."""
    train, test = (
        tuple(f"gzip/emnist-{split}-{part}-{kind}-ubyte.gz" for kind in ("images-idx3", "labels-idx1"))
        for part in ("train", "test")
    )
    archive = FileInfo(
        "gzip.zip",
        "archive",
        "fb9bb67e33772a9cc0b895e4ecf36d2cf35be8b709693c3564cea2a019fcda8e",
        "58c8d27c78d21e728a6bc7b3cc06412e",
        as_distributed=True,
    )
    return DatasetInfo(
        name=f"emnist_{split}",
        title=f"EMNIST {split}",
        classes=classes,
        shape=(1, 28, 28),
        train_size=train_size,
        test_size=test_size,
        files=(archive,),
        mirrors=("https://biometrics.nist.gov/cs_links/EMNIST/",),
        folders=("emnist", "EMNIST/raw", "EMNIST"),
        layout="emnist",
        train_members=train,
        test_members=test,
    )


IDX_FILES = (
    ("train-images-idx3-ubyte", "training images"),
    ("train-labels-idx1-ubyte", "training labels"),
    ("t10k-images-idx3-ubyte", "test images"),
    ("t10k-labels-idx1-ubyte", "test labels"),
)
"""MNIST's four files, whose names those after it kept."""


def _digits_like(
    *,
    name: str,
    title: str,
    classes: tuple[str, ...],
    sums: tuple[tuple[str, str], ...],
    mirrors: tuple[str, ...],
    folders: tuple[str, ...],
    as_distributed: bool = False,
    debian_package: str | None = None,
    unequal_classes: tuple[int, ...] = (),
) -> DatasetInfo:
    """A dataset in MNIST's form; `sums` are SHA-256 and MD5 of each of `IDX_FILES`."""
    suffix = ".gz" if as_distributed else ""
    return DatasetInfo(
        name=name,
        title=title,
        classes=classes,
        shape=(1, 28, 28),
        train_size=60_000,
        test_size=10_000,
        files=tuple(
            FileInfo(f"{file}{suffix}", title_of_file, *checksums, as_distributed=as_distributed)
            for (file, title_of_file), checksums in zip(IDX_FILES, sums, strict=True)
        ),
        mirrors=mirrors,
        folders=folders,
        debian_package=debian_package,
        unequal_classes=unequal_classes,
    )


def _cifar(
    *, number: int, classes: tuple[str, ...], sha256: str, md5: str, train: tuple[str, ...], test: tuple[str, ...]
) -> DatasetInfo:
    """CIFAR-10 or CIFAR-100, from its binary archive."""
    return DatasetInfo(
        name=f"cifar{number}",
        title=f"CIFAR-{number}",
        classes=classes,
        shape=(3, 32, 32),
        train_size=50_000,
        test_size=10_000,
        files=(FileInfo(f"cifar-{number}-binary.tar.gz", "archive", sha256, md5, as_distributed=True),),
        mirrors=("https://www.cs.toronto.edu/~kriz/",),
        folders=(f"cifar{number}", f"cifar-{number}", f"CIFAR{number}"),
        layout="cifar",
        train_members=train,
        test_members=test,
    )


# Mirrors and MD5 sums: torchvision 0.29, torchvision/datasets/mnist.py; SHA-256 of KMNIST's and EMNIST's files and of
# CIFAR's binary archives, which are read without unpickling anything: TensorFlow Datasets, url_checksums/; MD5 sums of
# these archives: https://www.cs.toronto.edu/~kriz/cifar.html.
DATASETS: dict[str, DatasetInfo] = {
    info.name: info
    for info in (
        _digits_like(
            name="fashion_mnist",
            title="Fashion-MNIST",
            classes=FASHION,
            sums=(
                (
                    "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
                    "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
                ),
                (
                    "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
                    "25c81989df183df01b3e8a0aad5dffbe",
                ),
                (
                    "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
                    "bef4ecab320f06d8554ea6380940ec79",
                ),
                (
                    "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
                    "bb300cfdad3c16e7a12a480ee83cd310",
                ),
            ),
            mirrors=("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",),
            folders=("fashion_mnist", "fashion-mnist", "FashionMNIST/raw", "FashionMNIST"),
            debian_package="dataset-fashion-mnist",
        ),
        _digits_like(
            name="mnist",
            title="MNIST",
            classes=DIGITS,
            sums=(
                (
                    "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
                    "f68b3c2dcbeaaa9fbdd348bbdeb94873",
                ),
                (
                    "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
                    "d53e105ee54ea40749a09fcbcd1e9432",
                ),
                (
                    "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
                    "9fb629c4189551a2d022fa330f9573f3",
                ),
                (
                    "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
                    "ec29112dd5afa0611ce80d1b7f02629c",
                ),
            ),
            mirrors=(
                "https://ossci-datasets.s3.amazonaws.com/mnist/",
                "http://yann.lecun.com/exdb/mnist/",
            ),
            folders=("mnist", "MNIST/raw", "MNIST"),
            unequal_classes=(5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949),
        ),
        _digits_like(
            name="kmnist",
            title="KMNIST",
            classes=KUZUSHIJI,
            sums=(
                (
                    "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
                    "bdb82020997e1d708af4cf47b453dcf7",
                ),
                (
                    "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
                    "e144d726b3acfaa3e44228e80efcd344",
                ),
                (
                    "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
                    "5c965bf0a639b31b8f53240b1b52f4d7",
                ),
                (
                    "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
                    "7320c461ea6c1c855c0b718fb2a4b134",
                ),
            ),
            as_distributed=True,
            mirrors=("http://codh.rois.ac.jp/kmnist/dataset/kmnist/",),
            folders=("kmnist", "KMNIST/raw", "KMNIST"),
        ),
        _emnist("balanced", BALANCED, 112_800, 18_800),
        _emnist("letters", LETTERS, 124_800, 20_800),
        _emnist("digits", DIGITS, 240_000, 40_000),
        _cifar(
            number=10,
            classes=CIFAR10,
            sha256="c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
            md5="c32a1d4ab5d03f1284b67883e8d87530",
            train=tuple(f"cifar-10-batches-bin/data_batch_{i}.bin" for i in range(1, 6)),
            test=("cifar-10-batches-bin/test_batch.bin",),
        ),
        _cifar(
            number=100,
            classes=CIFAR100,
            sha256="58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
            md5="03b5dce01913d631647c71ecec9e9cb8",
            train=("cifar-100-binary/train.bin",),
            test=("cifar-100-binary/test.bin",),
        ),
    )
}


def find(dataset: str | JsonObject) -> DatasetInfo:
    """The catalogue's entry of a name or of a suite file's entry; UserError with the nearest spelling for no such.

    A split is part of the name (``emnist_letters``) or a parameter (``{"name": "emnist", "split": "letters"}``).
    """
    component = {"name": dataset} if isinstance(dataset, str) else dataset
    name = match_spelling(component["name"], DATASETS)
    if name == "emnist":
        name = f"emnist_{component.get('split', 'balanced')}"
    if name in DATASETS:
        return DATASETS[name]
    hint = nearest(name, DATASETS)
    raise UserError(f"unknown dataset {name!r}; known: {', '.join(DATASETS)}" + (f"\n  {hint}" if hint else ""))
