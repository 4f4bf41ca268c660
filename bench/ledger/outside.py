"""Test predictions of any framework: a file of classes or probabilities, checked, as a ledger keeps them."""

from __future__ import annotations

import csv
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.ledger.record import Predictions
from bench.suite.errors import UserError

NAMES = ("predicted", "probabilities", "logits")
LABELS = "labels"
FORMS = (
    "an .npz with one of the arrays `predicted` (n,), `probabilities` (n, classes) or `logits` (n, classes), and "
    "perhaps `labels` (n,); or a CSV of one column of classes or a column of probabilities per class"
)
SUM_TOLERANCE = 1e-3
"""Rows of probabilities may miss 1 by this: half precision rounds to about so much."""

Array = NDArray[Any]


@dataclass(frozen=True)
class Said:
    """A file's contents: classes (n,) or scores (n, classes) under one of `NAMES`; `labels` where it has them."""

    kind: str
    values: Array
    labels: Array | None = None


def read(path: Path, classes: Sequence[str]) -> Said:
    """Read a file of predictions; nothing in it is ever unpickled.

    Raises
    ------
    UserError
        It cannot be read, or has none of the forms in `FORMS`.
    """
    try:
        found = _npz(path) if zipfile.is_zipfile(path) else _csv(path, classes)
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: is neither a whole .npz nor text in UTF-8; give {FORMS}") from error
    except (OSError, csv.Error, MemoryError, NotImplementedError, RuntimeError) as error:
        raise UserError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}; give {FORMS}") from error
    except (ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise UserError(f"{path}: {error}\n  give {FORMS}") from error
    return found


def predictions_of(said: Said, labels: Array, classes: Sequence[str], path: Path) -> tuple[Predictions, list[str]]:
    """What a file says of a data set's test images, and what a person should be warned of.

    From classes alone there are no confidences: they are nan, and the rank of a true class that was missed is the
    largest number its type holds.

    Parameters
    ----------
    labels
        The true classes of the test images, in the data set's order, shape (n,).
    path
        The file, as messages name it.

    Raises
    ------
    UserError
        Another number of images or classes, a class out of range, probabilities that are none, or other labels.
    """
    count = len(classes)
    if len(said.values) != len(labels):
        raise UserError(
            f"{path}: predictions of {len(said.values):,} images, and the test part has {len(labels):,}; "
            "give one for each test image, in the test file's own order"
        )
    if said.labels is not None and not np.array_equal(said.labels, labels):
        wrong = np.count_nonzero(said.labels != labels) if said.labels.shape == labels.shape else len(labels)
        raise UserError(
            f"{path}: its `{LABELS}` are not those of the test part ({wrong:,} of {len(labels):,} differ): "
            "another order, another split or another release; predictions must be in the test file's own order"
        )
    small = np.uint8 if count <= 256 else np.uint16
    true = labels.astype(np.int64)
    if said.kind == "predicted":
        predicted = _classes(said.values, count, path)
        right = predicted == true
        unknown = np.full(len(true), np.nan, np.float32)
        kept = Predictions(
            true.astype(small), predicted.astype(small), unknown, unknown,
            np.where(right, 0, np.iinfo(small).max).astype(small),
        )  # fmt: skip
    else:
        kept = _of_scores(_probabilities(said, count, path), true, small)
    return kept, _warnings(kept, count, path)


def _of_scores(scores: NDArray[np.float64], true: NDArray[np.int64], small: type[np.uint8 | np.uint16]) -> Predictions:
    predicted = scores.argmax(1)
    rows = np.arange(len(true))
    mine = scores[rows, true][:, None]
    # Among equal scores argmax takes the first class, so a tie with an earlier class counts as above.
    earlier = np.arange(scores.shape[1]) < true[:, None]
    rank = (scores > mine).sum(1) + ((scores == mine) & earlier).sum(1)
    return Predictions(
        true.astype(small),
        predicted.astype(small),
        scores[rows, predicted].astype(np.float32),
        scores[rows, true].astype(np.float32),
        rank.astype(small),
    )


def _probabilities(said: Said, count: int, path: Path) -> NDArray[np.float64]:
    values = np.asarray(said.values, np.float64)
    if values.ndim != 2 or values.shape[1] != count:
        rows = "; if one column numbers the rows, leave it out" if values.shape[1:] in ((2,), (count + 1,)) else ""
        raise UserError(f"{path}: {said.kind} of shape {values.shape}; expected (n, {count}), a column per class{rows}")
    if not np.isfinite(values).all():
        row = int(np.argmin(np.isfinite(values).all(1)))
        raise UserError(f"{path}: row {row + 1} of {said.kind} holds a value that is not finite")
    if said.kind == "logits":
        with np.errstate(over="ignore"):  # what is so far below the largest has no probability
            values = np.exp(values - values.max(1, keepdims=True))
        scores: NDArray[np.float64] = values / values.sum(1, keepdims=True)
        return scores
    sums = values.sum(1)
    wrong = (values.min(1) < 0) | (values.max(1) > 1 + SUM_TOLERANCE) | (np.abs(sums - 1) > SUM_TOLERANCE)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise UserError(
            f"{path}: row {row + 1} is no row of probabilities: they lie between {values[row].min():.4g} and "
            f"{values[row].max():.4g} and sum to {sums[row]:.4g}; each must lie in [0, 1], and a row sum to 1 "
            "(scores before a softmax belong into an .npz under the name `logits`)"
        )
    return np.minimum(values, 1.0)


def _classes(values: Array, count: int, path: Path) -> NDArray[np.int64]:
    if values.ndim != 1:
        raise UserError(f"{path}: predicted of shape {values.shape}; expected (n,), a class number for each image")
    numbers = np.asarray(values, np.float64)
    if not np.array_equal(numbers, np.round(numbers)):
        row = int(np.argmax(numbers != np.round(numbers)))
        raise UserError(f"{path}: row {row + 1} holds {values[row]!s}, which is no class number (0 to {count - 1})")
    wrong = (numbers < 0) | (numbers >= count)
    if wrong.any():
        row = int(np.argmax(wrong))
        hint = "; classes count from 0" if numbers.min() == 1 and numbers.max() == count else ""
        raise UserError(f"{path}: row {row + 1} holds class {numbers[row]:g}, allowed are 0 to {count - 1}{hint}")
    return numbers.astype(np.int64)


def _warnings(kept: Predictions, count: int, path: Path) -> list[str]:
    accuracy = float((kept.predicted == kept.labels).mean())
    found = []
    if len(np.unique(kept.predicted)) == 1:
        found.append(f"{path}: says class {int(kept.predicted[0])} of every image")
    elif accuracy < 2 / count:
        found.append(
            f"{path}: {100 * accuracy:.2f} % of {len(kept.labels):,} images are right, which is what chance gives: are "
            "the predictions in the test file's own order, and the classes numbered as the data set's?"
        )
    return found


def _npz(path: Path) -> Said:
    with np.load(path, allow_pickle=False) as arrays:
        there = [name for name in NAMES if name in arrays]
        if len(there) != 1:
            names = ", ".join(arrays.files) or "nothing"
            raise ValueError(f"holds {names}; expected just one of {', '.join(NAMES)}")
        values, labels = arrays[there[0]], arrays.get(LABELS)
        for name, array in ((there[0], values), (LABELS, labels)):
            if isinstance(array, bytes):  # numpy's answer where a member is no array
                raise ValueError(f"`{name}` is no array")
        if values.dtype.kind not in "biuf" or not values.ndim:
            found = f"of type {values.dtype} and shape {values.shape}"
            raise ValueError(f"`{there[0]}` is {found}; expected numbers, one or a row for each image")
        return Said(there[0], values, labels)


def _csv(path: Path, classes: Sequence[str]) -> Said:
    """One column of class numbers or names, or a column per class; the first line may name the columns."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = [row for row in csv.reader(file) if row]
    header = [cell.strip() for cell in rows.pop(0)] if rows and _is_header(rows[0], classes) else []
    if not rows:
        raise ValueError("holds no row of predictions")
    width = len(header or rows[0])
    ragged = next((number for number, row in enumerate(rows, 1 + bool(header)) if len(row) != width), None)
    if ragged:
        raise ValueError(f"line {ragged} has another number of columns than the first, {width}")
    at = header.index(LABELS) if LABELS in header else None
    labels = None if at is None else _column([row[at] for row in rows], classes, at, bool(header))
    columns = [place for place in range(width) if place != at]
    table = [_column([row[place] for row in rows], classes, place, bool(header)) for place in columns]
    if len(table) == 1:
        return Said("predicted", table[0], labels)
    return Said("probabilities", np.stack(table, axis=1), labels)


def _column(cells: list[str], classes: Sequence[str], place: int, header: bool) -> NDArray[np.float64]:
    names = {name: float(number) for number, name in enumerate(classes)}
    found = np.empty(len(cells))
    for row, cell in enumerate(cells):
        text = cell.strip()
        if not _is_number(text) and text not in names:
            line = row + 1 + header
            raise ValueError(f"line {line}, column {place + 1}: {text!r} is neither a number nor one of the classes")
        # A digit is the name of a class in some data sets, and its number there.
        found[row] = float(text) if _is_number(text) else names[text]
    return found


def _is_header(row: list[str], classes: Sequence[str]) -> bool:
    """Whether a line names columns: by words, by the classes, or by numbers from 0 as pandas does."""
    cells = [cell.strip() for cell in row]
    if len(cells) == 1:
        return not _is_number(cells[0]) and cells[0] not in classes
    return not all(map(_is_number, cells)) or cells == [str(number) for number in range(len(cells))]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
