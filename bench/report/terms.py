"""What do a report's words mean? A sentence for each, where a term stands on the page and all together at its end."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

TERMS = {
    "best set": "The configurations not significantly different from the best; it has each truly best one with 95 %.",
    "selected on validation": "Chosen by its accuracy on images kept from training, before it was tested.",
    "on new images": "For other test images and other seeds; an interval “on this test set” is for other seeds alone.",
    "interval": "A range that contains the true value in 95 % of repetitions of the experiment.",
    "seed": "The number that fixes initial weights, order of images and augmentation; another gives another result.",
    "fresh seeds": "Seeds by which nothing was selected, so that their result is not too good by chance.",
    "seed noise": "How much the results of one configuration differ from seed to seed, as a standard deviation.",
    "Gap to best": "The highest test mean minus that of the row.",
    "Train − val.": "Accuracy on training images minus that on validation images: large where a network over-fits.",
    "p": "How often chance alone would make a difference as large or larger, if there were none.",
    "Holm": "A correction of p for how many differences were tested at once.",
    "Wilson": "An interval of a proportion of images, for one trained network.",
    "Tango": "An interval of the difference of two networks that were tested on the same images.",
    "strata": "Combinations of all other settings in which two values were compared with all else equal.",
    "effect": "The difference that one setting makes with everything else equal.",
    "interaction": "What two settings do together beyond the sum of their effects.",
    "recall": "The fraction of a class's images that are predicted as that class.",
    "precision": "The fraction of the predictions of a class that are right.",
    "F1": "The harmonic mean of precision and recall.",
    "confusion matrix": "How many images of each class (row) are predicted as each class (column).",
    "ECE": "Expected calibration error: how far confidence and accuracy lie apart, on average over bins of confidence.",
    "NLL": "Mean negative log-likelihood of the true class; lower is better, and confident mistakes cost most.",
    "Brier score": "Mean squared distance of the probabilities from the label; lower is better.",
    "confidence": "The probability that a network gives to the class it predicts.",
    "ensemble": "Several networks that predict together, by the mean of their probabilities.",
    "temperature": "A number that all logits are divided by, so that confidences fit the accuracy.",
    "FLOPs": "Floating-point operations of one image's forward pass; a multiply-add counts as two.",
    "Parameters": "The numbers that training adjusts.",
    "epoch": "One pass over all training images.",
    "pruning": "Stopping a trial early because others are far ahead of it at the same epoch.",
    "published": "Reported by others; not measured here, and never ranked by a test.",
}
"""By term, a sentence."""


@cache
def _pattern(term: str) -> re.Pattern[str]:
    """The term as a whole word, also in the plural; a lower-case one also at the start of a sentence."""
    word = rf"(?<![\w-]){re.escape(term)}s?(?![\w-])"
    return re.compile(word, re.IGNORECASE if term.islower() and len(term) > 1 else 0)


def term_of(heading: str) -> str:
    """The longest term in a heading; nothing where it has none."""
    return max((term for term in TERMS if _pattern(term).search(heading)), key=len, default="")


def terms_in(texts: Iterable[str]) -> list[str]:
    """The terms that occur in texts, in the order of `TERMS`."""
    joined = " ".join(texts)
    return [term for term in TERMS if len(term) > 1 and _pattern(term).search(joined)]


def anchor_of(term: str) -> str:
    """The term's id on a page: ``term-best-set``."""
    return f"term-{re.sub(r'[^a-z0-9]+', '-', term.lower()).strip('-')}"
