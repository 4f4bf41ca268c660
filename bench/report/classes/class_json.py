"""Details and gallery for other programs, as JSON takes them; fractions, and null for what is not known."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from bench.published.reference_data import PublishedClasses
from bench.report.classes.details import Details
from bench.report.classes.gallery import Gallery, LabelIssue, Mistake
from bench.statistics.per_class import CLASS_METRICS


def details_json(details: Details) -> dict[str, Any]:
    """A configuration class by class; each metric with its 95 % interval on new images."""
    return {
        "label": details.label,
        "selected": details.selected,
        "top": details.top,
        "seeds": list(details.seeds),
        "classes": [_class(details, number) for number in range(len(details.classes))],
        "confusion_over_seeds": details.confusion.tolist(),
        "accuracy": details.accuracy,
        "mean_confidence": finite(details.mean_confidence),
        "ece": finite(details.ece),
        "nll": finite(details.nll),
        "calibration": frame_rows(details.calibration),
        "published": [_published(published) for published in details.published],
    }


def gallery_json(gallery: Gallery | None) -> dict[str, Any] | None:
    """The mistakes that the page shows, label issues, duplicates and the accuracy without them."""
    if gallery is None:
        return None
    issues = gallery.label_issues
    return {
        "note": gallery.note,
        "mistakes": [
            {
                "label": mistakes.label,
                "total": mistakes.total,
                "shown": [_image(mistake, gallery.classes) for mistake in mistakes.shown],
            }
            for mistakes in gallery.mistakes
        ],
        "label_issues": [_image(issue, gallery.classes) for issue in issues.images] if issues else [],
        "label_issues_agreed_by": {"top": list(issues.top), "networks": issues.n_networks} if issues else None,
        "duplicates": None
        if issues is None or issues.duplicates is None
        else [
            {
                "image": duplicate.test,
                "class": gallery.classes[duplicate.label],
                "train_images": list(duplicate.train),
                "train_classes": [gallery.classes[label] for label in duplicate.train_labels],
            }
            for duplicate in issues.duplicates
        ],
        "sensitivity": frame_rows(issues.sensitivity) if issues else [],
    }


def frame_rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """A frame's rows, with None for what is missing."""
    plain = frame.astype(object).where(frame.notna(), None)
    return [{str(name): value for name, value in row.items()} for row in plain.to_dict("records")]


def finite(value: float) -> float | None:
    return None if math.isnan(value) else value


def _class(details: Details, number: int) -> dict[str, Any]:
    row: dict[str, Any] = {"class": details.classes[number]}
    for metric in CLASS_METRICS:
        row[metric] = float(getattr(details.metrics, metric)[number])
        interval = details.intervals[metric][number].tolist()
        row[f"{metric}_interval"] = None if math.isnan(interval[0]) else interval
    return {**row, "support": int(details.metrics.support[number])}


def _published(published: PublishedClasses) -> dict[str, Any]:
    columns = (published.classes, published.precision, published.recall, published.f1, published.support)
    return {
        "reference": published.reference,
        "system": published.system,
        "classes": [
            dict(zip(("class", *CLASS_METRICS, "support"), row, strict=True)) for row in zip(*columns, strict=True)
        ],
        "confusion": [list(row) if row else None for row in published.confusion],
    }


def _image(image: Mistake | LabelIssue, classes: tuple[str, ...]) -> dict[str, Any]:
    return {
        "image": image.image,
        "class": classes[image.label],
        "predicted": classes[image.predicted],
        "confidence": finite(image.confidence),
        "true_class_probability": finite(image.true_class_probability),
    }
