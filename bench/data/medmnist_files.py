"""MedMNIST's data sets of two dimensions and one class an image, from the files that it distributes."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path

from bench.data import npz
from bench.data.decoded import Notify
from bench.data.local_files import SourceFiles, read
from bench.data.npz import SourceArrays
from bench.data.prepare import Labels
from bench.errors import UserError
from bench.jsonutil import JsonObject

CATALOGUE = Path(__file__).with_name("medmnist.json")
"""Class names and MD5 sums of each data set's files: medmnist 3.0.2, medmnist/info.py."""

URL = "https://zenodo.org/records/10519652/files/{file}?download=1"

FOLDER = Path(".medmnist")
"""Below the home folder, where the library `medmnist` saves its files."""


@cache
def known_sets() -> JsonObject:
    sets: JsonObject = json.loads(CATALOGUE.read_text())
    return sets


def path_of(component: JsonObject) -> Path:
    """The file of a data set and a size."""
    folder = Path(component["path"]) if component.get("path") else Path.home() / FOLDER
    size = component.get("size", 28)
    return folder / (f"{component['dataset']}.npz" if size == 28 else f"{component['dataset']}_{size}.npz")


def fingerprint(component: JsonObject) -> str:
    """SHA-256 (hex) over the file's bytes; UserError where it is missing or cannot be read."""
    return SourceFiles(_present(component)).checksum


def source_files(component: JsonObject) -> SourceFiles:
    """The one file in its folder, which is the `path` of the data set."""
    file = _present(component)
    return SourceFiles(file.parent, (file.name,))


def labels(component: JsonObject, notify: Notify) -> Labels:
    return npz.labels({"path": str(_present(component))}, notify)


def load(component: JsonObject, notify: Notify) -> SourceArrays:
    """The fields of a `Dataset`, with the classes' names; errors as in `bench.data.npz.load`."""
    path = _present(component)
    fields = npz.load({"path": str(path)}, notify)
    known = known_sets()[component["dataset"]]
    classes = tuple(known["classes"])
    if len(fields["classes"]) != len(classes):
        raise UserError(
            f"{path} has {len(fields['classes'])} classes, and {component['dataset']} has {len(classes)}: it is "
            "another data set's file, or not all of it"
        )
    if hashlib.md5(read(path)).hexdigest() != known["md5"][str(component.get("size", 28))]:
        notify(f"note: {path} is not the file that MedMNIST distributes under this name: its MD5 sum is another one")
    return {**fields, "classes": classes}


def fetch(component: JsonObject, notify: Notify) -> Path:
    """Download the file, held against its MD5 sum; its path. UserError where that fails."""
    import pooch

    path = path_of(component)
    pooch.get_logger().setLevel("WARNING")
    notify(f"{component['dataset']}: downloading {path.name} into {path.parent}")
    md5 = known_sets()[component["dataset"]]["md5"][str(component.get("size", 28))]
    try:
        pooch.retrieve(URL.format(file=path.name), known_hash=f"md5:{md5}", fname=path.name, path=path.parent)
    except Exception as error:  # of requests, of urllib3, of the disk, or another file than asked for
        reason = str(error).split("\n")[0]
        raise UserError(f"{path.name} could not be downloaded into {path.parent}: {reason}") from error
    return path


def _present(component: JsonObject) -> Path:
    path = path_of(component)
    if path.parent.is_dir() and not path.exists():
        held = sorted(other.name for other in path.parent.glob(f"{component['dataset']}*.npz"))
        having = f" (the folder has {', '.join(held)})" if held else ""
    else:
        having = ""
    if not path.exists():
        name, size = component["dataset"], "" if component.get("size", 28) == 28 else f", size: {component['size']}"
        folder = f", path: {component['path']}" if component.get("path") else ""
        raise UserError(
            f"{path} does not exist{having}: fetch it with `bench data fetch '{{name: medmnist, dataset: {name}{size}"
            f"{folder}}}'`, or name the folder that it is in with `path:`"
        )
    return path
