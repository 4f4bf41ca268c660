"""A trial that is broken off between two epochs and goes on from its state ends as if nothing had happened."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bench.data import Dataset
from bench.training.checkpoint import State
from bench.training.epoch_progress import Progress
from bench.training.train_trial import TrialOutcome, train_trial

RATE = {"lr": 0.05, "momentum": 0.9}
CASES: dict[str, dict[str, Any]] = {
    "sgd, nesterov, cosine": {
        "optimizer": {"name": "sgd", **RATE, "nesterov": True},
        "schedule": {"name": "cosine"},
    },
    "adam, dropout, penalties": {
        "regularizer": [{"name": "dropout", "rate": 0.3}, {"name": "l1"}, {"name": "label_smoothing"}],
    },
    "rmsprop, batch normalisation": {
        "optimizer": {"name": "rmsprop"},
        "model": {"name": "mlp", "hidden": [32, 16], "batch_norm": "before"},
    },
    "timm's lion": {"optimizer": {"name": "lion", "lr": 1e-3}},
    "timm's adafactorbv, momentum in bfloat16": {"optimizer": {"name": "adafactorbv", "lr": 0.01, "momentum": 0.9}},
    "best weights, early stopping": {
        "optimizer": {"name": "sgd", "lr": 0.3, "momentum": 0.9},
        "weights": "best",
        "early_stopping": {"patience": 2},
        "epochs": 9,
    },
    "augmentation, once and per batch": {
        "augmentation": [{"name": "gaussian_noise", "static": True}, {"name": "flip"}, {"name": "crop"}],
    },
    "plateau": {
        "optimizer": {"name": "sgd", "lr": 0.5, "momentum": 0.9},
        "schedule": {"name": "plateau", "patience": 1, "factor": 0.5},
        "epochs": 7,
    },
    "convolutions": {
        "model": {"name": "cnn", "channels": [4, 8], "hidden": [16], "batch_norm": "before", "dropout": 0.2},
        "optimizer": {"name": "adamw"},
    },
    "bfloat16": {"precision": "bfloat16"},
    "no validation": {"validation": "none"},
    "average of the weights": {"ema": 0.9, "weights": "best", "model": {"name": "mlp", "batch_norm": "before"}},
}


class BrokenOffError(Exception):
    pass


class Kept:
    """Keeps the latest state as the bytes that a file would hold."""

    def __init__(self) -> None:
        self.data = b""
        self.refused: list[str] = []
        self.saved: Callable[[], None] = lambda: None

    def load(self) -> State | None:
        return torch.load(io.BytesIO(self.data), weights_only=True) if self.data else None

    def save(self, state: Callable[[], State]) -> None:
        file = io.BytesIO()
        torch.save(state(), file)
        self.data = file.getvalue()
        self.saved()

    save_now = save

    def refuse(self, reason: str) -> None:
        self.refused.append(reason)


def found(outcome: TrialOutcome) -> dict[str, Any]:
    """All that a trial found, with its predictions as bytes; seconds and what is computed of predictions left out."""
    plain = {key: value for key, value in vars(outcome).items() if "predicted" not in key and "second" not in key}
    if outcome.predicted is None:
        return plain
    arrays = {field.name: getattr(outcome.predicted, field.name) for field in fields(outcome.predicted)}
    if outcome.validation_predicted is not None:
        arrays["validation probabilities"] = outcome.validation_predicted.probabilities
    return plain | {name: array.tobytes() for name, array in arrays.items()}


def broken_off(config: dict[str, Any], data: Dataset, kept: Kept, epoch: int, refit: bool = False) -> None:
    """Train until the state after an epoch is kept."""
    reported: list[Progress] = []

    def saved() -> None:
        if (reported[-1].epoch, reported[-1].refit) == (epoch, refit):
            kept.saved = lambda: None
            raise BrokenOffError

    kept.saved = saved
    with pytest.raises(BrokenOffError):
        train_trial(config, 7, data, report=reported.append, checkpointer=kept)


def test_a_paused_trial_goes_on_to_the_same_bits_from_the_epoch_of_its_pause(configured: Any, small: Dataset) -> None:
    config, kept = configured(**CASES["convolutions"]), Kept()
    expected = found(train_trial(config, 7, small))

    def pause(progress: Progress) -> None:
        if progress.epoch == 2:
            raise BrokenOffError

    kept.save = lambda _: None  # type: ignore[method-assign]
    with pytest.raises(BrokenOffError):
        train_trial(config, 7, small, report=pause, checkpointer=kept, pause_after=(2,))
    reported: list[Progress] = []
    assert found(train_trial(config, 7, small, report=reported.append, checkpointer=kept)) == expected
    assert [progress.epoch for progress in reported] == list(range(2, config.epochs + 1))


@pytest.mark.parametrize("case", CASES)
def test_a_trial_goes_on_to_the_same_bits(case: str, configured: Any, small: Dataset) -> None:
    config = configured(**{"epochs": 4, **CASES[case]})
    kept = Kept()
    broken_off(config, small, kept, 2)
    told: list[Progress] = []
    after = train_trial(config, 7, small, report=told.append, checkpointer=kept)
    whole = train_trial(config, 7, small)
    assert found(after) == found(whole)
    assert (kept.refused, told[0].epoch, told[1].epoch) == ([], 2, 3)
    assert told[0].resumed == {name: curve[:2] for name, curve in whole.curves.items()}


@pytest.mark.parametrize("refit", [False, True])
def test_a_trial_with_a_refit_goes_on_in_either_training(refit: bool, configured: Any, small: Dataset) -> None:
    config = configured(
        epochs=4,
        refit=True,
        optimizer={"name": "sgd", **RATE},
        schedule={"name": "plateau", "patience": 1},
        regularizer=[{"name": "dropout", "rate": 0.2}],
    )
    kept = Kept()
    broken_off(config, small, kept, 2, refit)
    told: list[Progress] = []
    after = train_trial(config, 7, small, report=told.append, checkpointer=kept)
    whole = train_trial(config, 7, small)
    assert found(after) == found(whole)
    seen = [(one.refit, one.epoch) for one in told]
    assert seen == ([(False, n) for n in (2, 3, 4)] if not refit else []) + [(True, n) for n in range(1 + refit, 5)]
    assert told[0].resumed == {name: curve[: len(told[0].resumed["lr"])] for name, curve in whole.curves.items()}


def test_seconds_go_on_from_those_before(configured: Any, small: Dataset) -> None:
    kept = Kept()
    broken_off(configured(), small, kept, 2)
    told: list[Progress] = []
    after = train_trial(configured(), 7, small, report=told.append, checkpointer=kept)
    assert 0 < told[0].train_seconds < told[1].train_seconds == after.train_seconds


def test_a_network_that_draws_and_counts_by_itself_goes_on(tmp_path: Path, configured: Any, small: Dataset) -> None:
    """From Python's stream and NumPy's, and in a buffer that is not part of its state."""
    file = tmp_path / "network.py"
    file.write_text("""
