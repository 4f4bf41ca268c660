"""What a user sees who types something wrong: one message, exit code 2, nothing started, and at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
GOOD = "name: t\ngrid: {model: mlp}\n"


def bench(
    folder: Path, *arguments: str, program: tuple[str, ...] = ("-m", "bench")
) -> subprocess.CompletedProcess[str]:
    """Run the command in `folder`, as after an installation, with no settings of this machine."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("BENCH_")}
    return subprocess.run(
        [sys.executable, *program, *arguments],
        cwd=folder,
        env=environment | {"PYTHONPATH": str(ROOT), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=400,
    )


def test_modules_in_the_folder_where_one_stands_are_not_imported(tmp_path: Path) -> None:
    for name in ("random.py", "json.py", "yaml.py", "pydantic/__init__.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("raise ImportError('not what bench needs')\n")
    (tmp_path / "good.yaml").write_text(GOOD)
    done = bench(tmp_path, "plan", "good.yaml")
    assert done.returncode == 0, done.stderr


LAUGHS = "a: &a [1, 2, 3, 4, 5, 6, 7, 8, 9]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdef", "bcdefg", strict=True)
)

FILES: dict[str, tuple[str | bytes, tuple[str, ...]]] = {
    "unknown key": (
        "name: t\nmodles: [mlp]\n",
        ("suite.yaml:2: modles: unknown key 'modles'", "did you mean 'model'?"),
    ),
    "unknown name": (
        "name: t\ngrid: {model: mlp, regularizer: dropuot}\n",
        ("suite.yaml:2: grid.regularizer", "'dropout'?"),
    ),
    "wrong value": ("name: t\ngrid:\n  model: mlp\n  epochs: 0\n", ("suite.yaml:4: grid.epochs", "not 0")),
    "unknown dataset": (
        "name: t\ngrid: {model: mlp, dataset: cifar}\n",
        ("grid.dataset: there is no dataset 'cifar'",),
    ),
    "empty axis": ("name: t\ngrid: {model: []}\n", ("suite.yaml:2: grid.model: the axis `model` is empty",)),
    "excludes nothing": (GOOD + "exclude: [{model: cnn}]\n", ("suite.yaml:3: exclude[0]: matches no configuration",)),
    "too many trials": (
        "name: t\ngrid: {model: mlp, seeds: 99999}\n",
        ("99,999 trials, more than the limit of 10,000",),
    ),
    "unknown reference": (
        GOOD + "references: [lab-e-basline]\n",
        ("suite.yaml:3: references[0]: ", "'lab-e-baseline'?"),
    ),
    "duplicate key": (GOOD + "name: u\n", ("suite.yaml:3: the key 'name' is given twice",)),
    "no YAML": ("name: [t\n", ("suite.yaml:2: is not valid YAML",)),
    "not UTF-8": (b"name: t\ntitle: \xff\n", ("suite.yaml:2: is not UTF-8 text (byte 0xff)",)),
    "exploding anchors": (LAUGHS, ("holds more than 20,000 values",)),
    "own model is missing": (
        "name: t\ngrid:\n  model:\n    - mlp\n    - nets.py:net\n",
        ("suite.yaml:5: grid.model[1]: model 'nets.py:net': cannot read", "from the suite file's own folder"),
    ),
    "own model's module is missing": (
        "name: t\ngrid: {model: 'no_such_package.nets:net'}\n",
        ("suite.yaml:2: grid.model: model 'no_such_package.nets:net': module", "was not found", "PYTHONPATH"),
    ),
}


@pytest.mark.parametrize("case", FILES)
def test_a_wrong_suite_file(case: str, tmp_path: Path) -> None:
    content, expected = FILES[case]
    (tmp_path / "suite.yaml").write_bytes(content if isinstance(content, bytes) else content.encode())
    ran = bench(tmp_path, "run", "suite.yaml")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith("error: ")
    assert [part for part in expected if part not in ran.stderr] == [], ran.stderr
    assert "Traceback" not in ran.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["suite.yaml"], "nothing was started"


