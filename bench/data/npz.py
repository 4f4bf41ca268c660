"""The user's own arrays, from one .npz file; nothing in it is unpickled."""

from __future__ import annotations

import hashlib
import io
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NotRequired, TypedDict

import numpy as np
from numpy.typing import NDArray

from bench.arrays import Archive, ArrayError, open_arrays
from bench.data import catalogue
from bench.data.decoded import Notify
from bench.data.local_files import SourceFiles, check_file, correct, read
from bench.data.prepare import Labels
from bench.errors import UserError, escaped_line, nearest
from bench.jsonutil import JsonObject

ARRAYS = ("train_images", "train_labels", "test_images", "test_labels")
VALIDATION = ("val_images", "val_labels")
"""Perhaps there: a validation part, as MedMNIST's files have it."""
CLASSES = "classes"

Header = tuple[tuple[int, ...], np.dtype[Any]]


class DataArrays(TypedDict):
    """What a `bench.data.Dataset` has of arrays, by its fields' names."""

    classes: tuple[str, ...]
    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.int64]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.int64]
    val_images: NotRequired[NDArray[np.uint8]]
    val_labels: NotRequired[NDArray[np.int64]]


class SourceArrays(DataArrays):
    """DataArrays with the checksum of their contents and the folder that they were read from."""

    sha256: str
    source: Path


def fingerprint(component: JsonObject) -> str:
    """SHA-256 (hex) over the file's bytes; UserError where it cannot be read."""
    return source_files(component).checksum


def source_files(component: JsonObject) -> SourceFiles:
    return SourceFiles(Path(component["path"]))


def load(component: JsonObject, notify: Notify) -> SourceArrays:
    """The fields of a `Dataset`, from the file `component["path"]`, its images in the file's order.

    Images are uint8 arrays of shape (N, H, W), (N, H, W, C) or (N, C, H, W) with 1 or 3 channels; labels are whole
    numbers from 0, shape (N,) or (N, 1); `classes`, where there is one, is an array of text, a name per label.
    `val_images` and `val_labels` are a validation part and may be missing. The checksum is that of the very bytes that
    the arrays are read from.

    Raises
    ------
    UserError
        The file is no .npz file, is damaged, lacks an array or has one of another kind; the message names it.
    """
    path = Path(component["path"])
    data = read(path)
    sha256 = hashlib.sha256(data).hexdigest()
    correct(path, sha256)
    with _opened(path, io.BytesIO(data)) as archive:
        labels, classes = _labels_and_classes(path, archive)
        pixels = {key: images_of(path, key, archive.array(key)) for key in map(_images_key, labels)}
        _tell_unused(path, archive, notify)
    return {**_arrays(classes, pixels, labels), "sha256": sha256, "source": path.parent}


def _arrays(
    classes: tuple[str, ...], pixels: Mapping[str, NDArray[np.uint8]], labels: Mapping[str, NDArray[np.int64]]
) -> DataArrays:
    arrays: DataArrays = {
        "classes": classes,
        "train_images": pixels["train_images"],
        "train_labels": labels["train_labels"],
        "test_images": pixels["test_images"],
        "test_labels": labels["test_labels"],
    }
    if "val_labels" in labels:
        arrays["val_images"], arrays["val_labels"] = pixels["val_images"], labels["val_labels"]
    return arrays


def from_arrays(what: str, arrays: Mapping[str, Any]) -> DataArrays:
    """The fields of a `Dataset`, from arrays as `load` reads them; `what` begins a message of what is wrong."""
    required = (*ARRAYS, *(key for key in VALIDATION if arrays.get(key) is not None))
    missing = [key for key in required if not isinstance(arrays.get(key), np.ndarray)]
    if missing:
        arrays_text = ", ".join(f"{key} ({type(value).__name__})" for key, value in arrays.items()) or "nothing"
        raise UserError(f"{what} has no array {missing[0]!r}; it has {arrays_text}, and needs {', '.join(ARRAYS)}")
    arrays = {key: value for key, value in arrays.items() if key not in VALIDATION or value is not None}
    headers = {key: (array.shape, array.dtype) for key, array in arrays.items() if key in (*ARRAYS, *VALIDATION)}
    labels = _labels(what, headers, lambda key: arrays[key])
    names = arrays.get(CLASSES)
    if names is not None:
        names = _class_names(what, names)
    pixels = {key: images_of(what, key, arrays[key]) for key in map(_images_key, labels)}
    return _arrays(_classes(what, names, labels), pixels, labels)


