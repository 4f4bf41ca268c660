"""Every published result that a suite repeats, beside what was measured; judged with the noise of both sides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from bench.data.catalogue import DATASETS
from bench.ledger.record import Predictions, Record
from bench.published.catalogue import Reference
from bench.published.curves import curve
from bench.report.figures import completed, values
from bench.report.first_epochs import curves, start_of
from bench.report.frame import Estimate, estimate
from bench.report.published_rows import Asked, Early, Group, Judged, Row, Source
from bench.statistics.proportions import binomial_floor
from bench.statistics.quoted import agreement
from bench.statistics.seeds import Pooled, pooled_seed_deviation
from bench.suite.expand import canonical
from bench.suite.labels import axis_label
from bench.suite.metrics import METRICS
from bench.suite.references import Comparison

OTHER_IMAGES = ("early_split",)
"""Flags of results on other test images than today's release has."""


def beside_ours(
    suites: Sequence[Asked], records: Sequence[Record], predictions: Callable[[str], Predictions]
) -> tuple[Group, ...]:
    """Hold the published results of suites against the ledger's `records`.

    Any record counts for the first epochs of a training, where all else is equal.
    """
    keys = {trial.key for asked in suites for trial in asked.trials}
    figures = sorted({reference.figure for asked in suites for _, reference in asked.references})
    page = completed([record for record in records if record.key in keys], predictions, figures)
    by_start = _grouped(records, lambda record: start_of(record.config))
    groups = []
    for asked in suites:
        case = _Case(asked, page, by_start, predictions)
        rows = tuple(_with_their_spread(case.row(*pair), asked.references) for pair in asked.references)
        groups.append(Group(asked.name, asked.title, asked.description, rows, case.noise))
    return tuple(groups)


def _with_their_spread(row: Row, references: Sequence[tuple[Comparison, Reference]]) -> Row:
    """The row with a word on how far their own runs of one configuration lie apart, where they print several."""
    theirs = [] if row.config is None else _their_runs(row.config, row.reference.metric, references)
    if len(theirs) < 2:
        return row
    apart = f"their {len(theirs)} runs of it lie {100 * (max(theirs) - min(theirs)):.2f} points apart"
    return replace(row, reasons=(*row.reasons, apart))


def _their_runs(config: dict[str, Any], metric: str, references: Sequence[tuple[Comparison, Reference]]) -> list[float]:
    """Their figures of one configuration, of the runs that did not continue an earlier fit."""
    return [
        reference.value
        for comparison, reference in references
        if comparison.configs == (config,) and reference.metric == metric and reference.value is not None
        if "continued_fit" not in reference.flags
    ]


