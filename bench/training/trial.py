"""One trial, whole: split, build, train, choose, test once.

Everything that may change a figure is drawn from the trial's configuration and seed, so the same trial gives
the same figures to the last bit on the same CPU, in any process, in any order.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from bench.data import Dataset
from bench.data.preprocessing import fit as fit_preprocessing
from bench.data.splits import split
from bench.models.measure import count_parameters, forward_flops
from bench.models.create import create as create_model
from bench.training import augment, losses, optimizers, schedules
from bench.training.evaluation import Predicted, logits_of, metrics, pixels, predictions
from bench.training.regularizers import Effects, combine
from bench.training.seeds import generator, stream_seed

Curves = dict[str, list[float | None]]


@dataclass(frozen=True)
class Progress:
    """What is told after every epoch: figures so far, never the test set's."""

    epoch: int
    epochs: int
    figures: dict[str, float | None]
    train_seconds: float


@dataclass
class Outcome:
    """What a trial found and what it cost. `status` is complete or diverged; seconds, bytes and counts are
    as in `bench.ledger.record`."""

    status: str
    curves: Curves
    epochs_run: int
    classes: list[str]
    parameters: int
    parameters_trainable: int
    flops: int
    chosen_epoch: int | None = None
    train: dict[str, float] | None = None
    validation: dict[str, float] | None = None
    test: dict[str, float] | None = None
    predicted: Predicted | None = None
    train_seconds: float = 0.0
    evaluation_seconds: float = 0.0


@dataclass
class Fit:
    """A finished training: the model with the weights that count, and how it got there."""

    model: nn.Module
    curves: Curves
    chosen_epoch: int
    diverged: bool = False
    train_seconds: float = 0.0
    evaluation_seconds: float = 0.0


@dataclass(frozen=True)
class Pictures:
    """A data set on the device: uint8 (N, C, H, W) and labels (N,), with the parts as index tensors."""

    images: Tensor
    labels: Tensor
    train: Tensor
    validation: Tensor
    extras: dict[str, Any] = field(default_factory=dict)


def train_trial(
    config: dict[str, Any],
    seed: int,
    data: Dataset,
    device: torch.device | str = "cpu",
    report: Callable[[Progress], None] = lambda _: None,
) -> Outcome:
    """Train one configuration with one seed and test it once.

    Parameters
    ----------
    config : a resolved configuration, see `bench.suite.expand.Configuration`.
    data : uint8 pictures (N, C, H, W) and labels (N,), train and test part; not written to.
    report : called after every epoch; what it raises ends the trial and is passed on.
    """
    device = torch.device(device)
    # Regularised weights that decay towards zero end as denormal numbers, which a CPU multiplies 5 to 30 times
    # slower; they count as zero from here on (the same figures, measured).
    torch.set_flush_denormal(True)
    torch.use_deterministic_algorithms(config["deterministic"])
    torch.backends.cudnn.benchmark = not config["deterministic"]
    train_index, validation_index = split(data.train_labels, config["validation"])
    pictures = Pictures(
        torch.from_numpy(data.train_images).to(device),
        torch.from_numpy(data.train_labels).to(device).long(),
        torch.from_numpy(train_index).to(device),
        torch.from_numpy(validation_index).to(device),
    )
    statistics = fit_preprocessing(config["preprocessing"], data.train_images[train_index])
    shape = (data.train_images.shape[1], data.train_images.shape[2], data.train_images.shape[3])
    effects = combine(config["regularizer"])

    def build() -> nn.Module:
        torch.manual_seed(stream_seed(seed, "init"))
        net = create_model(config["model"], shape, len(data.classes), (statistics.mean, statistics.std), effects.model)
        # Convolutions on a CPU are 1.3 to 2 times as fast with the channels last, and never slower by as much.
        return net.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]

    model = build()
    total, trainable = count_parameters(model)
    flops = forward_flops(model, shape)
    done = fit(model, config, seed, pictures, effects, report)
    outcome = Outcome(
        status="diverged" if done.diverged else "complete",
        curves=done.curves,
        epochs_run=len(done.curves["train_loss"]),
        classes=list(data.classes),
        parameters=total,
        parameters_trainable=trainable,
        flops=flops,
        train_seconds=done.train_seconds,
        evaluation_seconds=done.evaluation_seconds,
    )
    if done.diverged:
        return outcome
    start = time.perf_counter()
    autocast = _autocast(config)
    outcome.chosen_epoch = done.chosen_epoch
    if len(pictures.validation):
        outcome.validation = _figures(done.model, pictures, pictures.validation, autocast)
    if config["refit"]:
        everything = replace(
            pictures,
            train=torch.cat([pictures.train, pictures.validation]).sort().values,
            validation=pictures.validation[:0],
        )
        again = fit(build(), {**config, "weights": "last"}, seed, everything, effects, epochs=done.chosen_epoch)
        if again.diverged:
            outcome.status = "diverged"
            return outcome
        outcome.train_seconds += again.train_seconds
        done, pictures = replace(again, chosen_epoch=done.chosen_epoch), everything
    outcome.train = _figures(done.model, pictures, pictures.train, autocast)
    test_images = torch.from_numpy(data.test_images).to(device)
    test_labels = torch.from_numpy(data.test_labels).to(device).long()
    logits = logits_of(done.model, test_images, torch.arange(len(test_labels), device=device), autocast)
    outcome.test = metrics(logits, test_labels)
    outcome.predicted = predictions(logits, test_labels)
    outcome.evaluation_seconds += time.perf_counter() - start
    return outcome