def labels(component: JsonObject, notify: Notify) -> Labels:
    """The labels, once all of the file is known to be right but the pixels themselves, which are not read.

    Errors as in `load`.
    """
    path = Path(component["path"])
    check_file(path)
    with _opened(path, path) as archive:
        parts, _ = _labels_and_classes(path, archive)
        _tell_unused(path, archive, notify)
    return Labels(parts["train_labels"], parts.get("val_labels"))


@contextmanager
def _opened(path: Path, source: Path | IO[bytes]) -> Iterator[Archive]:
    try:
        with open_arrays(source) as archive:
            for key in ARRAYS:
                if key not in archive.members:
                    raise _lacking(path, key, archive)
            yield archive
    except ArrayError as error:
        raise UserError(
            f"{path}: {error}\n  an npz data set has the arrays {', '.join(ARRAYS)}, and perhaps {CLASSES}"
        ) from error
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from error


def _lacking(path: Path, key: str, archive: Archive) -> UserError:
    hint = nearest(key, archive.members.keys() - set(ARRAYS))
    return UserError(
        f"{path} has no array {key!r}; it has {archive.listed}, and needs {', '.join(ARRAYS)}"
        + (f"\n  {hint}" if hint else "")
    )


def _tell_unused(path: Path, archive: Archive, notify: Notify) -> None:
    """Name the arrays that no trial sees: nobody should take them for used."""
    unused = [name for name in archive.members if name not in (*ARRAYS, *VALIDATION, CLASSES)]
    if not unused:
        return
    names = f"{', '.join(map(escaped_line, unused[:6]))}{' and more' if len(unused) > 6 else ''}"
    is_validation = any("val" in name.lower() for name in unused)
    advice = f"; a validation part is called {' and '.join(VALIDATION)}" if is_validation else ""
    notify(f"note: {path.name} holds arrays that are not used: {names}{advice}")


def _labels_and_classes(path: Path, archive: Archive) -> tuple[dict[str, NDArray[np.int64]], tuple[str, ...]]:
    """The labels of all parts and the classes' names, held against the shapes and types of the images."""
    headers = {key: archive.header(key) for key in (*ARRAYS, *VALIDATION) if key in archive.members}
    labels = _labels(path, headers, archive.array)
    names = _names(path, archive) if CLASSES in archive.members else None
    return labels, _classes(path, names, labels)


def _images_key(labels_key: str) -> str:
    return labels_key.replace("labels", "images")


def _labels(
    path: Path | str, headers: Mapping[str, Header], array: Callable[[str], NDArray[Any]]
) -> dict[str, NDArray[np.int64]]:
    """The labels of each part, by their arrays' names; a shape and a type each, and `array` reads one by its name."""
    given = [key for key in VALIDATION if key in headers]
    if len(given) == 1:
        missing = next(key for key in VALIDATION if key not in given)
        raise UserError(f"{path} has {given[0]} and no {missing}: a validation part has both")
    keys = ("train_labels", *VALIDATION[1 : 1 + len(given)], "test_labels")
    shapes = {key: _shape(path, _images_key(key), *headers[_images_key(key)]) for key in keys}
    expected = shapes["train_labels"]
    labels = {}
    for key, shape in shapes.items():
        if shape[1:] != expected[1:]:
            raise UserError(
                f"{path}: train_images are {expected[1:]} (channels, height, width), {_images_key(key)} {shape[1:]}"
            )
        _check_labels(path, key, *headers[key], shape[0])
        labels[key] = _numbers(path, key, array(key), expected[0])
    return labels


