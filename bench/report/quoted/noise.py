"""How far may ours and theirs differ by noise alone? Which runs tell the noise between seeds, and what follows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.jsonutil import canonical
from bench.metrics import METRICS
from bench.published.reference_data import Reference, curve
from bench.report.estimates import estimate
from bench.report.figures import values
from bench.report.quoted.first_epochs import Begun
from bench.report.quoted.rows import Judged, Source
from bench.report.quoted.runs import Planned, Runs, merged
from bench.statistics.intervals import PooledDeviation, binomial_noise, pooled_seed_deviation
from bench.statistics.versus_published import agreement

WHERE: dict[Source, str] = {
    "suite": "",
    "page": ", all suites of this page",
    "theirs": ", their repeated runs",
    "theory": "",
}

FEWEST = 2
"""Degrees of freedom that a verdict must rest on: with one, t is 12.7, and anything is within."""

FOUR_DECIMALS = 0.00005
"""Half a unit of the last digit of what was printed with four decimals, as all kept curves were."""

_NUMBER = re.compile(r"(?<![\w.])(\d*)(?:\.(\d+))?\s*(%?)")


@dataclass(frozen=True)
class Noise:
    """The deviation between seeds, and what told it: nothing did where theory's is all there is."""

    source: Source
    pooled: PooledDeviation | None = None


class Kin:
    """What tells the noise of a configuration: runs of its network on its data, ours and theirs.

    Those of other networks do not: one may start from a lucky draw or not start at all, where another differs by less
    than theory expects.
    """

    def __init__(
        self,
        one: Planned,
        suite: Iterable[Planned],
        page: Iterable[Planned],
        published: Iterable[tuple[Planned, Reference]],
        runs: Runs,
    ):
        self.suite = [other for other in suite if one.akin(other)]
        self.page = merged(other for other in page if one.akin(other))
        self.runs = runs
        self.one = canonical(one.told)
        self.published: dict[str, dict[str, Reference]] = {}
        for other, reference in published:
            if one.akin(other) and "continued_fit" not in reference.flags:
                self.published.setdefault(canonical(other.told), {})[reference.id] = reference

    def of_figure(self, reference: Reference) -> Noise:
        """The noise of what a published result is of, at the end of a training."""

        def ours(planned: Iterable[Planned]) -> list[list[float]]:
            return [values(self.runs.of(one), reference.part, reference.figure) for one in planned]

        theirs = [_quoted(group.values(), reference.metric) for group in self.published.values()]
        return _told_by(("suite", ours(self.suite)), ("page", ours(self.page)), ("theirs", theirs))

    def of_first(self, epochs: int) -> Noise:
        """The noise of the best validation accuracy within so many epochs."""

        def ours(planned: Iterable[Planned]) -> list[list[float]]:
            # Configurations that differ in their budget have the same first epochs, which are to count once.
            starts = dict.fromkeys(one.start for one in planned)
            return [within(self.runs.begun(start)) for start in starts]

        def within(begun: Iterable[Begun]) -> list[float]:
            return [best for one in begun if (best := one.best_within(epochs)) is not None]

        theirs = [_printed(group, epochs) for group in self.published.values()]
        return _told_by(("suite", ours(self.suite)), ("page", ours(self.page)), ("theirs", theirs))

    def their_runs(self, metric: str) -> list[float]:
        """Their figures of the configuration itself."""
        return _quoted(self.published.get(self.one, {}).values(), metric)


def judged(
    found: Sequence[float],
    theirs: float | None,
    metric: str,
    noise: Noise,
    images: int | None,
    other: bool = False,
    rounding: float = 0.0,
) -> Judged:
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
        return Judged(ours, None, len(found), None, noise.source)
    sampling = sum(share * (1 - share) / images for share in (ours.mean, theirs)) if other and images else 0.0
    floor = binomial_noise(1 - ours.mean, images) if images and METRICS[metric].share else None
    candidates = (noise.pooled,) if noise.source in ("suite", "page") else (noise.pooled, floor)
    tried = [agreement(ours.mean, len(found), theirs, one, sampling, rounding) for one in candidates if one is not None]
    few = noise.pooled is not None and noise.pooled.degrees < FEWEST
    return Judged(ours, theirs, len(found), max(tried, key=lambda one: one.half, default=None), noise.source, few)


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


def _quoted(references: Iterable[Reference], metric: str) -> list[float]:
    return [one.value for one in references if one.metric == metric and one.value is not None]


def _printed(references: Iterable[str], epochs: int) -> list[float]:
    """The best within so many epochs of those of their runs that began from scratch and lasted as long."""
    kept = [found for name in references if (found := curve(name)) is not None]
    return [one.best_within(epochs) for one in kept if one.from_scratch and len(one.values) >= epochs]


def _told_by(*places: tuple[Source, list[list[float]]]) -> Noise:
    """The noise from the first of these that has degrees of freedom enough, else from the first that has any."""
    found = [Noise(source, pooled) for source, groups in places if (pooled := pooled_seed_deviation(groups))]
    enough = (one for one in found if one.pooled and one.pooled.degrees >= FEWEST)
    return next(enough, found[0] if found else Noise("theory"))
