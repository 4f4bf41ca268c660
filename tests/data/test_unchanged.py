"""What is trained on is what the key says, whenever somebody replaces the data."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

import bench.commands.run
from bench.__main__ import main
from bench.data import file_formats, fingerprint, load, local_files
from bench.errors import UserError
from bench.execution.messages import RunOptions
from bench.execution.run_trials import run_trials
from bench.ledger.ledger import Ledger
from bench.suite.suite import load_suite
from bench.suite.trial import Trial, check_contents, trials

pytestmark = pytest.mark.usefixtures("bare_machine")

CHANGED = "changed after the trials' keys were made of it"


def write_npz(path: Path, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (40, 5, 5), dtype=np.uint8)
    labels = np.arange(40) % 2
    np.savez(path, train_images=pixels, train_labels=labels, test_images=pixels, test_labels=labels)


def write_folder(path: Path, seed: int) -> None:
    random = np.random.default_rng(seed)
    for part in ("train", "test"):
        for label in "ab":
            (path / part / label).mkdir(parents=True, exist_ok=True)
            for i in range(20):
                pixels = random.integers(0, 256, (5, 5), dtype=np.uint8)
                Image.fromarray(pixels).save(path / part / label / f"{i}.png")


WRITE: dict[str, Callable[[Path, int], None]] = {"npz": write_npz, "image_folder": write_folder}


@pytest.fixture(params=WRITE)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def suite(kind: str, tmp_path: Path) -> Path:
    """A suite of one trial on data that lie beside it under the name `mine`."""
    WRITE[kind](tmp_path / "mine", 0) if kind == "image_folder" else write_npz(tmp_path / "mine.npz", 0)
    path = tmp_path / "suite.yaml"
    name = "mine" if kind == "image_folder" else "mine.npz"
    path.write_text(
        f"name: t\ngrid:\n  model: mlp\n  epochs: 1\n  dataset: {{name: {kind}, path: {name}}}\n  seeds: 1\n"
    )
    return path


def replace(suite: Path) -> None:
    folder = suite.parent / "mine"
    write_folder(folder, 1) if folder.is_dir() else write_npz(suite.parent / "mine.npz", 1)


def planned(suite: Path) -> list[Trial]:
    return trials(load_suite(suite), fingerprint, lambda _: None)


def test_a_run_whose_data_are_replaced_between_key_and_loading_stops(
    suite: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def check(*_: object) -> None:
        replace(suite)

    monkeypatch.setattr(bench.commands.run, "check", check)
    results = suite.parent / "results"
    monkeypatch.setattr(sys, "argv", ["bench", "run", str(suite), "--no-ray", "--results", str(results)])
    with pytest.raises(SystemExit) as end:
        main()
    assert (end.value.code, CHANGED in capsys.readouterr().err) == (2, True)
    assert Ledger(results).records() == []


def test_no_executor_gets_data_of_another_key(suite: Path) -> None:
    before = planned(suite)
    replace(suite)
    data = {before[0].data: load(before[0].run_config.dataset.to_json())}
    with pytest.raises(UserError, match=CHANGED):
        run_trials(before, data, Ledger(suite.parent / "results"), Console(), RunOptions(use_ray=False))
    check_contents(planned(suite), data)


def test_keys_of_two_suites_are_both_held_against_the_data(suite: Path) -> None:
    first = planned(suite)
    replace(suite)
    second = planned(suite)
    assert first[0].data == second[0].data
    with pytest.raises(UserError, match=CHANGED):
        check_contents([*second, *first], {second[0].data: load(second[0].run_config.dataset.to_json())})


def test_a_change_that_no_time_tells_is_found_when_the_bytes_are_read(
    suite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A remembered checksum is outdated: the first run stops, the next one has the right key."""
    monkeypatch.setattr(local_files, "SETTLED_SECONDS", -60.0)
    monkeypatch.setattr(local_files, "_state", lambda *_: ("as before", 0.0))
    before = planned(suite)
    replace(suite)
    assert planned(suite) == before
    with pytest.raises(UserError, match="changed"):
        check_contents(before, {before[0].data: load(before[0].run_config.dataset.to_json())})
    after = planned(suite)
    assert after[0].key != before[0].key
    check_contents(after, {after[0].data: load(after[0].run_config.dataset.to_json())})


def test_the_checksum_is_that_of_the_bytes_that_are_decoded(
    suite: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files that are replaced as soon as they were read leave a data set of one kind, under its own checksum."""
    entry = planned(suite)[0].run_config.dataset.to_json()
    sha256 = fingerprint(entry)
    read = local_files.read

    def read_once(path: Path) -> bytes:
        data = read(path)
        os.unlink(path)  # noqa: PTH108
        path.write_bytes(b"replaced")
        return data

    monkeypatch.setattr(f"bench.data.{kind}.read", read_once)
    if kind == "image_folder":  # the second reading, in colour, finds none of it
        entry = {**entry, "channels": 1}
    data = load(entry)
    assert data.sha256 == sha256
    assert len(data.train_images) == 40


def test_archives_of_the_catalogue_are_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, put: Any, info: Any, packed: dict[str, bytes]
) -> None:
    from bench.data.dataset import load_info

    folder = put(tmp_path / "files", packed)
    before = load_info(info, folder)
    read = file_formats._bytes

    def read_once(one: Any, file: Any, path: Path) -> bytes:
        data = read(one, file, path)
        path.write_bytes(b"replaced")
        return data

    monkeypatch.setattr(file_formats, "_bytes", read_once)
    np.testing.assert_array_equal(load_info(info, folder).train_images, before.train_images)
    with pytest.raises(UserError, match="does not hold"):
        load_info(info, folder)
