"""The training loop: one model, one device, one epoch after the other."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from bench.training import augment, loss_functions, lr_schedules, mixing, optimizer_factory
from bench.training.best_checkpoint import EMA, EarlyStopping, Figures
from bench.training.checkpoint import Save, State, UnfitStateError, capture, restore
from bench.training.distributed import SINGLE_PROCESS, DistributedContext
from bench.training.evaluation import PRECISIONS, as_tested, evaluate, pixels
from bench.training.random_streams import generator, seed_global_streams
from bench.training.regularization import RegularizerSpec

Curves = dict[str, list[float | None]]


@dataclass(frozen=True)
class TrainingData:
    """A data set on the device: uint8 (N, C, H, W) and labels (N,), with the parts as index tensors."""

    images: Tensor
    labels: Tensor
    classes: int
    train: Tensor
    validation: Tensor


@dataclass(frozen=True)
class Progress:
    """What is told after every epoch: figures so far, never the test set's.

    `refit`: of the second training, with a budget of its own. `resumed`: nothing was trained just now, the trial goes
    on after this epoch from a saved state; the curves of the epochs that lie behind it.
    """

    epoch: int
    epochs: int
    figures: Figures
    train_seconds: float
    refit: bool = False
    resumed: Curves | None = None


@dataclass
class FitResult:
    """A finished training: the model with the weights that count, and how it got there."""

    model: nn.Module
    curves: Curves
    best_epoch: int = 0
    diverged: bool = False
    train_seconds: float = 0.0
    evaluation_seconds: float = 0.0


def fit(
    model: nn.Module,
    config: dict[str, Any],
    seed: int,
    data: TrainingData,
    effects: RegularizerSpec,
    report: Callable[[Progress], None] = lambda _: None,
    epochs: int | None = None,
    followed: Curves | None = None,
    saved: State | None = None,
    save: Save = lambda _: None,
    ranks: DistributedContext = SINGLE_PROCESS,
) -> FitResult:
    """Train a model for the configured budget, or for the first `epochs` of it (a refit).

    A schedule that follows validation follows these `followed` curves where they are given (a refit's search).
    Training goes on from a state `saved` where one is given, to the same bits as without a break; `save` is offered one
    after every epoch but the last. Raises UnfitStateError when `saved` is not a state of this training.

    Several ranks take the same batches in the same order, each rank its slice of every one, and gradients are weighted
    by the slices' sizes. What is drawn for a batch (augmentation, dropout) each rank draws from streams of its own.

    Nothing inside an epoch waits for the device: loss and hits are summed there and read once at its end. The
    curves' train_loss is the mean over the epoch's batches as they were trained on (augmented, smoothed, with
    dropout) and leaves l1 and l2 penalties out; lr is that of the epoch's last step. The first loss or learning rate
    that is not finite ends the training as diverged and stands as None.
    """
    device = data.images.device
    static, per_batch = augment.build(config["augmentation"])
    mix = mixing.build(config["augmentation"])
    images, labels, train = data.images, data.labels, data.train
    if static is not None:
        images, labels, train = _drawn_once(static, data, train, generator(seed, "static augmentation", device))
    draws = generator(seed, "augmentation", device, ranks.rank)
    orders = generator(seed, "order")
    # nn.Dropout draws from torch's, a user's network perhaps from the others.
    seed_global_streams(seed, "dropout", ranks.rank)

    count = len(train)
    sizes = batch_sizes(count, config["batch_size"])
    groups = optimizer_factory.parameter_groups(model, effects.weight_decay, effects.kernels_only)
    optimizer = optimizer_factory.create(config["optimizer"], groups)
    rates = [group["lr"] for group in optimizer.param_groups]
    loss_of = loss_functions.create(config["loss"], effects.label_smoothing)
    plain_loss = loss_functions.create(config["loss"], label_smoothing=0.0)
    penalties = [penalty(model, data.classes) for penalty in effects.penalties]
    constraints = [constraint(model, data.classes) for constraint in effects.constraints]
    autocast = PRECISIONS[config["precision"]]
    if config["compile"]:
        torch.compiler.reset()  # else code compiled for an earlier trial's network serves this one, rounding otherwise
    spread = ranks.parallel(model)
    net = torch.compile(spread) if config["compile"] else spread
    average = EMA(model, config["ema"]) if config.get("ema") else None
    counted = average.model if average else model
    judged = as_tested(counted, config)

    held_out = validation_part(config, seed, data)
    validates = len(data.validation) > 0
    names = ["train_loss", "train_accuracy", *(["val_loss", "val_accuracy"] if validates else []), "lr"]
    out = FitResult(model, {name: [] for name in names})
    course = lr_schedules.ScheduleContext(
        config["epochs"], len(sizes), rates[0], out.curves if followed is None else followed
    )
    factor = lr_schedules.create(config["schedule"], course)
    chooser = EarlyStopping(config, counted)
    budget = epochs or config["epochs"]
    streams = {"orders": orders, "augmentation": draws}
    step = 0

    def state() -> State:
        return {
            "step": step,
            "curves": out.curves,
            "seconds": [out.train_seconds, out.evaluation_seconds],
            "chooser": chooser.state(),
            "training": capture(model, optimizer, streams, device, ranks),
            **({"average": average.state()} if average else {}),
        }

    if saved is not None:
        try:
            restore(saved["training"], model, optimizer, streams, device, ranks)
            chooser.go_on(saved["chooser"])
            if average:
                average.go_on(saved["average"])
            step = saved["step"]
            out.train_seconds, out.evaluation_seconds = saved["seconds"]
            for name, curve in out.curves.items():
                curve += saved["curves"][name]
        except Exception as error:  # torch raises many kinds when shapes or names differ
            raise UnfitStateError(f"{type(error).__name__}: {error}") from error
        told = {name: curve.copy() for name, curve in out.curves.items()}
        report(Progress(len(told["lr"]), budget, {}, out.train_seconds, resumed=told))
    for epoch in range(len(out.curves["lr"]) + 1, budget + 1):
        start = time.perf_counter()
        model.train()
        order = train[torch.randperm(count, generator=orders).to(device)]
        loss_sum = torch.zeros((), device=device)
        right = torch.zeros((), device=device, dtype=torch.long)
        for batch in torch.split(order, sizes):
            share = ranks.share(batch)
            part = share.part
            if factor is not None:
                for group, rate in zip(optimizer.param_groups, rates, strict=True):
                    group["lr"] = rate * factor(step)
            x, y = pixels(images.index_select(0, part)), labels[part]  # whole images at a time, unlike images[part]
            if per_batch is not None:
                x = per_batch(x, draws)
            targets = y
            if mix is not None:
                x, targets = mix(x, y, data.classes, draws)
                y = targets.argmax(1)  # a hit is the label with the larger share
            with torch.autocast(device.type, autocast, enabled=autocast is not None):
                logits = net(x)
                loss = loss_of(logits, targets)
            optimizer.zero_grad()
            (loss * share.weight if ranks.several else loss).backward()  # type: ignore[no-untyped-call]
            for add_gradient in penalties:
                add_gradient()
            optimizer.step()
            for bring_back in constraints:
                bring_back()
            if average:
                average.update(step)
            step += 1
            if share.counted:
                loss_sum += loss.detach() * len(part)
                right += (logits.detach().argmax(1) == y).sum()
        ranks.total(loss_sum, right)
        ranks.same_buffers(model)
        if average:
            ranks.same_buffers(average.model)
        figures: Figures = {
            "train_loss": _finite(float(loss_sum) / count),
            "train_accuracy": int(right) / count,
            "lr": _finite(float(optimizer.param_groups[0]["lr"])),
        }
        out.train_seconds += time.perf_counter() - start
        out.diverged = figures["train_loss"] is None or figures["lr"] is None
        if validates and not out.diverged:
            start = time.perf_counter()
            found = evaluate(judged, *held_out, autocast, plain_loss, ranks)
            figures |= ranks.agreed({"val_loss": _finite(found["loss"]), "val_accuracy": found["accuracy"]})
            out.diverged = figures["val_loss"] is None
            out.evaluation_seconds += time.perf_counter() - start
        for name, curve in out.curves.items():
            curve.append(figures.get(name))
        stops = out.diverged or chooser.stop_after(epoch, figures)
        if not stops and epoch < budget:
            save(state)
        report(Progress(epoch, budget, figures, out.train_seconds))
        if stops:
            break
    out.best_epoch = chooser.restore(counted, last=epoch)
    if average:
        average.hand_over()
    return out


def validation_part(config: dict[str, Any], seed: int, data: TrainingData) -> tuple[Tensor, Tensor, Tensor]:
    """Images, labels and indices into them of the images that validate, augmented where the configuration says so.

    Drawn once, from a stream of their own: what training draws is the same with and without them.
    """
    static = augment.build_validation(config["augmentation"])
    if static is None or not len(data.validation):
        return data.images, data.labels, data.validation
    draws = generator(seed, "static augmentation of validation", data.images.device)
    return _drawn_once(static, data, data.validation, draws)


def batch_sizes(count: int, batch_size: int) -> list[int]:
    """The sizes of an epoch's batches; the last one is smaller where `count` asks for it, as Keras has it.

    A single image left over joins the batch before it: batch normalisation has no variance of one value, and
    PyTorch raises there.
    """
    full, left = divmod(count, batch_size)
    sizes = [batch_size] * full
    if left == 1 and full:
        sizes[-1] += 1
    elif left:
        sizes.append(left)
    return sizes


def _drawn_once(
    static: augment.Augment, data: TrainingData, index: Tensor, draws: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """A part augmented once, as floats (noise does not fit into bytes), its labels and its indices."""
    parts = [static(pixels(data.images.index_select(0, part)), draws) for part in torch.split(index, 1000)]
    labels = data.labels[index]
    return torch.cat(parts), labels, torch.arange(len(labels), device=labels.device)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
