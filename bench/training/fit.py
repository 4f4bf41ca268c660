"""The training loop: one model on one device. Set up; then for every epoch train, validate, decide, checkpoint."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Container
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bench.suite.schema import EarlyStoppingRule
from bench.suite.trial import TrialConfig
from bench.training import augment, lr_schedules, objective, optimizer_factory
from bench.training.checkpoint import (
    EMA,
    BestCheckpoint,
    EarlyStopping,
    Save,
    State,
    UnfitStateError,
    capture,
    restore,
)
from bench.training.distributed import SINGLE_PROCESS, DistributedContext
from bench.training.epoch_progress import Curves, EpochMetrics, Progress
from bench.training.evaluation import PRECISIONS, evaluate, pixels, with_test_time_augmentation
from bench.training.objective import RegularizerSpec
from bench.training.runtime import generator, seed_global_streams
from bench.training.step_functions import Batch
from bench.training.step_functions import create as create_step


@dataclass(frozen=True)
class TrainingData:
    """A data set on the device: uint8 (N, C, H, W) and labels (N,), with the parts as index tensors.

    `validation` indexes `images`, or `given`, the images and labels of a validation part that comes with the data set.
    """

    images: Tensor
    labels: Tensor
    classes: int
    train: Tensor
    validation: Tensor
    given: tuple[Tensor, Tensor] | None = None


@dataclass
class FitResult:
    """A finished training: the model with the selected weights, and its curves."""

    model: nn.Module
    curves: Curves
    best_epoch: int = 0
    diverged: bool = False
    train_seconds: float = 0.0
    evaluation_seconds: float = 0.0


def fit(
    model: nn.Module,
    config: TrialConfig,
    seed: int,
    data: TrainingData,
    regularizers: RegularizerSpec,
    report: Callable[[Progress], None] = lambda _: None,
    epochs: int | None = None,
    search_curves: Curves | None = None,
    saved: State | None = None,
    save: Save = lambda _: None,
    distributed: DistributedContext = SINGLE_PROCESS,
    pause_after: Container[int] = (),
    save_now: Save = lambda _: None,
) -> FitResult:
    """Train a model for the configured budget, or for the first `epochs` of it (a refit).

    A schedule that follows validation follows `search_curves` where they are given (a refit has no validation).
    Training goes on from a state `saved` where one is given, to the same bits as without a break; `save` is offered one
    after every epoch but the last. Raises UnfitStateError when `saved` is not a state of this training. The driver may
    pause the training with the report of an epoch in `pause_after`, so `save_now` gets the state before that.

    Several ranks take the same batches in the same order, each rank its slice of every one, and gradients are weighted
    by the slices' sizes. Each rank draws what a batch needs (augmentation, dropout) from streams of its own.

    Nothing inside an epoch waits for the device: loss and hits are summed there and read once at its end. The
    curves' train_loss is the mean over the epoch's batches as they were trained on (augmented, smoothed, with
    dropout) and leaves l1 and l2 penalties out; lr is that of the epoch's last step. The first loss or learning rate
    that is not finite ends the training as diverged and stands as None.
    """
    budget = epochs or config.epochs
    training = Training(model, config, seed, data, regularizers, search_curves, distributed)
    result = training.result
    if saved is not None:
        training.load_state_dict(saved)
        curves = {name: curve.copy() for name, curve in result.curves.items()}
        report(Progress(len(curves["lr"]), budget, {}, result.train_seconds, resumed=curves))
    for epoch in range(len(result.curves["lr"]) + 1, budget + 1):
        metrics = train_epoch(training)
        validate(training, metrics)
        stop = decide(training, epoch, metrics)
        ends = stop or epoch == budget
        pauses = not ends and epoch in pause_after
        if pauses:
            save_now(training.state_dict)
        # Else reported first: a state is that of an epoch after which the driver lets the trial go on.
        report(Progress(epoch, budget, metrics, result.train_seconds))
        if ends:
            break
        if not pauses:
            save(training.state_dict)
    result.best_epoch = training.best.restore(last_epoch=epoch)
    if training.ema:
        training.ema.copy_to_network()
    return result


class Training:
    """Everything that the epochs of one training share, set up before the first of them."""

    def __init__(
        self,
        model: nn.Module,
        config: TrialConfig,
        seed: int,
        data: TrainingData,
        regularizers: RegularizerSpec,
        search_curves: Curves | None,
        distributed: DistributedContext,
    ):
        self.model, self.data, self.distributed = model, data, distributed
        self.device = data.images.device
        self.autocast = PRECISIONS[config.precision]
        static_augment, self.augment = augment.create_augmentation(config.augmentation)
        self.mix = augment.create_mixing(config.augmentation)
        self.images, self.labels, self.train = data.images, data.labels, data.train
        if static_augment is not None:
            stream = generator(seed, "static augmentation", self.device)
            self.images, self.labels, self.train = _augmented_once(
                static_augment, data.images, data.labels, data.train, stream
            )
        self.validation = validation_part(config, seed, data)
        self.generators = {
            "order": generator(seed, "order"),
            "augmentation": generator(seed, "augmentation", self.device, distributed.rank),
        }
        # nn.Dropout draws from torch's, a user's network perhaps from the others.
        seed_global_streams(seed, "dropout", distributed.rank)

        groups = optimizer_factory.parameter_groups(model, regularizers.weight_decay, regularizers.kernels_only)
        self.optimizer = optimizer_factory.create(config.optimizer, groups)
        self.learning_rates = [group["lr"] for group in self.optimizer.param_groups]
        self.training_loss = objective.create_loss(config.loss, regularizers.label_smoothing)
        self.evaluation_loss = objective.create_loss(config.loss, label_smoothing=0.0)
        self.penalties = [penalty(model, data.classes) for penalty in regularizers.penalties]
        self.constraints = [constraint(model, data.classes) for constraint in regularizers.constraints]
        if config.compile:
            torch.compiler.reset()  # else code compiled for an earlier trial's network serves this one
        parallel = distributed.parallel(model)
        self.net = torch.compile(parallel) if config.compile else parallel

        self.ema = EMA(model, config.ema) if config.ema else None
        selected = self.ema.model if self.ema else model
        self.eval_model = with_test_time_augmentation(selected, config)
        stopping = config.early_stopping or EarlyStoppingRule(patience=2**31)
        self.best = BestCheckpoint(selected, stopping.monitor, keep_weights=config.weights == "best")
        self.early_stopping = EarlyStopping(stopping.monitor, stopping.patience, stopping.min_delta)

        self.batch_sizes = batch_sizes(len(self.train), config.batch_size)
        validation_curves = ["val_loss", "val_accuracy"] if len(data.validation) else []
        self.result = FitResult(
            model, {name: [] for name in ("train_loss", "train_accuracy", *validation_curves, "lr")}
        )
        context = lr_schedules.ScheduleContext(
            epochs=config.epochs,
            steps_per_epoch=len(self.batch_sizes),
            learning_rate=self.learning_rates[0],
            curves=self.result.curves if search_curves is None else search_curves,
        )
        self.schedule = lr_schedules.create(config.schedule, context)
        self.take_step = create_step(config.step)
        self.step = 0

    def state_dict(self) -> State:
        """All that training has changed, as `bench.training.checkpoint.State`."""
        return {
            "step": self.step,
            "curves": self.result.curves,
            "seconds": [self.result.train_seconds, self.result.evaluation_seconds],
            "best": self.best.state_dict(),
            "early_stopping": self.early_stopping.state_dict(),
            "training": capture(self.model, self.optimizer, self.generators, self.device, self.distributed),
            **({"ema": self.ema.state_dict()} if self.ema else {}),
        }

    def load_state_dict(self, saved: State) -> None:
        """Go on from a `state_dict`; UnfitStateError where it is not one of this training."""
        result = self.result
        try:
            restore(saved["training"], self.model, self.optimizer, self.generators, self.device, self.distributed)
            self.best.load_state_dict(saved["best"])
            self.early_stopping.load_state_dict(saved["early_stopping"])
            if self.ema:
                self.ema.load_state_dict(saved["ema"])
            self.step = saved["step"]
            result.train_seconds, result.evaluation_seconds = saved["seconds"]
            for name, curve in result.curves.items():
                curve += saved["curves"][name]
        except Exception as error:  # torch raises many kinds when shapes or names differ
            raise UnfitStateError(f"{type(error).__name__}: {error}") from error


def train_epoch(training: Training) -> EpochMetrics:
    """Train on every batch once, in a new order; the epoch's training metrics."""
    start = time.perf_counter()
    training.model.train()
    count = len(training.train)
    order = training.train[torch.randperm(count, generator=training.generators["order"]).to(training.device)]
    loss_sum = torch.zeros((), device=training.device)
    hits = torch.zeros((), device=training.device, dtype=torch.long)
    for indices in torch.split(order, training.batch_sizes):
        train_batch(training, indices, loss_sum, hits)
    training.distributed.all_reduce(loss_sum, hits)
    training.distributed.broadcast_buffers(training.model)
    if training.ema:
        training.distributed.broadcast_buffers(training.ema.model)
    metrics: EpochMetrics = {
        "train_loss": _finite(float(loss_sum) / count),
        "train_accuracy": int(hits) / count,
        "lr": _finite(float(training.optimizer.param_groups[0]["lr"])),
    }
    training.result.train_seconds += time.perf_counter() - start
    return metrics


