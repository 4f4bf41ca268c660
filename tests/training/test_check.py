"""All that is wrong with a run's configurations is said at once, before anything starts."""

from __future__ import annotations

from typing import Any

import pytest

from bench.suite.errors import UserError
from bench.training.check import check

SHAPES = {"fashion_mnist": ((1, 28, 28), 10)}


def test_good_configurations_pass(configured: Any) -> None:
    configs = [
        configured(),
        configured(model={"name": "cnn"}, optimizer={"name": "lion"}, regularizer=[{"name": "dropout"}]),
        configured(regularizer=[{"name": "weight_decay", "kernels_only": True}]),
    ]
    check(configs, SHAPES)


def test_every_wrong_entry_is_reported_once(configured: Any) -> None:
    too_deep = {"name": "cnn", "filters": [8, 8, 8, 8]}
    wrong = [
        configured(model=too_deep),
        configured(model=too_deep, optimizer={"name": "no_such"}),
        configured(optimizer={"name": "adamw", "momentum": 0.9}),
        configured(optimizer={"name": "adamw", "momentum": 0.9}, epochs=5),
        configured(),
    ]
    with pytest.raises(UserError) as error:
        check(wrong, SHAPES)
    message = str(error.value)
    assert message.count("model 'cnn': block 3") == 1
    assert message.count("there is no optimizer 'no_such'") == 1
    assert message.count("optimizer 'adamw': unknown parameter 'momentum'") == 1


def test_a_regularizer_that_the_optimizer_or_the_model_cannot_serve_is_reported(configured: Any) -> None:
    decay = configured(optimizer={"name": "rprop"}, regularizer=[{"name": "weight_decay"}])
    with pytest.raises(UserError, match="'rprop' has no weight decay"):
        check([configured(optimizer={"name": "rprop"}), decay], SHAPES)
    unknown = configured(model={"name": "efficientnet_x"}, regularizer=[{"name": "dropout"}])
    with pytest.raises(UserError, match="unknown model 'efficientnet_x'"):
        check([unknown], SHAPES)
