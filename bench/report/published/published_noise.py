"""How far may a measured and a published value differ by chance? From which runs the seed noise is estimated."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from bench.jsonutil import canonical
from bench.metrics import METRICS
from bench.published.reference_data import Reference, curve
from bench.report.estimates import Estimate, estimate, metric_values
from bench.report.grouping import Config
from bench.report.published.published_runs import PlannedConfiguration, PrefixCurve, RunIndex, merge_planned
from bench.statistics.intervals import PooledDeviation, binomial_noise, pooled_seed_deviation
from bench.statistics.versus_published import Agreement, agreement

PublishedVerdict = Literal["within", "above", "below", "inconclusive", "not compared", "not run", "not repeated"]
NoiseSource = Literal["suite", "page", "published", "theory"]
"""Seed noise from this suite's runs, all suites' runs, repeated published runs, or the binomial lower bound."""

SOURCE_NOTES: dict[NoiseSource, str] = {
    "suite": "",
    "page": ", all suites of this page",
    "published": ", repeated published runs",
    "theory": "",
}

MAX_HALF_WIDTH = 0.01
"""1 point: with more noise than that, values that lie within it need not agree."""
MAX_HALF_WIDTH_OF_ONE = 0.02
"""2 points where all that is published is one run's value on its validation part, which selected its epoch too."""

MIN_DEGREES = 2
"""Degrees of freedom that a verdict needs: with 1, t is 12.7, and nearly everything lies within."""

FOUR_DECIMALS = 0.00005
"""Half a unit of the last digit of values with four decimals, as those of all published curves."""

OTHER_IMAGES = ("early_split",)
"""Flags of results on other test images than those of today's release."""

_NUMBER = re.compile(r"(?<![\w.])(\d*)(?:\.(\d+))?\s*(%?)")


@dataclass(frozen=True)
class NoiseEstimate:
    """The deviation between seeds, and where it is from; None where only the binomial lower bound is known."""

    source: NoiseSource
    pooled: PooledDeviation | None = None


@dataclass(frozen=True)
class ValueComparison:
    """The mean of `n_seeds` seeds and a published value; `few_runs` is whether the noise is from two runs only.

    `agreement` is None where there is no single published value, or no estimate of the noise. With a half-width above
    `max_half_width`, a measured value that lies within it is inconclusive.
    """

    measured: Estimate
    published: float | None
    n_seeds: int
    agreement: Agreement | None
    source: NoiseSource
    few_runs: bool = False
    max_half_width: float = MAX_HALF_WIDTH

    @property
    def verdict(self) -> PublishedVerdict:
        """Where the measured value lies; inconclusive with so much noise that nearly everything lies within."""
        if self.agreement is None:
            return "not compared"
        wide = self.agreement.position == "within" and self.agreement.half_width > self.max_half_width
        return "inconclusive" if wide or self.few_runs else self.agreement.position


class SameNetworkRuns:
    """The runs of a configuration's network on its data, measured and published, that its seed noise is pooled from.

    Networks differ in their seed noise: some fail to train from some seeds, others vary less than theory expects.
    """

    def __init__(
        self,
        configuration: PlannedConfiguration,
        suite: Iterable[PlannedConfiguration],
        page: Iterable[PlannedConfiguration],
        published: Iterable[tuple[PlannedConfiguration, Reference]],
        runs: RunIndex,
    ):
        self.suite = [other for other in suite if configuration.same_network(other)]
        self.page = merge_planned(other for other in page if configuration.same_network(other))
        self.runs = runs
        self.name = canonical(configuration.config)
        self.published: dict[str, dict[str, Reference]] = {}
        for other, reference in published:
            if configuration.same_network(other) and "continued_fit" not in reference.flags:
                self.published.setdefault(canonical(other.config), {})[reference.id] = reference

    def of_metric(self, reference: Reference) -> NoiseEstimate:
        """The seed noise of the metric of a published result, at the end of training."""

        def measured(planned: Iterable[PlannedConfiguration]) -> list[list[float]]:
            return [metric_values(self.runs.records(c), reference.part, reference.metric_name) for c in planned]

        published = [_published_values(group.values(), reference.metric) for group in self.published.values()]
        return first_sufficient(
            ("suite", measured(self.suite)), ("page", measured(self.page)), ("published", published)
        )

    def of_first_epochs(self, epochs: int) -> NoiseEstimate:
        """The seed noise of the best validation accuracy within so many epochs."""

        def measured(planned: Iterable[PlannedConfiguration]) -> list[list[float]]:
            # Configurations that differ in their number of epochs share their first epochs, which count once.
            keys = dict.fromkeys(configuration.prefix_key for configuration in planned)
            return [best_within(self.runs.prefix_curves(key)) for key in keys]

        def best_within(curves: Iterable[PrefixCurve]) -> list[float]:
            return [best for curve in curves if (best := curve.best_within(epochs)) is not None]

        published = [_published_prefixes(group, epochs) for group in self.published.values()]
        return first_sufficient(
            ("suite", measured(self.suite)), ("page", measured(self.page)), ("published", published)
        )

    def published_values(self, metric: str) -> list[float]:
        """The published values of the configuration itself."""
        return _published_values(self.published.get(self.name, {}).values(), metric)

    def max_half_width(self, reference: Reference) -> float:
        """The largest half-width with which a measured value agrees with a published one."""
        single = reference.part == "validation" and len(self.published_values(reference.metric)) < 2
        return MAX_HALF_WIDTH_OF_ONE if single else MAX_HALF_WIDTH


