"""The user's own networks: 'package.module:factory' or 'path/to/file.py:factory'.

Imports no torch: `source` is needed for a trial's key long before anything is trained.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
import traceback
from collections.abc import Callable
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

from bench.suite.errors import UserError, nearest


def is_user(name: str) -> bool:
    """Whether a model's name points to the user's own code; ours and timm's names have no colon."""
    return ":" in name


def source(name: str, base: Path | None = None) -> str | None:
    """SHA-256 (hexadecimal) of the file that defines a user's own factory, for the trial's key.

    Nothing of that file is run; for 'package.module:factory' the packages above it are imported, no more.

    Parameters
    ----------
    base : Path, optional
        The folder a relative path starts from (default: the current one).

    Returns
    -------
    str or None
        None for a model that is not the user's own.

    Raises
    ------
    UserError
        There is no such file or module, or it is not Python source.
    """
    if not is_user(name):
        return None
    return hashlib.sha256(_read(locate(name, base), name)).hexdigest()


def file_of(name: str, base: Path | None = None) -> Path | None:
    """The absolute file of a model given by its file; None for one given by its module, and for any other model."""
    return locate(name, base) if is_user(name) and _is_path(name.rpartition(":")[0]) else None


def locate(name: str, base: Path | None = None) -> Path:
    """The file that a user's own model comes from; the parameters and errors of `source`."""
    where, _, attribute = name.rpartition(":")
    if not where or not attribute:
        raise UserError(f"model {name!r}: expected 'package.module:factory' or 'path/to/file.py:factory'")
    if _is_path(where):
        return ((base or Path.cwd()) / where).resolve()
    try:
        spec = importlib.util.find_spec(where)
    except (Exception, SystemExit) as error:  # the packages above it run their own code
        raise UserError(f"model {name!r}: module {where!r} was not found: {describe(error)}{_on_path()}") from error
    if spec is None:
        raise UserError(f"model {name!r}: module {where!r} was not found{_on_path()}")
    if spec.origin is None or not spec.origin.endswith(".py"):
        raise UserError(f"model {name!r}: module {where!r} is no Python source file (found {spec.origin}); name one")
    return Path(spec.origin)


def load(name: str) -> Callable[..., Any]:
    """Import the user's file or module and return the factory named after the colon.

    Raises
    ------
    UserError
        No such file, module or factory, an import that fails, or something that cannot be called.
    """
    where, _, attribute = name.rpartition(":")
    file = locate(name)
    try:
        module = _run(file, name) if _is_path(where) else importlib.import_module(where)
    except UserError:
        raise
    except (Exception, SystemExit) as error:
        raise UserError(
            f"model {name!r} does not import: {describe(error)}{place(error, file)}\n  mend the file and try again"
        ) from error
    if attribute not in vars(module):
        names = [key for key, value in vars(module).items() if _is_factory(value, module)]
        there = f"it has {', '.join(names)}" if names else "it defines no function or class"
        hint = nearest(attribute, names)
        raise UserError(f"model {name!r}: {file} has no {attribute!r}; {there}" + (f"\n  {hint}" if hint else ""))
    factory = vars(module)[attribute]
    if not callable(factory):
        raise UserError(
            f"model {name!r}: {attribute!r} in {file} is of type {type(factory).__name__} and cannot be called; "
            "expected a function (input_shape, classes, **parameters) that returns an nn.Module"
        )
    return factory  # type: ignore[no-any-return]  # callable() narrows to a bare object that can be called


def describe(error: BaseException) -> str:
    """The exception's type and message in one line."""
    message = error.msg if isinstance(error, SyntaxError) else str(error)
    return f"{type(error).__name__}: {message}".replace("\n", " ").rstrip(": ")


def place(error: BaseException, file: Path | None) -> str:
    """`` (FILE, line N)`` for the last line of the user's `file` the error went through, '' when there is none.

    A package's ``__init__.py`` stands for the whole package.
    """
    if isinstance(error, SyntaxError) and error.filename:
        return f" ({error.filename}, line {error.lineno})"
    if file is None:
        return ""
    root = file.parent if file.name == "__init__.py" else file
    frames = [f for f in traceback.extract_tb(error.__traceback__) if Path(f.filename).is_relative_to(root)]
    return f" ({frames[-1].filename}, line {frames[-1].lineno})" if frames else ""


def _is_path(where: str) -> bool:
    return where.endswith(".py") or "/" in where or "\\" in where


def _on_path() -> str:
    return "\n  install its package or put its folder on PYTHONPATH, or give a file: 'path/to/file.py:factory'"


def _read(file: Path, name: str) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise UserError(
            f"model {name!r}: cannot read {file}: {error.strerror}\n  write the path from the suite file's own folder"
        ) from error


def _run(file: Path, name: str) -> ModuleType:
    code = _read(file, name)
    # Named after its content, so that a worker that serves many trials runs an edited file anew.
    module_name = f"bench_user_{hashlib.sha256(bytes(file) + b':' + code).hexdigest()[:16]}"
    if module_name in sys.modules:
        return sys.modules[module_name]
    loader = SourceFileLoader(module_name, str(file))
    spec = importlib.util.spec_from_loader(module_name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module  # dataclasses look their module up while it still runs
    try:
        # Not loader.exec_module: it may take a cached .pyc of another text that has the same size and second,
        # and the trial's key vouches for this text.
        exec(loader.source_to_code(code, str(file)), vars(module))
    except BaseException:
        del sys.modules[module_name]
        raise
    return module


def _is_factory(value: object, module: ModuleType) -> bool:
    return callable(value) and getattr(value, "__module__", None) == module.__name__
