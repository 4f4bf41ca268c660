"""Data that only files, or a library's hub, tell of: which module reads each kind."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.components.datasets import FROM_PATH
from bench.data import hugging_face, image_folder, medmnist_files, npz, parquet_files, torchvision_sets
from bench.data.decoded import Notify
from bench.data.local_files import SourceFiles
from bench.data.npz import SourceArrays
from bench.data.prepare import Labels
from bench.errors import UserError, escaped_line
from bench.jsonutil import JsonObject


@dataclass(frozen=True)
class Reader:
    """How data sets of one kind are read; each function gets the entry, its `path` absolute.

    `fingerprint` is a checksum of the contents; `labels` are those that `load` has, without reading a pixel where that
    is possible; `load` returns the fields of a `Dataset` but its name.
    """

    fingerprint: Callable[[JsonObject], str]
    labels: Callable[[JsonObject, Notify], Labels]
    load: Callable[[JsonObject, Notify], SourceArrays]
    source_files: Callable[[JsonObject], SourceFiles]
    one_channel: str = "write `channels: 1`"
    """How grey images that were saved in three channels are read as one."""


READERS = {
    "image_folder": Reader(image_folder.fingerprint, image_folder.labels, image_folder.load, image_folder.source_files),
    "npz": Reader(npz.fingerprint, npz.labels, npz.load, npz.source_files, "save one channel"),
    "torchvision": Reader(
        torchvision_sets.fingerprint, torchvision_sets.labels, torchvision_sets.load, torchvision_sets.source_files
    ),
    "medmnist": Reader(
        medmnist_files.fingerprint,
        medmnist_files.labels,
        medmnist_files.load,
        medmnist_files.source_files,
        "save one channel",
    ),
    "hf": Reader(hugging_face.fingerprint, hugging_face.labels, hugging_face.load, hugging_face.source_files),
    "parquet": Reader(parquet_files.fingerprint, parquet_files.labels, parquet_files.load, parquet_files.source_files),
}


def is_from_path(component: JsonObject) -> bool:
    """Whether only its files tell what a data set is; of those in the catalogue it is known beforehand."""
    return component["name"] in FROM_PATH


def is_present(component: JsonObject) -> bool:
    """Whether the files are on this machine; False for a name of a hub, whose copy here may not be all of it."""
    if "path" in component:
        return os.path.exists(component["path"])  # noqa: PTH110 (a Path's own may raise)
    try:
        fingerprint(component)
    except UserError:
        return False
    return True


def fingerprint(component: JsonObject) -> str:
    """SHA-256 (hex) over the contents, and the names below a folder; UserError where a file cannot be read."""
    return READERS[component["name"]].fingerprint(component)


def source_files(component: JsonObject) -> SourceFiles | None:
    """The files that another machine needs for these data; None of what a hub has. Errors as in `fingerprint`."""
    if component["name"] == "hf" and not hugging_face.is_local(component):
        return None
    return READERS[component["name"]].source_files(component)


def fields(component: JsonObject, notify: Notify) -> tuple[str, SourceArrays]:
    """The name and the other fields of a `Dataset`; UserError names the file that is at fault."""
    reader = READERS[component["name"]]
    arrays = reader.load(component, notify)
    name = _title(component)
    if _is_grey(arrays["train_images"]):
        notify(
            f"note: {name}: all its images are grey, saved with three equal channels, and networks will see three; "
            f"{reader.one_channel} to train on one"
        )
    return name, arrays


def fetch(component: JsonObject, notify: Notify) -> Path:
    """Have a library download a data set; its folder or file. UserError where it cannot."""
    if component["name"] == "torchvision":
        return torchvision_sets.fetch(component, notify)
    if component["name"] == "medmnist":
        return medmnist_files.fetch(component, notify)
    if component["name"] == "hf" and not hugging_face.is_local(component):
        return fields(component, notify)[1]["source"]
    raise UserError(f"{component['name']} {component['path']}: these are files of your own, which no server has")


def _title(component: JsonObject) -> str:
    return escaped_line(component.get("dataset") or Path(component["path"]).name)


def _is_grey(images: NDArray[np.uint8]) -> bool:
    """Whether three channels of every image (N, 3, H, W) are equal; looked at in parts, since most say so at once."""
    if images.shape[1] != 3:
        return False
    parts = (images[at : at + 1000] for at in range(0, len(images), 1000))
    return all(bool((part[:, :1] == part[:, 1:]).all()) for part in parts)


def labels(component: JsonObject, notify: Notify) -> Labels:
    """The labels, in the order that `fields` has them, without reading a pixel where that is possible.

    Raises
    ------
    UserError
        As `fields`, but for what only the pixels show: an image or an array that is damaged, images of two sizes.
    """
    return READERS[component["name"]].labels(component, notify)


def entry_at(path: Path) -> JsonObject | None:
    """The entry of a path that is there: a folder is one of images, anything else a file of arrays."""
    try:
        kind = "image_folder" if path.is_dir() else "npz"
        return {"name": kind, "path": os.path.realpath(path)} if path.exists() else None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from error
