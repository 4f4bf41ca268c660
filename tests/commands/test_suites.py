"""What is checked of a suite before it runs, and what for its plan."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bench.__main__ import main
from bench.commands.check_suites import check, checked_for_plan, needs_libraries
from bench.commands.load_suites import load, trials_of
from bench.errors import UserError
from bench.suite.suite import Suite


@pytest.fixture
def suite_of(tmp_path: Path) -> Callable[[str], Suite]:
    """From a grid to a loaded suite; beside it lies `colour.npz`, two classes of colour images."""
    pixels = np.zeros((4, 5, 5, 3), np.uint8)
    labels = np.array([0, 1, 0, 1])
    np.savez(tmp_path / "colour.npz", train_images=pixels, train_labels=labels, test_images=pixels, test_labels=labels)

    def suite(grid: str) -> Suite:
        path = tmp_path / "suite.yaml"
        path.write_text(f"name: t\ngrid:\n  {grid}\n")
        return load(str(path), None, None, None)

    return suite


WRONG = {
    "{model: mlp, regularizer: {name: l2, layers: ['*.convv']}}": "`layers: ['*.convv']` regularises nothing",
    "{model: mlp, dataset: cifar10, preprocessing: column_standardize}": "'column_standardize' makes a channel of each",
    "{model: mlp, augmentation: {name: crop, padding: 28, mode: reflect}}": "needs images larger",
}


@pytest.mark.parametrize("grid", WRONG)
def test_a_plan_tells_what_a_run_would(grid: str, suite_of: Callable[[str], Suite]) -> None:
    suite = suite_of(f"- {grid}")
    for checked in (check, checked_for_plan):
        with pytest.raises(UserError) as caught:
            checked(suite, trials_of(suite))
        assert WRONG[grid] in str(caught.value)


def test_what_is_wrong_beside_the_file_is_told_at_once(suite_of: Callable[[str], Suite], tmp_path: Path) -> None:
    np.savez(tmp_path / "short.npz", train_images=np.zeros((4, 5, 5), np.uint8))
    data = "{name: npz, path: short.npz}, {name: npz, path: missing.npz}, mnist"
    with pytest.raises(UserError) as caught:
        suite_of(f"- {{model: ['nets.py:net', mlp, 'more.py:net'], dataset: [{data}]}}\nreferences: [lab-e-nothing]")
    lines = [line for line in str(caught.value).splitlines() if not line.startswith(" ")]
    for word in ("nets.py", "more.py", "short.npz", "missing.npz", "lab-e-nothing"):
        assert sum(word in line for line in lines) == 1, (word, lines)
    assert len(lines) == 5


def test_a_plan_decodes_no_pictures_for_names_of_benchs_own(suite_of: Callable[[str], Suite]) -> None:
    suite = suite_of("- {model: mlp, dataset: {name: npz, path: colour.npz}, preprocessing: column_standardize}")
    assert checked_for_plan(suite, trials_of(suite)) == ([], 0)
    with pytest.raises(UserError, match="column_standardize"):
        check(suite, trials_of(suite))


def test_a_plan_leaves_benchs_own_networks_to_the_run(suite_of: Callable[[str], Suite]) -> None:
    grid = "- {model: [mlp, cnn, vgg], regularizer: [l2, {name: l1, layers: all}], augmentation: [none, flip, crop]}"
    suite = suite_of(grid)
    assert not any(needs_libraries(config) for config, _ in suite.configurations)
    assert checked_for_plan(suite, trials_of(suite)) == ([], 0)


PLAN_ALONE = """
import resource, sys
from bench.__main__ import main
sys.argv[0] = "bench"
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
assert not {"torch", "timm"} & sys.modules.keys()
used = resource.getrusage(resource.RUSAGE_SELF)
assert used.ru_utime + used.ru_stime < 3, used
"""


def test_a_plan_of_many_networks_builds_none(tmp_path: Path) -> None:
    """Nothing is remembered from before: cache and ledger are empty."""
    ran = subprocess.run(
        [sys.executable, "-c", PLAN_ALONE, "plan", "full", "--results", tmp_path / "none"],
        env=os.environ | {"XDG_CACHE_HOME": str(tmp_path)}, capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert (ran.returncode, ran.stderr) == (0, "")
    assert (
        "no estimate for 2,157 trials: no similar trial has run, and their operations are not yet counted" in ran.stdout
    )
    assert "194 networks not yet built for these images" in ran.stdout


def test_of_many_networks_a_plan_builds_what_has_no_known_name(
    suite_of: Callable[[str], Suite], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "nets.py").write_text("def net(input_shape, classes, width=3):\n    raise ValueError('not yet')\n")
    many = ", ".join(f"{{name: mlp, hidden: [{width}]}}" for width in range(50, 60))
    names = "resnet18, resnet18.a1_in1k, vgg, resnt18, {name: 'nets.py:net', width: {grid: [1, 2]}}"
    suite = suite_of(f"- {{model: [{many}, {names}], optimizer: [sgd, nadam, nadamm]}}")
    trials = trials_of(suite)
    with pytest.raises(UserError) as caught:
        checked_for_plan(suite, trials, 5)
    lines = [line for line in str(caught.value).splitlines() if not line.startswith(" ")]
    assert len(lines) == 3
    for words in ("unknown model 'resnt18'", "no optimizer 'nadamm'", "'nets.py:net' cannot be built"):
        assert words in str(caught.value)


def test_of_many_networks_with_known_names_a_plan_builds_none(
    suite_of: Callable[[str], Suite], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    suite = suite_of("- {model: [mlp, cnn, vgg, resnet18], optimizer: [sgd, nadam]}")
    monkeypatch.setattr("bench.commands.check_suites._check_configurations", None)
    assert checked_for_plan(suite, trials_of(suite), 3) == ([], 4)


def test_a_plan_of_others_optimizers_is_quiet_and_counts(suite_of: Callable[[str], Suite]) -> None:
    """kron warns of a missing package and compiles, which warns of CUDA; neither is the plan's business."""
    path = suite_of("- {model: {name: mlp, hidden: []}, optimizer: kron, validation: none, epochs: 5}").path
    ran = subprocess.run(
        [sys.executable, "-m", "bench", "plan", path, "--results", path.parent / "none", "--gpus-per-trial", "0"],
        capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "for 1 trial no similar trial has run: training takes 1.41e-05 PFLOP" in ran.stdout


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"test_images": None},
            "has no array 'test_images'; it has train_images, train_labels, test_labels, and needs",
        ),
        ({"train_images": np.zeros((4, 5, 5), np.float32)}, "train_images are of type float32, expected uint8"),
        ({"train_labels": np.array([0, 1, 2, 1])}, "test_labels have no image of class 2"),
        ({"classes": np.array(["a", "b\x1b[2J"])}, r"the name 'b\x1b[2J' has a character"),
        ({}, "0.1 of the 2 images of class 0 is 0"),
    ],
)
def test_a_plan_refuses_wrong_arrays(
    changes: dict[str, np.ndarray | None],
    words: str,
    suite_of: Callable[[str], Suite],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    suite = suite_of("- {model: mlp, dataset: {name: npz, path: mine.npz}}")
    arrays = {**np.load(tmp_path / "colour.npz"), **changes}
    np.savez(tmp_path / "mine.npz", **{name: array for name, array in arrays.items() if array is not None})
    monkeypatch.setattr(sys, "argv", ["bench", "plan", str(suite.path), "--results", str(tmp_path / "results")])
    with pytest.raises(SystemExit) as end:
        main()
    said = capsys.readouterr().err
    assert (end.value.code, f"{suite.path}" in said, words in said) == (2, True, True), said
