"""All metrics of one part of the data, once at a trial's end; `bench.metrics` defines them."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from bench.metrics import ECE_BINS, TOP
from bench.training.evaluation import metrics, true_ranks
from bench.training.loss_functions import Loss


def all_metrics(logits: Tensor, labels: Tensor, loss: Loss = F.cross_entropy) -> dict[str, float]:
    """Every metric of `bench.metrics` that these images have.

    Accuracy and loss are those of `bench.training.evaluation.metrics`, to the last bit. Top-k accuracy is left out
    where there are no more than k classes, and a negative log-likelihood that is not finite (a bounded loss may be).

    Parameters
    ----------
    logits, labels : shapes (n, classes) and (n,).
    loss : the configuration's own, without label smoothing.
    """
    probabilities = logits.softmax(1)
    predicted = logits.argmax(1)
    confidence = probabilities.gather(1, predicted[:, None])[:, 0]
    correct = predicted == labels
    nll = float(F.cross_entropy(logits, labels))
    return {
        **metrics(logits, labels, loss),
        **averages(predicted, labels, logits.shape[1]),
        **at_half(confidence, correct),
        **top_accuracies(true_ranks(logits, labels), logits.shape[1]),
        **({"nll": nll} if math.isfinite(nll) else {}),
        "ece": calibration_error(confidence, correct),
    }


def averages(predicted: Tensor, labels: Tensor, classes: int) -> dict[str, float]:
    """Precision, recall and F1 by scikit-learn's three averages, a quotient without images being 0.

    Macro averages go over the classes that occur or are predicted, as scikit-learn's do where no list is given.
    """
    confusion = torch.bincount(labels * classes + predicted, minlength=classes * classes)
    counts = confusion.view(classes, classes).cpu().double()
    true, true_counts, predicted_counts = counts.diagonal(), counts.sum(1), counts.sum(0)
    present = (true_counts + predicted_counts) > 0
    per_class = {
        "precision": (true, predicted_counts),
        "recall": (true, true_counts),
        "f1": (2 * true, true_counts + predicted_counts),
    }
    out = {}
    for name, (hits, total) in per_class.items():
        values = torch.where(total > 0, hits / total, 0)
        out[f"{name}_macro"] = float(values[present].mean())
        out[f"{name}_micro"] = float(hits.sum() / total.sum())
        out[f"{name}_weighted"] = float((values * true_counts).sum() / true_counts.sum())
    return out


def at_half(confidence: Tensor, correct: Tensor) -> dict[str, float]:
    """Micro precision and recall of one-hot outputs, a class being named where its probability exceeds .5.

    Only the most probable class can, so its probability (n,) and whether it is the `correct` one (n,) are enough.
    """
    is_predicted = confidence > 0.5
    hits = int((is_predicted & correct).sum())
    return {"precision_at_half": hits / max(int(is_predicted.sum()), 1), "recall_at_half": hits / len(correct)}


def top_accuracies(true_rank: Tensor, classes: int) -> dict[str, float]:
    """The fractions of images with fewer than k classes rated above the true one."""
    return {f"top_{k}_accuracy": int((true_rank < k).sum()) / len(true_rank) for k in TOP if k < classes}


def calibration_error(confidence: Tensor, correct: Tensor) -> float:
    """Expected calibration error: sum over bins of their fraction of images times abs(accuracy - mean confidence).

    The bins ((b - 1) / 15, b / 15] are equally wide (Guo et al. 2017, arXiv 1706.04599, equations 2 to 5).
    """
    probability = confidence.cpu().double()
    bins = (probability * ECE_BINS).ceil().long().sub(1).clamp(0, ECE_BINS - 1)
    gap = torch.zeros(ECE_BINS, dtype=torch.double).index_add_(0, bins, correct.cpu().double() - probability)
    return float(gap.abs().sum()) / len(probability)
