"""What a file may be at all: YAML 1.2, one plain mapping; what is none is in `tests/test_mistakes.py`."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import SuiteError
from bench.suite.yaml_loader import plain_value, read


def written(folder: Path, data: bytes) -> Path:
    path = folder / "suite.yaml"
    path.write_bytes(data)
    return path


def complaint(path: Path) -> str:
    with pytest.raises(SuiteError) as caught:
        read(path)
    return str(caught.value).replace(f"{path.parent}/", "")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),  # a word in YAML 1.1
        ("1E5", 100000.0),
        (".5", 0.5),
        ("10", 10),
        ("-3", -3),
        ("0o17", 15),
        ("0x1F", 31),
        ("010", 10),  # octal in YAML 1.1
        ("1_000", "1_000"),
        ("1:30", "1:30"),  # ninety in YAML 1.1
        ("no", "no"),  # false in YAML 1.1
        ("on", "on"),
        ("true", True),
        ("~", None),
        ("null", None),
        ("none", "none"),
        (".inf", ".inf"),
        ("2024-01-01", "2024-01-01"),
        ("'1e-3'", "1e-3"),
        ("!!str 5", "5"),
    ],
)
def test_plain_words_mean_what_yaml_1_2_says(text: str, value: object) -> None:
    found = plain_value(text, "here")
    assert (found, type(found)) == (value, type(value))


def test_every_key_has_its_line(tmp_path: Path) -> None:
    document = read(written(tmp_path, b"name: x\ngrid:\n  - model: mlp\n    optimizer:\n      - adam\n      - sgd\n"))
    assert document.line(("grid", 0, "optimizer", 1)) == 6
    assert document.line(("grid", 0, "optimizer", 1, "lr")) == 6, "the nearest that stands in the file"


def test_an_alias_repeats_its_anchor(tmp_path: Path) -> None:
    assert read(written(tmp_path, b"a: &x {p: 1}\nb: *x\n")).data == {"a": {"p": 1}, "b": {"p": 1}}


@pytest.mark.parametrize("start", [b"\xef\xbb\xbf", b"---\n", b"# a comment\n", b"%YAML 1.2\n---\n"])
def test_what_editors_put_first_does_no_harm(tmp_path: Path, start: bytes) -> None:
    assert read(written(tmp_path, start + b"name: x\r\n")).data == {"name": "x"}


def test_a_folder_names_the_files_in_it(tmp_path: Path) -> None:
    written(tmp_path, b"name: x\n")
    assert complaint(tmp_path).endswith("is a directory, not a suite file\n  name one of the files in it: suite.yaml")


def test_a_missing_file(tmp_path: Path) -> None:
    assert complaint(tmp_path / "suite.yaml").startswith("suite.yaml: there is no such file\n  `bench list suites`")


def test_a_file_without_an_end_is_not_read_to_its_end() -> None:
    assert "is too large" in complaint(Path("/dev/zero"))


@pytest.mark.parametrize("text", ["[1, 2", "*", "a: b: c", '"\\UFFFFFFFF"', "!!python/name:os.system x", "9" * 100])
def test_a_value_on_the_command_line_is_read_by_the_same_rules(text: str) -> None:
    with pytest.raises(SuiteError, match=r"^--set 'epochs=\.\.\.': "):
        plain_value(text, "--set 'epochs=...'")
