"""What is no YAML, or none that a suite file may hold."""

from __future__ import annotations

from bench.suite.yaml_loader import MAX_BYTES
from mistakes.row import Row

BILLION_LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)

ROWS: dict[str, Row] = {
    "empty": (b"", "suite.yaml: is empty", "needs at least `name` and `grid`"),
    "only comments": (b"# nothing\n\n", "suite.yaml: is empty"),
    "does not parse": (b"name: x\ngrid: {model: mlp\n", "suite.yaml:3: is not valid YAML", "look at the indentation"),
    "two colons": (b"name: x\ntitle: a: b\n", "suite.yaml:2: is not valid YAML", "colons"),
    "tab": (b"name: x\ngrid:\n\tmodel: mlp\n", "suite.yaml:3: ", "indent with spaces, not with tabs"),
    "open quote": (b"name: 'x\n", "suite.yaml:2: is not valid YAML", "quotes"),
    "two documents": (b"name: x\n---\nname: y\n", "suite.yaml:2: ", "one file holds one suite"),
    "unknown alias": (b"name: *x\n", "suite.yaml:1: ", "undefined alias 'x'", "quote a value that starts with '*'"),
    "duplicate key": (b"name: x\ngrid: {}\nname: y\n", "suite.yaml:3: ", "the key 'name' is given twice", "line 1"),
    "duplicate key inside": (
        b"grid:\n  model: mlp\n  epochs: 1\n  epochs: 2\n",
        "suite.yaml:4: grid: the key 'epochs' is given twice",
        "the first is on line 3",
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
    "billion laughs": (BILLION_LAUGHS.encode(), "holds more than 20,000 values", "use fewer aliases"),
    "recursive anchor": (
        b"name: x\ngrid: &a {model: *a}\n",
        "suite.yaml:2: grid",
        "30 levels",
        "inside its own anchor",
    ),
    "recursive list": (b"name: &a [*a, *a]\n", "suite.yaml:1: name[0]", "nested more than 30 levels deep"),
    "deep": (b"name: " + b"[" * 40 + b"]" * 40, "suite.yaml:1: name[0]", "nested more than 30 levels deep"),
    "deep beyond the parser": (b"name: " + b"[" * 50_000, "nested more than 30 levels deep"),
    "too large": (b"# " + b"x" * MAX_BYTES, "is too large", "65,536 bytes"),
    "comma in a number": (
        b"name: x\ngrid: {model: mlp, optimizer: {name: adam, lr: 0,001}}\n",
        "suite.yaml:2: grid.optimizer: 0,001 is two values, 0 and 001",
        "a number has a decimal point, not a comma: 0.001",
    ),
    "comma in a list of numbers": (
        b"name: x\ngrid: {model: mlp, optimizer: {name: adam, lr: {grid: [0,01, 0,03]}}}\n",
        "suite.yaml:2: grid.optimizer.lr.grid: 0,01 is two values, 0 and 01",
    ),
    "long number": (b"epochs: " + b"9" * 5000, "suite.yaml:1: epochs: a number of 5000 digits is too long"),
    "infinite number": (b"lr: 1e999\n", "suite.yaml:1: lr: the number 1e999 is too large"),
    "Latin-1": ("name: x\ntitle: Kühe\n".encode("latin-1"), "suite.yaml:2: is not UTF-8 text (byte 0xfc)", "encoding"),
    "UTF-16": ("name: x\n".encode("utf-16"), "suite.yaml:1: is not UTF-8 text"),
    "NUL": (b"name: x\ntitle: a\x00b\n", "suite.yaml:2: holds a control character ('\\x00')", "delete it"),
    "escaped control character": (b'name: x\ntitle: "\\e[31m"\n', "suite.yaml:2: title: holds a control character"),
    "control character in a key": (b'"a\\e": x\n', "suite.yaml:1: holds a control character"),
    "line break in a name": (b'dataset: "a\\nb"\n', "suite.yaml:1: dataset: holds a line break ('\\n')", "delete it"),
    "tab in a key": (b'"a\\tb": x\n', "suite.yaml:1: holds a tab ('\\t')", "delete it"),
    "half a character": (b'title: "\\uD800"\n', "suite.yaml:1: title: holds a control character"),
    "a line turned around": (b'title: "\\u202Eabc"\n', "suite.yaml:1: title: holds a control character"),
    "escape of no character": (b'title: "\\UFFFFFFFF"\n', "is not valid YAML: an escape"),
}