COMMANDS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "a folder": (("run", "."), ("is a directory, not a suite file", "name one of the files in it: suite.yaml")),
    "a missing file": (("plan", "none.yaml"), ("none.yaml: there is no such suite file", "labs/regularization, ")),
    "an unknown suite": (("run", "qick"), ("qick: there is no such suite file", "did you mean 'quick'?")),
    "a missing suite to report": (("report", "qick"), ("did you mean 'quick'?",)),
    "--only that matches nothing": (("run", "suite.yaml", "--only", "model=vgg*"), ("matches none", "'mlp'")),
    "--only with an unknown key": (("plan", "suite.yaml", "--only", "modle=mlp"), ("did you mean 'model'?",)),
    "--only without a value": (("plan", "suite.yaml", "--only", "model"), ("--only 'model': write AXIS=VALUE",)),
    "--set with an unknown key": (("run", "suite.yaml", "--set", "epoch=2"), ("--set 'epoch=2'", "'epochs'?")),
    "--set with a wrong value": (("run", "suite.yaml", "--set", "epochs=0"), ("--set epochs: ", "not 0")),
    "--seeds 0": (("run", "suite.yaml", "--seeds", "0"), ("--seeds", "1")),
    "--jobs that is no number": (("run", "suite.yaml", "--jobs", "x"), ("--jobs", "integer")),
    "an unknown option": (("run", "suite.yaml", "--sedes", "2"), ("--sedes",)),
    "no suite": (("run",), ("Missing argument",)),
    "an unknown command": (("rnu",), ("No such command 'rnu'",)),
    "an unknown kind": (("list", "modles"), ("did you mean 'models'?",)),
    "an unknown key": (("show", "abc"), ("no record 'abc'",)),
    "an unknown data set": (("data", "fetch", "cifar"), ("unknown dataset 'cifar'", "fashion_mnist")),
    "results in a file": (("run", "suite.yaml", "--results", "suite.yaml"), ("suite.yaml: a ledger is a folder",)),
}


@pytest.mark.parametrize("case", COMMANDS)
def test_a_wrong_command_line(case: str, tmp_path: Path) -> None:
    arguments, expected = COMMANDS[case]
    (tmp_path / "suite.yaml").write_text(GOOD)
    ran = bench(tmp_path, *arguments)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert [part for part in expected if part not in ran.stderr] == [], ran.stderr
    assert "Traceback" not in ran.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["suite.yaml"], "nothing was started"


@pytest.mark.parametrize(
    "arguments", [("--debug", "plan", "qick"), ("plan", "--debug", "qick"), ("plan", "qick", "--debug")]
)
def test_debug_shows_the_traceback_wherever_it_stands(arguments: tuple[str, ...], tmp_path: Path) -> None:
    ran = bench(tmp_path, *arguments)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "Traceback" in ran.stderr
    assert "error: qick: there is no such suite file" in ran.stderr


LOADED = """
import sys
from bench.__main__ import main
try:
    main()
finally:
    heavy = {"torch", "torchvision", "timm", "ray", "pandas", "sklearn", "scipy"}
    print(sorted(heavy & set(sys.modules)), file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--help",), 0),
        (("run", "--help"), 0),
        (("schema",), 0),
        (("list", "models"), 0),
        (("list", "suites"), 0),
        (("run", "wrong.yaml"), 2),
        (("plan", "wrong.yaml"), 2),
        (("report", "wrong.yaml"), 2),
        (("run", "own.yaml"), 2),
    ],
)
def test_what_needs_no_training_imports_nothing_heavy(arguments: tuple[str, ...], code: int, tmp_path: Path) -> None:
    (tmp_path / "wrong.yaml").write_text("name: t\ngrid: {model: mlp, epochs: 0}\n")
    (tmp_path / "own.yaml").write_text("name: t\ngrid: {model: 'nets.py:net'}\n")
    ran = bench(tmp_path, *arguments, program=("-c", LOADED))
    assert ran.returncode == code, ran.stderr
    assert ran.stderr.splitlines()[-1] == "[]"


def test_a_second_plan_imports_nothing_heavy_whatever_the_suite_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "named.yaml").write_text(
        "name: t\ngrid: {model: [mlp, resnet10t], optimizer: [{name: adan, lr: 0.01}], "
        "regularizer: [none, dropout], preprocessing: column_standardize}\n"
    )
    first, second = (bench(tmp_path, "plan", "named.yaml", program=("-c", LOADED)) for _ in range(2))
    assert (first.returncode, second.returncode) == (0, 0), first.stderr
    assert "timm" in first.stderr.splitlines()[-1]
    assert second.stderr.splitlines()[-1] == "[]"
    assert second.stdout == first.stdout
    assert "PFLOP" in first.stdout


def test_what_depends_on_the_users_code_is_asked_every_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    shape = tmp_path / "shape.txt"
    shape.write_text("10")
    (tmp_path / "nets.py").write_text(
        "import torch\n\ndef net(input_shape, classes):\n"
        f"    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, int(open({str(shape)!r}).read())))\n"
    )
    (tmp_path / "own.yaml").write_text("name: t\ngrid: {model: 'nets.py:net'}\n")
    assert bench(tmp_path, "plan", "own.yaml").returncode == 0
    shape.write_text("9")
    again = bench(tmp_path, "plan", "own.yaml")
    assert again.returncode == 2
    assert "expected (2, 10)" in again.stderr


def test_plan_as_json(tmp_path: Path) -> None:
    ran = bench(tmp_path, "plan", "quick", "--json", "--only", "model=mlp", "--set", "epochs=2", "--seeds", "3")
    assert (ran.returncode, ran.stderr) == (0, "")
    plan = json.loads(ran.stdout)
    assert (plan["suite"], plan["configurations"], plan["trials"], plan["to_run"], plan["done"]) == (
        "quick",
        4,
        12,
        12,
        {},
    )
    assert (plan["epochs"], plan["axes"]["epochs"]) == (24, {"2": 4})
    assert len(set(plan["keys"])) == 12
    assert list(tmp_path.iterdir()) == []


NETS = """
import torch

