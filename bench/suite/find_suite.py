"""Which suite file is meant? A path, or a suite that comes with the package."""

from __future__ import annotations

from pathlib import Path

import bench
from bench.errors import UserError, nearest


def suites_folder() -> Path:
    """Where the suite files that come with the package are: beside it in a checkout, inside it in a wheel."""
    package = Path(bench.__file__).parent
    return package / "suites" if (package / "suites").is_dir() else package.parent / "suites"


def shipped_suites() -> dict[str, Path]:
    """Name (``quick``, ``labs/regularization``) to file."""
    folder = suites_folder()
    return {p.relative_to(folder).with_suffix("").as_posix(): p for p in sorted(folder.rglob("*.yaml"))}


def find_suite(text: str) -> Path:
    """A path as given if it is there, else the shipped suite of that name."""
    path = Path(text)
    shipped = shipped_suites()
    name = path.as_posix().removeprefix("suites/").removesuffix(".yaml")
    if _exists(path) and not (path.is_dir() and text in shipped):  # a folder hides no shipped suite of its name
        return path
    if name in shipped:
        return shipped[name]
    names = ", ".join(shipped) or "none"
    message = f"{text}: there is no such suite file\n  suites that come with bench: {names}"
    raise UserError(f"{message}\n  {nearest(name, shipped)}".rstrip())


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name that no file system takes
        return False
