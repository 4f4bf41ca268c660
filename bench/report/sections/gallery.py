"""Which images are misclassified? A gallery of them, possible label errors, and duplicates of training images."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from bench.report.classes.misclassified import (
    MAX_DUPLICATES,
    MAX_LABEL_ISSUES,
    MIN_NETWORKS,
    PER_PAIR,
    SPRITE_COLUMNS,
    Gallery,
    LabelIssue,
    Mistake,
    Mistakes,
)
from bench.report.comparison import Comparison
from bench.report.document import NO_TERMINAL, Cell, Column, Controls, Format, Row, Section, Table
from bench.report.number_format import counted, percent

MAX_TRAINING = 3
"""Training images named for each test image that is one of them."""

SENSITIVITY_HEADINGS = {
    "accuracy": "All images",
    "without_duplicates": "Without copies of training images",
}
SENSITIVITY_CAPTION = (
    "Sensitivity analysis, not a ranking: mean test accuracy in % of the top configurations on all images, and without "
    "these images."
)
IN_FILES: frozenset[Format] = frozenset({"page", "markdown", "csv"})
NO_PAGE: frozenset[Format] = frozenset({"markdown", "csv"})
"""On the page they are a choice of the gallery."""


def gallery(comparison: Comparison) -> Section:
    """Images, which the page displays, possible label errors, duplicates, and the accuracy without these."""
    images = comparison.gallery
    if images is None:
        return Section("gallery", "Misclassified images", data=lambda: {"gallery": None})
    tables = [mistakes_table(images)]
    if images.label_issues:
        tables += [label_issues_table(images), duplicates_table(images), sensitivity_table(images)]
    several = max(mistakes.seeds for mistakes in images.mistakes) > 1
    who = "more than half of a configuration's seeds assign to the same" if several else "a configuration assigns to a"
    sentence = (
        f"Test images that {who} wrong class, the most confident mistakes first. {images.note} Next to “label” is the "
        "probability of the true class, next to “predicted” that of the predicted class"
        f"{', both means over these seeds' * several}; test images are numbered from 0."
    )
    return Section(
        "gallery",
        "Misclassified images",
        tuple(tables),
        sentences=(" ".join(sentence.split()),),
        notes=tuple(note for note in (_without_mistakes(images), *_without_issues(images)) if note),
        data=lambda: {"gallery": gallery_json(images)},
        sprite=images.sprite,
    )


def mistakes_table(images: Gallery) -> Table:
    """The most confident mistakes of the first configuration that has any; the page's script displays the others'."""
    mistakes = next((mistakes for mistakes in images.mistakes if mistakes.total), images.mistakes[0])
    seeds = f" of {mistakes.seeds} seeds" if mistakes.seeds > 1 else ""
    return Table(
        "mistakes",
        "Most confident mistakes",
        f"{mistakes.label}: {mistakes.first} of {mistakes.total:,} misclassified images.",
        _image_frame(images, mistakes.displayed[: mistakes.first]),
        _image_columns(images, lambda row: f"{row['seeds']}{seeds}" if seeds else ""),
        formats=frozenset({"page", "csv"}),
        cards=True,
        controls=Controls("gallery", lambda _: gallery_data(images)),
    )


def label_issues_table(images: Gallery) -> Table:
    """The test images whose label all networks contradict."""
    issues = images.label_issues.images if images.label_issues else ()
    more = f"; {MAX_LABEL_ISSUES} are displayed" if len(issues) > MAX_LABEL_ISSUES else ""
    return Table(
        "label-issues",
        "Possible label errors",
        f"{agreement(images)} All networks learned from the same training labels, so all of them may be wrong. The "
        f"most confident come first{more}.",
        _image_frame(images, issues[:MAX_LABEL_ISSUES]),
        _image_columns(images, lambda _: ""),
        formats=NO_PAGE,
        cards=True,
    )


def duplicates_table(images: Gallery) -> Table:
    """The test images that are also training images, with all labels."""
    duplicates = (images.label_issues.duplicates or ()) if images.label_issues else ()
    rows = [
        (duplicate.test, images.classes[duplicate.label], duplicate.train, duplicate.train_labels)
        for duplicate in duplicates[:MAX_DUPLICATES]
    ]
    number = counted(len(duplicates), "test image")
    identical = "are identical to training images" if len(duplicates) > 1 else "is identical to a training image"
    more = f"; {MAX_DUPLICATES} are displayed" if len(duplicates) > MAX_DUPLICATES else ""

    def training(row: Row) -> str:
        pairs = zip(row["train"][:MAX_TRAINING], row["train_labels"], strict=False)
        further = f" and {len(row['train']) - MAX_TRAINING} more" if len(row["train"]) > MAX_TRAINING else ""
        return ", ".join(f"{image:,} ({images.classes[label]})" for image, label in pairs) + further

    return Table(
        "duplicates",
        "Duplicates of training images",
        f"{number} {identical}{more}.",
        pd.DataFrame(rows, columns=["image", "label", "train", "train_labels"]),
        (
            Column("image", "Test no.", lambda row: _image_cell(images, row["image"]), "image"),
            Column("label", "Label", lambda row: row["label"], "text"),
            Column("train", "Training no.", training, "text"),
        ),
        formats=IN_FILES,
        cards=True,
        folded=True,
    )


def _image_frame(images: Gallery, displayed: Sequence[Mistake | LabelIssue]) -> pd.DataFrame:
    columns = ["image", "label", "predicted", "seeds", "confidence", "true_class_probability"]
    rows = [
        (
            image.image,
            images.classes[image.label],
            images.classes[image.predicted],
            image.seeds if isinstance(image, Mistake) else None,
            image.confidence,
            image.true_class_probability,
        )
        for image in displayed
    ]
    return pd.DataFrame(rows, columns=columns)


def _image_columns(images: Gallery, seeds: Callable[[Row], str]) -> tuple[Column, ...]:
    def image(row: Row) -> Cell:
        return replace(_image_cell(images, row["image"]), detail=seeds(row))

    def label(row: Row) -> Cell:
        return Cell(row["label"], detail=_probability(row["true_class_probability"]))

    def predicted(row: Row) -> Cell:
        return Cell(row["predicted"], detail=_probability(row["confidence"]))

    return (
        Column("image", "No.", image, "image"),
        Column("label", "Label", label, "text"),
        Column("predicted", "Predicted", predicted, "text"),
    )


def _image_cell(images: Gallery, image: int) -> Cell:
    """The image's number, and its position in the sprite as custom properties of CSS."""
    if images.sprite is None or image not in images.sprite.positions:
        return Cell(f"{image:,}")
    row, column = divmod(images.sprite.positions[image], SPRITE_COLUMNS)
    return Cell(f"{image:,}", css=f"--x:{column};--y:{row}", spoken=f"test image {image:,}")


