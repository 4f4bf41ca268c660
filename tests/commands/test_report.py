"""`bench report` asked for what is not there."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_ledger import FLIP, L2, Ledger, config


@pytest.mark.parametrize("writer", [(), ("--html",), ("--latex", "--out", "-")])
def test_a_mistyped_ledger_is_no_empty_report(writer: tuple[str, ...], bench: Any, tmp_path: Path) -> None:
    none = tmp_path / "rsults"
    ran = bench("report", "--results", none, *writer)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(f"error: {none}: there is no ledger here")


def test_a_ledger_without_trials_is_told_of(bench: Any, tmp_path: Path) -> None:
    (tmp_path / "results" / "entries").mkdir(parents=True)
    ran = bench("report", "--results", tmp_path / "results")
    assert (ran.code, "has no trial of this selection" in ran.out) == (0, True)


def test_pictures_of_own_data_are_found_from_any_folder(
    bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A suite file names them from its own folder."""
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    home.mkdir()
    elsewhere.mkdir()
    random, labels = np.random.default_rng(0), np.arange(40) % 2
    pixels = random.integers(0, 256, (40, 6, 6), dtype=np.uint8)
    arrays = {"train_images": pixels, "train_labels": labels, "test_images": pixels, "test_labels": 1 - labels}
    np.savez(home / "own.npz", **arrays)  # type: ignore[arg-type]  # NumPy takes arrays by name beside its own flag
    grid = {"model": {"name": "mlp", "hidden": [8]}, "dataset": {"name": "npz", "path": "own.npz"}}
    (home / "own.yaml").write_text(json.dumps({"name": "own", "defaults": {"epochs": 1}, "grid": grid}))
    monkeypatch.chdir(elsewhere)
    assert bench("run", home / "own.yaml", "--no-ray").code == 0
    ran = bench("report", home / "own.yaml", "--json", "--out", "-")
    (section,) = json.loads(ran.out)["comparisons"]
    assert len(section["gallery"]["duplicates"]) == 40
    tables = tmp_path / "tables"
    ran = bench("report", home / "own.yaml", "--tables", tables)
    assert f"wrote {tables / 'leaderboard.csv'}" in ran.out
    with (tables / "leaderboard.csv").open() as file:
        assert [row["test_mean"] for row in csv.DictReader(file)] == [str(section["leaderboard"][0]["test_mean"])]
    assert {"checks.csv", "duplicates.csv", "provenance.csv"} <= {path.name for path in tables.iterdir()}


def test_two_suites_of_one_name_do_not_overwrite_each_other(
    bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results" / "entries").mkdir(parents=True)
    for folder, model in (("a", "mlp"), ("b", "cnn"), ("c", "mlp")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "suite.yaml").write_text(f"name: same\ngrid: {{model: {model}}}\n")
    written = tmp_path / "reports" / "same.md"
    for folder in ("a", "a", "c"):  # c is a copy of a
        assert bench("report", f"{folder}/suite.yaml", "--markdown").code == 0
    before = written.read_text()
    ran = bench("report", "b/suite.yaml", "--markdown")
    assert (ran.code, written.read_text()) == (2, before)
    assert ran.err == (
        "error: reports/same.*: reports of this name are of another suite, c/suite.yaml\n"
        "  give b/suite.yaml a `name` of its own, or choose another folder with --out\n"
    )
    assert bench("report", "b/suite.yaml", "--markdown", "--out", "elsewhere").code == 0
    (tmp_path / "c").rename("d")  # what is gone claims nothing
    assert bench("report", "b/suite.yaml", "--markdown").code == 0


def test_other_options_give_other_names(bench: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results" / "entries").mkdir(parents=True)
    (tmp_path / "s.yaml").write_text("name: s\ngrid: {model: [mlp, cnn]}\n")
    for only in ("model=mlp", "model=ml*", "model=ml?", "model=[mlp]"):
        assert bench("report", "s.yaml", "--only", only, "--csv").code == 0
    names = [path.name for path in (tmp_path / "reports").glob("*.csv")]
    assert len(names) == 4
    assert "s-only-model-mlp.csv" in names


def test_a_label_shows_the_trials_of_its_configuration(bench: Any, stored: Any) -> None:
    made = Ledger()
    made.add(config(), [0.9, 0.8])
    made.add(config(regularizer=L2), [0.7])
    made.add_ended(config(augmentation=FLIP), 3, "diverged", 2)
    results = stored(made)
    keys = [record.key for record in made.records]
    ran = bench("show", "mlp", "--results", results)
    assert (ran.code, [key in ran.out for key in keys]) == (0, [True, True, False, False])
    assert "90.00 %" in ran.out and f"bench show {keys[0][:10]} --results {results}" in ran.out
    assert bench("show", "mlp · seed 1", "--results", results).out.startswith(f"{keys[1]}  complete, seed 1")
    assert bench("show", "mlp . l2", "--results", results).out.startswith(f"{keys[2]}  complete, seed 0")
    assert bench("show", "*flip", "--results", results).out.startswith(f"{keys[3]}  diverged")
    assert [one["seed"] for one in json.loads(bench("show", "mlp", "--json", "--results", results).out)] == [0, 1]
    ran = bench("show", "mpl", "--results", results)
    assert (ran.code, "did you mean 'mlp'?" in ran.err, keys[2][:10] in ran.err) == (2, True, True)


def test_the_terminal_s_table_names_keys(bench: Any, stored: Any) -> None:
    made = Ledger()
    made.add(config(), [0.9, 0.8])
    results = stored(made)
    table = bench("report", "--results", results).out
    assert "Key" in table
    assert bench("show", made.records[0].key[:8], "--results", results).code == 2  # made keys are alike
    assert f" {made.records[0].key[:8]} " in table.replace("\n", " \n")
