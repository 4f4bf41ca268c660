"""Files of others, a suite or a ledger, run no code and write nowhere but where they belong."""

from __future__ import annotations

import ast
import hashlib
import io
import json
import os
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from predicted import RIGHT

import bench
from bench.errors import UserError
from bench.ledger.entries import encode
from bench.ledger.leases import Leases
from bench.ledger.ledger import Ledger
from bench.ledger.merge import merge_ledgers
from bench.ledger.record import Record, Result, RunInfo
from bench.suite.suite import load_suite

SOURCES = sorted(Path(bench.__file__).parent.rglob("*.py"))
CONFIG = {"dataset": {"name": "mnist"}, "model": {"name": "mlp"}}
RECORD = Record("ab12cd34", CONFIG, 0, "complete", Result({}, 1, 1), RunInfo())


class Evil:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return os.mkdir, (str(self.trace),)


def calls(tree: ast.AST, name: str) -> list[ast.Call]:
    found = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    return [call for call in found if isinstance(call.func, ast.Attribute) and ast.unparse(call.func) == name]


def option(call: ast.Call, name: str) -> str | None:
    return next((ast.unparse(keyword.value) for keyword in call.keywords if keyword.arg == name), None)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_no_source_unpickles_what_it_reads(path: Path) -> None:
    tree = ast.parse(path.read_text())
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {alias.name for node in imports for alias in node.names} | {getattr(node, "module", "") for node in imports}
    assert not names & {"pickle", "cPickle", "dill", "joblib", "shelve", "marshal", "cloudpickle"}
    for name in ("np.load", "npy.read_array", "numpy.load"):
        assert [option(call, "allow_pickle") for call in calls(tree, name)] == ["False"] * len(calls(tree, name))
    assert [option(call, "weights_only") for call in calls(tree, "torch.load")] == ["True"] * len(
        calls(tree, "torch.load")
    )


def test_a_pickle_among_an_entrys_predictions_is_not_run(tmp_path: Path) -> None:
    """Under a name that fits its bytes, as somebody who means harm would write it."""
    array = np.array([Evil(tmp_path / "trace")], dtype=object)
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, allow_pickle=True)
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        archive.writestr("record.json", json.dumps(RECORD.to_json()))
        for name in ("labels", "predicted", "confidence", "true_class_probability", "true_rank"):
            archive.writestr(f"{name}.npy", buffer.getvalue())
    write(tmp_path / "results", whole.getvalue())
    ledger = Ledger(tmp_path / "results")
    assert ledger.records() == []
    ((_, reason),) = ledger.damaged
    assert reason.startswith("Object arrays cannot be loaded")
    assert not (tmp_path / "trace").exists()


@pytest.mark.parametrize("place", ["entry", "index", "claim"])
def test_a_pickle_in_place_of_a_file_of_the_ledger_is_not_run(place: str, tmp_path: Path) -> None:
    root, data = tmp_path / "results", pickle.dumps(Evil(tmp_path / "trace"))
    Ledger(root).publish(RECORD, RIGHT)
    if place == "entry":
        write(root, data)
    elif place == "index":
        (root / "index.jsonl").write_bytes(data)
    else:
        (root / "leases").mkdir()
        (root / "leases" / RECORD.key).write_bytes(data)
    ledger = Ledger(root)
    assert [record.key for record in ledger.records()] == [RECORD.key]
    assert len(ledger.damaged) == (place == "entry")
    Leases(root).acquire(RECORD.key)
    assert not (tmp_path / "trace").exists()


def test_an_entry_that_would_fill_the_memory_is_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("record.json", "w") as member:
        for _ in range(300):
            member.write(bytes(2**20))
    write(tmp_path, buffer.getvalue())
    ((_, reason),) = Ledger(tmp_path).damaged
    assert reason == "record.json would unpack to 314,572,800 bytes"


def write(root: Path, data: bytes) -> None:
    path = root / "entries" / "ab" / f"{RECORD.key}-{hashlib.sha256(data).hexdigest()[:12]}.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


KEYS = ["../../x", "ab/../../../x", "/tmp/x", "..", "", "AB12", "ab12\n", "ab\0"]


