"""The section on data sets of docs/in_and_out.md: every example as it stands there."""

from __future__ import annotations

import re
import runpy
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from library_files import medmnist_file, svhn

from bench.data.local_files import user_cache
from bench.ledger.ledger import Ledger

pytestmark = pytest.mark.usefixtures("bare_machine", "any_checksum", "datasets_cache")

TEXT = (Path(__file__).parents[2] / "docs/in_and_out.md").read_text().partition("\n## In: questions")[0]
BLOCKS = {
    match[2]: match[1] for match in re.finditer(r"```(?:python|yaml)\n(# (\w+\.(?:py|yaml))\b.*?)```", TEXT, re.DOTALL)
}
SUITES = [name.removesuffix(".yaml") for name in BLOCKS if name.endswith(".yaml")]


def test_the_page_has_an_example_of_each_kind() -> None:
    assert len(re.findall(r"^```(?:python|yaml)$", TEXT, re.M)) == len(BLOCKS)
    named = {name for block in BLOCKS.values() for name in re.findall(r"dataset: \{name: (\w+)", block)}
    assert named == {"npz", "torchvision", "medmnist", "hf", "parquet"}


@pytest.mark.parametrize("name", SUITES)
def test_an_example_trains_as_it_stands(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bench: Callable[..., int]
) -> None:
    monkeypatch.chdir(tmp_path)
    for file, text in BLOCKS.items():
        Path(file).write_text(text)
    if f"{name}.py" in BLOCKS:
        runpy.run_path(f"{name}.py")
    if name == "numbers":
        Path("data").mkdir()
        svhn(Path("data"), train=100)  # of each class one for validation
    if name == "tissue":
        (Path.home() / ".medmnist").mkdir(parents=True)
        medmnist_file(Path.home() / ".medmnist")
    assert bench("run", f"{name}.yaml", "--no-ray", "--results", "results") == 0
    (record,) = Ledger(Path("results")).records()
    assert record.status == "complete"
    assert record.result.validation is not None


def test_the_commands_that_look_at_a_librarys_data_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bench: Callable[..., int]
) -> None:
    monkeypatch.chdir(tmp_path)
    (user_cache() / "torchvision").mkdir(parents=True)
    svhn(user_cache() / "torchvision")  # so that fetching finds all there
    commands = [shlex.split(text)[1:] for text in re.findall(r"`(bench data [^`]*SVHN[^`]*)`", TEXT)]
    assert [words[1] for words in commands] == ["fetch", "show"]
    for words in commands:
        assert bench(*words) == 0
