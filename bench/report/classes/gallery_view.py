"""What the page's gallery shows, and the data its script filters by."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from bench.report.cells import percent
from bench.report.classes.gallery import (
    MAX_DUPLICATES,
    MAX_LABEL_ISSUES,
    MIN_NETWORKS,
    SPRITE_COLUMNS,
    Gallery,
    LabelIssue,
    Mistake,
    Mistakes,
)


@dataclass(frozen=True)
class GalleryImage:
    """One image of the gallery: its place in the sprite (column and row, None without), and what stands below it."""

    image: int
    place: tuple[int, int] | None
    label: str
    predicted: str
    confidence: str
    true_class_probability: str
    seeds: str


def confident_mistakes(gallery: Gallery, mistakes: Mistakes) -> list[GalleryImage]:
    """The most confident mistakes of a configuration, which the page shows first."""
    return [
        _gallery_image(gallery, one, f"{one.seeds} of {mistakes.seeds} seeds" if mistakes.seeds > 1 else "")
        for one in mistakes.shown[: mistakes.first]
    ]


def label_issue_images(gallery: Gallery) -> list[GalleryImage]:
    """The suspects, as far as they are shown."""
    return (
        [_gallery_image(gallery, one, "") for one in gallery.label_issues.images[:MAX_LABEL_ISSUES]]
        if gallery.label_issues
        else []
    )


def duplicate_rows(gallery: Gallery) -> list[dict[str, Any]]:
    """Test images that are training images too, as far as they are shown: image, labels, numbers."""
    found = (gallery.label_issues.duplicates or ())[:MAX_DUPLICATES] if gallery.label_issues else ()
    return [
        {
            "image": twin.test,
            "place": _sprite_position(gallery, twin.test),
            "label": gallery.classes[twin.label],
            "train": [
                (number, gallery.classes[label]) for number, label in zip(twin.train, twin.train_labels, strict=True)
            ],
        }
        for twin in found
    ]


SENSITIVITY_HEADINGS = {
    "accuracy": "All images",
    "without_suspects": "Without contradicted labels",
    "without_duplicates": "Without copies of training images",
    "without_both": "Without both",
}


def sensitivity(gallery: Gallery) -> tuple[list[str], list[tuple[str, list[str]]]]:
    """Headings, and a row per leader: accuracy in percent on all test images and without some of them.

    What there is none of is not left out.
    """
    found = gallery.label_issues
    if found is None:
        return [], []
    shown = ["accuracy"]
    shown += ["without_suspects"] if found.images else []
    shown += ["without_duplicates"] if found.duplicates else []
    shown += ["without_both"] if found.images and found.duplicates else []
    rows = [(str(row["label"]), [percent(row[name]) for name in shown]) for row in found.sensitivity.to_dict("records")]
    return [SENSITIVITY_HEADINGS[name] for name in shown], rows


def agreement(gallery: Gallery) -> str:
    """Who must agree on a suspect, in words; why there is none where too few could."""
    found = gallery.label_issues
    if found is None:
        return ""
    who = f"{found.networks} network{'s' * (found.networks != 1)} of {len(found.leaders)} leading configuration" + (
        "s" * (len(found.leaders) != 1)
    )
    if found.networks < MIN_NETWORKS:
        return f"With {who} there is no agreement to speak of; {MIN_NETWORKS} networks are the least."
    return (
        f"All {who} give these the same class, which is not the label's: {len(found.images):,} of {gallery.images:,}."
    )


def gallery_data(gallery: Gallery) -> dict[str, Any]:
    """What the page's script shows: each mistake as image, label, predicted, seeds and two confidences in 1/1000."""
    sheet = gallery.sprite
    return {
        "classes": list(gallery.classes),
        "columns": SPRITE_COLUMNS,
        "places": list(sheet.places) if sheet else [],
        "configurations": [
            {
                "label": one.label,
                "seeds": one.seeds,
                "total": one.total,
                "first": one.first,
                "pairs": _pairs(one),
                "shown": [
                    [
                        m.image,
                        m.label,
                        m.predicted,
                        m.seeds,
                        _thousandths(m.confidence),
                        _thousandths(m.true_class_probability),
                    ]
                    for m in one.shown
                ],
            }
            for one in gallery.mistakes
        ],
    }


def _pairs(one: Mistakes) -> list[list[int]]:
    """The pairs of which something is shown, with their counts, by count."""
    there = {(mistake.label, mistake.predicted) for mistake in one.shown}
    return [[*pair, count] for pair, count in one.pairs.items() if pair in there]


def _gallery_image(gallery: Gallery, one: Mistake | LabelIssue, seeds: str) -> GalleryImage:
    return GalleryImage(
        one.image,
        _sprite_position(gallery, one.image),
        gallery.classes[one.label],
        gallery.classes[one.predicted],
        _probability(one.confidence),
        _probability(one.true_class_probability),
        seeds,
    )


def _sprite_position(gallery: Gallery, image: int) -> tuple[int, int] | None:
    if gallery.sprite is None or image not in gallery.sprite.places:
        return None
    row, column = divmod(gallery.sprite.places[image], SPRITE_COLUMNS)
    return column, row


def _probability(confidence: float) -> str:
    return "" if math.isnan(confidence) else f"{100 * confidence:.1f}\N{NO-BREAK SPACE}%"


def _thousandths(value: float) -> int | None:
    return None if math.isnan(value) else round(1000 * value)
