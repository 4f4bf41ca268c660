"""The misclassified test images of each configuration, possible label errors, and one sprite that holds the images."""

from __future__ import annotations

import base64
import io
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench.data.catalogue import find
from bench.data.dataset import Dataset, load_local
from bench.data.explore import DuplicateImage, duplicate_images
from bench.data.readers import is_from_path
from bench.errors import UserError
from bench.jsonutil import JsonObject, canonical
from bench.report.classes.details import SeedPredictions
from bench.statistics.per_class import accuracy_without, wrong_by_all, wrong_by_majority
from bench.suite.trial import Trial

Labels = NDArray[np.unsignedinteger[Any]]

SPRITE_COLUMNS = 24
MAX_SIDE = 64
"""Pixels of the longer side in the sprite; larger images are scaled down to it."""
DISPLAY_SIDE = 84
"""Pixels of the page that the longer side of a small image takes."""
MAX_SPRITE_BYTES = 600_000
"""Size of all sprites of a report, before base64."""

MOST_CONFIDENT = 12
"""How many of a configuration's most confident mistakes are displayed, whatever their classes."""
PER_PAIR = 12
"""Of each of the most frequent pairs of classes, so many of the most confident mistakes are displayed."""
LIMITS = ((MOST_CONFIDENT, 10), (12, 7), (12, 5), (12, 3), (12, 2), (12, 1), (12, 0), (8, 0), (4, 0))
"""Mistakes of any classes and frequent pairs per configuration, tried in turn until the sprite is small enough."""

MAX_LABEL_ISSUES, MAX_DUPLICATES = 36, 12
"""How many of each are displayed at most."""
MIN_NETWORKS = 3
"""The agreement of fewer networks is no reason to doubt a label."""
SENSITIVITY = ("label", "accuracy", "without_label_issues", "without_duplicates", "without_both")


@dataclass(frozen=True, eq=False)
class Sprite:
    """Images in rows of `SPRITE_COLUMNS`, as a PNG. `positions` maps an image's number to its position, from 0.

    `width` and `height` are those of one image, `scale` how many pixels of the page one of its pixels takes.
    """

    png: bytes
    width: int
    height: int
    positions: dict[int, int]

    @property
    def scale(self) -> int:
        return max(1, round(DISPLAY_SIDE / max(self.width, self.height)))

    @property
    def columns(self) -> int:
        return SPRITE_COLUMNS

    @property
    def source(self) -> str:
        """For an `src` or a `url()`."""
        return f"data:image/png;base64,{base64.b64encode(self.png).decode('ascii')}"


def sprite(images: NDArray[np.uint8], numbers: Sequence[int]) -> Sprite:
    """Put the images (N, C, H, W) of these numbers into one, in this order, each once."""
    from PIL import Image

    positions = {number: position for position, number in enumerate(dict.fromkeys(numbers))}
    height, width = _scaled_down(*images.shape[2:])
    rows = math.ceil(len(positions) / SPRITE_COLUMNS)
    grey = images.shape[1] != 3
    sheet = Image.new("L" if grey else "RGB", (SPRITE_COLUMNS * width, max(rows, 1) * height))
    for number, position in positions.items():
        pixels = images[number]
        image = Image.fromarray(pixels[0] if grey else pixels.transpose(1, 2, 0))
        if image.size != (width, height):
            image = image.resize((width, height), Image.Resampling.LANCZOS)
        row, column = divmod(position, SPRITE_COLUMNS)
        sheet.paste(image, (column * width, row * height))
    file = io.BytesIO()
    sheet.save(file, "PNG", optimize=True)
    return Sprite(file.getvalue(), width, height, positions)


def _scaled_down(height: int, width: int) -> tuple[int, int]:
    factor = min(1.0, MAX_SIDE / max(height, width))
    return max(1, round(height * factor)), max(1, round(width * factor))


@dataclass(frozen=True)
class LabelIssue:
    """A test image that every network classifies as `predicted`; probabilities are means over them, nan if unknown."""

    image: int
    label: int
    predicted: int
    confidence: float
    true_class_probability: float


@dataclass(frozen=True, eq=False)
class LabelIssues:
    """The test images whose label all seeds of the `top` configurations contradict in the same way.

    `images` are ordered by confidence; there are none where `n_networks` is below `MIN_NETWORKS`. `duplicates` is None
    where the data set is not on this machine. `sensitivity` has a row per top configuration, columns `SENSITIVITY`:
    accuracy over all seeds, as a fraction, on all test images and without some; nan where these are not known.
    """

    top: tuple[str, ...]
    n_networks: int
    images: tuple[LabelIssue, ...]
    duplicates: tuple[DuplicateImage, ...] | None
    sensitivity: pd.DataFrame


