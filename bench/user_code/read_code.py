"""Which files of the user's is a component made of? All are read once, when the trial's key is made; none is run.

Those files are what runs, in any process on any machine (`bench.user_code.run_code`). Imports no torch.
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
import importlib.util
import os
import stat
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import Any

from bench.components.base import Component
from bench.components.user_defined import LibraryModel, is_user_defined
from bench.errors import UserError, nearest
from bench.jsonutil import JsonObject, canonical
from bench.user_code.component_code import ComponentCode, UserCode

FILES = "files"
"""The parameter of a component that names files which its code reads."""
WEIGHTS = ("pretrained_cfg", "pretrained_cfg_overlay")
"""The parameters of timm's that say where pretrained weights are."""
ELSEWHERE = ("url", "hf_hub_id", "hf_hub_filename", "source", "state_dict")
"""What these may hold beside a `file`, and no key could vouch for."""
PROVIDED = {*sys.stdlib_module_names, "bench", "numpy", "PIL", "ray", "timm", "torch", "torchvision"}
"""Modules that bench has imported before the user's code: one of the user's own of that name cannot take its place."""


def read(component: JsonObject, folder: Path | None = None, axis: str = "model") -> ComponentCode | None:
    """All that a component has of the user's own: its code, or the file of a timm model's weights; None without either.

    The file of its factory, what that imports from beside it, from its package and from PYTHONPATH, what these import,
    and the `files` that the entry declares. Only import statements are seen. Packages that are installed are left out,
    as Python's own modules are; a component that is in an installed package itself is read with the modules of that
    package that it imports.

    Parameters
    ----------
    folder : Path, optional
        The folder a relative path starts from (default: the current one).

    Raises
    ------
    UserError
        There is no such file or module, or it is not Python source; or weights are named by an address.
    """
    name, title = component["name"], f"{axis} {component['name']!r}"
    folder = (folder or Path.cwd()).resolve()
    if not is_user_defined(name):
        return _weights(component, folder)
    importlib.invalidate_caches()
    where, _, factory = name.rpartition(":")
    if not where or not factory:
        raise UserError(f"{title}: expected 'package.module:factory' or 'path/to/file.py:factory'")
    if where.lower() in ("hf-hub", "hf_hub", "local-dir"):
        raise UserError(
            f"{title}: what is there may change while the trials' keys stay the same\n  {_HOW_TO_NAME_WEIGHTS}"
        )
    files: dict[Path, bytes] = {}
    if is_path(where):
        file = (folder / where).resolve()
        files[file] = _read(file, title, "write the path from the suite file's own folder")
        imports = _Imports(title, files)
        module = imports.start(file)
    else:
        file = Path(_module(where, title).origin or "").resolve()
        imports, module = _Imports(title, files, where.partition(".")[0] if is_provided(file) else None), where
        if where.partition(".")[0] in PROVIDED:
            imports.modules[where] = file
        else:
            imports.add(where)
    imports.follow()
    names = component.get(FILES, [])
    if not isinstance(names, list) or not all(isinstance(file_name, str) for file_name in names):
        raise UserError(f"{title}: `{FILES}` lists the files that its code reads: {FILES}: [prior.pt]")
    declared = _declared(names, FILES, title, folder, files)
    return ComponentCode(
        name=name,
        module=module,
        folder=folder,
        roots=tuple(imports.roots),
        modules=imports.modules,
        files=files,
        declared=tuple(declared.values()),
        installed=imports.package is not None,
        checksum=_checksum(imports.modules, files, declared),
        axis=axis,
    )


def read_component(component: Component, folder: Path | None = None) -> ComponentCode | None:
    """What a component has of the user's own; parameters and errors as in `read`.

    A component of a package is named by its class, so that its checksum also says which function carries it out.
    """
    if component.user_code is None:
        return read(component.to_json(), folder) if isinstance(component, LibraryModel) else None
    files = getattr(component, FILES, None)
    code = read({"name": component.user_code, FILES: [] if files is None else files}, folder, component.axis)
    if code is None or component.name == component.user_code:
        return code
    named = canonical([component.user_code, code.checksum])
    return replace(code, checksum=hashlib.sha256(named.encode()).hexdigest())


def is_path(where: str) -> bool:
    """Whether the part of a name before its colon is a file's, not a module's."""
    return where.endswith(".py") or "/" in where or "\\" in where


def installed_packages(codes: Iterable[UserCode | None]) -> list[Path]:
    """The top packages (single modules among them) of components that are in installed packages."""
    packages: dict[Path, None] = {}
    for part in (part for code in codes if code for part in code.parts):
        if part.installed:
            top = part.modules.get(part.module.partition(".")[0]) or part.modules[part.module]
            packages[top.parent if top.name == "__init__.py" else top] = None
    return sorted(packages)


