"""A comparison with published results as data: suites asked for, and a row for each result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from bench.published.reference_data import Reference
from bench.report.estimates import Estimate
from bench.statistics.intervals import PooledDeviation
from bench.statistics.versus_published import Agreement
from bench.suite.references import ReferenceMatch
from bench.suite.trial import Trial

Verdict = Literal["within", "above", "below", "cannot tell", "not compared", "not run", "not repeated"]
Source = Literal["suite", "page", "theirs", "theory"]
"""What told the noise between seeds: ours of this suite; ours of all suites; their repeated runs; or no second run."""


WIDE = 0.01
"""A point: from more noise than that does not follow that two figures agree."""


@dataclass(frozen=True)
class Judged:
    """A figure of ours over `seeds` seeds against one of theirs, with the noise from `source`, too `few` runs or not.

    There is no agreement where theirs is no single figure, or nothing tells the noise.
    """

    ours: Estimate
    theirs: float | None
    seeds: int
    agreement: Agreement | None
    source: Source
    few: bool = False

    @property
    def word(self) -> Verdict:
        """Where ours lies; noise of more than `WIDE`, or of two runs, would call nearly anything within."""
        if self.agreement is None:
            return "not compared"
        wide = self.agreement.word == "within" and self.agreement.half > WIDE
        return "cannot tell" if wide or self.few else self.agreement.word


@dataclass(frozen=True)
class Early:
    """The best validation accuracy within the first `epochs` of both runs."""

    epochs: int
    judged: Judged


@dataclass(frozen=True)
class Short:
    """The figure of complete runs with fewer epochs than were asked for, where nothing of theirs can judge it."""

    epochs: int
    ours: Estimate
    seeds: int


@dataclass(frozen=True)
class Row:
    """A published result and what became of it here.

    `whole` is of complete trainings, and has an agreement only where ours had as many epochs as theirs took. `dataset`
    is what ours ran on, `planned` the seeds asked for, `epochs` the budget and `epochs_run` the mean over complete
    seeds; `reasons` say why a verdict is missing or must be read with care. `removed` is whether options left the suite
    without the configuration that stands for it.
    """

    reference: Reference
    config: dict[str, Any] | None
    dataset: str
    whole: Judged | None
    early: Early | None
    short: Short | None
    planned: int
    epochs: int | None
    epochs_run: float | None
    parameters: int | None
    reasons: tuple[str, ...]
    keys: tuple[str, ...]
    removed: bool = False

    @property
    def decisive(self) -> Judged | None:
        """What the verdict rests on: the whole run, else the first epochs."""
        if self.whole and self.whole.agreement:
            return self.whole
        return self.early.judged if self.early and self.early.judged.agreement else None

    @property
    def verdict(self) -> Verdict:
        if not self.planned:
            return "not compared" if self.removed else "not repeated"
        if self.decisive is None or self.decisive.agreement is None:
            return "not compared" if self.keys or self.short or self.early else "not run"
        return self.decisive.word


@dataclass(frozen=True)
class Group:
    """The rows of one suite; `noise` has the seed deviation behind each verdict, by what it is of."""

    name: str
    title: str
    description: str
    rows: tuple[Row, ...]
    noise: dict[str, PooledDeviation]
    options: str = ""


@dataclass(frozen=True)
class Asked:
    """A suite to compare: its references that name a configuration, each with its published result, and its trials.

    `options` are those that narrowed or changed it, as a command line has them.
    """

    name: str
    title: str
    description: str
    references: Sequence[tuple[ReferenceMatch, Reference]]
    trials: Sequence[Trial]
    options: str = ""