def label_issues(
    top: Sequence[str], by_label: Mapping[str, SeedPredictions], duplicates: tuple[DuplicateImage, ...] | None
) -> LabelIssues:
    """Find the label issues of the configurations `top`, which were tested on the same images."""
    predictions = [by_label[label] for label in top]
    n_networks = sum(p.n_seeds for p in predictions)
    labels = predictions[0].labels
    contradicted = np.zeros(len(labels), dtype=bool)
    if n_networks >= MIN_NETWORKS:
        contradicted = wrong_by_all(labels, [p.predicted for p in predictions])
    confidence = np.concatenate([p.confidence for p in predictions]).mean(axis=0, dtype=np.float64)
    true_class = np.concatenate([p.true_class_probability for p in predictions]).mean(axis=0, dtype=np.float64)
    images = np.flatnonzero(contradicted)
    images = images[np.argsort(-np.nan_to_num(confidence[images], nan=-1.0), kind="stable")]
    duplicated = np.zeros(len(labels), dtype=bool)
    duplicated[[duplicate.test for duplicate in duplicates or ()]] = True
    unknown = duplicates is None
    rows = [
        (
            label,
            float(p.correct.mean()),
            accuracy_without(p.correct, contradicted),
            math.nan if unknown else accuracy_without(p.correct, duplicated),
            math.nan if unknown else accuracy_without(p.correct, duplicated | contradicted),
        )
        for label, p in zip(top, predictions, strict=True)
    ]
    return LabelIssues(
        tuple(top),
        n_networks,
        tuple(
            LabelIssue(
                i, int(labels[i]), int(predictions[0].predicted[0, i]), float(confidence[i]), float(true_class[i])
            )
            for i in images.tolist()
        ),
        duplicates,
        pd.DataFrame(rows, columns=list(SENSITIVITY)),
    )


@dataclass(frozen=True)
class Mistake:
    """A test image that `seeds` seeds, more than half of them, classify as `predicted`.

    `confidence` in that class and `true_class_probability` are means over these seeds, nan if unknown.
    """

    image: int
    label: int
    predicted: int
    seeds: int
    confidence: float
    true_class_probability: float


@dataclass(frozen=True)
class Mistakes:
    """A configuration's mistakes: their number by (true, predicted) pair, and the `displayed` ones, by confidence.

    The first `first` of `displayed` are the most confident of all; those of a pair are the most confident of that pair.
    """

    label: str
    seeds: int
    pairs: dict[tuple[int, int], int]
    displayed: tuple[Mistake, ...]
    first: int

    @property
    def total(self) -> int:
        return sum(self.pairs.values())


@dataclass(frozen=True, eq=False)
class Gallery:
    """Mistakes of the configurations with details, label issues, and their images.

    `sprite` is None where the data set is not on this machine, and `note` says why.
    """

    classes: tuple[str, ...]
    n_images: int
    mistakes: tuple[Mistakes, ...]
    label_issues: LabelIssues | None
    sprite: Sprite | None
    note: str


@dataclass(frozen=True, eq=False)
class LocalData:
    """A data set as it is on this machine; None where it is not, and `note` says why."""

    data: Dataset | None
    note: str = ""

    @cached_property
    def duplicates(self) -> tuple[DuplicateImage, ...] | None:
        """The test images that are also training images."""
        return duplicate_images(self.data) if self.data is not None else None


OTHER_TEST_PART = LocalData(None, "No images: these networks were tested on another test part than this machine has.")

FindData = Callable[[JsonObject, Labels], LocalData]
"""From a suite file's `dataset` entry and the labels that networks were tested on to the data on this machine."""


def find_local_data(dataset: JsonObject) -> LocalData:
    """The data of a suite file's `dataset` entry, if they are on this machine; nothing is downloaded."""
    try:
        data = load_local(dataset)
    except UserError as error:
        return LocalData(None, f"No images: {str(error).splitlines()[0]}")
    if data is None:
        advice = "" if "path" in dataset else f"; `bench data fetch {dataset['name']}` downloads it"
        return LocalData(None, f"No images: the data set is not on this machine{advice}.")
    return LocalData(data)


def cached_finder(planned: Iterable[Trial] = ()) -> FindData:
    """`find_local_data` once per data set, which refuses another test part than the networks were tested on.

    User data are looked for where the `planned` trials have them; a suite file names them relative to its folder.
    """
    known: dict[str, LocalData] = {}
    resolved = {canonical(t.config.dataset.to_json()): t.run_config.dataset.to_json() for t in planned if t.data_path}

    def find_data(dataset: JsonObject, labels: Labels) -> LocalData:
        name = canonical(dataset)
        if name not in known:
            if _test_size(dataset) not in (None, len(labels)):
                return OTHER_TEST_PART
            known[name] = find_local_data(resolved.get(name, dataset))
            if name in resolved:  # a report may be passed on: it names user data as the suite file does
                note = known[name].note.replace(resolved[name]["path"], dataset["path"])
                known[name] = replace(known[name], note=note)
        local = known[name]
        return local if local.data is None or np.array_equal(local.data.test_labels, labels) else OTHER_TEST_PART

    return find_data


