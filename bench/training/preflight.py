"""Can these configurations be trained at all? Asked once per run, before anything starts."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

from bench.components import parse_component
from bench.components.base import Component
from bench.components.image_transforms import Mixing
from bench.data.training_part import tail_sizes
from bench.errors import UserError
from bench.jsonutil import JsonObject, canonical
from bench.models.count_operations import Kernel, all_kernels, selected
from bench.models.create import check as check_model
from bench.models.create import check_single_image_batch
from bench.models.create import create as create_model
from bench.models.layers import Shape
from bench.suite.trial import TrialConfig
from bench.training import augment, lr_schedules, objective, optimizer_factory, step_functions
from bench.training.preprocessors import network_input_shape
from bench.training.train_trial import select_training_part
from bench.user_code.run_code import call_component

Kernels = dict[str, list[Kernel]]
"""Model, as text, to its kernels."""


def check(
    configs: Iterable[TrialConfig],
    shapes: dict[str, tuple[Shape, int]],
    locations: dict[str, str] | None = None,
) -> None:
    """Build every component once, and try each.

    Two images go through the model and the augmentation, the optimizer takes a step, an l1 or l2 must find kernels to
    act on, and what the user's own code returns must be what its axis expects.

    `shapes` maps ``canonical(dataset)`` to its images' shape (C, H, W) and its number of classes, `locations` maps
    ``canonical([axis, component])`` to where it was written. UserError names every component that fails.
    """
    problems: dict[str, None] = {}  # a set that keeps its order
    checked: set[str] = set()
    kernels: Kernels = {}
    for config in configs:
        plain = config.to_json()
        image_shape, classes = shapes[canonical(plain["dataset"])]
        attempts = _attempts(config, plain, image_shape, classes, kernels)
        with contextlib.suppress(UserError):  # what later checks need failed, and was noted then
            for axis, subject, attempt in attempts:
                question = canonical([axis, *subject])
                if question in checked:
                    continue
                checked.add(question)
                try:
                    attempt()
                except UserError as error:
                    location = (locations or {}).get(canonical([axis, plain.get(axis)]))
                    problems[f"{location}: {error}" if location else str(error)] = None
    if problems:
        raise UserError("\n".join(problems))


Attempt = tuple[str, list[Any], Callable[[], object]]
"""An axis, what the outcome depends on, and the check."""


def _attempts(
    config: TrialConfig, plain: JsonObject, image_shape: Shape, classes: int, kernels: Kernels
) -> Iterable[Attempt]:
    """The checks of one configuration, those first on which others depend."""
    yield (
        "preprocessing",
        [plain["preprocessing"], image_shape],
        partial(network_input_shape, config.preprocessing, image_shape),
    )
    shape = network_input_shape(config.preprocessing, image_shape)
    yield "regularizer", [plain["regularizer"]], partial(objective.combine, config.regularizer)
    spec = objective.combine(config.regularizer)
    model = canonical([plain["model"], shape, classes, sorted(spec.model)])
    yield "model", [model], partial(_try_model, kernels, model, config.model, shape, classes, spec.model)
    yield (
        "optimizer",
        [plain["optimizer"], spec.weight_decay is None],
        partial(optimizer_factory.check, config.optimizer, spec.weight_decay, spec.kernels_only),
    )
    yield "augmentation", [plain["augmentation"], image_shape], partial(augment.check, config.augmentation, image_shape)
    yield "regularizer", [model, plain["regularizer"]], partial(_find_kernels, kernels, model, config)
    if any(component.user_code for component in config.regularizer):
        yield "regularizer", [model, plain["regularizer"], "penalty"], partial(_try_penalties, config, shape, classes)
    if config.schedule.user_code:
        yield (
            "schedule",
            [plain["schedule"], config.epochs],
            partial(lr_schedules.check, config.schedule, config.epochs),
        )
    if config.loss.user_code:
        mixed = any(isinstance(component, Mixing) for component in config.augmentation)
        yield (
            "loss",
            [plain["loss"], spec.label_smoothing, classes, mixed],
            partial(objective.check_loss, config.loss, spec.label_smoothing, classes, mixed),
        )
    if config.imbalance.user_code:
        yield "imbalance", [plain["imbalance"], classes], partial(_try_imbalance, config, classes)
    if config.label_noise.user_code:
        yield "label_noise", [plain["label_noise"], classes], partial(_try_label_noise, config, classes)
    yield "step", [config.step.to_json()], partial(step_functions.check, config.step)
    if config.batch_size == 1:
        yield "batch_size", [model], partial(check_single_image_batch, config.model, shape, classes, spec.model)


def _try_imbalance(config: TrialConfig, classes: int) -> None:
    """The user's imbalance on classes so large that it is not at fault where one of the data set's is too small."""
    tail_sizes(np.full(classes, 10**6), partial(call_component, config.imbalance, **config.imbalance.parameters))


def _try_label_noise(config: TrialConfig, classes: int) -> None:
    """The user's label noise on a hundred images of each class."""
    labels = np.repeat(np.arange(classes), 100)
    all_images = config.changed(fraction=1.0, imbalance=parse_component("imbalance", {"name": "none"}))
    select_training_part(all_images, labels, classes, np.arange(len(labels)), seed=0)


def _try_model(
    kernels: Kernels, text: str, component: Component, shape: Shape, classes: int, overrides: Mapping[str, float]
) -> None:
    """Check a model and note its kernels without their values: it may be too large to keep."""
    net = check_model(component, shape, classes, overrides)
    kernels[text] = [replace(k, weight=nn.Parameter(k.weight.detach().to("meta"))) for k in all_kernels(net, classes)]


def _try_penalties(config: TrialConfig, shape: Shape, classes: int) -> None:
    with torch.random.fork_rng(devices=[]):
        overrides = objective.combine(config.regularizer).model
        model = create_model(config.model, shape, classes, overrides, load_weights=False)
        for component in config.regularizer:
            objective.check_regularizer(component, model)


def _find_kernels(kernels: Kernels, text: str, config: TrialConfig) -> None:
    """UserError if a penalty finds no kernel in a model that was built: it would be plain training, renamed."""
    for component in config.regularizer:
        layers = getattr(component, "layers", None)
        if layers is None or component.user_code or text not in kernels or selected(kernels[text], layers):
            continue
        if isinstance(layers, str):
            alternatives = [f"`layers: {name}`" for name in ("hidden", "conv", "all") if selected(kernels[text], name)]
        else:
            alternatives = [f"patterns for its layers: {', '.join(kernel.layer for kernel in kernels[text])}"]
        raise UserError(
            f"regularizer {component.name!r} with `layers: {layers}` regularises nothing: model "
            f"{config.model.name!r} has no such kernels; "
            + (f"take {' or '.join(alternatives)}, or leave" if alternatives else "leave")
            + " it out for this model"
        )
