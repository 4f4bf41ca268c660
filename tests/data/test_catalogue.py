from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest
from torchvision.datasets import CIFAR10, EMNIST, KMNIST, MNIST, FashionMNIST

from bench.components import AXES
from bench.components.datasets import FROM_PATH, IN_MEMORY
from bench.data import DATASETS, fingerprint
from bench.data.catalogue import find
from bench.errors import UserError


def test_a_misspelt_name_gets_the_nearest_one() -> None:
    with pytest.raises(UserError, match=r"unknown dataset 'fashin-mnist'(.|\n)*did you mean 'fashion_mnist'"):
        find("fashin-mnist")


@pytest.mark.parametrize("name", ["fashion-mnist", "Fashion-MNIST", "FashionMNIST", " fashion_mnist"])
def test_a_name_may_be_written_as_its_makers_do(name: str) -> None:
    assert find(name) is DATASETS["fashion_mnist"]


def test_every_dataset_of_the_suite_files_is_in_the_catalogue_or_the_users_own() -> None:
    splits = {f"emnist_{split}" for split in get_args(AXES["dataset"]["emnist"].model_fields["split"].annotation)}
    assert DATASETS.keys() | {*FROM_PATH, IN_MEMORY} == (AXES["dataset"].keys() - {"emnist"}) | splits


def test_fingerprints_are_pinned_because_they_are_part_of_every_key() -> None:
    assert fingerprint("fashion_mnist") == "7b0688d0999122d67a4eb2b95499a3bf7c5afbfaef15b7295b9f619d9e48a0bc"
    assert fingerprint("mnist") == "ac89dbc26b7b0b5f68ff586bc0579a0c16e78b3436b0c71ccdd0169cbebf9ff7"


def test_a_fingerprint_changes_with_any_of_the_four_files() -> None:
    info = DATASETS["mnist"]
    other = replace(info.files[3], sha256="0" * 64)
    assert replace(info, files=(*info.files[:3], other)).fingerprint != info.fingerprint


def test_the_splits_of_one_archive_have_fingerprints_of_their_own() -> None:
    splits = [{"name": "emnist", "split": split} for split in ("balanced", "letters", "digits")]
    assert len({fingerprint(split) for split in splits}) == 3
    assert fingerprint("emnist") == fingerprint(splits[0])


def test_what_is_known_of_the_files_agrees_with_torchvision() -> None:
    ours = {info.name: {file.distributed: file.md5 for file in info.files} for info in DATASETS.values()}
    for name, theirs in {"mnist": MNIST, "fashion_mnist": FashionMNIST, "kmnist": KMNIST}.items():
        assert ours[name] == dict(theirs.resources)
        assert DATASETS[name].mirrors == tuple(theirs.mirrors)
    assert ours["emnist_letters"] == {"gzip.zip": EMNIST.md5}
    assert f"{DATASETS['emnist_letters'].mirrors[0]}gzip.zip" == EMNIST.url
    assert DATASETS["cifar10"].mirrors[0] == CIFAR10.url.removesuffix("cifar-10-python.tar.gz")


def test_classes_are_as_many_and_called_as_torchvision_has_them() -> None:
    for split in ("balanced", "digits"):
        assert list(DATASETS[f"emnist_{split}"].classes) == EMNIST.classes_split_dict[split]
    assert ["N/A", *DATASETS["emnist_letters"].classes] == EMNIST.classes_split_dict["letters"]
    assert [name.split(" - ")[0] for name in MNIST.classes] == list(DATASETS["mnist"].classes)
    assert list(DATASETS["fashion_mnist"].classes) == FashionMNIST.classes
    assert list(DATASETS["kmnist"].classes) == KMNIST.classes
    assert len(set(DATASETS["cifar100"].classes)) == 100


def test_the_classes_make_up_the_training_part() -> None:
    for info in DATASETS.values():
        assert (len(info.class_sizes), sum(info.class_sizes)) == (len(info.classes), info.train_size)
