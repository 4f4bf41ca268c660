"""What is measured of a trial's predictions? One registry, computed from labels and class probabilities with NumPy.

Training, reports and imported predictions compute their metrics here. A new metric is a function of `Predictions` and
a `Metric` in `METRICS`; the user's own are added to it by `bench.user_code.metric_code`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Classes = NDArray[np.unsignedinteger[Any]]

ECE_BINS = 15
TOP = (2, 3, 5)
SUM_TOLERANCE = 1e-3
"""Rows of probabilities may miss a sum of 1 by this, the rounding error of half precision."""


@dataclass(frozen=True)
class Predictions:
    """A network's predictions of n images, in the data set's own order; arrays of shape (n,) unless given.

    Attributes
    ----------
    labels, predicted
        Class numbers, uint8 (uint16 above 256 classes).
    confidence, true_class_probability
        Probability of the predicted and of the true class, float32; nan where only classes are known.
    true_rank
        How many classes have a higher score than the true one (0 where the prediction is correct), typed as `labels`.
        Where only classes are known, the largest number of the type for wrong predictions.
    probabilities
        Shape (n, classes), floating; records store float16. None where they are not known or were not read.

    Raises
    ------
    ValueError
        Shapes or types differ from these.
    """

    labels: Classes
    predicted: Classes
    confidence: Floats
    true_class_probability: Floats
    true_rank: Classes
    probabilities: Floats | None = None

    def __post_init__(self) -> None:
        columns = {name: getattr(self, name) for name in PREDICTION_COLUMNS}
        shapes = {name: array.shape for name, array in columns.items()}
        if len(set(shapes.values())) != 1 or self.labels.ndim != 1:
            raise ValueError(f"predictions must be arrays of one length, found shapes {shapes}")
        for name, array in columns.items():
            is_probability = name in ("confidence", "true_class_probability")
            if array.dtype.str[1:] != "f4" if is_probability else array.dtype.kind != "u":
                raise ValueError(
                    f"predictions: {name} is {array.dtype}; class numbers are unsigned, probabilities float32"
                )
        if self.probabilities is not None:
            shape, kind = self.probabilities.shape, self.probabilities.dtype.kind
            if len(shape) != 2 or shape[0] != len(self.labels) or kind != "f":
                raise ValueError(
                    f"predictions: probabilities are {self.probabilities.dtype} of shape {shape}; expected floating "
                    f"numbers of shape ({len(self.labels)}, classes)"
                )

    @cached_property
    def correct(self) -> NDArray[np.bool_]:
        """Whether each image is classified correctly."""
        correct: NDArray[np.bool_] = self.labels == self.predicted
        return correct

    @cached_property
    def counts(self) -> tuple[Floats, Floats, Floats]:
        """True positives, labels and predictions of each class that occurs or is predicted."""
        size = int(max(self.labels.max(), self.predicted.max())) + 1
        labels = np.bincount(self.labels, minlength=size).astype(np.float64)
        predicted = np.bincount(self.predicted, minlength=size).astype(np.float64)
        true_positives = np.bincount(self.labels[self.correct], minlength=size).astype(np.float64)
        occurs = labels + predicted > 0
        return true_positives[occurs], labels[occurs], predicted[occurs]


@dataclass(frozen=True)
class PredictedClasses:
    """The labels of n images and the classes predicted, as `Predictions` has them; ValueError where they differ.

    A report of many trials needs no more of most of them.
    """

    labels: Classes
    predicted: Classes

    def __post_init__(self) -> None:
        same_shape = self.labels.shape == self.predicted.shape and self.labels.ndim == 1
        if not same_shape or not len(self.labels) or {self.labels.dtype.kind, self.predicted.dtype.kind} != {"u"}:
            raise ValueError(
                f"labels are {self.labels.dtype} of shape {self.labels.shape} and predicted classes "
                f"{self.predicted.dtype} of shape {self.predicted.shape}; expected unsigned numbers of shape (n,)"
            )


@dataclass(frozen=True)
class LabelledProbabilities:
    """Class probabilities of n images with their labels, as records store those of the validation part.

    Attributes
    ----------
    labels
        Class numbers, unsigned, shape (n,).
    probabilities
        Floating, shape (n, classes); records store float16.

    Raises
    ------
    ValueError
        Shapes or types differ from these, or a label has no probability.
    """

    labels: Classes
    probabilities: Floats

    def __post_init__(self) -> None:
        shape, kinds = self.probabilities.shape, (self.labels.dtype.kind, self.probabilities.dtype.kind)
        if self.labels.ndim != 1 or len(shape) != 2 or shape[0] != len(self.labels) or kinds != ("u", "f"):
            raise ValueError(
                f"labels are {self.labels.dtype} of shape {self.labels.shape} and probabilities "
                f"{self.probabilities.dtype} of shape {shape}; expected unsigned (n,) and floating (n, classes)"
            )
        if not len(self.labels) or int(self.labels.max()) >= shape[1]:
            raise ValueError(f"labels without an image or without a probability: {shape[1]} classes")


PREDICTION_COLUMNS = ("labels", "predicted", "confidence", "true_class_probability", "true_rank")
"""The arrays of `Predictions` with a value per image."""

Needs = Literal["classes", "confidences", "probabilities", "loss"]


@dataclass(frozen=True)
class Metric:
    """A metric's description and how it is computed; one with `percent` lies in [0, 1] and is printed in percent."""

    heading: str
    about: str
    compute: Callable[[Predictions], float] | None
    """None of the loss, which training sums on the device."""
    needs: Needs = "classes"
    """What must be known of the predictions besides their labels."""
    percent: bool = True
    ascending: bool = False
    """Whether smaller values are better."""
    is_proportion: bool = False
    """Whether it is a proportion of images, so that Wilson's interval holds."""
    classes: int = 1
    """How many classes the data must have for the metric to be defined."""
    source: str = ""
    """Checksum of the code of the user's own; such a metric is computed for reports, and in no record."""

    def better(self, value: float) -> float:
        """A number that grows as the metric gets better, to sort by."""
        return -value if self.ascending else value


