"""Which images are misclassified? A gallery of them, possible label errors, and duplicates of training images."""

from __future__ import annotations

import math
from collections.abc import Mapping
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
from bench.report.comparison import Comparison
from bench.report.document import Column, Format, Section, Table
from bench.report.number_format import percent

SENSITIVITY_HEADINGS = {
    "accuracy": "All images",
    "without_label_issues": "Without contradicted labels",
    "without_duplicates": "Without copies of training images",
    "without_both": "Without both",
}
SENSITIVITY_CAPTION = (
    "Sensitivity analysis, not a ranking: mean test accuracy in % of the top configurations on all images, and without "
    "these images."
)
CONTRADICTED_CAPTION = (
    " All top configurations are wrong on the contradicted labels by construction: their accuracy rises without these."
)
MARKDOWN: frozenset[Format] = frozenset({"markdown"})


def gallery(comparison: Comparison) -> Section:
    """The page displays the images; Markdown has the accuracy without label issues and duplicates."""
    images = comparison.gallery
    if images is None:
        return Section("gallery", "Misclassified images", data=lambda: {"gallery": None})
    return Section(
        "gallery",
        "Misclassified images",
        (sensitivity_table(images),) if images.label_issues else (),
        data=lambda: {"gallery": gallery_json(images)},
        template="gallery.html.j2",
        context=lambda: _page_context(images),
    )


def sensitivity_table(images: Gallery) -> Table:
    """A row per top configuration: accuracy in percent on all test images and without some of them.

    A column without images to leave out is dropped, and so is the table where there are none at all.
    """
    issues = images.label_issues
    assert issues is not None
    names = ["accuracy"]
    names += ["without_label_issues"] if issues.images else []
    names += ["without_duplicates"] if issues.duplicates else []
    names += ["without_both"] if issues.images and issues.duplicates else []
    return Table(
        "sensitivity",
        "Accuracy without possible label errors and duplicates",
        SENSITIVITY_CAPTION + (CONTRADICTED_CAPTION if issues.images else ""),
        issues.sensitivity if len(names) > 1 else issues.sensitivity.iloc[:0],
        (Column("label", "Configuration", lambda row: row["label"], "label"), *map(_percent_column, names)),
        formats=MARKDOWN,
    )


def _percent_column(name: str) -> Column:
    return Column(name, SENSITIVITY_HEADINGS[name], lambda row: percent(row[name]))


def agreement(images: Gallery) -> str:
    """How many label issues there are, or why none can be found, as a sentence."""
    issues = images.label_issues
    if issues is None:
        return ""
    networks = f"{issues.n_networks} network{'s' * (issues.n_networks != 1)}"
    networks += f" of {len(issues.top)} top configuration{'s' * (len(issues.top) != 1)}"
    if issues.n_networks < MIN_NETWORKS:
        return f"{networks} are too few to find label errors by agreement; at least {MIN_NETWORKS} networks are needed."
    return (
        f"All {networks} predict the same class, which is not the label, for {len(issues.images):,} of "
        f"{images.n_images:,} test images."
    )


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


def _page_context(images: Gallery) -> Mapping[str, Any]:
    return {
        "gallery": images,
        "mistakes": confident_mistakes(images, images.mistakes[0]),
        "label_issues": label_issue_images(images),
        "duplicates": duplicate_rows(images),
        "sensitivity": sensitivity_table(images) if images.label_issues else None,
        "agreement": agreement(images),
        "data": gallery_data(images),
        "sprite_columns": SPRITE_COLUMNS,
    }


def confident_mistakes(images: Gallery, mistakes: Mistakes) -> list[GalleryImage]:
    """The most confident mistakes of a configuration, which the page shows first."""
    several = mistakes.seeds > 1
    return [
        _gallery_image(images, mistake, f"{mistake.seeds} of {mistakes.seeds} seeds" if several else "")
        for mistake in mistakes.shown[: mistakes.first]
    ]


def label_issue_images(images: Gallery) -> list[GalleryImage]:
    """The first label issues."""
    issues = images.label_issues.images[:MAX_LABEL_ISSUES] if images.label_issues else ()
    return [_gallery_image(images, issue, "") for issue in issues]


def duplicate_rows(images: Gallery) -> list[dict[str, Any]]:
    """The first test images that are also training images: image, position, class, training images with classes."""
    duplicates = (images.label_issues.duplicates or ())[:MAX_DUPLICATES] if images.label_issues else ()
    return [
        {
            "image": duplicate.test,
            "position": _sprite_position(images, duplicate.test),
            "label": images.classes[duplicate.label],
            "train": [
                (number, images.classes[label])
                for number, label in zip(duplicate.train, duplicate.train_labels, strict=True)
            ],
        }
        for duplicate in duplicates
    ]


def gallery_data(images: Gallery) -> dict[str, Any]:
    """What the page's script shows: each mistake as image, label, predicted, seeds and two probabilities in 1/1000."""
    return {
        "classes": list(images.classes),
        "columns": SPRITE_COLUMNS,
        "positions": list(images.sprite.positions) if images.sprite else [],
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
            for mistakes in images.mistakes
        ],
    }


def gallery_json(images: Gallery) -> dict[str, Any]:
    """The mistakes that the page shows, label issues, duplicates and the accuracy without them."""
    issues = images.label_issues
    return {
        "note": images.note,
        "mistakes": [
            {
                "label": mistakes.label,
                "total": mistakes.total,
                "shown": [_image_json(mistake, images.classes) for mistake in mistakes.shown],
            }
            for mistakes in images.mistakes
        ],
        "label_issues": [_image_json(issue, images.classes) for issue in issues.images] if issues else [],
        "label_issues_agreed_by": {"top": list(issues.top), "networks": issues.n_networks} if issues else None,
        "duplicates": None
        if issues is None or issues.duplicates is None
        else [
            {
                "image": duplicate.test,
                "class": images.classes[duplicate.label],
                "train_images": list(duplicate.train),
                "train_classes": [images.classes[label] for label in duplicate.train_labels],
            }
            for duplicate in issues.duplicates
        ],
        "sensitivity": issues.sensitivity if issues else [],
    }


def _image_json(image: Mistake | LabelIssue, classes: tuple[str, ...]) -> dict[str, Any]:
    return {
        "image": image.image,
        "class": classes[image.label],
        "predicted": classes[image.predicted],
        "confidence": image.confidence,
        "true_class_probability": image.true_class_probability,
    }


def _shown_pairs(mistakes: Mistakes) -> list[list[int]]:
    """The pairs of which a mistake is shown, with their counts, by count."""
    shown = {(mistake.label, mistake.predicted) for mistake in mistakes.shown}
    return [[*pair, count] for pair, count in mistakes.pairs.items() if pair in shown]


def _gallery_image(images: Gallery, image: Mistake | LabelIssue, seeds: str) -> GalleryImage:
    return GalleryImage(
        image.image,
        _sprite_position(images, image.image),
        images.classes[image.label],
        images.classes[image.predicted],
        _probability(image.confidence),
        _probability(image.true_class_probability),
        seeds,
    )


def _sprite_position(images: Gallery, image: int) -> tuple[int, int] | None:
    if images.sprite is None or image not in images.sprite.positions:
        return None
    row, column = divmod(images.sprite.positions[image], SPRITE_COLUMNS)
    return column, row


def _probability(value: float) -> str:
    return "" if math.isnan(value) else f"{100 * value:.1f}\N{NO-BREAK SPACE}%"


def _thousandths(value: float) -> int | None:
    return None if math.isnan(value) else round(1000 * value)
