from __future__ import annotations

import json
from typing import Any

from configuration import ADAM, MLP
from hypothesis import given
from hypothesis import strategies as st

from bench.suite.labels import axis_label, common_label, labels, legend

SGD = {"name": "sgd", "lr": 0.1, "momentum": 0.9, "nesterov": False, "weight_decay": 0.0}
FLIP = {"name": "flip", "static": False, "p": 0.5}
CNN = {
    "name": "cnn",
    "channels": [16, 32],
    "kernel": 3,
    "padding": "same",
    "pool": 2,
    "hidden": [64],
    "activation": "relu",
    "batch_norm": "none",
    "dropout": 0.0,
    "init": "torch",
}
CROP = {"name": "crop", "static": False, "padding": 2, "mode": "constant"}


def config(**changes: Any) -> dict[str, Any]:
    base = {
        "dataset": {"name": "fashion_mnist"},
        "model": MLP,
        "optimizer": ADAM,
        "regularizer": [],
        "augmentation": [],
        "batch_size": 256,
        "epochs": 30,
        "validation": {"tail": 0.2},
    }
    return {**base, **changes}


def l2(strength: float) -> dict[str, Any]:
    return {"name": "l2", "strength": strength, "layers": "hidden"}


def test_a_label_starts_with_the_model_and_names_what_varies() -> None:
    configs = [
        config(),
        config(optimizer={**ADAM, "lr": 0.01}),
        config(regularizer=[l2(0.01)]),
        config(augmentation=[FLIP, CROP]),
    ]
    assert labels(configs) == [
        "mlp · adam lr=0.001",
        "mlp · adam lr=0.01",
        "mlp · adam lr=0.001 · l2",
        "mlp · adam lr=0.001 · flip+crop",
    ]


def test_a_parameter_is_shown_only_where_entries_of_that_name_differ_in_it() -> None:
    assert labels([config(), config(regularizer=[l2(1e-3)])]) == ["mlp", "mlp · l2"]
    assert labels([config(), config(optimizer=SGD), config(model=CNN)]) == ["mlp · adam", "mlp · sgd", "cnn · adam"]
    assert labels([config(regularizer=[l2(1e-3)]), config(regularizer=[l2(1e-4)])]) == [
        "mlp · l2 strength=0.001",
        "mlp · l2 strength=0.0001",
    ]


def test_what_all_share_is_left_out() -> None:
    keras = {**MLP, "init": "keras"}
    assert labels([config(model=keras), config(model={**keras, "hidden": [64]})]) == [
        "mlp hidden=128-64",
        "mlp hidden=64",
    ]


def test_settings_without_a_name_show_their_key() -> None:
    assert labels([config(), config(batch_size=64)]) == ["mlp · batch_size=256", "mlp · batch_size=64"]


def test_the_legend_names_once_what_the_labels_leave_out_and_is_not_the_default() -> None:
    configs = [config(optimizer=SGD), config(model=CNN, regularizer=[l2(0.01)]), config(model=CNN)]
    assert labels(configs) == ["mlp · sgd", "cnn · adam · l2", "cnn · adam"]
    assert legend(configs) == (
        "cnn: channels=16-32 kernel=3 padding=same hidden=64; sgd: lr=0.1 momentum=0.9; l2: strength=0.01"
    )


def test_the_legend_leaves_out_what_labels_show_and_what_all_share() -> None:
    configs = [config(optimizer={**SGD, "lr": rate}, regularizer=[l2(0.01)]) for rate in (0.1, 0.2)]
    assert labels(configs) == ["mlp · sgd lr=0.1", "mlp · sgd lr=0.2"]
    assert legend(configs) == "sgd: momentum=0.9"
    assert legend(configs[:1]) == legend([]) == ""


def test_values_that_would_read_alike_are_written_out() -> None:
    nets = [{"name": "my.module:net", "layers": layers} for layers in ([1, 2], "1-2")]
    assert labels([config(model=net) for net in nets]) == [
        "my.module:net layers=[1, 2]",
        'my.module:net layers="1-2"',
    ]


def test_one_configuration_is_called_by_its_model() -> None:
    assert labels([config()]) == ["mlp"]
    assert labels([]) == []


def test_names_without_a_schema_show_what_varies_too_and_the_legend_has_the_rest() -> None:
    nets = [{"name": "my.module:net", "width": width, "depth": 3} for width in (2, 4)]
    configs = [config(), *(config(model=net) for net in nets)]
    assert labels(configs) == ["mlp", "my.module:net width=2", "my.module:net width=4"]
    assert legend(configs) == "my.module:net: depth=3"


def test_a_parameter_that_only_some_namesakes_have_tells_them_apart() -> None:
    nets = [{"name": "my.module:net"}, {"name": "my.module:net", "width": 2}]
    assert labels([config(model=net) for net in nets]) == ["my.module:net", "my.module:net width=2"]


def test_nearly_equal_rates_are_written_out() -> None:
    rates = [0.00123456, 0.00123457]
    assert labels([config(optimizer={**ADAM, "lr": rate}) for rate in rates]) == [
        "mlp · adam lr=0.00123456",
        "mlp · adam lr=0.00123457",
    ]


def test_what_is_common_is_named_once() -> None:
    configs = [config(), config(regularizer=[l2(0.01)])]
    assert common_label(configs) == "fashion_mnist · mlp · adam · batch_size=256 · epochs=30 · validation=tail 0.2"


def test_what_is_common_names_the_axis_where_the_entry_does_not_tell_it() -> None:
    configs = [config(schedule={"name": "constant"}, loss={"name": "cross_entropy"}, precision="float32")]
    assert "mlp · adam · schedule constant · loss cross_entropy · batch_size" in common_label(configs)
    assert "precision" not in common_label(configs)


def test_an_entry_alone() -> None:
    assert axis_label([]) == "none"
    assert axis_label(l2(0.01)) == "l2 strength=0.01"
    assert axis_label([FLIP, {**CROP, "padding": 4}]) == "flip + crop padding=4"
    assert axis_label({"tail": 0.2}) == "tail 0.2"
    assert axis_label(SGD, all_parameters=True) == "sgd lr=0.1 momentum=0.9 nesterov=false weight_decay=0"


entries = st.lists(
    st.builds(l2, st.sampled_from([0.0, 1e-4, 1e-3, 0.1])) | st.sampled_from([{"name": "dropout", "rate": 0.5}]),
    max_size=2,
)
nets = st.sampled_from([MLP, CNN]) | st.builds(
    lambda layers: {"name": "my.module:net", "layers": layers}, st.sampled_from([[1, 2], "1-2", [], None, "none", True])
)
configs = st.builds(
    lambda model, rate, regularizer, augmentation, size: config(
        model=model,
        optimizer={**ADAM, "lr": rate},
        regularizer=regularizer,
        augmentation=augmentation,
        batch_size=size,
    ),
    nets,
    st.floats(1e-6, 1.0),
    entries,
    st.lists(st.sampled_from([FLIP, CROP, {**FLIP, "static": True}]), max_size=2),
    st.sampled_from([32, 64]),
)


@given(st.lists(configs, max_size=6))
def test_different_configurations_never_share_a_label(drawn: list[dict[str, Any]]) -> None:
    distinct = {json.dumps(one, sort_keys=True): one for one in drawn}
    assert len(set(labels(list(distinct.values())))) == len(distinct)
