"""Files of predictions that other frameworks have made: classes or probabilities, checked and converted to a record's.

An .npz or a CSV; a header of a CSV may name the classes in any order.
"""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.arrays import Archive, open_arrays
from bench.errors import UserError, nearest
from bench.metrics import SUM_TOLERANCE, Predictions, predictions_from

ARRAY_NAMES = ("predicted", "probabilities", "logits")
LABELS = "labels"
FORMS = (
    "an .npz with one of the arrays `predicted` (n,), `probabilities` (n, classes) or `logits` (n, classes), and "
    "perhaps `labels` (n,); or a CSV of one column of classes or a column of probabilities per class"
)

Array = NDArray[Any]


@dataclass(frozen=True)
class PredictionFile:
    """A file's contents: classes (n,) or scores (n, classes) under one of `ARRAY_NAMES`; `labels` where it has them."""

    kind: str
    values: Array
    labels: Array | None = None


def read(path: Path, classes: Sequence[str], count: int) -> PredictionFile:
    """Read a file of predictions; nothing in it is ever unpickled.

    Parameters
    ----------
    count
        Number of test images, which tells a header of numbers from a row of predictions.

    Raises
    ------
    UserError
        It cannot be read, or has none of the forms in `FORMS`.
    """
    try:
        return _npz(path) if zipfile.is_zipfile(path) else _csv(path, classes, count)
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: is neither a whole .npz nor text in UTF-8; give {FORMS}") from error
    except (OSError, csv.Error, MemoryError) as error:
        raise UserError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}; give {FORMS}") from error
    except ValueError as error:
        raise UserError(f"{path}: {error}\n  give {FORMS}") from error


def predictions_of(
    prediction_file: PredictionFile, labels: Array, classes: Sequence[str], path: Path
) -> tuple[Predictions, list[str]]:
    """The predictions of a data set's test images in a file, and warnings.

    From classes alone the confidences are nan, and the rank of a true class that was not predicted is the largest
    number of its type.

    Parameters
    ----------
    labels
        The true classes of the test images, in the data set's order, shape (n,).
    path
        The file, as messages name it.

    Raises
    ------
    UserError
        Another number of images or classes, a class out of range, invalid probabilities, or other labels.
    """
    count = len(classes)
    if len(prediction_file.values) != len(labels):
        raise UserError(
            f"{path}: predictions of {len(prediction_file.values):,} images, and the test part has {len(labels):,}; "
            "give one for each test image, in the test file's own order"
        )
    if prediction_file.labels is not None:
        _check_labels(prediction_file.labels, labels, path)
    class_type = np.uint8 if count <= 256 else np.uint16
    true = labels.astype(np.int64)
    if prediction_file.kind == "predicted":
        predicted = _classes(prediction_file.values, count, path)
        correct = predicted == true
        unknown_probabilities = np.full(len(true), np.nan, np.float32)
        predictions = Predictions(
            true.astype(class_type), predicted.astype(class_type), unknown_probabilities, unknown_probabilities,
            np.where(correct, 0, np.iinfo(class_type).max).astype(class_type),
        )  # fmt: skip
    else:
        predictions = predictions_from(true, _probabilities(prediction_file, count, path))
    return predictions, _warnings(predictions, count, path)


def _check_labels(file_labels: Array, labels: Array, path: Path) -> None:
    if file_labels.shape != labels.shape:
        raise UserError(f"{path}: {len(file_labels):,} `{LABELS}`, and the test part has {len(labels):,} images")
    n_different = np.count_nonzero(file_labels != labels)
    if n_different:
        raise UserError(
            f"{path}: its `{LABELS}` are not those of the test part ({n_different:,} of {len(labels):,} differ): "
            "another order, another split or another release; predictions must be in the test file's own order"
        )


def _probabilities(prediction_file: PredictionFile, count: int, path: Path) -> NDArray[np.float64]:
    values = np.asarray(prediction_file.values, np.float64)
    if values.ndim != 2 or values.shape[1] != count:
        rows = "; if one column numbers the rows, leave it out" if values.shape[1:] in ((2,), (count + 1,)) else ""
        raise UserError(
            f"{path}: {prediction_file.kind} of shape {values.shape}; expected (n, {count}), a column per class{rows}"
        )
    if not np.isfinite(values).all():
        row = int(np.argmin(np.isfinite(values).all(1)))
        raise UserError(f"{path}: row {row + 1} of {prediction_file.kind} holds a value that is not finite")
    if prediction_file.kind == "logits":
        with np.errstate(over="ignore"):  # far below the largest logit the probability is 0
            values = np.exp(values - values.max(1, keepdims=True))
        scores: NDArray[np.float64] = values / values.sum(1, keepdims=True)
        return scores
    sums = values.sum(1)
    invalid = (values.min(1) < 0) | (values.max(1) > 1 + SUM_TOLERANCE) | (np.abs(sums - 1) > SUM_TOLERANCE)
    if invalid.any():
        row = int(np.argmax(invalid))
        raise UserError(
            f"{path}: row {row + 1} is no row of probabilities: they lie between {values[row].min():.4g} and "
            f"{values[row].max():.4g} and sum to {sums[row]:.4g}; each must lie in [0, 1], and a row sum to 1 "
            "(scores before a softmax belong into an .npz under the name `logits`)"
        )
    return np.minimum(values, 1.0)


