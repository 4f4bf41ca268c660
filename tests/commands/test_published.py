"""`bench published` as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from predicted import RIGHT
from typer.testing import CliRunner

from bench.cli import app
from bench.commands.load_suites import load, trials_of
from bench.errors import UserError
from bench.ledger.ledger import Ledger
from bench.ledger.record import Record, Result, RunInfo
from bench.metrics import Predictions

CLASSES, SURE = np.zeros(10_000, dtype=np.uint8), np.ones(10_000, dtype=np.float32)

SUITE = """
name: mine
title: Mine against theirs
references:
  - lab-e-dropout
  - {id: lab-e-baseline, match: {regularizer: none}}
  - {id: lab-e-l2, match: {regularizer: l2}, note: not enough time}
defaults: {dataset: fashion_mnist, epochs: 30, seeds: 3, validation: none}
grid: {model: mlp, regularizer: [none, l2]}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with the suite, and a ledger that holds its first configuration."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text(SUITE)
    ledger = Ledger(tmp_path / "results")
    for trial in trials_of(load("mine.yaml", None, None, None)):
        if not trial.config.regularizer:
            result = Result({}, 30, 30, test={"accuracy": 0.8805 + 0.0015 * trial.seed, "loss": 0.4})
            record = Record(
                trial.key, trial.config.to_json(), trial.seed, "complete", result, RunInfo(parameters=109_386)
            )
            ledger.publish(record, Predictions(CLASSES, CLASSES, SURE, SURE, CLASSES))
    return tmp_path


def run(*arguments: str) -> str:
    found = CliRunner().invoke(app, ["published", *arguments], catch_exceptions=False)
    assert found.exit_code == 0
    return found.stdout


def test_it_prints_a_row_per_reference_that_has_a_match(folder: Path) -> None:
    text = run("mine.yaml")
    assert "## Mine against theirs" in text
    assert "| 88.35 | 88.20 | 3 |" in text and "| within (−0.15 ± " in text
    assert "| not run | not enough time |" in text
    assert "lab-e-dropout" not in text
    assert "| Command | `bench published mine.yaml` |" in text


def test_it_writes_a_file(folder: Path) -> None:
    assert run("mine.yaml", "--out", "new/labs.md") == "wrote new/labs.md\n"
    assert (folder / "new" / "labs.md").read_text(encoding="utf-8") == run("mine.yaml")


def test_json_for_programs(folder: Path) -> None:
    (suite,) = json.loads(run("mine.yaml", "--json"))["suites"]
    assert [(row["reference"], row["verdict"]) for row in suite["rows"]] == [
        ("lab-e-baseline", "within"),
        ("lab-e-l2", "not run"),
    ]


def test_an_empty_ledger_is_all_not_run(folder: Path) -> None:
    assert "2 published results: 2 not run." in run("mine.yaml", "--results", "empty")


def short_run(folder: Path, key: str | None = None) -> None:
    """A three-epoch run of the first configuration with validation, in the ledger under its key or another."""
    text = SUITE.replace("validation: none", "validation: {tail: 0.2}").replace("lab-e-baseline", "lab-b-baseline")
    (folder / "short.yaml").write_text(text.replace("epochs: 30", "epochs: 3"))
    (folder / "long.yaml").write_text(text)
    trial = trials_of(load("short.yaml", None, None, None))[0]
    result = Result({"val_accuracy": [0.8, 0.82, 0.828]}, 3, 3)
    record = Record(key or trial.key, trial.config.to_json(), trial.seed, "complete", result, RunInfo())
    Ledger(folder / "results").publish(record, RIGHT)


def test_a_shorter_run_of_a_configuration_counts_at_equal_epochs(folder: Path) -> None:
    short_run(folder)
    assert ", at equal epochs) |" in run("long.yaml")


def test_a_shorter_run_on_other_data_or_by_other_code_does_not_count(folder: Path) -> None:
    short_run(folder, key="abcdef0123456789abcd")
    assert "at equal epochs) |" not in run("long.yaml")


def test_a_suite_with_options_stands_in_place_of_the_plain_one(folder: Path) -> None:
    changed = ["mine.yaml --seeds 4", "mine.yaml --set epochs=20"]
    for given in (["mine.yaml", changed[0]], [changed[0], "./mine.yaml"], ["mine.yaml", changed[0], changed[0]]):
        assert [suite["options"] for suite in json.loads(run(*given, "--json"))["suites"]] == ["--seeds 4"]
    text = run("mine.yaml", *changed)
    assert "Suite mine --seeds 4." in text and "Suite mine --set epochs=20." in text
    assert "4 published results" in text


