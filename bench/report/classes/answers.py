"""What did each seed of a configuration say of each test image?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.ledger.record import Predictions
from bench.report.sections import Configuration


@dataclass(frozen=True, eq=False)
class Answers:
    """The predictions of a configuration's complete seeds on the same images.

    `labels` are class numbers, shape (images,). The others have shape (seeds, images): class numbers, and the
    probabilities of the predicted and of the true class, nan where the predictions were made without any.
    """

    labels: NDArray[np.unsignedinteger[Any]]
    predicted: NDArray[np.unsignedinteger[Any]]
    confidence: NDArray[np.float32]
    true_class_probability: NDArray[np.float32]

    @property
    def right(self) -> NDArray[np.bool_]:
        """Which images each seed got right, shape (seeds, images)."""
        right: NDArray[np.bool_] = self.predicted == self.labels
        return right

    @property
    def seeds(self) -> int:
        return len(self.predicted)

    @property
    def images(self) -> int:
        return len(self.labels)


def answers(one: Configuration, predictions: Callable[[str], Predictions]) -> Answers:
    """Read the predictions of a configuration's complete seeds, by seed; there is at least one."""
    said = [predictions(record.key) for record in one.having("complete")]
    return Answers(
        said[0].labels,
        np.stack([p.predicted for p in said]),
        np.stack([p.confidence for p in said]),
        np.stack([p.true_class_probability for p in said]),
    )
