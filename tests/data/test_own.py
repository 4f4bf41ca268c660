"""A suite that names the user's own data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bench.data import fingerprint
from bench.errors import UserError
from bench.suite.suite import load_suite
from bench.suite.trial import Trial, trials

pytestmark = pytest.mark.usefixtures("bare_machine")


@pytest.fixture
def trial_of(tmp_path: Path) -> Callable[[str], Trial]:
    """From a dataset's entry, as text, to the one trial of a suite in the folder `suites`."""

    def load(entry: str) -> Trial:
        path = tmp_path / "suites/mine.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"name: mine\ndefaults:\n  dataset: {entry}\ngrid:\n  model: mlp\n")
        (trial,) = trials(load_suite(path), fingerprint, lambda _: None)
        return trial

    return load


@pytest.fixture
def arrays(tmp_path: Path) -> Path:
    path = tmp_path / "data/mine.npz"
    path.parent.mkdir()
    pixels = np.zeros((4, 3, 3), np.uint8)
    labels = np.array([0, 1, 0, 1])
    np.savez(path, train_images=pixels, train_labels=labels, test_images=pixels, test_labels=labels)
    return path


def test_a_path_starts_at_the_suite_files_folder(trial_of: Callable[[str], Trial], arrays: Path) -> None:
    trial = trial_of("{name: npz, path: ../data/mine.npz}")
    assert trial.config.dataset.to_json() == {"name": "npz", "path": "../data/mine.npz"}
    assert trial.run_config.dataset.to_json() == {"name": "npz", "path": str(arrays)}


def test_the_contents_are_in_the_key(trial_of: Callable[[str], Trial], arrays: Path) -> None:
    entry = "{name: npz, path: ../data/mine.npz}"
    before = trial_of(entry).key
    assert trial_of(entry).key == before
    np.savez(arrays, **{**np.load(arrays), "test_labels": np.array([1, 1, 0, 0])})
    assert trial_of(entry).key != before


def test_two_entries_of_one_name_are_two_datasets(trial_of: Callable[[str], Trial]) -> None:
    letters, digits = (trial_of(f"{{name: emnist, split: {split}}}") for split in ("letters", "digits"))
    assert letters.data != digits.data
    assert letters.key != digits.key
    assert trial_of("emnist").data == trial_of("{name: emnist, split: balanced}").data


def test_missing_data_are_told_with_their_place_in_the_file(trial_of: Callable[[str], Trial], tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        trial_of("{name: image_folder, path: ../data/cats}")
    place, _, message = str(caught.value).partition(": defaults.dataset: ")
    assert place == f"{tmp_path / 'suites/mine.yaml'}:3"
    assert message.startswith(f"{tmp_path / 'data/cats'} does not exist")


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("image_folder", "dataset 'image_folder' lacks `path`"),
        ("{name: image_folder, path: x, channels: 2}", "channels: 2 is not allowed here"),
        ("{name: image_folder, path: x, size: 28}", r"size: 28 is not allowed here(.|\n)*write it like \[32, 32\]"),
        ("{name: emnist, split: byclass}", "'byclass' is not allowed here"),
    ],
)
def test_a_wrong_entry_is_told(entry: str, message: str, trial_of: Callable[[str], Trial]) -> None:
    with pytest.raises(UserError, match=message):
        trial_of(entry)
