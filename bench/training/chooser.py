"""Which epoch's weights count, and when is it enough? By validation alone."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor, nn

from bench.training.checkpoint import State

Figures = dict[str, float | None]
"""An epoch's figures by name, such as ``val_accuracy``; None where one was not finite."""


class Chooser:
    """Remembers the best epoch by validation, and says when patience has run out.

    The best epoch is the first with the best monitored figure. `min_delta` concerns patience only: an epoch that
    is better by less is still the best one, but does not count as an improvement worth waiting for.
    """

    KEPT = ("best", "best_epoch", "weights", "mark", "waited")

    def __init__(self, config: dict[str, Any], model: nn.Module):
        defaults = {"patience": math.inf, "monitor": "val_accuracy", "min_delta": 0.0}
        stopping = defaults | (config["early_stopping"] or {})
        self.monitor = stopping["monitor"]
        self.patience = stopping["patience"]
        self.min_delta = stopping["min_delta"]
        self.keep = config["weights"] == "best"
        self.model = model
        self.best, self.best_epoch = -math.inf, 0
        self.weights: dict[str, Tensor] = {}
        self.mark, self.waited = -math.inf, 0

    def stop_after(self, epoch: int, figures: Figures) -> bool:
        """Take in an epoch's figures; whether to stop there."""
        figure = figures.get(self.monitor)
        if figure is None:
            return False
        score = -figure if self.monitor == "val_loss" else figure
        if score > self.best:
            self.best, self.best_epoch = score, epoch
            if self.keep:
                self.weights = {name: value.clone() for name, value in self.model.state_dict().items()}
        if score > self.mark + self.min_delta:
            self.mark, self.waited = score, 0
        else:
            self.waited += 1
        return bool(self.waited >= self.patience)

    def state(self) -> State:
        return {name: getattr(self, name) for name in self.KEPT}

    def go_on(self, state: State) -> None:
        for name in self.KEPT:
            setattr(self, name, state[name])

    def restore(self, model: nn.Module, last: int) -> int:
        """Put the weights that count into the model; the epoch they are from."""
        if not self.weights:
            return last
        model.load_state_dict(self.weights)
        return self.best_epoch
