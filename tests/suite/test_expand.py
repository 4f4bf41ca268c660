"""What a suite file stands for: which configurations, in which order, with which seeds."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from configuration import DEFAULTS

from bench.suite.find_suite import shipped_suites
from bench.suite.suite import Suite, load_suite

Load = Callable[..., Suite]


def levels(suite: Suite, axis: str, parameter: str = "name") -> list[Any]:
    """What stands at an axis in each configuration, in order."""
    found = [config[axis] for config, _ in suite.configurations]
    return [value[parameter] if isinstance(value, dict) else value for value in found]


def test_a_model_is_all_a_suite_needs(load: Load) -> None:
    suite = load("name: least\ngrid: {model: mlp}\n")
    assert suite.title == "least"
    assert suite.configurations == ((DEFAULTS, [0]),)


def test_axes_multiply_and_the_last_varies_fastest(load: Load) -> None:
    suite = load("name: t\ngrid: {epochs: [1, 2], model: [mlp, cnn], batch_size: 8}\n")
    assert list(zip(levels(suite, "model"), levels(suite, "epochs"), strict=True)) == [
        ("mlp", 1),
        ("mlp", 2),
        ("cnn", 1),
        ("cnn", 2),
    ]


def test_the_order_of_keys_in_the_file_changes_nothing(load: Load) -> None:
    one = load("name: t\ngrid: {model: [mlp, cnn], optimizer: {name: sgd, lr: 0.1, momentum: 0.9}, epochs: [1, 2]}\n")
    other = load("grid: {epochs: [1, 2], optimizer: {momentum: 0.9, lr: 0.1, name: sgd}, model: [mlp, cnn]}\nname: t\n")
    assert one.configurations == other.configurations


@pytest.mark.parametrize("name", ["fashion-mnist", "Fashion-MNIST", "FashionMNIST", "{name: fashion-mnist}"])
def test_a_data_set_may_be_written_as_its_makers_do(load: Load, name: str) -> None:
    suite = load(f"name: t\ngrid: {{model: mlp, dataset: {name}}}\n", only=["dataset=Fashion-MNIST"])
    assert suite.configurations == ((DEFAULTS, [0]),)


def test_a_grid_in_a_parameter_gives_an_entry_for_each_value(load: Load) -> None:
    suite = load(
        "name: t\ngrid: {model: mlp, optimizer: {name: sgd, lr: {grid: [1e-1, 1]}, momentum: {grid: [0, 0.9]}}}\n"
    )
    entries = [(config["optimizer"]["lr"], config["optimizer"]["momentum"]) for config, _ in suite.configurations]
    assert entries == [(0.1, 0.0), (0.1, 0.9), (1.0, 0.0), (1.0, 0.9)]


def test_a_grid_may_hold_lists_and_stand_in_a_plain_axis(load: Load) -> None:
    suite = load("name: t\ngrid: {model: {name: mlp, hidden: {grid: [[], [64], [64, 32]]}}, epochs: {grid: [1, 2]}}\n")
    assert levels(suite, "model", "hidden") == [[], [], [64], [64], [64, 32], [64, 32]]
    assert levels(suite, "epochs") == [1, 2] * 3


def test_sub_grids_share_the_defaults_and_may_set_their_own(load: Load) -> None:
    suite = load(
        """\
        name: t
        defaults: {model: [mlp, cnn], epochs: 3, seeds: 2, validation: {tail: 0.2}}
        grid:
          - {optimizer: sgd}
          - {model: mlp, epochs: 9, seeds: [7], validation: {stratified: 0.3}}
        """
    )
    assert levels(suite, "model") == ["mlp", "cnn", "mlp"]
    assert levels(suite, "optimizer") == ["sgd", "sgd", "adam"]
    assert levels(suite, "epochs") == [3, 3, 9]
    assert [seeds for _, seeds in suite.configurations] == [[0, 1], [0, 1], [7]]
    assert [config["validation"] for config, _ in suite.configurations] == [{"tail": 0.2}] * 2 + [{"stratified": 0.3}]


def test_a_combination_holds_entries_together(load: Load) -> None:
    suite = load(
        "name: t\ngrid: {model: mlp, augmentation: [none, flip, {combine: [flip, {name: crop, padding: 3}]}]}\n"
    )
    names = [[entry["name"] for entry in config["augmentation"]] for config, _ in suite.configurations]
    assert names == [[], ["flip"], ["flip", "crop"]]


def test_sweeps_inside_a_combination_multiply(load: Load) -> None:
    suite = load(
        """\
        name: t
        grid:
          model: mlp
          regularizer:
            combine: [{name: l2, strength: {grid: [1e-3, 1e-4]}}, {name: dropout, rate: {grid: [0.2, 0.5]}}]
        """
    )
    pairs = [tuple(config["regularizer"]) for config, _ in suite.configurations]
    assert [(l2["strength"], dropout["rate"]) for l2, dropout in pairs] == [
        (1e-3, 0.2),
        (1e-3, 0.5),
        (1e-4, 0.2),
        (1e-4, 0.5),
    ]


def test_a_combination_with_none_is_the_entry_alone(load: Load) -> None:
    suite = load("name: t\ngrid: {model: mlp, regularizer: [{combine: [none, dropout]}, dropout]}\n")
    assert (len(suite.configurations), suite.repeated) == (1, 1)


def test_equal_configurations_are_merged_with_their_seeds(load: Load) -> None:
    suite = load(
        "name: t\ngrid: [{model: mlp, seeds: [3, 0]}, {model: cnn}, {model: {name: mlp, dropout: 0}, seeds: [1, 0]}]\n"
    )
    assert [(config["model"]["name"], seeds) for config, seeds in suite.configurations] == [
        ("mlp", [0, 1, 3]),
        ("cnn", [0]),
    ]
    assert suite.repeated == 1


def test_seeds_are_a_number_or_a_list(load: Load) -> None:
    assert load("name: t\ngrid: {model: mlp, seeds: 3}\n").configurations[0][1] == [0, 1, 2]
    assert load("name: t\ngrid: {model: mlp, seeds: [5, 3]}\n").configurations[0][1] == [5, 3]


def test_rules_say_how_many_workers_train_which_configurations(load: Load) -> None:
    suite = load(
        "name: t\n"
        "defaults:\n"
        "  workers: {default: 2, rules: [{match: {model: vgg}, workers: 4}, {match: {epochs: 1}, workers: 1}]}\n"
        "grid: [{model: [mlp, vgg], epochs: [1, 9]}, {model: cnn, epochs: 9}]\n"
    )
    assert levels(suite, "workers") == [1, 2, 4, 4, 2]
    assert levels(load("name: t\ngrid: {model: mlp, workers: 3}\n"), "workers") == [3]


def test_a_libraries_model_keeps_its_parameters_as_they_are(load: Load) -> None:
    suite = load(
        "name: t\ngrid: {model: {name: resnet18.a1_in1k, pretrained: true, block_args: {x: [1]}}, optimizer: lamb}\n"
    )
    (config, _), *_ = suite.configurations
    assert config["model"] == {"name": "resnet18.a1_in1k", "pretrained": True, "block_args": {"x": [1]}}
    assert config["optimizer"] == {"name": "lamb"}
    assert suite.location("model", config["model"]).endswith("suite.yaml:2: grid.model")


# --- distributions ------------------------------------------------------------------------------

SEARCH = """\
name: search
sampling_seed: 4
grid:
  model: mlp
  optimizer:
    - {name: adam, lr: {log_uniform: [1e-4, 1e-1]}, eps: {choice: [1e-8, 1e-7]}}
  regularizer: {name: dropout, rate: {uniform: [0.1, 0.6]}}
  batch_size: {choice: [64, 128, 256]}
  samples: 40