def test_what_an_option_removed_is_not_compared_and_told(folder: Path) -> None:
    (suite,) = json.loads(run("mine.yaml --set regularizer=l1", "--json"))["suites"]
    assert [row["verdict"] for row in suite["rows"]] == ["not compared"] * 2
    assert suite["rows"][1]["notes"] == ["not enough time", "changed by --set regularizer=l1"]
    (suite,) = json.loads(run("mine.yaml --only regularizer=none", "--json"))["suites"]
    assert [row["verdict"] for row in suite["rows"]] == ["within", "not compared"]


def test_own_data_count_wherever_they_lay_when_it_ran(folder: Path) -> None:
    """The folder has moved since, and the record names where it was; the shorter run was of no suite."""
    generator = np.random.default_rng(0)
    images, labels = generator.integers(0, 256, (30, 28, 28), dtype=np.uint8), np.arange(30) % 10
    (folder / "data").mkdir()
    np.savez(folder / "data/a.npz", train_images=images, train_labels=labels, test_images=images, test_labels=labels)
    text = SUITE.replace("fashion_mnist, ", "{name: npz, path: data/a.npz}, ").replace("seeds: 3", "seeds: 1")
    (folder / "mine.yaml").write_text(text)
    ledger = Ledger(folder / "results")
    few = Predictions(CLASSES[:30], CLASSES[:30], SURE[:30], SURE[:30], CLASSES[:30])
    for override, only in ([], "regularizer=none"), (["epochs=2"], "regularizer=l2"):
        (trial,) = trials_of(load("mine.yaml", [only], override, None))
        epochs = trial.config.epochs
        result = Result({}, epochs, epochs, test={"accuracy": 0.9, "loss": 0.4})
        ledger.publish(Record(trial.key, trial.run_config.to_json(), 0, "complete", result, RunInfo()), few)
    (folder / "data").rename(folder / "moved")
    (folder / "mine.yaml").write_text(text.replace("data/a.npz", "moved/../moved/a.npz"))
    whole, short = json.loads(run("mine.yaml", "--json"))["suites"][0]["rows"]
    assert whole["full_run"]["mean"] == 0.9
    assert (short["verdict"], short["shorter_run"]) == ("not compared", {"epochs": 2, "mean": 0.9, "seeds": 1})


@pytest.mark.parametrize("text", ["", " ", "--seeds 4"])
def test_no_suite_at_all_is_told(folder: Path, text: str) -> None:
    with pytest.raises(UserError, match="names no suite; write 'SUITE --set epochs=5'"):
        run("--", text)


def test_several_suites_stand_on_one_page(folder: Path) -> None:
    (folder / "other.yaml").write_text(SUITE.replace("mine", "other").replace("Mine", "Others"))
    text = run("mine.yaml", "other.yaml")
    assert text.index("## Mine against") < text.index("## Others against")
    assert "4 published results" in text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("id: lab-e-l2", "id: lab-e-l22"), ("mine.yaml:7: references[2]: ", "'lab-e-l2'?")),
        (("{regularizer: l2}", "{regularizer: l1}"), ("mine.yaml:7: references[2].match: matches no configuration",)),
        (("{regularizer: l2}", "{model: mlp}"), ("mine.yaml:7: references[2].match: matches 2 configurations",)),
    ],
)
def test_a_wrong_reference_is_told_with_its_place(
    folder: Path, change: tuple[str, str], words: tuple[str, ...]
) -> None:
    (folder / "mine.yaml").write_text(SUITE.replace(*change))
    with pytest.raises(UserError) as error:
        run("mine.yaml")
    assert all(word in str(error.value) for word in words), str(error.value)


def test_an_id_filed_under_several_datasets_is_that_of_the_configuration(folder: Path) -> None:
    (folder / "mine.yaml").write_text(SUITE.replace("lab-e-l2", "sklearn_svc"))
    (suite,) = json.loads(run("mine.yaml", "--json"))["suites"]
    assert suite["rows"][1]["dataset"] == "fashion_mnist"


def test_without_a_configuration_such_an_id_needs_its_dataset(folder: Path) -> None:
    (folder / "mine.yaml").write_text(SUITE.replace("lab-e-l2, match: {regularizer: l2}", "sklearn_svc"))
    with pytest.raises(UserError, match="write one of fashion_mnist/sklearn_svc, mnist/sklearn_svc"):
        run("mine.yaml")


def test_a_suite_without_such_references_says_how_to_write_them(folder: Path) -> None:
    (folder / "plain.yaml").write_text("name: plain\ngrid: {model: mlp}\nreferences: [lab-e-l2]\n")
    with pytest.raises(UserError, match=r"plain.yaml: no reference names a .*\n.*match: \{regularizer: l2\}"):
        run("plain.yaml")


def test_a_place_that_cannot_be_written_is_told(folder: Path) -> None:
    with pytest.raises(UserError, match="results: cannot be written: Is a directory; choose another"):
        run("mine.yaml", "--out", "results")