import random
import numpy as np
import torch

class Noisy(torch.nn.Linear):
    def __init__(self):
        super().__init__(784, 10)
        self.register_buffer("calls", torch.zeros(()), persistent=False)

    def forward(self, x):
        if self.training:
            self.calls += 1
        return super().forward(x.flatten(1) + random.random() + np.random.rand() * self.calls)

def network(input_shape, classes):
    return Noisy()
""")
    config = configured(model={"name": f"{file}:network"}, epochs=4)
    kept = Kept()
    broken_off(config, small, kept, 2)
    assert found(train_trial(config, 7, small, checkpointer=kept)) == found(train_trial(config, 7, small))


def test_of_an_epoch_after_which_the_driver_stops_a_trial_no_state_is_kept(configured: Any, small: Dataset) -> None:
    """A run that goes on after a crash would take it for one that was let go on."""
    kept = Kept()

    def report(progress: Progress) -> None:
        if progress.epoch == 2:
            raise BrokenOffError

    with pytest.raises(BrokenOffError):
        train_trial(configured(), 7, small, report=report, checkpointer=kept)
    state = kept.load()
    assert state is not None and len(state["curves"]["lr"]) == 1


def test_the_last_epoch_is_not_kept(configured: Any, small: Dataset) -> None:
    kept = Kept()
    train_trial(configured(epochs=1), 7, small, checkpointer=kept)
    assert kept.data == b""


@pytest.mark.parametrize(
    "change",
    [
        lambda state: state["training"]["model"].popitem(),
        lambda state: state["training"]["optimizer"]["param_groups"].clear(),
        lambda state: state["training"]["generators"].clear(),
        lambda state: state.pop("best"),
        lambda state: state.update(searched={"status": "complete", "curve": {}}),
    ],
)
def test_a_state_that_does_not_fit_is_refused_and_the_trial_starts_anew(
    change: Callable[[State], Any], configured: Any, small: Dataset
) -> None:
    kept = Kept()
    broken_off(configured(), small, kept, 2)
    state = kept.load()
    assert state is not None
    change(state)
    kept.save(lambda: state)
    told: list[Progress] = []
    after = train_trial(configured(), 7, small, report=told.append, checkpointer=kept)
    assert len(kept.refused) == 1 and "does not fit" in kept.refused[0]
    assert [one.epoch for one in told] == [1, 2, 3]
    assert found(after) == found(train_trial(configured(), 7, small))


def test_a_kept_state_holds_no_copy_of_the_pictures(configured: Any, small: Dataset) -> None:
    """Static augmentation is drawn again instead."""
    config = configured(augmentation=[{"name": "gaussian_noise", "static": True}])
    kept = Kept()
    broken_off(config, small, kept, 2)
    assert len(kept.data) < np.prod(small.train_images.shape)
