"""Data sets that a library reads: images and labels of each part, checked, decoded once and saved in the user cache."""

from __future__ import annotations

import hashlib
import importlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from bench.data import catalogue
from bench.data.decoded import (
    Arrays,
    ImagePart,
    Notify,
    cache_folder,
    decode_parts,
    recall,
    save,
)
from bench.data.npz import SourceArrays
from bench.data.prepare import Labels, stratified
from bench.errors import UserError, escaped_line
from bench.jsonutil import JsonObject, canonical

PARTS = ("train", "val", "test")

NO_KEY = ("name", "path")
"""Parameters of a component that do not tell how its images are decoded."""


@dataclass(frozen=True)
class LibraryData:
    """What a library finds: `train`, perhaps `val`, and `test` unless it is drawn; the names of labels 0, 1, ..."""

    parts: Mapping[str, ImagePart]
    names: Sequence[str] | None


def required_module(name: str, extra: str, what: str) -> ModuleType:
    """An optional library; UserError that says what to install where it is missing."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise UserError(f"{what} needs the library `{name}`: pip install 'benchgrid[{extra}]' ({error})") from error


def load(
    what: str,
    component: JsonObject,
    source: Path | None,
    fingerprint: Callable[[], str],
    read: Callable[[], LibraryData],
    notify: Notify,
) -> SourceArrays:
    """The fields of a `Dataset`, from the user cache where they are saved.

    Parameters
    ----------
    what
        Begins messages.
    source
        The folder or file of the data; None of what a hub has, of which only the arrays in the cache are here.
    fingerprint, read
        The checksum of the contents, and the images and labels where the cache has none.

    Raises
    ------
    UserError
        What `read` raises; an image or a label does not fit, a class lacks images, files change meanwhile.
    """
    sha256 = fingerprint()
    folder = _cache_folder(component, sha256)
    arrays = recall(folder)
    if arrays is None:
        library_data = read()
        _check_test_part(what, component, library_data)
        count = sum(part.count for part in library_data.parts.values())
        notify(f"{what}: reading {count:,} images")
        arrays = _decoded(what, component, library_data)
        if fingerprint() != sha256:
            raise UserError(f"{what}: its files changed while they were read; run the command again")
        if save(arrays, folder):
            notify(f"{what}: saved as arrays in {folder}")
            arrays = recall(folder) or arrays
        else:
            notify(f"{what}: not saved in {folder.parent}, which has no room or no rights: it is read anew each time")
    for array in arrays.values():
        array.flags.writeable = False
    fields = {
        **{name: array for name, array in arrays.items() if name != "classes"},
        "classes": tuple(map(str, arrays["classes"])),
        "sha256": sha256,
        "source": source or folder,
    }
    return cast(SourceArrays, fields)


def labels(fields: Mapping[str, Any]) -> Labels:
    """The labels of what `load` returns."""
    return Labels(fields["train_labels"], fields.get("val_labels"))


def _cache_folder(component: JsonObject, sha256: str) -> Path:
    details = {key: value for key, value in component.items() if key not in NO_KEY}
    return cache_folder(sha256, component["name"], hashlib.sha256(canonical(details).encode()).hexdigest()[:12])


def _check_test_part(what: str, component: JsonObject, library_data: LibraryData) -> None:
    """UserError unless the test part either comes with the data or is to be drawn."""
    fraction = component.get("test_fraction")
    if "test" in library_data.parts and fraction is not None:
        raise UserError(f"{what} comes with a test part: leave out `test_fraction`")
    if "test" not in library_data.parts and fraction is None:
        raise UserError(
            f"{what} comes without a test part: write `test_fraction: 0.2`, which draws the same fifth of every class "
            "once and for all, and keeps it from training"
        )


def _decoded(what: str, component: JsonObject, library_data: LibraryData) -> Arrays:
    """Images and class numbers of all parts, and the classes' names."""
    fraction = component.get("test_fraction")
    size = (component["size"][0], component["size"][1]) if component.get("size") else None
    decoded = decode_parts(what, library_data.parts, size, component.get("channels"))
    for part in PARTS:
        if part in library_data.parts and part not in decoded:
            raise UserError(f"{what}: its part {part!r} has no images")
    numbers, classes = number_labels(what, {part: values for part, (_, values) in decoded.items()}, library_data.names)
    images = {part: pixels for part, (pixels, _) in decoded.items()}
    if fraction is not None:
        train, test = stratified(numbers["train"], fraction, "test_fraction")
        images["test"], numbers["test"] = images["train"][test], numbers["train"][test]
        images["train"], numbers["train"] = images["train"][train], numbers["train"][train]
    _check_classes(what, numbers, classes)
    return {
        **{f"{part}_images": pixels for part, pixels in images.items()},
        **{f"{part}_labels": part_labels for part, part_labels in numbers.items()},
        "classes": np.array(classes),
    }


def number_labels(
    what: str, labels: Mapping[str, Sequence[Any]], names: Sequence[str] | None
) -> tuple[dict[str, NDArray[np.int64]], tuple[str, ...]]:
    """Class numbers from 0, and the classes' names; names that no image has are left out.

    Labels are whole numbers (which `names` gives names to) or text, whose classes are in the order of the alphabet.
    Where two labels have one name, as ImageNet's two cranes, their numbers tell them apart.
    """
    for part, values in labels.items():
        for i, value in enumerate(values):
            if value is None or (isinstance(value, (int, np.integer)) and value < 0):
                raise UserError(f"{what}: image {i} of the part {part!r} has no label ({value})")
            if isinstance(value, (list, tuple, dict, np.ndarray)):
                raise UserError(
                    f"{what}: image {i} of the part {part!r} has several labels ({escaped_line(str(value))[:60]}); "
                    "bench classifies into one class per image"
                )
            if not isinstance(value, (int, np.integer, np.bool_, str)):
                raise UserError(
                    f"{what}: the label of image {i} of the part {part!r} is {escaped_line(repr(value))[:60]}, "
                    "expected a whole number or text"
                )
    kinds = {isinstance(value, str) for part in labels.values() for value in part}
    if len(kinds) > 1:
        raise UserError(f"{what}: some of its labels are numbers and others text")
    values_seen = sorted({value for part in labels.values() for value in part})
    if names is not None and values_seen and (isinstance(values_seen[-1], str) or values_seen[-1] >= len(names)):
        raise UserError(f"{what}: a label is {values_seen[-1]!r}, while there are {len(names)} names, for 0 and up")
    number = {value: i for i, value in enumerate(values_seen)}
    classes = tuple(str(value) if names is None else str(names[int(value)]) for value in values_seen)
    counts = Counter(classes)
    classes = tuple(f"{c} ({value})" if counts[c] > 1 else c for c, value in zip(classes, values_seen, strict=True))
    catalogue.check_names(classes, f"{what}: its classes")
    if len(classes) < 2:
        raise UserError(f"{what} has {len(classes)} class{'' if classes else 'es'}: there is nothing to tell apart")
    return {part: np.array([number[v] for v in values], np.int64) for part, values in labels.items()}, classes


def _check_classes(what: str, numbers: Mapping[str, NDArray[np.int64]], classes: Sequence[str]) -> None:
    for part, purpose in (("train", "learn from"), ("test", "be tested on")):
        present = np.isin(np.arange(len(classes)), numbers[part])
        if not present.all():
            missing = classes[int(np.argmin(present))]
            raise UserError(
                f"{what}: its part {part!r} has no image of class {missing!r}; every class needs images to {purpose}"
            )