def compare_values(
    measured: Sequence[float],
    published: float | None,
    metric: str,
    noise: NoiseEstimate,
    n_images: int | None,
    other_images: bool = False,
    rounding: float = 0.0,
    max_half_width: float = MAX_HALF_WIDTH,
) -> ValueComparison:
    """Compare the mean over seeds with a published value, by `bench.statistics.versus_published.agreement`.

    The noise is the pooled deviation, else the binomial lower bound for a proportion of `n_images`. The larger of both
    is taken where the deviation is from the few repeated published runs.

    Parameters
    ----------
    measured
        The value of each seed.
    published
        None where there is nothing to compare with.
    n_images
        The number of images; None if unknown.
    other_images
        Whether the published value is of other images: then the sampling of images is added, for both.
    rounding
        Half a unit of the published value's last digit.
    max_half_width
        As `ValueComparison` has it.
    """
    estimated = estimate(measured, metric, noise.pooled, n_images)
    n_seeds = len(measured)
    if published is None:
        return ValueComparison(estimated, None, n_seeds, None, noise.source)
    sampling = 0.0
    if other_images and n_images:
        sampling = sum(p * (1 - p) / n_images for p in (estimated.mean, published))
    proportion = n_images is not None and n_images > 0 and METRICS[metric].is_proportion
    lower_bound = binomial_noise(1 - estimated.mean, n_images) if proportion and n_images else None
    candidates = (noise.pooled,) if noise.source in ("suite", "page") else (noise.pooled, lower_bound)
    agreements = [
        agreement(estimated.mean, n_seeds, published, deviation, sampling, rounding)
        for deviation in candidates
        if deviation is not None
    ]
    few_runs = noise.pooled is not None and noise.pooled.degrees < MIN_DEGREES
    widest = max(agreements, key=lambda candidate: candidate.half_width, default=None)
    return ValueComparison(estimated, published, n_seeds, widest, noise.source, few_runs, max_half_width)


def other_images(config: Config, reference: Reference) -> bool:
    """Whether measured and published values are of different images.

    A validation part counts as the same if it is the tail of the same training set.
    """
    if config["dataset"]["name"] != reference.dataset or any(flag in OTHER_IMAGES for flag in reference.flags):
        return True
    tail = isinstance(config["validation"], dict) and "tail" in config["validation"]
    return reference.part == "validation" and not tail


def half_unit(reference: Reference) -> float:
    """Half a unit of the last digit of a published value, as a fraction.

    From the source's own wording where that is stored; else values with two decimals (.43) were rounded to two, and
    others have four.
    """
    value = reference.value
    if value is None:
        return 0.0
    for integer, decimals, percent in _NUMBER.findall(reference.reported):
        scale = 0.01 if percent else 1.0
        fraction = float(f"{integer or 0}.{decimals or 0}") * scale
        # Sources print errors as well as accuracies.
        if (integer or decimals) and min(abs(fraction - value), abs(1 - fraction - value)) < 1e-9:
            return float(0.5 * scale * 10.0 ** -len(decimals))
    return 0.005 if value == round(value, 2) else FOUR_DECIMALS


def _published_values(references: Iterable[Reference], metric: str) -> list[float]:
    return [r.value for r in references if r.metric == metric and r.value is not None]


def _published_prefixes(references: Iterable[str], epochs: int) -> list[float]:
    """The best within so many epochs of the published runs that began from scratch and were long enough."""
    curves = [known for name in references if (known := curve(name)) is not None]
    return [c.best_within(epochs) for c in curves if c.from_scratch and len(c.values) >= epochs]


def first_sufficient(*sources: tuple[NoiseSource, list[list[float]]]) -> NoiseEstimate:
    """The noise from the first source with enough degrees of freedom, else from the first that has any."""
    available = [
        NoiseEstimate(source, pooled) for source, groups in sources if (pooled := pooled_seed_deviation(groups))
    ]
    sufficient = (noise for noise in available if noise.pooled and noise.pooled.degrees >= MIN_DEGREES)
    return next(sufficient, available[0] if available else NoiseEstimate("theory"))
