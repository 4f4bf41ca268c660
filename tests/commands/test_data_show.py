"""`bench data show`, as a user types it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


def bench(*arguments: object, folder: Path) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "bench", *map(str, arguments)],
        cwd=folder, env={"HOME": str(folder), "PYTHONPATH": ":".join(sys.path), "COLUMNS": "100"},
        capture_output=True, text=True, timeout=400, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    for part in ("train", "test"):
        for number, name in enumerate(("cat", "dog")):
            for i in range(5):
                path = tmp_path / "pets" / part / name / f"{i}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(np.full((8, 8), 20 * i + 100 * number, np.uint8)).save(path)
    return tmp_path


def test_a_folder_of_pictures_is_looked_at_in_the_terminal(pets: Path) -> None:
    code, out, err = bench("data", "show", "pets", folder=pets)
    assert code == 0, err
    assert "10 training and 10 test images, 8 x 8 grey, 2 classes" in out
    assert "exact duplicates of training images in the test part: 10, 0 of them with another label" in out


def test_a_validation_part_is_split_off_as_trials_do(pets: Path) -> None:
    code, out, err = bench("data", "show", "pets", "--validation", "stratified=0.4", folder=pets)
    assert code == 0, err
    assert "6 training, 4 validation and 10 test images, 8 x 8 grey, 2 classes" in out
    assert re.search(r"Class +Training +Fraction +Validation +Test\ncat +3 +50.0% +2 +5\n", out)
    assert re.search(r"Pixels +Minimum(.|\n)*Validation +Minimum", out)
    assert "exact duplicates of training images in the validation part: none" in out


def test_the_page_shows_a_suites_augmentations(pets: Path) -> None:
    suite = "name: s\ngrid: {model: mlp, augmentation: [none, flip, {name: shift, vertical: 1}, mixup]}\n"
    (pets / "s.yaml").write_text(suite)
    code, out, err = bench("data", "show", "pets", "--html", "--suite", "s.yaml", "--size", 6, 7, folder=pets)
    assert (code, out) == (0, "wrote reports/data-pets.html\n"), err
    page = (pets / "reports/data-pets.html").read_text()
    assert "test images of 6 x 7, grey" in page
    assert [label in page for label in ("as they are", "flip", "shift vertical=1", "mixup")] == [True] * 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("pet",), "unknown dataset 'pet'"),
        (("pets", "--suite", "s.yaml"), "add --html"),
        (("mnist", "--size", 8, 8), "--size is for image folders; mnist is as its makers published it"),
        (
            ("pets", "--validation", "head=0.2"),
            "--validation head=0.2: allowed are tail=FRACTION, stratified=FRACTION (between 0 and 1, ",
        ),
        (("pets", "--validation", "tail"), "--validation tail: allowed are"),
        (("pets", "--validation", "stratified=0.05"), "validation.stratified: 0.05 of the 5 images of class 0 is 0"),
        (("pets", "--channels", 2), "allowed are 1 (grey) and 3 (colour)"),
    ],
)
def test_what_is_wrong_is_told(arguments: tuple[object, ...], message: str, pets: Path) -> None:
    code, out, err = bench("data", "show", *arguments, folder=pets)
    assert (code, out) == (2, "")
    assert message in err
    assert "Traceback" not in err
