"""The loop: batches, precision, patience."""

from __future__ import annotations

import shutil
from typing import Any

import pytest
import torch
from by_name import create_model
from torch.nn import functional as F

from bench.data import Dataset
from bench.training.evaluation import predict_logits, predictions
from bench.training.fit import batch_sizes
from bench.training.runtime import generator, stream_seed
from bench.training.train_trial import train_trial

NOISY = {"name": "sgd", "lr": 0.3, "momentum": 0.9}
"""A rate high enough that validation goes up and down."""


@pytest.mark.parametrize(
    ("count", "batch_size", "sizes"),
    [
        (300, 100, [100, 100, 100]),
        (250, 100, [100, 100, 50]),
        (202, 100, [100, 100, 2]),
        (201, 100, [100, 101]),  # one image alone cannot be normalised by its batch
        (60, 100, [60]),
        (1, 100, [1]),
        (3, 1, [1, 1, 1]),
    ],
)
def test_the_last_partial_batch_is_kept_and_a_single_picture_joins_the_one_before(
    count: int, batch_size: int, sizes: list[int]
) -> None:
    assert batch_sizes(count, batch_size) == sizes


def test_a_trial_is_the_loop_one_would_write_by_hand(configured: Any, small: Dataset) -> None:
    """The last 200 images validate; 800 are 3 batches of 250 and one of 50."""
    model = {"name": "mlp", "hidden": [32], "batch_norm": "before"}
    config = configured(
        model=model,
        optimizer={"name": "sgd", "lr": 0.1, "momentum": 0.9},
        schedule={"name": "step", "every": 1, "gamma": 0.5},
        regularizer=[{"name": "l2", "strength": 0.01}, {"name": "label_smoothing", "amount": 0.1}],
        batch_size=250,
    )
    found = train_trial(config, 5, small)

    torch.manual_seed(stream_seed(5, "init"))
    net = create_model(config.model.to_json(), (1, 28, 28), 10)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    images, labels = torch.from_numpy(small.train_images), torch.from_numpy(small.train_labels)
    orders = generator(5, "order")
    for epoch in range(3):
        order = torch.randperm(800, generator=orders)
        losses = []
        for start in (0, 250, 500, 750):
            batch = order[start : start + 250]
            smoothed = F.cross_entropy(net(images[batch] / 255), labels[batch], label_smoothing=0.1)
            optimizer.zero_grad()
            (smoothed + 0.01 * (net[1].weight ** 2).sum()).backward()
            optimizer.param_groups[0]["lr"] = 0.1 * 0.5**epoch
            optimizer.step()
            losses.append(float(smoothed.detach()) * len(batch))
        assert found.curves["train_loss"][epoch] == pytest.approx(sum(losses) / 800, rel=1e-4)

    assert found.test is not None and found.predicted is not None
    test_images, test_labels = torch.from_numpy(small.test_images), torch.from_numpy(small.test_labels)
    wanted = predictions(predict_logits(net, test_images, torch.arange(300)), test_labels)
    assert found.predicted.true_class_probability == pytest.approx(wanted.true_class_probability, abs=1e-3)
    assert found.test["accuracy"] == pytest.approx((wanted.true_rank == 0).mean(), abs=0.01)


def test_batch_normalisation_trains_where_one_picture_is_left_over(configured: Any, sliced: Any) -> None:
    config = configured(
        model={"name": "mlp", "hidden": [16], "batch_norm": "before"}, validation="none", batch_size=100, epochs=1
    )
    assert train_trial(config, 0, sliced(301, 50)).status == "complete"


def first_stop(figures: list[float], patience: int, min_delta: float) -> int:
    """The first epoch after which `patience` epochs in a row brought nothing (higher is better)."""
    mark, waited = figures[0], 0
    for epoch, figure in enumerate(figures[1:], start=2):
        if figure > mark + min_delta:
            mark, waited = figure, 0
        else:
            waited += 1
        if waited == patience:
            return epoch
    raise AssertionError("patience lasts to the end: another learning rate would make a better test")