def predictions_from(labels: NDArray[np.integer[Any]], probabilities: Floats) -> Predictions:
    """The predictions of class probabilities (n, classes); of equal ones the first ranks above."""
    class_type = np.uint8 if probabilities.shape[1] <= 256 else np.uint16
    predicted = probabilities.argmax(1)
    rows = np.arange(len(labels))
    true_probability = probabilities[rows, labels][:, None]
    earlier = np.arange(probabilities.shape[1]) < labels[:, None]
    rank = (probabilities > true_probability).sum(1) + ((probabilities == true_probability) & earlier).sum(1)
    return Predictions(
        labels.astype(class_type),
        predicted.astype(class_type),
        probabilities[rows, predicted].astype(np.float32),
        probabilities[rows, labels].astype(np.float32),
        rank.astype(class_type),
        probabilities.astype(np.float16),
    )


def compute_metrics(
    predictions: Predictions,
    n_classes: int,
    known: Mapping[str, float] | None = None,
    user_defined: Collection[str] = (),
) -> dict[str, float]:
    """All metrics that the predictions allow, in the order of `METRICS`.

    Parameters
    ----------
    predictions
        At least one image.
    n_classes
        The data's number of classes; metrics that need more are left out.
    known
        Values that are not computed again, such as the loss. A value that is not finite leaves its metric out.
    user_defined
        Names of the user's own metrics that are computed, too.
    """
    available: set[Needs] = {"classes"}
    if not np.isnan(predictions.confidence).any():
        available.add("confidences")
        if predictions.probabilities is not None:
            available.add("probabilities")
    known = known or {}
    values: dict[str, float] = {}
    for name, metric in METRICS.items():
        if metric.source and name not in user_defined:
            continue
        if name in known:
            value = known[name]
        elif metric.compute and metric.needs in available and metric.classes <= n_classes:
            value = metric.compute(predictions)
        else:
            continue
        if math.isfinite(value):
            values[name] = value
    return values


def accuracy(predictions: Predictions) -> float:
    return int(predictions.correct.sum()) / len(predictions.labels)


def class_average(
    metric: Literal["precision", "recall", "f1"], average: Literal["macro", "micro", "weighted"]
) -> Callable[[Predictions], float]:
    """Precision, recall or F1 as scikit-learn averages it, 0 for a class without images or predictions.

    Macro averages go over the classes that occur or are predicted.
    """

    def compute(predictions: Predictions) -> float:
        true_positives, labels, predicted = predictions.counts
        numerator, denominator = {
            "precision": (true_positives, predicted),
            "recall": (true_positives, labels),
            "f1": (2 * true_positives, labels + predicted),
        }[metric]
        if average == "micro":
            return float(numerator.sum() / denominator.sum())
        values = np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator > 0)
        return float(values.mean() if average == "macro" else (values * labels).sum() / labels.sum())

    return compute


def precision_at_half(predictions: Predictions) -> float:
    """Micro precision of one-hot outputs at a threshold of .5, which only the predicted class can exceed."""
    above = predictions.confidence > 0.5
    return int((above & predictions.correct).sum()) / max(int(above.sum()), 1)


def recall_at_half(predictions: Predictions) -> float:
    above = predictions.confidence > 0.5
    return int((above & predictions.correct).sum()) / len(predictions.labels)


def top_accuracy(k: int) -> Callable[[Predictions], float]:
    """The fraction of images with fewer than k classes scored above the true one."""
    return lambda predictions: int((predictions.true_rank < k).sum()) / len(predictions.labels)


def log_loss(predictions: Predictions) -> float:
    """inf where a true class has a probability that rounds to 0."""
    with np.errstate(divide="ignore"):
        return float(-np.log(predictions.true_class_probability.astype(np.float64)).mean())


def brier_score(predictions: Predictions) -> float:
    """Mean over images of the sum over classes of (probability - one-hot label)^2, in [0, 2] (Brier 1950)."""
    assert predictions.probabilities is not None
    probabilities = predictions.probabilities.astype(np.float32, copy=False)
    squares = np.einsum("nc,nc->n", probabilities, probabilities)
    true = probabilities[np.arange(len(probabilities)), predictions.labels]
    return float((squares - 2 * true + 1).mean(dtype=np.float64))


