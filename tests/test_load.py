"""`bench.load`, as a notebook uses it."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from made_ledger import L2, Ledger, config

import bench
from bench.errors import UserError
from bench.frames import Results
from bench.ledger import ledger as ledgers
from bench.suite.labels import context_free_label

PAGE = Path(__file__).parents[1] / "docs" / "notebooks.md"


PLAIN = "mlp · adam · batch_size=256 · epochs=5"
WITH_L2 = "mlp · adam · l2 strength=0.001 · batch_size=256 · epochs=5"


@pytest.fixture
def made() -> Ledger:
    made = Ledger()
    made.add(config(), [0.90, 0.91, 0.92], config_key="aa11")
    made.add(config(regularizer=L2), [0.88, 0.89, 0.90], config_key="bb22")
    made.add_ended(config(batch_size=64), 0, "failed", 2, failure={"kind": "MemoryError", "message": "no room"})
    return made


@pytest.fixture
def folder(made: Ledger, tmp_path: Path) -> Path:
    ledger = ledgers.Ledger(tmp_path / "results")
    for record in made.records:
        ledger.publish(record, made.stored.get(record.key))
    return tmp_path / "results"


@pytest.fixture
def results(folder: Path) -> Results:
    return bench.load(folder)


def test_importing_bench_takes_no_pandas() -> None:
    code = "import sys, bench; print([name for name in ('pandas', 'torch', 'numpy', 'ray') if name in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_a_row_per_trial_with_axes_figures_and_cost(results: Results) -> None:
    trials = results.trials
    assert len(trials) == 7
    assert trials["status"].value_counts().to_dict() == {"complete": 6, "failed": 1}
    means = trials.groupby("regularizer")["test_accuracy"].mean()
    assert means["none"] == pytest.approx(0.91)
    assert means["l2 strength=0.001"] == pytest.approx(0.89)
    row = trials[trials["config_key"] == "aa11"].iloc[0]
    assert (row["model"], row["optimizer"], row["epochs"], row["parameters"]) == ("mlp", "adam", 5, 109386)
    assert row["config"]["model"]["hidden"] == [128, 64]
    assert (row["model.hidden"], row["optimizer.lr"], row["validation.tail"]) == ("128-64", 0.001, 0.2)
    assert trials.groupby("regularizer")["regularizer.l2.strength"].first().dropna().to_dict() == {
        "l2 strength=0.001": 0.001
    }


def test_a_label_says_the_same_whatever_else_the_ledger_holds(folder: Path, made: Ledger, tmp_path: Path) -> None:
    alone = ledgers.Ledger(tmp_path / "alone")
    alone.publish(made.records[0], made.stored[made.records[0].key])
    assert bench.load(tmp_path / "alone").trials["label"].tolist() == [PLAIN]
    every = bench.load(folder).trials
    assert set(every["label"]) == {PLAIN, WITH_L2, "mlp · adam · batch_size=64 · epochs=5"}
    assert every.groupby("config_key")["label"].nunique().max() == 1


def test_own_code_and_data_have_the_beginning_of_their_key_in_the_label() -> None:
    own = config(model={"name": "mine.py:wide", "width": 16}, dataset={"name": "npz", "path": "a.npz"})
    label = "mine.py:wide width=16 · adam · batch_size=256 · epochs=5 [abcdef]"
    assert context_free_label(own, "abcdef0123456789") == label


def test_a_row_per_trial_and_epoch(results: Results) -> None:
    curves = results.curves
    assert len(curves) == 6 * 5 + 2
    last = curves[curves["epoch"] == 5].set_index("key")["val_accuracy"]
    assert last.notna().all()


def test_predictions_of_a_selection(results: Results, made: Ledger) -> None:
    chosen = results.trials[results.trials["regularizer"] == "none"]
    said = results.predictions(chosen)
    assert said["key"].nunique() == 3, "the failed trial left none"
    assert len(said) == 3000
    agreed = said.groupby("key")["correct"].mean()
    tested = results.trials.set_index("key")["test_accuracy"]
    pd.testing.assert_series_equal(agreed, tested[agreed.index], check_names=False)
    key = made.records[0].key
    assert (results.predictions(key)["predicted"] == made.stored[key].predicted).all()


def test_nothing_is_known_of_confidences_that_were_not_given(folder: Path, made: Ledger) -> None:
    ledger = ledgers.Ledger(folder)
    said = made.stored[made.records[0].key]
    wrong = said.labels != said.predicted
    unknown = np.full(len(wrong), np.nan, np.float32)
    without = type(said)(said.labels, said.predicted, unknown, unknown, (wrong * 255).astype(np.uint8))
    record: Any = type(made.records[0])(**{**vars(made.records[0]), "key": "feed" * 5})
    ledger.publish(record, without)
    frame = bench.load(folder).predictions("feedfeed")
    assert frame["confidence"].isna().all()
    assert (frame["true_rank"].isna() == wrong).all()


def test_an_empty_ledger_has_empty_frames(tmp_path: Path) -> None:
    empty = bench.load(tmp_path)
    assert (len(empty.trials), len(empty.curves), len(empty.predictions([]))) == (0, 0, 0)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path, results: Results) -> None:
    with pytest.raises(UserError, match="there is no such folder"):
        bench.load(tmp_path / "none")
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="a ledger is a folder, and this is a file"):
        bench.load(tmp_path / "file")
    with pytest.raises(UserError, match="none of the 7 keys"):
        results.predictions("feed")
    with pytest.raises(AttributeError):
        bench.nothing  # noqa: B018


@pytest.fixture
def several(tmp_path: Path) -> Path:
    """Two data sets of 150 and 300 images and two protocols, with the same labels in each; a seed diverged."""
    ledger = ledgers.Ledger(tmp_path / "results")
    accuracies = iter((0.9, 0.8, 0.7, 0.6, 0.5, 0.4))
    keys = iter(range(100))
    for dataset, images, validation in (
        ("fashion_mnist", 150, {"tail": 0.2}),
        ("fashion_mnist", 150, {"tail": 0.1}),
        ("mnist", 300, {"tail": 0.2}),
    ):
        for regularizer in ([], L2):
            one = Ledger(images=images)
            settings = config(dataset={"name": dataset}, validation=validation, regularizer=regularizer)
            one.add(settings, [next(accuracies)] * 2)
            one.add_ended(settings, 2, "diverged", 2)
            for record in one.records:
                key = f"{next(keys):020x}"
                ledger.publish(replace(record, key=key), one.stored.get(record.key))
    return tmp_path / "results"


def test_every_frame_names_its_configurations_apart(several: Path) -> None:
    results = bench.load(several)
    trials = results.trials
    assert trials["label"].nunique() == 2
    assert trials["config_key"].nunique() == len(trials.groupby(["comparison", "label"])) == 6
    said = results.predictions(trials)
    for frame in (results.curves, said):
        assert len(frame.groupby("config_key")) == len(frame.groupby(["comparison", "label"])) == 6
        assert (frame.groupby("key")["seed"].nunique() == 1).all()
    means = said.groupby(["comparison", "label"])["correct"].mean()
    tested = trials.groupby(["comparison", "label"])["test_accuracy"].mean()
    pd.testing.assert_series_equal(means, tested, check_names=False)


def test_right_is_refused_for_trials_of_different_images(several: Path) -> None:
    results = bench.load(several)
    with pytest.raises(UserError, match=r"tested on different images \(150 and 300"):
        results.correct(results.trials)
    with pytest.raises(UserError, match="no complete trial"):
        results.correct(results.trials.query("status == 'diverged'"))
    of_mnist = results.correct(results.trials.query("dataset == 'mnist' and regularizer == 'none'"))
    assert (of_mnist.shape, of_mnist.dtype, of_mnist.mean()) == ((2, 300), bool, pytest.approx(0.5))


def test_two_sections_whose_budgets_are_an_axis_have_two_names(tmp_path: Path) -> None:
    ledger = ledgers.Ledger(tmp_path / "results")
    made = Ledger(images=100)
    for batch_size, epochs in ((256, 2), (256, 3), (64, 5), (64, 7)):
        made.add(config(batch_size=batch_size, epochs=epochs), [0.9])
    for record in made.records:
        ledger.publish(record, made.stored[record.key])
    trials = bench.load(tmp_path / "results").trials
    assert trials["comparison"].nunique() == 2
    assert {title.split(", ")[1] for title in trials["comparison"]} == {"2 or 3 epochs", "5 or 7 epochs"}


def test_the_notebook_that_is_shown_runs_on_several_data_sets_and_protocols(
    several: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(several.parent)
    cells = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert len(cells) > 2
    names: dict[str, Any] = {}
    for cell in cells:
        exec(cell, names)
    assert sorted(names["table"]["mean"]) == pytest.approx([0.4, 0.5, 0.6, 0.7, 0.8, 0.9])
    assert set(names["table"]["size"]) == {2}
    assert names["ended"].sum().to_dict() == {"complete": 12, "diverged": 6}
    assert list(names["by_epoch"].columns) == [PLAIN, WITH_L2]
    first, second = (names["table"].loc[(names["comparison"], label), "mean"] for label in (PLAIN, WITH_L2))
    assert names["effect"].estimate == pytest.approx(second - first)
    assert (100 * (second - first)) == pytest.approx(float(capsys.readouterr().out.split()[0]), abs=0.01)
    assert names["pairs"].iloc[0] >= 1
    assert set(names["label_issues"]["size"]) <= {4}
