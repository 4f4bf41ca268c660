"""All metrics of a part, against scikit-learn and against cases small enough to work out by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.special import softmax
from sklearn.metrics import log_loss, precision_recall_fscore_support, precision_score, recall_score, roc_auc_score
from torch import Tensor
from torch.nn import functional as F

from bench.metrics import METRICS, Predictions, brier_score, calibration_error, compute_metrics
from bench.training.evaluation import final_metrics, metrics, predictions
from bench.training.objective import Loss


def logits_of(*probabilities: list[float]) -> Tensor:
    return torch.tensor(probabilities).log()


def random_case(count: int, classes: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(7)
    labels = torch.randint(classes, (count,), generator=generator)
    return 2 * torch.randn(count, classes, generator=generator) + F.one_hot(labels, classes), labels


def all_metrics(logits: Tensor, labels: Tensor, loss: Loss = F.cross_entropy) -> dict[str, float]:
    return final_metrics(logits, labels, loss)[0]


FOUR = logits_of([0.7, 0.2, 0.1], [0.4, 0.35, 0.25], [0.1, 0.3, 0.6], [0.04, 0.9, 0.06])
LABELS = torch.tensor([0, 1, 2, 0])
"""Right, wrong at .4, right, wrong at .9."""


def test_every_metric_is_found_where_there_are_classes_enough() -> None:
    assert list(all_metrics(*random_case(100, 10))) == list(METRICS)
    assert "top_3_accuracy" not in all_metrics(FOUR, LABELS)


@pytest.mark.parametrize("classes", [2, 3, 10])
@pytest.mark.parametrize("average", ["macro", "micro", "weighted"])
def test_averages_are_those_of_scikit_learn(classes: int, average: str) -> None:
    logits, labels = random_case(200, classes)
    wanted = precision_recall_fscore_support(labels, logits.argmax(1), average=average, zero_division=0)
    found = all_metrics(logits, labels)
    for name, value in zip(("precision", "recall", "f1"), wanted, strict=False):
        assert found[f"{name}_{average}"] == pytest.approx(value, abs=1e-12)


@pytest.mark.parametrize("average", ["macro", "micro", "weighted"])
def test_classes_without_pictures_or_predictions_count_as_in_scikit_learn(average: str) -> None:
    """Class 3 of five is predicted but has no image, class 2 has one and is never predicted, class 4 has neither."""
    logits, labels = 9 * F.one_hot(torch.tensor([0, 1, 3, 0]), 5).float(), torch.tensor([0, 1, 2, 1])
    wanted = precision_recall_fscore_support(labels, logits.argmax(1), average=average, zero_division=0)
    found = all_metrics(logits, labels)
    for name, value in zip(("precision", "recall", "f1"), wanted, strict=False):
        assert found[f"{name}_{average}"] == pytest.approx(value, abs=1e-12)


def test_at_half_a_class_is_named_above_one_half_only() -> None:
    found = all_metrics(FOUR, LABELS)
    assert (found["precision_at_half"], found["recall_at_half"]) == (2 / 3, 2 / 4)


def test_at_half_is_micro_precision_and_recall_of_thresholded_one_hot_outputs() -> None:
    logits, labels = random_case(300, 10)
    named, true = softmax(logits.numpy(), axis=1) > 0.5, np.eye(10)[labels]
    found = all_metrics(logits, labels)
    assert found["precision_at_half"] == pytest.approx(precision_score(true, named, average="micro"))
    assert found["recall_at_half"] == pytest.approx(recall_score(true, named, average="micro"))


def test_at_half_precision_is_0_where_nothing_is_named() -> None:
    found = all_metrics(torch.zeros(3, 4), torch.tensor([0, 1, 2]))
    assert (found["precision_at_half"], found["recall_at_half"]) == (0, 0)


def test_top_2_accuracy_counts_the_second_guess() -> None:
    assert all_metrics(FOUR, LABELS)["top_2_accuracy"] == 3 / 4


def test_log_loss_is_scikit_learn_s_log_loss_whatever_the_loss() -> None:
    logits, labels = random_case(200, 10)
    found = all_metrics(logits, labels, lambda z, y: F.mse_loss(z.softmax(1), F.one_hot(y, 10).float()))
    assert found["log_loss"] == pytest.approx(log_loss(labels, softmax(logits.double().numpy(), axis=1)), rel=1e-6)
    assert found["loss"] == pytest.approx(np.mean((softmax(logits.numpy(), axis=1) - np.eye(10)[labels]) ** 2))


def test_an_infinite_log_loss_is_left_out_where_the_loss_is_bounded() -> None:
    found = all_metrics(torch.tensor([[3e38, -3e38]]), torch.tensor([1]), lambda z, _: z.softmax(1).mean())
    assert "log_loss" not in found
    assert all(math.isfinite(value) for value in found.values())


def test_accuracy_and_loss_are_those_of_every_epoch_to_the_last_bit() -> None:
    case = random_case(500, 10)
    found = all_metrics(*case)
    assert {name: found[name] for name in ("accuracy", "loss")} == metrics(*case)
    assert found["log_loss"] == found["loss"]


def test_calibration_error_by_hand() -> None:
    """Four bins of 15 hold one image each: |1 - .7|, |0 - .4|, |1 - .6| and |0 - .9|, each a quarter."""
    assert all_metrics(FOUR, LABELS)["ece"] == pytest.approx((0.3 + 0.4 + 0.4 + 0.9) / 4)


def test_calibration_error_takes_the_mean_of_a_bin_before_the_difference() -> None:
    """.95 and .97 share the last bin: one of two is right, at .96 on average."""
    assert calibration_error(np.array([0.95, 0.97]), np.array([True, False])) == pytest.approx(0.46)


def test_a_bin_holds_its_upper_end() -> None:
    """1/5 = 3/15 ends the third bin, so it is apart from .21, and their errors of opposite sign add up."""
    sure, right = np.array([0.2, 0.21]), np.array([True, False])
    assert calibration_error(sure, right) == pytest.approx((0.8 + 0.21) / 2)


def test_certain_and_right_is_perfectly_calibrated() -> None:
    assert calibration_error(np.ones(5), np.ones(5, dtype=bool)) == 0


def test_auroc_is_scikit_learn_s_mean_over_classes_against_the_rest() -> None:
    logits, labels = random_case(500, 10)
    half = logits.softmax(1).numpy().astype(np.float16).astype(float)
    wanted = np.mean([roc_auc_score(labels == number, half[:, number]) for number in range(10)])
    assert all_metrics(logits, labels)["auroc"] == pytest.approx(wanted, abs=1e-12)


def test_auroc_counts_ties_half_and_leaves_out_classes_without_images() -> None:
    probabilities = np.array([[0.5, 0.5, 0], [0.5, 0.5, 0], [0.9, 0.1, 0], [0.2, 0.8, 0]], np.float32)
    labels = np.array([0, 1, 0, 1], np.uint8)
    confidence = np.zeros(4, np.float32)
    ranks = np.zeros(4, np.uint8)
    predictions = Predictions(labels, labels, confidence, confidence, ranks, probabilities)
    assert compute_metrics(predictions, 3)["auroc"] == 3.5 / 4


def test_brier_score_is_the_squared_distance_from_the_one_hot_label() -> None:
    found = all_metrics(FOUR, LABELS)["brier_score"]
    wanted = ((FOUR.softmax(1) - F.one_hot(LABELS, 3)) ** 2).sum(1).mean()
    assert found == pytest.approx(float(wanted), rel=1e-6)


@pytest.mark.parametrize("classes", [3, 10])
def test_stored_predictions_give_the_same_metrics(classes: int) -> None:
    """A record without a metric gets it from its stored predictions, in half precision."""
    logits, labels = random_case(500, classes)
    measured, kept = final_metrics(logits, labels)
    derived = compute_metrics(kept, classes)
    assert derived.keys() == measured.keys() - {"loss"}
    assert derived["auroc"] == measured["auroc"]
    assert derived == pytest.approx({name: measured[name] for name in derived}, rel=1e-3)


def test_probabilities_are_rounded_once_to_half_precision_and_the_brier_score_is_of_those_before() -> None:
    logits, labels = random_case(500, 10)
    measured, kept = final_metrics(8 * logits, labels)  # many are subnormal in half precision
    before = predictions(8 * logits, labels)
    assert before.probabilities is not None and kept.probabilities is not None
    assert before.probabilities.dtype == np.float32
    wanted = before.probabilities.astype(np.float16)
    assert kept.probabilities.dtype == np.float16
    assert vars(kept).keys() == vars(before).keys(), "no cache is sent along"
    assert (kept.probabilities.view(np.uint16) == wanted.view(np.uint16)).all()
    assert ((wanted > 0) & (wanted < 2**-14)).any()
    assert measured["brier_score"] == brier_score(before)
    assert measured["brier_score"] != brier_score(kept)


def test_a_true_class_of_probability_0_leaves_no_log_loss() -> None:
    kept = predictions(*random_case(50, 4))
    kept.true_class_probability[0] = 0
    assert "log_loss" not in compute_metrics(kept, 4)


def test_of_classes_alone_nothing_is_computed_that_needs_probabilities() -> None:
    kept = predictions(*random_case(50, 10))
    unknown = np.full(50, np.nan, np.float32)
    found = compute_metrics(replace(kept, confidence=unknown, true_class_probability=unknown, probabilities=None), 10)
    assert found["accuracy"] == (kept.labels == kept.predicted).mean()
    assert {metric for metric in found if METRICS[metric].needs != "classes"} == set()
