"""Data sets of the `datasets` library: on the hub at a fixed revision, saved by `save_to_disk`, or in local files."""

from __future__ import annotations

import hashlib
import logging
import os
import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from bench.data.decoded import ImagePart, Notify
from bench.data.library_sets import LibraryData, required_module
from bench.data.library_sets import labels as labels_of
from bench.data.library_sets import load as load_library_data
from bench.data.local_files import SourceFiles, files_below
from bench.data.npz import SourceArrays
from bench.data.prepare import Labels
from bench.errors import UserError, nearest
from bench.jsonutil import JsonObject

COMMIT = re.compile(r"[0-9a-f]{40}")

SPLITS = {"train": ("train",), "val": ("validation", "val", "valid"), "test": ("test",)}
"""What the splits of a part are usually called."""

FIELDS = {"train": "train", "val": "validation", "test": "test"}
"""The parameters that name a part's split."""

ANEW = "force_redownload"
"""Local files are read again, not taken from the library's own cache: it knows them by their times, not contents."""


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
        return source_files(component).checksum
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

    source = Path(what) if is_local(component) else None
    return load_library_data(what, component, source, lambda: fingerprint(component), read, notify)


def source_files(component: JsonObject) -> SourceFiles:
    """A local file, or all files below a folder but hidden ones, which `datasets` passes over."""
    path = Path(component["path"])
    if not path.is_dir():
        return SourceFiles(path)
    names = sorted(file.relative_to(path).as_posix() for file in files_below(path, hidden=False))
    if not names:
        raise UserError(f"{path} has no files: save a data set there with `save_to_disk` or `to_parquet`")
    return SourceFiles(path, tuple(names))


def _read(component: JsonObject) -> LibraryData:
    splits = _splits(component)
    chosen = {part: splits[name] for part, name in _chosen(component, list(splits)).items()}
    label_names: list[str] | None = None
    for part, rows in chosen.items():
        for column in ("image", "label"):
            _check_column(component, column, rows)
        _check_features(component, rows)
        own_names = getattr(rows.features[component["label"]], "names", None)
        label_names = same_names(f"{component['path']}: the part {part!r}", own_names, label_names)
    parts = {part: ImagePart(len(rows), partial(_items, component, part, rows)) for part, rows in chosen.items()}
    return LibraryData(parts, label_names)


def same_names(what: str, names: Sequence[str] | None, before: list[str] | None) -> list[str] | None:
    """The names of whole-number labels; UserError where what was read `before` names them otherwise."""
    if names is not None and before is not None and list(names) != before:
        raise UserError(
            f"{what} names its labels {', '.join(names)}, and what was read before it {', '.join(before)}: one number "
            "would stand for two classes; save them with the same names"
        )
    return before if names is None else list(names)


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
            kind = {"jsonl": "json"}.get(Path(path).suffix[1:], Path(path).suffix[1:])
            loaded = datasets.load_dataset(kind, data_files=path, download_mode=ANEW)
        else:
            loaded = datasets.load_dataset(path, config, download_mode=ANEW)
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
    from huggingface_hub import constants

    datasets = required_module("datasets", "hf", "dataset 'hf'")
    image_column, label_column = component["image"], component["label"]
    caches = datasets.config.HF_CACHE_HOME, datasets.config.HF_DATASETS_CACHE, constants.HF_HUB_CACHE
    folders = [Path(folder).absolute() for folder in (component["path"], *caches)]  # there archives are unpacked
    rows = rows.select_columns([image_column, label_column])
    if isinstance(rows.features[image_column], datasets.Image):
        rows = rows.cast_column(image_column, datasets.Image(decode=False))
    for i in range(len(rows)):
        row = rows[i]
        name = f"{component['path']}: image {i} of the part {part!r}"
        yield name, image_source(name, row[image_column], folders), row[label_column]


def image_source(name: str, value: Any, folders: Sequence[Path]) -> Any:
    """A file's bytes or an array, from a cell of a table: bytes, ``{bytes, path}``, or nested lists.

    UserError for the path of a file that is not below one of `folders`, whose contents are in no checksum.
    """
    if isinstance(value, dict):
        data, path = value.get("bytes"), value.get("path")
        if data is None and path:
            if not any(Path(os.path.abspath(path)).is_relative_to(folder) for folder in folders):  # noqa: PTH100
                raise UserError(
                    f"{name} is the file {path}, which is no part of the data set, so that its contents would be in no "
                    "key: save the images' bytes in the table"
                )
            try:
                return Path(path).read_bytes()
            except OSError as error:
                raise UserError(f"{name}: {path} cannot be read: {error.strerror or error}") from error
        value = data
    if value is None:
        raise UserError(f"{name} is empty")
    return bytes(value) if isinstance(value, (bytes, bytearray, memoryview)) else value
