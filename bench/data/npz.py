"""The user's own arrays, from one .npz file; nothing in it is unpickled."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.data.contents import file_checksum
from bench.suite.errors import UserError, nearest

ARRAYS = ("train_images", "train_labels", "test_images", "test_labels")
CLASSES = "classes"


def fingerprint(path: Path) -> str:
    """SHA-256 (hex) over the file's bytes; UserError where it cannot be read."""
    return file_checksum(path)


def load(entry: dict[str, Any]) -> dict[str, Any]:
    """The fields of a `Dataset`, from the file `entry["path"]`, its pictures in the file's order.

    Pictures are uint8 arrays of shape (N, H, W), (N, H, W, C) or (N, C, H, W) with 1 or 3 channels; labels are whole
    numbers from 0, shape (N,) or (N, 1); `classes`, where there is one, is an array of text, a name per label.

    Raises
    ------
    UserError
        The file is no .npz file, is damaged, lacks an array or has one of another kind; the message names it.
    """
    path = Path(entry["path"])
    sha256 = fingerprint(path)
    arrays = _read(path)
    train, test = (_pictures(path, key, arrays.pop(key)) for key in ("train_images", "test_images"))
    if train.shape[1:] != test.shape[1:]:
        raise UserError(
            f"{path}: train_images are {_shape(train)} (channels, height, width), test_images {_shape(test)}"
        )
    labels = {key: _labels(path, key, arrays[key]) for key in ("train_labels", "test_labels")}
    for images, key in ((train, "train_labels"), (test, "test_labels")):
        if len(images) != len(labels[key]):
            raise UserError(f"{path}: {len(labels[key]):,} {key} for {len(images):,} pictures: give one for each")
    return {
        "classes": _classes(path, arrays.get(CLASSES), labels),
        "train_images": train,
        "train_labels": labels["train_labels"],
        "test_images": test,
        "test_labels": labels["test_labels"],
        "sha256": sha256,
        "source": path.parent,
    }


def _read(path: Path) -> dict[str, NDArray[Any]]:
    expected = f"an .npz file with the arrays {', '.join(ARRAYS)}, and perhaps {CLASSES}"
    try:
        opened = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} is not {expected}: {_without_pickle(error)}") from error
    if not isinstance(opened, np.lib.npyio.NpzFile):
        raise UserError(f"{path} holds one array; expected {expected} (numpy.savez_compressed writes one)")
    with opened:
        for key in ARRAYS:
            if key not in opened.files:
                hint = nearest(key, opened.files)
                found = ", ".join(opened.files) or "nothing"
                raise UserError(f"{path} has no array {key!r}; it has {found}" + (f"\n  {hint}" if hint else ""))
        arrays = {}
        for key in (*ARRAYS, *([CLASSES] if CLASSES in opened.files else [])):
            try:
                arrays[key] = opened[key]
            except ValueError as error:
                reason = f"{_without_pickle(error)}; save it as plain numbers or text"
                raise UserError(f"{path}: {key} cannot be read: {reason}") from error
            except (OSError, EOFError, zlib.error, zipfile.BadZipFile) as error:
                raise UserError(f"{path}: {key} is damaged ({error}); write the file again") from error
    return arrays


def _without_pickle(error: Exception) -> str:
    """NumPy's reason, but for its advice to unpickle, which it gives for whatever it does not know."""
    if "pickle" in str(error):
        return (
            "it is neither plain numbers nor text, and Python objects are refused, since reading them may run anything"
        )
    return str(error)


def _pictures(path: Path, key: str, array: NDArray[Any]) -> NDArray[np.uint8]:
    """As (N, C, H, W); the channels stand last unless only the second place can be theirs."""
    if array.dtype != np.uint8:
        raise UserError(
            f"{path}: {key} are of type {array.dtype}, expected uint8 from 0 to 255; "
            "pixels in [0, 1] become that by (255 * pixels).round().astype('uint8')"
        )
    first, last = (array.shape[1] in (1, 3), array.shape[3] in (1, 3)) if array.ndim == 4 else (False, False)
    if array.size == 0 or array.ndim not in (3, 4) or (array.ndim == 4 and not first and not last):
        raise UserError(
            f"{path}: {key} have the shape {array.shape}; expected (N, height, width), (N, height, width, channels) or "
            "(N, channels, height, width), with 1 or 3 channels and at least one picture"
        )
    if first and last:
        raise UserError(f"{path}: {key} have the shape {array.shape}, where the channels may stand first or last")
    if array.ndim == 3:
        array = array[:, None]
    elif last:
        array = array.transpose(0, 3, 1, 2)
    return np.ascontiguousarray(array)


def _labels(path: Path, key: str, array: NDArray[Any]) -> NDArray[np.int64]:
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1 or array.dtype.kind not in "iu":
        what = f"type {array.dtype} and shape {array.shape}"
        raise UserError(f"{path}: {key} are of {what}; expected whole numbers from 0, one for each picture")
    if int(array.min(initial=0)) < 0:
        raise UserError(f"{path}: {key} go down to {array.min()}; number the classes from 0")
    return array.astype(np.int64)


def _classes(path: Path, names: NDArray[Any] | None, labels: dict[str, NDArray[np.int64]]) -> tuple[str, ...]:
    """The classes' names, once every class is known to have pictures in both parts."""
    highest = max(int(part.max()) for part in labels.values())
    if highest >= len(labels["train_labels"]):
        raise UserError(
            f"{path}: labels go up to {highest}, with too few pictures for so many classes; number them from 0"
        )
    if names is None:
        classes = tuple(str(number) for number in range(highest + 1))
    elif names.ndim != 1 or names.dtype.kind != "U":
        raise UserError(f"{path}: {CLASSES} are of type {names.dtype} and shape {names.shape}; expected a list of text")
    else:
        classes = tuple(str(name) for name in names)
        if len(set(classes)) < len(classes):
            twice = next(name for name in classes if classes.count(name) > 1)
            raise UserError(f"{path}: {CLASSES} names {twice!r} twice")
        if highest >= len(classes):
            key = next(key for key, part in labels.items() if part.max() == highest)
            raise UserError(f"{path}: {key} go up to {highest}, while {CLASSES} has {len(classes)} names, for 0 and up")
    if len(classes) < 2:
        raise UserError(f"{path} has one class, {classes[0]!r}: there is nothing to tell apart")
    for key, part in labels.items():
        present = np.isin(np.arange(len(classes)), part)
        if not present.all():
            number = int(np.argmin(present))
            named = f" ({classes[number]!r})" if names is not None else ""
            raise UserError(
                f"{path}: {key} have no picture of class {number}{named}; number the classes from 0 without gaps, and "
                "give each of them pictures to learn from and pictures to be tested on"
            )
    return classes


def _shape(images: NDArray[np.uint8]) -> tuple[int, ...]:
    return tuple(images.shape[1:])
