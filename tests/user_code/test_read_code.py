"""Which files a model of the user's own is made of, and that these are what runs."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path

import pytest
from processes import imports_put_back

from bench.errors import UserError
from bench.user_code import read_code
from bench.user_code.component_code import ComponentCode
from bench.user_code.read_code import read
from bench.user_code.run_code import SYSTEM, load, running, unpacked, use, watch_files


@pytest.fixture(autouse=True)
def imports_as_they_were() -> Iterator[None]:
    """`use` is for a process that is over soon."""
    with imports_put_back():
        yield


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def code_of(folder: Path, name: str = "nets.py:net", **entry: object) -> ComponentCode:
    code = read({"name": name, **entry}, folder)
    assert code is not None
    return code


def held(code: ComponentCode, folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in code.files}


def value(code: ComponentCode) -> object:
    """What the factory returns, from the code alone."""
    with unpacked(code) as folder:
        use(code, folder)
        return load(code.name)()


BESIDE = {
    "nets.py": "import helpers, json, torch\nfrom parts import deep\ndef net(): return helpers.width + deep.depth\n",
    "helpers.py": "import more\nwidth = more.width\n",
    "more.py": "width = 3\n",
    "parts/__init__.py": "",
    "parts/deep.py": "from . import deeper\ndepth = deeper.depth\n",
    "parts/deeper.py": "depth = 40\n",
    "unused.py": "raise ImportError\n",
}


@pytest.mark.parametrize(
    ("name", "files", "result"),
    [
        ("nets.py:net", BESIDE, 43),
        ("pack/nets.py:net", {"pack/nets.py": "from .a import x\nnet = lambda: x\n", "pack/a.py": "x = 1\n"}, 1),
        (
            "pack/sub/nets.py:net",
            {
                "pack/__init__.py": "y = 5\n",
                "pack/sub/__init__.py": "",
                "pack/sub/nets.py": "from .. import y\nfrom ..a import x\nnet = lambda: x + y\n",
                "pack/a.py": "x = 1\n",
            },
            6,
        ),
        (
            "pack/nets.py:net",
            {
                "pack/__init__.py": "",
                "pack/nets.py": "from pack.a import x\nimport a\nnet = lambda: x + a.x\n",
                "pack/a.py": "x = 1\n",
            },
            2,
        ),
        ("nets.py:net", {"nets.py": "def net():\n  import late\n  return late.x\n", "late.py": "x = 2\n"}, 2),
        ("nets.py:net", {"nets.py": "import space.a\nnet = lambda: space.a.x\n", "space/a.py": "x = 4\n"}, 4),
        ("my-net.v2.py:net", {"my-net.v2.py": "import helpers\nnet = lambda: helpers.x\n", "helpers.py": "x = 7\n"}, 7),
        ("torch.py:net", {"torch.py": "import torch\nnet = lambda: torch.nn.Linear(1, 1).in_features\n"}, 1),
        # Names that installed packages have, of which the user's own come first, as for a script.
        ("nets.py:net", {"nets.py": "import yaml\nnet = lambda: yaml.x\n", "yaml.py": "x = 8\n"}, 8),
        ("nets.py:net", {"nets.py": "from yaml import x\nnet = lambda: x\n", "yaml/__init__.py": "x = 9\n"}, 9),
        # What bench has imported already, no file takes the place of.
        (
            "nets.py:net",
            {"nets.py": "import random\nnet = lambda: random.random.__name__\n", "random.py": "x"},
            "random",
        ),
        ("nets.py:net", {"nets.py": "import timm\nnet = lambda: timm.__name__\n", "timm/__init__.py": "1/0"}, "timm"),
        # A folder without code hides no package.
        ("nets.py:net", {"nets.py": "import yaml\nnet = lambda: yaml.__name__\n", "yaml/out.txt": ""}, "yaml"),
    ],
)
def test_modules_beside_a_model_are_imported_as_they_were_read(
    name: str, files: dict[str, str], result: object, tmp_path: Path
) -> None:
    write(tmp_path, files)
    code = code_of(tmp_path, name)
    for file in files:
        (tmp_path / file).write_text("raise ImportError('edited')\n")
    assert value(code) == result


def test_each_module_that_is_imported_is_in_the_key_and_no_other(tmp_path: Path) -> None:
    write(tmp_path, BESIDE)
    code = code_of(tmp_path)
    assert held(code, tmp_path) == BESIDE.keys() - {"unused.py"}
    for file in BESIDE:
        (tmp_path / file).write_text(BESIDE[file] + "# edited\n")
        assert (code_of(tmp_path).checksum == code.checksum) == (file == "unused.py"), file
        (tmp_path / file).write_text(BESIDE[file])
    assert code_of(tmp_path).checksum == code.checksum


def test_the_key_is_the_same_wherever_the_folder_lies(tmp_path: Path) -> None:
    for folder in (tmp_path / "a", tmp_path / "b" / "c"):
        write(folder, BESIDE | {"prior.txt": "1"})
    first, second = (code_of(tmp_path / folder, files=["prior.txt"]) for folder in ("a", "b/c"))
    assert first.checksum == second.checksum


def test_a_file_alone_is_keyed_by_its_own_checksum(tmp_path: Path) -> None:
    write(tmp_path, {"nets.py": "import torch, yaml\n"})
    assert code_of(tmp_path).checksum == hashlib.sha256((tmp_path / "nets.py").read_bytes()).hexdigest()


def test_modules_on_pythonpath_and_of_a_package_there_are_the_users_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, folder = tmp_path / "path", tmp_path / "suite"
    package = {"ownpack/__init__.py": "", "ownpack/nets.py": "from ownpack import a\nnet = lambda: a.x\n"}
    write(path, {"ownlib.py": "x = 3\n", "ownpack/a.py": "x = 4\n", **package})
    write(folder, {"nets.py": "import ownlib\nnet = lambda: ownlib.x\n"})
    monkeypatch.syspath_prepend(path)
    by_file, by_module = code_of(folder), code_of(folder, "ownpack.nets:net")
    assert held(by_module, path) == {"ownpack/__init__.py", "ownpack/nets.py", "ownpack/a.py"}
    for file in path.rglob("*.py"):
        file.unlink()
    assert (value(by_file), value(by_module)) == (3, 4)


def test_an_installed_package_stays_where_it_is_and_must_be_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site-packages"
    package = {"instpack/__init__.py": "", "instpack/nets.py": "from instpack import a\nnet = lambda: a.x\n"}
    write(site, {"instpack/a.py": "x = 4\n", **package})
    monkeypatch.syspath_prepend(site)
    code = code_of(tmp_path, "instpack.nets:net")
    assert code.installed
    assert value(code) == 4
    (site / "instpack/a.py").write_text("x = 50\n")
    assert code_of(tmp_path, "instpack.nets:net").checksum != code.checksum
    for name in [name for name in sys.modules if name.startswith("instpack")]:
        del sys.modules[name]
    with pytest.raises(UserError, match=r"a\.py is not what the trial's key was made of"):
        value(code)


def test_declared_files_are_in_the_key_and_where_the_code_looks_for_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (
        "from pathlib import Path\n"
        "def net(): return Path('data/prior.txt').read_text() + (Path(__file__).parent / 'own.txt').read_text()\n"
    )
    write(tmp_path, {"lib/nets.py": text, "lib/own.txt": "b", "data/prior.txt": "a"})
    code = code_of(tmp_path, "lib/nets.py:net", files=["data/prior.txt", "lib/own.txt"])
    write(tmp_path, {"lib/own.txt": "c", "data/prior.txt": "d"})
    assert code_of(tmp_path, "lib/nets.py:net", files=["data/prior.txt", "lib/own.txt"]).checksum != code.checksum
    monkeypatch.chdir(tmp_path)  # and back
    with running(code):
        assert load(code.name)() == "ab"


DYNAMIC = """
import importlib
def net():
    found = []
    for name in ("ownlib", "ownpack.late", "beside", "standing", "ray"):
        try:
            found.append(importlib.import_module(name).__name__)
        except ImportError:
            pass
    return found
