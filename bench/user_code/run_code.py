"""The user's own code is unpacked, imported and run; any component's implementation, called with its parameters.

What runs are the files that were read for the trial's key (`bench.user_code.read_code`), written to a folder of the
process's own: no edit reaches it, and what it does not hold is not there. What the code does wrong becomes one message.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import inspect
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from bench.components.arguments import accepted_types, misfits
from bench.components.base import Component
from bench.errors import UserError, nearest
from bench.user_code.component_code import ComponentCode, UserCode
from bench.user_code.read_code import FILES, WEIGHTS, is_provided, read, weights_files

_used: dict[str, tuple[ComponentCode, Path]] = {}
"""By a component's name: its code, and the folder it was unpacked to."""
_read_here: dict[str, contextlib.ExitStack] = {}
"""Of these, what `load` read itself, with what removes its folder."""

SYSTEM = tuple(map(Path, ("/proc", "/sys", "/dev", "/etc", "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/share")))
"""Files there are this machine's, not a component's, as are those of Python and its packages (`is_provided`)."""


@contextlib.contextmanager
def running(code: UserCode | ComponentCode) -> Iterator[None]:
    """`run_only` this code, unpacked for as long."""
    with unpacked(code) as folder:
        run_only(code, folder)
        yield


def run_only(code: UserCode | ComponentCode, folder: Path) -> None:
    """Let this process run code from the `folder` that it was unpacked to, and no other code of the user's.

    For a process that does nothing else before or after: its working folder, modules and state stay the code's.
    """
    for part in _parts(code):
        _read_here.pop(part.name, None)
    use(code, folder)
    _import_from_nowhere_else(code, folder)
    os.chdir(inside(folder, code.folder))
    if code.declared:
        watch_files(code)


@contextlib.contextmanager
def unpacked(code: UserCode | ComponentCode) -> Iterator[Path]:
    """A new folder with a component's files, each below it at the path that it had; gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="bench-code-", ignore_cleanup_errors=True) as name:
        folder = Path(name).resolve()
        for path in (code.folder, *code.roots):
            inside(folder, path).mkdir(parents=True, exist_ok=True)
        for path, content in code.files.items():
            target = inside(folder, path)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        yield folder


def use(code: UserCode | ComponentCode, folder: Path) -> None:
    """Import its modules from the `folder` that they were unpacked to, whatever was imported by their names.

    Modules of the codes that were used before are forgotten: this one may not import them without its key's knowledge.
    """
    parts = _parts(code)
    before = [used for _, used in _used.values()]
    for part in parts:
        _used.pop(part.name, None)
        _used[part.name] = part, folder
    local = [part for part in parts if not part.installed]
    tops = {module.partition(".")[0] for part in local for module in part.modules}
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in tops or _is_in(getattr(module, "__file__", None), before):
            del sys.modules[name]
    roots = list(dict.fromkeys(str(inside(folder, root)) for part in local for root in part.roots))
    sys.path[:] = [*roots, *(path for path in sys.path if path not in roots and not _is_in(path, before))]
    importlib.invalidate_caches()


def _parts(code: UserCode | ComponentCode) -> tuple[ComponentCode, ...]:
    return code.parts if isinstance(code, UserCode) else (code,)


def _is_in(path: str | None, folders: list[Path]) -> bool:
    return bool(path) and any(Path(str(path)).is_relative_to(folder) for folder in folders)


def _import_from_nowhere_else(code: UserCode | ComponentCode, folder: Path) -> None:
    """Take the user's folders off the path: what is imported from there by another way than a statement is in no key.

    The component's own, Python's and its packages' stay; bench is imported already. So does the folder of an installed
    component's package, which Ray puts elsewhere on other machines.
    """
    kept_folders = [folder]
    tops = {part.module.partition(".")[0] for part in _parts(code) if part.installed}
    for spec in filter(None, map(importlib.util.find_spec, tops)):
        kept_folders += [
            Path(location).resolve().parent for location in spec.submodule_search_locations or [spec.origin or ""]
        ]
    paths = {path_entry: Path(path_entry).resolve() for path_entry in sys.path if Path(path_entry).is_absolute()}
    sys.path[:] = [
        path_entry
        for path_entry, path in paths.items()
        if is_provided(path) or any(path.is_relative_to(root) for root in kept_folders)
    ]
    # Installed with `pip install --editable`, a user's folder may have a finder of its own.
    sys.meta_path[:] = [f for f in sys.meta_path if not getattr(f, "__module__", "").startswith("__editable__")]
    importlib.invalidate_caches()


def cannot_unpack(error: OSError) -> str:
    """What to tell of an error of `unpacked`."""
    return (
        f"cannot write its code to a temporary folder: {error.strerror or error} ({error.filename or 'no folder'})\n"
        "  free some space there, or let TMPDIR name another folder"
    )


def inside(folder: Path, path: Path) -> Path:
    """Where a file of the user's lies in the folder that its code was unpacked to."""
    return folder / path.relative_to(path.anchor)