def is_provided(path: Path) -> bool:
    """Whether a file is Python's, bench's or an installed package's."""
    return _is_installed(path) or any(path.is_relative_to(root) for root in _PROVIDED_FOLDERS)


_PROVIDED_FOLDERS = [
    Path(__file__).resolve().parents[1],
    *(Path(sysconfig.get_path(kind)).resolve() for kind in ("stdlib", "platstdlib", "purelib", "platlib")),
]


def _is_installed(path: Path) -> bool:
    return not {"site-packages", "dist-packages"}.isdisjoint(path.parts)


class _Imports:
    """What a component's modules import of the user's own: dotted name to file, and the folders they are found in.

    `package` names the installed package that the component is in, to which all else is left; `files` takes what is
    read.
    """

    def __init__(self, title: str, files: dict[Path, bytes], package: str | None = None):
        self.title, self.files, self.package = title, files, package
        self.modules: dict[str, Path] = {}
        self.roots: dict[Path, None] = {}
        self.component_folders: list[str] = []
        """The folders of a component given by its file."""

    def start(self, file: Path) -> str:
        """Take a component's file in; the name it is imported by.

        It is a module by itself, as a script is; one that imports relatively is a module of the package its folder is.
        """
        above = [file.parent]
        while (above[-1] / "__init__.py").is_file() and above[-1] != above[-1].parent:
            above.append(above[-1].parent)
        relative = any(isinstance(node, ast.ImportFrom) and node.level for node in _nodes(self.files[file]))
        if relative and len(above) == 1:
            above.append(file.parent.parent)
            self.files[file.parent / "__init__.py"] = b""  # so that nothing installed takes the folder's name
        root = above[-1] if relative else file.parent
        parts = [*file.parent.relative_to(root).parts, file.stem]
        if not file.stem.isidentifier() or parts[0] in PROVIDED:
            parts = ["model_" + "".join(c if c.isalnum() else "_" for c in part) for part in parts]
            if relative:
                raise UserError(
                    f"{self.title}: {file} imports relatively, and cannot be imported as a module itself: give "
                    "it and its folder names that Python takes and no library has"
                )
        self.roots = dict.fromkeys([file.parent, above[-1]])
        self.component_folders = [str(root) for root in self.roots]
        for depth in range(1, len(parts)):
            self.modules[".".join(parts[:depth])] = root.joinpath(*parts[:depth], "__init__.py")
        module = ".".join(parts)
        self.modules[module] = file
        return module

    def follow(self) -> None:
        """Read the modules that there are, and add what they import, and what that imports."""
        followed: set[Path] = set()
        while waiting := [(module, file) for module, file in self.modules.items() if file not in followed]:
            for module, file in waiting:
                followed.add(file)
                if file not in self.files:
                    self.files[file] = _read(file, self.title, f"{self.title.partition(' ')[0]} code imports it")
                if file.suffix == ".py" and module.partition(".")[0] not in PROVIDED:
                    for name in _imported(module, file, self.files[file]):
                        self.add(name)

    def add(self, name: str) -> None:
        """Add a module with the packages above it, where they are the user's own."""
        parts = name.split(".")
        spec = self._top(parts[0])
        for depth in range(1, len(parts) + 1):
            dotted = ".".join(parts[:depth])
            if depth > 1:
                spec = spec and _found(dotted, list(spec.submodule_search_locations or ()))
            if spec is None:
                return
            if spec.origin and spec.has_location and Path(spec.origin).is_file():
                self.modules.setdefault(dotted, Path(spec.origin).resolve())

    def _top(self, name: str) -> ModuleSpec | None:
        """A top module of the user's own, which is in the component's folder or on PYTHONPATH."""
        if self.package is not None:
            return importlib.util.find_spec(name) if name == self.package else None
        if name in PROVIDED:
            return None
        local = _found(name, self.component_folders)
        if local and (local.origin or name in self.modules):
            return local
        try:
            spec = importlib.util.find_spec(name)
        except (ImportError, ValueError):
            spec = None
        spec = spec if spec and spec.origin else local or spec  # a plain folder hides no installed package
        if spec is None:
            return None
        locations = [Path(location) for location in (spec.submodule_search_locations or [spec.origin or ""])]
        if (
            not locations
            or any(is_provided(location.resolve()) for location in locations)
            or not locations[0].is_absolute()
        ):
            return None
        self.roots[locations[0].resolve().parent] = None
        return spec


def _found(name: str, folders: list[str]) -> ModuleSpec | None:
    try:
        return PathFinder.find_spec(name, folders)
    except (ImportError, ValueError):
        return None