def auroc(predictions: Predictions) -> float:
    """Area under the ROC curve of each class against the rest, averaged over the classes that have images.

    The area is the probability that an image of the class has a higher probability of it than another image, a tie
    counting half (Hanley and McNeil 1982, doi 10.1148/radiology.143.1.7063747). It is computed in half precision, whose
    15,361 values in [0, 1] are counted instead of sorted; their bit patterns have the order of the values.
    """
    assert predictions.probabilities is not None
    half = np.ascontiguousarray(predictions.probabilities, dtype=np.float16)
    patterns = half.view(np.uint16) & 0x7FFF  # without the sign of a negative zero
    n_values = int(patterns.max()) + 1
    areas = []
    for class_number in np.unique(predictions.labels):
        of_class = predictions.labels == class_number
        counts = np.bincount(patterns[:, class_number], minlength=n_values)
        positives = np.bincount(patterns[of_class, class_number], minlength=n_values)
        negatives = counts - positives
        below = np.cumsum(negatives) - negatives
        pairs = int(positives.sum()) * int(negatives.sum())
        if pairs:
            areas.append(float((positives * (2 * below + negatives)).sum()) / 2 / pairs)
    return float(np.mean(areas)) if areas else math.nan


def confidence_bins(confidence: Floats, bins: int = ECE_BINS) -> NDArray[np.int_]:
    """The number of the bin, from 0, that each confidence in [0, 1] falls into; a bin holds its upper end."""
    numbers: NDArray[np.int_] = np.clip(np.ceil(confidence.astype(np.float64) * bins).astype(int) - 1, 0, bins - 1)
    return numbers


def calibration_error(confidence: Floats, correct: NDArray[np.bool_]) -> float:
    """Expected calibration error of n images: sum over 15 equally wide bins of |sum of (correct - confidence)| / n.

    Guo et al. 2017 (arXiv 1706.04599, equations 2 to 5). nan where a confidence is nan.
    """
    confidence = confidence.astype(np.float64)
    if np.isnan(confidence).any():
        return math.nan
    gaps = np.bincount(confidence_bins(confidence), weights=correct - confidence, minlength=ECE_BINS)
    return float(np.abs(gaps).sum() / len(confidence))


_AVERAGES: dict[Literal["macro", "micro", "weighted"], str] = {
    "macro": "mean over the classes that occur or are predicted",
    "micro": "all classes' counts together, which is the accuracy",
    "weighted": "mean over the classes, weighted by their images",
}
_CLASS_METRICS: dict[Literal["precision", "recall", "f1"], str] = {
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
}

METRICS: dict[str, Metric] = {
    "accuracy": Metric(
        "accuracy", "the fraction of images that are classified correctly", accuracy, is_proportion=True
    ),
    "loss": Metric(
        "loss", "the configuration's own loss, without label smoothing and penalties", None, "loss", False, True
    ),
    **{
        f"{name}_{average}": Metric(
            f"{title} ({average})",
            f"{title} as scikit-learn has it, {text}",
            class_average(name, average),
            is_proportion=average == "micro" or (name, average) == ("recall", "weighted"),
        )
        for name, title in _CLASS_METRICS.items()
        for average, text in _AVERAGES.items()
    },
    "precision_at_half": Metric(
        "precision at .5",
        "of the classes with a probability above .5, the fraction that is correct, as Keras's Precision",
        precision_at_half,
        "confidences",
    ),
    "recall_at_half": Metric(
        "recall at .5",
        "the fraction of images whose class has a probability above .5, as Keras's Recall",
        recall_at_half,
        "confidences",
        is_proportion=True,
    ),
    **{
        f"top_{k}_accuracy": Metric(
            f"top-{k} accuracy",
            f"the fraction of images whose class is among the {k} most probable; needs more than {k} classes",
            top_accuracy(k),
            "confidences",
            is_proportion=True,
            classes=k + 1,
        )
        for k in TOP
    },
    "log_loss": Metric(
        "log loss",
        "the mean negative log-likelihood of the true class (natural logarithm), also called NLL",
        log_loss,
        "confidences",
        False,
        True,
    ),
    "brier_score": Metric(
        "Brier score",
        "the mean over images of the squared distance of the probabilities from the one-hot label, from 0 to 2",
        brier_score,
        "probabilities",
        False,
        True,
    ),
    "ece": Metric(
        "ECE",
        "the expected calibration error: 15 equally wide bins of the top confidence (Guo et al. 2017)",
        lambda predictions: calibration_error(predictions.confidence, predictions.correct),
        "confidences",
        ascending=True,
    ),
    "auroc": Metric(
        "AUROC",
        "the area under the ROC curve of each class against the others, mean over classes (macro)",
        auroc,
        "probabilities",
        classes=2,
    ),
}
"""Name in a suite file and in a record to what it is, in the order of reports."""
