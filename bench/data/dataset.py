"""From a data set's name or component to its verified arrays: locate the files, else download them, then read."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.components.datasets import IN_MEMORY
from bench.data import in_memory
from bench.data.catalogue import DatasetInfo, find
from bench.data.download import Notify, SourceError, from_debian, from_mirrors
from bench.data.file_formats import read, verify
from bench.data.local_files import cached, locate, search_paths, user_cache
from bench.data.prepare import Labels
from bench.data.readers import fetch as fetch_from_library
from bench.data.readers import fields, is_from_path, is_present
from bench.data.readers import fingerprint as user_fingerprint
from bench.data.readers import labels as user_labels
from bench.errors import UserError
from bench.jsonutil import JsonObject

SOURCES: dict[str, Callable[[DatasetInfo, Path, Path, Notify], None]] = {
    "mirrors": from_mirrors,
    "Debian package": from_debian,
}
"""In the order they are tried; each gets the dataset, the folder its files go into and an empty one to work in."""


@dataclass(frozen=True)
class Dataset:
    """A dataset as its makers published it: all pixels and labels in their order (an image folder's is made up).

    Images are uint8 arrays of shape (N, C, H, W), read-only; labels are int64 arrays of shape (N,), class
    numbers that index `classes`. `sha256` is the fingerprint, `source` the folder read. `val_images` are a validation
    part that comes with the data set, which `validation: given` uses and nothing else.
    """

    name: str
    classes: tuple[str, ...]
    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.int64]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.int64]
    sha256: str
    source: Path
    val_images: NDArray[np.uint8] | None = None
    val_labels: NDArray[np.int64] | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of all pixels."""
        parts = (self.train_images, self.val_images, self.test_images)
        return sum(part.nbytes for part in parts if part is not None)

    def with_given_part(self) -> Dataset:
        """With the images of the validation part that comes with it as its last training images."""
        if self.val_images is None or self.val_labels is None:
            return self
        images = np.concatenate([self.train_images, self.val_images])
        labels = np.concatenate([self.train_labels, self.val_labels])
        return replace(self, train_images=images, train_labels=labels, val_images=None, val_labels=None)

    @property
    def labels(self) -> Labels:
        return Labels(self.train_labels, self.val_labels)

    @property
    def given_size(self) -> int:
        """Images of the validation part that comes with the data set."""
        return 0 if self.val_labels is None else len(self.val_labels)

    @classmethod
    def from_arrays(
        cls,
        train_images: NDArray[np.uint8],
        train_labels: NDArray[np.integer[Any]],
        test_images: NDArray[np.uint8],
        test_labels: NDArray[np.integer[Any]],
        classes: Sequence[str] | None = None,
        name: str = "arrays",
        val_images: NDArray[np.uint8] | None = None,
        val_labels: NDArray[np.integer[Any]] | None = None,
    ) -> Dataset:
        """Arrays in memory as a data set, for suites in Python: ``{"dataset": data}``.

        They are copied, so later changes of the arrays change nothing. Their contents are in the trials' keys, under
        whatever name, so the same arrays in another session have the same results.

        Parameters
        ----------
        train_images, test_images
            uint8 of shape (N, H, W), (N, H, W, C) or (N, C, H, W) with 1 or 3 channels.
        train_labels, test_labels
            Whole numbers from 0, shape (N,) or (N, 1); every class has images in both parts.
        classes
            A name per label, shape (classes,); their numbers without.
        name
            What reports call the data: letters, digits, ``_``, ``-`` and ``.``, at most 64 of them.
        val_images, val_labels
            A validation part, which `validation: given` uses.

        Raises
        ------
        UserError
            An array of another type or shape, as from an .npz file; the message names it.

        Examples
        --------
        >>> random = np.random.default_rng(0)
        >>> images, labels = random.integers(0, 256, (60, 8, 8), np.uint8), np.arange(60) % 3
        >>> data = Dataset.from_arrays(images[:30], labels[:30], images[30:], labels[30:], name="noise")
        >>> data.train_images.shape, data.classes
        ((30, 1, 8, 8), ('0', '1', '2'))
        """
        arrays = {"train_images": train_images, "train_labels": train_labels}
        arrays |= {"test_images": test_images, "test_labels": test_labels}
        arrays |= {
            key: array for key, array in (("val_images", val_images), ("val_labels", val_labels)) if array is not None
        }
        return cls(name=name, **in_memory.checked(arrays, classes, name))

    def to_component(self) -> JsonObject:
        """What stands for the data in a configuration; this process then knows where to find them."""
        return in_memory.add(self)


def _quietly(_: str) -> None:
    """Says nothing."""


def _in_memory(dataset: str | JsonObject) -> Dataset | None:
    """The arrays that a component names; None for every other data set."""
    return in_memory.find(dataset) if not isinstance(dataset, str) and dataset["name"] == IN_MEMORY else None


def load(dataset: str | JsonObject, data_dir: Path | None = None, notify: Notify = _quietly) -> Dataset:
    """A dataset's pixels and labels, downloaded first where no folder has them.

    Folders in order: `data_dir`, the environment variable BENCH_DATA, the user cache, ``/usr/share/datasets``.
    Else it is downloaded into the user cache, from the public mirrors or Debian's package. Every file
    is checked by its SHA-256, wherever it comes from.

    Parameters
    ----------
    dataset
        A name of the catalogue, e.g. ``fashion_mnist``; or a suite file's entry, with its `path` made absolute where
        it is the user's own data.
    data_dir
        A folder with the dataset's files (IDX files compressed or not), or with its usual sub-folder.
    notify
        Gets one line at a time on what is being fetched or decoded.

    Raises
    ------
    UserError
        Unknown name; a file that is found but truncated, damaged or another one; or no folder and no
        source has the files, with the reason for each. For the user's own data, see `bench.data.image_folder` and
        `bench.data.npz`.
    """
    if (given := _in_memory(dataset)) is not None:
        return given
    if not isinstance(dataset, str) and is_from_path(dataset):
        name, arrays = fields(dataset, notify)
        return Dataset(name=name, **arrays)
    return load_info(find(dataset), data_dir, notify)


def load_local(dataset: str | JsonObject) -> Dataset | None:
    """As `load`, but only what is on this machine: None where no folder has the files, and nothing is fetched.

    Raises
    ------
    UserError
        As `load`, where files that are here cannot be used.
    """
    if (given := _in_memory(dataset)) is not None:
        return given
    if not isinstance(dataset, str) and is_from_path(dataset):
        return load(dataset) if is_present(dataset) else None
    info = find(dataset)
    is_found = any(locate(info, search_path)[0] is not None for search_path in search_paths(info, None))
    return load_info(info) if is_found else None


def fetch(name: str | JsonObject, data_dir: Path | None = None, notify: Notify = _quietly) -> Path:
    """Make sure that a dataset's files are there, and return their folder; parameters and errors as in `load`."""
    if not isinstance(name, str) and is_from_path(name):
        return fetch_from_library(name, notify)
    info = find(name)
    paths = _obtain(info, data_dir, notify)
    for file, path in zip(info.files, paths, strict=True):
        verify(info, file, path)
    return paths[0].parent


def fingerprint(dataset: str | JsonObject) -> str:
    """SHA-256 (hex) over a dataset's checksums; needs no files, except for the user's own data, whose contents count.

    Raises
    ------
    UserError
        Unknown name; the user's own files are missing or cannot be read.
    """
    if (given := _in_memory(dataset)) is not None:
        return given.sha256
    if not isinstance(dataset, str) and is_from_path(dataset):
        return user_fingerprint(dataset)
    return find(dataset).fingerprint


def shape(dataset: str | JsonObject, notify: Notify = _quietly) -> tuple[tuple[int, int, int], int]:
    """The images' (channels, height, width) and the number of classes; the user's own data are read for it."""
    if not isinstance(dataset, str) and (is_from_path(dataset) or dataset["name"] == IN_MEMORY):
        data = load(dataset, notify=notify)
        channels, height, width = data.train_images.shape[1:]
        return (channels, height, width), len(data.classes)
    info = find(dataset)
    return info.shape, len(info.classes)


def train_size(dataset: str | JsonObject) -> int:
    """How many training images there are, validation included; the user's own data are read for it."""
    if not isinstance(dataset, str) and (is_from_path(dataset) or dataset["name"] == IN_MEMORY):
        return len(load(dataset).train_labels)
    return find(dataset).train_size


def labels(dataset: JsonObject, notify: Notify = _quietly) -> Labels:
    """The labels of the user's own data, checked as far as that takes no pixels; errors as in `load`."""
    if (given := _in_memory(dataset)) is not None:
        return given.labels
    return user_labels(dataset, notify)


def load_info(info: DatasetInfo, data_dir: Path | None = None, notify: Notify = _quietly) -> Dataset:
    """`load` for a dataset that need not be in the catalogue."""
    paths = _obtain(info, data_dir, notify)
    arrays = read(info, paths)
    return Dataset(
        info.name,
        info.classes,
        arrays.train_images,
        arrays.train_labels,
        arrays.test_images,
        arrays.test_labels,
        info.fingerprint,
        paths[0].parent,
    )


def _obtain(info: DatasetInfo, data_dir: Path | None, notify: Notify) -> list[Path]:
    """The paths of the files, not verified yet; downloaded where no folder has them."""
    attempts = []
    for search_path in search_paths(info, data_dir):
        paths, reason = locate(info, search_path)
        if paths is not None:
            return paths
        attempts.append(f"{search_path.label} ({search_path.root}): {reason}")
        if search_path.given:
            notify(f"{info.name}: {attempts[-1]}; looking elsewhere")
    _download(info, attempts, notify)
    paths, reason = locate(info, cached(info))
    if paths is None:
        raise UserError(
            f"{cached(info).root}, where {info.name} was just downloaded to, {reason}; run the command again"
        )
    return paths


def _download(info: DatasetInfo, attempts: list[str], notify: Notify) -> None:
    """Fetch into the user cache from the first source that has them: written to a temporary folder, verified, renamed.

    `attempts` holds the folders that were searched, with the reasons; the sources' reasons are added to it.
    """
    cache = user_cache()
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{info.name}-", dir=cache, ignore_cleanup_errors=True) as temporary:
            for label, fetch_from in SOURCES.items():
                fetched, scratch = (
                    Path(temporary, fetch_from.__name__, "fetched"),
                    Path(temporary, fetch_from.__name__, "scratch"),
                )
                fetched.mkdir(parents=True)
                scratch.mkdir()
                try:
                    fetch_from(info, fetched, scratch, notify)
                except SourceError as error:
                    attempts.append(f"{label}: {error}")
                    continue
                _publish(fetched, cached(info).root)
                notify(f"{info.name}: verified and saved in {cached(info).root}")
                return
    except OSError as error:
        reason = f"{error.strerror or error}; let XDG_CACHE_HOME name a folder that can be written to"
        attempts.append(f"no download, since the user cache ({cache}) cannot be written to: {reason}")
    raise _nowhere(info, attempts)


def _publish(fetched: Path, folder: Path) -> None:
    """Put a whole folder into place at once, or file by file over what is there; safe for several processes."""
    try:
        fetched.rename(folder)
    except OSError:
        folder.mkdir(exist_ok=True)
        for path in fetched.iterdir():
            path.replace(folder / path.name)


def _nowhere(info: DatasetInfo, attempts: list[str]) -> UserError:
    lines = "".join(f"\n  - {line}" for line in attempts)
    names = ", ".join(f"{file.distributed}" for file in info.files)
    unpacked = "" if any(file.as_distributed for file in info.files) else "(or the unpacked files) "
    return UserError(
        f"{info.name}: {info.title} is not on this machine and could not be fetched. Tried:{lines}\n"
        f"What to do: on a machine with a network, run `bench data fetch {info.name}` again; or put {names}\n"
        f"{unpacked}into a folder and name it with --data-dir or the environment variable BENCH_DATA."
    )
