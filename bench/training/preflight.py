"""Can these configurations be trained at all? Asked once per run, before anything starts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Any

from torch import nn

from bench.errors import UserError
from bench.jsonutil import canonical
from bench.models.check_fit import check as check_model
from bench.models.check_fit import check_single_image_batch
from bench.models.count_operations import Kernel, all_kernels, selected
from bench.models.inputs import seen_shape
from bench.models.layers import Shape
from bench.training import augment, optimizer_factory
from bench.training.regularization import combine

Kernels = dict[str, list[Kernel]]
"""Model, as text, to its kernels."""


def check(
    configs: Iterable[dict[str, Any]],
    shapes: dict[str, tuple[Shape, int]],
    places: dict[str, str] | None = None,
) -> None:
    """Build every model, optimizer and augmentation once, and try each.

    Two images go through the model and the augmentation, the optimizer takes a step, and an l1 or l2 must find
    kernels to act on.

    `shapes` maps ``canonical(dataset entry)`` to its images' shape (C, H, W) and its number of classes, `places` an
    entry, as ``canonical([axis, entry])``, to where it was written. UserError names every entry that fails.
    """
    problems: dict[str, None] = {}  # a set that keeps its order
    seen: set[str] = set()
    found: Kernels = {}
    for config in configs:
        effects = combine(config["regularizer"])
        shape, classes = shapes[canonical(config["dataset"])]
        try:
            shape = seen_shape(config["preprocessing"], shape)
        except UserError as error:
            problems[f"{_place(places, 'preprocessing', config)}{error}"] = None
            continue
        model = canonical([config["model"], shape, classes, sorted(effects.model)])
        attempts: list[tuple[str, list[Any], Callable[[], None]]] = [
            ("model", [model], partial(_try_model, found, model, config["model"], shape, classes, effects.model)),
            (
                "optimizer",
                [config["optimizer"], effects.weight_decay is None],
                partial(optimizer_factory.check, config["optimizer"], effects.weight_decay, effects.kernels_only),
            ),
            (
                "augmentation",
                [config["augmentation"], shape],
                partial(augment.check, config["augmentation"], shape),
            ),
            ("regularizer", [model, config["regularizer"]], partial(_find_kernels, found, model, config)),
        ]
        if config["batch_size"] == 1:
            one = partial(check_single_image_batch, config["model"], shape, classes, effects.model)
            attempts.append(("batch_size", [model], one))
        for axis, subject, attempt in attempts:
            text = canonical([axis, *subject])
            if text in seen:
                continue
            seen.add(text)
            try:
                attempt()
            except UserError as error:
                problems[f"{_place(places, axis, config)}{error}"] = None
    if problems:
        raise UserError("\n".join(problems))


def _place(places: dict[str, str] | None, axis: str, config: dict[str, Any]) -> str:
    place = (places or {}).get(canonical([axis, config[axis]]))
    return f"{place}: " if place else ""


def _try_model(
    found: Kernels, text: str, entry: dict[str, Any], shape: Shape, classes: int, overrides: dict[str, Any]
) -> None:
    """Check a model and note what kernels it has, but not their values: it may be too large to keep."""
    net = check_model(entry, shape, classes, overrides)
    found[text] = [replace(k, weight=nn.Parameter(k.weight.detach().to("meta"))) for k in all_kernels(net, classes)]


def _find_kernels(found: Kernels, text: str, config: dict[str, Any]) -> None:
    """UserError if a penalty finds no kernel in a model that was built: it would be plain training, renamed."""
    for entry in config["regularizer"]:
        layers = entry.get("layers")
        if layers is None or text not in found or selected(found[text], layers):
            continue
        if isinstance(layers, str):
            others = [f"`layers: {name}`" for name in ("hidden", "conv", "all") if selected(found[text], name)]
        else:
            others = [f"patterns for its layers: {', '.join(kernel.layer for kernel in found[text])}"]
        raise UserError(
            f"regularizer {entry['name']!r} with `layers: {layers}` regularises nothing: model "
            f"{config['model']['name']!r} has no such kernels; "
            + (f"take {' or '.join(others)}, or leave" if others else "leave")
            + " it out for this model"
        )
