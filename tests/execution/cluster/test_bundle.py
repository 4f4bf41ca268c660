"""What is sent to a cluster arrives as it was: trials with their keys, the files they name, this package."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from library_files import medmnist_file, mnist

from bench.commands.load_suites import trials_of
from bench.data import DATASETS, load
from bench.errors import UserError
from bench.execution.cluster.bundle import FORMAT, BundledSuite, RunBundle, pack, unpack
from bench.execution.messages import RunOptions
from bench.suite.suite import Suite, load_suite

OWN = """
name: own
defaults: {dataset: {name: npz, path: data/few.npz}, seeds: 2}
pruning: {}
grid: {model: {name: "net.py:tiny", width: {grid: [2, 3]}}}
"""


@pytest.fixture
def own(tmp_path: Path) -> Suite:
    """A suite with a model and data of the user's own, named by paths relative to its file."""
    (tmp_path / "data").mkdir()
    images, labels = np.zeros((10, 28, 28), np.uint8), np.arange(10) % 2
    np.savez(
        tmp_path / "data/few.npz", train_images=images, train_labels=labels, test_images=images, test_labels=labels
    )
    (tmp_path / "net.py").write_text("def tiny(input_shape, classes, width): ...\n")
    (tmp_path / "own.yaml").write_text(OWN)
    return load_suite(tmp_path / "own.yaml")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    sent = tmp_path / "sent"
    sent.mkdir()
    return sent


def run_of(suite: Suite) -> RunBundle:
    return RunBundle(
        "own-1",
        [BundledSuite(suite.name, trials_of(suite), suite.pruning, 7, "own.yaml")],
        "results",
        RunOptions(jobs=3),
        ["a"],
    )


def test_trials_keep_their_keys_and_name_the_files_that_came_along(own: Suite, folder: Path, tmp_path: Path) -> None:
    sent = run_of(own)
    pack(sent, folder)
    elsewhere = shutil.move(folder, tmp_path / "head")
    shutil.rmtree(tmp_path / "data")
    (tmp_path / "net.py").unlink()
    got = unpack(elsewhere)
    assert [trial.key for trial in got.trials] == [trial.key for trial in sent.trials]
    assert [trial.config for trial in got.trials] == [trial.config for trial in sent.trials]
    assert (got.suites[0].pruning, got.suites[0].sampling_seed, got.known, got.options.jobs) == (
        own.pruning,
        7,
        ["a"],
        3,
    )
    trial = got.trials[0]
    assert [trial.code for trial in got.trials] == [trial.code for trial in sent.trials]
    assert load(trial.run_config.dataset.to_json()).train_images.shape[0] == 10


def test_of_a_folder_of_many_data_sets_only_the_named_one_is_sent(
    suite_of: Callable[[str], Suite], folder: Path, tmp_path: Path
) -> None:
    mnist(tmp_path)
    mnist(tmp_path, "KMNIST")
    sent = run_of(suite_of("grid: {model: mlp, dataset: {name: torchvision, dataset: MNIST, path: .}}"))
    pack(sent, folder)
    names = {path.name for path in (folder / "data").rglob("*") if path.is_file()}
    assert len(names) == 4 and not list((folder / "data").rglob("KMNIST"))
    data = load(unpack(folder).trials[0].run_config.dataset.to_json())
    assert data.sha256 == sent.trials[0].contents


