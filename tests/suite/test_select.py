"""`--only`, `--set` and `--seeds`: a part of a suite, or a suite changed, without another file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.errors import UserError
from bench.suite.find_suite import find_suite, shipped_suites
from bench.suite.suite import Suite

Load = Callable[..., Suite]
Complain = Callable[..., str]

GRID = """\
name: t
defaults: {epochs: 5, validation: {tail: 0.1}}
grid:
  - model: [mlp, cnn]
    optimizer: [{name: sgd, lr: 0.5}, {name: adam, lr: {grid: [1e-3, 1e-2]}}]
    regularizer: [none, {combine: [l2, {name: dropout, rate: 0.2}]}]
  - model: vgg11
    epochs: 9
"""


@pytest.mark.parametrize(
    ("only", "left"),
    [
        ([], 13),
        (["model=mlp"], 6),
        (["model=*n*"], 6),
        (["model=[cm]*"], 12),
        (["model=vgg*"], 1),
        (["model=*"], 13),
        (["model={name: mlp, dropout: 0}"], 6),
        (["optimizer.lr=0.5"], 4),
        (["optimizer.lr=1e-3"], 5),
        (["optimizer=adam", "model=mlp"], 4),
        (["regularizer=none"], 7),
        (["regularizer=dropout"], 6),
        (["regularizer.rate=0.2"], 6),
        (["epochs=9"], 1),
        (["validation={tail: 0.1}"], 13),
        (["weights=last"], 13),
        (["test_time=none"], 13),
        (["ema=none", "early_stopping=none"], 13),
        (["model=[cnn, vgg*]"], 7),
        (["model=[mlp, cnn]", "epochs=[5]"], 12),
        (["optimizer.lr=[0.5, 1e-3]"], 9),
        (["optimizer.lr=[0.5]"], 4),
        (["model.hidden=[128, 64]"], 6),
        (["dataset=fashion-mnist"], 13),
        (["refit=false"], 13),
    ],
)
def test_only_keeps_what_matches_every_pattern(only: list[str], left: int, load: Load) -> None:
    assert len(load(GRID, only=only).configurations) == left


def test_only_keeps_the_order(load: Load) -> None:
    everything = [config for config, _ in load(GRID).configurations]
    kept = [config for config, _ in load(GRID, only=["optimizer=adam"]).configurations]
    assert kept == [config for config in everything if config["optimizer"]["name"] == "adam"]


def test_only_that_matches_nothing_shows_what_there_is(complaint: Complain) -> None:
    assert complaint(GRID, only=["model=resnet*"]).splitlines() == [
        "--only 'model=resnet*' matches none of the 13 configurations of suite.yaml",
        "  model is there: 'mlp', 'cnn', 'vgg11'",
    ]
    assert "optimizer.lr is there: 0.5, 0.001, 0.01" in complaint(GRID, only=["optimizer.lr=3"])
    assert "optimizer.lr=[0.5, 3]': {lr: 3} matches none" in complaint(GRID, only=["optimizer.lr=[0.5, 3]"])
    assert "optimizer.lr is there: 0.5, 0.001, 0.01" in complaint(GRID, only=["optimizer.lr=[2, 3]"])
    assert "optimizer.speed is there: nowhere" in complaint(GRID, only=["optimizer.speed=3"])
    assert "model is there: 'mlp', 'cnn', 'vgg11'" in complaint(GRID, only=["model=[]"])


def test_each_of_several_values_must_match_something(complaint: Complain) -> None:
    assert complaint(GRID, only=["epochs=9", "model=[vgg11, cmn]"]).splitlines() == [
        "--only 'model=[vgg11, cmn]': 'cmn' matches none of the 13 configurations of suite.yaml",
        "  model is there: 'mlp', 'cnn', 'vgg11'",
    ]


def test_set_replaces_an_axis_or_a_setting_everywhere(load: Load) -> None:
    suite = load(GRID, cli_overrides=["epochs=2", "optimizer=rmsprop", "validation={stratified: 0.3}"])
    assert {config["epochs"] for config, _ in suite.configurations} == {2}
    assert {config["optimizer"]["name"] for config, _ in suite.configurations} == {"rmsprop"}
    assert {config["validation"]["stratified"] for config, _ in suite.configurations} == {0.3}


def test_set_takes_anything_a_file_takes(load: Load) -> None:
    suite = load(
        GRID, cli_overrides=["epochs=[1, 2]", "model={name: mlp, hidden: {grid: [[16], [8]]}}", "optimizer=sgd"]
    )
    assert {tuple(config["model"]["hidden"]) for config, _ in suite.configurations} == {(16,), (8,)}
    assert {config["epochs"] for config, _ in suite.configurations} == {1, 2}


def test_set_puts_a_parameter_into_every_entry_of_its_axis(load: Load) -> None:
    suite = load(GRID, cli_overrides=["optimizer.lr=0.25", "optimizer.weight_decay=0.5"])
    found = {
        (c["optimizer"]["name"], c["optimizer"]["lr"], c["optimizer"]["weight_decay"]) for c, _ in suite.configurations
    }
    assert found == {("sgd", 0.25, 0.5), ("adam", 0.25, 0.5)}, "the second sub-grid leaves its optimizer at the default"
    assert len(suite.configurations) == 9, "the grid of learning rates became one rate"


def test_set_reaches_into_a_combination(load: Load) -> None:
    text = "name: t\ngrid: {model: mlp, augmentation: [none, {combine: [flip, crop]}]}\n"
    suite = load(text, cli_overrides=["augmentation.static=true"])
    assert [[e["static"] for e in config["augmentation"]] for config, _ in suite.configurations] == [[], [True, True]]


def test_set_an_axis_then_its_parameter(load: Load) -> None:
    suite = load(GRID, cli_overrides=["model=mlp", "model.hidden=[7]"])
    assert {tuple(config["model"]["hidden"]) for config, _ in suite.configurations} == {(7,)}


def test_set_that_finds_no_entry_is_a_mistake(complaint: Complain) -> None:
    text = "name: t\ngrid: {model: mlp, regularizer: none}\n"
    assert complaint(text, cli_overrides=["regularizer.rate=0.5"]).splitlines() == [
        "--set 'regularizer.rate=0.5': no component of `regularizer` in suite.yaml takes parameters",
        "  give one first, e.g. --set regularizer=NAME",
    ]


def test_seeds_replace_those_of_the_file(load: Load) -> None:
    assert {tuple(seeds) for _, seeds in load(GRID, seeds=2).configurations} == {(0, 1)}
    assert {tuple(seeds) for _, seeds in load(GRID, cli_overrides=["seeds=[4, 5]"]).configurations} == {(4, 5)}


@pytest.mark.parametrize(
    ("option", "text", "expected"),
    [
        ("only", "model", "--only 'model': write AXIS=VALUE or AXIS.PARAMETER=VALUE, e.g. --only 'model=vgg*'"),
        ("only", "=mlp", "write AXIS=VALUE"),
        ("only", "model=", "write AXIS=VALUE"),
        ("only", "modle=mlp", "there is no 'modle'\n  did you mean 'model'?"),
        ("only", "lr=0.1", "there is no 'lr'\n  did you mean 'optimizer.lr'?"),
        ("only", "seeds=1", "there is no 'seeds'"),
        ("only", "epochs.x=1", "there is no 'epochs.x'\n  AXIS.PARAMETER is for the axes dataset, "),
        ("only", "model.a.b=1", "there is no 'model.a.b'"),
        ("only", "model={a", "'{a' is not a YAML value"),
        ("cli_overrides", "epochs", "--set 'epochs': write AXIS=VALUE or AXIS.PARAMETER=VALUE, e.g. --set 'epochs=2'"),
        ("cli_overrides", "epoch=2", "--set 'epoch=2': there is no 'epoch'\n  did you mean 'epochs'?"),
        ("cli_overrides", "epochs=[1", "--set 'epochs=[1': '[1' is not a YAML value"),
        ("cli_overrides", "model=*x", "is not a YAML value"),
        ("cli_overrides", "name=x", "there is no 'name'"),
    ],
)
def test_an_option_that_cannot_be_read(option: str, text: str, expected: str, complaint: Complain) -> None:
    assert expected in complaint(GRID, **{option: [text]})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("epochs=0", "suite.yaml: --set epochs: `epochs` must be a whole number of at least 1, not 0"),
        ("validation={tail: 2}", "suite.yaml: --set validation.tail: 2 is out of range"),
        ("dataset=cifar", "suite.yaml: --set dataset: there is no dataset 'cifar'"),
        ("optimizer.lr=-1", "optimizer[0].lr: -1 is out of range"),
        ("optimizer.speed=1", "unknown key 'speed' of optimizer 'sgd'"),
    ],
)
def test_a_wrong_value_blames_the_option(text: str, expected: str, complaint: Complain) -> None:
    message = complaint(GRID, cli_overrides=[text])
    assert expected in message
    assert message.endswith(f"(read with --set '{text}')")


# --- finding the file ---------------------------------------------------------------------------


def test_a_name_finds_the_suite_that_comes_with_bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_suite("quick") == shipped_suites()["quick"]
    assert find_suite("suites/quick.yaml") == shipped_suites()["quick"]
    assert find_suite("labs/regularization") == shipped_suites()["labs/regularization"]


def test_a_file_goes_before_a_name_and_a_folder_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("quick").mkdir()
    assert find_suite("quick") == shipped_suites()["quick"]
    Path("quick").rmdir()
    Path("quick").write_text("name: mine\n")
    assert find_suite("quick") == Path("quick")


@pytest.mark.parametrize(
    ("text", "hint"), [("qick", "did you mean 'quick'?"), ("x" * 5000, "come with bench: data_efficiency, frontier,")]
)
def test_an_unknown_suite(text: str, hint: str) -> None:
    with pytest.raises(UserError, match=r"there is no such suite file") as caught:
        find_suite(text)
    assert hint in str(caught.value)


@pytest.mark.parametrize("only", ["refit=0", "optimizer.nesterov=0", "model.dropout=false"])
def test_a_number_is_no_boolean(load: Load, only: str) -> None:
    with pytest.raises(UserError, match="matches none of the 13 configurations"):
        load(GRID, only=[only])


def test_the_levels_of_an_axis_that_share_an_entry_are_matched_one_by_one(load: Load) -> None:
    suite = load(GRID + "exclude:\n  - {model: mlp, optimizer: {lr: 0.01}}\n  - {regularizer: l2, model: c*}\n")
    left = [(c["model"]["name"], c["optimizer"]["lr"], len(c["regularizer"])) for c, _ in suite.configurations]
    assert ("mlp", 0.01, 0) not in left
    assert ("cnn", 0.5, 2) not in left
    assert len(left) == 8


@pytest.mark.parametrize(
    ("option", "hint"),
    [
        ("learning_rate=1", "did you mean 'optimizer.lr'?"),
        ("adam.lr=1", "did you mean 'optimizer.lr'?"),
        ("device=cuda", "`bench run --gpus-per-trial 0`"),
        ("batchsize=1", "did you mean 'batch_size'?"),
    ],
)
def test_another_tools_word_gets_a_pointer(load: Load, option: str, hint: str) -> None:
    with pytest.raises(UserError) as caught:
        load(GRID, cli_overrides=[option])
    assert hint in str(caught.value)


def test_an_empty_value_in_an_option_is_a_mistake(complaint: Complain) -> None:
    message = complaint(GRID, cli_overrides=["regularizer=[null, dropout]"])
    assert message.startswith("suite.yaml: --set regularizer[0]: an empty value is not allowed in `regularizer`")
