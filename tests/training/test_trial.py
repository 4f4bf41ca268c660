"""The protocol: which images train, validation chooses, the test set is read at the end and once."""

from __future__ import annotations

import json
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.data import Dataset
from bench.data.prepare import split
from bench.execution.messages import TrialResult
from bench.execution.worker import run_trial
from bench.training.epoch_progress import Progress
from bench.training.train_trial import TrialOutcome, train_trial

FROZEN = """
import torch

class Zeros(torch.nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(1))
        self.classes = classes

    def forward(self, pixels):
        return torch.nan_to_num(self.scale, 0, 0, 0).clamp(0, 1) * pixels.new_zeros(len(pixels), self.classes)

def network(input_shape, classes):
    return Zeros(classes)
"""

STANDARDIZED = {"preprocessing": {"name": "standardize"}}


def same(one: TrialOutcome, other: TrialOutcome) -> bool:
    """Equal to the last bit in all that is not a time."""
    mine, yours = (
        {k: v for k, v in vars(o).items() if "predicted" not in k and "second" not in k} for o in (one, other)
    )
    return mine == yours and equal_predictions(one, other)


def equal_predictions(one: TrialOutcome, other: TrialOutcome) -> bool:
    if one.predicted is None or other.predicted is None:
        return one.predicted is other.predicted
    pairs = zip(asdict(one.predicted).values(), asdict(other.predicted).values(), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


def with_other_pixels(data: Dataset, index: Any) -> Dataset:
    """The training images that `index` names inverted."""
    images = data.train_images.copy()
    images[index] = 255 - images[index]
    return replace(data, train_images=images)


class Watched(Dataset):
    """A dataset that notes in `seen` when its test set is asked for."""

    seen: list[str]

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("test_"):
            object.__getattribute__(self, "seen").append(name)
        return object.__getattribute__(self, name)


def watched(data: Dataset, seen: list[str]) -> Watched:
    copy = Watched(**{field.name: getattr(data, field.name) for field in fields(data)})
    object.__setattr__(copy, "seen", seen)
    return copy


def test_a_small_network_learns_fashion_mnist(configured: Any, sliced: Any) -> None:
    config = configured(model={"name": "mlp", "hidden": [128, 64]}, epochs=6)
    found = train_trial(config, 0, sliced(6000, 2000))
    assert found.status == "complete" and found.epochs_run == found.best_epoch == 6
    assert found.test is not None and 0.80 < found.test["accuracy"] < 0.90
    assert found.train is not None and found.train["accuracy"] > 0.84
    assert found.parameters == found.parameters_trainable == 109_386
    assert found.flops == 2 * (784 * 128 + 128 * 64 + 64 * 10)
    assert found.train_seconds > 0 and found.evaluation_seconds > 0


def test_a_convolutional_network_learns_fashion_mnist(configured: Any, sliced: Any) -> None:
    model = {"name": "cnn", "channels": [16], "hidden": [64], "dropout": 0.2}
    found = train_trial(configured(model=model, batch_size=32, epochs=3), 0, sliced(2000, 1000))
    assert found.test is not None and found.test["accuracy"] > 0.74


def test_an_outcome_is_plain_json_but_for_its_predictions(configured: Any, small: Dataset) -> None:
    found = train_trial(configured(epochs=1), 0, small)
    plain = {key: value for key, value in vars(found).items() if "predicted" not in key}
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain


def test_figures_and_predictions_agree(configured: Any, small: Dataset) -> None:
    found = train_trial(configured(), 0, small)
    assert found.test is not None and found.predicted is not None
    assert (found.predicted.labels == small.test_labels).all()
    assert found.test["accuracy"] == (found.predicted.predicted == found.predicted.labels).mean()
    assert found.test["loss"] == pytest.approx(-np.log(found.predicted.true_class_probability).mean(), rel=1e-4)


@pytest.mark.parametrize("validation", [{"tail": 0.2}, {"stratified": 0.2}])
def test_validation_pictures_teach_nothing(validation: Any, configured: Any, small: Dataset) -> None:
    config = configured(validation=validation, **STANDARDIZED)
    train, held_out = split(small.train_labels, config.validation)
    plain = train_trial(config, 0, small).curves
    other_held_out = train_trial(config, 0, with_other_pixels(small, held_out)).curves
    assert other_held_out["train_loss"] == plain["train_loss"]
    assert other_held_out["val_loss"] != plain["val_loss"]
    assert train_trial(config, 0, with_other_pixels(small, train[-1])).curves["train_loss"] != plain["train_loss"]


def test_the_tail_is_the_last_pictures(configured: Any, small: Dataset) -> None:
    config = configured(validation={"tail": 0.2})
    plain = train_trial(config, 0, small).curves
    assert train_trial(config, 0, with_other_pixels(small, 799)).curves["train_loss"] != plain["train_loss"]
    later = train_trial(config, 0, with_other_pixels(small, slice(800, None))).curves
    assert later["train_loss"] == plain["train_loss"] and later["val_loss"] != plain["val_loss"]


def test_validation_pictures_are_augmented_once_too_where_a_static_augmentation_says_so(
    configured: Any, small: Dataset
) -> None:
    noise = {"name": "gaussian_noise", "sigma": 0.5, "static": True}
    clean = train_trial(configured(augmentation=[noise]), 0, small)
    noised = train_trial(configured(augmentation=[noise | {"validation_too": True}]), 0, small)
    # Training draws what it drew without, and so does the test; only the figures of validation are others.
    assert noised.curves["train_loss"] == clean.curves["train_loss"] and noised.test == clean.test
    assert all(more > less for more, less in zip(noised.curves["val_loss"], clean.curves["val_loss"], strict=True))
    assert noised.validation is not None and noised.validation["loss"] == noised.curves["val_loss"][-1]


def test_validation_pictures_stay_the_same_from_epoch_to_epoch(configured: Any, small: Dataset) -> None:
    noise = {"name": "gaussian_noise", "static": True, "validation_too": True}
    found = train_trial(configured(optimizer={"name": "sgd", "lr": 1e-20}, augmentation=[noise]), 0, small)
    assert len(set(found.curves["val_loss"])) == 1


def test_without_validation_every_picture_trains(configured: Any, small: Dataset) -> None:
    config = configured(validation="none")
    plain = train_trial(config, 0, small)
    assert plain.curves.keys() == {"train_loss", "train_accuracy", "lr"}
    assert plain.validation is None and plain.test is not None and plain.best_epoch == 3
    for image in (0, 850, 999):
        other = train_trial(config, 0, with_other_pixels(small, image))
        assert other.curves["train_loss"] != plain.curves["train_loss"]


@pytest.mark.parametrize("refit", [False, True])
def test_the_test_set_is_read_after_the_last_epoch_and_once(refit: bool, configured: Any, small: Dataset) -> None:
    seen: list[str] = []

    def report(progress: Progress) -> None:
        assert not any("test" in name for name in progress.metrics)
        seen.append(f"epoch {progress.epoch}")

    train_trial(configured(epochs=2, refit=refit), 0, watched(small, seen), report=report)
    assert seen[:-2] == ["epoch 1", "epoch 2"] * (2 if refit else 1)
    assert sorted(seen[-2:]) == ["test_images", "test_labels"]


def test_progress_tells_the_curves_as_they_grow(configured: Any, small: Dataset) -> None:
    told: list[Progress] = []
    found = train_trial(configured(), 0, small, report=told.append)
    assert [(one.epoch, one.epochs) for one in told] == [(1, 3), (2, 3), (3, 3)]
    assert {name: [one.metrics[name] for one in told] for name in found.curves} == found.curves
    assert 0 < told[0].train_seconds < told[2].train_seconds == found.train_seconds


def test_what_the_report_raises_ends_the_trial(configured: Any, small: Dataset) -> None:
    class StopHereError(Exception):
        pass

    def report(progress: Progress) -> None:
        if progress.epoch == 2:
            raise StopHereError

    seen: list[str] = []
    with pytest.raises(StopHereError):
        train_trial(configured(), 0, watched(small, seen), report=report)
    assert seen == []


def test_a_refit_is_the_training_on_everything_for_the_chosen_epochs(configured: Any, small: Dataset) -> None:
    changes = {
        "optimizer": {"name": "sgd", "lr": 0.3, "momentum": 0.9},
        "schedule": {"name": "step", "every": 4},
        "regularizer": [{"name": "dropout", "rate": 0.2}],
        "augmentation": [{"name": "flip"}, {"name": "gaussian_noise", "static": True}],
        **STANDARDIZED,
    }
    search = configured(**changes, epochs=10, weights="best", early_stopping={"patience": 5})
    searched = train_trial(search, 0, small)
    refitted = train_trial(search.changed(refit=True), 0, small)
    assert searched.best_epoch is not None and searched.best_epoch < searched.epochs_run
    assert refitted.curves == searched.curves and refitted.validation == searched.validation
    assert refitted.best_epoch == searched.best_epoch

    whole = train_trial(configured(**changes, epochs=searched.best_epoch, validation="none"), 0, small)
    assert refitted.test == whole.test != searched.test
    assert refitted.train == whole.train
    assert equal_predictions(refitted, whole)
    assert refitted.train_seconds > searched.train_seconds / 2


def test_a_refit_follows_the_schedule_of_the_whole_budget(configured: Any, small: Dataset) -> None:
    changes = {"schedule": {"name": "cosine"}, "optimizer": {"name": "sgd", "lr": 0.3, "momentum": 0.9}}
    refitted = train_trial(configured(**changes, epochs=20, early_stopping={"patience": 1}, refit=True), 0, small)
    assert refitted.best_epoch is not None and refitted.best_epoch == refitted.epochs_run < 20
    # A cosine over the chosen epochs alone would have come down to nothing.
    shorter = train_trial(configured(**changes, epochs=refitted.best_epoch, validation="none"), 0, small)
    assert refitted.test != shorter.test


@pytest.mark.parametrize("validation", ["none", {"tail": 0.2}])
def test_a_trial_whose_loss_is_not_finite_is_diverged(validation: Any, configured: Any, small: Dataset) -> None:
    told: list[Progress] = []
    config = configured(optimizer={"name": "sgd", "lr": 1e30}, validation=validation, epochs=5)
    found = train_trial(config, 0, small, report=told.append)
    assert found.status == "diverged"
    assert found.epochs_run == len(told) < 5
    assert all(curve[-1] is None for name, curve in found.curves.items() if "loss" in name)
    assert (found.train, found.validation, found.test, found.predicted) == (None, None, None, None)
    assert found.best_epoch is None
    json.dumps(found.curves, allow_nan=False)


@pytest.mark.parametrize("model", [{"name": "mlp", "hidden": [8]}, {"name": "FILE:network"}])
def test_a_learning_rate_that_is_not_finite_is_diverged(
    model: dict[str, Any], configured: Any, small: Dataset, tmp_path: Path
) -> None:
    file = tmp_path / "frozen.py"  # its loss never depends on the rate
    file.write_text(FROZEN)
    config = configured(
        model=model | {"name": model["name"].replace("FILE", str(file))},
        optimizer={"name": "sgd", "lr": 10.0},
        schedule={"name": "step", "every": 1, "gamma": 1e308},
        epochs=4,
    )
    message = run_trial(config, 0, small, "cpu", 1, lambda _: None)
    assert isinstance(message, TrialResult)
    assert message.status == "diverged" and message.predictions is None
    result = message.result
    assert (result.epochs_run, result.curves["lr"]) == (2, [10.0, None])
    json.dumps([asdict(result), asdict(message.run_info)], allow_nan=False)


def test_a_last_step_that_goes_too_far_is_found_before_the_test_set_is_read(configured: Any, small: Dataset) -> None:
    seen: list[str] = []
    config = configured(optimizer={"name": "sgd", "lr": 1e38}, epochs=1, batch_size=1000, validation="none")
    found = train_trial(config, 0, watched(small, seen))
    assert found.curves["train_loss"][0] is not None  # of the start values, before the only step
    assert found.status == "diverged" and found.test is None
    assert seen == []


def test_the_data_are_not_written_to(configured: Any, sliced: Any) -> None:
    data, before = sliced(400, 100), sliced(400, 100)
    augmentation = [{"name": "gaussian_noise"}, {"name": "flip", "static": True}]
    train_trial(configured(epochs=1, augmentation=augmentation), 0, data)
    assert all(np.array_equal(getattr(data, f.name), getattr(before, f.name)) for f in fields(data))


def test_same_finds_the_smallest_difference(configured: Any, small: Dataset) -> None:
    one = train_trial(configured(epochs=1), 0, small)
    assert same(one, replace(one, train_seconds=9.0))
    assert not same(one, replace(one, best_epoch=2))