def with_unpacked_weights(name: str, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    """A timm model's parameters, the file of its weights named where this process was given it by `use`."""
    files = weights_files(parameters)
    if name not in _used or not files:
        return parameters
    code, folder = _used[name]
    paths = {file: str(inside(folder, path)) for file, path in zip(files, code.declared, strict=True)}
    return {
        key: {**value, "file": paths[str(value["file"])]}
        if key in WEIGHTS and isinstance(value, dict) and value.get("file")
        else value
        for key, value in parameters.items()
    }


def load(name: str, axis: str = "model", folder: Path | None = None) -> Callable[..., Any]:
    """Import a component's code and return the factory named after the colon.

    It is the code that this process was given by `use`; without such it is read now, from `folder` or the current one,
    and imported anew every time.

    Raises
    ------
    UserError
        No such file, module or factory, an import that fails, or something that cannot be called.
    """
    if name not in _used or name in _read_here:
        code = read({"name": name}, folder, axis)
        if code is None:
            raise UserError(f"{axis} {name!r}: expected 'package.module:factory' or 'path/to/file.py:factory'")
        if name in _read_here:
            _read_here.pop(name).close()
        stack = contextlib.ExitStack()
        use(code, stack.enter_context(unpacked(code)))
        _read_here[name] = stack
    code, unpacked_to = _used[name]
    if unpacked_to != next(reversed(_used.values()))[1]:
        use(code, unpacked_to)
    try:
        module = _imported(code, unpacked_to)
    except UserError:
        raise
    except (Exception, SystemExit) as error:
        location = code_frame(error, name)
        raise UserError(
            f"{code.title} does not import: {describe(error)}{location}\n  correct the file and try again"
        ) from error
    attribute = name.rpartition(":")[2]
    if attribute not in vars(module):
        names = [key for key, value in vars(module).items() if _is_factory(value, module)]
        what_it_has = f"it has {', '.join(names)}" if names else "it defines no function or class"
        hint = nearest(attribute, names)
        raise UserError(
            f"{code.title}: {code.file} has no {attribute!r}; {what_it_has}" + (f"\n  {hint}" if hint else "")
        )
    factory = vars(module)[attribute]
    if not callable(factory):
        raise UserError(
            f"{code.title}: {attribute!r} in {code.file} is of type {type(factory).__name__} and cannot be called; "
            + (
                "expected a function (input_shape, classes, **parameters) that returns an nn.Module"
                if axis == "model"
                else "expected a function or a class (docs/extending.md)"
            )
        )
    return factory  # type: ignore[no-any-return]  # callable() narrows to a bare object that can be called


def describe(error: BaseException) -> str:
    """The exception's type and message in one line."""
    message = error.msg if isinstance(error, SyntaxError) else str(error)
    return as_written(f"{type(error).__name__}: {message}".replace("\n", " ").rstrip(": "))


def code_frame(error: BaseException, name: str) -> str:
    """`` (FILE, line N)`` for the last line of the user's own code that the error went through, '' without one.

    Where a file or a module is missing, how to let the code have it.
    """
    code, folder = _used[name]
    advice = ""
    if isinstance(error, FileNotFoundError | ModuleNotFoundError) and not code.installed and code.axis != "metric":
        advice = (
            "\n  its code has the files that its key holds: the modules that it imports by import statements, and what "
            f"the component names: {{name: {name!r}, {FILES}: [...]}}"
        )
    if isinstance(error, SyntaxError) and error.filename:
        return f" ({as_written(error.filename)}, line {error.lineno})"
    root = folder
    if code.installed:
        root = code.file.parent if code.file.name == "__init__.py" else code.file
    frames = [f for f in traceback.extract_tb(error.__traceback__) if Path(f.filename).is_relative_to(root)]
    return (f" ({as_written(frames[-1].filename)}, line {frames[-1].lineno})" if frames else "") + advice


def as_written(text: str) -> str:
    """A message or a traceback with the files of unpacked code named as the user knows them."""
    for _, folder in _used.values():
        text = text.replace(str(folder), "")
    return text


def watch_files(code: UserCode | ComponentCode) -> Callable[[], list[Path]]:
    """From now on see which files this process opens to read; refuse a declared one that changed since it was read.

    Python cannot be told to stop this, so it is for a process that is over soon. Files that are opened by libraries
    below Python are not seen.

    Returns
    -------
    callable
        The files opened until then that belong neither to the code nor to Python, its packages or the system.
    """
    opened: dict[Path, None] = {}
    written: set[Path] = set()
    looking = False

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal looking
        if event != "open" or looking or not isinstance(arguments[0], str | bytes):
            return
        path = Path(os.path.abspath(os.fsdecode(arguments[0])))  # noqa: PTH100 -- no look at the disk
        if arguments[2] & (os.O_WRONLY | os.O_RDWR):
            written.add(path)
            return
        looking = True
        try:
            if path in code.declared and path.is_file() and path.read_bytes() != code.files[path]:
                raise UserError(f"{code.title}: {path} has changed since the trial's key was made of it")
        finally:
            looking = False
        opened[path] = None

    def unexpected_files() -> list[Path]:
        unpacked_folders = [folder for _, folder in _used.values()]
        paths = {_source_of(path): None for path in opened.keys() - written}
        return [
            path
            for path in sorted(paths)
            if path.is_file()
            and path not in code.files
            and not is_provided(path.resolve())
            and not any(path.is_relative_to(folder) for folder in (*SYSTEM, *unpacked_folders))
        ]

    sys.addaudithook(hook)
    return unexpected_files


def _source_of(path: Path) -> Path:
    """Of a module's cached bytecode the module."""
    if path.suffix != ".pyc":
        return path
    try:
        return Path(importlib.util.source_from_cache(str(path)))
    except ValueError:
        return path


def _imported(code: ComponentCode, folder: Path) -> ModuleType:
    if code.installed:
        module = importlib.import_module(code.module)
        _check_installed(code)
        return module
    file = inside(folder, code.file)
    if code.module in sys.modules:
        return sys.modules[code.module]
    if file.stem == code.module.rpartition(".")[2] or file.name == "__init__.py":
        return importlib.import_module(code.module)
    spec = importlib.util.spec_from_file_location(code.module, file)  # its name is none that Python could import
    assert spec is not None and spec.loader is not None
    module = sys.modules[code.module] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[code.module]
        raise
    return module


def _check_installed(code: ComponentCode) -> None:
    """UserError where a package's modules are not what the trial's key was made of."""
    for name, path in code.modules.items():
        module = sys.modules.get(name)
        file = Path(getattr(module, "__file__", None) or path)
        if not file.is_file() or file.read_bytes() != code.files[path]:
            raise UserError(
                f"{code.title}: {file} is not what the trial's key was made of: another version of its package "
                "was installed meanwhile, or is installed here"
            )


def _is_factory(value: object, module: ModuleType) -> bool:
    return callable(value) and getattr(value, "__module__", None) == module.__name__


def implementation(component: Component) -> Callable[..., Any]:
    """The function or class that carries a component out; UserError where the user's own cannot be imported."""
    if component.user_code is None:
        return component.load()  # type: ignore[no-any-return]
    return load(component.user_code, component.axis)


def call_component(component: Component, *arguments: Any, **parameters: Any) -> Any:
    """What the implementation returns for these positional arguments and keyword parameters.

    Raises
    ------
    UserError
        It does not take these parameters, their types do not fit, or it raises an exception; with the line of the
        user's own code.
    """
    title = f"{component.axis} {component.name!r}"
    function = implementation(component)
    check_parameters(component, function, arguments, parameters)
    try:
        return function(*arguments, **parameters)
    except UserError:
        raise
    except (Exception, SystemExit) as error:
        called = ""
        if isinstance(error, TypeError) and component.user_code and component.axis == "model":
            called = f"\n  it was called with ({', '.join(map(str, arguments))}, ...)"
        raise UserError(
            f"{title} cannot be built: {describe(error)}{code_location(component, error)}{called}"
        ) from error


def check_parameters(
    component: Component, function: Callable[..., Any], arguments: tuple[Any, ...], parameters: Mapping[str, Any]
) -> None:
    """UserError where a function does not take these parameters, or where their types do not fit."""
    title = f"{component.axis} {component.name!r}"
    try:
        signature = inspect.signature(function)
    except ValueError:  # of some classes that are written in C
        return
    try:
        signature.bind(*arguments, **parameters)
    except TypeError as error:
        kinds = inspect.Parameter
        named = [
            p for p in signature.parameters.values() if p.kind in (kinds.POSITIONAL_OR_KEYWORD, kinds.KEYWORD_ONLY)
        ]
        positional = [p for p in named if p.kind is kinds.POSITIONAL_OR_KEYWORD][: len(arguments)]
        allowed = [p.name for p in named if p not in positional]
        message = f"{title}: {error}; its parameters are {', '.join(allowed) or 'none'}"
        hints = [nearest(key, allowed) for key in parameters if key not in allowed]
        raise UserError("\n  ".join([message, *(hint for hint in hints if hint)])) from error
    if component.user_code and (wrong := misfits(parameters, accepted_types(function))):
        more = "\n  the parameter's annotation in the factory, else its default, says what it takes"
        raise UserError(f"{title}: {wrong}{more}")


def code_location(component: Component, error: BaseException) -> str:
    """`` (FILE, line N)`` of the user's own code that an error went through; '' for any other component."""
    return code_frame(error, component.user_code) if component.user_code else ""
