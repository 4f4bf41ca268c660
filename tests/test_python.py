"""The Python interface, as a script or a notebook uses it: suites from dicts, arrays as data, runs, interruptions."""

from __future__ import annotations

import doctest
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import bench
from bench.suite.suite import load_suite as read_file

RANDOM = np.random.default_rng(0)
LABELS = np.arange(240) % 3
IMAGES = RANDOM.integers(0, 60, (240, 8, 8)).astype(np.uint8)
for number in range(3):
    IMAGES[number == LABELS, 2 * number : 2 * number + 2] += 120
SUITE: dict[str, Any] = {
    "name": "toy",
    "defaults": {"epochs": 2, "seeds": 2, "batch_size": 32, "optimizer": {"name": "adam", "lr": 0.01}},
    "grid": {"model": {"name": "mlp", "hidden": {"grid": [[16], [32]]}}, "regularizer": ["none", "l2"]},
}


def data(**changes: Any) -> bench.Dataset:
    arrays: dict[str, Any] = {"train_images": IMAGES[:160], "train_labels": LABELS[:160]}
    arrays |= {"test_images": IMAGES[160:], "test_labels": LABELS[160:], "name": "bands"}
    return bench.Dataset.from_arrays(**arrays | changes)


def suite(**changes: Any) -> bench.Suite:
    grid = {"dataset": data(), **SUITE["grid"], **changes}
    return bench.Suite.from_dict({**SUITE, "grid": grid})


def test_dir_shows_what_there_is_and_the_package_is_typed() -> None:
    expected = {"Dataset", "Results", "Suite", "UserError", "load", "load_model", "load_suite", "report", "run"}
    assert set(dir(bench)) == expected | {"__version__"}
    assert expected == set(re.findall(r"\w+", " ".join(re.findall(r"^(\w[\w, ]*)  ", bench.__doc__ or "", re.M))))
    for name in expected:
        assert getattr(bench, name).__doc__
    assert (files("bench") / "py.typed").is_file()


@pytest.mark.parametrize("documented", [bench.load_suite, bench.Suite.from_dict, bench.Dataset.from_arrays])
def test_the_examples_of_docstrings_hold(documented: Any) -> None:
    (examples,) = doctest.DocTestFinder(recurse=False).find(
        documented, "example", globs={name: getattr(bench, name) for name in dir(bench)} | {"np": np}
    )
    assert examples.examples and not doctest.DocTestRunner().run(examples).failed


