"""`validation: given`: the validation part that comes with a data set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from commands import bench

from bench.components import AXES, DatasetComponent
from bench.data import Dataset
from bench.ledger.ledger import Ledger
from bench.suite.suite import Suite
from bench.suite.trial import TrialConfig
from bench.training.train_trial import train_trial


@pytest.fixture
def data(sliced: Callable[[int, int], Dataset]) -> Dataset:
    """600 images to learn from, 200 that come as the validation part, 100 of the test."""
    images = sliced(800, 100)
    return replace(
        images,
        train_images=images.train_images[:600],
        train_labels=images.train_labels[:600],
        val_images=images.train_images[600:],
        val_labels=images.train_labels[600:],
    )


def test_it_validates_as_the_tail_of_one_training_set_does(
    configured: Callable[..., TrialConfig], data: Dataset
) -> None:
    together = data.with_given_part()
    assert len(together.train_labels) == 800
    for changes in ({}, {"refit": True}, {"augmentation": [{"name": "crop", "padding": 1}]}):
        given = train_trial(configured(validation="given", epochs=2, **changes), 0, data)
        tail = train_trial(configured(validation={"tail": 0.25}, epochs=2, **changes), 0, together)
        assert given.curves == tail.curves
        assert (given.validation, given.test) == (tail.validation, tail.test)


def test_no_other_setting_uses_it(configured: Callable[..., TrialConfig], data: Dataset) -> None:
    without = replace(data, val_images=None, val_labels=None)
    config = configured(validation={"stratified": 0.2}, epochs=1)
    assert train_trial(config, 0, data).curves == train_trial(config, 0, without).curves


SUITE = """
name: mine
defaults: {dataset: {name: npz, path: mine.npz}, epochs: 1, validation: given}
grid: {model: mlp}
"""


def test_a_suite_without_one_is_refused_with_what_would_give_one(tmp_path: Path) -> None:
    images, labels = np.zeros((8, 4, 4), np.uint8), np.arange(8) % 2
    arrays = {"train_images": images, "train_labels": labels, "test_images": images, "test_labels": labels}
    np.savez(tmp_path / "mine.npz", **arrays)
    (tmp_path / "mine.yaml").write_text(SUITE)
    for command in (["plan"], ["run", "--no-ray"]):
        code, _, err = bench(*command, tmp_path / "mine.yaml", "--results", tmp_path / "r")
        assert code == 2
        assert "mine.yaml:3: defaults.validation: `validation: given` is the validation part" in err
        assert "save it in the file as the arrays val_images and val_labels" in err
    np.savez(tmp_path / "mine.npz", **arrays, val_images=images[:4], val_labels=labels[:4])
    assert bench("plan", tmp_path / "mine.yaml", "--results", tmp_path / "r")[0] == 0


def test_a_data_set_of_a_package_may_come_with_one(monkeypatch: pytest.MonkeyPatch) -> None:
    class Theirs(DatasetComponent):
        implementation = "theirs:make"
        name: Literal["theirs"] = "theirs"

    monkeypatch.setitem(AXES["dataset"], "theirs", Theirs)
    assert (
        len(Suite.from_dict({"name": "t", "grid": {"model": "mlp", "dataset": "theirs", "validation": "given"}})) == 1
    )


CODE = """
import numpy as np

def make(with_validation):
    images, labels = np.arange(8 * 16, dtype=np.uint8).reshape(8, 4, 4), np.arange(8) % 2
    parts = ("train", "val", "test") if with_validation else ("train", "test")
    return {f"{part}_{kind}": array for part in parts for kind, array in (("images", images), ("labels", labels))}
"""


@pytest.mark.parametrize("with_validation", [True, False])
def test_a_function_may_return_one(with_validation: bool, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(CODE)
    dataset = f'{{name: "mine.py:make", with_validation: {str(with_validation).lower()}}}'
    (tmp_path / "mine.yaml").write_text(SUITE.replace("{name: npz, path: mine.npz}", dataset))
    code, _, err = bench("run", "--no-ray", tmp_path / "mine.yaml", "--results", tmp_path / "r")
    if with_validation:
        assert code == 0, err
        (record,) = Ledger(tmp_path / "r").records()
        assert record.result.validation is not None
    else:
        assert code == 2
        assert "return it from the function as val_images and val_labels, or take" in err