"""


@pytest.mark.parametrize("installed", [False, True])
def test_what_no_import_statement_names_runs_from_no_folder_of_the_users(
    installed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither from PYTHONPATH, nor from the folder where one stands, nor from the rest of a package of the model's."""
    path, folder, stand = tmp_path / "path", tmp_path / "suite", tmp_path / "stand"
    site = tmp_path / "site-packages"
    write(path, {"ownlib.py": "", "ownpack/__init__.py": "", "ownpack/late.py": ""})
    write(stand, {"standing.py": ""})
    write(folder, {"nets.py": f"import ownpack\n{DYNAMIC}", "beside.py": ""})
    write(site, {"inst/__init__.py": "", "inst/nets.py": DYNAMIC})
    for entry in ("", str(path), str(site)):
        monkeypatch.syspath_prepend(entry)
    monkeypatch.chdir(stand)
    code = code_of(folder, "inst.nets:net" if installed else "nets.py:net")
    package, is_installed = site / "inst", read_code._is_installed
    monkeypatch.setattr(read_code, "_is_installed", lambda path: path not in (site, package) and is_installed(path))
    with running(code):  # on another machine Ray puts an installed package where nothing tells that it is one
        assert load(code.name)() == ["ray"]


def test_a_finder_of_an_editable_installation_finds_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Finder:
        @staticmethod
        def find_spec(name: str, *_: object) -> ModuleSpec | None:
            return spec_from_file_location(name, tmp_path / "away/ownlib.py") if name == "ownlib" else None

    Finder.__module__ = "__editable___ownlib_0_1_finder"
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Finder])
    monkeypatch.chdir(tmp_path)
    write(tmp_path, {"nets.py": DYNAMIC, "away/ownlib.py": "", "named.py": f"import ownlib\n{DYNAMIC}"})
    codes = code_of(tmp_path), code_of(tmp_path, "named.py:net")
    assert held(codes[1], tmp_path) == {"named.py", "away/ownlib.py"}
    found = []
    for code in codes:
        with running(code):
            found.append(load(code.name)())
    assert found == [["ray"], ["ownlib", "ray"]]


