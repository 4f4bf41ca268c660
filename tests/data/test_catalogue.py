from __future__ import annotations

from dataclasses import replace

import pytest

from bench.data import DATASETS, fingerprint
from bench.data.catalogue import find
from bench.suite.components import AXES
from bench.suite.errors import UserError


def test_a_misspelt_name_gets_the_nearest_one() -> None:
    with pytest.raises(UserError, match=r"unknown dataset 'fashion-mnist'(.|\n)*did you mean 'fashion_mnist'"):
        find("fashion-mnist")


def test_every_dataset_of_the_suite_files_is_in_the_catalogue() -> None:
    assert DATASETS.keys() == AXES["dataset"].keys()


def test_fingerprints_are_pinned_because_they_are_part_of_every_key() -> None:
    assert fingerprint("fashion_mnist") == "7b0688d0999122d67a4eb2b95499a3bf7c5afbfaef15b7295b9f619d9e48a0bc"
    assert fingerprint("mnist") == "ac89dbc26b7b0b5f68ff586bc0579a0c16e78b3436b0c71ccdd0169cbebf9ff7"


def test_a_fingerprint_changes_with_any_of_the_four_files() -> None:
    info = DATASETS["mnist"]
    other = replace(info.test_labels, sha256="0" * 64)
    assert replace(info, test_labels=other).fingerprint != info.fingerprint