def test_a_dict_and_a_file_give_the_same_trials(tmp_path: Path) -> None:
    (tmp_path / "toy.yaml").write_text(
        "name: toy\n"
        "defaults: {epochs: 2, seeds: 2, batch_size: 32, optimizer: {name: adam, lr: 0.01}}\n"
        "grid: {model: {name: mlp, hidden: {grid: [[16], [32]]}}, regularizer: [none, l2]}\n"
    )
    from_file, from_dict = read_file(tmp_path / "toy.yaml"), bench.Suite.from_dict(SUITE)
    assert from_dict.configurations == from_file.configurations
    assert repr(from_dict) == "Suite('toy', 4 configurations, 8 trials)"
    assert len(bench.load_suite(tmp_path / "toy.yaml", only=["regularizer=l2"], set={"epochs": 3}, seeds=1)) == 2
    numpy_values = {**SUITE, "defaults": {**SUITE["defaults"], "epochs": np.int64(2), "seeds": (0, 1)}}
    assert bench.Suite.from_dict(numpy_values).configurations == from_file.configurations


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "nearest": (
        {"grid": {"model": "mlp", "regularizer": "droput"}},
        "suite: grid.regularizer: there is no regularizer 'droput'",
    ),
    "function": ({"grid": {"model": len}}, "put it into a file and name it: 'path/to/file.py:NAME'"),
    "array": ({"grid": {"model": IMAGES}}, "suite: grid.model: is a ndarray"),
    "infinite": ({"grid": {"model": {"name": "mlp", "dropout": float("nan")}}}, "suite: grid.model.dropout: is nan"),
    "key": ({"grid": {3: "mlp"}}, "a key must be a plain word, not 3"),
    "empty": ({"grid": {}}, "suite: grid"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_suite_is_a_user_error_as_on_the_command_line(case: str) -> None:
    changes, message = WRONG[case]
    with pytest.raises(bench.UserError) as raised:
        bench.Suite.from_dict({**SUITE, **changes})
    assert message in str(raised.value)


def test_wrong_input_to_a_run_is_a_user_error_too(tmp_path: Path) -> None:
    with pytest.raises(bench.UserError, match="there is no such suite file"):
        bench.run("nowhere.yaml", tmp_path / "r")
    with pytest.raises(bench.UserError, match="the suite is a int"):
        bench.run(3, tmp_path / "r")  # type: ignore[arg-type]
    (tmp_path / "file").write_text("")
    with pytest.raises(bench.UserError, match="a ledger is a folder, and this is a file"):
        bench.run(suite(), tmp_path / "file")
    with pytest.raises(bench.UserError, match=r"leave --jobs out"):
        bench.run(suite(), tmp_path / "r", use_ray=False, jobs=2)
    assert not (tmp_path / "r" / "entries").exists()


WRONG_OPTIONS: dict[str, tuple[dict[str, Any], str]] = {
    "jobs": ({"jobs": 0}, "jobs is 0; expected a whole number of at least 1"),
    "fraction": ({"jobs": 1.5}, "jobs is 1.5; expected a whole number"),
    "cpus": ({"cpus_per_trial": 0}, "cpus_per_trial is 0; expected a number of at least 1"),
    "gpus": ({"gpus_per_trial": -1}, "gpus_per_trial is -1; expected a number of at least 0"),
    "retries": ({"retries": True}, "retries is True; expected a whole number of at least 0"),
    "nan": ({"checkpoint_after": float("nan")}, "checkpoint_after is nan; expected a number of at least 0"),
    "keep": ({"keep": "bests"}, "keep is 'bests'; expected one of none, best, all"),
}


@pytest.mark.parametrize("case", WRONG_OPTIONS)
def test_options_that_the_command_line_does_not_take_are_refused(case: str, tmp_path: Path) -> None:
    options, message = WRONG_OPTIONS[case]
    with pytest.raises(bench.UserError, match=message):
        bench.run(suite(), tmp_path / "r", **options)
    assert not (tmp_path / "r").exists()


def test_one_pattern_may_be_given_by_itself() -> None:
    alone, listed = (bench.load_suite("quick", only=only, set=change) for only, change in (
        ("model=mlp", "epochs=2"), (["model=mlp"], ["epochs=2"]),
    ))  # fmt: skip
    assert alone.configurations == listed.configurations and len(alone) == 12


WRONG_ARRAYS: dict[str, tuple[dict[str, Any], str]] = {
    "floats": ({"train_images": IMAGES[:160] / 255}, "train_images are of type float64, expected uint8"),
    "labels": ({"train_labels": LABELS[:9]}, "9 train_labels for 160 images"),
    "shape": ({"test_images": IMAGES[160:, :4]}, r"train_images are \(1, 8, 8\)"),
    "list": ({"train_labels": [0, 1, 2]}, "has no array 'train_labels'"),
    "classes": ({"classes": ["a", "b"]}, "go up to 2, while classes has 2 names"),
    "name": ({"name": "../x"}, "name is '../x'"),
}


@pytest.mark.parametrize("case", WRONG_ARRAYS)
def test_wrong_arrays_are_refused(case: str) -> None:
    changes, message = WRONG_ARRAYS[case]
    with pytest.raises(bench.UserError, match=message):
        data(**changes)


def test_arrays_are_known_by_their_contents_and_not_by_their_name(tmp_path: Path) -> None:
    from bench.commands.load_suites import trials_of

    def keys(dataset: bench.Dataset) -> set[str]:
        return {trial.key for trial in trials_of(suite(dataset=dataset))}

    changed = IMAGES[:160].copy()
    changed[0, 0, 0] ^= 1
    assert keys(data()) == keys(data(name="other")) and not keys(data()) & keys(data(train_images=changed))
    elsewhere = {"name": "arrays", "title": "bands", "sha256": "0" * 12}
    with pytest.raises(bench.UserError, match=r"grid\.dataset: .*these arrays \(000000000000\) are in no file"):
        trials_of(bench.Suite.from_dict({**SUITE, "grid": {**SUITE["grid"], "dataset": elsewhere}}))


def test_a_run_trains_what_is_missing_and_gives_frames(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = bench.run(suite(regularizer="none"), tmp_path / "r", use_ray=False)
    assert "4 of 4 trials ended" in capsys.readouterr().out
    assert first.trials["status"].tolist() == ["complete"] * 4
    again = bench.run(suite(), tmp_path / "r", use_ray=False, progress=False)
    assert capsys.readouterr().out == ""
    assert len(again.trials) == 8 and len(first.trials) == 4, "each has its suite's trials"
    before, after = (results.trials.set_index("key")["finished"] for results in (first, again))
    assert after[before.index].equals(before), "what was there did not run again"
    assert set(again.trials["model.hidden"]) == {"16", "32"}
    l2 = again.trials[again.trials["regularizer"] != "none"]
    assert set(l2["regularizer.l2.strength"]) == {l2["config"].iloc[0]["regularizer"][0]["strength"]}
    labels = again.trials.set_index("key")["label"]
    assert (first.trials.set_index("key")["label"] == labels[before.index]).all(), "labels need no context"
    assert labels.nunique() == 4
    assert again.probabilities(again.trials).shape == (8, 80, 3)
    assert again.ledger.validation_probabilities(again.trials["key"].iloc[0]).probabilities.shape == (15, 3)  # type: ignore[union-attr]


def test_an_interrupted_run_goes_on_with_what_is_missing(tmp_path: Path) -> None:
    entries = tmp_path / "r" / "entries"
    long = suite(epochs=300)

    def interrupt() -> None:
        while not list(entries.glob("*/*.npz")):
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        bench.run(long, tmp_path / "r", use_ray=False, progress=False)
    stored = {path.name for path in entries.glob("*/*.npz")}
    assert 0 < len(stored) < 8
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    results = bench.run(long, tmp_path / "r", use_ray=False, progress=False)
    assert set(results.trials["status"]) == {"complete"} and len(results.trials) == 8
    assert stored <= {path.name for path in entries.glob("*/*.npz")}


def section(title: str) -> str:
    page = (Path(__file__).parents[1] / "docs/in_and_out.md").read_text(encoding="utf-8")
    return page.split(f"\n## {title}\n")[1].split("\n## ")[0]


def test_the_examples_of_the_page_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    python, out = section("In: Python"), section("Out: ensembles and temperature")
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", python + out, re.MULTILINE | re.DOTALL)
    for language, block in blocks:
        if language == "python":
            exec(block, names)
    (printed,) = [block for language, block in blocks if not language]
    assert capsys.readouterr().out.endswith(printed)
    assert len(names["means"]) == 2 and names["means"].min() > 0.5
    ensembles = names["results"].ensembles
    assert ensembles["kind"].tolist() == ["single networks", "ensemble"] * 2 + ["ensemble"]
    assert ensembles["networks"].tolist() == [2, 2, 2, 2, 4]
    assert (ensembles["temperature_images"] == 120).all() and ensembles["log_loss_scaled"].notna().all()
    page = (tmp_path / "digits.html").read_text(encoding="utf-8")
    assert "Ensembles and temperature" in page and "ensemble of 4: the 2 configurations best on validation" in page
    assert (tmp_path / "ensembles.csv").is_file()


def test_a_report_is_saved_and_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    results = bench.run(suite(regularizer="none"), tmp_path / "r", use_ray=False, progress=False)
    report = bench.report(results)
    assert len(report.frame) == 2
    content = json.loads(report.save(tmp_path / "out" / "toy.json").read_text())
    (comparison,) = content["comparisons"]
    assert [row["kind"] for row in comparison["ensembles"]] == ["single networks", "ensemble"] * 2 + ["ensemble"]
    assert not any("ensemble" in row["label"] for row in comparison["leaderboard"]), "they are not ranked"
    with pytest.raises(bench.UserError, match=r"a report is saved as \.html"):
        report.save(tmp_path / "toy.pdf")
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda url: opened.append(url) or False)
    report.show()
    assert opened[0].startswith("file:///") and "open it in a browser" in capsys.readouterr().out
    assert len(bench.report(tmp_path / "r").frame) == 2, "everything in the ledger"
    with_planned = json.loads(bench.report(tmp_path / "r", suite=suite()).save(tmp_path / "all.json").read_text())
    assert with_planned["comparisons"][0]["trials"] == "8 trials: 4 complete, 4 not run"
    with pytest.raises(bench.UserError, match="there is no such folder"):
        bench.report(tmp_path / "nowhere")


RAY = """
import sys
sys.path.insert(0, {tests!r})
import bench
from test_python import suite

for seeds in (1, 2):
    results = bench.run(suite(regularizer="none", seeds=seeds), {results!r}, jobs=2, progress=False)
    print(results.trials["status"].tolist())
import ray
print(ray.is_initialized())
print(sorted({{"torch", "mlflow", "wandb"}} & sys.modules.keys()))
ray.init("local", num_cpus=2, include_dashboard=False, logging_level="ERROR", log_to_driver=False)
results = bench.run(suite(), {results!r}, progress=False)
print(results.trials["status"].tolist(), ray.is_initialized(), ray.get(ray.remote(lambda: 7).remote()))
"""


@pytest.mark.slow
def test_runs_follow_one_another_in_a_process_also_on_a_ray_that_is_there(tmp_path: Path) -> None:
    script = RAY.format(tests=str(Path(__file__).parent), results=str(tmp_path / "r"))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stderr
    expected = [["complete"] * 2, ["complete"] * 4, False, [], f"{['complete'] * 8} True 7"]  # no driver needs torch
    assert done.stdout.splitlines() == [str(line) for line in expected]
