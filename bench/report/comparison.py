"""What is compared? The configurations of one data set under one protocol, with all that sections are made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import pandas as pd

from bench.published.reference_data import Reference
from bench.report.analysis import Analysis
from bench.report.classes.details import Details
from bench.report.classes.misclassified import Gallery
from bench.report.ensemble_rows import ProbabilityRow
from bench.report.estimates import Estimate, seed_noise
from bench.report.grouping import Config, TrialGroup
from bench.report.leaderboard_frame import metric_estimate


@dataclass(frozen=True, eq=False)
class Comparison:
    """One comparison.

    Attributes
    ----------
    group
        The configurations and their protocol.
    frame, not_ranked
        The leaderboard, and the trials that are never ranked (`bench.report.leaderboard_frame`).
    metrics
        The metrics displayed; the first one ranks.
    analysis
        What the predictions tell.
    references, reproductions
        Published results of the data set; by a reference's id, the configurations that may reproduce it.
    details, gallery
        Of the configurations displayed class by class.
    ensembles
        Single networks and ensembles with temperature scaling, never ranked (`bench.report.ensemble_rows`).
    confirmed
        What was selected and its rivals by fresh seeds alone (`bench.report.confirmation`); None without `confirm`.
    """

    group: TrialGroup
    frame: pd.DataFrame
    not_ranked: pd.DataFrame
    metrics: tuple[str, ...]
    analysis: Analysis
    references: Sequence[Reference]
    reproductions: Mapping[str, Sequence[Config]]
    details: tuple[Details, ...]
    gallery: Gallery | None = None
    ensembles: tuple[ProbabilityRow, ...] = ()
    confirmed: Comparison | None = None

    @cached_property
    def deciding(self) -> Comparison:
        """What says who leads and by how much: fresh seeds alone once all of them have ended, else these."""
        fresh = self.confirmed
        if fresh is None or not fresh.frame["selected"].any() or not fresh.frame["status"].eq("complete").all():
            return self
        return fresh

    @cached_property
    def accuracies(self) -> dict[str, Estimate]:
        """By label, the test accuracy of each configuration with a complete seed, as the leaderboard has it."""
        noise, analysis = seed_noise(self.group), self.analysis
        return {
            label: metric_estimate(
                configuration,
                "accuracy",
                noise.get(label),
                analysis.correctness.images,
                analysis.rank_statistics.get(label),
            )
            for configuration in self.group.configurations
            if configuration.with_status("complete")
            for label in [configuration.label]
        }


@dataclass(frozen=True)
class Origin:
    """Where a report comes from: the suite, its file, the command that made it, each data set's checksum, its title."""

    suite: str = ""
    suite_file: str = ""
    command: str = ""
    checksums: Mapping[str, str] = field(default_factory=dict)
    title: str = ""
