"""`bench.load`, as a notebook uses it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from made_ledger import L2, Ledger, config

import bench
from bench.frames import Results
from bench.ledger import ledger as ledgers
from bench.suite.errors import UserError

PAGE = Path(__file__).parents[1] / "docs" / "notebooks.md"


@pytest.fixture
def made() -> Ledger:
    made = Ledger()
    made.add(config(), [0.90, 0.91, 0.92], configuration="aa11")
    made.add(config(regularizer=L2), [0.88, 0.89, 0.90], configuration="bb22")
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
    row = trials[trials["configuration"] == "aa11"].iloc[0]
    assert (row["model"], row["optimizer"], row["epochs"], row["parameters"]) == ("mlp", "adam", 5, 109386)
    assert row["config"]["model"]["hidden"] == [128, 64]


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
    agreed = said.groupby("key")["right"].mean()
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


def test_the_notebook_that_is_shown_runs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    cells = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert len(cells) > 2
    names: dict[str, Any] = {}
    for cell in cells:
        exec(cell, names)
    assert len(names["table"]) == 2
    assert names["pairs"].iloc[0] >= 1
