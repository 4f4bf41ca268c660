"""Parts of `gpu.py`: does a device train what a CPU trains, does it repeat itself, and does anything wait for it?

Every component that has a name is in one configuration with everything else by default, and so is every setting that
changes how a trial trains. Start values and the order of the images are drawn on the CPU, so curves differ by rounding
alone, but where something is drawn on the device: augmentation, dropout, dropped paths.
"""

from __future__ import annotations

import contextlib
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from cases import first
from figures import configuration, verdict

from bench.components import AXES
from bench.data import load
from bench.data.dataset import Dataset
from bench.execution.checkpoints import Checkpoint
from bench.suite.trial import TrialConfig
from bench.training import fit
from bench.training.epoch_progress import Progress
from bench.training.train_trial import TrialOutcome, train_trial

ROUNDING, BFLOAT16, DRAWS = 0.02, 0.06, 0.2
"""How far curves may lie apart: accuracies by themselves, losses over the larger of 1 and the CPU's. Of float32, of
bfloat16, and where the device draws other numbers than the CPU (some hundred images)."""

BASE: dict[str, Any] = {"epochs": 2, "batch_size": 64, "validation": {"tail": 0.2}}
MLP: dict[str, Any] = {"name": "mlp", "hidden": [64, 32]}

NARROW: dict[str, dict[str, Any]] = {
    "mlp": MLP,
    "cnn": {"name": "cnn", "channels": [8, 16], "hidden": [32]},
    "residual_mlp": {"name": "residual_mlp", "stem": 64, "blocks": [64, 32], "hidden": 16},
    "skip_mlp": {"name": "skip_mlp", "stacks": [2]},
    "wide_resnet": {"name": "wide_resnet", "depth": 10, "width_multiplier": 1},
    "resnet9": {"name": "resnet9", "channels": [8, 16, 16, 16], "residual": [2]},
}
"""Models in the size that a CPU trains in seconds; the others as they are by default."""

NEEDED: dict[str, dict[str, Any]] = {"step": {"every": 1}, "sgd": {"lr": 0.05}, "symmetric": {"rate": 0.1},
    "asymmetric": {"rate": 0.1},
}  # fmt: skip
"""Parameters that a schedule needs, or without which nothing would happen in two epochs."""

BESIDE: dict[str, dict[str, Any]] = {"stochastic_depth": {"model": NARROW["residual_mlp"]}}
"""What else a component's configuration needs."""

COMPARED = (
    "preprocessing", "model", "optimizer", "schedule", "loss", "step", "regularizer", "augmentation", "imbalance",
    "label_noise",
)  # fmt: skip
DRAWN_ON_DEVICE = {"dropout", "stochastic_depth"}

SETTINGS: dict[str, dict[str, Any]] = {
    "ema": {"ema": 0.9},
    "test_time": {"test_time": "flip"},
    "refit": {"weights": "best", "early_stopping": {"patience": 1, "monitor": "val_loss"}, "refit": True},
    "compile": {"compile": True},
    "bfloat16": {"precision": "bfloat16"},
    "bfloat16 resnet9": {"precision": "bfloat16", "model": NARROW["resnet9"]},
    "timm's muon": {"optimizer": {"name": "muon", "lr": 0.02}},
    "timm's resnet10t": {"model": {"name": "resnet10t", "stem_width": 8}},
    "static augmentation": {"augmentation": {"combine": [{"name": "flip", "static": True}, "crop"]}},
}

RESUMED: dict[str, dict[str, Any]] = {
    "mlp, dropout, flip": {"regularizer": {"name": "dropout", "rate": 0.3}, "augmentation": "flip"},
    "resnet9, ema, cutmix": {
        "model": NARROW["resnet9"], "ema": 0.9, "augmentation": {"combine": ["flip", "crop", "cutmix"]},
    },
    "cnn, bfloat16, best weights": {"model": NARROW["cnn"], "precision": "bfloat16", "weights": "best"},
}  # fmt: skip


def kinds(small: bool, only: str) -> Iterator[tuple[str, dict[str, Any], float]]:
    """A name, a configuration and a tolerance for each component and setting; of each axis the first where small."""
    for axis in COMPARED:
        for name in list(AXES[axis])[: 1 if small else None]:
            if only not in f"{axis} {name}" or name == "none":
                continue
            component = NARROW.get(name, {"name": name} | NEEDED.get(name, {}))
            config = configuration({"model": MLP, axis: component} | BESIDE.get(name, {}), **BASE)
            drawn = axis == "augmentation" or name in DRAWN_ON_DEVICE
            yield f"{axis} {name}", config, DRAWS if drawn else ROUNDING
    for name, changed in list(SETTINGS.items())[: 1 if small else None]:
        if only in f"setting {name}":
            tolerance = DRAWS if "augmentation" in changed else BFLOAT16 if "bfloat16" in name else ROUNDING
            yield f"setting {name}", with_settings(changed), tolerance


