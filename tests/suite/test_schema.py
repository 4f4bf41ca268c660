"""The JSON Schema that editors use agrees with what `bench` itself accepts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from bench.components import AXES
from bench.suite.find_suite import shipped_suites
from bench.suite.json_schema import json_schema
from bench.suite.suite import Suite
from bench.suite.yaml_loader import read

ROOT = Path(__file__).parents[2]
COMMITTED = ROOT / "docs" / "suite.schema.json"


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    Draft202012Validator.check_schema(json_schema())
    return Draft202012Validator(json_schema())


def data_of(text: str, folder: Path) -> Any:
    path = folder / "suite.yaml"
    path.write_text(text)
    return read(path).data


def test_the_committed_schema_is_up_to_date() -> None:
    assert json.loads(COMMITTED.read_text()) == json_schema(), "write it anew: bench schema > docs/suite.schema.json"


@pytest.mark.parametrize("name", shipped_suites())
def test_shipped_suites_are_valid_and_name_the_schema(name: str, validator: Draft202012Validator) -> None:
    path = shipped_suites()[name]
    assert [error.message for error in validator.iter_errors(read(path).data)] == []
    first = path.read_text().splitlines()[0]
    assert (path.parent / first.removeprefix("# yaml-language-server: $schema=")).resolve() == COMMITTED


GOOD = [
    "model: mlp",
    "model: [mlp, {name: cnn, kernel: {grid: [3, 5]}}, resnet18, {name: 'my/net.py:net', width: 3}]",
    "model: mlp, optimizer: [{name: adam, lr: {log_uniform: [1e-4, 1e-1]}}, {name: lamb, lr: 0.1}], samples: 4",
    "model: mlp, regularizer: [none, {combine: [{name: l2, strength: {grid: [0.1]}}, dropout]}]",
    "model: mlp, schedule: [{name: step, every: 3}, {name: step, milestones: [1, 2]}, cosine]",
    "model: mlp, epochs: {grid: [1, 2]}, batch_size: [32, {choice: [64]}], samples: 2",
    "model: {name: mlp, dropout: {uniform: [0, 0.5]}}, search: {algorithm: tpe, trials: 60, startup: 15, batch: 4}",
    "model: {name: mlp, dropout: {uniform: [0, 0.5]}}, search: {algorithm: random, trials: 3}, validation: none",
    "model: mlp, validation: none, seeds: [0, 1]",
    "model: mlp, validation: {tail: 0.2}, early_stopping: {patience: 3}, weights: best, refit: true, seeds: 3",
]

BAD = [
    "modle: mlp",
    "model: 5",
    "model: []",
    "model: {hidden: [1]}",
    "model: {name: mlp, hidden: 128}",
    "model: {name: mlp, hiden: [1]}",
    "model: mlp, optimizer: {name: adam, lr: 0}",
    "model: mlp, optimizer: {name: adam, betas: [0.9]}",
    "model: mlp, dataset: cifar",
    "model: mlp, regularizer: l3",
    "model: mlp, augmentation: {combine: []}",
    "model: mlp, schedule: step",
    "model: mlp, schedule: {name: step, every: 1, milestones: [1]}",
    "model: mlp, epochs: 0",
    "model: mlp, epochs: 1.5",
    "model: mlp, epochs: {uniform: [1, 2]}, samples: 2",
    "model: {name: mlp, dropout: {uniform: [0, 0.5]}}, search: tpe",
    "model: {name: mlp, dropout: {uniform: [0, 0.5]}}, search: {startup: 15}",
    "model: {name: mlp, dropout: {uniform: [0, 0.5]}}, search: {algorithm: gp, trials: 20}",
    "model: mlp, validation: 0.2",
    "model: mlp, validation: {tail: 1}",
    "model: mlp, early_stopping: 5",
    "model: mlp, seeds: 0",
    "model: mlp, seeds: []",
    "model: mlp, seeds: [0, 0]",
    "model: mlp, weights: worst",
    "model: mlp, lr: 0.1",
]

BAD_TOP = [
    "grid: {model: mlp}",
    "name: t",
    "name: a b\ngrid: {model: mlp}",
    "name: t\ngrid: []",
    "name: t\ngrid: {model: mlp}\nmodel: mlp",
    "name: t\ngrid: {model: mlp}\nreferences: lab-e",
    "name: t\ngrid: {model: mlp}\nreferences: [{match: {model: mlp}}]",
    "name: t\ngrid: {model: mlp}\nreferences: [{id: a, match: {}}]",
    "name: t\ngrid: {model: mlp}\nreferences: [{id: a, match: {modle: mlp}}]",
    "name: t\ngrid: {model: mlp}\nmetrics: [f1]",
    "name: t\ngrid: {model: mlp}\nmetrics: [ece, ece]",
    "name: t\ngrid: {model: mlp}\nrank_by: f1",
    "name: t\ngrid: {model: mlp}\nexclude: [{modle: mlp}]",
    "name: t\ngrid: {model: mlp}\npruning: hyperband",
    "name: t\ngrid: {model: mlp}\npruning: {grace_period: 0}",
    "name: t\ngrid: {model: mlp}\nlimit: 0",
]


@pytest.mark.parametrize("block", GOOD)
def test_what_bench_accepts_the_schema_accepts(
    block: str, validator: Draft202012Validator, load: Callable[..., Suite], tmp_path: Path
) -> None:
    text = f"name: t\ngrid: {{{block}}}\n"
    assert load(text).configurations
    assert [error.message for error in validator.iter_errors(data_of(text, tmp_path))] == []


@pytest.mark.parametrize("text", [*(f"name: t\ngrid: {{{block}}}\n" for block in BAD), *BAD_TOP])
def test_what_the_schema_refuses_bench_refuses(
    text: str, validator: Draft202012Validator, complaint: Callable[..., str], tmp_path: Path
) -> None:
    assert complaint(text)
    assert not validator.is_valid(data_of(text, tmp_path))


def test_references_with_a_match_and_metrics_are_accepted_by_both(
    validator: Draft202012Validator, load: Callable[..., Suite], tmp_path: Path
) -> None:
    text = "name: t\ngrid: {model: mlp}\nmetrics: [accuracy, ece]\nrank_by: log_loss\n"
    text += "references: [a, {id: b, match: {model: {name: mlp}, regularizer: none}, note: x}, {id: c, note: y}]\n"
    assert load(text).references == ("a", "b", "c")
    assert [error.message for error in validator.iter_errors(data_of(text, tmp_path))] == []


def test_every_entry_describes_itself() -> None:
    for axis, entries in AXES.items():
        for name, entry in entries.items():
            assert entry.model_fields["name"].default == name, f"{axis}: an entry is filed under its name"
            assert entry.__doc__, name
