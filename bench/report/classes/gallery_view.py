"""The gallery as the page shows it, and the data its script filters by."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

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
from bench.report.number_format import percent

SENSITIVITY_HEADINGS = {
    "accuracy": "All images",
    "without_label_issues": "Without contradicted labels",
    "without_duplicates": "Without copies of training images",
    "without_both": "Without both",
}


@dataclass(frozen=True)
class GalleryImage:
    """One image: its position in the sprite (column and row, None without a sprite), and the text below it."""

    image: int
    position: tuple[int, int] | None
    label: str
    predicted: str
    confidence: str
    true_class_probability: str
    seeds: str


def confident_mistakes(gallery: Gallery, mistakes: Mistakes) -> list[GalleryImage]:
    """The most confident mistakes of a configuration, which the page shows first."""
    several = mistakes.seeds > 1
    return [
        _gallery_image(gallery, mistake, f"{mistake.seeds} of {mistakes.seeds} seeds" if several else "")
        for mistake in mistakes.shown[: mistakes.first]
    ]


def label_issue_images(gallery: Gallery) -> list[GalleryImage]:
    """The first label issues."""
    issues = gallery.label_issues.images[:MAX_LABEL_ISSUES] if gallery.label_issues else ()
    return [_gallery_image(gallery, issue, "") for issue in issues]


def duplicate_rows(gallery: Gallery) -> list[dict[str, Any]]:
    """The first test images that are also training images: image, position, class, training images with classes."""
    duplicates = (gallery.label_issues.duplicates or ())[:MAX_DUPLICATES] if gallery.label_issues else ()
    return [
        {
            "image": duplicate.test,
            "position": _sprite_position(gallery, duplicate.test),
            "label": gallery.classes[duplicate.label],
            "train": [
                (number, gallery.classes[label])
                for number, label in zip(duplicate.train, duplicate.train_labels, strict=True)
            ],
        }
        for duplicate in duplicates
    ]


def sensitivity(gallery: Gallery) -> tuple[list[str], list[tuple[str, list[str]]]]:
    """Headings, and a row per top configuration: accuracy in percent on all test images and without some of them.

    A column without images to leave out is dropped.
    """
    issues = gallery.label_issues
    if issues is None:
        return [], []
    columns = ["accuracy"]
    columns += ["without_label_issues"] if issues.images else []
    columns += ["without_duplicates"] if issues.duplicates else []
    columns += ["without_both"] if issues.images and issues.duplicates else []
    rows = [
        (str(row["label"]), [percent(row[name]) for name in columns]) for row in issues.sensitivity.to_dict("records")
    ]
    return [SENSITIVITY_HEADINGS[name] for name in columns], rows


def agreement(gallery: Gallery) -> str:
    """How many label issues there are, or why none can be found, as a sentence."""
    issues = gallery.label_issues
    if issues is None:
        return ""
    networks = f"{issues.n_networks} network{'s' * (issues.n_networks != 1)}"
    networks += f" of {len(issues.top)} top configuration{'s' * (len(issues.top) != 1)}"
    if issues.n_networks < MIN_NETWORKS:
        return f"{networks} are too few to find label errors by agreement; at least {MIN_NETWORKS} networks are needed."
    return (
        f"All {networks} predict the same class, which is not the label, for {len(issues.images):,} of "
        f"{gallery.n_images:,} test images."
    )


def gallery_data(gallery: Gallery) -> dict[str, Any]:
    """What the page's script shows: each mistake as image, label, predicted, seeds and two probabilities in 1/1000."""
    return {
        "classes": list(gallery.classes),
        "columns": SPRITE_COLUMNS,
        "positions": list(gallery.sprite.positions) if gallery.sprite else [],
        "configurations": [
            {
                "label": mistakes.label,
                "seeds": mistakes.seeds,
                "total": mistakes.total,
                "first": mistakes.first,
                "pairs": _shown_pairs(mistakes),
                "shown": [
                    [
                        mistake.image,
                        mistake.label,
                        mistake.predicted,
                        mistake.seeds,
                        _thousandths(mistake.confidence),
                        _thousandths(mistake.true_class_probability),
                    ]
                    for mistake in mistakes.shown
                ],
            }
            for mistakes in gallery.mistakes
        ],
    }


def _shown_pairs(mistakes: Mistakes) -> list[list[int]]:
    """The pairs of which a mistake is shown, with their counts, by count."""
    shown = {(mistake.label, mistake.predicted) for mistake in mistakes.shown}
    return [[*pair, count] for pair, count in mistakes.pairs.items() if pair in shown]


def _gallery_image(gallery: Gallery, image: Mistake | LabelIssue, seeds: str) -> GalleryImage:
    return GalleryImage(
        image.image,
        _sprite_position(gallery, image.image),
        gallery.classes[image.label],
        gallery.classes[image.predicted],
        _probability(image.confidence),
        _probability(image.true_class_probability),
        seeds,
    )


def _sprite_position(gallery: Gallery, image: int) -> tuple[int, int] | None:
    if gallery.sprite is None or image not in gallery.sprite.positions:
        return None
    row, column = divmod(gallery.sprite.positions[image], SPRITE_COLUMNS)
    return column, row


def _probability(value: float) -> str:
    return "" if math.isnan(value) else f"{100 * value:.1f}\N{NO-BREAK SPACE}%"


def _thousandths(value: float) -> int | None:
    return None if math.isnan(value) else round(1000 * value)
