"""Which test images does each configuration get wrong, and what do they look like?"""

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
from bench.data.user_data import Entry, is_user_defined
from bench.errors import UserError
from bench.jsonutil import canonical
from bench.report.classes.details import SeedPredictions
from bench.statistics.label_issues import accuracy_without, wrong_by_all, wrong_by_majority
from bench.suite.trial import Trial

SPRITE_COLUMNS = 24
MAX_SIDE = 64
"""Pixels of the longer side; larger images are reduced to it."""
DISPLAY_SIDE = 84
"""Pixels of the page that the longer side of a small image takes."""


@dataclass(frozen=True, eq=False)
class Sprite:
    """Images in rows of `SPRITE_COLUMNS`, as a PNG. `places` maps an image's number to its place, from 0.

    `width` and `height` are those of one image, `scale` how many pixels of the page one of its pixels takes.
    """

    png: bytes
    width: int
    height: int
    places: dict[int, int]

    @property
    def scale(self) -> int:
        return max(1, round(DISPLAY_SIDE / max(self.width, self.height)))

    @property
    def source(self) -> str:
        """For an `src` or a `url()`."""
        return f"data:image/png;base64,{base64.b64encode(self.png).decode('ascii')}"


def sprite(images: NDArray[np.uint8], numbers: Sequence[int]) -> Sprite:
    """Put some of the images (N, C, H, W) side by side, those of `numbers` in this order, each once."""
    from PIL import Image

    places = {number: place for place, number in enumerate(dict.fromkeys(numbers))}
    height, width = _reduced(*images.shape[2:])
    rows = math.ceil(len(places) / SPRITE_COLUMNS)
    grey = images.shape[1] != 3
    sheet = Image.new("L" if grey else "RGB", (SPRITE_COLUMNS * width, max(rows, 1) * height))
    for number, place in places.items():
        pixels = images[number]
        one = Image.fromarray(pixels[0] if grey else pixels.transpose(1, 2, 0))
        if one.size != (width, height):
            one = one.resize((width, height), Image.Resampling.LANCZOS)
        row, column = divmod(place, SPRITE_COLUMNS)
        sheet.paste(one, (column * width, row * height))
    file = io.BytesIO()
    sheet.save(file, "PNG", optimize=True)
    return Sprite(file.getvalue(), width, height, places)


def _reduced(height: int, width: int) -> tuple[int, int]:
    factor = min(1.0, MAX_SIDE / max(height, width))
    return max(1, round(height * factor)), max(1, round(width * factor))


MIN_NETWORKS = 3
"""Fewer networks that agree are no reason to doubt a label."""

SENSITIVITY = ("label", "accuracy", "without_suspects", "without_duplicates", "without_both")


@dataclass(frozen=True)
class LabelIssue:
    """A test image that every network calls `predicted`; confidences are means over the networks, nan if unknown."""

    image: int
    label: int
    predicted: int
    confidence: float
    true_class_probability: float


@dataclass(frozen=True, eq=False)
class LabelIssues:
    """What the leaders agree on against the labels.

    `images` come by confidence; there are none where `networks` is below `MIN_NETWORKS`. `duplicates` is None where
    the data are not at hand. `sensitivity` has a row per leader, columns `SENSITIVITY`: accuracy over all seeds, as a
    fraction, on all test images and without those; nan where that cannot be said.
    """

    leaders: tuple[str, ...]
    networks: int
    images: tuple[LabelIssue, ...]
    duplicates: tuple[DuplicateImage, ...] | None
    sensitivity: pd.DataFrame


