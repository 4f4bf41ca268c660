"""Images in Parquet files: a column of image files' bytes or of nested lists, and one of labels."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from bench.data.decoded import ImagePart, Notify
from bench.data.hugging_face import image_source, same_names
from bench.data.library_sets import LibraryData, required_module
from bench.data.library_sets import labels as labels_of
from bench.data.library_sets import load as load_library_data
from bench.data.local_files import SourceFiles
from bench.data.npz import SourceArrays
from bench.data.prepare import Labels
from bench.errors import UserError, escaped_line, nearest
from bench.jsonutil import JsonObject

FIELDS = {"train": "train", "val": "validation", "test": "test"}
"""The parameters that name a part's files."""

ROWS = 256
"""Rows that are read at a time."""


def fingerprint(component: JsonObject) -> str:
    """SHA-256 (hex) over the files' names and contents; UserError where there are none, or they cannot be read."""
    return source_files(component).checksum


def labels(component: JsonObject, notify: Notify) -> Labels:
    return labels_of(load(component, notify))


def load(component: JsonObject, notify: Notify) -> SourceArrays:
    """The fields of a `Dataset`, in the order of the files' names; errors as in `bench.data.library_sets.load`."""
    what, source = component["path"], Path(component["path"])
    return load_library_data(what, component, source, lambda: fingerprint(component), lambda: _read(component), notify)


def source_files(component: JsonObject) -> SourceFiles:
    """The files of all parts; UserError where there are none to learn from, or one is of two parts."""
    root = Path(component["path"])
    names = (file.relative_to(root).as_posix() for files in _files(component).values() for file in files)
    return SourceFiles(root, tuple(names))


def _files(component: JsonObject) -> dict[str, list[Path]]:
    """The files of each part, sorted by name; a part that may be missing and has none is left out."""
    root = Path(component["path"])
    if not root.is_dir():
        what = "is a file: give its folder" if root.exists() else "does not exist"
        raise UserError(f"{root} {what}; `path` is the folder of the Parquet files")
    files = {part: _matching(root, field, component[field]) for part, field in FIELDS.items() if component.get(field)}
    present = {part: paths for part, paths in files.items() if paths}
    if "train" not in present:
        inside = sorted(path.name for path in root.iterdir())
        holds = ", ".join(map(escaped_line, inside[:6])) or "nothing"
        saved = "dataset_dict.json" in inside or "state.json" in inside
        hint = f"\n  `save_to_disk` of the library datasets wrote it: {{name: hf, path: {root.name}}}" if saved else ""
        raise UserError(f"{root} has no file {component['train']!r} for `train` (it holds {holds}){hint}")
    if "test" in present and component.get("test_fraction"):
        raise UserError(f"{root} has test files, {present['test'][0].name}: leave out `test_fraction`")
    part_of: dict[Path, str] = {}
    for part, paths in present.items():
        for path in paths:
            if part_of.setdefault(path, part) != part:
                fields = f"`{FIELDS[part_of[path]]}` and `{FIELDS[part]}`"
                raise UserError(f"{path} is named by {fields}: give each part files of its own, by narrower patterns")
    return present


def _matching(root: Path, field: str, pattern: str) -> list[Path]:
    try:
        return sorted(path for path in root.glob(pattern) if path.is_file())
    except (ValueError, NotImplementedError) as error:  # `**x`, or a pattern that is an absolute path
        raise UserError(f"{root}: `{field}: {pattern}` is no pattern of files below it: {error}") from error


def _read(component: JsonObject) -> LibraryData:
    parts: dict[str, ImagePart] = {}
    names: list[str] | None = None
    for part, files in _files(component).items():
        tables = [_opened(file) for file in files]
        for file, table in zip(files, tables, strict=True):
            names = same_names(str(file), _check_columns(component, file, table), names)
        count = sum(table.metadata.num_rows for table in tables)
        parts[part] = ImagePart(count, partial(_items, component, list(zip(files, tables, strict=True))))
    return LibraryData(parts, names)


def _opened(file: Path) -> Any:
    parquet = required_module("pyarrow.parquet", "parquet", "dataset 'parquet'")
    try:
        return parquet.ParquetFile(file)
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror or error}") from error
    except Exception as error:  # of pyarrow, whose exceptions have no base of their own
        raise UserError(f"{file} is no Parquet file, or not all of it: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0]


def _check_columns(component: JsonObject, file: Path, table: Any) -> list[str] | None:
    """The names of whole-number labels where the file has them; UserError for columns of another kind."""
    schema = table.schema_arrow
    for field in ("image", "label"):
        column = component[field]
        if column not in schema.names:
            hint = nearest(column, schema.names)
            raise UserError(
                f"{file} has no column {column!r} for `{field}`; it has {', '.join(schema.names)}"
                + (f"\n  {hint}" if hint else f": name one with `{field}:`")
            )
    image, label = (str(schema.field(component[field]).type) for field in ("image", "label"))
    if not image.startswith(("binary", "large_binary", "struct", "list", "large_list", "fixed_size_list", "extension")):
        raise UserError(f"{file}: its column {component['image']!r} holds {image}, no images")
    if label.startswith(("list", "large_list", "fixed_size_list", "struct")):
        raise UserError(
            f"{file}: its column {component['label']!r} holds {label}: several labels an image; bench classifies into "
            "one class per image"
        )
    try:  # as the library `datasets` writes it
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        return list(map(str, features[component["label"]]["names"]))
    except (KeyError, ValueError, TypeError):
        return None


def _items(component: JsonObject, tables: list[tuple[Path, Any]]) -> Iterator[tuple[str, Any, Any]]:
    image, label = component["image"], component["label"]
    for file, table in tables:
        number = 0
        try:
            for batch in table.iter_batches(ROWS, columns=[image, label]):
                columns = batch.to_pydict()
                for value, target in zip(columns[image], columns[label], strict=True):
                    name = f"{file}: row {number}"
                    yield name, image_source(name, value, ()), target
                    number += 1
        except UserError:
            raise
        except (OSError, ValueError) as error:  # which pyarrow's exceptions are
            raise UserError(f"{file} is damaged after row {number}: {_first_line(error)}") from error