def test_data_that_lie_where_a_library_puts_them_are_sent_too(
    suite_of: Callable[[str], Suite], folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home/.medmnist").mkdir(parents=True)
    medmnist_file(tmp_path / "home/.medmnist")
    sent = run_of(suite_of("grid: {model: mlp, dataset: {name: medmnist, dataset: pathmnist}}"))
    pack(sent, folder)
    monkeypatch.setenv("HOME", str(tmp_path / "head"))
    data = load(unpack(folder).trials[0].run_config.dataset.to_json())
    assert data.sha256 == sent.trials[0].contents


def test_the_package_itself_is_sent(own: Suite, folder: Path) -> None:
    pack(run_of(own), folder)
    assert (folder / "bench/execution/cluster/driver.py").is_file()
    assert (folder / "bench/execution/cluster/requirements.py").is_file()
    assert not list(folder.rglob("__pycache__"))


@pytest.mark.parametrize("package", ["ourmodels", "datasets"])
def test_a_model_of_an_installed_package_takes_the_package_along_whatever_its_name(
    suite_of: Callable[[str], Suite], folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    installed = tmp_path / "site-packages"
    (installed / package).mkdir(parents=True)
    (installed / package / "__init__.py").touch()
    (installed / package / "nets.py").write_text("def tiny(input_shape, classes): ...\n")
    monkeypatch.syspath_prepend(installed)
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:  # another one of the name
        monkeypatch.delitem(sys.modules, name)
    pack(run_of(suite_of(f"grid: {{model: '{package}.nets:tiny'}}")), folder)
    assert "def tiny" in (folder / "packages" / package / "nets.py").read_text()
    assert not (folder / "datasets").exists()  # where data would be looked for


@pytest.mark.parametrize(
    ("name", "dataset"), [("fashion_mnist", "fashion_mnist"), ("emnist_letters", "{name: emnist, split: letters}")]
)
def test_data_sets_of_the_catalogue_are_sent_where_asked_for(
    suite_of: Callable[[str], Suite],
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    dataset: str,
) -> None:
    info = DATASETS[name]
    here = tmp_path / "here" / info.folders[0]
    here.mkdir(parents=True)
    for file in info.files:
        (here / file.name).write_bytes(b"as it is")
    monkeypatch.setenv("BENCH_DATA", str(tmp_path / "here"))
    run = run_of(suite_of(f"grid: {{model: mlp, dataset: {dataset}}}"))
    pack(run, folder)
    assert not (folder / "datasets").exists()
    shutil.rmtree(folder / "bench")
    pack(run, folder, send_data=True)
    assert {path.name for path in (folder / "datasets" / info.folders[0]).iterdir()} == {f.name for f in info.files}


def test_a_pipe_is_named(own: Suite, folder: Path, tmp_path: Path) -> None:
    run = run_of(own)
    (tmp_path / "data/few.npz").unlink()
    os.mkfifo(tmp_path / "data/few.npz")
    with pytest.raises(UserError, match=r"cannot send .*few\.npz` is a named pipe") as caught:
        pack(run, folder)
    assert "None" not in str(caught.value)


def test_a_file_that_has_gone_is_told(own: Suite, folder: Path, tmp_path: Path) -> None:
    run = run_of(own)
    (tmp_path / "data/few.npz").unlink()
    with pytest.raises(UserError, match=r"cannot send .*few\.npz to the cluster"):
        pack(run, folder)


def test_code_is_sent_as_it_was_when_its_keys_were_made(own: Suite, folder: Path, tmp_path: Path) -> None:
    run = run_of(own)
    (tmp_path / "net.py").write_text("raise ImportError('edited')\n")
    pack(run, folder)
    code = unpack(folder).trials[0].code
    assert code is not None
    assert b"def tiny" in code.files[tmp_path / "net.py"]


def test_a_run_of_another_version_is_refused(own: Suite, folder: Path) -> None:
    pack(run_of(own), folder)
    text = (folder / "run.json").read_text()
    assert f'"format": {FORMAT}' in text
    (folder / "run.json").write_text(text.replace(f'"format": {FORMAT}', '"format": 99'))
    with pytest.raises(UserError, match="another version"):
        unpack(folder)


def test_the_trials_of_a_run_can_be_read_without_its_code(own: Suite, folder: Path, tmp_path: Path) -> None:
    """As a client does that comes back to a run: all that it gets from the head is ``run.json``."""
    run = run_of(own)
    pack(run, folder)
    alone = tmp_path / "alone"
    alone.mkdir()
    (alone / "run.json").write_text((folder / "run.json").read_text())
    found = unpack(alone, with_code=False).trials
    assert [trial.key for trial in found] == [trial.key for trial in run.trials]
    assert {trial.code for trial in found} == {None}
