"""Where PyTorch and Keras differ: ours against Keras's rule written out in NumPy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from by_name import create_model, create_optimizer, create_schedule
from numpy.typing import NDArray
from torch import nn

from bench.data import Dataset
from bench.data.prepare import split
from bench.models.layers import SamePad
from bench.suite.schema import Tail
from bench.training.evaluation import final_metrics
from bench.training.fit import TrainingData, fit
from bench.training.lr_schedules import ScheduleContext
from bench.training.objective import combine as combine_components
from bench.training.runtime import generator

Floats = NDArray[np.float64]

START = np.array([0.7, -1.3, 0.2, 2.0])


def gradients(count: int) -> Floats:
    """As a network's: noisy, of very different sizes, now and then nearly nothing."""
    draws = np.random.default_rng(3)
    return draws.normal(size=(count, 4)) * np.array([1.0, 0.1, 1e-3, 1e-6]) + np.array([0.3, 0, 1e-3, 0])


def path(entry: dict[str, Any], given: Floats, rates: list[float] | None = None) -> Floats:
    """Where our optimizer takes START by these gradients, step by step, in float64."""
    weights = nn.Parameter(torch.from_numpy(START.copy()))
    optimizer = create_optimizer(entry, [{"params": [weights]}])
    out = []
    for step, gradient in enumerate(given):
        if rates is not None:
            optimizer.param_groups[0]["lr"] = rates[step]
        weights.grad = torch.from_numpy(gradient.copy())
        optimizer.step()
        out.append(weights.detach().numpy().copy())
    return np.array(out)


def test_nesterov_momentum_is_keras_s_while_the_rate_stays() -> None:
    """velocity = m * velocity - lr * g; w = w + m * velocity - lr * g (keras/src/optimizers/sgd.py)."""
    given, weights, velocity, wanted = gradients(50), START, np.zeros(4), []
    for g in given:
        velocity = 0.9 * velocity - 0.01 * g
        weights = weights + 0.9 * velocity - 0.01 * g
        wanted.append(weights)
    found = path({"name": "sgd", "lr": 0.01, "momentum": 0.9, "nesterov": True}, given)
    assert found == pytest.approx(np.array(wanted), rel=1e-12)


def test_time_decay_moves_the_rate_as_keras_does_and_the_buffer_hardly_feels_it() -> None:
    """lr / (1 + d * iterations), iterations from 0; Keras's buffer holds lr * g, PyTorch's g."""
    factor = create_schedule({"name": "time_decay", "warmup": 0.0, "decay": 1e-6}, ScheduleContext(5, 100, 0.01))
    assert factor is not None
    rates = [0.01 / (1 + 1e-6 * iteration) for iteration in range(500)]
    assert [0.01 * factor(step) for step in range(500)] == pytest.approx(rates, rel=1e-12)
    given, weights, velocity = gradients(500), START, np.zeros(4)
    for rate, g in zip(rates, given, strict=True):
        velocity = 0.9 * velocity - rate * g
        weights = weights + 0.9 * velocity - rate * g
    found = path({"name": "sgd", "lr": 0.01, "momentum": 0.9, "nesterov": True}, given, rates)
    assert found[-1] == pytest.approx(weights, rel=1e-4)


def test_amsgrad_keeps_the_largest_uncorrected_second_moment() -> None:
    """w = w - lr * sqrt(1 - b2^t) / (1 - b1^t) * m / (sqrt(max v) + eps), Keras's Adam with amsgrad.

    Our eps is added after the correction; with Keras's 1e-7 the two stay together where gradients are not tiny.
    """
    given = gradients(400) * np.array([1, 1, 1, 0])
    given[:5] *= 30  # largest at first, so that amsgrad remembers them
    weights, m, v, largest = START, np.zeros(4), np.zeros(4), np.zeros(4)
    wanted = []
    for t, g in enumerate(given, start=1):
        m, v = 0.9 * m + 0.1 * g, 0.99 * v + 0.01 * g**2
        largest = np.maximum(largest, v)
        weights = weights - 0.001 * np.sqrt(1 - 0.99**t) / (1 - 0.9**t) * m / (np.sqrt(largest) + 1e-7)
        wanted.append(weights)
    entry = {"name": "adam", "lr": 0.001, "betas": [0.9, 0.99], "eps": 1e-7}
    found = path(entry | {"amsgrad": True}, given)
    assert found == pytest.approx(np.array(wanted), abs=2e-5)
    assert np.abs(path(entry, given) - found).max() > 0.01  # the test would see a missing amsgrad