def _classes(values: Array, count: int, path: Path) -> NDArray[np.int64]:
    numbers = np.asarray(values, np.float64)
    if not np.array_equal(numbers, np.round(numbers)):
        row = int(np.argmax(numbers != np.round(numbers)))
        raise UserError(f"{path}: row {row + 1} holds {values[row]!s}, which is no class number (0 to {count - 1})")
    invalid = (numbers < 0) | (numbers >= count)
    if invalid.any():
        row = int(np.argmax(invalid))
        hint = "; classes count from 0" if numbers.min() == 1 and numbers.max() == count else ""
        raise UserError(f"{path}: row {row + 1} holds class {numbers[row]:g}, allowed are 0 to {count - 1}{hint}")
    return numbers.astype(np.int64)


def _warnings(predictions: Predictions, count: int, path: Path) -> list[str]:
    accuracy = float((predictions.predicted == predictions.labels).mean())
    warnings = []
    if len(np.unique(predictions.predicted)) == 1:
        warnings.append(f"{path}: predicts class {int(predictions.predicted[0])} for every image")
    elif accuracy < 2 / count:
        warnings.append(
            f"{path}: {100 * accuracy:.2f} % of {len(predictions.labels):,} images are correct, as by chance: "
            "are the predictions in the test file's own order, and the classes numbered as the data set's?"
        )
    return warnings


def _npz(path: Path) -> PredictionFile:
    with open_arrays(path) as archive:
        array_names = [name for name in ARRAY_NAMES if name in archive.members]
        if len(array_names) != 1:
            raise ValueError(f"holds {archive.listed}; expected just one of {', '.join(ARRAY_NAMES)}")
        values = archive.array(array_names[0])
        if array_names[0] == "predicted":
            return PredictionFile(array_names[0], _column_of_numbers(values, array_names[0]), _labels(archive))
        if values.dtype.kind not in "biuf" or values.ndim != 2:
            raise ValueError(f"{_described(values, array_names[0])}; expected numbers, a row for each image")
        return PredictionFile(array_names[0], values, _labels(archive))


def _labels(archive: Archive) -> Array | None:
    return _column_of_numbers(archive.array(LABELS), LABELS) if LABELS in archive.members else None


def _column_of_numbers(values: Array, name: str) -> Array:
    """Class numbers (n,), from (n,) or (n, 1)."""
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1 or values.dtype.kind not in "iuf":
        one_hot = f"; of one-hot rows save {name}.argmax(1)" if values.ndim == 2 else ""
        raise ValueError(f"{_described(values, name)}; expected class numbers, one for each image{one_hot}")
    return values


def _described(values: Array, name: str) -> str:
    return f"`{name}` is of type {values.dtype} and shape {values.shape}"


def _csv(path: Path, classes: Sequence[str], count: int) -> PredictionFile:
    """One column of class numbers or names, or a column per class; the first line may name the columns."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = [[cell.strip() for cell in row] for row in csv.reader(file) if row]
    if not rows:
        raise ValueError("holds no row of predictions")
    _refuse_other_separators(rows[0], classes)
    header = rows.pop(0) if _is_header(rows[0], len(rows), classes, count) else None
    if not rows:
        raise ValueError("holds no row of predictions")
    first = 1 + (header is not None)
    width = len(header or rows[0])
    ragged = next((number for number, row in enumerate(rows, first) if len(row) != width), None)
    if ragged:
        raise ValueError(f"line {ragged} has another number of columns than the first, {width}")
    label_column = _labels_column(header, classes)
    labels = (
        None
        if label_column is None
        else _class_column([row[label_column] for row in rows], classes, label_column, first)
    )
    columns = [number for number in range(width) if number != label_column]
    if not columns:
        raise ValueError(f"holds `{LABELS}` and no predictions")
    if len(columns) == 1:
        return PredictionFile(
            "predicted", _class_column([row[columns[0]] for row in rows], classes, columns[0], first), labels
        )
    table = np.stack([_number_column([row[number] for row in rows], number, first) for number in columns], axis=1)
    if header:
        table = table[:, _order([header[number] for number in columns], classes)]
    return PredictionFile("probabilities", table, labels)


def _refuse_other_separators(row: Sequence[str], classes: Sequence[str]) -> None:
    """ValueError where a first line looks as if its columns were separated by something else than commas."""
    for sign, name in ((";", "semicolons"), ("\t", "tabs"), (" ", "blanks")):
        for cell in row:
            parts = cell.split(sign)
            if cell in classes or len(parts) < 2:
                continue
            # 0,1;0,9 has commas for points; a name of one column may have blanks.
            if _is_number(parts[0]) or (len(row) == 1 and sign != " "):
                raise ValueError(
                    f"line 1: its columns are separated by {name}; write commas between columns and points in numbers "
                    "(with pandas: to_csv(..., index=False))"
                )


def _is_header(row: Sequence[str], lines: int, classes: Sequence[str], count: int) -> bool:
    """Whether the first of so many lines names columns.

    Text does, unless it is a class in a file of one column. Numbers do, as pandas writes them, where there is a line
    more than test images: of two classes ``0,1`` is a row of probabilities too.
    """
    if len(row) == 1:
        words = not _is_number(row[0]) and row[0] not in classes
        return words or (row[0] == "0" and lines == count + 1)
    words = not all(map(_is_number, row))
    integers = all(cell.isdigit() for cell in row)
    return words or (integers and lines == count + 1) or (len(row) > 2 and len({*row}) == len(row) and integers)


def _labels_column(header: Sequence[str] | None, classes: Sequence[str]) -> int | None:
    """Where the column of the true classes is; a class of that name has a column of its own."""
    if header is None or LABELS not in header or sorted(header) == sorted(classes):
        return None
    return header.index(LABELS)


def _order(header: Sequence[str], classes: Sequence[str]) -> list[int]:
    """For each class the column that a header gives it, by the classes' names or by their numbers."""
    by_name = _column_positions(header, [name.strip() for name in classes])
    by_number = _column_positions(header, [str(number) for number in range(len(classes))])
    if by_name and by_number and by_name != by_number:
        raise ValueError(
            "line 1: the columns' names are names of classes and numbers of others: leave the header out, and give the "
            "columns in the order of the classes"
        )
    order = by_name or by_number
    if order is None:
        raise ValueError(f"line 1: {_wrong_header(header, classes)}")
    return order