def label_issues(
    leaders: Sequence[str], said: Mapping[str, SeedPredictions], duplicates: tuple[DuplicateImage, ...] | None
) -> LabelIssues:
    """Look for the images on which all `leaders`, which were tested on the same ones, agree against the label."""
    answers = [said[label] for label in leaders]
    networks = sum(one.seeds for one in answers)
    labels = answers[0].labels
    wrong = np.zeros(len(labels), dtype=bool)
    if networks >= MIN_NETWORKS:
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
    return LabelIssues(
        leaders=tuple(leaders),
        networks=networks,
        images=tuple(
            LabelIssue(int(i), int(labels[i]), int(answers[0].predicted[0, i]), float(sure[i]), float(true[i]))
            for i in found
        ),
        duplicates=duplicates,
        sensitivity=pd.DataFrame(rows, columns=list(SENSITIVITY)),
    )


Labels = NDArray[np.unsignedinteger[Any]]

MOST_CONFIDENT = 30
"""The most confident mistakes of a configuration that are shown, whatever they are taken for."""
PER_PAIR, FREQUENT_PAIRS = 6, 10
"""Of each of the most frequent pairs at least so many are shown, the most confident ones."""
MAX_LABEL_ISSUES, MAX_DUPLICATES = 36, 12
"""How many of each are shown at most."""
MAX_SPRITE_BYTES = 600_000
"""Bytes of a report's images, before they are written as text."""
MISTAKE_LIMITS = (MOST_CONFIDENT + PER_PAIR * FREQUENT_PAIRS, 60, 40, MOST_CONFIDENT, 20, 12, 8, 4)
"""Mistakes per configuration that are tried in turn until the images fit."""


@dataclass(frozen=True)
class Mistake:
    """A test image that `seeds` seeds, more than half of them, take for `predicted`.

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
    """A configuration's mistakes: how many there are by (true, predicted) pair, and those shown, by confidence.

    The first `first` of `shown` are the most confident of all; those of a pair are the most confident of that pair.
    """

    label: str
    seeds: int
    pairs: dict[tuple[int, int], int]
    shown: tuple[Mistake, ...]
    first: int

    @property
    def total(self) -> int:
        return sum(self.pairs.values())


@dataclass(frozen=True, eq=False)
class Gallery:
    """Mistakes of the configurations shown in detail, suspects, and their images.

    `images` is None where the data are not at hand, and `note` says why.
    """

    classes: tuple[str, ...]
    images: int
    mistakes: tuple[Mistakes, ...]
    label_issues: LabelIssues | None
    sprite: Sprite | None
    note: str


@dataclass(frozen=True, eq=False)
class LocalData:
    """A data set as it lies on this machine; or without, and `note` says why."""

    data: Dataset | None
    note: str = ""

    @cached_property
    def duplicates(self) -> tuple[DuplicateImage, ...] | None:
        """The test images that are training images too."""
        return duplicate_images(self.data) if self.data is not None else None


OTHER_TEST_PART = LocalData(
    None, "No images: the test part on this machine is not the one that these networks were tested on."
)

FindData = Callable[[Entry, Labels], LocalData]
"""From a suite file's `dataset` entry and the labels that networks were tested on to the data, if they are here."""


def find_local_data(entry: Entry) -> LocalData:
    """The data of a suite file's `dataset` entry, if they are on this machine; nothing is fetched."""
    try:
        data = load_local(entry)
    except UserError as error:
        return LocalData(None, f"No images: {str(error).splitlines()[0]}")
    if data is None:
        advice = "" if "path" in entry else f"; `bench data fetch {entry['name']}` gets it"
        return LocalData(None, f"No images: the data set is not on this machine{advice}.")
    return LocalData(data)


def cached_finder(planned: Iterable[Trial] = ()) -> FindData:
    """Looks with `find_local_data`, at each data set once, and refuses other test parts than the networks saw.

    The user's own data are looked for where the `planned` trials have them; a suite file names them from its folder.
    """
    known: dict[str, LocalData] = {}
    whole = {canonical(one.config["dataset"]): one.run_config["dataset"] for one in planned if one.data_path}

    def look(entry: Entry, labels: Labels) -> LocalData:
        name = canonical(entry)
        if name not in known:
            if _test_size(entry) not in (None, len(labels)):
                return OTHER_TEST_PART
            known[name] = find_local_data(whole.get(name, entry))
            if name in whole:  # a report may be passed on: it names the user's own data as the suite file does
                note = known[name].note.replace(whole[name]["path"], entry["path"])
                known[name] = replace(known[name], note=note)
        here = known[name]
        return here if here.data is None or np.array_equal(here.data.test_labels, labels) else OTHER_TEST_PART

    return look


