"""The examples of docs/extending.md: components of every kind from outside the package, alone, under Ray, installed."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from commands import bench, bench_here, results_of

TEXT = (Path(__file__).parents[1] / "docs/extending.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


EXAMPLE = Path(__file__).parents[1] / "examples/own_everything"


def code() -> str:
    return (EXAMPLE / "mine.py").read_text()


def metric() -> str:
    return (EXAMPLE / "my_metrics.py").read_text()


def suite() -> str:
    return (EXAMPLE / "mine.yaml").read_text()


def test_the_page_shows_what_the_example_has() -> None:
    parts = [block for block in blocks("python") if "bench_shapes" not in block and "def solarize" not in block]
    assert len(parts) == 13
    for part in parts:
        assert part.removeprefix("# mine.py\n") in code() or part.removeprefix("# my_metrics.py\n") == metric()
    assert blocks("yaml")[0] == suite()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "mine.py").write_text(code())
    (tmp_path / "my_metrics.py").write_text(metric())
    (tmp_path / "mine.yaml").write_text(suite())
    return tmp_path


def test_a_suite_of_components_of_ones_own_trains_the_same_with_and_without_ray(folder: Path) -> None:
    alone = bench("run", folder / "mine.yaml", "--no-ray", "--results", folder / "alone")
    assert alone[0] == 0, alone[2]
    together = bench("run", folder / "mine.yaml", "--jobs", 2, "--results", folder / "ray")
    assert together[0] == 0, together[2]
    found = results_of(folder / "alone")
    assert len(found) == 2 and {result[0] for result in found.values()} == {"complete"}
    assert results_of(folder / "ray") == found


def planned(folder: Path) -> list[str]:
    code, out, err = bench("plan", folder / "mine.yaml", "--json", "--results", folder / "none")
    assert code == 0, err
    keys: list[str] = json.loads(out)["keys"]
    return keys


def test_the_source_is_in_the_key(folder: Path) -> None:
    before = planned(folder)
    (folder / "mine.py").write_text(code().replace("1 + step / ", "2 + step / "))
    assert not set(before) & set(planned(folder))


DATA_WITH = """
import numpy as np

def f():
    x, y = np.zeros((8, 4, 4), np.uint8), np.arange(8) % 2
    return dict(train_images=x, train_labels=y, test_images=x, test_labels=y, classes={classes})