@pytest.mark.parametrize("monitor", ["val_accuracy", "val_loss"])
@pytest.mark.parametrize(("patience", "min_delta"), [(1, 0.0), (3, 0.0), (3, 0.02), (4, 0.2)])
def test_training_stops_when_patience_runs_out(
    monitor: str, patience: int, min_delta: float, configured: Any, small: Dataset
) -> None:
    whole = train_trial(configured(optimizer=NOISY, epochs=15), 0, small).curves
    figures = [-value if monitor == "val_loss" else value for value in whole[monitor] if value is not None]
    stop = first_stop(figures, patience, min_delta)
    stopping = {"patience": patience, "monitor": monitor, "min_delta": min_delta}
    for weights in ("last", "best"):
        config = configured(optimizer=NOISY, epochs=15, early_stopping=stopping, weights=weights)
        found = train_trial(config, 0, small)
        assert found.epochs_run == stop < 15
        assert found.curves == {name: curve[:stop] for name, curve in whole.items()}
        # min_delta concerns patience only: the best epoch is the best one seen.
        assert found.best_epoch == (stop if weights == "last" else figures.index(max(figures[:stop])) + 1)


@pytest.mark.parametrize("monitor", ["val_accuracy", "val_loss"])
def test_best_weights_are_those_of_the_best_epoch(monitor: str, configured: Any, small: Dataset) -> None:
    stopping = {"patience": 100, "monitor": monitor}
    config = configured(optimizer=NOISY, epochs=12, early_stopping=stopping, weights="best")
    best = train_trial(config, 0, small)
    curve = [value for value in best.curves[monitor] if value is not None]
    top = max(curve) if monitor == "val_accuracy" else min(curve)
    assert best.epochs_run == 12 and best.best_epoch == curve.index(top) + 1 < 12
    assert best.validation is not None and best.validation[monitor.removeprefix("val_")] == top
    until_then = train_trial(configured(optimizer=NOISY, epochs=best.best_epoch), 0, small)
    assert best.test == until_then.test and best.train == until_then.train


def test_without_early_stopping_the_best_epoch_is_by_validation_accuracy(configured: Any, small: Dataset) -> None:
    found = train_trial(configured(optimizer=NOISY, epochs=12, weights="best"), 0, small)
    curve = [value for value in found.curves["val_accuracy"] if value is not None]
    assert found.epochs_run == 12 and found.best_epoch == curve.index(max(curve)) + 1


def test_of_equally_good_epochs_the_first_is_the_best(configured: Any, small: Dataset) -> None:
    found = train_trial(configured(optimizer={"name": "sgd", "lr": 1e-20}, weights="best"), 0, small)
    assert len(set(found.curves["val_accuracy"])) == 1
    assert found.best_epoch == 1


def test_last_weights_are_those_of_the_last_epoch(configured: Any, small: Dataset) -> None:
    found = train_trial(configured(optimizer=NOISY, epochs=12), 0, small)
    assert found.best_epoch == 12 and found.validation is not None
    assert found.validation["accuracy"] == found.curves["val_accuracy"][-1]
    assert found.validation["loss"] == found.curves["val_loss"][-1]


def test_bfloat16_trains_nearly_like_float32(configured: Any, small: Dataset) -> None:
    full = train_trial(configured(), 0, small)
    half = train_trial(configured(precision="bfloat16"), 0, small)
    assert half.curves["train_loss"] != full.curves["train_loss"]
    assert half.curves["train_loss"] == pytest.approx(full.curves["train_loss"], rel=0.02)
    assert half.predicted is not None and half.predicted.confidence.dtype.name == "float32"


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("c++") is None, reason="torch.compile needs a compiler")
def test_a_compiled_network_trains_like_the_plain_one(configured: Any, small: Dataset) -> None:
    plain = train_trial(configured(epochs=2, validation="none"), 0, small)
    compiled = train_trial(configured(epochs=2, validation="none", compile=True), 0, small)
    assert compiled.curves["train_loss"] == pytest.approx(plain.curves["train_loss"], rel=1e-3)
    assert compiled.test is not None and plain.test is not None
    assert compiled.test["loss"] == pytest.approx(plain.test["loss"], rel=1e-3)
