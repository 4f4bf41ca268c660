"""When are two trials the same? The key decides what is run again, so it must never change by accident."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest

from bench.components import AXES, Component, DatasetComponent
from bench.components.data_questions import CORRUPTIONS
from bench.errors import UserError
from bench.suite import trial
from bench.suite.suite import Suite
from bench.suite.trial import trial_key, trials
from bench.user_code.component_code import ComponentCode, UserCode

Load = Callable[..., Suite]


def keys(suite: Suite, fingerprint: str = "pixels", source: str | None = None) -> list[str]:
    return [one.key for one in trials(suite, lambda _: fingerprint, lambda _: coded(source or ""))]


def coded(checksum: str) -> ComponentCode:
    file = Path("/there/nets/mine.py")
    return ComponentCode(
        "nets/mine.py:net", "mine", file.parents[1], (file.parent,), {"mine": file}, {}, (), False, checksum
    )


PLAIN = "name: t\ngrid: {model: mlp}\n"


def test_a_known_key(load: Load) -> None:
    # Every ledger in use holds keys made by this code. If this value changes, a default, the form of a
    # configuration or the hash has changed, and all that people have trained would be trained again. Where that
    # is meant, raise SEMANTICS or say so in the changelog, and write the new value here.
    assert keys(load("name: least\ngrid: {model: mlp}\n"), "fingerprint") == ["4c40462109d7f75a8a2f"]


@pytest.mark.parametrize(
    "text",
    [
        "name: other\ntitle: Another title\ndescription: Words.\nreferences: [lab-e-l2]\ngrid: {model: mlp}\n",
        "grid: {model: mlp}\nname: t\n",
        "name: t\ndefaults: {model: mlp}\ngrid: {epochs: 10}\n",
        "name: t\ngrid: {epochs: 10, validation: {stratified: 0.1}, model: {hidden: [128, 64], name: mlp}}\n",
        "name: t\ngrid: {model: mlp, optimizer: {name: adam, lr: 1e-3, eps: 0.00000001, weight_decay: 0}}\n",
        "name: t\ngrid: {model: mlp, regularizer: none, augmentation: {name: none}}\n",
        "name: t\ngrid: {model: mlp, ema: null, test_time: none, step: standard}\n",
        "name: t\ngrid: {model: mlp, fraction: 1, imbalance: none, label_noise: none, robustness: []}\n",
        "name: t\npruning: asha\nlimit: 5\nsampling_seed: 9\ngrid: {model: mlp}\n",
    ],
)
def test_what_changes_no_training_changes_no_key(text: str, load: Load) -> None:
    assert keys(load(text)) == keys(load(PLAIN))


@pytest.mark.parametrize(
    "changed",
    [
        "model: cnn",
        "model: {name: mlp, hidden: [64, 128]}",
        "model: mlp, optimizer: {name: adam, lr: 2e-3}",
        "model: mlp, dataset: mnist",
        "model: mlp, preprocessing: standardize",
        "model: mlp, schedule: cosine",
        "model: mlp, step: sam",
        "model: mlp, regularizer: dropout",
        "model: mlp, augmentation: {name: flip, static: true}",
        "model: mlp, batch_size: 64",
        "model: mlp, epochs: 11",
        "model: mlp, validation: {stratified: 0.2}",
        "model: mlp, validation: {tail: 0.1}",
        "model: mlp, validation: none",
        "model: mlp, early_stopping: {patience: 3}",
        "model: mlp, weights: best",
        "model: mlp, refit: true",
        "model: mlp, ema: 0.99",
        "model: mlp, test_time: flip",
        "model: mlp, fraction: 0.5",
        "model: mlp, imbalance: exponential",
        "model: mlp, label_noise: {name: symmetric, rate: 0.2}",
        "model: mlp, robustness: [fog]",
        "model: mlp, precision: bfloat16",
        "model: mlp, compile: true",
        "model: mlp, deterministic: true",
        "model: mlp, seeds: [1]",
    ],
)
def test_what_changes_the_training_changes_the_key(changed: str, load: Load) -> None:
    assert set(keys(load(f"name: t\ngrid: {{{changed}}}\n"))).isdisjoint(keys(load(PLAIN)))


def test_the_order_of_corruptions_is_in_no_key_and_all_are_the_same_as_each(load: Load) -> None:
    first, second = (
        keys(load(f"name: t\ngrid: {{model: mlp, robustness: {names}}}\n")) for names in ("[fog, jpeg]", "[jpeg, fog]")
    )
    assert first == second
    everything = ", ".join(CORRUPTIONS)
    assert keys(load("name: t\ngrid: {model: mlp, robustness: all}\n")) == keys(
        load(f"name: t\ngrid: {{model: mlp, robustness: [{everything}]}}\n")
    )


def test_data_source_and_semantics_are_in_the_key(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    suite = load("name: t\ngrid: {model: 'nets/mine.py:net'}\n")
    found = [*keys(suite), *keys(suite, fingerprint="other pixels"), *keys(suite, source="a"), *keys(suite, source="b")]
    monkeypatch.setattr(trial, "SEMANTICS", trial.SEMANTICS + 1)
    found += keys(suite)
    assert len(set(found)) == 5


def test_a_key_does_not_depend_on_the_order_of_the_configurations_keys(load: Load) -> None:
    (config, _), *_ = load(PLAIN).configurations
    turned = json.loads(json.dumps(dict(reversed(config.items()))))
    assert list(turned) != list(config)
    assert trial_key(turned, 0, "pixels", None) == trial_key(config, 0, "pixels", None)


def test_defaults_are_plain_values_that_know_no_device(load: Load) -> None:
    (config, _), *_ = load(PLAIN).configurations
    assert config["precision"] == "float32"
    assert config["compile"] is False
    assert not {"device", "threads", "gpus"} & set(config)


def test_trials_go_seed_by_seed_and_count_their_configuration(load: Load) -> None:
    found = trials(load("name: t\ngrid: {model: [mlp, cnn], seeds: [4, 2]}\n"), lambda _: "x", lambda _: coded(""))
    assert [(one.config.model.name, one.seed, one.group) for one in found] == [
        ("mlp", 4, 0),
        ("mlp", 2, 0),
        ("cnn", 4, 1),
        ("cnn", 2, 1),
    ]
    assert len({one.key for one in found}) == 4


def test_the_users_own_model_takes_its_code_along_and_is_keyed_by_it(load: Load) -> None:
    suite = load("name: t\ngrid: {model: {name: 'nets/mine.py:net', width: 3, files: [a.json]}}\n")
    asked: list[Any] = []
    (one,) = trials(suite, lambda _: "x", lambda component: asked.append(component) or coded("sha"))
    assert [component.to_json() for component in asked] == [
        {"name": "nets/mine.py:net", "width": 3, "files": ["a.json"]}
    ]
    assert one.code == UserCode((coded("sha"),)) and one.code.checksum == "sha"
    assert one.key != trials(suite, lambda _: "x", lambda _: coded("other"))[0].key


def test_source_that_is_not_there_is_named_with_its_place(load: Load) -> None:
    def source(component: Component) -> Any:
        raise UserError(f"model {component.name!r}: cannot read it")

    suite = load("name: t\ngrid:\n  model:\n    - mlp\n    - nets/mine.py:net\n")
    with pytest.raises(UserError, match=r"suite\.yaml:5: grid\.model\[1\]: model 'nets/mine\.py:net': cannot read it"):
        trials(suite, lambda _: "x", source)


def test_code_of_several_components_is_one_code_with_all_checksums_in_the_key(load: Load) -> None:
    text = "name: t\ngrid: {model: 'nets/mine.py:net', optimizer: 'nets/mine.py:descent', loss: 'nets/mine.py:loss'}\n"

    def code_of(axis_checksum: str) -> Callable[[Component], ComponentCode]:
        return lambda component: replace(
            coded(axis_checksum if component.axis == "loss" else "same"), axis=component.axis
        )

    (one,) = trials(load(text), lambda _: "x", code_of("a"))
    (other,) = trials(load(text), lambda _: "x", code_of("b"))
    assert one.code is not None and one.code.axes == ("model", "optimizer", "loss")
    assert one.key != other.key


def test_two_files_of_one_module_name_clash(load: Load) -> None:
    def code_of(component: Component) -> ComponentCode:
        file = Path("/there", component.axis, "mine.py")
        return ComponentCode(component.name, "mine", file.parent, (file.parent,), {"mine": file}, {}, (), False, "x")

    suite = load("name: t\ngrid:\n  model: 'a/mine.py:net'\n  optimizer: 'b/mine.py:descent'\n")
    message = (
        r"suite\.yaml:4: grid\.optimizer: 'b/mine\.py:descent' imports .* as the module 'mine', .* rename one of them"
    )
    with pytest.raises(UserError, match=message):
        trials(suite, lambda _: "x", code_of)


def test_a_package_s_data_set_has_its_path_in_the_key(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the files of bench's own kinds are known by their contents."""

    class Shards(DatasetComponent):
        implementation = "shards.data:read"
        name: Literal["shards"] = "shards"
        path: str

    monkeypatch.setitem(AXES["dataset"], "shards", Shards)
    suite = load("name: t\ngrid: {model: mlp, dataset: {name: shards, path: {grid: [a, b]}}}\n")
    assert len(set(keys(suite, source="code"))) == 2
