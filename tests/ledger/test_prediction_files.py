"""Files of predictions: what a header says, which forms labels have, and what is refused."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bench.errors import UserError
from bench.ledger.prediction_files import predictions_of, read

CLASSES = ("T-shirt/top", "Trouser", "Bag", "Ankle boot")
LABELS = np.array([2, 0, 1, 3, 0])
RIGHT = np.eye(4)[LABELS]


def accuracy(path: Path, classes: tuple[str, ...] = CLASSES, labels: np.ndarray = LABELS) -> float:
    found, _ = predictions_of(read(path, classes, len(labels)), labels, classes, path)
    return float((found.predicted == found.labels).mean())


def written(path: Path, *rows: Any) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "said.csv"


BY_NAME = sorted(range(4), key=lambda number: CLASSES[number])


@pytest.mark.parametrize(
    "header",
    [
        [CLASSES[number] for number in BY_NAME],
        [f" {CLASSES[number]} " for number in BY_NAME],
        [f"p_{CLASSES[number]}" for number in BY_NAME],
        [str(number) for number in BY_NAME],
        [f"class {number}" for number in BY_NAME],
    ],
)
@pytest.mark.parametrize("labels", [True, False])
def test_a_header_sets_the_order_of_the_columns(header: list[str], labels: bool, file: Path) -> None:
    """scikit-learn orders text labels by the alphabet."""
    rows = [[*row, *([label] * labels)] for row, label in zip(RIGHT[:, BY_NAME], LABELS, strict=True)]
    assert accuracy(written(file, [*header, *["labels"] * labels], *rows)) == 1


def test_without_a_header_columns_are_in_the_order_of_the_classes(file: Path) -> None:
    assert accuracy(written(file, *RIGHT)) == 1


def test_pandas_headers_are_headers(file: Path) -> None:
    pd.DataFrame(RIGHT).to_csv(file, index=False)
    assert accuracy(file) == 1
    pd.DataFrame(RIGHT[:, ::-1], columns=CLASSES[::-1]).to_csv(file, index=False)
    assert accuracy(file) == 1
    pd.Series(LABELS).to_csv(file, index=False)
    assert file.read_text().splitlines()[0] == "0"
    assert accuracy(file) == 1
    pd.Series([CLASSES[number] for number in LABELS], name="predicted").to_csv(file, index=False)
    assert accuracy(file) == 1


def test_a_first_line_of_numbers_is_a_prediction_where_there_are_as_many_as_images(file: Path) -> None:
    labels = np.array([0, 1, 0])
    two = ("a", "b")
    assert accuracy(written(file, [0], [1], [0]), two, labels) == 1
    assert accuracy(written(file, ["0"], [0], [1], [0]), two, labels) == 1
    flipped = np.array([1, 1, 0])
    assert accuracy(written(file, [0, 1], [0, 1], [1, 0]), two, flipped) == 1
    assert accuracy(written(file, [1, 0], [1, 0], [1, 0], [0, 1]), two, flipped) == 1


def test_numbers_that_are_names_of_other_classes_are_refused(file: Path) -> None:
    swapped = ("1", "0", "2")
    labels = np.array([0, 2])
    rows = [[1, 0, 0], [0, 0, 1]]
    with pytest.raises(UserError, match="names of classes and numbers of others"):
        accuracy(written(file, ["0", "1", "2"], *rows), swapped, labels)
    with pytest.raises(UserError, match="names of classes that are numbers of others"):
        accuracy(written(file, [1], [2]), swapped, labels)
    assert accuracy(written(file, *rows), swapped, labels) == 1


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (["T-shirt/top", "1", "2", "3"], "mixes names and numbers of classes"),
        (["T-shirt/top", "Trouser", "Bag", "Bag"], "names 'Bag' twice"),
        (["T-shirt/top", "Trousers", "Bag", "Ankle boot"], r"a column 'Trousers' \(did you mean 'Trouser'\?\)"),
        (["0", "1", "2"], "expected the 4 classes in any order"),
        (["1", "2", "3", "4"], "names a column '4'"),
        (["a", "b", "c", "d"], "names a column 'a'"),
        (["p10", "p11", "p12", "p13"], "names a column 'p10'"),
        (["", "0", "1", "2", "3"], "one column has no name: leave out the one that numbers the rows"),
        (["id", "0", "1", "2", "3"], "names a column 'id'"),
        (["id", "label"], "names a column 'id'"),
        (["predicted", "0", "1", "2", "3"], "names a column 'predicted'"),
        (["a\x1b[2J", "b", "c", "d"], r"names a column 'a\\x1b\[2J'"),
        (["labels"], "holds `labels` and no predictions"),
    ],
)
def test_other_headers_are_refused(header: list[str], message: str, file: Path) -> None:
    rows = np.tile(np.eye(4)[0], (5, 2))[:, : len(header)]
    with pytest.raises(UserError, match=message):
        accuracy(written(file, header, *rows))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("T-shirt/top;Trouser;Bag;Ankle boot\n1;0;0;0\n", "line 1: its columns are separated by semicolons"),
        ("0,1;0,9;0;0\n", "separated by semicolons"),
        ("0.1;0.9;0;0\n", "separated by semicolons"),
        ("0\t1\t2\t3\n1\t0\t0\t0\n", "separated by tabs"),
        ("0.1 0.9 0 0\n", "separated by blanks"),
        ("Trouser\n3\n0\n1\n2\n", "line 2, column 1: '3' stands among names: give all by name or all by number"),
        ("3\nTrouser\n0\n1\n2\n", "line 2, column 1: 'Trouser' stands among numbers"),
        ("1\n1_0\n0\n1\n2\n", "line 2, column 1: '1_0' is neither"),
        ("1\n١\n0\n1\n2\n", "is neither a number nor one of the classes"),
        ("1\nhat\n0\n1\n2\n", "line 2, column 1: 'hat' is neither a number nor one of the classes"),
        ("1,0,0,x\n1,0,0,0\n", "line 1: the header names a column 'x'"),
        ("0,1,2,3\n1,0,0,x\n", "line 2, column 4: 'x' is no number"),
        ("0,1,2,3\n1,0,0\n", "line 2 has another number of columns than the first, 4"),
        ("0,1,2,3\n", "holds no row of predictions"),
        ("", "holds no row of predictions"),
        ('"', "holds no row|names|is neither|cannot be read"),
        ("1\n" * 4, "predictions of 4 images, and the test part has 5"),
        ("1\n" * 7, "predictions of 7 images"),
        ("nan\n" * 5, "row 1 holds nan, which is no class number"),
        ("inf\n" * 5, "row 1 holds class inf"),
        ("a" * 200_000, "field larger than field limit"),
    ],
)
def test_other_texts_are_refused(text: str, message: str, file: Path) -> None:
    file.write_text(text)
    with pytest.raises(UserError, match=message):
        accuracy(file)


def npz(folder: Path, **arrays: Any) -> Path:
    np.savez(folder / "said.npz", **arrays)
    return folder / "said.npz"


@pytest.mark.parametrize("labels", [LABELS[:, None], LABELS.astype(np.uint8), LABELS.astype(float)[:, None]])
@pytest.mark.parametrize("kind", ["predicted", "probabilities"])
def test_labels_may_stand_in_a_column(labels: np.ndarray, kind: str, tmp_path: Path) -> None:
    values = LABELS[:, None] if kind == "predicted" else RIGHT
    assert accuracy(npz(tmp_path, **{kind: values}, labels=labels)) == 1


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (
            {"labels": RIGHT},
            r"`labels` is of type float64 and shape \(5, 4\); .* of one-hot rows save labels.argmax",
        ),
        ({"labels": RIGHT[:, :, None]}, r"`labels` is of type float64 and shape \(5, 4, 1\)"),
        ({"labels": np.array(CLASSES)[LABELS]}, r"`labels` is of type <U11 and shape \(5,\); expected class numbers"),
        ({"labels": LABELS > 1}, "`labels` is of type bool"),
        ({"labels": LABELS.astype(complex)}, "`labels` is of type complex128"),
        ({"labels": LABELS[1:]}, "4 `labels`, and the test part has 5 images"),
        ({"labels": LABELS[::-1]}, r"not those of the test part \(4 of 5 differ\)"),
        ({"labels": LABELS.astype(object)}, "`labels` is neither plain numbers nor text"),
        ({"labels": np.zeros(5, [("a", "i4")])}, "`labels` is of type"),
        ({"predicted": RIGHT}, r"holds probabilities, predicted; expected just one of"),
        ({"probabilities": RIGHT[:, :, None]}, r"`probabilities` is of type float64 and shape \(5, 4, 1\)"),
        ({"probabilities": RIGHT.astype("U")}, r"`probabilities` is of type <U"),
    ],
)
def test_other_arrays_are_named(arrays: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        accuracy(npz(tmp_path, **{"probabilities": RIGHT, **arrays}))