def test_modules_of_a_code_that_was_used_before_are_not_there_for_the_next(tmp_path: Path) -> None:
    write(tmp_path, {"a/nets.py": "import beside\ndef net(): ...\n", "a/beside.py": "", "b/nets.py": DYNAMIC})
    assert value(code_of(tmp_path, "a/nets.py:net")) is None
    assert value(code_of(tmp_path, "b/nets.py:net")) == ["ray"]
    load(f"{tmp_path}/a/nets.py:net")
    assert load(f"{tmp_path}/b/nets.py:net")() == ["ray"]
    assert load(f"{tmp_path}/a/nets.py:net")() is None


@pytest.mark.parametrize("name", ["usr/x.txt", "prefix/x.txt"])
def test_a_file_of_the_users_is_seen_wherever_it_lies(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In an environment's folder, where only Python's and its packages' files are none of the user's."""
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "prefix"))
    write(tmp_path, {name: "x", "nets.py": "def net(): ...\n"})
    found = watch_files(code_of(tmp_path))
    for path in (tmp_path / name, Path(os.__file__), Path("/proc/self/stat"), Path(pytest.__file__)):
        path.read_bytes()
    assert found() == [tmp_path / name]
    assert not any(Path("/usr/local/share/me/x.txt").is_relative_to(folder) for folder in SYSTEM)


def test_the_folder_of_unpacked_code_is_gone_afterwards(tmp_path: Path) -> None:
    write(tmp_path, BESIDE)
    with unpacked(code_of(tmp_path)) as folder:
        assert (folder / str(tmp_path).lstrip("/") / "nets.py").is_file()
        assert folder.stat().st_mode & 0o077 == 0
    assert not folder.exists()


@pytest.mark.parametrize("kind", ["pipe", "nobody", "endless", "circle"])
def test_a_declared_file_that_is_none_is_an_answer(kind: str, tmp_path: Path) -> None:
    (tmp_path / "nets.py").write_text("def net(input_shape, classes): ...\n")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "circle").symlink_to("circle")
    named = {"nobody": "~nobody_of_this_name/p.pt", "endless": "a" * 300}.get(kind, kind)
    with pytest.raises(UserError, match=r"pipe, a socket|cannot read"):
        read({"name": "nets.py:net", "files": [named]}, tmp_path)
