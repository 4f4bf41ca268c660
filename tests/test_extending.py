"""The examples of docs/extending.md: components of every kind from outside the package, alone, under Ray, installed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from commands import bench, results_of

TEXT = (Path(__file__).parents[1] / "docs/extending.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


EXAMPLE = Path(__file__).parents[1] / "examples/own_everything"


def code() -> str:
    return (EXAMPLE / "mine.py").read_text()


def suite() -> str:
    return (EXAMPLE / "mine.yaml").read_text()


def test_the_page_shows_what_the_example_has() -> None:
    parts = [block for block in blocks("python") if "bench_shapes" not in block and "def solarize" not in block]
    assert len(parts) == 10
    for part in parts:
        assert part.removeprefix("# mine.py\n") in code()
    assert blocks("yaml")[0] == suite()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "mine.py").write_text(code())
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
    code, _, err = bench("run", folder / "mine.yaml", "--no-ray", "--results", folder / "r")
    assert code == 2 and message in err, err
    assert f"grid.{axis}" in err or axis in err
    assert not list((folder / "r").glob("entries/*/*"))


def test_two_files_of_one_module_name_are_refused(folder: Path) -> None:
    (folder / "other").mkdir()
    (folder / "other/mine.py").write_text(code())
    (folder / "mine.yaml").write_text(suite().replace('loss: {name: "mine.py:', 'loss: {name: "other/mine.py:'))
    code_, _, err = bench("run", folder / "mine.yaml", "--no-ray", "--results", folder / "r")
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
