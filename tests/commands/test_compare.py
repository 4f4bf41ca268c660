"""`bench compare`, as a job of CI calls it."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
import yaml
from made_ledger import FLIP, L2, Ledger, config
from statsmodels.stats.contingency_tables import mcnemar

from bench.cli import app

Store = Callable[..., Path]


@pytest.fixture
def made() -> Ledger:
    """A baseline, a far worse and a nearly equal configuration, three seeds each; two single runs."""
    made = Ledger()
    made.add(config(), [0.900, 0.902, 0.901])
    made.add(config(regularizer=L2), [0.850, 0.853, 0.851])
    made.add(config(augmentation=FLIP), [0.899, 0.901, 0.903])
    made.add(config(batch_size=64), [0.9])
    made.add(config(batch_size=512), [0.87])
    return made


def test_a_clear_loss_is_exit_code_1_effect_first_then_interval_and_p(made: Ledger, stored: Store, bench: Any) -> None:
    ran = bench("compare", "mlp · batch_size=256", "mlp · l2 · batch_size=256", "--results", stored(made))
    assert ran.code == 1
    assert ran.err == ""
    first = next(line for line in ran.out.splitlines() if "NEW - BASE" in line)
    assert first.startswith("  NEW - BASE -4.97 points, ")
    assert "on new images, 95 %, p = " in first
    assert "  differs: regularizer: none -> l2 strength=0.001" in ran.out
    assert "NEW is worse (2.5 %, one-sided) in 1 of 1" in ran.out


def test_a_setting_left_out_differs_from_its_usual_value(made: Ledger, stored: Store, bench: Any) -> None:
    made.add(config(ema=0.99, test_time="flip"), [0.904, 0.905, 0.903])
    ran = bench("compare", "mlp · batch_size=256", "test_time=flip", "--results", stored(made))
    assert "  differs: ema: none -> 0.99" in ran.out
    assert "test_time: none -> flip" in ran.out


def test_a_loss_within_the_bound_is_no_failure(made: Ledger, stored: Store, bench: Any) -> None:
    ran = bench("compare", "regularizer=none batch_size=256 augmentation=none", "regularizer=l2", "--max-drop", 10,
                "--results", stored(made))  # fmt: skip
    assert ran.code == 0
    assert "NEW is not worse by more than 10 points" in ran.out


@pytest.mark.parametrize(("base", "new"), [("mlp · batch_size=256", "mlp · l2*"), ("*=64", "*=512")])
def test_the_bound_decides_where_the_interval_ends(
    base: str, new: str, made: Ledger, stored: Store, bench: Any
) -> None:
    compare = ("compare", base, new, "--results", stored(made), "--json", "--max-drop")
    (row,) = json.loads(bench(*compare, 0).out)["comparisons"]
    words = {}
    for bound in (row["high"], row["low"]):
        for beyond in (-1e-6, 1e-6):
            ran = bench(*compare, 100 * (-bound + beyond))
            words[bound, beyond] = json.loads(ran.out)["comparisons"][0]["word"], ran.code
    assert list(words.values()) == [("worse", 1), ("unsure", 0), ("unsure", 0), ("not worse", 0)]


def test_what_cannot_be_told_apart_is_said_with_what_these_seeds_could_show(
    made: Ledger, stored: Store, bench: Any
) -> None:
    ran = bench("compare", "mlp · batch_size=256", "mlp · flip*", "--results", stored(made), "--json")
    (row,) = json.loads(ran.out)["comparisons"]
    assert (ran.code, row["word"], row["method"]) == (0, "unsure", "seeds and images")
    assert row["low"] < row["difference"] < row["high"]
    assert row["shows"] == pytest.approx(row["high"] - row["difference"])
    text = bench("compare", "mlp · batch_size=256", "mlp · flip*", "--results", stored(made)).out
    assert "they cannot be told apart with 3 seeds each" in text
    assert f"the smallest difference these could show is about {100 * row['shows']:.2f} points" in text


def test_single_runs_are_compared_by_mcnemar_and_it_says_of_what(made: Ledger, stored: Store, bench: Any) -> None:
    folder = stored(made)
    base, new = (record.key for record in made.records if record.config["batch_size"] != 256)
    ran = bench("compare", base, new, "--results", folder, "--json")
    (row,) = json.loads(ran.out)["comparisons"]
    right = [made.stored[key].labels == made.stored[key].predicted for key in (base, new)]
    table = [[np.sum(a & b) for b in (right[1], ~right[1])] for a in (right[0], ~right[0])]
    assert row["p"] == pytest.approx(mcnemar(table, exact=True).pvalue)
    assert row["difference"] == pytest.approx(-0.03)
    assert "these two networks' weights only" in bench("compare", base, new, "--results", folder).out


def test_a_key_stands_for_all_seeds_of_its_configuration(made: Ledger, stored: Store, bench: Any) -> None:
    second_seed = made.records[1].key
    ran = bench("compare", second_seed, "regularizer=l2", "--results", stored(made), "--json")
    (row,) = json.loads(ran.out)["comparisons"]
    assert (row["base"], row["base_seeds"], row["new_seeds"]) == ("mlp · batch_size=256", 3, 3)


@pytest.mark.parametrize(
    ("base", "new", "words"),
    [
        ("mlp · batch_size=257", "regularizer=l2", "did you mean 'mlp · batch_size=256'?"),
        ("mlp*", "regularizer=l2", "5 configurations"),
        ("regularizer=l2", "mlp · l2*", "are one configuration"),
        ("regularizer=l2", "feedbeef", "no configuration of"),
    ],
)
def test_names_that_are_no_one_configuration(
    base: str, new: str, words: str, made: Ledger, stored: Store, bench: Any
) -> None:
    ran = bench("compare", base, new, "--results", stored(made))
    assert ran.code == 2
    assert ran.out == ""
    assert words in ran.err


def test_two_ledgers_are_compared_wherever_they_share_a_configuration(stored: Store, bench: Any) -> None:
    before, after = Ledger(), Ledger()
    before.add(config(), [0.900, 0.902, 0.901])
    before.add(config(regularizer=L2), [0.880, 0.882, 0.881])
    before.add(config(epochs=9), [0.9])
    after.add(config(), [0.850, 0.853, 0.851])
    after.add(config(regularizer=L2), [0.881, 0.880, 0.882])
    after.add(config(augmentation=FLIP), [0.9])
    ran = bench("compare", stored(before, "main"), stored(after, "branch"), "--max-drop", 0.3)
    assert ran.code == 1
    assert "family-wise over 2 configurations by Holm) in 1 of 2: mlp · epochs=5." in ran.out
    assert "only in BASE: mlp · epochs=9" in ran.out
    assert "only in NEW: mlp · flip · epochs=5" in ran.out


def test_a_ledger_and_its_copy_are_the_same_image_by_image(made: Ledger, stored: Store, bench: Any) -> None:
    ran = bench("compare", stored(made, "main"), stored(made, "branch"), "--json")
    told = json.loads(ran.out)
    assert ran.code == 0
    assert {row["word"] for row in told["comparisons"]} == {"same"}
    assert {row["difference"] for row in told["comparisons"]} == {0.0}


def test_one_ledger_under_two_names_is_refused(made: Ledger, stored: Store, bench: Any) -> None:
    folder = stored(made)
    ran = bench("compare", folder, folder / ".." / folder.name)
    assert (ran.code, "are one ledger" in ran.err) == (2, True)


def test_folders_that_are_not_there_are_no_configurations(bench: Any, tmp_path: Path) -> None:
    none = tmp_path / "none"
    ran = bench("compare", tmp_path / "base", tmp_path / "new", "--results", none)
    assert ran.code == 2
    assert f"neither is a ledger's folder or URL, and there is no ledger {none}" in ran.err


def test_a_configuration_that_no_longer_trains_is_worse(stored: Store, bench: Any) -> None:
    before, after = Ledger(), Ledger()
    before.add(config(), [0.9])
    after.add_ended(config(), 0, "diverged", 2)
    ran = bench("compare", stored(before, "main"), stored(after, "branch"))
    assert ran.code == 1
    assert "every trial of it ended early (1 diverged)" in ran.out


def test_an_edited_model_is_compared_with_itself_before_the_edit(stored: Store, bench: Any) -> None:
    mine = config(model={"name": "nets.py:wide"})
    before, after = Ledger(), Ledger()
    before.add(mine, [0.88, 0.89], configuration="aaaa")
    after.add(mine, [0.80, 0.81], configuration="bbbb")
    ran = bench("compare", stored(before, "main"), stored(after, "branch"))
    assert ran.code == 1
    assert "differs: data or code: another checksum" in ran.out


def test_versions_that_changed_between_two_ledgers_are_named(stored: Store, bench: Any) -> None:
    before, after = Ledger(), Ledger()
    before.add(config(), [0.9, 0.9])
    after.add(config(), [0.9, 0.901])
    after.records = [
        replace(one, measured=replace(one.measured, versions={"bench": "0.1.0", "torch": "2.10.0"}))
        for one in after.records
    ]
    ran = bench("compare", stored(before, "main"), stored(after, "branch"))
    assert "differs: torch: 2.9.0 -> 2.10.0" in ran.out


def test_a_suite_keeps_only_its_configurations(stored: Store, bench: Any, tmp_path: Path) -> None:
    before, after = Ledger(), Ledger()
    for ledger in (before, after):
        ledger.add(config(), [0.9])
        ledger.add(config(regularizer=L2), [0.9])
    suite = tmp_path / "suite.yaml"
    suite.write_text(
        "name: t\ngrid: {model: mlp, regularizer: [none, dropout], batch_size: 256, epochs: 5, validation: {tail: 0.2}}"
    )
    ran = bench("compare", stored(before, "main"), stored(after, "branch"), "--suite", suite, "--json")
    assert [row["label"] for row in json.loads(ran.out)["comparisons"]] == ["mlp"]


def test_a_ledger_is_not_compared_with_a_configuration(made: Ledger, stored: Store, bench: Any, tmp_path: Path) -> None:
    folder = stored(made)
    ran = bench("compare", folder, "mlp", "--results", folder)
    assert ran.code == 2
    assert "give two ledgers, or two configurations of one" in ran.err
    (tmp_path / "empty").mkdir()
    ran = bench("compare", folder, tmp_path / "empty")
    assert (ran.code, "there is no ledger here" in ran.err) == (2, True)


def test_other_test_images_are_refused(stored: Store, bench: Any) -> None:
    few, many = Ledger(images=500), Ledger()
    few.add(config(), [0.9])
    many.add(config(), [0.9])
    ran = bench("compare", stored(few, "main"), stored(many, "branch"))
    assert ran.code == 2
    assert "tested on different images (500 and 1,000" in ran.err


def test_the_workflow_that_is_shown_names_commands_and_options_that_exist() -> None:
    page = (Path(__file__).parents[2] / "docs" / "compare.md").read_text(encoding="utf-8")
    (text,) = re.findall(r"^```yaml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    steps = yaml.safe_load(text)["jobs"]["compare"]["steps"]
    lines = [shlex.split(step["run"].partition("|")[0]) for step in steps if step.get("run", "").startswith("bench ")]
    assert [line[1] for line in lines] == ["run", "run", "compare"]
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    for line in lines:
        commands[line[1]].make_context(line[1], line[2:])  # raises for an option that there is not