"""

WRONG: dict[str, tuple[str, str, str]] = {
    "optimizer": ('{name: "wrong.py:f"}', "def f(params): return params", "expected a torch.optim.Optimizer"),
    "schedule": ('{name: "wrong.py:f"}', "def f(context): return 0.5", "expected a function that gives the factor"),
    "loss": ('{name: "wrong.py:f"}', "def f(): return lambda logits, targets: logits", "expected the mean loss"),
    "imbalance": ('{name: "wrong.py:f"}', "def f(sizes): return sizes + 1", "at most what it has"),
    "imbalance ": ('{name: "wrong.py:f"}', "def f(sizes): return sizes * 0", "leaves class 0 none of its"),
    "label_noise": ('{name: "wrong.py:f"}', "def f(labels, classes, random): return labels - 1", "expected as many"),
    "label_noise ": ('{name: "wrong.py:f"}', "def f(labels): return labels", "label_noise 'wrong.py:f'"),
    "step": ('{name: "wrong.py:f"}', "def f(batch): pass", "never called batch.compute_gradients()"),
    "regularizer": ('{name: "wrong.py:f"}', "def f(): return lambda model: 3.0", "expected a tensor with one number"),
    "augmentation": ('{name: "wrong.py:f"}', "def f(images, generator): return images[:1]", "expected images as"),
    "preprocessing": ('{name: "wrong.py:f"}', "def f(images): return lambda x: x", "expected a torch.nn.Module"),
    "dataset": ('{name: "wrong.py:f"}', "def f(): return {'train_images': 3}", "has no array 'train_images'"),
    "loss ": ('{name: "wrong.py:f", gama: 2.0}', "def f(gamma=1.0): return None", "did you mean 'gamma'"),
    "augmentation ": (
        '{name: "wrong.py:f", p: no}',
        "def f(images, generator, p: float): return images",
        "`p` must be a number",
    ),
    "optimizer ": ('{name: "wrong.py:f"}', "def f(params): raise KeyError('lr')", "KeyError: 'lr' (/"),
    "augmentation  ": ('{name: "wrong.py:f"}', "def f(images, generator): return images @ 3", "fails on images of"),
    "loss  ": ('{name: "wrong.py:f"}', "def f(): return None", "expected a function (logits, targets)"),
    "loss   ": ('{name: "wrong.py:f"}', "def f(): return lambda logits, targets: logits.shapes", "fails on"),
    "loss    ": (
        '{name: "wrong.py:f"}',
        "def f(): return lambda logits, targets: logits.detach().mean()",
        "without a gradient",
    ),
    "schedule  ": ('{name: "wrong.py:f"}', "def f(context): return lambda step: -1.0", "a number of at least 0"),
    "schedule   ": ('{name: "wrong.py:f"}', "def f(context): return lambda step: 1 / step", "fails at step 0"),
    "step ": ('{name: "wrong.py:f"}', "def f(batch): batch.backward()", "fails"),
    "step  ": ('{name: "wrong.py:f"}', "def f(batch): batch.compute_gradients()", "changes no weight"),
    "regularizer ": ('{name: "wrong.py:f"}', "def f(): return 3.0", "expected a function that gives the penalty"),
    "regularizer  ": ('{name: "wrong.py:f"}', "def f(): return lambda model: model.layers", "fails on this model"),
    "preprocessing ": (
        '{name: "wrong.py:f"}',
        "from torch import nn\n\ndef f(images): return nn.Flatten(0)",
        "expected floats of shape (2, C, H, W)",
    ),
    "preprocessing  ": (
        '{name: "wrong.py:f"}',
        "from torch import nn\n\ndef f(images): return nn.Linear(3, 3)",
        "fails on images of",
    ),
    "dataset ": (
        '{name: "wrong.py:f"}',
        DATA_WITH.format(classes="['a', 'a']"),
        "classes names 'a' twice",
    ),
    "dataset  ": (
        '{name: "wrong.py:f"}',
        DATA_WITH.format(classes="3"),
        "classes are of type int; expected a list of text",
    ),
    "dataset   ": ('{name: "wrong.py:f"}', DATA_WITH.format(classes="'ab'"), "classes are of type str"),
    "schedule ": ('{name: "wrong.py:g"}', "def f(context): return None", "has no 'g'; it has f"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_broken_contract_is_one_message_before_anything_is_trained(case: str, folder: Path) -> None:
    entry, source, message = WRONG[case]
    axis = case.strip()
    (folder / "wrong.py").write_text(source)
    (folder / "mine.yaml").write_text(re.sub(rf"(?m)^  {axis}: .*$", f"  {axis}: {entry}", suite()))
    code, _, err = bench_here("run", folder / "mine.yaml", "--no-ray", "--results", folder / "r")
    assert code == 2 and message in err, err
    assert f"grid.{axis}" in err or axis in err
    assert not list((folder / "r").glob("entries/*/*"))


def leaderboard(folder: Path) -> list[dict[str, str]]:
    code_, out, err = bench("report", folder / "mine.yaml", "--csv", "--out", "-", "--results", folder / "r")
    assert code_ == 0, err
    return list(csv.DictReader(io.StringIO(out)))


def test_a_metric_of_the_user_s_own_is_computed_by_reports_and_in_no_key(folder: Path) -> None:
    text = suite().replace("{grid: [16, 32]}", "16").replace("epochs: 3", "epochs: 1")
    (folder / "mine.yaml").write_text(text)
    code_, out, err = bench("run", folder / "mine.yaml", "--no-ray", "--results", folder / "r")
    assert code_ == 0 and "worst_class" in out, err
    from bench.ledger.ledger import Ledger

    ledger = Ledger(folder / "r")
    (record,) = ledger.records()
    assert record.result is not None and record.result.test is not None
    assert not any("worst_class" in name for name in record.result.test), "records hold built-in metrics alone"
    predictions = ledger.predictions(record.key)
    accuracies = [predictions.correct[predictions.labels == label].mean() for label in (0, 1)]
    (row,) = leaderboard(folder)
    assert float(row["test_my_metrics.py:worst_class"]) == pytest.approx(min(accuracies))
    (folder / "my_metrics.py").write_text(metric().replace("min(", "1 + max("))
    (row,) = leaderboard(folder)
    assert float(row["test_my_metrics.py:worst_class"]) == pytest.approx(1 + max(accuracies))
    _, out, _ = bench("report", folder / "mine.yaml", "--json", "--out", "-", "--results", folder / "r")
    assert "my_metrics.py:worst_class" in json.loads(out)["provenance"]["Your own metrics (SHA-256)"]
    assert planned(folder) == [record.key]


WRONG_METRICS = {
    "def worst_class(predictions): return None": "gives None for predictions of",
    "def worst_class(predictions): return predictions.correct": "gives ndarray for predictions of",
    "def worst_class(predictions): return predictions.nothing": "fails on predictions of 8 images: AttributeError: ",
    "def worst_class(): return 0.5": "fails on predictions of 8 images: TypeError: ",
    "def other(predictions): return 0.5": "has no 'worst_class'; it has other",
    "import nothing_there": "does not import: ModuleNotFoundError",
}


@pytest.mark.parametrize("source", WRONG_METRICS)
def test_a_wrong_metric_is_one_message_before_anything_is_trained(source: str, folder: Path) -> None:
    (folder / "my_metrics.py").write_text(source)
    code_, _, err = bench("run", folder / "mine.yaml", "--no-ray", "--results", folder / "r")
    assert (code_, err.count("error:")) == (2, 1) and WRONG_METRICS[source] in err, err
    assert "mine.yaml:3: metrics[1]: metric 'my_metrics.py:worst_class'" in err.replace(f"{folder}/", "")
    assert not list((folder / "r").glob("entries/*/*"))


def test_a_metric_of_the_user_s_own_neither_ranks_nor_runs_unasked(folder: Path) -> None:
    _, _, err = bench("plan", folder / "mine.yaml", "--no-user-code", "--results", folder / "r")
    assert "'my_metrics.py:worst_class' is a metric of the user's own, and --no-user-code runs none" in err
    (folder / "mine.yaml").write_text(f'rank_by: "my_metrics.py:worst_class"\n{suite()}')
    code_, _, err = bench("plan", folder / "mine.yaml", "--results", folder / "r")
    assert code_ == 2 and "cannot rank: your own metric has no validation value to select by" in err


def test_two_files_of_one_module_name_are_refused(folder: Path) -> None:
    (folder / "other").mkdir()
    (folder / "other/mine.py").write_text(code())
    (folder / "mine.yaml").write_text(suite().replace('loss: {name: "mine.py:', 'loss: {name: "other/mine.py:'))
    code_, _, err = bench_here("run", folder / "mine.yaml", "--no-ray", "--results", folder / "r")
    assert (code_, "for another component of the same configuration: rename one of them" in err) == (2, True), err


def test_an_exception_while_training_fails_the_trial_with_its_traceback(folder: Path) -> None:
    broken = code().replace("factors = torch.rand(", "assert len(images) < 20, 'too many'\n    factors = torch.rand(")
    (folder / "mine.py").write_text(broken)
    code_, _, _ = bench("run", folder / "mine.yaml", "--no-ray", "--results", folder / "r")
    assert code_ == 1
    from bench.ledger.ledger import Ledger

    records = list(Ledger(folder / "r").records())
    assert {record.status for record in records} == {"failed"}
    failure: Any = records[0].failure
    assert failure["kind"] == "AssertionError" and "mine.py" in failure["traceback"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packages with the example's, as pip leaves them there."""
    site = tmp_path_factory.mktemp("site-packages") / "site-packages"
    package, info = site / "bench_shapes", site / "bench_shapes-1.0.dist-info"
    package.mkdir(parents=True)
    info.mkdir()
    (package / "__init__.py").touch()
    for block in blocks("python"):
        if found := re.match(r"# bench_shapes/(\w+\.py)", block):
            (package / found[1]).write_text(block)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: bench-shapes\nVersion: 1.0\n")
    section, line = re.search(r'\[project\.entry-points\."(.*?)"\]\n(.*)\n', blocks("toml")[0]).groups()  # type: ignore[union-attr]
    (info / "entry_points.txt").write_text(f"[{section}]\n{line.replace(chr(34), '')}\n")
    return site


