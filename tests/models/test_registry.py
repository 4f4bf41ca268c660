"""Networks are filed under their names, with the parameters a suite file may set."""

from __future__ import annotations

import inspect
import json

import pytest
from pydantic_core import PydanticUndefined
from torch import nn

from bench.components import AXES
from bench.models import create  # noqa: F401 -- files our networks
from bench.models.layers import MODELS, register_model


def test_every_model_of_the_schema_has_a_factory() -> None:
    assert MODELS.keys() == AXES["model"].keys()


@pytest.mark.parametrize("name", AXES["model"])
def test_a_factory_has_the_parameters_and_defaults_of_the_schema(name: str) -> None:
    schema = {key: field.default for key, field in AXES["model"][name].model_fields.items() if key != "name"}
    _, _, *parameters = inspect.signature(MODELS[name]).parameters.values()
    found = json.loads(json.dumps({p.name: p.default for p in parameters}))  # tuples as the lists of a suite file
    assert PydanticUndefined not in schema.values()
    assert found == schema


def test_two_models_of_one_name_clash() -> None:
    def mlp(input_shape: tuple[int, int, int], classes: int) -> nn.Module:
        return nn.Flatten()

    with pytest.raises(ValueError, match="two models are called 'mlp'"):
        register_model(mlp)
