"""What a file may be at all: YAML 1.2, one plain mapping, of bounded size."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from bench.suite.document import MAX_BYTES, plain_value, read
from bench.suite.errors import SuiteError


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


BILLION_LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)

MISTAKES = {
    "empty": (b"", "suite.yaml: is empty", "needs at least `name` and `grid`"),
    "only comments": (b"# nothing\n\n", "suite.yaml: is empty"),
    "does not parse": (b"name: x\ngrid: {model: mlp\n", "suite.yaml:3: is not valid YAML", "look at the indentation"),
    "two colons": (b"name: x\ntitle: a: b\n", "suite.yaml:2: is not valid YAML", "colons"),
    "tab": (b"name: x\ngrid:\n\tmodel: mlp\n", "suite.yaml:3: ", "indent with spaces, not with tabs"),
    "open quote": (b"name: 'x\n", "suite.yaml:2: is not valid YAML", "quotes"),
    "two documents": (b"name: x\n---\nname: y\n", "suite.yaml:2: ", "one file holds one suite"),
    "unknown alias": (b"name: *x\n", "suite.yaml:1: ", "undefined alias 'x'", "quote a value that starts with '*'"),
    "duplicate key": (b"name: x\ngrid: {}\nname: y\n", "suite.yaml:3: ", "the key 'name' stands here twice", "line 1"),
    "duplicate key inside": (
        b"grid:\n  model: mlp\n  epochs: 1\n  epochs: 2\n",
        "suite.yaml:4: grid: the key 'epochs' stands here twice",
        "the first stands on line 3",
    ),
    "merge key": (b"a: &a {p: 1}\nb:\n  <<: *a\n", "suite.yaml:3: b: merge keys (<<) are not part", "`defaults`"),
    "list as key": (b"? [a, b]\n: c\n", "suite.yaml:1: a key must be a plain word"),
    "python object": (
        b"name: !!python/object/apply:os.system [ls]\n",
        "suite.yaml:1: name: the YAML tag",
        "not allowed",
    ),
    "python name": (b"name: !!python/name:os.system x\n", "suite.yaml:1: name: the YAML tag", "plain values only"),
    "own tag on a mapping": (b"grid: !mine {model: mlp}\n", "suite.yaml:1: grid: the YAML tag '!mine' is not allowed"),
    "tag on a key": (b"!!python/name:os.system name: x\n", "suite.yaml:1: the YAML tag", "not allowed"),
    "set": (b"grid: !!set {model}\n", "suite.yaml:1: grid: the YAML tag"),
    "tag of another type": (b"refit: !!bool maybe\n", "suite.yaml:1: refit: 'maybe' is not of the type", "bool"),
    "billion laughs": (BILLION_LAUGHS.encode(), "holds more than 50,000 values", "use fewer aliases"),
    "recursive anchor": (
        b"name: x\ngrid: &a {model: *a}\n",
        "suite.yaml:2: grid",
        "30 levels",
        "inside its own anchor",
    ),
    "recursive list": (b"name: &a [*a, *a]\n", "suite.yaml:1: name[0]", "nested more than 30 levels deep"),
    "deep": (b"name: " + b"[" * 40 + b"]" * 40, "suite.yaml:1: name[0]", "nested more than 30 levels deep"),
    "deep beyond the parser": (b"name: " + b"[" * 50_000, "nested more than 30 levels deep"),
    "too large": (b"# " + b"x" * MAX_BYTES, "is too large", "262,144 bytes"),
    "long number": (b"epochs: " + b"9" * 5000, "suite.yaml:1: epochs: a number of 5000 digits is too long"),
    "infinite number": (b"lr: 1e999\n", "suite.yaml:1: lr: the number 1e999 is too large"),
    "Latin-1": ("name: x\ntitle: Kühe\n".encode("latin-1"), "suite.yaml:2: is not UTF-8 text (byte 0xfc)", "encoding"),
    "UTF-16": ("name: x\n".encode("utf-16"), "suite.yaml:1: is not UTF-8 text"),
    "NUL": (b"name: x\ntitle: a\x00b\n", "suite.yaml:2: holds a control character ('\\x00')", "delete it"),
    "escaped control character": (b'name: x\ntitle: "\\e[31m"\n', "suite.yaml:2: title: holds a control character"),
    "control character in a key": (b'"a\\e": x\n', "suite.yaml:1: holds a control character"),
    "half a character": (b'title: "\\uD800"\n', "suite.yaml:1: title: holds a control character"),
    "escape of no character": (b'title: "\\UFFFFFFFF"\n', "is not valid YAML: an escape"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_file_that_cannot_be_read(tmp_path: Path, case: str) -> None:
    data, *expected = MISTAKES[case]
    started = time.monotonic()
    message = complaint(written(tmp_path, data))
    assert [part for part in expected if part not in message] == [], message
    assert message.startswith("suite.yaml")
    assert len(message) < 500
    assert time.monotonic() - started < 5


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