class _Case:
    """One suite among those of the page, with what is worked out once: the noise, and how many images there are."""

    def __init__(
        self,
        asked: Asked,
        page: Sequence[Record],
        by_start: dict[str, list[Record]],
        predictions: Callable[[str], Predictions],
    ):
        self.references = asked.references
        self.predictions = predictions
        self.keys: dict[str, set[str]] = {}
        for trial in asked.trials:
            self.keys.setdefault(canonical(trial.config), set()).add(trial.key)
        mine = set().union(*self.keys.values())
        self.by_config = _grouped([record for record in page if record.key in mine], _whole_config)
        self.of_page = _grouped(page, _whole_config)
        self.by_start = by_start
        self.test_images: dict[str, int] = {}
        self.noise: dict[str, Pooled] = {}

    def row(self, comparison: Comparison, reference: Reference) -> Row:
        notes = [comparison.note] if comparison.note else []
        config, searched = self._standing_for(comparison, reference)
        if config is None:
            planned = sum(len(self.keys.get(canonical(one), ())) for one in comparison.configs)
            return Row(reference, None, reference.dataset, None, None, planned, None, None, None, tuple(notes), ())
        notes += [searched] if searched else []
        keys = self.keys.get(canonical(config), set())
        records = self._records(config)
        done = [record for record in records if record.status == "complete"]
        dataset = axis_label(config["dataset"], "dataset")
        if config["dataset"]["name"] != reference.dataset:
            notes.append(f"ours on {dataset}")
        full = reference.epochs is None or config["epochs"] >= reference.epochs
        whole = self._whole(done, config, reference, full)
        early, why = (None, []) if whole and full else self._early(config, reference, shorter=not full)
        if reference.value is None:
            why.append(f"they give no single figure: {reference.reported}")
        ended = sorted({record.status for record in records} - {"complete"})
        if ended and len(done) < len(keys):
            notes.append(f"{len(records) - len(done)} {' or '.join(ended)}")
        measured = [record.measured for record in [*done, *records]]
        return Row(
            reference,
            config,
            dataset,
            whole,
            early,
            len(keys),
            config["epochs"],
            sum(record.result.epochs_run for record in done) / len(done) if done else None,
            next((one.parameters for one in measured if one.parameters is not None), None),
            tuple(notes + why),
            tuple(sorted(record.key for record in records)),
        )

    def _records(self, config: dict[str, Any]) -> list[Record]:
        keys = self.keys.get(canonical(config), set())
        return [record for record in self.by_config.get(canonical(config), []) if record.key in keys]

    def _standing_for(self, comparison: Comparison, reference: Reference) -> tuple[dict[str, Any] | None, str]:
        """The configuration to hold against a result: the only one, or what validation chose, with a word on that."""
        if len(comparison.configs) == 1:
            return comparison.configs[0], ""
        better = METRICS[reference.figure].better
        rated = []
        for config in comparison.configs:
            done = [record for record in self._records(config) if record.status == "complete"]
            found = values(done, "validation", reference.figure)
            if found and len(done) == len(self.keys[canonical(config)]):
                rated.append((better(sum(found) / len(found)), config))
        if not rated:
            return None, ""
        return max(rated, key=lambda pair: pair[0])[1], f"chosen by validation among {len(rated)} complete"

    def _whole(self, done: list[Record], config: dict[str, Any], reference: Reference, full: bool) -> Judged | None:
        found = values(done, reference.part, reference.figure)
        if not found:
            return None
        images = self._images(reference.part, config, done[0])
        pooled, source = self._pooled(
            config,
            f"{reference.part} {METRICS[reference.figure].heading}",
            lambda group: values(group, reference.part, reference.figure),
            reference.metric,
        )
        ours = estimate(found, reference.figure, pooled, images)
        if reference.value is None or not full:
            return Judged(ours, reference.value, len(found), None, source)
        other = _other_images(config, reference)
        return _judged(ours, reference.value, len(found), pooled, source, reference.figure, images, other)

    def _early(self, config: dict[str, Any], reference: Reference, shorter: bool) -> tuple[Early | None, list[str]]:
        """The first epochs of both, with the reason where they cannot be compared."""
        printed = curve(reference.id)
        own = curves(self.by_start.get(start_of(config), []))
        if not own:
            return None, [f"a budget of {config['epochs']} epochs, theirs took {reference.epochs}"] if shorter else []
        both = f"{min(map(len, own))} epochs of ours, {reference.epochs} of theirs"
        if printed is None:
            return None, [f"{both}, and they print no curve"]
        if not printed.from_scratch:
            return None, [f"{both}, which continued an earlier fit: its first epochs are no yardstick"]
        epochs = min(len(printed.values), *map(len, own))
        best = [max(points[:epochs]) for points in own]

        def best_within(group: list[Record]) -> list[float]:
            longer = curves(self.by_start.get(start_of(group[0].config), []))
            return [max(points[:epochs]) for points in longer if len(points) >= epochs]

        pooled, source = self._pooled(config, f"best validation accuracy within {epochs} epochs", best_within)
        images = self._images("validation", config, None)
        ours = estimate(best, "accuracy", pooled, images)
        other = _other_images(config, reference)
        theirs = printed.best_within(epochs)
        judged = _judged(ours, theirs, len(best), pooled, source, "accuracy", images, other)
        return Early(epochs, judged), []

    def _pooled(
        self, config: dict[str, Any], what: str, figures: Callable[[list[Record]], list[float]], metric: str = ""
    ) -> tuple[Pooled | None, Source]:
        """The deviation between seeds of a figure on the same data, from the first source that tells it.

        That is this suite; else their own repeated runs of `metric`, which a suite names by several references to one
        configuration; else all suites of the page.
        """

        def ours(groups: dict[str, list[Record]]) -> list[list[float]]:
            alike = [group for group in groups.values() if group[0].config["dataset"] == config["dataset"]]
            # Configurations that differ in their budget have the same first epochs, which are to count once.
            return list({canonical(sorted(found)): found for found in map(figures, alike)}.values())

        repeated = {canonical(c.configs[0]): c.configs[0] for c, _ in self.references if len(c.configs) == 1}
        theirs = [
            _their_runs(one, metric, self.references)
            for one in repeated.values()
            if one["dataset"] == config["dataset"]
        ]
        places: tuple[tuple[Source, str, list[list[float]]], ...] = (
            ("suite", "", ours(self.by_config)),
            ("theirs", ", their repeated runs", theirs),
            ("page", ", all suites of this page", ours(self.of_page)),
        )
        for source, where, groups in places:
            pooled = pooled_seed_deviation(groups)
            if pooled:
                self.noise[f"{what}, {_name(config)}{where}"] = pooled
                return pooled, source
        return None, "theory"

    def _images(self, part: str, config: dict[str, Any], tested: Record | None) -> int | None:
        """How many images a part has; None where nothing tells."""
        name = canonical(config["dataset"])
        if part == "test" and tested is not None:
            if name not in self.test_images:
                self.test_images[name] = len(self.predictions(tested.key).labels)
            return self.test_images[name]
        known, validation = DATASETS.get(config["dataset"]["name"]), config["validation"]
        if known is None or not isinstance(validation, dict):
            return None
        return round(known.train_size * float(next(iter(validation.values()))))


