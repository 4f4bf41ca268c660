"""ASHA over configurations, each group by itself (Li et al. 2020, arXiv 1810.05934), in one bracket or in several.

Ray Tune's own `AsyncHyperBandScheduler` decides; this file keeps one per group and bracket, so that a slow starter is
not judged beside another kind of model, and writes down what was decided. The same object serves a run with and
without Ray, and takes in earlier curves, so that a resumed run goes on with full rungs.

Several brackets are Hyperband's (Li et al. 2018, JMLR 18): bracket s is first judged after grace_period *
reduction_factor^s epochs. Ray would draw a configuration's bracket from NumPy's global stream; here the draw depends on
the configuration alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from itertools import accumulate
from types import SimpleNamespace
from typing import Any

from bench.jsonutil import canonical
from bench.suite.schema import Pruning
from bench.suite.trial import Trial

ALWAYS_APART = ("dataset", "validation", "epochs")
"""Configurations that differ here are never compared: their figures or their rungs mean different things."""


class Asha:
    """The rungs of every group, and the decisions taken at them."""

    def __init__(self, pruning: Pruning, sampling_seed: int = 0):
        self.pruning = pruning
        self.sampling_seed = sampling_seed
        self._groups: dict[str, Any] = {}
        self._decisions: dict[str, dict[int, dict[str, Any]]] = {}

    @property
    def rule(self) -> dict[str, Any]:
        """The rule as records hold it; a pruned trial counts as done under the same rule only."""
        return self.pruning.model_dump(mode="json")

    def milestones(self, epochs: int, bracket: int = 0) -> list[int]:
        """The epochs at which a trial of this budget and bracket is judged."""
        out, at = [], self.pruning.grace_period * self.pruning.reduction_factor**bracket
        while at < epochs:
            out.append(at)
            at *= self.pruning.reduction_factor
        return out

    def shares(self, epochs: int) -> list[float]:
        """The share of configurations that each bracket gets: Hyperband's, by which all train about equally much.

        With k rungs a bracket's share goes as reduction_factor^k / (k + 1). Brackets that the budget is too short for
        are left out, but for the first of those without a rung, where nobody is stopped.
        """
        rungs = [len(self.milestones(epochs, bracket)) for bracket in range(self.pruning.brackets)]
        rungs = [count for count in rungs if count] + [0] * (0 in rungs)
        weights = [self.pruning.reduction_factor**count / (count + 1) for count in rungs]
        return [weight / sum(weights) for weight in weights]

    def bracket(self, trial: Trial) -> int:
        """A configuration's bracket, drawn from the suite's sampling seed and its own key."""
        digest = hashlib.sha256(f"{self.sampling_seed}/{trial.config_key}".encode()).digest()
        drawn = int.from_bytes(digest[:8], "big") / 2**64
        bounds = list(accumulate(self.shares(trial.config["epochs"])))
        return sum(drawn >= bound for bound in bounds[:-1])

    def stops(self, trial: Trial, epoch: int, score: float) -> bool:
        """Take in the validation accuracy after an epoch; True when the trial is to stop there.

        The last epoch is never judged: the trial is finished then, and only its test is left.
        """
        if epoch >= trial.config["epochs"]:
            return False
        stop = self._take_in(trial, epoch, score)
        self._note(trial, epoch, score, "stop" if stop else "continue")
        return stop

    def replay(self, finished: Iterable[tuple[Trial, list[float | None]]]) -> None:
        """Fill the rungs with the validation curves of configurations that ran before, in the order given."""
        for trial, curve in finished:
            for epoch, score in enumerate(curve, start=1):
                if score is not None:
                    self.stops(trial, epoch, score)

    def go_on(self, trial: Trial, curve: list[float | None]) -> None:
        """Fill the rungs that a trial passed before its run was stopped; it is not judged there again."""
        for epoch, score in enumerate(curve, start=1):
            if score is not None and epoch < trial.config["epochs"]:
                self._take_in(trial, epoch, score)
                self._note(trial, epoch, score, "continue")

    def decisions(self, trial: Trial) -> dict[str, Any]:
        """What a record says of pruning: the rule, the bracket, and the decision at every rung the trial reached."""
        bracket = {"bracket": self.bracket(trial)} if self.pruning.brackets > 1 else {}
        return {"rule": self.rule, **bracket, "decisions": list(self._decisions.get(trial.key, {}).values())}

    def _take_in(self, trial: Trial, epoch: int, score: float) -> bool:
        scheduler = self._scheduler(trial)
        one = SimpleNamespace(trial_id=trial.key)
        if trial.key not in scheduler._trial_info:  # a trial starts over when its worker died: its rungs stand
            scheduler.on_trial_add(None, one)
        return bool(scheduler.on_trial_result(None, one, {"epoch": epoch, "score": score}) == scheduler.STOP)

    def _note(self, trial: Trial, epoch: int, score: float, decision: str) -> None:
        if epoch in self.milestones(trial.config["epochs"], self.bracket(trial)):
            taken = {"epoch": epoch, "val_accuracy": score, "decision": decision}
            self._decisions.setdefault(trial.key, {}).setdefault(epoch, taken)

    def _scheduler(self, trial: Trial) -> Any:
        from ray.tune.schedulers import AsyncHyperBandScheduler

        epochs, bracket = trial.config["epochs"], self.bracket(trial)
        apart = [trial.config[axis] for axis in (*ALWAYS_APART, *self.pruning.group)]
        group = canonical([*apart, bracket])
        if group not in self._groups:
            grace_period = self.pruning.grace_period * self.pruning.reduction_factor**bracket
            self._groups[group] = AsyncHyperBandScheduler(
                time_attr="epoch",
                metric="score",
                mode="max",
                max_t=max(epochs, grace_period),
                grace_period=grace_period,
                reduction_factor=self.pruning.reduction_factor,
            )
        return self._groups[group]