def with_settings(changed: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A configuration of the plain network, or of another, with some axes and settings changed."""
    settings = {name: value for name, value in changed.items() if name != "model"}
    return configuration({"model": changed.get("model", MLP)}, **(BASE | settings | more))


def images(small: bool) -> Dataset:
    warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
    return first(load("fashion_mnist"), 320 if small else 1_280, test=64 if small else 500)


def apart(one: TrialOutcome, other: TrialOutcome) -> float:
    """The largest difference between two trials' curves; infinite where they have not the same epochs."""
    largest = 0.0
    for name, curve in other.curves.items():
        if len(one.curves[name]) != len(curve):
            return float("inf")
        for ours, theirs in zip(one.curves[name], curve, strict=True):
            if (ours is None) != (theirs is None):
                return float("inf")
            if ours is not None and theirs is not None:
                largest = max(largest, abs(ours - theirs) / max(1.0, abs(theirs)))
    return largest


def same_bits(one: TrialOutcome, other: TrialOutcome) -> bool:
    """Whether curves, metrics and predictions are equal to the last bit."""
    if one.predicted is None or other.predicted is None:
        return False
    pairs = zip(vars(one.predicted).values(), vars(other.predicted).values(), strict=True)
    metrics = (one.curves, one.train, one.validation, one.test) == (
        other.curves, other.train, other.validation, other.test,
    )  # fmt: skip
    return metrics and all(np.array_equal(ours, theirs) for ours, theirs in pairs)


def trained(config: dict[str, Any], data: Dataset, device: str) -> TrialOutcome:
    return train_trial(TrialConfig.from_json(config | {"deterministic": True}), 0, data, device)


def correctness(device: str, small: bool, only: str, work: Path) -> Iterator[dict[str, Any]]:
    """For `gpu.py`: a row for every component and setting, then one for every trial that goes on from a checkpoint."""
    data = images(small)
    for name, changed in RESUMED.items():
        if only in f"resumed {name}" and not (small and "mlp" not in name):
            unbroken, part = resumed(with_settings(changed, epochs=4), data, device, work)
            held = "NO, it began anew" if part is None else "yes" if same_bits(unbroken, part) else "NO"
            yield {"trial that goes on": name, "holds": held}
    for name, config, tolerance in kinds(small, only):
        yield {"component": name, "may be": tolerance, **compared(config, data, device, tolerance)}


def compared(config: dict[str, Any], data: Dataset, device: str, tolerance: float) -> dict[str, Any]:
    """How far the device's curves lie from a CPU's, and whether it repeats itself; an error is a part of the row."""
    try:
        there, again = (trained(config, data, device) for _ in range(2))
        difference, repeats = apart(there, trained(config, data, "cpu")), same_bits(there, again)
    except Exception as error:  # the other components are compared all the same
        return {"difference": None, "repeats to the bit": f"{type(error).__name__}: {error}", "holds": "NO"}
    holds = verdict(difference, tolerance, at_least=False) if repeats else "NO"
    return {"difference": difference, "repeats to the bit": "yes" if repeats else "NO", "holds": holds}


class _StoppedError(Exception):
    """Ends a trial after an epoch."""


def resumed(config: dict[str, Any], data: Dataset, device: str, work: Path) -> tuple[TrialOutcome, TrialOutcome | None]:
    """A trial without a break, and one that is stopped after 3 of 4 epochs and goes on after the second.

    None instead of it where it began anew.
    """
    typed = TrialConfig.from_json(config | {"deterministic": True})
    path = work / "resumed" / "checkpoints" / "trial.pt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    went_on: list[int] = []

    def stop(progress: Progress) -> None:
        if progress.epoch == 3:
            raise _StoppedError

    def note(progress: Progress) -> None:
        if progress.resumed is not None:
            went_on.append(progress.epoch)

    def checkpoint() -> Checkpoint:
        return Checkpoint(path, {"device": device}, 0.0, print)

    with patch("bench.execution.checkpoints.MAX_FRACTION", 1e9), contextlib.suppress(_StoppedError):
        train_trial(typed, 0, data, device, stop, checkpoint())
    part = train_trial(typed, 0, data, device, note, checkpoint())
    return train_trial(typed, 0, data, device), part if went_on == [2] else None


class Waiting:
    """The calls within batches that wait for the device, by epoch and by the line of Python that makes them."""

    def __init__(self) -> None:
        self.by_epoch: list[Counter[str]] = []
        self.batches = 0

    @contextlib.contextmanager
    def watch(self, device: str) -> Iterator[None]:
        """Have PyTorch warn of them while a batch is trained on, and count its warnings."""
        train_epoch, train_batch = fit.train_epoch, fit.train_batch

        def epoch(*given: Any) -> Any:
            self.by_epoch.append(Counter())
            return train_epoch(*given)

        def batch(*given: Any) -> None:
            self.batches += 1
            with warnings.catch_warnings(record=True) as caught, debug_mode(device):
                warnings.simplefilter("always")
                train_batch(*given)
            for warning in caught:
                if "synchronizing CUDA operation" in str(warning.message):
                    self.by_epoch[-1][f"{Path(warning.filename).name}:{warning.lineno}"] += 1

        with patch.object(fit, "train_epoch", epoch), patch.object(fit, "train_batch", batch):
            yield


@contextlib.contextmanager
def debug_mode(device: str) -> Iterator[None]:
    """PyTorch's sync debug mode, which a CPU has none of."""
    if torch.device(device).type != "cuda":
        yield
        return
    torch.cuda.set_sync_debug_mode("warn")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


def synchronization(device: str, small: bool, only: str, work: Path) -> Iterator[dict[str, Any]]:  # noqa: ARG001
    """For `gpu.py`: a row for every component and setting; what only the first epoch does is preparation."""
    data = images(small)
    for name, config, _ in kinds(small, only):
        waiting = Waiting()
        try:
            with waiting.watch(device):
                train_trial(TrialConfig.from_json(config), 0, data, device)
            later = sum(waiting.by_epoch[1:], Counter())
            held = "NO" if later else "yes" if torch.device(device).type == "cuda" else "not seen on a CPU"
            where = ", ".join(f"{line} x {count}" for line, count in later.most_common(3))
        except Exception as error:
            later, held, where = Counter(), "NO", f"{type(error).__name__}: {error}"
        yield {
            "component": name, "batches": waiting.batches,
            "waits in the first epoch": sum(sum(waiting.by_epoch[:1], Counter()).values()),
            "later": sum(later.values()), "where": where, "holds": held,
        }  # fmt: skip
