"""Can these configurations be trained at all? Asked once per run, before anything starts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bench.models.check import check as check_model
from bench.suite.components import AXES
from bench.suite.errors import UserError
from bench.suite.expand import canonical
from bench.training import optimizers
from bench.training.regularizers import combine


def needs_check(config: dict[str, Any]) -> bool:
    """Whether the suite file alone cannot tell that the configuration is right."""
    return config["model"]["name"] != "mlp" or config["optimizer"]["name"] not in AXES["optimizer"]


def check(configs: Iterable[dict[str, Any]], shapes: dict[str, tuple[tuple[int, int, int], int]]) -> None:
    """Build every model and optimizer once and run two pictures through each model.

    `shapes` maps a dataset's name to its pictures' shape (C, H, W) and its number of classes. UserError names
    every entry that fails.
    """
    problems: dict[str, str] = {}
    seen: set[str] = set()
    for config in configs:
        overrides = combine(config["regularizer"]).model
        shape, classes = shapes[config["dataset"]["name"]]
        model = canonical([config["model"], shape, classes, sorted(overrides)])
        if model not in seen:
            seen.add(model)
            try:
                check_model(config["model"], shape, classes, overrides)
            except UserError as error:
                problems.setdefault(str(error), model)
        optimizer = canonical(config["optimizer"])
        if optimizer not in seen:
            seen.add(optimizer)
            try:
                optimizers.check(config["optimizer"])
            except UserError as error:
                problems.setdefault(str(error), optimizer)
    if problems:
        raise UserError("\n".join(problems))
