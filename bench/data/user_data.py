"""The user's own data: a folder of images, or a file of arrays."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.characters import escaped_line
from bench.components.datasets import FROM_PATH
from bench.data import image_folder, npz
from bench.errors import UserError

Entry = dict[str, Any]
"""A dataset as a suite file has it, with its defaults and an absolute `path`: ``{"name": "npz", "path": ...}``."""


def is_from_path(component: Entry) -> bool:
    """Whether a component is the user's own data, and no dataset of the catalogue."""
    return component["name"] in FROM_PATH


def fingerprint(component: Entry) -> str:
    """SHA-256 (hex) over the contents, and the names below a folder; UserError where a file cannot be read."""
    path = Path(component["path"])
    return image_folder.fingerprint(path) if component["name"] == "image_folder" else npz.fingerprint(path)


def fields(component: Entry, notify: Callable[[str], None]) -> dict[str, Any]:
    """The fields of a `Dataset`; UserError names the file that is at fault."""
    arrays = (
        image_folder.load(component, notify) if component["name"] == "image_folder" else npz.load(component, notify)
    )
    if _is_grey(arrays["train_images"]):
        write = "write `channels: 1`" if component["name"] == "image_folder" else "save one channel"
        notify(
            f"note: {escaped_line(Path(component['path']).name)}: all its images are grey, saved with three equal "
            f"channels, and networks will see three; {write} to train on one"
        )
    return {"name": escaped_line(Path(component["path"]).name), **arrays}


def _is_grey(images: NDArray[np.uint8]) -> bool:
    """Whether three channels of every image (N, 3, H, W) are equal; looked at in parts, since most say so at once."""
    if images.shape[1] != 3:
        return False
    parts = (images[at : at + 1000] for at in range(0, len(images), 1000))
    return all(bool((part[:, :1] == part[:, 1:]).all()) for part in parts)


def train_labels(component: Entry, notify: Callable[[str], None]) -> NDArray[np.int64]:
    """The labels of the training part, in the order that `fields` has them, without reading a pixel.

    Raises
    ------
    UserError
        As `fields`, but for what only the pixels show: an image or an array that is damaged, images of two sizes.
    """
    path = Path(component["path"])
    return image_folder.train_labels(path) if component["name"] == "image_folder" else npz.check(path, notify)


def entry_at(path: Path) -> Entry | None:
    """The entry of a path that is there: a folder is one of images, anything else a file of arrays."""
    try:
        kind = "image_folder" if path.is_dir() else "npz"
        return {"name": kind, "path": os.path.realpath(path)} if path.exists() else None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from error
