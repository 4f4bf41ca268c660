"""One name, one function, in every registry."""

from __future__ import annotations

from typing import Any

import pytest

from bench.training.augment import AUGMENTATIONS, register_augmentation
from bench.training.function_registry import registrar
from bench.training.loss_functions import LOSSES, register_loss
from bench.training.lr_schedules import SCHEDULES, register_schedule
from bench.training.regularization import REGULARIZERS, register_regularizer


def test_a_function_is_filed_under_its_own_name() -> None:
    registry: dict[str, Any] = {}

    @registrar(registry, "things")
    def mine() -> None: ...

    assert registry == {"mine": mine}


@pytest.mark.parametrize(
    ("register", "registry", "kinds"),
    [
        (register_augmentation, AUGMENTATIONS, "augmentations"),
        (register_loss, LOSSES, "losses"),
        (register_regularizer, REGULARIZERS, "regularizers"),
        (register_schedule, SCHEDULES, "schedules"),
    ],
)
def test_a_clash_of_names_is_refused(register: Any, registry: dict[str, Any], kinds: str) -> None:
    name, function = next(iter(registry.items()))
    with pytest.raises(ValueError, match=f"two {kinds} are called '{name}': bench.training"):
        register(function)
    assert registry[name] is function
