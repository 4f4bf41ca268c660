"""The user's own code: found, imported, and part of a trial's key."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from processes import imports_put_back

from bench.components import ModelComponent
from bench.errors import UserError
from bench.user_code.read_code import read, read_component
from bench.user_code.run_code import load


@pytest.fixture(autouse=True)
def imports_as_they_were() -> Iterator[None]:
    with imports_put_back():
        yield


def checksum(name: str, folder: Path | None = None) -> str | None:
    code = read({"name": name}, folder)
    return code and code.checksum


def test_the_checksum_of_a_file_is_its_hash_and_it_is_not_run(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text("raise SystemExit('this must not run')\n")
    wanted = hashlib.sha256((tmp_path / "net.py").read_bytes()).hexdigest()
    assert checksum("net.py:build", tmp_path) == wanted
    assert checksum(f"{tmp_path}/net.py:build") == wanted


def test_the_checksum_of_a_package_s_component_says_which_function_carries_it_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shapes.py").write_text("def small(): ...\n\ndef large(): ...\n")
    monkeypatch.syspath_prepend(tmp_path)

    def key_of(function: str) -> str | None:
        class Shape(ModelComponent):
            implementation = f"shapes:{function}"
            name: Literal["shape"] = "shape"

        code = read_component(Shape())
        return code and code.checksum

    assert key_of("small") == key_of("small") != key_of("large")


def test_the_checksum_of_a_module_is_its_files_hash_and_it_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "my_package_a"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "nets.py").write_text("raise SystemExit('this must not run')\n")
    monkeypatch.syspath_prepend(tmp_path)
    wanted = hashlib.sha256((package / "nets.py").read_bytes()).hexdigest()
    assert checksum("my_package_a.nets:build") == wanted


@pytest.mark.parametrize("name", ["mlp", "resnet18", "resnet18.a1_in1k"])
def test_other_models_have_no_code(name: str) -> None:
    assert read({"name": name}) is None


def test_code_is_read_without_torch(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text("import torch\n")
    read_it = "from bench.user_code.read_code import read\nread({'name': 'net.py:f'})\n"
    code = f"import sys\n{read_it}sys.exit('torch' in sys.modules)"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=False).returncode == 0


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("absent.py:build", r"cannot read .*absent\.py: No such file"),
        (".py:build", r"cannot read .*\.py: No such file"),
        ("./:build", r"cannot read .*: Is a directory"),
        ("absent_package.nets:build", r"module 'absent_package.nets' was not found.*PYTHONPATH"),
        ("absent_module:build", r"module 'absent_module' was not found.*PYTHONPATH"),
        ("sys:exit", r"module 'sys' is no Python source file"),
        (":build", r"expected 'package.module:factory' or 'path/to/file.py:factory'"),
        ("net.py:", r"expected 'package.module:factory' or 'path/to/file.py:factory'"),
        ("hf-hub:timm/resnet18", r"may change while the trials' keys stay the same\n  take weights that timm names"),
    ],
)
def test_code_that_is_not_there_is_an_error(name: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"(?s){message}"):
        read({"name": name}, tmp_path)


def test_an_edited_file_is_run_anew(tmp_path: Path) -> None:
    file = tmp_path / "net.py"
    file.write_text("def build(): return 1\n")
    assert load(f"{file}:build")() == 1
    status = file.stat()
    file.write_text("def build(): return 2\n")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert load(f"{file}:build")() == 2


def test_a_file_may_hold_dataclasses_with_late_annotations(tmp_path: Path) -> None:
    file = tmp_path / "net.py"
    file.write_text(
        "from __future__ import annotations\n"
        "from dataclasses import dataclass, KW_ONLY\n"
        "@dataclass\n"
        "class Net:\n"
        "    _: KW_ONLY\n"
        "    width: int = 3\n"
    )
    assert load(f"{file}:Net")().width == 3


def test_a_relative_path_starts_from_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "net.py").write_text("def build(): return 5\n")
    monkeypatch.chdir(tmp_path)
    assert load("net.py:build")() == 5


def test_loading_a_file_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^model '.*absent\.py:build': cannot read .*absent\.py: No such file"):
        load(f"{tmp_path}/absent.py:build")