def _imported(module: str, file: Path, text: bytes) -> Iterator[str]:
    """Every dotted name that a module's import statements may mean, wherever in it they stand."""
    package = module.split(".") if file.name == "__init__.py" else module.split(".")[:-1]
    for node in _nodes(text):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            if base:
                yield base
                yield from (f"{base}.{alias.name}" for alias in node.names if alias.name != "*")


def _nodes(text: bytes) -> list[ast.AST]:
    try:
        return list(ast.walk(ast.parse(text)))
    except (SyntaxError, ValueError, RecursionError):  # importing it will tell
        return []


def _module(where: str, title: str) -> ModuleSpec:
    """Where a module given by its dotted name lies, without importing what is above it."""
    advice = "\n  install its package or put its folder on PYTHONPATH, or give a file: 'path/to/file.py:factory'"
    first, *submodules = where.split(".")
    try:
        spec = importlib.util.find_spec(first)
    except (ImportError, ValueError):
        spec = None
    dotted = first
    for part in submodules:
        dotted = f"{dotted}.{part}"
        spec = spec and _found(dotted, list(spec.submodule_search_locations or ()))
    if spec is None:
        raise UserError(f"{title}: module {where!r} was not found{advice}")
    if spec.origin is None or not spec.origin.endswith(".py"):
        raise UserError(f"{title}: module {where!r} is no Python source file (found {spec.origin}); name one")
    return spec


_HOW_TO_NAME_WEIGHTS = (
    "take weights that timm names (resnet18.a1_in1k), or download them and name the file: "
    "{name: resnet18, pretrained: true, pretrained_cfg_overlay: {file: weights.safetensors}}"
)


def weights_files(component: Mapping[str, Any]) -> list[str]:
    """The files of weights that a timm model's entry names, as it names them."""
    configs = [component[parameter] for parameter in WEIGHTS if isinstance(component.get(parameter), dict)]
    return list(dict.fromkeys(str(config["file"]) for config in configs if config.get("file")))


def _weights(component: JsonObject, folder: Path) -> ComponentCode | None:
    name, title = component["name"], f"model {component['name']!r}"
    for parameter in WEIGHTS:
        config = component.get(parameter)
        if isinstance(config, dict) and (wrong := [key for key in ELSEWHERE if config.get(key)]):
            raise UserError(
                f"{title}: `{wrong[0]}` of `{parameter}` says where weights are that may change while the "
                f"trials' keys stay the same\n  {_HOW_TO_NAME_WEIGHTS}"
            )
    files: dict[Path, bytes] = {}
    if not (names := weights_files(component)):
        return None
    declared = _declared(names, "file", title, folder, files)
    return ComponentCode(
        name=name,
        module="",
        folder=folder,
        roots=(),
        modules={},
        files=files,
        declared=tuple(declared.values()),
        installed=False,
        checksum=_checksum({}, files, declared),
    )


def _declared(names: list[str], key: str, title: str, folder: Path, files: dict[Path, bytes]) -> dict[str, Path]:
    """The files that a component names under a `key`, read into `files`."""
    paths = {}
    for file_name in names:
        # Those of `os.path` answer for any text; a Path's own raise for ~nobody, links in a circle and endless names.
        path = Path(os.path.realpath(folder / os.path.expanduser(file_name)))  # noqa: PTH111
        hint = f"`{key}` names files from the suite file's own folder"
        if not os.path.exists(path):  # noqa: PTH110
            with contextlib.suppress(OSError):
                hint = "\n  ".join(filter(None, [hint, nearest(path.name, os.listdir(path.parent))]))  # noqa: PTH208
        if path not in files:
            files[path] = _read(path, title, hint)
        paths[file_name] = path
    return paths


def _read(file: Path, title: str, hint: str) -> bytes:
    try:
        mode = file.stat().st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            raise UserError(f"{title}: {file} is a pipe, a socket or a device: give a file\n  {hint}")
        return file.read_bytes()
    except OSError as error:
        raise UserError(f"{title}: cannot read {file}: {error.strerror}\n  {hint}") from error


def _checksum(modules: dict[str, Path], files: dict[Path, bytes], declared: dict[str, Path]) -> str:
    """SHA-256 (hexadecimal) of all files by the names the code knows them by, wherever they lie.

    Of a single file it is that file's own; an empty ``__init__.py`` says nothing.
    """
    texts = {module: files[path] for module, path in modules.items() if files[path].strip() or len(modules) == 1}
    if len(texts) == 1 and not declared:
        return hashlib.sha256(next(iter(texts.values()))).hexdigest()
    digests = [
        {name: hashlib.sha256(text).hexdigest() for name, text in sorted(group.items())}
        for group in (texts, {name: files[path] for name, path in declared.items()})
    ]
    return hashlib.sha256(canonical(digests).encode()).hexdigest()
