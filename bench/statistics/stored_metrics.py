"""Which metrics do stored predictions still tell? For records that were made before a metric was."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import precision_recall_fscore_support

from bench.metrics import TOP
from bench.statistics.per_class import Classes
from bench.statistics.reliability import Confidences, calibration_error


def figures(
    labels: Classes,
    predicted: Classes,
    confidence: Confidences,
    true_class_probability: Confidences,
    true_rank: Classes,
    n_classes: int,
) -> dict[str, float]:
    """The metrics of `bench.metrics`, less the loss, which predictions do not hold.

    Parameters
    ----------
    labels, predicted, confidence, true_class_probability, true_rank
        As in `bench.ledger.record.Predictions`, shape (n,).
    n_classes
        Top-k accuracy is left out where there are no more than k classes.

    Returns
    -------
    dict
        Name to value. The negative log-likelihood is left out where a true class was given a probability that
        rounds to 0; and everything that rests on probabilities where these are nan, that is, not known.
    """
    right = labels == predicted
    found = {"accuracy": float(right.mean())}
    for average in ("macro", "micro", "weighted"):
        values = precision_recall_fscore_support(labels, predicted, average=average, zero_division=0)[:3]
        found |= {f"{name}_{average}": float(v) for name, v in zip(("precision", "recall", "f1"), values, strict=True)}
    if np.isnan(confidence).any():
        return found
    named = confidence > 0.5
    found["precision_at_half"] = float(right[named].mean()) if named.any() else 0.0
    found["recall_at_half"] = float((right & named).mean())
    found |= {f"top_{k}_accuracy": float((true_rank < k).mean()) for k in TOP if k < n_classes}
    if true_class_probability.min() > 0:
        found["nll"] = float(-np.log(true_class_probability.astype(np.float64)).mean())
    found["ece"] = calibration_error(confidence, right)
    return found