"""


def test_draws_stay_within_their_bounds_and_differ(load: Load) -> None:
    suite = load(SEARCH)
    rates = levels(suite, "optimizer", "lr")
    assert len(set(rates)) == 40
    assert all(1e-4 <= rate <= 1e-1 for rate in rates)
    assert 10 < sum(rate < math.sqrt(1e-5) for rate in rates) < 30, "as many below the geometric middle as above"
    assert set(levels(suite, "batch_size")) == {64, 128, 256}
    assert set(levels(suite, "optimizer", "eps")) == {1e-8, 1e-7}
    assert all(0.1 <= config["regularizer"][0]["rate"] <= 0.6 for config, _ in suite.configurations)


def test_draws_are_the_same_in_every_process(load: Load, tmp_path: Path) -> None:
    here = levels(load(SEARCH), "optimizer", "lr")
    assert here[:3] == [0.000487742, 0.00117962, 0.000138843], "pinned: another Python must not draw another suite"
    code = "import sys; from pathlib import Path; from bench.suite.suite import load_suite as l; "
    code += "print([c['optimizer']['lr'] for c, _ in l(Path(sys.argv[1])).configurations])"
    there = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "suite.yaml")],
        env={"PYTHONHASHSEED": "1", "PATH": ""},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert there.stdout.strip() == str(here)


def test_draws_do_not_depend_on_where_they_stand(load: Load) -> None:
    rates = levels(load(SEARCH), "optimizer", "lr")
    line = "    - {name: adam, lr: {log_uniform: [1e-4, 1e-1]}, eps: {choice: [1e-8, 1e-7]}}\n"
    moved = load(SEARCH.replace(line, "    - sgd\n" + line).replace("  batch_size: {choice: [64, 128, 256]}\n", ""))
    assert [rate for rate in levels(moved, "optimizer", "lr") if rate in rates] == rates


def test_plain_axes_draw_apart(load: Load) -> None:
    suite = load(
        "name: t\ngrid: {model: mlp, epochs: [{choice: [1, 2]}], batch_size: [{choice: [1, 2]}], samples: 30}\n"
    )
    pairs = set(zip(levels(suite, "epochs"), levels(suite, "batch_size"), strict=True))
    assert len(pairs) == 4, "one stream for both would give two pairs"


def test_more_samples_keep_the_first_ones_and_another_seed_changes_them(load: Load) -> None:
    rates = levels(load(SEARCH), "optimizer", "lr")
    assert levels(load(SEARCH.replace("samples: 40", "samples: 60")), "optimizer", "lr")[:40] == rates
    assert not set(levels(load(SEARCH.replace("sampling_seed: 4", "sampling_seed: 5")), "optimizer", "lr")) & set(rates)


def test_a_random_search_is_what_samples_are_and_an_adaptive_one_starts_so(load: Load) -> None:
    samples = load(SEARCH)
    random = load(SEARCH.replace("samples: 40", "search: {algorithm: random, trials: 40}"))
    assert random.configurations == samples.configurations and random.searches == samples.searches
    adaptive = load(SEARCH.replace("samples: 40", "search: {algorithm: tpe, trials: 40, startup: 15}"))
    assert adaptive.configurations == samples.configurations[:15]
    assert (len(adaptive), adaptive.n_configurations, repr(adaptive)) == (
        40,
        40,
        "Suite('search', 40 configurations, 40 trials)",
    )
    rule = adaptive.searches[0].rule
    assert [parameter.label for parameter in rule.parameters] == [
        "optimizer.lr",
        "optimizer.eps",
        "regularizer.rate",
        "batch_size",
    ]
    assert [rule.values_in(config) for config, _ in adaptive.configurations] == [
        rule.random_values(number) for number in range(15)
    ]


def test_each_point_of_the_listed_values_is_searched_by_itself(load: Load) -> None:
    suite = load(
        "name: t\ngrid: {model: [mlp, cnn], optimizer: [{name: sgd, lr: {uniform: [0.1, 1]}}, adam], seeds: 2,"
        " search: {trials: 20, startup: 4}}\n"
    )
    assert len(suite.searches) == 2 and len(suite.configurations) == 2 * (4 + 1)
    assert len(suite) == 2 * 2 * (20 + 1)


def test_an_entry_without_a_distribution_is_not_repeated(load: Load) -> None:
    suite = load("name: t\ngrid: {model: mlp, optimizer: [{name: sgd, lr: {uniform: [0.1, 1]}}, adam], samples: 5}\n")
    assert levels(suite, "optimizer") == ["sgd"] * 5 + ["adam"]
    assert suite.repeated == 0


# --- exclude ------------------------------------------------------------------------------------

GRID = """\
name: t
grid:
  model: [mlp, cnn]
  optimizer: [{name: sgd, lr: {grid: [0.1, 0.5]}}, adam]
  augmentation: [none, {combine: [flip, crop]}]
