"""How far may ours and theirs differ by noise alone? Which runs tell the noise between seeds, and what follows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from bench.jsonutil import canonical
from bench.metrics import METRICS
from bench.published.reference_data import Reference, curve
from bench.report.estimates import Estimate, estimate, metric_values
from bench.report.published.published_runs import PlannedConfiguration, PrefixCurve, RunIndex, merge_planned
from bench.statistics.intervals import PooledDeviation, binomial_noise, pooled_seed_deviation
from bench.statistics.versus_published import Agreement, agreement

PublishedVerdict = Literal["within", "above", "below", "cannot tell", "not compared", "not run", "not repeated"]
NoiseSource = Literal["suite", "page", "theirs", "theory"]
"""What told the noise between seeds: ours of this suite; ours of all suites; their repeated runs; or no second run."""


MAX_INTERVAL = 0.01
"""A point: from more noise than that does not follow that two figures agree."""


@dataclass(frozen=True)
class ValueComparison:
    """A figure of ours over `seeds` seeds against one of theirs, with the noise from `source`, too `few` runs or not.

    There is no agreement where theirs is no single figure, or nothing tells the noise.
    """

    ours: Estimate
    theirs: float | None
    seeds: int
    agreement: Agreement | None
    source: NoiseSource
    few: bool = False

    @property
    def word(self) -> PublishedVerdict:
        """Where ours lies; noise of more than `MAX_INTERVAL`, or of two runs, would call nearly anything within."""
        if self.agreement is None:
            return "not compared"
        wide = self.agreement.word == "within" and self.agreement.half_width > MAX_INTERVAL
        return "cannot tell" if wide or self.few else self.agreement.word


SOURCE_NOTES: dict[NoiseSource, str] = {
    "suite": "",
    "page": ", all suites of this page",
    "theirs": ", their repeated runs",
    "theory": "",
}

MIN_DEGREES = 2
"""Degrees of freedom that a verdict must rest on: with one, t is 12.7, and anything is within."""

FOUR_DECIMALS = 0.00005
"""Half a unit of the last digit of what was printed with four decimals, as all kept curves were."""

_NUMBER = re.compile(r"(?<![\w.])(\d*)(?:\.(\d+))?\s*(%?)")


@dataclass(frozen=True)
class SeedNoise:
    """The deviation between seeds, and what told it: nothing did where theory's is all there is."""

    source: NoiseSource
    pooled: PooledDeviation | None = None


class SameNetworkRuns:
    """What tells the noise of a configuration: runs of its network on its data, ours and theirs.

    Those of other networks do not: one may start from a lucky draw or not start at all, where another differs by less
    than theory expects.
    """

    def __init__(
        self,
        one: PlannedConfiguration,
        suite: Iterable[PlannedConfiguration],
        page: Iterable[PlannedConfiguration],
        published: Iterable[tuple[PlannedConfiguration, Reference]],
        runs: RunIndex,
    ):
        self.suite = [other for other in suite if one.akin(other)]
        self.page = merge_planned(other for other in page if one.akin(other))
        self.runs = runs
        self.one = canonical(one.told)
        self.published: dict[str, dict[str, Reference]] = {}
        for other, reference in published:
            if one.akin(other) and "continued_fit" not in reference.flags:
                self.published.setdefault(canonical(other.told), {})[reference.id] = reference

    def of_figure(self, reference: Reference) -> SeedNoise:
        """The noise of what a published result is of, at the end of a training."""

        def ours(planned: Iterable[PlannedConfiguration]) -> list[list[float]]:
            return [metric_values(self.runs.of(one), reference.part, reference.figure) for one in planned]

        theirs = [_published_values(group.values(), reference.metric) for group in self.published.values()]
        return _first_sufficient(("suite", ours(self.suite)), ("page", ours(self.page)), ("theirs", theirs))

    def of_first(self, epochs: int) -> SeedNoise:
        """The noise of the best validation accuracy within so many epochs."""

        def ours(planned: Iterable[PlannedConfiguration]) -> list[list[float]]:
            # Configurations that differ in their budget have the same first epochs, which are to count once.
            starts = dict.fromkeys(one.start for one in planned)
            return [within(self.runs.begun(start)) for start in starts]

        def within(begun: Iterable[PrefixCurve]) -> list[float]:
            return [best for one in begun if (best := one.best_within(epochs)) is not None]

        theirs = [_published_prefixes(group, epochs) for group in self.published.values()]
        return _first_sufficient(("suite", ours(self.suite)), ("page", ours(self.page)), ("theirs", theirs))

    def their_runs(self, metric: str) -> list[float]:
        """Their figures of the configuration itself."""
        return _published_values(self.published.get(self.one, {}).values(), metric)


