"""Details and gallery for other programs, as JSON takes them; fractions, and null for what is not known."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from bench.report.classes.details import Details
from bench.report.classes.gallery import Gallery, LabelIssue, Mistake
from bench.statistics.per_class import CLASS_METRICS


def details_json(one: Details) -> dict[str, Any]:
    """A configuration class by class; each figure with its 95 % interval on new images."""
    return {
        "label": one.label,
        "chosen": one.chosen,
        "leader": one.leader,
        "seeds": list(one.seeds),
        "classes": [_class(one, number) for number in range(len(one.classes))],
        "confusion_over_seeds": one.matrix.tolist(),
        "accuracy": one.accuracy,
        "mean_confidence": finite(one.confidence),
        "ece": finite(one.ece),
        "nll": finite(one.nll),
        "calibration": frame_rows(one.calibration),
        "published": [
            {
                "reference": theirs.reference,
                "system": theirs.system,
                "classes": [
                    {"class": name, "precision": p, "recall": r, "f1": f, "support": s}
                    for name, p, r, f, s in zip(
                        theirs.classes, theirs.precision, theirs.recall, theirs.f1, theirs.support, strict=True
                    )
                ],
                "confusion": [list(row) if row else None for row in theirs.confusion],
            }
            for theirs in one.theirs
        ],
    }


def gallery_json(gallery: Gallery | None) -> dict[str, Any] | None:
    """The mistakes that the page shows, suspects, duplicates and what leaving them out would change."""
    if gallery is None:
        return None
    found = gallery.label_issues
    return {
        "note": gallery.note,
        "mistakes": [
            {
                "label": one.label,
                "total": one.total,
                "shown": [_image(mistake, gallery.classes) for mistake in one.shown],
            }
            for one in gallery.mistakes
        ],
        "label_issues": [_image(one, gallery.classes) for one in found.images] if found else [],
        "label_issues_agreed_by": {"leaders": list(found.leaders), "networks": found.networks} if found else None,
        "duplicates": None
        if found is None or found.duplicates is None
        else [
            {
                "image": twin.test,
                "class": gallery.classes[twin.label],
                "train_images": list(twin.train),
                "train_classes": [gallery.classes[label] for label in twin.train_labels],
            }
            for twin in found.duplicates
        ],
        "sensitivity": frame_rows(found.sensitivity) if found else [],
    }


def frame_rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """A frame's rows, with None for what is missing."""
    plain = frame.astype(object).where(frame.notna(), None)
    return [{str(name): value for name, value in row.items()} for row in plain.to_dict("records")]


def finite(value: float) -> float | None:
    return None if math.isnan(value) else value


def _class(one: Details, number: int) -> dict[str, Any]:
    found: dict[str, Any] = {"class": one.classes[number]}
    for figure in CLASS_METRICS:
        found[figure] = float(getattr(one.figures, figure)[number])
        bounds = one.bounds[figure][number].tolist()
        found[f"{figure}_interval"] = None if math.isnan(bounds[0]) else bounds
    return {**found, "support": int(one.figures.support[number])}


def _image(one: Mistake | LabelIssue, classes: tuple[str, ...]) -> dict[str, Any]:
    return {
        "image": one.image,
        "class": classes[one.label],
        "predicted": classes[one.predicted],
        "confidence": finite(one.confidence),
        "true_class_probability": finite(one.true_class_probability),
    }
