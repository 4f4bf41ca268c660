"""Figures of a network on images it does not train on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from bench.training.distributed import SINGLE_PROCESS, DistributedContext
from bench.training.loss_functions import Loss

BATCH = 250
"""Images per forward pass: above this a CPU spends its time on fresh memory."""

PRECISIONS: dict[str, torch.dtype | None] = {"float32": None, "bfloat16": torch.bfloat16}
"""What `precision` in a configuration asks torch.autocast for; weights and losses are float32 in any case."""


@dataclass(frozen=True)
class PredictionArrays:
    """Per image, arrays of length n: see `bench.ledger.record.Predictions`, whose fields these become."""

    labels: NDArray[np.unsignedinteger]
    predicted: NDArray[np.unsignedinteger]
    confidence: NDArray[np.float32]
    true_class_probability: NDArray[np.float32]
    true_rank: NDArray[np.unsignedinteger]


class Mirrored(nn.Module):
    """The mean of the logits for images (B, C, H, W) and for their mirror images."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        mean: Tensor = (self.model(x) + self.model(x.flip(3))) / 2
        return mean


def as_tested(model: nn.Module, config: dict[str, Any]) -> nn.Module:
    """The network as `test_time` in a configuration has it validated and tested."""
    return Mirrored(model) if config.get("test_time") == "flip" else model


def pixels(images: Tensor) -> Tensor:
    """uint8 images as float32 in [0, 1]; images that are floats already pass through."""
    return images.float().div_(255) if images.dtype == torch.uint8 else images


def logits_of(
    model: nn.Module,
    images: Tensor,
    index: Tensor,
    autocast: torch.dtype | None = None,
    ranks: DistributedContext = SINGLE_PROCESS,
) -> Tensor:
    """Logits (n, classes) in float32 of the images that `index` (n,) names, in eval mode.

    Several ranks share the images out, in the same batches as one would take, and each gets all the logits.
    """
    was_training = model.training
    model.eval()
    parts = torch.split(index, BATCH)
    with torch.inference_mode(), torch.autocast(images.device.type, autocast, enabled=autocast is not None):
        out = torch.cat([model(pixels(images.index_select(0, part))).float() for part in ranks.mine(parts)])
    model.train(was_training)
    return ranks.rows(out, parts)


def evaluate(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    index: Tensor,
    autocast: torch.dtype | None = None,
    loss: Loss = F.cross_entropy,
    ranks: DistributedContext = SINGLE_PROCESS,
) -> dict[str, float]:
    """`metrics` of the images that `index` names; the rest of them are for the end, in
    `bench.training.final_metrics`."""
    return metrics(logits_of(model, images, index, autocast, ranks), labels[index], loss)


def metrics(logits: Tensor, labels: Tensor, loss: Loss = F.cross_entropy) -> dict[str, float]:
    """Accuracy and `loss` (the configuration's own, without label smoothing) as means over the images."""
    right = int((logits.argmax(1) == labels).sum())
    return {"accuracy": right / len(labels), "loss": float(loss(logits, labels))}


def predictions(logits: Tensor, labels: Tensor) -> PredictionArrays:
    """What each image was taken for, and how sure the network was."""
    probabilities = logits.softmax(1)
    small = np.uint8 if logits.shape[1] <= 256 else np.uint16
    predicted = logits.argmax(1)
    return PredictionArrays(
        labels=labels.cpu().numpy().astype(small),
        predicted=predicted.cpu().numpy().astype(small),
        confidence=probabilities.gather(1, predicted[:, None])[:, 0].cpu().numpy().astype(np.float32),
        true_class_probability=probabilities.gather(1, labels[:, None])[:, 0].cpu().numpy().astype(np.float32),
        true_rank=true_ranks(logits, labels).cpu().numpy().astype(small),
    )


def true_ranks(logits: Tensor, labels: Tensor) -> Tensor:
    """How many classes are rated above the true one, (n,)."""
    mine = logits.gather(1, labels[:, None])
    above = (logits > mine).sum(1)
    # Among equal logits argmax takes the first class, so a tie with an earlier class counts as above.
    classes = torch.arange(logits.shape[1], device=logits.device)
    return above + ((logits == mine) & (classes < labels[:, None])).sum(1)
