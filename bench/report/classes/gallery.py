"""Which test images does each configuration get wrong, and what do they look like?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.data.catalogue import find
from bench.data.dataset import Dataset, load_here
from bench.data.explore import DuplicateImage, duplicate_images
from bench.data.user_data import Entry, is_user_defined
from bench.errors import UserError
from bench.jsonutil import canonical
from bench.report.classes.answers import Answers
from bench.report.classes.sprite import Sprite, sprite
from bench.report.classes.suspects import Suspects, suspects
from bench.statistics.label_issues import wrong_by_majority
from bench.suite.trial import Trial

Labels = NDArray[np.unsignedinteger[Any]]

FIRST = 30
"""The most confident mistakes of a configuration that are shown, whatever they are taken for."""
PER_PAIR, PAIRS = 6, 10
"""Of each of the most frequent pairs at least so many are shown, the most confident ones."""
SUSPECTS, DUPLICATES = 36, 12
"""How many of each are shown at most."""
BUDGET = 600_000
"""Bytes of a report's images, before they are written as text."""
CUTS = (FIRST + PER_PAIR * PAIRS, 60, 40, FIRST, 20, 12, 8, 4)
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
    suspects: Suspects | None
    sprite: Sprite | None
    note: str


@dataclass(frozen=True, eq=False)
class Here:
    """A data set as it lies on this machine; or without, and `note` says why."""

    data: Dataset | None
    note: str = ""

    @cached_property
    def duplicates(self) -> tuple[DuplicateImage, ...] | None:
        """The test images that are training images too."""
        return duplicate_images(self.data) if self.data is not None else None


OTHER = Here(None, "No images: the test part on this machine is not the one that these networks were tested on.")

Look = Callable[[Entry, Labels], Here]
"""From a suite file's `dataset` entry and the labels that networks were tested on to the data, if they are here."""


def look_here(entry: Entry) -> Here:
    """The data of a suite file's `dataset` entry, if they are on this machine; nothing is fetched."""
    try:
        data = load_here(entry)
    except UserError as error:
        return Here(None, f"No images: {str(error).splitlines()[0]}")
    if data is None:
        advice = "" if "path" in entry else f"; `bench data fetch {entry['name']}` gets it"
        return Here(None, f"No images: the data set is not on this machine{advice}.")
    return Here(data)


def look_once(planned: Iterable[Trial] = ()) -> Look:
    """Looks with `look_here`, at each data set once, and refuses other test parts than the networks saw.

    The user's own data are looked for where the `planned` trials have them; a suite file names them from its folder.
    """
    known: dict[str, Here] = {}
    whole = {canonical(one.config["dataset"]): one.run_config["dataset"] for one in planned if one.data_path}

    def look(entry: Entry, labels: Labels) -> Here:
        name = canonical(entry)
        if name not in known:
            if _test_size(entry) not in (None, len(labels)):
                return OTHER
            known[name] = look_here(whole.get(name, entry))
            if name in whole:  # a report may be passed on: it names the user's own data as the suite file does
                note = known[name].note.replace(whole[name]["path"], entry["path"])
                known[name] = replace(known[name], note=note)
        here = known[name]
        return here if here.data is None or np.array_equal(here.data.test_labels, labels) else OTHER

    return look


def _test_size(entry: Entry) -> int | None:
    """How many test images the data set has; None where only its files tell, or nothing does."""
    try:
        return None if is_user_defined(entry) else find(entry).test_size
    except UserError:
        return None


def gallery(
    classes: tuple[str, ...],
    said: Mapping[str, Answers],
    leaders: Sequence[str],
    look: Callable[[Labels], Here],
    budget: int = BUDGET,
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
    doubted = suspects(leading, same, here.duplicates) if leading else None
    made = Gallery(classes, len(labels), found, doubted, None, here.note)
    return _with_sprite(made, here.data, budget) if here.data is not None else made


def _mistakes(label: str, answers: Answers) -> Mistakes:
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
    frequent = {pair for pair, _ in pairs.most_common(PAIRS)}
    met: Counter[tuple[int, int]] = Counter()
    shown = []
    for place, one in enumerate(every):
        pair = (one.label, one.predicted)
        met[pair] += 1
        if place < FIRST or (pair in frequent and met[pair] <= PER_PAIR):
            shown.append(one)
    return Mistakes(label, answers.seeds, dict(pairs.most_common()), tuple(shown), min(FIRST, len(every)))


def _with_sprite(made: Gallery, data: Dataset, budget: int) -> Gallery:
    """Show as many mistakes as the budget allows."""
    doubted = made.suspects
    always = [one.image for one in doubted.images[:SUSPECTS]] if doubted else []
    always += [one.test for one in (doubted.duplicates or ())[:DUPLICATES]] if doubted else []
    for cut in CUTS:
        mistakes = tuple(replace(one, shown=one.shown[:cut], first=min(one.first, cut)) for one in made.mistakes)
        numbers = [*always, *(mistake.image for one in mistakes for mistake in one.shown)]
        sheet = sprite(data.test_images, numbers)
        if len(sheet.png) <= budget:
            break
    return replace(made, mistakes=mistakes, sprite=sheet)
