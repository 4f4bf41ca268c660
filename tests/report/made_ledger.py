"""A ledger made up for the report: records and predictions as training would leave them, from one generator."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from configuration import DEFAULTS

from bench.ledger.record import Record, Result, RunInfo, Status
from bench.metrics import Predictions
from bench.report import Report
from bench.suite.trial import Trial, TrialConfig

CLASSES = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]

BASE: dict[str, Any] = DEFAULTS | {"batch_size": 256, "epochs": 5, "validation": {"tail": 0.2}}

L2 = [{"name": "l2", "strength": 0.001, "layers": "hidden"}]
FLIP = [{"name": "flip", "static": False, "p": 0.5}]


def config(**changes: Any) -> dict[str, Any]:
    """The base configuration with some of its axes exchanged."""
    return {**copy.deepcopy(BASE), **changes}


def planned(settings: dict[str, Any], seeds: int, config_key: str = "") -> list[Trial]:
    """The trials of a suite that asks for this configuration with so many seeds."""
    typed = TrialConfig.from_json(settings)
    return [Trial(f"{config_key}/{seed}", config_key, typed, seed, 0) for seed in range(seeds)]


def provenance_of(report: Report) -> dict[str, str]:
    """What a report says of where its results come from, by name."""
    section = next(section for section in report.closing if section.name == "provenance")
    return {row["name"]: row["value"] for row in section.tables[0].rows}


@dataclass
class Ledger:
    """Records in order, and the predictions of the complete ones by key."""

    records: list[Record] = field(default_factory=list)
    stored: dict[str, Predictions] = field(default_factory=dict)
    images: int = 1000

    def predictions(self, key: str) -> Predictions:
        return self.stored[key]

    def add(
        self,
        settings: dict[str, Any],
        test: list[float],
        validation: list[float] | None = None,
        classes: list[str] = CLASSES,
        config_key: str = "",
    ) -> None:
        """A complete trial per test accuracy; validation stands half a point above it unless given."""
        for seed, accuracy in enumerate(test):
            key = f"{len(self.records):020x}"
            self.stored[key] = _predictions(accuracy, self.images, seed, len(classes))
            exact = float((self.stored[key].labels == self.stored[key].predicted).mean())
            rated = validation[seed] if validation else exact + 0.005
            keeps = settings["validation"] != "none"
            self.records.append(
                Record(
                    key=key,
                    config=settings,
                    seed=seed,
                    status="complete",
                    result=Result(
                        curves=_curves(rated, settings["epochs"], keeps, seed),
                        epochs_run=settings["epochs"],
                        best_epoch=settings["epochs"],
                        train={"accuracy": rated + 0.02, "loss": 0.2},
                        validation={"accuracy": rated, "loss": 0.3} if keeps else None,
                        test={"accuracy": exact, "loss": 0.35},
                        classes=list(classes),
                    ),
                    run_info=_measured(),
                    config_key=config_key,
                    suite="quick",
                )
            )

    def add_ended(self, settings: dict[str, Any], seed: int, status: Status, epoch: int, **extra: Any) -> None:
        """A trial that was pruned, diverged or failed in this epoch."""
        curves = {"train_loss": [0.5] * (epoch - 1) + [None if status == "diverged" else 0.5]}
        self.records.append(
            Record(
                key=f"{len(self.records):020x}",
                config=settings,
                seed=seed,
                status=status,
                result=Result(curves=curves, epochs_run=epoch),
                run_info=_measured(),
                suite="quick",
                **extra,
            )
        )


def _predictions(accuracy: float, images: int, seed: int, classes: int) -> Predictions:
    generator = np.random.default_rng(seed)
    labels = (np.arange(images) % classes).astype(np.uint8)
    predicted = labels.copy()
    wrong = generator.choice(images, size=round((1 - accuracy) * images), replace=False)
    near = generator.choice(np.array([2, 4, 6]), size=wrong.size)
    predicted[wrong] = ((labels[wrong] + near) % classes).astype(np.uint8)
    ones = np.ones(images, dtype=np.float32)
    ranks = (labels != predicted).astype(np.uint8)
    probabilities = np.eye(classes, dtype=np.float16)[predicted]
    return Predictions(labels, predicted, ones, (labels == predicted) * ones, ranks, probabilities)


def _curves(end: float, epochs: int, keeps: bool, seed: int) -> dict[str, list[float | None]]:
    steps = np.arange(1, epochs + 1)
    noise = np.random.default_rng(seed).normal(0, 0.002, epochs)
    validation: list[float | None] = (end - 0.15 * np.exp(-steps / 1.5) + noise).tolist()
    train: list[float | None] = (end + 0.02 - 0.25 * np.exp(-steps / 1.5)).tolist()
    return {"train_accuracy": train, **({"val_accuracy": validation} if keeps else {})}


def _measured() -> RunInfo:
    return RunInfo(
        parameters=109386,
        parameters_trainable=109386,
        flops=218000,
        train_seconds=12.34,
        device="cpu (x86-64)",
        threads=1,
        versions={"bench": "0.1.0", "torch": "2.9.0"},
        git_commit="0123456789abcdef",
        started="2025-01-01T10:00:00Z",
        finished="2025-01-01T10:01:00Z",
    )