@pytest.mark.parametrize("key", KEYS)
def test_a_key_leads_nowhere_out_of_the_ledger(key: str, tmp_path: Path) -> None:
    record = Record(key, CONFIG, 0, "complete", Result({}, 1, 1), RunInfo())
    with pytest.raises(ValueError, match="hexadecimal"):
        encode(record)
    with pytest.raises(ValueError, match="hexadecimal"):
        Leases(tmp_path).acquire(key)


@pytest.mark.parametrize("key", KEYS)
def test_nor_does_one_in_an_entry_or_the_index_of_somebody_elses(key: str, tmp_path: Path) -> None:
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    Ledger(theirs).publish(RECORD, RIGHT)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("record.json", json.dumps(RECORD.to_json() | {"key": key}))
    write(theirs, buffer.getvalue())
    line = {"entry": f"{key}-0123456789ab.npz", "bytes": 1, "record": RECORD.to_json() | {"key": key}}
    with (theirs / "index.jsonl").open("a") as index:
        index.write(json.dumps(line) + "\n")
    merged = merge_ledgers([theirs], ours)
    assert (merged.copied, len(merged.damaged)) == (1, 1)
    assert [record.key for record in Ledger(theirs).records()] == [RECORD.key]
    assert {path.name for path in tmp_path.iterdir()} == {"theirs", "ours"}


@pytest.mark.parametrize("name", ["../../x", "/tmp/x", "..", ".hidden", "a/b", "a\\b", "a\0b", "x" * 65, "ü"])
def test_a_suites_name_is_a_file_name(name: str, tmp_path: Path) -> None:
    """Reports are named after it."""
    path = tmp_path / "suite.yaml"
    path.write_text(json.dumps({"name": name, "grid": {"model": "mlp"}}))
    with pytest.raises(UserError, match=r"suite\.yaml:1: name: "):
        load_suite(path)


def test_options_in_the_name_of_a_report_stay_in_its_folder(tmp_path: Path) -> None:
    here = tmp_path / "here"
    (here / "r" / "entries").mkdir(parents=True)
    (here / "s.yaml").write_text("name: s\ngrid: {model: mlp}\n")
    (tmp_path / "net.py").write_text("def net(input_shape, classes): ...\n")
    options = ["--set", "model=../net.py:net", "--csv", "--results", "r", "--out", "out"]
    command = [sys.executable, "-m", "bench", "report", "s.yaml", *options]
    done = subprocess.run(command, capture_output=True, text=True, cwd=here)
    assert done.returncode == 0, done.stderr
    assert [path.relative_to(here) for path in tmp_path.rglob("*.csv")] == [
        Path("out/s-set-model-..-net.py-net-43b7e3.csv")
    ]


@pytest.mark.parametrize("command", ["run", "plan"])
def test_no_user_code_refuses_models_of_the_users_own_before_anything_of_them_runs(
    command: str, tmp_path: Path
) -> None:
    (tmp_path / "evil.py").write_text(f"import os\nos.mkdir({str(tmp_path / 'trace')!r})\n")
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").write_text((tmp_path / "evil.py").read_text())
    (tmp_path / "package" / "evil.py").write_text("")
    suite = tmp_path / "suite.yaml"
    suite.write_text("name: t\ngrid:\n  model: [mlp, 'evil.py:net', 'package.evil:net']\n")
    done = subprocess.run(
        [sys.executable, "-m", "bench", command, str(suite), "--no-user-code", "--results", str(tmp_path / "r")],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{Path(bench.__file__).parents[1]}:{tmp_path}"},
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"error: {suite}:3: grid.model[1]: 'evil.py:net' is a model of the user's own, and --no-user-code runs none\n"
        f"{suite}:3: grid.model[2]: 'package.evil:net' is a model of the user's own, and --no-user-code runs none\n"
        "  leave the option out where you trust that code, or take another component\n"
    )
    assert not (tmp_path / "trace").exists()


def test_without_user_code_all_else_goes_on(tmp_path: Path) -> None:
    suite = tmp_path / "suite.yaml"
    suite.write_text("name: t\ngrid: {model: mlp}\n")
    command = [
        sys.executable,
        "-m",
        "bench",
        "plan",
        str(suite),
        "--no-user-code",
        "--results",
        str(tmp_path / "r"),
    ]
    assert subprocess.run(command, capture_output=True).returncode == 0
