"""One trial from its configuration to its test metrics: split, build, train, refit, test once.

Everything that may change a result is drawn from the trial's configuration and seed, so the same trial gives
the same results to the last bit on the same CPU, in any process, in any order.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Container
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from bench.components.data_questions import SEVERITIES
from bench.data import Dataset
from bench.data.prepare import split
from bench.data.training_part import TrainingPart, training_part
from bench.errors import UserError
from bench.metrics import LabelledProbabilities, Predictions
from bench.models.count_operations import count_parameters, forward_flops
from bench.suite.trial import NetworkOrigin, TrialConfig
from bench.training import objective, runtime
from bench.training.checkpoint import Checkpointer, Save, SharedCheckpointer, State, UnfitStateError
from bench.training.distributed import SINGLE_PROCESS, DistributedContext
from bench.training.epoch_progress import Curves, Progress
from bench.training.evaluation import PRECISIONS, final_metrics, predict_logits
from bench.training.evaluation import with_test_time_augmentation as tested_model
from bench.training.fit import TrainingData, fit, validation_part
from bench.training.network import WeightsMetadata, build_network, to_safetensors
from bench.training.objective import RegularizerSpec, combine
from bench.training.runtime import global_streams_kept, seed_global_streams, wait_for
from bench.user_code.run_code import call_component


@dataclass
class TrialOutcome:
    """A trial's results and costs. `status` is complete or diverged; seconds, bytes and counts are as in
    `bench.ledger.record`."""

    status: str
    curves: Curves
    epochs_run: int
    classes: list[str]
    parameters: int
    parameters_trainable: int
    flops: int
    train_images: int
    wrong_labels: int
    best_epoch: int | None = None
    train: dict[str, float] | None = None
    validation: dict[str, float] | None = None
    test: dict[str, float] | None = None
    predicted: Predictions | None = None
    validation_predicted: LabelledProbabilities | None = None
    robustness: dict[str, list[float]] | None = None
    train_seconds: float = 0.0
    evaluation_seconds: float = 0.0
    images_per_second: float | None = None
    weights: bytes | None = None


@dataclass(frozen=True)
class TrialSetup:
    """What the parts of one trial share."""

    config: TrialConfig
    seed: int
    data: Dataset
    device: torch.device
    regularizers: RegularizerSpec
    report: Callable[[Progress], None]
    save: Save
    distributed: DistributedContext
    network_origin: NetworkOrigin | None
    pause_after: Container[int] = ()
    save_now: Save = lambda _: None


def train_trial(
    config: TrialConfig,
    seed: int,
    data: Dataset,
    device: torch.device | str = "cpu",
    report: Callable[[Progress], None] = lambda _: None,
    checkpointer: Checkpointer | None = None,
    distributed: DistributedContext = SINGLE_PROCESS,
    network_origin: NetworkOrigin | None = None,
    pause_after: Container[int] = (),
) -> TrialOutcome:
    """Train one configuration with one seed and test it once.

    Parameters
    ----------
    data : uint8 images (N, C, H, W) and labels (N,), train and test part; not written to.
    report : called after every epoch; an exception that it raises ends the trial and is passed on.
    checkpointer : gives the state to go on from, if there is one, and is offered one after every epoch.
    distributed : this process's rank among the configuration's `workers`; each of them calls this function, and gets
        the same outcome. Only rank 0's checkpointer is used.
    network_origin : the tested network's weights are in the outcome where this is given, on rank 0, and it with them.
    pause_after : epochs whose report may pause the trial: the checkpointer is given the state before that.
    """
    if distributed.world_size != config.workers:
        raise ValueError(f"{distributed.world_size} processes cannot train a trial of `workers: {config.workers}`")
    if distributed.is_distributed:
        checkpointer = SharedCheckpointer(checkpointer, distributed)
    saved, save = (checkpointer.load(), checkpointer.save) if checkpointer else (None, lambda _: None)
    with runtime.settings(config.deterministic), global_streams_kept():
        seed_global_streams(seed, "regularizer")
        regularizers = combine(config.regularizer)
        setup = TrialSetup(
            config, seed, data, torch.device(device), regularizers, report, save, distributed, network_origin
        )
        if checkpointer:
            setup = replace(setup, pause_after=pause_after, save_now=checkpointer.save_now)
        if checkpointer and saved is not None:
            try:
                return _train_trial(setup, saved)
            except UnfitStateError as error:
                checkpointer.refuse(f"it does not fit the trial ({error})")
        return _train_trial(setup, None)


def _train_trial(setup: TrialSetup, saved: State | None) -> TrialOutcome:
    """Search on the training part, refit on all training images where asked for, test."""
    train, validation = split(setup.data.train_labels, setup.config.validation)
    part = select_training_part(setup.config, setup.data.train_labels, len(setup.data.classes), train, setup.seed)
    training_data = _training_data(setup, part, validation)
    if saved is not None and "searched" in saved:
        outcome, model = _searched(saved["searched"]), None
    else:
        outcome, model = _search(setup, training_data, part, saved)
    if outcome.best_epoch is None:  # it diverged
        return outcome
    if setup.config.refit:
        training_data, model = _refit(setup, outcome, saved)
    if model is not None:
        _test(setup, outcome, training_data, model)
    return outcome


def select_training_part(
    config: TrialConfig, labels: NDArray[np.int64], classes: int, train: NDArray[np.int64], seed: int
) -> TrainingPart:
    """What of the images at `train` a configuration trains on, and with which labels; errors as in `training_part`."""
    return training_part(
        labels,
        classes,
        train,
        seed,
        config.fraction,
        partial(call_component, config.imbalance, **config.imbalance.parameters),
        partial(call_component, config.label_noise, **config.label_noise.parameters),
    )


def refit_part(config: TrialConfig, data: Dataset, seed: int) -> tuple[Dataset, TrainingPart]:
    """The data with all training and validation images as training images, and what of them a refit trains on."""
    data = data.with_given_part() if config.validation == "given" else data
    everything, _ = split(data.train_labels, "none")
    return data, select_training_part(config, data.train_labels, len(data.classes), everything, seed)


def _training_data(setup: TrialSetup, part: TrainingPart, validation: NDArray[np.int64]) -> TrainingData:
    data, device = setup.data, setup.device
    given = None
    if setup.config.validation == "given":
        if data.val_images is None or data.val_labels is None:
            raise ValueError(f"{data.name} comes without a validation part, which `validation: given` needs")
        given = torch.from_numpy(data.val_images).to(device), torch.from_numpy(data.val_labels).to(device).long()
        validation = np.arange(data.given_size, dtype=np.int64)
    return TrainingData(
        images=torch.from_numpy(data.train_images).to(device),
        labels=torch.from_numpy(part.labels).to(device).long(),
        classes=len(data.classes),
        train=torch.from_numpy(part.indices).to(device),
        validation=torch.from_numpy(validation).to(device),
        given=given,
    )


def _search(
    setup: TrialSetup, training_data: TrainingData, part: TrainingPart, saved: State | None
) -> tuple[TrialOutcome, nn.Module]:
    """Train with validation; the outcome has a best epoch and validation metrics unless it diverged."""
    config, seed = setup.config, setup.seed
    model = _build(setup, part.indices)
    parameters, trainable = count_parameters(model)
    flops = forward_flops(model, setup.data.train_images.shape[1:])
    fitted = fit(
        model,
        config,
        seed,
        training_data,
        setup.regularizers,
        setup.report,
        saved=saved,
        save=setup.save,
        distributed=setup.distributed,
        pause_after=setup.pause_after,
        save_now=setup.save_now,
    )
    outcome = TrialOutcome(
        status="diverged",
        curves=fitted.curves,
        epochs_run=len(fitted.curves["train_loss"]),
        classes=list(setup.data.classes),
        parameters=parameters,
        parameters_trainable=trainable,
        flops=flops,
        train_images=len(part.indices),
        wrong_labels=part.n_wrong,
        train_seconds=fitted.train_seconds,
        evaluation_seconds=fitted.evaluation_seconds,
    )
    if fitted.diverged:
        return outcome, model
    start = time.perf_counter()
    if len(training_data.validation):
        images, labels, indices = validation_part(config, seed, training_data)
        logits = _logits(setup, model, images, indices)
        metrics, predicted = final_metrics(logits, labels[indices], _evaluation_loss(setup))
        if "loss" not in metrics:  # a user-defined network may answer otherwise than after its epoch
            return outcome, model
        outcome.validation = metrics
        if predicted.probabilities is not None and not config.refit:  # a refit trains on these images
            outcome.validation_predicted = LabelledProbabilities(predicted.labels, predicted.probabilities)
    outcome.best_epoch = fitted.best_epoch
    outcome.evaluation_seconds += time.perf_counter() - start
    return outcome, model


def _refit(setup: TrialSetup, outcome: TrialOutcome, saved: State | None) -> tuple[TrainingData, nn.Module | None]:
    """Train on all training and validation images: `validation: none`, ended after the best epoch of the same schedule.

    The data and the model; no model where it diverged.
    """
    data, part = refit_part(setup.config, setup.data, setup.seed)
    setup = replace(setup, config=setup.config.changed(validation="none"), data=data)
    training_data = _training_data(setup, part, np.empty(0, dtype=np.int64))
    outcome.train_images, outcome.wrong_labels = len(part.indices), part.n_wrong
    model = _build(setup, part.indices)
    fitted = fit(
        model,
        setup.config,
        setup.seed,
        training_data,
        setup.regularizers,
        _report_refit(setup.report, outcome),
        epochs=outcome.best_epoch,
        search_curves=outcome.curves,
        saved=saved["fit"] if saved is not None and "searched" in saved else None,
        save=lambda state: setup.save(lambda: {"searched": dict(vars(outcome)), "fit": state()}),
        distributed=setup.distributed,
    )
    outcome.train_seconds += fitted.train_seconds
    return training_data, None if fitted.diverged else model


def _test(setup: TrialSetup, outcome: TrialOutcome, training_data: TrainingData, model: nn.Module) -> None:
    """Evaluate once on the training and the test images; the outcome is then complete, unless a loss is not finite.

    A metric that is not finite is left out of the metrics.
    """
    start = time.perf_counter()
    train_metrics = _all_metrics(setup, model, training_data.images, training_data.labels, training_data.train)
    if "loss" not in train_metrics:  # the very last step can be the one that went too far
        return
    images = torch.from_numpy(setup.data.test_images).to(setup.device)
    labels = torch.from_numpy(setup.data.test_labels).to(setup.device).long()
    test_start = time.perf_counter()
    logits = _logits(setup, model, images, torch.arange(len(labels), device=setup.device))
    wait_for(setup.device)  # once, after the last batch
    test_seconds = time.perf_counter() - test_start
    test_metrics, predicted = final_metrics(logits, labels, _evaluation_loss(setup))
    if "loss" not in test_metrics:
        return
    outcome.train, outcome.test, outcome.predicted = train_metrics, test_metrics, predicted
    outcome.images_per_second = len(labels) / test_seconds
    if setup.config.robustness:
        from bench.data.corrupt import CorruptedImages  # SciPy's image functions take a quarter of a second to import

        corrupted = CorruptedImages(setup.data.test_images)
        outcome.robustness = {
            name: _corrupted(setup, model, labels, partial(corrupted.images_of, name))
            for name in setup.config.robustness
        }
    outcome.evaluation_seconds += time.perf_counter() - start
    outcome.status = "complete"
    if setup.network_origin is not None and setup.distributed.rank == 0:
        outcome.weights = _weights(setup, model, setup.network_origin)


def _weights(setup: TrialSetup, model: nn.Module, origin: NetworkOrigin) -> bytes | None:
    """The network as a safetensors file; None, with a line in the trial's log, where it has no such form."""
    channels, height, width = setup.data.train_images.shape[1:]
    metadata = WeightsMetadata(origin, (channels, height, width), len(setup.data.classes))
    try:
        return to_safetensors(model, metadata)
    except UserError as error:
        print(f"the weights of this trial cannot be saved: {error}")
        return None