def _test_size(dataset: JsonObject) -> int | None:
    """The number of test images; None where the catalogue does not have it."""
    try:
        return None if is_from_path(dataset) else find(dataset).test_size
    except UserError:
        return None


def build_gallery(
    classes: tuple[str, ...],
    by_label: Mapping[str, SeedPredictions],
    top: Sequence[str],
    find_data: Callable[[Labels], LocalData],
    max_bytes: int = MAX_SPRITE_BYTES,
) -> Gallery | None:
    """The gallery of a comparison; None without configurations.

    Parameters
    ----------
    classes
        Their names.
    by_label
        Predictions of the configurations, in their order. Those on other images than the first's are left out.
    top
        Labels of the configurations that must agree on a label issue.
    find_data
        From the labels of the test images to the data.
    max_bytes
        How large the sprite may be.
    """
    if not by_label:
        return None
    labels = next(iter(by_label.values())).labels
    by_label = {label: p for label, p in by_label.items() if np.array_equal(p.labels, labels)}
    local = find_data(labels)
    mistakes = tuple(_mistakes(label, p) for label, p in by_label.items())
    top = [label for label in top if label in by_label]
    issues = label_issues(top, by_label, local.duplicates) if top else None
    gallery = Gallery(classes, len(labels), mistakes, issues, None, local.note)
    return _with_sprite(gallery, local.data, max_bytes) if local.data is not None else gallery


def _mistakes(label: str, predictions: SeedPredictions) -> Mistakes:
    predicted, seeds = wrong_by_majority(predictions.labels, predictions.predicted)
    images = np.flatnonzero(predicted >= 0)
    agreeing = predictions.predicted[:, images] == predicted[images]
    confidence, true_class = (
        np.where(agreeing, values[:, images], 0).sum(axis=0, dtype=np.float64) / seeds[images]
        for values in (predictions.confidence, predictions.true_class_probability)
    )
    true = predictions.labels
    mistakes = [
        Mistake(image, int(true[image]), int(predicted[image]), int(seeds[image]), float(c), float(t))
        for image, c, t in zip(images.tolist(), confidence, true_class, strict=True)
    ]
    mistakes.sort(key=lambda mistake: -np.nan_to_num(mistake.confidence, nan=-1.0))
    pairs = Counter((mistake.label, mistake.predicted) for mistake in mistakes)
    frequent = {pair for pair, _ in pairs.most_common(LIMITS[0][1])}
    of_pair: Counter[tuple[int, int]] = Counter()
    displayed = []
    for rank, mistake in enumerate(mistakes):
        pair = (mistake.label, mistake.predicted)
        of_pair[pair] += 1
        if rank < MOST_CONFIDENT or (pair in frequent and of_pair[pair] <= PER_PAIR):
            displayed.append(mistake)
    return Mistakes(
        label, predictions.n_seeds, dict(pairs.most_common()), tuple(displayed), min(MOST_CONFIDENT, len(mistakes))
    )


def _with_sprite(gallery: Gallery, data: Dataset, max_bytes: int) -> Gallery:
    """Show as many mistakes as `max_bytes` allow."""
    issues = gallery.label_issues
    always = [issue.image for issue in issues.images[:MAX_LABEL_ISSUES]] if issues else []
    always += [duplicate.test for duplicate in (issues.duplicates or ())[:MAX_DUPLICATES]] if issues else []
    for most_confident, n_pairs in LIMITS:
        mistakes = tuple(_limited(m, most_confident, n_pairs) for m in gallery.mistakes)
        sheet = sprite(data.test_images, [*always, *(mistake.image for m in mistakes for mistake in m.displayed)])
        if len(sheet.png) <= max_bytes:
            break
    return replace(gallery, mistakes=mistakes, sprite=sheet)


def _limited(mistakes: Mistakes, most_confident: int, n_pairs: int) -> Mistakes:
    """The first mistakes, and all those displayed of the first pairs."""
    first = min(mistakes.first, most_confident)
    pairs = set(list(mistakes.pairs)[:n_pairs])
    displayed = tuple(
        mistake
        for rank, mistake in enumerate(mistakes.displayed)
        if rank < first or (mistake.label, mistake.predicted) in pairs
    )
    return replace(mistakes, displayed=displayed, first=first)
