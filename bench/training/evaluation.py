"""Logits and metrics of a network on images that it does not train on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.metrics import Predictions, brier_score, compute_metrics
from bench.suite.trial import TrialConfig
from bench.training.distributed import SINGLE_PROCESS, DistributedContext
from bench.training.objective import Loss

BATCH = 250
"""Images per forward pass: above this a CPU spends its time on fresh memory."""

PRECISIONS: dict[str, torch.dtype | None] = {"float32": None, "bfloat16": torch.bfloat16}
"""`precision` in a configuration to the type that torch.autocast uses; weights and losses are float32 in any case."""


class FlipAveraged(nn.Module):
    """The mean of the logits for images (B, C, H, W) and for their mirror images."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        mean: Tensor = (self.model(x) + self.model(x.flip(3))) / 2
        return mean


def with_test_time_augmentation(model: nn.Module, config: TrialConfig) -> nn.Module:
    """The network as a configuration's `test_time` has it validated and tested."""
    return FlipAveraged(model) if config.test_time == "flip" else model


def pixels(images: Tensor) -> Tensor:
    """uint8 images as float32 in [0, 1]; images that are floats already pass through."""
    return images.float().div_(255) if images.dtype == torch.uint8 else images


def predict_logits(
    model: nn.Module,
    images: Tensor,
    indices: Tensor,
    autocast: torch.dtype | None = None,
    distributed: DistributedContext = SINGLE_PROCESS,
) -> Tensor:
    """Logits (n, classes) in float32 of the images at `indices` (n,), in eval mode.

    Several ranks divide the batches among themselves, and each gets all the logits.
    """
    was_training = model.training
    model.eval()
    batches = torch.split(indices, BATCH)
    with torch.inference_mode(), torch.autocast(images.device.type, autocast, enabled=autocast is not None):
        local_batches = distributed.local_batches(batches)
        logits = torch.cat([model(pixels(images.index_select(0, batch))).float() for batch in local_batches])
    model.train(was_training)
    return distributed.all_gather_rows(logits, batches)


def evaluate(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    indices: Tensor,
    autocast: torch.dtype | None = None,
    loss: Loss = F.cross_entropy,
    distributed: DistributedContext = SINGLE_PROCESS,
) -> dict[str, float]:
    """`metrics` of the images at `indices`; all other metrics are computed once, by `final_metrics`."""
    return metrics(predict_logits(model, images, indices, autocast, distributed), labels[indices], loss)


def metrics(logits: Tensor, labels: Tensor, loss: Loss = F.cross_entropy) -> dict[str, float]:
    """Accuracy and `loss` (the configuration's own, without label smoothing) as means over the images."""
    hits = int((logits.argmax(1) == labels).sum())
    return {"accuracy": hits / len(labels), "loss": float(loss(logits, labels))}


def final_metrics(logits: Tensor, labels: Tensor, loss: Loss = F.cross_entropy) -> tuple[dict[str, float], Predictions]:
    """Every metric of `bench.metrics` that these images have, and the predictions as records store them.

    Accuracy and loss are those of `metrics` to the last bit. The log loss is that of the logits, which is finite where
    a probability rounds to 0; it is left out where it is not finite, as it may be with a bounded loss. The Brier score
    is that of the probabilities before they are rounded to half precision.

    Parameters
    ----------
    logits, labels : shapes (n, classes) and (n,).
    loss : the configuration's own, without label smoothing.
    """
    single = predictions(logits, labels)
    log_loss = float(F.cross_entropy(logits, labels))
    known = {**metrics(logits, labels, loss), "log_loss": log_loss, "brier_score": brier_score(single)}
    # PyTorch rounds to half precision forty times faster than NumPy, to the same bits.
    predicted = replace(single, probabilities=torch.from_numpy(single.probabilities).half().numpy())
    # Of a copy, since what it caches would be sent from a worker too.
    return compute_metrics(replace(predicted), logits.shape[1], known), predicted


def predictions(logits: Tensor, labels: Tensor) -> Predictions:
    """The predicted class of each image, the rank of the true class, and probabilities in single precision."""
    probabilities = logits.softmax(1)
    class_type = np.uint8 if logits.shape[1] <= 256 else np.uint16
    predicted = logits.argmax(1)
    return Predictions(
        labels=labels.cpu().numpy().astype(class_type),
        predicted=predicted.cpu().numpy().astype(class_type),
        confidence=probabilities.gather(1, predicted[:, None])[:, 0].cpu().numpy().astype(np.float32),
        true_class_probability=probabilities.gather(1, labels[:, None])[:, 0].cpu().numpy().astype(np.float32),
        true_rank=true_ranks(logits, labels).cpu().numpy().astype(class_type),
        probabilities=probabilities.cpu().numpy(),
    )


def true_ranks(logits: Tensor, labels: Tensor) -> Tensor:
    """How many classes are rated above the true one, (n,)."""
    true_logits = logits.gather(1, labels[:, None])
    above = (logits > true_logits).sum(1)
    # Among equal logits argmax takes the first class, so a tie with an earlier class counts as above.
    classes = torch.arange(logits.shape[1], device=logits.device)
    return above + ((logits == true_logits) & (classes < labels[:, None])).sum(1)
