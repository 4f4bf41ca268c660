"""Pruning: which configurations stop early, decided from a table of the scores that others had at the same epoch.

A rung is an epoch at which trials are compared. `RungTable` holds the scores, `Asha` and `Halving` decide by them; none
does any I/O. ASHA (asynchronous successive halving): Li et al. 2020, arXiv 1810.05934. Successive halving, with a
barrier at each rung: Jamieson and Talwalkar 2016, arXiv 1502.07943. Several brackets are Hyperband's (Li et al. 2018,
JMLR 18): bracket s has its first rung at grace_period * reduction_factor^s epochs. A configuration's bracket is drawn
from the suite's sampling seed and its own key, so it is the same in every run.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Container, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Literal, NamedTuple, Protocol

import numpy as np

from bench.jsonutil import JsonObject, canonical
from bench.suite.schema import Pruning
from bench.suite.trial import Trial

SEPARATE = ("dataset", "validation", "epochs")
"""Configurations that differ here are never compared: their scores or their rungs mean different things."""


PruningNote = JsonObject
"""JSON on pruning, for a record: a rule, or a decision at a rung."""

Decision = Literal["continue", "stop", "pause"]
"""What becomes of a trial at a rung; a paused one waits until its rung can decide."""


class Rung(NamedTuple):
    """The trials that are compared with each other: a group's, after so many epochs.

    The rule is part of `group`: under another rule other trials get as far.
    """

    group: str
    epoch: int


class RungTable:
    """Rung to trial key to validation accuracy. A trial's first score at a rung stands.

    `ended` are the keys of trials that reach no further rung, of which those in `diverged` count as 0 from there on;
    `promoted` are those that went on from the rungs of a barrier that have decided.
    """

    def __init__(self) -> None:
        self._scores: dict[Rung, dict[str, float]] = {}
        self.ended: set[str] = set()
        self.diverged: set[str] = set()
        self.promoted: dict[Rung, list[str]] = {}

    def scores(self, rung: Rung) -> dict[str, float]:
        return self._scores.get(rung, {})

    def add(self, rung: Rung, key: str, score: float) -> None:
        self._scores.setdefault(rung, {}).setdefault(key, score)

    def end(self, key: str, status: str) -> None:
        self.ended.add(key)
        if status == "diverged":
            self.diverged.add(key)


class Pruner(Protocol):
    """A rule that stops trials early; a pure function of the trial and the rung table."""

    pruning: Pruning

    def rung(self, trial: Trial, epoch: int) -> Rung | None:
        """The rung that a trial reaches with this epoch; None between rungs."""

    def decide(self, rungs: RungTable, trial: Trial, epoch: int, value: float) -> Decision:
        """What becomes of a trial with this validation accuracy after `epoch`, by the scores of others."""

    def add(self, trials: Sequence[Trial]) -> None:
        """Trials that a search has proposed are compared, too."""

    def rung_epochs(self, trial: Trial) -> tuple[int, ...]:
        """The epochs after which the trial may be stopped or paused."""

    def pause_after(self, trial: Trial) -> tuple[int, ...]:
        """Those of them after which it may be paused."""

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
        return Rung(canonical([rule(self.pruning), seed, bracket, compared, *self._batch(trial)]), epoch)

    def _batch(self, trial: Trial) -> list[JsonObject]:  # noqa: ARG002 (asynchronous)
        """What of an adaptive search tells apart trials that are not compared."""
        return []

    def decide(self, rungs: RungTable, trial: Trial, epoch: int, value: float) -> Decision:
        rung = self.rung(trial, epoch)
        others = [score for key, score in rungs.scores(rung).items() if key != trial.key] if rung else []
        if not others:
            return "continue"
        bound = np.percentile(others, (1 - 1 / self.pruning.reduction_factor) * 100)
        return "stop" if value < bound else "continue"

    def add(self, trials: Sequence[Trial]) -> None: ...

    def rung_epochs(self, trial: Trial) -> tuple[int, ...]:
        return tuple(self.milestones(trial.config.epochs, self.bracket(trial)))

    def pause_after(self, trial: Trial) -> tuple[int, ...]:  # noqa: ARG002 (asynchronous)
        return ()

    def description(self, trial: Trial) -> PruningNote:
        bracket = {"bracket": self.bracket(trial)} if self.pruning.brackets > 1 else {}
        return {"rule": rule(self.pruning), **bracket}

    def milestones(self, epochs: int, bracket: int = 0) -> list[int]:
        """The rungs of a trial of this budget and bracket. The last epoch is none: only the test is left then."""
        milestones, epoch = [], self.pruning.first_rung(epochs) * self.pruning.reduction_factor**bracket
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


class Halving(Asha):
    """Successive halving: a rung decides when each of its trials has reached it or ended; see `Pruner`.

    Of n configurations of a group the best n // reduction_factor^k, but at least one, go on from its k-th rung, with
    all seeds that are compared; of equal ones those with the smaller key. So the cost is known beforehand, and does not
    depend on who comes first. A trial that ended before the rung (failed, timed out, stopped early) is not waited for,
    and its configuration is judged by its other seeds; a diverged one counts as 0 among them. Each batch of an adaptive
    search is compared by itself, since the next one waits for it.

    `trials` are those that are compared. A run waits for its own trials only.
    """

    def __init__(self, pruning: Pruning, sampling_seed: int, trials: Sequence[Trial]):
        super().__init__(pruning, sampling_seed)
        self._entrants: dict[str, dict[str, list[str]]] = defaultdict(dict)
        self._milestones: dict[str, list[int]] = {}
        self.add(trials)

    def add(self, trials: Sequence[Trial]) -> None:
        for trial in trials:
            milestones = self.pause_after(trial)
            if milestones and (rung := self.rung(trial, milestones[0])):
                self._entrants[rung.group].setdefault(trial.config_key, []).append(trial.key)
                self._milestones[rung.group] = list(milestones)

    def _batch(self, trial: Trial) -> list[JsonObject]:
        point = trial.search
        return [{"search": point.id, "batch": point.batch_number}] if point and point.rule.is_adaptive else []

    def decide(self, rungs: RungTable, trial: Trial, epoch: int, value: float) -> Decision:
        rung = self.rung(trial, epoch)
        if rung is None or trial.key not in self._entrants[rung.group].get(trial.config_key, ()):
            return "continue"
        rungs.add(rung, trial.key, value)
        promoted = self.promoted(rungs, rung)
        if promoted is None:
            return "pause"
        return "continue" if trial.key in promoted else "stop"

    def pause_after(self, trial: Trial) -> tuple[int, ...]:
        return self.rung_epochs(trial)

    def promoted(self, rungs: RungTable, rung: Rung) -> list[str] | None:
        """The trials that go on from a rung, the best configuration first; None until all have reached it or ended."""
        if rung in rungs.promoted:
            return rungs.promoted[rung]
        milestones, entrants = self._milestones[rung.group], self._entrants[rung.group]
        number = milestones.index(rung.epoch)
        candidates = list(entrants.values())
        if number:
            before = self.promoted(rungs, Rung(rung.group, milestones[number - 1]))
            if before is None:
                return None
            candidates = [keys for keys in candidates if keys[0] in before]
        scores = rungs.scores(rung)
        if any(key not in scores and key not in rungs.ended for keys in candidates for key in keys):
            return None
        means = {
            min(keys): mean for keys in candidates if (mean := _mean_score(keys, scores, rungs.diverged)) is not None
        }
        count = promoted_counts(len(entrants), len(milestones), self.pruning.reduction_factor)[number]
        best = sorted(means, key=lambda key: (-means[key], key))[:count]
        rungs.promoted[rung] = [key for first in best for keys in candidates if first in keys for key in keys]
        return rungs.promoted[rung]


def _mean_score(keys: Sequence[str], scores: Mapping[str, float], diverged: Container[str]) -> float | None:
    """A configuration's score at a rung that none of its seeds is awaited at; None where no seed got there."""
    reached = [scores[key] for key in keys if key in scores]
    zeros = sum(key in diverged for key in keys if key not in scores)
    return sum(reached) / (len(reached) + zeros) if reached else None


