"""Which test images are worth a second look? Labels that all leaders contradict, and copies of training images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bench.data.explore import DuplicateImage
from bench.report.classes.answers import Answers
from bench.statistics.label_issues import accuracy_without, wrong_by_all

FEWEST_NETWORKS = 3
"""Fewer networks that agree are no reason to doubt a label."""

SENSITIVITY = ("label", "accuracy", "without_suspects", "without_duplicates", "without_both")


@dataclass(frozen=True)
class Suspect:
    """A test image that every network calls `predicted`; confidences are means over the networks, nan if unknown."""

    image: int
    label: int
    predicted: int
    confidence: float
    true_class_probability: float


@dataclass(frozen=True, eq=False)
class Suspects:
    """What the leaders agree on against the labels.

    `images` come by confidence; there are none where `networks` is below `FEWEST_NETWORKS`. `duplicates` is None where
    the data are not at hand. `sensitivity` has a row per leader, columns `SENSITIVITY`: accuracy over all seeds, as a
    fraction, on all test images and without those; nan where that cannot be said.
    """

    leaders: tuple[str, ...]
    networks: int
    images: tuple[Suspect, ...]
    duplicates: tuple[DuplicateImage, ...] | None
    sensitivity: pd.DataFrame


def suspects(
    leaders: Sequence[str], said: Mapping[str, Answers], duplicates: tuple[DuplicateImage, ...] | None
) -> Suspects:
    """Look for the images on which all `leaders`, which were tested on the same ones, agree against the label."""
    answers = [said[label] for label in leaders]
    networks = sum(one.seeds for one in answers)
    labels = answers[0].labels
    wrong = np.zeros(len(labels), dtype=bool)
    if networks >= FEWEST_NETWORKS:
        wrong = wrong_by_all(labels, [one.predicted for one in answers])
    sure = np.concatenate([one.confidence for one in answers]).mean(axis=0, dtype=np.float64)
    true = np.concatenate([one.true_class_probability for one in answers]).mean(axis=0, dtype=np.float64)
    found = np.flatnonzero(wrong)
    found = found[np.argsort(-np.nan_to_num(sure[found], nan=-1.0), kind="stable")]
    copied = np.zeros(len(labels), dtype=bool)
    copied[[twin.test for twin in duplicates or ()]] = True
    rows = [
        (
            label,
            float(one.right.mean()),
            accuracy_without(one.right, wrong),
            float("nan") if duplicates is None else accuracy_without(one.right, copied),
            float("nan") if duplicates is None else accuracy_without(one.right, copied | wrong),
        )
        for label, one in zip(leaders, answers, strict=True)
    ]
    return Suspects(
        leaders=tuple(leaders),
        networks=networks,
        images=tuple(
            Suspect(int(i), int(labels[i]), int(answers[0].predicted[0, i]), float(sure[i]), float(true[i]))
            for i in found
        ),
        duplicates=duplicates,
        sensitivity=pd.DataFrame(rows, columns=list(SENSITIVITY)),
    )
