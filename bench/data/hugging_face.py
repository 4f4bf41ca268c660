"""Data sets of the `datasets` library: on the hub at a fixed revision, saved by `save_to_disk`, or in local files."""

from __future__ import annotations

import hashlib
import logging
import os
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from bench.data.decoded import ImagePart, Notify
from bench.data.library_sets import LibraryData, required_module
from bench.data.library_sets import labels as labels_of
from bench.data.library_sets import load as load_library_data
from bench.data.local_files import checksum, file_checksum
from bench.data.npz import SourceArrays
from bench.data.prepare import Labels
from bench.errors import UserError, nearest
from bench.jsonutil import JsonObject

COMMIT = re.compile(r"[0-9a-f]{40}")

SPLITS = {"train": ("train",), "val": ("validation", "val", "valid"), "test": ("test",)}
"""What the splits of a part are usually called."""

FIELDS = {"train": "train", "val": "validation", "test": "test"}
"""The parameters that name a part's split."""


def is_local(component: JsonObject) -> bool:
    """Whether the data are files: their absolute path; a name of the hub has none."""
    return os.path.isabs(component["path"])  # noqa: PTH117


def fingerprint(component: JsonObject) -> str:
    """SHA-256 (hex) over the contents of local files and their names; on the hub over its name and its revision.

    Raises
    ------
    UserError
        Files cannot be read, or a name of the hub has no revision that stands for its contents.
    """
    revision = component.get("revision")
    if is_local(component):
        if revision is not None:
            raise UserError(
                f"{component['path']} is on this machine: leave out `revision`, its contents are in the key"
            )
        path = Path(component["path"])
        return checksum(path, _files(path)) if path.is_dir() else file_checksum(path)
    if revision is None or not COMMIT.fullmatch(revision):
        instead = f"`revision: {revision}` may move" if revision else "without a revision its contents may change"
        raise UserError(
            f"{component['path']} (no folder next to the suite file is called so: a name on the hub): {instead}; "
            "write the commit, 40 digits, that its page there shows under 'Files and versions'"
        )
    return hashlib.sha256(f"{component['path']}@{revision}".encode()).hexdigest()


def labels(component: JsonObject, notify: Notify) -> Labels:
    return labels_of(load(component, notify))


def load(component: JsonObject, notify: Notify) -> SourceArrays:
    """The fields of a `Dataset`, in the order of the rows; errors as in `bench.data.library_sets.load`."""
    what = component["path"]

    def read() -> LibraryData:
        if not is_local(component):
            notify(f"{what}: asking the hub")
        return _read(component)

    return load_library_data(what, component, lambda: fingerprint(component), read, notify)


def _files(folder: Path) -> list[str]:
    """All files below a folder, sorted, but hidden ones."""
    names = []
    for parent, folders, files in os.walk(folder, onerror=_unreadable):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        names += [Path(parent, name).relative_to(folder).as_posix() for name in files if not name.startswith(".")]
    if not names:
        raise UserError(f"{folder} has no files: save a data set there with `save_to_disk` or `to_parquet`")
    return sorted(names)


def _unreadable(error: OSError) -> None:
    raise UserError(f"{error.filename} cannot be read: {error.strerror or error}") from error


def _read(component: JsonObject) -> LibraryData:
    splits = _splits(component)
    chosen = {part: splits[name] for part, name in _chosen(component, list(splits)).items()}
    first = chosen["train"]
    for column in ("image", "label"):
        _check_column(component, column, first)
    _check_features(component, first)
    label_feature = first.features[component["label"]]
    parts = {part: ImagePart(len(rows), partial(_items, component, part, rows)) for part, rows in chosen.items()}
    source = Path(component["path"]) if is_local(component) else Path("hub")
    return LibraryData(parts, getattr(label_feature, "names", None), source)


def _splits(component: JsonObject) -> JsonObject:
    """All splits, by name; a data set without splits is `train`."""
    datasets = required_module("datasets", "hf", "dataset 'hf'")
    path, config = component["path"], component.get("config")
    datasets.disable_progress_bars()
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # which tells of each attempt
    try:
        if not is_local(component):
            loaded = datasets.load_dataset(path, config, revision=component["revision"])
        elif any((Path(path) / name).is_file() for name in ("dataset_dict.json", "state.json")):
            loaded = datasets.load_from_disk(path)
        elif Path(path).is_file():
            kind = {"jsonl": "json", "arrow": "arrow"}.get(Path(path).suffix[1:], Path(path).suffix[1:])
            loaded = datasets.load_dataset(kind, data_files=path)
        else:
            loaded = datasets.load_dataset(path, config)
    except Exception as error:  # of the library, its file systems and its parsers
        advice = "" if is_local(component) else _how_to_fetch(component)
        raise UserError(f"{path}: the library `datasets` cannot load it: {_reason(error)}{advice}") from error
    return dict(loaded) if isinstance(loaded, dict) else {"train": loaded}


