"""Figures and predictions against scikit-learn."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.special import softmax
from sklearn.metrics import accuracy_score, log_loss, top_k_accuracy_score
from torch import Tensor, nn

from bench.training.evaluation import (
    BATCH,
    evaluate,
    metrics,
    pixels,
    predict_logits,
    predictions,
    with_test_time_augmentation,
)


def random_logits(count: int, classes: int, levels: int | None = None) -> tuple[Tensor, Tensor]:
    """Logits and labels; with `levels`, logits are whole numbers below it, so that many are equal."""
    generator = torch.Generator().manual_seed(3)
    labels = torch.randint(classes, (count,), generator=generator)
    if levels:
        return torch.randint(levels, (count, classes), generator=generator).float(), labels
    return torch.randn(count, classes, generator=generator), labels


def test_pixels_are_scaled_to_one_and_floats_left_alone() -> None:
    assert pixels(torch.tensor([0, 51, 255], dtype=torch.uint8)).tolist() == pytest.approx([0, 0.2, 1])
    floats = torch.tensor([0.3, 2.0])
    assert pixels(floats) is floats


def test_metrics_are_those_of_scikit_learn() -> None:
    logits, labels = random_logits(500, 10)
    found = metrics(logits, labels)
    assert found["accuracy"] == accuracy_score(labels, logits.argmax(1))
    assert found["loss"] == pytest.approx(log_loss(labels, softmax(logits.double().numpy(), axis=1)), rel=1e-5)


def test_predictions_hold_the_class_its_confidence_and_the_true_one_s() -> None:
    logits, labels = random_logits(500, 10)
    found = predictions(logits, labels)
    probabilities = softmax(logits.numpy(), axis=1)
    assert (found.labels == labels.numpy()).all()
    assert (found.predicted == probabilities.argmax(axis=1)).all()
    assert found.confidence == pytest.approx(probabilities.max(axis=1), rel=1e-5)
    assert found.true_class_probability == pytest.approx(probabilities[np.arange(500), labels], rel=1e-5)


@pytest.mark.parametrize("levels", [None, 2, 5])
def test_ranks_give_the_top_k_accuracies_of_scikit_learn(levels: int | None) -> None:
    logits, labels = random_logits(500, 10, levels)
    ranks = predictions(logits, labels).true_rank
    # Of equal scores scikit-learn takes the last class first and we, as argmax does, the first: so we mirror them.
    mirrored = logits.numpy()[:, ::-1]
    for k in range(1, 10):
        wanted = top_k_accuracy_score(9 - labels.numpy(), mirrored, k=k, labels=np.arange(10))
        assert (ranks < k).mean() == pytest.approx(wanted)


@pytest.mark.parametrize("levels", [None, 2])
def test_rank_0_is_the_predicted_class(levels: int | None) -> None:
    logits, labels = random_logits(500, 10, levels)
    found = predictions(logits, labels)
    assert ((found.true_rank == 0) == (found.predicted == found.labels)).all()
    assert (found.confidence >= found.true_class_probability).all()


@pytest.mark.parametrize(("classes", "kind"), [(10, np.uint8), (256, np.uint8), (257, np.uint16)])
def test_numbers_are_stored_as_small_as_they_are(classes: int, kind: type) -> None:
    found = predictions(*random_logits(20, classes))
    assert {found.labels.dtype, found.predicted.dtype, found.true_rank.dtype} == {np.dtype(kind)}
    assert found.confidence.dtype == found.true_class_probability.dtype == np.float32


def test_logits_are_of_eval_mode_in_the_order_of_the_index_and_training_mode_comes_back() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(4, 3))
    images = torch.randint(256, (BATCH + 7, 1, 2, 2), dtype=torch.uint8)
    index = torch.arange(len(images)).flip(0)
    found = predict_logits(net, images, index)
    with torch.no_grad():
        wanted = net[2](images.flip(0).flatten(1) / 255)
    assert torch.allclose(found, wanted, atol=1e-6)
    assert net.training


def test_evaluate_takes_the_pictures_of_the_index_only() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    images, labels = torch.randint(256, (10, 1, 2, 2), dtype=torch.uint8), torch.arange(10) % 2
    index = torch.tensor([8, 3, 5])
    assert evaluate(net, images, labels, index) == metrics(predict_logits(net, images, index), labels[index])


class LeftHalf(nn.Module):
    """Logits are the brightness of the left half and nothing."""

    def forward(self, x: Tensor) -> Tensor:
        left = x[..., : x.shape[3] // 2].mean((1, 2, 3))
        return torch.stack([left, torch.zeros_like(left)], 1)


def test_flips_at_test_time_average_a_picture_with_its_mirror_image() -> None:
    images = torch.zeros(1, 1, 2, 4, dtype=torch.uint8)
    images[..., 2:] = 255
    index = torch.tensor([0])
    plain = predict_logits(with_test_time_augmentation(LeftHalf(), SimpleNamespace(test_time="none")), images, index)
    flipped = predict_logits(with_test_time_augmentation(LeftHalf(), SimpleNamespace(test_time="flip")), images, index)
    assert (plain.tolist(), flipped.tolist()) == ([[0.0, 0.0]], [[0.5, 0.0]])