def rms(given: Floats, at_first: float) -> Floats:
    """w = w - lr * g / sqrt(v + eps) with Keras's rho .9 and eps 1e-7 inside the root."""
    weights, v, out = START, np.full(4, at_first), []
    for g in given:
        v = 0.9 * v + 0.1 * g**2
        weights = weights - 0.001 * g / np.sqrt(v + 1e-7)
        out.append(weights)
    return np.array(out)


def test_rmsproptf_has_its_eps_inside_the_root() -> None:
    given = gradients(300)
    found = path({"name": "rmsproptf", "lr": 0.001, "alpha": 0.9, "eps": 1e-7}, given)
    assert found == pytest.approx(rms(given, 1.0), rel=1e-9)
    outside = path({"name": "rmsprop", "lr": 0.001, "alpha": 0.9, "eps": 1e-7}, given)
    # A gradient far below sqrt(eps) moves Keras's weight little, PyTorch's as much as any other.
    assert np.abs(outside - found)[-1, 3] > 10 * abs(found[-1, 3] - START[3])


def test_rmsproptf_starts_its_mean_square_at_1_where_keras_starts_at_0_and_forgets_it() -> None:
    """TensorFlow 1's start: the first steps are smaller; .9^200 of it is left after 200 steps."""
    given = gradients(300)
    ours = np.diff(path({"name": "rmsproptf", "lr": 0.001, "alpha": 0.9, "eps": 1e-7}, given), axis=0)
    keras = np.diff(rms(given, 0.0), axis=0)
    assert np.abs(ours[0]).max() < np.abs(keras[0]).max() / 2
    assert ours[220:] == pytest.approx(keras[220:], rel=1e-2)


