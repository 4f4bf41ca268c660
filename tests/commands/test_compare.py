"""`bench compare`, as a job of CI calls it."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from commands import command
from made_ledger import BASE, FLIP, L2, Ledger, config
from statsmodels.stats.contingency_tables import mcnemar

from bench.cli import load_command

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
    assert first.startswith("  NEW - BASE −4.97 points, 95 % interval ")
    assert "on new images, p " in first
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
            words[bound, beyond] = json.loads(ran.out)["comparisons"][0]["verdict"], ran.code
    assert list(words.values()) == [("worse", 1), ("inconclusive", 3), ("inconclusive", 3), ("not worse", 0)]


def test_what_cannot_be_told_is_exit_code_3_with_the_least_drop_that_could_be(
    made: Ledger, stored: Store, bench: Any
) -> None:
    compare = ("compare", "mlp · batch_size=256", "mlp · flip*", "--results", stored(made), "--max-drop", 0.3)
    ran = bench(*compare, "--json")
    (row,) = json.loads(ran.out)["comparisons"]
    assert (ran.code, row["verdict"], row["method"]) == (3, "inconclusive", "seeds and images")
    assert row["low"] < row["difference"] < row["high"]
    assert row["detectable_drop"] == pytest.approx((row["high"] - row["low"]) / 2)
    text = bench(*compare).out
    assert "inconclusive whether NEW is worse by more than 0.3 points with 3 seeds each on 1,000 test images" in text
    assert f"these would rule out drops of more than about {100 * row['detectable_drop']:.2f} points" in text
    allowed = bench(*compare, "--allow-inconclusive")
    assert (allowed.code, "(allowed by --allow-inconclusive) in 1 of 1" in allowed.out) == (0, True)


@pytest.mark.parametrize("seeds", [1, 3])
def test_images_that_agree_are_no_proof_where_there_are_few_of_them(seeds: int, stored: Store, bench: Any) -> None:
    few, many = Ledger(images=50), Ledger(images=10_000)
    for ledger in (few, many):
        for regularizer in ([], L2):
            ledger.add(config(regularizer=regularizer), [0.9] * seeds)
    for ledger, name, code in ((few, "few", 3), (many, "many", 0)):
        ran = bench("compare", "mlp", "mlp · l2", "--results", stored(ledger, name), "--max-drop", 1)
        assert (ran.code, "of which 0 are classified differently;" in ran.out) == (code, code == 3)


def test_single_runs_are_compared_by_mcnemar_and_it_says_of_what(made: Ledger, stored: Store, bench: Any) -> None:
    folder = stored(made)
    base, new = (record.key for record in made.records if record.config["batch_size"] != 256)
    ran = bench("compare", base, new, "--results", folder, "--json")
    (row,) = json.loads(ran.out)["comparisons"]
    right = [made.stored[key].labels == made.stored[key].predicted for key in (base, new)]
    table = [[np.sum(a & b) for b in (right[1], ~right[1])] for a in (right[0], ~right[0])]
    assert row["p_value"] == pytest.approx(mcnemar(table, exact=True).pvalue)
    assert row["difference"] == pytest.approx(-0.03)
    assert "weights of these two networks only" in bench("compare", base, new, "--results", folder).out


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
        ("regularizer=l2", "mlp · l2*", "are the same configuration"),
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
    ran = bench("compare", stored(before, "main"), stored(after, "branch"), "--max-drop", 0.3, "--matched")
    assert ran.code == 1
    assert "family-wise over 2 comparisons (Holm)) in 1 of 2: mlp · epochs=5." in ran.out
    assert "missing in NEW: mlp · epochs=9: NEW has no trial of it" in ran.out
    assert "only in NEW: mlp · flip · epochs=5" in ran.out


def test_a_ledger_and_its_copy_are_the_same_image_by_image(made: Ledger, stored: Store, bench: Any) -> None:
    folders = stored(made, "main"), stored(made, "branch")
    for options, count in (("--matched",), 5), ((), 1):
        ran = bench("compare", *folders, "--json", *options)
        told = json.loads(ran.out)
        assert ran.code == 0
        assert [row["verdict"] for row in told["comparisons"]] == ["identical"] * count
        assert {row["difference"] for row in told["comparisons"]} == {0.0}


def test_one_ledger_under_two_names_is_refused(made: Ledger, stored: Store, bench: Any) -> None:
    folder = stored(made)
    ran = bench("compare", folder, folder / ".." / folder.name)
    assert (ran.code, "are the same ledger" in ran.err) == (2, True)


def test_folders_that_are_not_there_are_no_configurations(bench: Any, tmp_path: Path) -> None:
    none = tmp_path / "none"
    ran = bench("compare", tmp_path / "base", tmp_path / "new", "--results", none)
    assert ran.code == 2
    assert f"neither is a ledger's folder or URL, and there is no ledger {none}" in ran.err


def test_a_configuration_that_no_longer_trains_is_worse(stored: Store, bench: Any) -> None:
    before, after = Ledger(), Ledger()
    before.add(config(), [0.9])
    after.add_ended(config(), 0, "diverged", 2)
    folders = stored(before, "main"), stored(after, "branch")
    for options in ((), ("--matched",), ("--allow-missing", "--allow-inconclusive")):
        ran = bench("compare", *folders, *options)
        assert (ran.code, "every trial of it ended early" in ran.out, "1 diverged" in ran.out) == (1, True, True)


def test_an_edited_model_is_compared_with_itself_before_the_edit(stored: Store, bench: Any) -> None:
    mine = config(model={"name": "nets.py:wide"})
    before, after = Ledger(), Ledger()
    before.add(mine, [0.88, 0.89], config_key="aaaa")
    after.add(mine, [0.80, 0.81], config_key="bbbb")
    ran = bench("compare", stored(before, "main"), stored(after, "branch"))
    assert ran.code == 1
    assert "differs: data or code: another checksum" in ran.out


def test_versions_that_changed_between_two_ledgers_are_named(stored: Store, bench: Any) -> None:
    before, after = Ledger(), Ledger()
    before.add(config(), [0.9, 0.9])
    after.add(config(), [0.9, 0.901])
    after.records = [
        replace(one, run_info=replace(one.run_info, versions={"bench": "0.1.0", "torch": "2.10.0"}))
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
    ran = bench("compare", stored(before, "main"), stored(after, "branch"), "--suite", suite, "--json", "--matched")
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
    for line in lines:
        load_command(line[1]).make_context(line[1], line[2:])  # raises for an option that there is not


def adam(lr: float) -> dict[str, Any]:
    return config(optimizer={**BASE["optimizer"], "lr": lr})


@pytest.mark.parametrize(
    ("after", "code", "verdict"),
    [
        ([0.901, 0.899, 0.9], 0, "NEW is nowhere worse by more than 5 points"),
        ([0.8, 0.81, 0.79], 1, "NEW is worse by more than 5 points (2.5 %, one-sided) in 1 of 1: fashion_mnist."),
        ([0.85, 0.851, 0.849], 3, "Inconclusive whether NEW is worse by more than 5 points"),
    ],
)
def test_a_changed_recipe_is_compared_best_against_best(
    after: list[float], code: int, verdict: str, stored: Store, bench: Any
) -> None:
    old, new = Ledger(), Ledger()
    old.add(adam(0.001), [0.9, 0.901, 0.899])
    new.add(adam(0.002), after)
    ran = bench("compare", stored(old, "main"), stored(new, "branch"), "--max-drop", 5)
    assert ran.code == code
    assert verdict in ran.out
    assert "BASE  mlp · adam lr=0.001\nNEW   mlp · adam lr=0.002\n" in ran.out
    assert "  differs: optimizer: adam -> adam lr=0.002" in ran.out


def test_the_best_is_that_of_validation_and_has_all_its_seeds(stored: Store, bench: Any) -> None:
    old, new = Ledger(), Ledger()
    for made in (old, new):
        made.add(config(), [0.9, 0.9, 0.9], validation=[0.91, 0.91, 0.91])
        made.add(config(regularizer=L2), [0.95, 0.95, 0.95], validation=[0.89, 0.89, 0.89])
    new.add(config(augmentation=FLIP), [0.97, 0.97], validation=[0.97, 0.97])
    new.add_ended(config(augmentation=FLIP), 2, "diverged", 1)
    ran = bench("compare", stored(old, "main"), stored(new, "branch"), "--json")
    told = json.loads(ran.out)
    (row,) = told["comparisons"]
    assert (row["base"], row["new"], row["candidates"], row["verdict"], ran.code) == (
        "mlp",
        "mlp",
        [2, 2],
        "identical",
        0,
    )
    assert told["notes"] == ["NEW: mlp · flip could not be selected, it lacks seed 2 diverged"]


def test_what_is_gone_is_a_failure_unless_allowed_and_what_took_its_place_is_not(stored: Store, bench: Any) -> None:
    old, fewer, other = Ledger(), Ledger(), Ledger()
    old.add(config(), [0.9, 0.9], validation=[0.95, 0.95])
    old.add(config(regularizer=L2), [0.88, 0.88])
    fewer.add(config(), [0.9, 0.9])
    other.add(config(), [0.9, 0.9], validation=[0.95, 0.95])
    other.add(config(regularizer=[{**L2[0], "strength": 0.01}]), [0.88, 0.88])
    base, gone, replaced = stored(old, "main"), stored(fewer, "fewer"), stored(other, "other")
    for options in ((), ("--matched",)):
        ran = bench("compare", base, gone, *options)
        assert (ran.code, "mlp · l2: NEW has no trial of it" in ran.out) == (1, True)
        ran = bench("compare", base, gone, "--allow-missing", *options)
        assert (ran.code, "Missing in NEW (allowed by --allow-missing): " in ran.out) == (0, True)
    assert bench("compare", base, replaced).code == 0
    assert bench("compare", base, replaced, "--matched").code == 1


@pytest.mark.parametrize("options", [(), ("--matched",)])
def test_seeds_that_were_not_run_are_no_failure_and_named(options: tuple[str, ...], stored: Store, bench: Any) -> None:
    old, new = Ledger(), Ledger()
    old.add(config(), [0.9] * 5)
    new.add(config(), [0.91] * 2)
    ran = bench("compare", stored(old, "main"), stored(new, "branch"), "--max-drop", 10, *options)
    assert ran.code == 0
    assert "seeds 2-4 of BASE were not run in NEW" in ran.out


@pytest.mark.parametrize("options", [(), ("--matched",)])
def test_seeds_that_diverged_or_failed_are_named_and_never_not_worse(
    options: tuple[str, ...], stored: Store, bench: Any
) -> None:
    old, new = Ledger(), Ledger()
    old.add(config(), [0.9, 0.9, 0.9, 0.9])
    old.add_ended(config(), 4, "failed", 1)
    new.add(config(), [0.95, 0.95])
    new.add_ended(config(), 2, "diverged", 1)
    new.add_ended(config(), 3, "diverged", 1)
    new.add_ended(config(), 4, "failed", 1)
    folders = stored(old, "main"), stored(new, "branch")
    ran = bench("compare", *folders, "--max-drop", 10, *options)
    assert ran.code == 1
    assert "BASE 90.00 % (4 seeds; seed 4 failed), NEW 95.00 % (2 seeds; seeds 2, 3 diverged, seed 4 failed)" in ran.out
    assert "inconclusive whether NEW is worse by more than 10 points: seeds are missing" in ran.out
    assert "mlp: NEW lacks seeds 2, 3 diverged, seed 4 failed" in ran.out
    assert "not worse" not in ran.out
    assert "nowhere worse" not in ran.out
    told = json.loads(bench("compare", *folders, "--max-drop", 10, "--allow-missing", "--json", *options).out)
    assert told["exit_code"] == 3
    assert [row["verdict"] for row in told["comparisons"]] == ["inconclusive"]
    assert [row["new_excluded"] for row in told["comparisons"]] == [["seeds 2, 3 diverged", "seed 4 failed"]]


def test_configurations_of_one_ledger_lack_seeds_too(made: Ledger, stored: Store, bench: Any) -> None:
    fast = adam(10.0)
    made.add(adam(0.01), [0.95, 0.95])
    made.add_ended(adam(0.01), 2, "diverged", 1)
    made.add_ended(fast, 0, "diverged", 1)
    base = ("compare", "regularizer=none batch_size=256 augmentation=none optimizer.lr=0.001")
    folder = stored(made)
    ran = bench(*base, "optimizer.lr=0.01", "--max-drop", 10, "--results", folder)
    assert (ran.code, "NEW lacks seed 2 diverged" in ran.out) == (1, True)
    ran = bench(*base, "optimizer.lr=10", "--results", folder)
    assert (ran.code, "every trial of it ended early (1 diverged)" in ran.out) == (1, True)
    ran = bench("compare", "optimizer.lr=10", "regularizer=l2", "--results", folder)
    assert (ran.code, "nothing to compare with" in ran.err) == (2, True)


def test_a_data_set_that_is_gone_is_missing_and_another_protocol_is_said(stored: Store, bench: Any) -> None:
    old, new = Ledger(), Ledger()
    old.add(config(), [0.9, 0.9])
    old.add(config(dataset={"name": "mnist"}), [0.95, 0.95])
    new.add(config(epochs=7), [0.9, 0.9])
    ran = bench("compare", stored(old, "main"), stored(new, "branch"), "--max-drop", 5)
    assert ran.code == 1
    assert "missing in NEW: mnist: NEW has no trial on this data set" in ran.out
    assert "note: fashion_mnist: BASE has the protocol validation tail 0.2, 5 epochs" in ran.out
    only_mnist = Ledger()
    only_mnist.add(config(dataset={"name": "mnist"}), [0.95, 0.95])
    ran = bench("compare", stored(new, "new"), stored(only_mnist, "mnist"))
    assert (ran.code, "BASE has complete trials of fashion_mnist (validation tail 0.2" in ran.err) == (2, True)


def test_without_validation_nothing_is_the_best_of_several(stored: Store, bench: Any) -> None:
    old, new = Ledger(), Ledger()
    for made in (old, new):
        for regularizer in ([], L2):
            made.add(config(validation="none", regularizer=regularizer), [0.9, 0.9])
    folders = stored(old, "main"), stored(new, "branch")
    ran = bench("compare", *folders)
    assert (ran.code, "none of 2 configurations was selected" in ran.err, "--matched" in ran.err) == (2, True, True)
    assert bench("compare", *folders, "--matched").code == 0


def test_two_data_sets_of_ones_own_are_two_also_where_they_lie_elsewhere(stored: Store, bench: Any) -> None:
    old, new = Ledger(), Ledger()
    for made, folder in ((old, "there"), (new, "here")):
        for name, test in (("a", [0.9, 0.9]), ("b", [0.8, 0.8])):
            made.add(config(dataset={"name": "npz", "path": f"{folder}/{name}.npz"}), test)
    new.records, rest = new.records[:2], new.records[2:]
    for options in (("--matched",), ()):
        ran = bench("compare", stored(old, "main"), stored(new, f"one{len(options)}"), *options)
        assert (ran.code, "b.npz" in ran.out) == (1, True)
    new.records += rest
    told = json.loads(bench("compare", stored(old, "main"), stored(new, "both"), "--matched", "--json").out)
    assert [row["base_mean"] for row in told["comparisons"]] == [row["new_mean"] for row in told["comparisons"]]
    assert len(told["comparisons"]) == 2


def test_a_ledger_without_the_suite_says_what_it_has(made: Ledger, stored: Store, bench: Any, tmp_path: Path) -> None:
    suite, other = tmp_path / "suite.yaml", tmp_path / "other.yaml"
    text = "name: t\ngrid: {model: mlp, epochs: 5, validation: {tail: 0.2}, batch_size: %d}"
    suite.write_text(text % 64)
    other.write_text(text % 999)
    folder = stored(made)
    for arguments in ((folder, stored(made, "copy")), ("mlp*", "regularizer=l2", "--results", folder)):
        ran = bench("compare", *arguments, "--suite", other)
        assert ran.code == 2
        assert f"--suite {other}: {folder}" in ran.err
        assert "holds none of its configurations; its 11 trials are others, of the suite quick" in ran.err
    assert bench("compare", folder, stored(made, "copy"), "--suite", suite).code == 0
    other.write_text(text % 512)
    ran = bench("compare", folder, folder, "--suite", suite, "--suite", other, "--json")
    told = json.loads(ran.out)["comparisons"]
    assert [(row["base"], row["new"]) for row in told] == [("mlp · batch_size=64", "mlp · batch_size=512")]


def test_every_exit_code_is_documented() -> None:
    help_text = load_command("compare").epilog
    root = Path(__file__).parents[2]
    page, readme = ((root / name).read_text(encoding="utf-8") for name in ("docs/compare.md", "README.md"))
    for code, word in ((0, "not worse"), (1, "lacks"), (2, "wrong input"), (3, "inconclusive")):
        assert re.search(rf"\b{code}\b[^.]*{word}", help_text)
        assert re.search(rf"\| {code} \|.*{word}", page)
    line = next(line for line in readme.splitlines() if line.strip().startswith("bench compare "))
    assert line.endswith("# exit code, for CI: 0 not worse by 1 point, 1 worse, 3 inconclusive")


def test_a_reader_that_has_gone_does_not_change_the_exit_code(stored: Store) -> None:
    old, new = Ledger(), Ledger()
    old.add(config(), [0.9, 0.9])
    new.add(config(), [0.7, 0.7])
    reader, writer = os.pipe()
    os.close(reader)
    ran = subprocess.run(
        command("compare", stored(old, "main"), stored(new, "branch")), stdout=writer, stderr=subprocess.PIPE, text=True
    )
    os.close(writer)
    assert (ran.returncode, ran.stderr) == (1, "")


def test_what_pruning_let_go_in_new_is_not_missing(stored: Store, bench: Any) -> None:
    old, new = Ledger(), Ledger()
    for made in (old, new):
        made.add(config(), [0.9, 0.9], validation=[0.95, 0.95])
    old.add(config(regularizer=L2), [0.88, 0.88])
    new.add_ended(config(regularizer=L2), 0, "pruned", 1, pruning={"rule": {"grace_period": 1}, "decisions": []})
    ran = bench("compare", stored(old, "main"), stored(new, "branch"))
    assert (ran.code, "note: fashion_mnist: mlp · l2 was pruned in NEW" in ran.out) == (0, True)


def test_bounds_at_the_end_of_the_range_and_no_numbers(made: Ledger, stored: Store, bench: Any) -> None:
    compare = ("compare", "mlp · batch_size=256", "mlp · l2*", "--results", stored(made), "--max-drop")
    assert bench(*compare, 100).code == 0
    assert bench(*compare, "nan").code == 2


def test_entries_that_could_not_be_read_are_noted(made: Ledger, stored: Store, bench: Any) -> None:
    folder, copy = stored(made, "main"), stored(made, "branch")
    entry = next(path for path in sorted((copy / "entries").rglob("*")) if path.is_file())
    entry.write_bytes(b"{")
    for arguments in ((folder, copy), ("mlp · batch_size=256", "mlp · l2*", "--results", copy)):
        ran = bench("compare", *arguments, "--json", "--max-drop", 10)
        assert [
            "1 of the ledger's entries could not be read" in note for note in json.loads(ran.out)["notes"][-1:]
        ] == [True]
