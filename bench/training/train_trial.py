"""One trial, whole: split, build, train, choose, test once.

Everything that may change a figure is drawn from the trial's configuration and seed, so the same trial gives
the same figures to the last bit on the same CPU, in any process, in any order.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from bench.data import Dataset
from bench.data.scaling import fit as fit_preprocessing
from bench.data.splits import split
from bench.models.count_operations import count_parameters, forward_flops
from bench.models.create import create as create_model
from bench.training import loss_functions, runtime
from bench.training.checkpoint import Checkpointer, Save, SharedCheckpointer, State, UnfitStateError
from bench.training.distributed import SINGLE_PROCESS, DistributedContext
from bench.training.evaluation import PRECISIONS, PredictionArrays, as_tested, logits_of, predictions
from bench.training.final_metrics import all_metrics
from bench.training.fit import Curves, Progress, TrainingData, fit, validation_part
from bench.training.random_streams import global_streams_kept, seed_global_streams
from bench.training.regularization import RegularizerSpec, combine


@dataclass
class TrialOutcome:
    """What a trial found and what it cost. `status` is complete or diverged; seconds, bytes and counts are
    as in `bench.ledger.record`."""

    status: str
    curves: Curves
    epochs_run: int
    classes: list[str]
    parameters: int
    parameters_trainable: int
    flops: int
    best_epoch: int | None = None
    train: dict[str, float] | None = None
    validation: dict[str, float] | None = None
    test: dict[str, float] | None = None
    predicted: PredictionArrays | None = None
    train_seconds: float = 0.0
    evaluation_seconds: float = 0.0


def train_trial(
    config: dict[str, Any],
    seed: int,
    data: Dataset,
    device: torch.device | str = "cpu",
    report: Callable[[Progress], None] = lambda _: None,
    keeper: Checkpointer | None = None,
    ranks: DistributedContext = SINGLE_PROCESS,
) -> TrialOutcome:
    """Train one configuration with one seed and test it once.

    Parameters
    ----------
    config : a resolved configuration, see `bench.suite.expand.Configuration`.
    data : uint8 images (N, C, H, W) and labels (N,), train and test part; not written to.
    report : called after every epoch; what it raises ends the trial and is passed on.
    keeper : gives the state to go on from, if there is one, and is offered one after every epoch.
    ranks : this process's place among the configuration's `workers`; each of them calls this function, and gets the
        same outcome. Only rank 0's keeper is asked.
    """
    if ranks.count != config["workers"]:
        raise ValueError(f"{ranks.count} processes cannot train a trial of `workers: {config['workers']}`")
    if ranks.several:
        keeper = SharedCheckpointer(keeper, ranks)
    saved, save = (keeper.load(), keeper.save) if keeper else (None, lambda _: None)
    with runtime.settings(config["deterministic"]), global_streams_kept():
        if keeper and saved is not None:
            try:
                return _train_trial(config, seed, data, torch.device(device), report, saved, save, ranks)
            except UnfitStateError as error:
                keeper.refuse(f"it does not fit the trial ({error})")
        return _train_trial(config, seed, data, torch.device(device), report, None, save, ranks)


def _train_trial(
    config: dict[str, Any],
    seed: int,
    data: Dataset,
    device: torch.device,
    report: Callable[[Progress], None],
    saved: State | None,
    save: Save,
    ranks: DistributedContext,
) -> TrialOutcome:
    effects = combine(config["regularizer"])
    autocast = PRECISIONS[config["precision"]]
    loss = loss_functions.create(config["loss"], label_smoothing=0.0)
    train, validation = split(data.train_labels, config["validation"])
    training_data = TrainingData(
        images=torch.from_numpy(data.train_images).to(device),
        labels=torch.from_numpy(data.train_labels).to(device).long(),
        classes=len(data.classes),
        train=torch.from_numpy(train).to(device),
        validation=torch.from_numpy(validation).to(device),
    )
    searched = (saved or {}).get("searched")
    if searched is not None:
        outcome = _searched(searched)
    else:
        model = _build(config, seed, data, train, effects, device)
        parameters, trainable = count_parameters(model)
        flops = forward_flops(model, data.train_images.shape[1:])

        done = fit(model, config, seed, training_data, effects, report, saved=saved, save=save, ranks=ranks)
        outcome = TrialOutcome(
            status="diverged",
            curves=done.curves,
            epochs_run=len(done.curves["train_loss"]),
            classes=list(data.classes),
            parameters=parameters,
            parameters_trainable=trainable,
            flops=flops,
            train_seconds=done.train_seconds,
            evaluation_seconds=done.evaluation_seconds,
        )
        if done.diverged:
            return outcome
        start = time.perf_counter()
        if len(validation):
            images, labels, index = validation_part(config, seed, training_data)
            judged = as_tested(model, config)
            found = all_metrics(logits_of(judged, images, index, autocast, ranks), labels[index], loss)
            if not math.isfinite(found["loss"]):  # a user's network may answer otherwise than after its epoch
                return outcome
            outcome.validation = found
        outcome.best_epoch = done.best_epoch
        outcome.evaluation_seconds += time.perf_counter() - start

    if config["refit"]:
        # From here on this is the trial with `validation: none`, ended after the chosen epoch of the same schedule.
        train, validation = split(data.train_labels, "none")
        training_data = replace(
            training_data, train=torch.from_numpy(train).to(device), validation=torch.from_numpy(validation).to(device)
        )
        model = _build(config, seed, data, train, effects, device)
        again = fit(
            model,
            config,
            seed,
            training_data,
            effects,
            _report_refit(report, outcome),
            epochs=outcome.best_epoch,
            followed=outcome.curves,
            saved=saved["fit"] if saved is not None and searched is not None else None,
            save=lambda state: save(lambda: {"searched": dict(vars(outcome)), "fit": state()}),
            ranks=ranks,
        )
        outcome.train_seconds += again.train_seconds
        if again.diverged:
            return outcome

    start = time.perf_counter()
    judged = as_tested(model, config)
    logits = logits_of(judged, training_data.images, training_data.train, autocast, ranks)
    on_train = all_metrics(logits, training_data.labels[training_data.train], loss)
    if not math.isfinite(on_train["loss"]):  # the very last step can be the one that went too far
        return outcome
    test_images = torch.from_numpy(data.test_images).to(device)
    test_labels = torch.from_numpy(data.test_labels).to(device).long()
    logits = logits_of(judged, test_images, torch.arange(len(test_labels), device=device), autocast, ranks)
    on_test = all_metrics(logits, test_labels, loss)
    if not math.isfinite(on_test["loss"]):
        return outcome
    outcome.train, outcome.test, outcome.predicted = on_train, on_test, predictions(logits, test_labels)
    outcome.evaluation_seconds += time.perf_counter() - start
    outcome.status = "complete"
    return outcome


def _searched(found: State) -> TrialOutcome:
    """The outcome of a search that was over when a refit's state was saved."""
    try:
        return TrialOutcome(**found)
    except TypeError as error:
        raise UnfitStateError(f"TypeError: {error}") from error