def _column_positions(header: Sequence[str], expected: Sequence[str]) -> list[int] | None:
    """Where each wanted name is in a header that has just these, bare or all after the same words (``p_0,p_1,...``)."""
    prefix = header[0]
    while not all(cell.startswith(prefix) for cell in header):
        prefix = prefix[:-1]
    for start in ("", prefix.rstrip("0123456789")):
        names = [cell.removeprefix(start) for cell in header]
        if sorted(names) == sorted(expected):
            return [names.index(name) for name in expected]
    return None


def _wrong_header(header: Sequence[str], classes: Sequence[str]) -> str:
    numbers = [str(number) for number in range(len(classes))]
    if "" in header:
        return "one column has no name: leave out the one that numbers the rows (with pandas: to_csv(..., index=False))"
    known = {*classes, *numbers}
    unknown = next((cell for cell in header if cell not in known), None)
    if unknown is None:
        repeated = next((cell for cell in header if header.count(cell) > 1), None)
        reason = (
            f"names {repeated!a} twice" if repeated is not None else "mixes names and numbers of classes, or lacks some"
        )
    else:
        hint = nearest(unknown, [name for name in classes if name not in header])
        reason = f"names a column {unknown[:60]!a}" + (f" ({hint})" if hint else "")
    return (
        f"the header {reason}; expected the {len(classes)} classes in any order, all by name or all by number from 0, "
        "or no header and the columns in the order of the classes"
    )


def _number_column(cells: Sequence[str], column: int, first: int) -> NDArray[np.float64]:
    """The numbers of a column; `first` is the line of the first of them."""
    numbers = np.empty(len(cells))
    for row, cell in enumerate(cells):
        if not _is_number(cell):
            raise ValueError(f"line {row + first}, column {column + 1}: {cell[:60]!a} is no number")
        numbers[row] = float(cell)
    return numbers


def _class_column(cells: Sequence[str], classes: Sequence[str], column: int, first: int) -> NDArray[np.float64]:
    """Class numbers, from numbers or from names; `first` is the line of the first of them."""
    numbers = {name.strip(): float(number) for number, name in enumerate(classes)}
    by_name = [numbers.get(cell) for cell in cells]
    by_number = [float(cell) if _is_number(cell) else None for cell in cells]
    for numbers_of_column in (by_number, by_name):
        if None not in numbers_of_column:
            if numbers_of_column is by_number and None not in by_name and by_name != by_number:
                raise ValueError(f"column {column + 1}: names of classes that are numbers of others; give an .npz")
            return np.array(numbers_of_column, np.float64)
    unknown = [name is None and number is None for name, number in zip(by_name, by_number, strict=True)]
    mixed = "is neither a number nor one of the classes"
    row = unknown.index(True) if any(unknown) else (by_name if by_name[0] is not None else by_number).index(None)
    if not any(unknown):
        mixed = f"stands among {'names' if by_name[0] is not None else 'numbers'}: give all by name or all by number"
    raise ValueError(f"line {row + first}, column {column + 1}: {cells[row][:60]!a} {mixed}")


def _is_number(text: str) -> bool:
    """Whether a text is a number as any program writes it; Python itself reads ``1_0`` and digits of other scripts."""
    return text.isascii() and "_" not in text and _float(text) is not None


def _float(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