def _without_mistakes(images: Gallery) -> str:
    """That nothing was misclassified."""
    return "" if any(mistakes.total for mistakes in images.mistakes) else "0 misclassified images."


def _without_issues(images: Gallery) -> tuple[str, ...]:
    """What was looked for and not found."""
    issues = images.label_issues
    if issues is None:
        return ()
    notes = [] if issues.images else [agreement(images)]
    if issues.duplicates is None:
        notes.append("Without the data set, duplicates of training images cannot be found.")
    elif not issues.duplicates:
        notes.append("No test image is identical to a training image.")
    return tuple(notes)


def sensitivity_table(images: Gallery) -> Table:
    """A row per top configuration: accuracy in percent on all test images and without some of them.

    A column without images to leave out is dropped, and so is the table where there are none at all.
    """
    issues = images.label_issues
    assert issues is not None
    # Without the labels that all of them contradict their accuracy can only rise, which would say nothing.
    names = ["accuracy", *(["without_duplicates"] if issues.duplicates else [])]
    return Table(
        "sensitivity",
        "Accuracy without duplicates",
        SENSITIVITY_CAPTION,
        issues.sensitivity if len(names) > 1 else issues.sensitivity.iloc[:0],
        (Column("label", "Configuration", lambda row: row["label"], "label"), *map(_percent_column, names)),
        formats=NO_TERMINAL,
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


def gallery_data(images: Gallery) -> dict[str, Any]:
    """What the page's script shows: each mistake as image, label, predicted, seeds and two probabilities in 1/1000."""
    return {
        "classes": list(images.classes),
        "columns": SPRITE_COLUMNS,
        "positions": list(images.sprite.positions) if images.sprite else [],
        "disagreed": [
            [issue.image, issue.label, issue.predicted, 0, *map(_thousandths, _probabilities(issue))]
            for issue in (images.label_issues.images if images.label_issues else ())[:MAX_LABEL_ISSUES]
        ],
        "configurations": [
            {
                "label": mistakes.label,
                "seeds": mistakes.seeds,
                "total": mistakes.total,
                "first": mistakes.first,
                "pairs": _displayed_pairs(mistakes),
                "displayed": [
                    [
                        mistake.image,
                        mistake.label,
                        mistake.predicted,
                        mistake.seeds,
                        _thousandths(mistake.confidence),
                        _thousandths(mistake.true_class_probability),
                    ]
                    for mistake in mistakes.displayed
                ],
            }
            for mistakes in images.mistakes
        ],
    }


def _probabilities(issue: LabelIssue) -> tuple[float, float]:
    return issue.confidence, issue.true_class_probability


def gallery_json(images: Gallery) -> dict[str, Any]:
    """The mistakes that the page shows, label issues, duplicates and the accuracy without them."""
    issues = images.label_issues
    return {
        "note": images.note,
        "mistakes": [
            {
                "label": mistakes.label,
                "total": mistakes.total,
                "displayed": [_image_json(mistake, images.classes) for mistake in mistakes.displayed],
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


def _displayed_pairs(mistakes: Mistakes) -> list[list[int]]:
    """The pairs with their counts, by count, of which `PER_PAIR` mistakes are displayed, or all."""
    displayed = Counter((mistake.label, mistake.predicted) for mistake in mistakes.displayed)
    return [[*pair, count] for pair, count in mistakes.pairs.items() if displayed[pair] >= min(PER_PAIR, count)]


def _probability(value: float) -> str:
    return "" if math.isnan(value) else f"{100 * value:.1f}\N{NO-BREAK SPACE}%"


def _thousandths(value: float) -> int | None:
    return None if math.isnan(value) else round(1000 * value)