def train_batch(training: Training, indices: Tensor, loss_sum: Tensor, hits: Tensor) -> None:
    """One step on this rank's slice of a batch; its loss and hits are added to the epoch's sums on the device."""
    batch_slice = training.distributed.batch_slice(indices)
    if training.schedule is not None:
        factor = training.schedule(training.step)
        for group, learning_rate in zip(training.optimizer.param_groups, training.learning_rates, strict=True):
            group["lr"] = learning_rate * factor
    # index_select copies whole images at a time, unlike images[indices]
    images = pixels(training.images.index_select(0, batch_slice.indices))
    labels = training.labels[batch_slice.indices]
    if training.augment is not None:
        images = training.augment(images, training.generators["augmentation"])
    targets = labels
    if training.mix is not None:
        images, targets = training.mix(images, labels, training.data.classes, training.generators["augmentation"])
        labels = targets.argmax(1)  # a hit is the label with the larger weight
    batch = Batch(
        net=training.net,
        model=training.model,
        optimizer=training.optimizer,
        loss=training.training_loss,
        images=images,
        targets=targets,
        penalties=training.penalties,
        weight=batch_slice.weight if training.distributed.is_distributed else None,
        autocast=training.autocast,
    )
    training.take_step(batch)
    loss, logits = batch.first_result()
    for constrain in training.constraints:
        constrain()
    if training.ema:
        training.ema.update(training.step)
    training.step += 1
    if batch_slice.counted:
        loss_sum += loss * len(labels)
        hits += (logits.argmax(1) == labels).sum()