def _report_refit(report: Callable[[Progress], None], outcome: TrialOutcome) -> Callable[[Progress], None]:
    """Tells a refit's progress as the trial's: its seconds come on top, and the curves are those of the search."""

    def tell(progress: Progress) -> None:
        curves = outcome.curves if progress.resumed is not None else None
        seconds = outcome.train_seconds + progress.train_seconds
        report(replace(progress, train_seconds=seconds, refit=True, resumed=curves))

    return tell


def _build(
    config: dict[str, Any],
    seed: int,
    data: Dataset,
    train: NDArray[np.int64],
    effects: RegularizerSpec,
    device: torch.device,
) -> nn.Module:
    """The network before training: preprocessing fitted on the training part, start values from the seed."""
    statistics = fit_preprocessing(config["preprocessing"], data.train_images[train])
    channels, height, width = data.train_images.shape[1:]
    # Start values are drawn on the CPU, so that they are the same on every device.
    seed_global_streams(seed, "init")
    model = create_model(
        config["model"],
        (channels, height, width),
        len(data.classes),
        (statistics.mean, statistics.std),
        effects.model,
        preprocessing=config["preprocessing"],
    )
    # Convolutions on a CPU are mostly faster with the channels last.
    return model.to(device).to(memory_format=torch.channels_last)