def promoted_counts(n_configurations: int, n_rungs: int, reduction_factor: int) -> list[int]:
    """How many of a group's configurations go on from each of its rungs."""
    return [max(1, n_configurations // reduction_factor ** (number + 1)) for number in range(n_rungs)]


class HalvingCost(NamedTuple):
    """The epochs that a suite trains in an empty ledger; at most so many where `is_exact` is False."""

    epochs: int
    is_exact: bool


def halving_cost(pruning: Pruning, sampling_seed: int, trials: Sequence[Trial], n_seeds: int = 0) -> HalvingCost:
    """What these trials cost with a barrier at each rung, if none fails or diverges.

    With `n_seeds` every configuration has so many instead of its seeds. The cost is a bound where it depends on which
    configurations survive, by their numbers of seeds, or where trials stop early.
    """
    halving, all_seeds = Halving(pruning, sampling_seed, ()), pruning.compares_all_seeds
    seeds = Counter(trial.group for trial in trials)
    groups: dict[str, list[Trial]] = defaultdict(list)
    epochs, is_exact = 0, all(trial.config.early_stopping is None for trial in trials)
    for trial in first_seeds(trials):
        milestones = halving.pause_after(trial)
        if milestones and (rung := halving.rung(trial, milestones[0])):
            groups[rung.group].append(trial)
        else:
            epochs += trial.config.epochs * (n_seeds or seeds[trial.group])
    for group in groups.values():
        budget, milestones = group[0].config.epochs, halving.pause_after(group[0])
        counts = promoted_counts(len(group), len(milestones), pruning.reduction_factor)
        stages = list(zip([len(group), *counts], [0, *milestones], [*milestones, budget], strict=True))
        n_trials = sorted((n_seeds or seeds[trial.group] for trial in group), reverse=True)
        if all_seeds:
            epochs += sum(sum(n_trials[:count]) * (end - start) for count, start, end in stages)
        else:
            epochs += sum(count * (end - start) for count, start, end in stages)
            epochs += budget * sum(n - 1 for n in n_trials[: counts[-1]])
        is_exact &= counts[-1] == len(group) or len(set(n_trials)) == 1
    return HalvingCost(epochs, is_exact)


def n_uncompared(pruning: Pruning, sampling_seed: int, trials: Sequence[Trial]) -> int:
    """How many configurations are alone in their group, so that nothing stops them."""
    pruner = pruner_of(pruning, sampling_seed, trials)
    assert pruner
    groups: Counter[str] = Counter()
    for trial in first_seeds(trials):
        rungs = [pruner.rung(trial, epoch) for epoch in pruner.rung_epochs(trial)[:1]]
        groups.update(rung.group for rung in rungs if rung)
    return sum(n == 1 for n in groups.values())


def pruner_of(pruning: Pruning | None, sampling_seed: int, trials: Sequence[Trial]) -> Pruner | None:
    """The rule for a run of these trials; None where nothing is pruned."""
    if pruning is None:
        return None
    if pruning.method == "halving":
        return Halving(pruning, sampling_seed, compared_trials(pruning, trials))
    return Asha(pruning, sampling_seed)


def first_seeds(trials: Sequence[Trial]) -> list[Trial]:
    """The first trial of each configuration."""
    return list({trial.group: trial for trial in reversed(trials)}.values())


def compared_trials(pruning: Pruning, trials: Sequence[Trial]) -> list[Trial]:
    """The trials by which pruning decides."""
    return list(trials) if pruning.compares_all_seeds else first_seeds(trials)


def rule(pruning: Pruning | None) -> PruningNote | None:
    """The rule as records hold it; a pruned trial is done for runs under the same rule only."""
    return pruning.model_dump(mode="json") if pruning else None


def rung_scores(pruner: Pruner, trial: Trial, curve: Sequence[float | None]) -> Iterator[tuple[Rung, float]]:
    """The rungs that a trial with this validation curve passed, with its scores there."""
    for epoch, score in enumerate(curve, start=1):
        if score is not None and (rung := pruner.rung(trial, epoch)):
            yield rung, score
