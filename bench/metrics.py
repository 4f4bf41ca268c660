"""Which metrics are there? Their names, what they measure, which way is better, and how they are printed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """What a metric is called and is; a `percent` lies in [0, 1] and is printed in percent."""

    heading: str
    about: str
    percent: bool = True
    ascending: bool = False
    """Whether a smaller figure is the better one."""
    is_proportion: bool = False
    """Whether it is a plain share of a part's images, so that Wilson's interval holds."""
    classes: int = 1
    """How many the data must have, or there is no such figure."""

    def better(self, value: float) -> float:
        """A number that grows as the figure gets better, to sort by."""
        return -value if self.ascending else value


_AVERAGES = {
    "macro": "mean over the classes that occur or are predicted",
    "micro": "all classes' counts together, which is the accuracy",
    "weighted": "mean over the classes, weighted by their images",
}

METRICS: dict[str, Metric] = {
    "accuracy": Metric("accuracy", "the share of images whose class was told", is_proportion=True),
    "loss": Metric("loss", "the configuration's own loss, without label smoothing and penalties", False, True),
    **{
        f"{figure}_{average}": Metric(
            f"{title} ({average})",
            f"{title} as scikit-learn has it, {text}",
            is_proportion=average == "micro" or (figure, average) == ("recall", "weighted"),
        )
        for figure, title in (("precision", "precision"), ("recall", "recall"), ("f1", "F1"))
        for average, text in _AVERAGES.items()
    },
    "precision_at_half": Metric(
        "precision at .5", "of the classes given a probability above .5, the share that is right, as Keras's Precision"
    ),
    "recall_at_half": Metric(
        "recall at .5",
        "the share of images whose class was given a probability above .5, as Keras's Recall",
        is_proportion=True,
    ),
    **{
        f"top_{k}_accuracy": Metric(
            f"top-{k} accuracy",
            f"the share of images whose class is among the {k} rated highest; needs more than {k} classes",
            is_proportion=True,
            classes=k + 1,
        )
        for k in (2, 3, 5)
    },
    "nll": Metric("NLL", "the mean negative log-likelihood of the true class (natural logarithm)", False, True),
    "ece": Metric(
        "ECE",
        "the expected calibration error: 15 equally wide bins of the top confidence (Guo et al. 2017)",
        ascending=True,
    ),
}
"""Name in a suite file and in a record to what it is, in the order of reports."""

ECE_BINS = 15
TOP = (2, 3, 5)