def good(input_shape, classes, width=8):
    pixels = input_shape[0] * input_shape[1] * input_shape[2]
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(pixels, width), torch.nn.Linear(width, classes))

def wide(input_shape, classes):
    return good(input_shape, classes + 1)

def no_net(input_shape, classes):
    return classes
"""

OWN = """\
name: own
grid:
  model:
    - nets.py:good
    - nets.py:wide
    - nets.py:no_net
    - nets.py:goood
    - {name: 'nets.py:good', widht: 3}
    - broken.py:net
    - resnet81
    - {name: resnet18, depth: 3}
    - {name: cnn, kernel: 40}
  optimizer:
    - adam
    - adamm
    - {name: lamb, speed: 3}
"""

COMPLAINTS = {
    "suite.yaml:5: grid.model[1]: ": "returns shape (2, 11) for 2 images, expected (2, 10)",
    "suite.yaml:6: grid.model[2]: ": "its factory returned int, expected a torch.nn.Module",
    "suite.yaml:7: grid.model[3]: ": "has no 'goood'; it has good, wide, no_net\n  did you mean 'good'?",
    "suite.yaml:8: grid.model[4]: ": "'widht'; its parameters are width\n  did you mean 'width'?",
    "suite.yaml:9: grid.model[5]: ": "does not import: ZeroDivisionError: division by zero",
    "suite.yaml:10: grid.model[6]: ": "unknown model 'resnet81'",
    "suite.yaml:11: grid.model[7]: ": "depth",
    "suite.yaml:12: grid.model[8]: ": "kernel",
    "suite.yaml:15: grid.optimizer[1]: ": "there is no optimizer 'adamm' in torch or timm",
    "suite.yaml:16: grid.optimizer[2]: ": "speed",
}


def test_models_and_optimizers_that_do_not_work_are_all_named_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "nets.py").write_text(NETS)
    (tmp_path / "broken.py").write_text("import torch\n\nwidth = 1 / 0\n")
    (tmp_path / "suite.yaml").write_text(OWN)
    ran = bench(tmp_path, "run", "suite.yaml")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "Traceback" not in ran.stderr
    messages = ran.stderr.removeprefix("error: ").replace("\nsuite.yaml:", "\0suite.yaml:").split("\0")
    assert len(messages) == len(COMPLAINTS), ran.stderr
    for message, (place, words) in zip(sorted(messages), sorted(COMPLAINTS.items()), strict=True):
        assert message.startswith(place), message
        assert words in message, message
    assert "did you mean 'resnet1" in ran.stderr, "timm's names are near"
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "__pycache__") == [
        "broken.py",
        "nets.py",
        "suite.yaml",
    ]