"""


@pytest.mark.parametrize(
    ("pattern", "left"),
    [
        ("{model: mlp}", 6),
        ("{model: '*n'}", 6),
        ("{model: mlp, optimizer: sgd}", 8),
        ("{optimizer: {name: sgd, lr: 0.5}}", 8),
        ("{optimizer: {name: 's*'}, augmentation: none}", 8),
        ("{augmentation: crop}", 6),
        ("{augmentation: {name: flip, p: 0.5}, model: cnn}", 9),
        ("{augmentation: none}", 6),
        ("{epochs: 10, model: cnn}", 6),
        ("{validation: {stratified: 0.1}, model: cnn}", 6),
        ("{weights: last, refit: false, model: cnn}", 6),
    ],
)
def test_exclude_leaves_out_what_matches_in_part(pattern: str, left: int, load: Load) -> None:
    assert len(load(GRID).configurations) == 12
    assert len(load(f"{GRID}exclude: [{pattern}]\n").configurations) == left


def test_several_excludes_add_up(load: Load) -> None:
    suite = load(f"{GRID}exclude: [{{model: mlp, optimizer: sgd}}, {{model: mlp}}, {{optimizer: adam}}]\n")
    assert set(levels(suite, "model")) == {"cnn"}
    assert set(levels(suite, "optimizer")) == {"sgd"}


# --- the rest of the file -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "method", "grace_period"),
    [
        ("none", None, None),
        ("~", None, None),
        ("asha", "asha", None),
        ("halving", "halving", None),
        ("{grace_period: 4}", "asha", 4),
        ("{method: halving, grace_period: 4}", "halving", 4),
    ],
)
def test_pruning_in_short_and_at_length(text: str, method: str | None, grace_period: int | None, load: Load) -> None:
    pruning = load(f"name: t\npruning: {text}\ngrid: {{model: mlp}}\n").pruning
    assert (pruning and pruning.method, pruning and pruning.grace_period) == (method, grace_period)


@pytest.mark.parametrize("name", shipped_suites())
def test_shipped_suites_expand(name: str) -> None:
    suite = load_suite(shipped_suites()[name])
    # The sub-grids of `full` cross: each varies one axis around the same middle.
    assert suite.repeated == 0 or name == "full"
    assert suite.name == name.rpartition("/")[2]