def fit(
    model: nn.Module,
    config: dict[str, Any],
    seed: int,
    pictures: Pictures,
    effects: Effects,
    report: Callable[[Progress], None] = lambda _: None,
    epochs: int | None = None,
) -> Fit:
    """Train a model for the configured budget, or for the first `epochs` of it (a refit).

    Nothing inside an epoch waits for the device: loss and hits are summed there and read once at its end.
    """
    device = pictures.images.device
    count, batch_size = len(pictures.train), config["batch_size"]
    steps_per_epoch = math.ceil(count / batch_size)
    optimizer = optimizers.create(
        config["optimizer"], optimizers.parameter_groups(model, effects.weight_decay, effects.kernels_only)
    )
    factor = schedules.create(config["schedule"], config["epochs"], steps_per_epoch)
    rates = [group["lr"] for group in optimizer.param_groups]
    loss_of = losses.create(config["loss"], effects.label_smoothing)
    penalties = [penalty(model) for penalty in effects.penalties]
    autocast = _autocast(config)
    net = torch.compile(model) if config["compile"] else model

    static, per_batch = augment.build(config["augmentation"])
    images, labels, train = pictures.images, pictures.labels, pictures.train
    if static is not None:
        images, labels, train = _drawn_once(static, pictures, generator(seed, "static augmentation", device))
    draws = generator(seed, "augmentation", device)
    orders = generator(seed, "order")
    torch.manual_seed(stream_seed(seed, "dropout"))  # nn.Dropout draws from the global stream, and nothing else does

    names = ["train_loss", "train_accuracy", *(["val_loss", "val_accuracy"] if len(pictures.validation) else []), "lr"]
    out = Fit(model, {name: [] for name in names}, chosen_epoch=0)
    chooser = _Chooser(config, model)
    step = 0
    for epoch in range(1, (epochs or config["epochs"]) + 1):
        start = time.perf_counter()
        model.train()
        order = train[torch.randperm(count, generator=orders).to(device)]
        loss_sum = torch.zeros((), device=device)
        right = torch.zeros((), device=device, dtype=torch.long)
        for part in order.split(batch_size):
            if factor is not None:
                for group, rate in zip(optimizer.param_groups, rates, strict=True):
                    group["lr"] = rate * factor(step)
            x, y = pixels(images[part]), labels[part]
            if per_batch is not None:
                x = per_batch(x, draws)
            with torch.autocast(device.type, autocast, enabled=autocast is not None):
                logits = net(x)
                loss = loss_of(logits, y)
            optimizer.zero_grad()
            loss.backward()
            for add_gradient in penalties:
                add_gradient()
            optimizer.step()
            step += 1
            loss_sum += loss.detach() * len(part)
            right += (logits.detach().argmax(1) == y).sum()
        figures: dict[str, float | None] = {
            "train_loss": _finite(float(loss_sum) / count),
            "train_accuracy": int(right) / count,
            "lr": float(optimizer.param_groups[0]["lr"]),
        }
        out.train_seconds += time.perf_counter() - start
        out.diverged = figures["train_loss"] is None
        if len(pictures.validation) and not out.diverged:
            start = time.perf_counter()
            val = _figures(model, pictures, pictures.validation, autocast)
            figures |= {"val_loss": _finite(val["loss"]), "val_accuracy": val["accuracy"]}
            out.diverged = figures["val_loss"] is None
            out.evaluation_seconds += time.perf_counter() - start
        for name, curve in out.curves.items():
            curve.append(figures.get(name))
        report(Progress(epoch, config["epochs"], figures, out.train_seconds))
        if out.diverged or chooser.stop_after(epoch, figures):
            break
    out.chosen_epoch = chooser.restore(model, last=len(out.curves["train_loss"]))
    return out


class _Chooser:
    """Remembers the best epoch by validation, and says when patience has run out."""

    def __init__(self, config: dict[str, Any], model: nn.Module):
        stopping = config["early_stopping"] or {}
        self.patience = stopping.get("patience")
        self.monitor = stopping.get("monitor", "val_accuracy")
        self.min_delta = stopping.get("min_delta", 0.0)
        self.keep = config["weights"] == "best"
        self.model = model
        self.best = -math.inf
        self.best_epoch = 0
        self.weights: dict[str, Tensor] = {}

    def stop_after(self, epoch: int, figures: dict[str, float | None]) -> bool:
        figure = figures.get(self.monitor)
        if figure is None:
            return False
        score = -figure if self.monitor == "val_loss" else figure
        if score > self.best + (self.min_delta if self.best_epoch else 0.0):
            self.best, self.best_epoch = score, epoch
            if self.keep:
                self.weights = {name: value.clone() for name, value in self.model.state_dict().items()}
        return self.patience is not None and epoch - self.best_epoch >= self.patience

    def restore(self, model: nn.Module, last: int) -> int:
        """Put the weights that count into the model; the epoch they are from."""
        if not self.weights:
            return last
        model.load_state_dict(self.weights)
        return self.best_epoch


def _drawn_once(
    static: Callable[[Tensor, torch.Generator], Tensor], pictures: Pictures, draws: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """The training part augmented once, as floats (noise does not fit into bytes), its labels and its indices."""
    parts = [static(pixels(pictures.images[part]), draws) for part in pictures.train.split(1000)]
    labels = pictures.labels[pictures.train]
    return torch.cat(parts), labels, torch.arange(len(labels), device=labels.device)


def _figures(model: nn.Module, pictures: Pictures, index: Tensor, autocast: torch.dtype | None) -> dict[str, float]:
    return metrics(logits_of(model, pictures.images, index, autocast), pictures.labels[index])


def _autocast(config: dict[str, Any]) -> torch.dtype | None:
    return torch.bfloat16 if config["precision"] == "bfloat16" else None


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