def with_package(site: Path, *arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH")]))
    return subprocess.run(
        [Path(sys.executable).with_name("bench"), *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": path, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_installed_package_s_components_are_listed_completed_and_in_the_schema(site: Path) -> None:
    listed = with_package(site, "list", "augmentations", "solar*").stdout
    assert "Inverts the pixels above a threshold." in listed and "threshold=0.5" in listed
    words = {"_BENCH_COMPLETE": "complete_bash", "COMP_WORDS": "bench list augmentations sol", "COMP_CWORD": "3"}
    assert with_package(site, **words).stdout.split() == ["solarize"]
    assert '"solarize"' in with_package(site, "schema").stdout
    assert "solarize" not in with_package(site.parent, "list", "augmentations").stdout


def test_an_installed_package_s_component_trains_and_is_in_the_key(site: Path, folder: Path) -> None:
    text = re.sub(r"(?m)^  augmentation: .*$", "  augmentation: {name: solarize, threshold: 0.9}", suite())
    (folder / "mine.yaml").write_text(text.replace("{grid: [16, 32]}", "16"))
    ran = with_package(site, "run", folder / "mine.yaml", "--no-ray", "--results", folder / "r")
    assert ran.returncode == 0, ran.stderr
    plan = ("plan", folder / "mine.yaml", "--json", "--results", folder / "r")
    before = json.loads(with_package(site, *plan).stdout)
    assert before["to_run"] == 0
    source = site / "bench_shapes/solarize.py"
    source.write_text(source.read_text().replace("images > threshold", "images >= threshold"))
    assert json.loads(with_package(site, *plan).stdout)["to_run"] == 1


def test_a_package_that_clashes_is_left_out_with_a_warning(site: Path) -> None:
    components = site / "bench_shapes/components.py"
    text = components.read_text()
    components.write_text(text.replace('"solarize"', '"flip"'))
    try:
        found = with_package(site, "list", "augmentations", "flip")
    finally:
        components.write_text(text)
    assert "Mirrors left and right" in found.stdout
    assert (
        "bench-shapes" in found.stderr and "two components of the axis augmentation are called 'flip'" in found.stderr
    )