def _judged(
    ours: Estimate,
    theirs: float,
    seeds: int,
    pooled: Pooled | None,
    source: Source,
    metric: str,
    images: int | None,
    other: bool,
) -> Judged:
    """With the pooled noise; without any with the least that theory allows a share of so many images; else not at all.

    Their own repeated runs are so few that theory's least stands where it is wider. On `other` images than theirs, both
    sides' sampling of them is added.
    """
    sampling = sum(share * (1 - share) / images for share in (ours.mean, theirs)) if other and images else 0.0
    floor = binomial_floor(1 - ours.mean, images) if images and METRICS[metric].share else None
    candidates = (pooled, floor) if pooled is None or source == "theirs" else (pooled,)
    noises = [noise for noise in candidates if noise is not None]
    tried = [agreement(ours.mean, seeds, theirs, noise, sampling, _rounding(theirs)) for noise in noises]
    found = max(tried, key=lambda one: one.half, default=None)
    return Judged(ours, theirs, seeds, found, source)


def _rounding(figure: float) -> float:
    """Half a unit of the last digit: figures with two decimals (.43) were rounded to them, others have four."""
    return 0.005 if figure == round(figure, 2) else 0.00005


def _other_images(config: dict[str, Any], reference: Reference) -> bool:
    """Whether the two were measured on different images.

    A validation part counts as the same where ours is the tail of the same training set.
    """
    if config["dataset"]["name"] != reference.dataset or any(flag in OTHER_IMAGES for flag in reference.flags):
        return True
    tail = isinstance(config["validation"], dict) and "tail" in config["validation"]
    return reference.part == "validation" and not tail


def _whole_config(record: Record) -> str:
    return canonical(record.config)


def _grouped(records: Sequence[Record], key: Callable[[Record], str]) -> dict[str, list[Record]]:
    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(key(record), []).append(record)
    return groups


def _name(config: dict[str, Any]) -> str:
    return axis_label(config["dataset"], "dataset")
