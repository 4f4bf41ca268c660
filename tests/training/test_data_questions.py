"""Trials that train on part of the images, with wrong labels, or are tested on corrupted images."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from bench.data import Dataset
from bench.data.corrupt import corrupt
from bench.data.prepare import split
from bench.training.train_trial import select_training_part, train_trial

NOISE = {"name": "symmetric", "rate": 0.4}


def test_a_trial_trains_on_a_fraction_and_says_on_how_many(configured: Any, small: Dataset) -> None:
    everything, tenth = (train_trial(configured(fraction=fraction, epochs=1), 0, small) for fraction in (1.0, 0.1))
    assert (everything.train_images, everything.wrong_labels) == (800, 0)
    assert tenth.train_images == pytest.approx(80, abs=5) and tenth.validation is not None
    tail = train_trial(configured(imbalance={"name": "exponential", "ratio": 10.0}, epochs=1), 0, small)
    assert 200 < tail.train_images < 500


def test_a_seed_s_images_and_labels_come_again_and_validation_has_none_of_them(configured: Any, small: Dataset) -> None:
    config = configured(fraction=0.5, label_noise=NOISE)
    train, validation = split(small.train_labels, config.validation)
    parts = [select_training_part(config, small.train_labels, 10, train, seed) for seed in (0, 0, 1)]
    assert np.array_equal(parts[0].indices, parts[1].indices) and np.array_equal(parts[0].labels, parts[1].labels)
    assert not np.array_equal(parts[0].indices, parts[2].indices)
    assert np.array_equal(parts[0].labels[validation], small.train_labels[validation])


def test_a_network_learns_the_wrong_labels_and_its_training_accuracy_is_on_those(
    configured: Any, small: Dataset
) -> None:
    config = configured(fraction=0.1, label_noise=NOISE, epochs=60, batch_size=16)
    outcome = train_trial(config, 0, small)
    assert outcome.wrong_labels == pytest.approx(0.4 * outcome.train_images, rel=0.4)
    assert outcome.train and outcome.validation
    assert outcome.train["accuracy"] > 0.9 > outcome.validation["accuracy"] + 0.2


def test_a_refit_trains_on_the_fraction_of_all_images(configured: Any, small: Dataset) -> None:
    assert train_trial(configured(fraction=0.1, refit=True, epochs=1), 0, small).train_images == pytest.approx(
        100, abs=5
    )


def test_the_tested_network_is_evaluated_on_corrupted_images(configured: Any, small: Dataset) -> None:
    config = configured(robustness=["brightness", "fog"], epochs=2)
    outcome = train_trial(config, 0, small)
    assert outcome.robustness is not None and list(outcome.robustness) == ["fog", "brightness"]
    assert all(len(accuracies) == 5 for accuracies in outcome.robustness.values())
    assert outcome.test and outcome.robustness["fog"][4] < outcome.test["accuracy"]
    # What a network is tested on, as its data set: the same number.
    changed = Dataset(**{**vars(small), "test_images": corrupt(small.test_images, "fog", 5)})
    assert train_trial(configured(epochs=2), 0, changed).test["accuracy"] == outcome.robustness["fog"][4]


def test_robustness_changes_no_weight(configured: Any, small: Dataset) -> None:
    plain, tested = (train_trial(configured(epochs=1, robustness=names), 0, small) for names in ([], ["contrast"]))
    assert plain.test == tested.test and plain.curves == tested.curves
    assert plain.robustness is None
    assert torch.is_grad_enabled()