def validate(training: Training, metrics: EpochMetrics) -> None:
    """Add the validation metrics to the epoch's, unless it has diverged or there are no validation images."""
    result = training.result
    result.diverged = metrics["train_loss"] is None or metrics["lr"] is None
    if "val_loss" not in result.curves or result.diverged:
        return
    start = time.perf_counter()
    values = evaluate(
        training.eval_model, *training.validation, training.autocast, training.evaluation_loss, training.distributed
    )
    # Rank 0's values on all ranks, so that none decides otherwise for a last bit.
    metrics |= training.distributed.broadcast({"val_loss": _finite(values["loss"]), "val_accuracy": values["accuracy"]})
    result.diverged = metrics["val_loss"] is None
    result.evaluation_seconds += time.perf_counter() - start


def decide(training: Training, epoch: int, metrics: EpochMetrics) -> bool:
    """Append the epoch to the curves, keep its weights if it is the best one; whether training ends with it."""
    for name, curve in training.result.curves.items():
        curve.append(metrics.get(name))
    if training.result.diverged:
        return True
    training.best.update(epoch, metrics)
    return training.early_stopping.should_stop(metrics)


def validation_part(config: TrialConfig, seed: int, data: TrainingData) -> tuple[Tensor, Tensor, Tensor]:
    """Images, labels and indices into them of the images that validate, augmented where the configuration says so.

    Drawn once, from a stream of their own: what training draws is the same with and without them.
    """
    static_augment = augment.build_validation(config.augmentation)
    images, labels = data.given or (data.images, data.labels)
    if static_augment is None or not len(data.validation):
        return images, labels, data.validation
    stream = generator(seed, "static augmentation of validation", images.device)
    return _augmented_once(static_augment, images, labels, data.validation, stream)


def batch_sizes(count: int, batch_size: int) -> list[int]:
    """The sizes of an epoch's batches; the last one is smaller where `count` asks for it, as Keras has it.

    A single image left over joins the batch before it: batch normalisation has no variance of one value, and
    PyTorch raises an error.
    """
    full, remainder = divmod(count, batch_size)
    sizes = [batch_size] * full
    if remainder == 1 and full:
        sizes[-1] += 1
    elif remainder:
        sizes.append(remainder)
    return sizes


def _augmented_once(
    static_augment: augment.Augment, images: Tensor, labels: Tensor, indices: Tensor, stream: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """A part augmented once, as floats (noise does not fit into bytes), its labels and its indices."""
    parts = [static_augment(pixels(images.index_select(0, part)), stream) for part in torch.split(indices, 1000)]
    return torch.cat(parts), labels[indices], torch.arange(len(indices), device=labels.device)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