def _shape(path: Path | str, key: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> tuple[int, int, int, int]:
    """As (N, C, H, W); the channels stand last unless only the second place can be theirs."""
    if dtype != np.uint8:
        raise UserError(
            f"{path}: {key} are of type {dtype}, expected uint8 from 0 to 255; "
            "pixels in [0, 1] become that by (255 * pixels).round().astype('uint8')"
        )
    first, last = (shape[1] in (1, 3), shape[3] in (1, 3)) if len(shape) == 4 else (False, False)
    if 0 in shape or len(shape) not in (3, 4) or (len(shape) == 4 and not first and not last):
        raise UserError(
            f"{path}: {key} have the shape {shape}; expected (N, height, width), (N, height, width, channels) or "
            "(N, channels, height, width), with 1 or 3 channels and at least one image"
        )
    if first and last:
        raise UserError(f"{path}: {key} have the shape {shape}, where the channels may stand first or last")
    if len(shape) == 3:
        return shape[0], 1, shape[1], shape[2]
    return (shape[0], shape[3], shape[1], shape[2]) if last else (shape[0], shape[1], shape[2], shape[3])


def images_of(path: Path | str, key: str, array: NDArray[Any]) -> NDArray[np.uint8]:
    """As (N, C, H, W), which nothing can write to: all trials of a process share it."""
    count, channels, height, width = _shape(path, key, array.shape, array.dtype)
    if array.ndim == 4 and array.shape[1:] != (channels, height, width):
        array = array.transpose(0, 3, 1, 2)
    pixels = np.ascontiguousarray(array.reshape(count, channels, height, width))
    pixels.flags.writeable = False
    return pixels


def _check_labels(path: Path | str, key: str, shape: tuple[int, ...], dtype: np.dtype[Any], count: int) -> None:
    if len(shape) not in (1, 2) or (len(shape) == 2 and shape[1] != 1) or dtype.kind not in "iu":
        one_hot = "; of one-hot rows save labels.argmax(1)" if len(shape) == 2 and shape[1] > 1 else ""
        raise UserError(
            f"{path}: {key} are of type {dtype} and shape {shape}; expected whole numbers from 0, one for each "
            f"image{one_hot}"
        )
    if shape[0] != count:
        raise UserError(f"{path}: {shape[0]:,} {key} for {count:,} images: give one for each")


def _numbers(path: Path | str, key: str, array: NDArray[Any], count: int) -> NDArray[np.int64]:
    lowest, highest = int(array.min()), int(array.max())
    if lowest < 0:
        raise UserError(f"{path}: {key} go down to {lowest}; number the classes from 0")
    if highest >= count:
        raise UserError(
            f"{path}: {key} go up to {highest}, with too few images for so many classes; number them from 0"
        )
    labels = array.reshape(-1).astype(np.int64)
    labels.flags.writeable = False
    return labels


def _names(path: Path, archive: Archive) -> tuple[str, ...]:
    shape, dtype = archive.header(CLASSES)
    if len(shape) != 1 or dtype.kind != "U":
        raise UserError(f"{path}: {CLASSES} are of type {dtype} and shape {shape}; expected a list of text")
    return _class_names(path, archive.array(CLASSES))


def _class_names(path: Path | str, listed: object) -> tuple[str, ...]:
    """A list of names that can be shown, as text; UserError for anything else."""
    if not isinstance(listed, list | tuple | np.ndarray):
        raise UserError(f"{path}: {CLASSES} are of type {type(listed).__name__}; expected a list of text")
    names = tuple(map(str, listed))
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise UserError(f"{path}: {CLASSES} names {twice[0]!a} twice")
    catalogue.check_names(names, f"{path}: {CLASSES}")
    return names


def _classes(path: Path | str, names: tuple[str, ...] | None, labels: dict[str, NDArray[np.int64]]) -> tuple[str, ...]:
    """The classes' names, once every class is known to have images in both parts."""
    highest = max(int(part.max()) for part in labels.values())
    classes = tuple(str(number) for number in range(highest + 1)) if names is None else names
    if highest >= len(classes):
        key = next(key for key, part in labels.items() if part.max() == highest)
        raise UserError(f"{path}: {key} go up to {highest}, while {CLASSES} has {len(classes)} names, for 0 and up")
    if len(classes) < 2:
        classes_text = f"one class, {classes[0]!r}" if classes else "no class"
        raise UserError(f"{path} has {classes_text}: there is nothing to tell apart")
    for key in ("train_labels", "test_labels"):
        present = np.isin(np.arange(len(classes)), labels[key])
        if not present.all():
            number = int(np.argmin(present))
            named = f" ({classes[number]!r})" if names is not None else ""
            raise UserError(
                f"{path}: {key} have no image of class {number}{named}; number the classes from 0 without gaps, and "
                "give each of them images to learn from and images to be tested on"
            )
    return classes