def _test_size(entry: Entry) -> int | None:
    """How many test images the data set has; None where only its files tell, or nothing does."""
    try:
        return None if is_user_defined(entry) else find(entry).test_size
    except UserError:
        return None


def build_gallery(
    classes: tuple[str, ...],
    said: Mapping[str, SeedPredictions],
    leaders: Sequence[str],
    look: Callable[[Labels], LocalData],
    budget: int = MAX_SPRITE_BYTES,
) -> Gallery | None:
    """The gallery of one part; None where nothing is shown in detail.

    Parameters
    ----------
    classes
        Their names.
    said
        Answers by label of the configurations shown in detail, in their order. Those on other images than the first's
        are left out.
    leaders
        Labels of the configurations that must agree on a suspect.
    look
        From the labels of the test images to the data.
    budget
        Bytes that the images may take.
    """
    if not said:
        return None
    labels = next(iter(said.values())).labels
    same = {label: one for label, one in said.items() if np.array_equal(one.labels, labels)}
    here = look(labels)
    found = tuple(_mistakes(label, one) for label, one in same.items())
    leading = [label for label in leaders if label in same]
    doubted = label_issues(leading, same, here.duplicates) if leading else None
    made = Gallery(classes, len(labels), found, doubted, None, here.note)
    return _with_sprite(made, here.data, budget) if here.data is not None else made


def _mistakes(label: str, answers: SeedPredictions) -> Mistakes:
    wrong, seeds = wrong_by_majority(answers.labels, answers.predicted)
    images = np.flatnonzero(wrong >= 0)
    agreeing = answers.predicted[:, images] == wrong[images]
    sure, true = (
        np.where(agreeing, values[:, images], 0).sum(axis=0, dtype=np.float64) / seeds[images]
        for values in (answers.confidence, answers.true_class_probability)
    )
    order = np.argsort(-np.nan_to_num(sure, nan=-1.0), kind="stable")
    every = [
        Mistake(
            int(images[i]),
            int(answers.labels[images[i]]),
            int(wrong[images[i]]),
            int(seeds[images[i]]),
            float(sure[i]),
            float(true[i]),
        )
        for i in order
    ]
    pairs = Counter((one.label, one.predicted) for one in every)
    frequent = {pair for pair, _ in pairs.most_common(FREQUENT_PAIRS)}
    met: Counter[tuple[int, int]] = Counter()
    shown = []
    for place, one in enumerate(every):
        pair = (one.label, one.predicted)
        met[pair] += 1
        if place < MOST_CONFIDENT or (pair in frequent and met[pair] <= PER_PAIR):
            shown.append(one)
    return Mistakes(label, answers.seeds, dict(pairs.most_common()), tuple(shown), min(MOST_CONFIDENT, len(every)))


def _with_sprite(made: Gallery, data: Dataset, budget: int) -> Gallery:
    """Show as many mistakes as the budget allows."""
    doubted = made.label_issues
    always = [one.image for one in doubted.images[:MAX_LABEL_ISSUES]] if doubted else []
    always += [one.test for one in (doubted.duplicates or ())[:MAX_DUPLICATES]] if doubted else []
    for cut in MISTAKE_LIMITS:
        mistakes = tuple(replace(one, shown=one.shown[:cut], first=min(one.first, cut)) for one in made.mistakes)
        numbers = [*always, *(mistake.image for one in mistakes for mistake in one.shown)]
        sheet = sprite(data.test_images, numbers)
        if len(sheet.png) <= budget:
            break
    return replace(made, mistakes=mistakes, sprite=sheet)