def _corrupted(
    setup: TrialSetup, model: nn.Module, labels: torch.Tensor, images_of: Callable[[int], NDArray[np.uint8]]
) -> list[float]:
    """The accuracy on the test images under a corruption, at each of its severities."""
    accuracies = []
    for severity in SEVERITIES:
        images = torch.from_numpy(images_of(severity)).to(setup.device)
        logits = _logits(setup, model, images, torch.arange(len(labels), device=setup.device))
        accuracies.append(int((logits.argmax(1) == labels).sum()) / len(labels))
    return accuracies


def _all_metrics(
    setup: TrialSetup, model: nn.Module, images: torch.Tensor, labels: torch.Tensor, indices: torch.Tensor
) -> dict[str, float]:
    return final_metrics(_logits(setup, model, images, indices), labels[indices], _evaluation_loss(setup))[0]


def _logits(setup: TrialSetup, model: nn.Module, images: torch.Tensor, indices: torch.Tensor) -> torch.Tensor:
    autocast = PRECISIONS[setup.config.precision]
    return predict_logits(tested_model(model, setup.config), images, indices, autocast, setup.distributed)


def _evaluation_loss(setup: TrialSetup) -> objective.Loss:
    return objective.create_loss(setup.config.loss, label_smoothing=0.0)


def _searched(outcome: State) -> TrialOutcome:
    """The outcome of a search that was finished when a refit's state was saved."""
    try:
        return TrialOutcome(**outcome)
    except TypeError as error:
        raise UnfitStateError(f"TypeError: {error}") from error


def _report_refit(report: Callable[[Progress], None], outcome: TrialOutcome) -> Callable[[Progress], None]:
    """Reports a refit's progress as the trial's: its seconds are added to the search's, whose curves it shows."""

    def report_refit(progress: Progress) -> None:
        curves = outcome.curves if progress.resumed is not None else None
        seconds = outcome.train_seconds + progress.train_seconds
        report(replace(progress, train_seconds=seconds, refit=True, resumed=curves))

    return report_refit


def _build(setup: TrialSetup, train: NDArray[np.int64]) -> nn.Module:
    """The network before training, on the device."""
    data = setup.data
    model = build_network(setup.config, setup.seed, data.train_images[train], len(data.classes), setup.regularizers)
    # Convolutions on a CPU are mostly faster with the channels last.
    return model.to(setup.device).to(memory_format=torch.channels_last)
