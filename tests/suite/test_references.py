"""References of a suite: which configuration repeats a published result."""

from __future__ import annotations

from collections.abc import Callable

from bench.suite.suite import Suite

Load = Callable[..., Suite]
Complain = Callable[..., str]

GRID = """
name: t
grid:
  model: [{name: mlp, hidden: [32]}, {name: mlp, hidden: [64]}]
  regularizer: [none, {name: l2, strength: 1e-3}]
  seeds: 2
references:
"""


def test_ids_and_mappings_may_stand_side_by_side(load: Load) -> None:
    suite = load(
        f"{GRID}  - lab-e-baseline\n"
        "  - {id: lab-e-l2, match: {model: {hidden: [64]}, regularizer: {name: l2}}, note: ours is smaller}\n"
        "  - {id: lab-c-untrained, note: built only}\n"
    )
    assert suite.references == ("lab-e-baseline", "lab-e-l2", "lab-c-untrained")
    matched, noted = suite.comparisons
    (config,) = matched.configs
    assert (matched.reference, config["model"]["hidden"], matched.note) == ("lab-e-l2", [64], "ours is smaller")
    assert (noted.reference, noted.configs, noted.note) == ("lab-c-untrained", (), "built only")


def test_a_search_may_match_several_of_which_validation_chooses(load: Load, complaint: Complain) -> None:
    suite = load(f"{GRID}  - {{id: a, match: {{regularizer: l2}}, chosen: true}}\n")
    assert [config["model"]["hidden"] for config in suite.comparisons[0].configs] == [[32], [64]]
    assert "matches no configuration" in complaint(f"{GRID}  - {{id: a, match: {{epochs: 3}}, chosen: true}}\n")


def test_two_published_runs_may_match_one_configuration(load: Load) -> None:
    match = "match: {model: {hidden: [32]}, regularizer: none}"
    suite = load(f"{GRID}  - {{id: a, {match}}}\n  - {{id: b, {match}}}\n")
    assert suite.comparisons[0].configs == suite.comparisons[1].configs


def test_optimizers_spelled_out_are_so_in_the_comparison_too(load: Load) -> None:
    suite = load(f"{GRID}  - {{id: a, match: {{model: {{hidden: [32]}}, regularizer: none}}}}\n")
    resolved = suite.resolved("optimizer", lambda entry: {**entry, "foreach": False})
    assert resolved.comparisons[0].configs[0] in [config for config, _ in resolved.configurations]


def test_options_that_change_the_suite_make_no_mistake_of_its_references(load: Load) -> None:
    text = f"{GRID}  - {{id: a, match: {{model: {{hidden: [32]}}, regularizer: l2, epochs: 10}}}}\n"
    assert load(text).comparisons[0].configs
    assert load(text, cli_overrides=["epochs=1"]).comparisons[0].configs == ()
    assert load(text, only=["regularizer=none"]).comparisons[0].configs


def test_metrics_name_what_is_shown_and_the_first_ranks(load: Load) -> None:
    assert load("name: t\ngrid: {model: mlp}\n").metrics == ("accuracy",)
    suite = load("name: t\ngrid: {model: mlp}\nmetrics: [accuracy, f1_macro, ece]\nrank_by: f1_macro\n")
    assert suite.metrics == ("f1_macro", "accuracy", "ece")
    assert load("name: t\ngrid: {model: mlp}\nrank_by: log_loss\n").metrics == ("log_loss", "accuracy")


def test_metrics_change_no_configuration(load: Load) -> None:
    plain = load("name: t\ngrid: {model: mlp}\n")
    assert (
        load("name: t\ngrid: {model: mlp}\nmetrics: [log_loss]\nrank_by: log_loss\n").configurations
        == plain.configurations
    )
