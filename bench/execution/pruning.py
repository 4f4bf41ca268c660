"""Pruning: which configurations stop early, decided from a table of the scores that others had at the same epoch.

A rung is an epoch at which trials are compared. `RungTable` holds the scores, `Asha` decides by them; neither does any
I/O. ASHA (asynchronous successive halving): Li et al. 2020, arXiv 1810.05934. Several brackets are Hyperband's (Li et
al. 2018, JMLR 18): bracket s has its first rung at grace_period * reduction_factor^s epochs. A configuration's bracket
is drawn from the suite's sampling seed and its own key, so it is the same in every run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple, Protocol

import numpy as np

from bench.jsonutil import JsonObject, canonical
from bench.suite.schema import Pruning
from bench.suite.trial import Trial

SEPARATE = ("dataset", "validation", "epochs")
"""Configurations that differ here are never compared: their scores or their rungs mean different things."""


PruningNote = JsonObject
"""JSON on pruning, for a record: a rule, or a decision at a rung."""


class Rung(NamedTuple):
    """The trials that are compared with each other: a group's, after so many epochs.

    The rule is part of `group`: under another rule other trials get as far.
    """

    group: str
    epoch: int


class RungTable:
    """Rung to trial key to validation accuracy. A trial's first score at a rung stands."""

    def __init__(self) -> None:
        self._scores: dict[Rung, dict[str, float]] = {}

    def scores(self, rung: Rung) -> dict[str, float]:
        return self._scores.get(rung, {})

    def add(self, rung: Rung, key: str, score: float) -> None:
        self._scores.setdefault(rung, {}).setdefault(key, score)


class Pruner(Protocol):
    """A rule that stops trials early; a pure function of the trial and the rung table."""

    def rung(self, trial: Trial, epoch: int) -> Rung | None:
        """The rung that a trial reaches with this epoch; None between rungs."""

    def decide(self, rungs: RungTable, trial: Trial, epoch: int, value: float) -> bool:
        """Whether a trial with this validation accuracy after `epoch` stops there, by the scores of others."""

    def description(self, trial: Trial) -> PruningNote:
        """What a record says of the rule."""


class Asha:
    """Stop a trial whose score is below the best 1 / reduction_factor of those at its rung; see `Pruner`."""

    def __init__(self, pruning: Pruning, sampling_seed: int = 0):
        self.pruning = pruning
        self.sampling_seed = sampling_seed

    def rung(self, trial: Trial, epoch: int) -> Rung | None:
        bracket = self.bracket(trial)
        if epoch not in self.milestones(trial.config.epochs, bracket):
            return None
        config = trial.config.to_json()
        compared = {axis: config.get(axis) for axis in (*SEPARATE, *self.pruning.group)}
        seed = self.sampling_seed if self.pruning.brackets > 1 else None
        return Rung(canonical([rule(self.pruning), seed, bracket, compared]), epoch)

    def decide(self, rungs: RungTable, trial: Trial, epoch: int, value: float) -> bool:
        rung = self.rung(trial, epoch)
        others = [score for key, score in rungs.scores(rung).items() if key != trial.key] if rung else []
        if not others:
            return False
        return bool(value < np.percentile(others, (1 - 1 / self.pruning.reduction_factor) * 100))

    def description(self, trial: Trial) -> PruningNote:
        bracket = {"bracket": self.bracket(trial)} if self.pruning.brackets > 1 else {}
        return {"rule": rule(self.pruning), **bracket}

    def milestones(self, epochs: int, bracket: int = 0) -> list[int]:
        """The rungs of a trial of this budget and bracket. The last epoch is none: only the test is left then."""
        milestones, epoch = [], self.pruning.grace_period * self.pruning.reduction_factor**bracket
        while epoch < epochs:
            milestones.append(epoch)
            epoch *= self.pruning.reduction_factor
        return milestones

    def bracket_fractions(self, epochs: int) -> list[float]:
        """The fraction of configurations in each bracket: Hyperband's, by which all train about equally much.

        With k rungs a bracket's fraction goes as reduction_factor^k / (k + 1). Brackets that the budget is too short
        for are left out, but for the first of those without a rung, where no trial is stopped.
        """
        counts = [len(self.milestones(epochs, bracket)) for bracket in range(self.pruning.brackets)]
        counts = [count for count in counts if count] + [0] * (0 in counts)
        weights = [self.pruning.reduction_factor**count / (count + 1) for count in counts]
        return [weight / sum(weights) for weight in weights]

    def bracket(self, trial: Trial) -> int:
        """A configuration's bracket, drawn from the suite's sampling seed and its own key."""
        if self.pruning.brackets == 1:
            return 0
        digest = hashlib.sha256(f"{self.sampling_seed}/{trial.config_key}".encode()).digest()
        uniform = int.from_bytes(digest[:8], "big") / 2**64
        bounds = list(accumulate(self.bracket_fractions(trial.config.epochs)))
        return sum(uniform >= bound for bound in bounds[:-1])


def rule(pruning: Pruning | None) -> PruningNote | None:
    """The rule as records hold it; a pruned trial is done for runs under the same rule only."""
    return pruning.model_dump(mode="json") if pruning else None


def rung_scores(pruner: Pruner, trial: Trial, curve: Sequence[float | None]) -> Iterator[tuple[Rung, float]]:
    """The rungs that a trial with this validation curve passed, with its scores there."""
    for epoch, score in enumerate(curve, start=1):
        if score is not None and (rung := pruner.rung(trial, epoch)):
            yield rung, score
