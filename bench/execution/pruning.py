"""ASHA over configurations, each group by itself (Li et al. 2020, arXiv 1810.05934).

Ray Tune's own `AsyncHyperBandScheduler` decides; this file keeps one per group, so that a slow starter is not
judged beside another kind of model, and writes down what was decided. The same object serves a run with and
without Ray, and takes in earlier curves, so that a resumed run goes on with full rungs.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

from bench.suite.expand import canonical
from bench.suite.schema import Pruning
from bench.suite.trial import Trial

ALWAYS_APART = ("dataset", "validation", "epochs")
"""Configurations that differ here are never compared: their figures or their rungs mean different things."""


class Asha:
    """The rungs of every group, and the decisions taken at them."""

    def __init__(self, pruning: Pruning):
        self.pruning = pruning
        self._groups: dict[str, Any] = {}
        self._decisions: dict[str, list[dict[str, Any]]] = {}

    @property
    def rule(self) -> dict[str, Any]:
        """The rule as records hold it; a pruned trial counts as done under the same rule only."""
        return self.pruning.model_dump(mode="json")

    def milestones(self, epochs: int) -> list[int]:
        """The epochs at which a trial of this budget is judged."""
        out, at = [], self.pruning.grace
        while at < epochs:
            out.append(at)
            at *= self.pruning.reduction
        return out

    def stops(self, trial: Trial, epoch: int, score: float) -> bool:
        """Take in the validation accuracy after an epoch; True when the trial is to stop there.

        The last epoch is never judged: the trial is finished then, and only its test is left.
        """
        epochs = trial.config["epochs"]
        scheduler = self._scheduler(trial, epochs)
        if trial.key not in scheduler._trial_info:  # a trial starts over when its worker died: its rungs stand
            scheduler.on_trial_add(None, SimpleNamespace(trial_id=trial.key))
        result = {"epoch": epoch, "score": score}
        if epoch >= epochs:
            return False
        stop = bool(scheduler.on_trial_result(None, SimpleNamespace(trial_id=trial.key), result) == scheduler.STOP)
        if epoch in self.milestones(epochs):
            self._decisions.setdefault(trial.key, []).append(
                {"epoch": epoch, "val_accuracy": score, "decision": "stop" if stop else "continue"}
            )
        return stop

    def replay(self, finished: Iterable[tuple[Trial, list[float | None]]]) -> None:
        """Fill the rungs with the validation curves of configurations that ran before, in the order given."""
        for trial, curve in finished:
            for epoch, score in enumerate(curve, start=1):
                if score is not None:
                    self.stops(trial, epoch, score)

    def decisions(self, trial: Trial) -> dict[str, Any]:
        """What a record says of pruning: the rule, and the decision at every rung the trial reached."""
        return {"rule": self.rule, "decisions": self._decisions.get(trial.key, [])}

    def _scheduler(self, trial: Trial, epochs: int) -> Any:
        from ray.tune.schedulers import AsyncHyperBandScheduler

        group = canonical([trial.config[axis] for axis in (*ALWAYS_APART, *self.pruning.group)])
        if group not in self._groups:
            self._groups[group] = AsyncHyperBandScheduler(
                time_attr="epoch",
                metric="score",
                mode="max",
                max_t=max(epochs, self.pruning.grace),
                grace_period=self.pruning.grace,
                reduction_factor=self.pruning.reduction,
            )
        return self._groups[group]
