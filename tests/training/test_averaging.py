"""The average of the weights: what it holds, and that it is what counts."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from bench.data import Dataset
from bench.training.checkpoint import EMA
from bench.training.train_trial import train_trial


def test_the_average_follows_quickly_at_first_and_keeps_its_share_later() -> None:
    net = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(net.weight)
    average = EMA(net, decay=0.9)
    expected, kept = 0.0, []
    for step in range(200):
        nn.init.constant_(net.weight, float(step + 1))
        average.update(step)
        kept.append(min(0.9, (1 + step) / (10 + step)))
        expected = kept[-1] * expected + (1 - kept[-1]) * (step + 1)
    assert (kept[0], kept[-1]) == (0.1, 0.9)
    assert average.model.weight.item() == pytest.approx(expected, rel=1e-5)


def test_statistics_of_batch_normalisation_are_averaged_and_its_count_of_batches_is_not() -> None:
    net = nn.BatchNorm1d(1)
    average = EMA(net, decay=0.5)
    for step in range(30):
        net(torch.full((4, 1), 8.0))
        average.update(step)
    assert average.model.num_batches_tracked == 30
    assert 0 < average.model.running_mean.item() < net.running_mean.item()


def test_what_is_validated_and_tested_is_the_average(configured: Any, small: Dataset) -> None:
    """With nearly nothing kept it is the network; with nearly everything kept it is another one."""
    plain = train_trial(configured(), 3, small)
    same = train_trial(configured(ema=1e-9), 3, small)
    other = train_trial(configured(ema=0.95), 3, small)
    assert (same.curves, same.test) == (plain.curves, plain.test)
    assert other.curves["train_loss"] == plain.curves["train_loss"]  # training itself does not know of it
    assert other.curves["val_loss"] != plain.curves["val_loss"]
    assert other.test != plain.test


def test_validation_s_last_figure_is_that_of_the_weights_tested(configured: Any, small: Dataset) -> None:
    found = train_trial(configured(ema=0.9, test_time="flip"), 3, small)
    assert found.validation is not None
    assert found.curves["val_accuracy"][-1] == found.validation["accuracy"]


def test_the_best_epoch_s_average_comes_back(configured: Any, small: Dataset) -> None:
    settings = {"ema": 0.9, "weights": "best", "epochs": 6, "optimizer": {"name": "sgd", "lr": 0.3, "momentum": 0.9}}
    found = train_trial(configured(**settings), 3, small)
    assert found.validation is not None
    assert found.best_epoch is not None
    assert found.curves["val_accuracy"][found.best_epoch - 1] == found.validation["accuracy"]