def softmax_regression(
    images: Floats, labels: NDArray[np.int64], kernel: Floats, bias: Floats
) -> tuple[Floats, Floats]:
    """Gradients of the mean cross-entropy by kernel (classes, pixels) and bias."""
    scores = images @ kernel.T + bias
    p = np.exp(scores - scores.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    error = (p - np.eye(len(bias))[labels]) / len(images)
    return error.T @ images, error.sum(axis=0)


def batches(count: int, size: int) -> Iterator[slice]:
    for start in range(0, count, size):
        yield slice(start, start + size)


def test_l2_has_a_gradient_of_2_a_w_on_kernels_only_and_the_last_partial_batch_counts_as_a_whole_one(
    configured: Any, small: Dataset
) -> None:
    """Three batches of 100, 100 and 50 images: each one step of its own mean loss plus a * sum(w^2)."""
    config = configured(
        model={"name": "mlp", "hidden": []},
        optimizer={"name": "sgd", "lr": 0.1},
        regularizer=[{"name": "l2", "strength": 0.05, "layers": "all"}],
        batch_size=100,
        epochs=1,
        validation="none",
    )
    torch.manual_seed(0)
    model = create_model(config.model.to_json(), (1, 28, 28), 10)
    kernel, bias = (p.detach().numpy().astype(float).copy() for p in model.parameters())
    images, labels = small.train_images[:250], small.train_labels[:250].astype(np.int64)
    order = torch.randperm(250, generator=generator(0, "order")).numpy()
    flat = images.reshape(250, -1)[order] / 255
    for batch in batches(250, 100):
        by_kernel, by_bias = softmax_regression(flat[batch], labels[order][batch], kernel, bias)
        kernel = kernel - 0.1 * (by_kernel + 2 * 0.05 * kernel)
        bias = bias - 0.1 * by_bias
    nobody = torch.empty(0, dtype=torch.long)
    pictures = TrainingData(torch.from_numpy(images), torch.from_numpy(labels), 10, torch.arange(250), nobody)
    fit(model, config, 0, pictures, combine_components(config.regularizer))
    found = [p.detach().numpy() for p in model.parameters()]
    assert found[0] == pytest.approx(kernel, abs=1e-6)
    assert found[1] == pytest.approx(bias, abs=1e-6)


def test_batch_normalisation_has_keras_s_momentum_and_eps_after_two_batches() -> None:
    """moving = .99 * moving + .01 * batch's, from 0 and 1; out = (x - mean) / sqrt(variance + 1e-3).

    PyTorch keeps the variance with n - 1 in the denominator, Keras with n: 1 % here, within the running figure's noise.
    """
    torch.manual_seed(0)
    net = create_model({"name": "mlp", "hidden": [6], "batch_norm": "before", "init": "keras"}, (1, 2, 2), 3)
    dense, norm = net[1], net[2]
    mean, variance = np.zeros(6), np.ones(6)
    for batch in np.random.default_rng(1).normal(3, 2, size=(2, 100, 1, 2, 2)).astype(np.float32):
        net(torch.from_numpy(batch))
        seen = batch.reshape(100, 4) @ dense.weight.detach().numpy().T + dense.bias.detach().numpy()
        mean = 0.99 * mean + 0.01 * seen.mean(axis=0)
        variance = 0.99 * variance + 0.01 * seen.var(axis=0)
    assert norm.running_mean.numpy() == pytest.approx(mean, rel=1e-4)
    assert norm.running_var.numpy() == pytest.approx(variance, rel=1e-2)
    net.eval()
    x = torch.rand(5, 6)
    wanted = (x.numpy() - norm.running_mean.numpy()) / np.sqrt(norm.running_var.numpy() + 1e-3)
    assert norm(x).detach().numpy() == pytest.approx(wanted, abs=1e-5)


@pytest.mark.parametrize(("size", "kernel"), [(28, 3), (7, 3), (28, 7), (9, 5)])
def test_same_padding_at_stride_2_starts_where_tensorflow_starts(size: int, kernel: int) -> None:
    """ceil(size / 2) outputs; the rows missing are split, and the odd one lies at the end."""
    draws = np.random.default_rng(2)
    image, weights = draws.normal(size=(size, size)), draws.normal(size=(kernel, kernel))
    outputs = -(-size // 2)
    missing = max((outputs - 1) * 2 + kernel - size, 0)
    wanted = np.zeros((outputs, outputs))
    for row in range(outputs):
        for column in range(outputs):
            for i in range(kernel):
                for j in range(kernel):
                    y, x = row * 2 + i - missing // 2, column * 2 + j - missing // 2
                    if 0 <= y < size and 0 <= x < size:
                        wanted[row, column] += image[y, x] * weights[i, j]
    layer = nn.Conv2d(1, 1, kernel, 2, bias=False).double()
    layer.weight.data = torch.from_numpy(weights)[None, None]
    found = layer(SamePad(kernel, 2)(torch.from_numpy(image)[None, None]))
    assert found.detach().numpy()[0, 0] == pytest.approx(wanted, abs=1e-12)


def test_the_validation_tail_is_what_keras_cuts_off() -> None:
    """The first int(N * (1 - f)) images train, in their order."""
    labels = np.arange(60_000) % 10
    for fraction, trains in ((0.2, 48_000), (0.1, 54_000)):
        train, held_out = split(labels, Tail(tail=fraction))
        assert train.tolist() == list(range(trains)) and held_out.tolist() == list(range(trains, 60_000))


def test_precision_and_recall_at_one_half_are_keras_s_metrics_on_one_hot_outputs() -> None:
    """Keras's Precision and Recall pool all classes: true positives over those above .5, and over all ones."""
    draws = np.random.default_rng(5)
    labels = draws.integers(0, 10, 400)
    logits = draws.normal(size=(400, 10)) * 2 + 3 * np.eye(10)[labels]
    hits = above = 0
    for scores, label in zip(logits, labels, strict=True):
        p = np.exp(scores) / np.exp(scores).sum()
        for k in range(10):
            above += p[k] > 0.5
            hits += p[k] > 0.5 and k == label
    found, _ = final_metrics(torch.from_numpy(logits), torch.from_numpy(labels))
    assert (found["precision_at_half"], found["recall_at_half"]) == pytest.approx((hits / above, hits / 400))
