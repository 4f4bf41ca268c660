"""Can these configurations be trained at all? Asked once per run, before anything starts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from bench.models.check import check as check_model
from bench.suite.errors import UserError
from bench.suite.expand import canonical
from bench.training import optimizers
from bench.training.regularizers import combine


def check(
    configs: Iterable[dict[str, Any]],
    shapes: dict[str, tuple[tuple[int, int, int], int]],
    places: dict[str, str] | None = None,
) -> None:
    """Build every model and optimizer once, run two pictures through each model and take a step with each optimizer.

    `shapes` maps a dataset's name to its pictures' shape (C, H, W) and its number of classes, `places` an entry, as
    ``canonical([axis, entry])``, to where it was written. UserError names every entry that fails.
    """
    problems: dict[str, None] = {}  # a set that keeps its order
    seen: set[str] = set()
    for config in configs:
        effects = combine(config["regularizer"])
        shape, classes = shapes[config["dataset"]["name"]]
        model = canonical([config["model"], shape, classes, sorted(effects.model)])
        optimizer = canonical([config["optimizer"], effects.weight_decay is None])
        attempts: list[tuple[str, str, Callable[[], None]]] = [
            ("model", model, partial(check_model, config["model"], shape, classes, effects.model)),
            (
                "optimizer",
                optimizer,
                partial(optimizers.check, config["optimizer"], effects.weight_decay, effects.kernels_only),
            ),
        ]
        for axis, text, attempt in attempts:
            if text in seen:
                continue
            seen.add(text)
            try:
                attempt()
            except UserError as error:
                place = (places or {}).get(canonical([axis, config[axis]]))
                problems[f"{place}: {error}" if place else str(error)] = None
    if problems:
        raise UserError("\n".join(problems))