def _how_to_fetch(component: JsonObject) -> str:
    revision = component["revision"]
    command = f"bench data fetch '{{name: hf, path: {component['path']}, revision: \"{revision}\"}}'"
    return f"\n  on a machine that reaches the hub: {command}; then copy its cache, ~/.cache/huggingface"


def _reason(error: BaseException) -> str:
    """The first line of what was wrong first."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def _chosen(component: JsonObject, names: list[str]) -> dict[str, str]:
    """The split of each part."""
    chosen = {}
    for part, usual in SPLITS.items():
        field = FIELDS[part]
        named = component.get(field)
        if named is not None and named not in names:
            hint = nearest(named, names)
            raise UserError(
                f"{component['path']} has no split {named!r} for `{field}`; it has {', '.join(names)}"
                + (f"\n  {hint}" if hint else "")
            )
        split = named or next((name for name in usual if name in names), None)
        if split is not None and not (part == "test" and named is None and component.get("test_fraction")):
            chosen[part] = split
    if "train" not in chosen:
        raise UserError(
            f"{component['path']} has no split 'train'; it has {', '.join(names)}: write `train: {names[0]}`"
        )
    if len(set(chosen.values())) < len(chosen):
        raise UserError(f"{component['path']}: one split is named for two parts: {', '.join(chosen.values())}")
    return chosen


def _check_column(component: JsonObject, field: str, rows: Any) -> None:
    column = component[field]
    if column not in rows.column_names:
        hint = nearest(column, rows.column_names)
        raise UserError(
            f"{component['path']} has no column {column!r} for `{field}`; it has {', '.join(rows.column_names)}"
            + (f"\n  {hint}" if hint else f": name one with `{field}:`")
        )


def _check_features(component: JsonObject, rows: Any) -> None:
    """UserError for columns that hold no image, or not one label."""
    image, label = rows.features[component["image"]], rows.features[component["label"]]
    kind = type(image).__name__
    is_text = kind == "Value" and image.dtype in ("string", "large_string")
    if kind in ("Video", "Audio", "ClassLabel") or is_text or (kind == "Value" and "binary" not in image.dtype):
        raise UserError(f"{component['path']}: its column {component['image']!r} holds {_described(image)}, no images")
    if type(label).__name__ not in ("ClassLabel", "Value"):
        raise UserError(
            f"{component['path']}: its column {component['label']!r} holds {_described(label)}: several labels an "
            "image, or none that is a class; bench classifies into one class per image"
        )


def _described(feature: Any) -> str:
    name = type(feature).__name__
    return feature.dtype if name == "Value" else {"Video": "video", "Audio": "sound", "List": "lists"}.get(name, name)


def _items(component: JsonObject, part: str, rows: Any) -> Iterator[tuple[str, Any, Any]]:
    """Images as they are in the files: bench decodes them as it decodes all others."""
    datasets = required_module("datasets", "hf", "dataset 'hf'")
    image_column, label_column = component["image"], component["label"]
    rows = rows.select_columns([image_column, label_column])
    if isinstance(rows.features[image_column], datasets.Image):
        rows = rows.cast_column(image_column, datasets.Image(decode=False))
    for i in range(len(rows)):
        row = rows[i]
        name = f"{component['path']}: image {i} of the part {part!r}"
        yield name, image_source(name, row[image_column]), row[label_column]


def image_source(name: str, value: Any) -> Any:
    """A file's bytes or an array, from a cell of a table: bytes, ``{bytes, path}``, or nested lists."""
    if isinstance(value, dict):
        data, path = value.get("bytes"), value.get("path")
        if data is None and path:
            try:
                return Path(path).read_bytes()
            except OSError as error:
                raise UserError(f"{name}: {path} cannot be read: {error.strerror or error}") from error
        value = data
    if value is None:
        raise UserError(f"{name} is empty")
    return bytes(value) if isinstance(value, (bytes, bytearray, memoryview)) else value