def judge(
    found: Sequence[float],
    theirs: float | None,
    metric: str,
    noise: SeedNoise,
    images: int | None,
    other: bool = False,
    rounding: float = 0.0,
) -> ValueComparison:
    """Hold the mean of our seeds against their figure, by `bench.statistics.versus_published.agreement`.

    The pooled noise is taken; without any what theory expects of a share of so many images; else nothing is said. Their
    own repeated runs are so few that theory's stands where it is wider.

    Parameters
    ----------
    found
        Our figure of each seed.
    theirs
        None where there is nothing to judge.
    images
        How many were tested; None where nothing tells.
    other
        Whether they tested on other images: then both sides' sampling of them is added.
    rounding
        Half a unit of their last digit.
    """
    ours = estimate(found, metric, noise.pooled, images)
    if theirs is None:
        return ValueComparison(ours, None, len(found), None, noise.source)
    sampling = sum(share * (1 - share) / images for share in (ours.mean, theirs)) if other and images else 0.0
    floor = binomial_noise(1 - ours.mean, images) if images and METRICS[metric].is_proportion else None
    candidates = (noise.pooled,) if noise.source in ("suite", "page") else (noise.pooled, floor)
    tried = [agreement(ours.mean, len(found), theirs, one, sampling, rounding) for one in candidates if one is not None]
    few = noise.pooled is not None and noise.pooled.degrees < MIN_DEGREES
    return ValueComparison(
        ours, theirs, len(found), max(tried, key=lambda one: one.half_width, default=None), noise.source, few
    )


def half_unit(reference: Reference) -> float:
    """Half a unit of the last digit of a published figure, as a fraction.

    From the source's own wording where that is kept; else figures with two decimals (.43) were rounded to them, and
    others have four.
    """
    value = reference.value
    if value is None:
        return 0.0
    for whole, decimals, percent in _NUMBER.findall(reference.reported):
        scale = 0.01 if percent else 1.0
        share = float(f"{whole or 0}.{decimals or 0}") * scale
        if (whole or decimals) and min(abs(share - value), abs(1 - share - value)) < 1e-9:  # errors are printed too
            return float(0.5 * scale * 10.0 ** -len(decimals))
    return 0.005 if value == round(value, 2) else FOUR_DECIMALS


def _published_values(references: Iterable[Reference], metric: str) -> list[float]:
    return [one.value for one in references if one.metric == metric and one.value is not None]


def _published_prefixes(references: Iterable[str], epochs: int) -> list[float]:
    """The best within so many epochs of those of their runs that began from scratch and lasted as long."""
    kept = [found for name in references if (found := curve(name)) is not None]
    return [one.best_within(epochs) for one in kept if one.from_scratch and len(one.values) >= epochs]


def _first_sufficient(*places: tuple[NoiseSource, list[list[float]]]) -> SeedNoise:
    """The noise from the first of these that has degrees of freedom enough, else from the first that has any."""
    found = [SeedNoise(source, pooled) for source, groups in places if (pooled := pooled_seed_deviation(groups))]
    enough = (one for one in found if one.pooled and one.pooled.degrees >= MIN_DEGREES)
    return next(enough, found[0] if found else SeedNoise("theory"))
