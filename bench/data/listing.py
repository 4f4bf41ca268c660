"""Which picture files does an image folder have, of which class?"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.data import class_names
from bench.suite.characters import escaped_line
from bench.suite.errors import UserError, nearest

PARTS = ("train", "test")

_KINDS = "png jpg jpeg jpe jfif bmp dib gif webp tif tiff pgm ppm pbm pnm tga jp2 avif"
SUFFIXES = frozenset(f".{kind}" for kind in _KINDS.split())
"""Endings of picture files; another file in a class's folder is an error, not a picture silently left out."""

_LITTER = frozenset(("thumbs.db", "desktop.ini"))


@dataclass(frozen=True)
class Listing:
    """The picture files of a folder, sorted by name: which they are, and their class numbers."""

    root: Path
    classes: tuple[str, ...]
    names: dict[str, list[str]]
    """`train` and `test` to paths below `root`, with forward slashes."""
    labels: dict[str, list[int]]

    @property
    def all_names(self) -> list[str]:
        return [name for part in PARTS for name in self.names[part]]


def list_pictures(root: Path) -> Listing:
    """List ``train/CLASS/FILE`` and ``test/CLASS/FILE`` below a folder, sub-folders of a class included.

    Classes are the folders' names, sorted. Files and folders whose names begin with a dot are passed over.

    Raises
    ------
    UserError
        A folder is missing or cannot be read, a file is in no class or no picture, a class has no pictures in one of
        the parts, a class's name cannot be shown, a folder is reached twice; the message names it.
    """
    found: dict[str, dict[str, list[str]]] = {}
    for part in PARTS:
        folder = root / part
        if not os.path.isdir(folder):  # noqa: PTH112 (a Path's own raises where a folder above cannot be read)
            raise _no_part(root, part)
        found[part] = {}
        visited: dict[tuple[int, int], str] = {}
        for entry in _entries(folder):
            if _is_folder(entry):
                class_names.check_names([entry.name], str(folder))
                found[part][entry.name] = list(_below(Path(entry.path), f"{part}/{entry.name}", visited))
            elif _suffix(entry.name) in SUFFIXES:
                raise UserError(f"{entry.path} is in no class: put it into a folder {part}/CLASS below {root}")
        if not found[part]:
            raise UserError(f"{folder} has no classes: put pictures into a folder per class, {part}/CLASS/FILE")
    _hold_together(root, found)
    classes = tuple(sorted(found["train"]))
    class_names.check_names(classes, str(root))
    return Listing(
        root,
        classes,
        {part: [name for label in classes for name in found[part][label]] for part in PARTS},
        {part: [number for number, label in enumerate(classes) for _ in found[part][label]] for part in PARTS},
    )


def _hold_together(root: Path, found: dict[str, dict[str, list[str]]]) -> None:
    """Every class has pictures to learn from and pictures to be tested on."""
    names = set(found["train"]) | set(found["test"])
    if len(names) < 2:
        raise UserError(f"{root} has one class, {next(iter(names))!r}: there is nothing to tell apart")
    for part, purpose in (("train", "learned"), ("test", "tested")):
        lacking = [name for name in sorted(names) if not found[part].get(name)]
        if lacking:
            name = lacking[0]
            what = "is empty" if name in found[part] else "does not exist"
            more = f" (nor can {', '.join(lacking[1:])})" if len(lacking) > 1 else ""
            other = next(other for other in PARTS if other != part)
            fill = [f"{each}/{name}" for each in PARTS if not found[each].get(name)]
            remove = [f"{each}/{name}" for each in PARTS if name in found[each]]  # only what is there
            hint = nearest(name, set(found[part]) - set(found[other]) - {name})
            raise UserError(
                f"{root / part / name} {what}, so class {name!r} cannot be {purpose}{more}: put pictures of it into "
                f"{' and '.join(fill)}, or remove {' and '.join(remove)}" + (f"\n  {hint}" if hint else "")
            )


def _below(top: Path, name: str, visited: dict[tuple[int, int], str]) -> Iterator[str]:
    """The pictures in a class's folder, depth first; `visited` are the folders of this part that were entered before.

    Symbolic links are followed, but none into a folder for the second time: its pictures would count twice, and a
    link to a folder above itself would lead on for ever.
    """
    stack = [_entered(top, name, visited)]
    while stack:
        below, entries = stack[-1]
        entry = next(entries, None)
        if entry is None:
            stack.pop()
            continue
        path = f"{below}/{entry.name}"
        if _is_folder(entry):
            stack.append(_entered(Path(entry.path), path, visited))
        elif _suffix(entry.name) not in SUFFIXES:
            raise UserError(
                f"{entry.path} has no ending of a picture file (.png, .jpg, ...): take it out of the class's folder, "
                "or rename it to begin with a dot"
            )
        elif not _is_file(entry):
            raise UserError(
                f"{entry.path} is no file: a pipe, a socket, a device, or a link that leads nowhere; remove it"
            )
        else:
            yield path


def _entered(folder: Path, name: str, visited: dict[tuple[int, int], str]) -> tuple[str, Iterator[os.DirEntry[str]]]:
    entries = iter(_entries(folder))
    found = folder.stat()
    before = visited.setdefault((found.st_dev, found.st_ino), name)
    if before != name:
        raise UserError(
            f"{folder} is the folder {before} again, by a symbolic link, and its pictures would count twice: "
            "remove the link"
        )
    return name, entries


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError as error:
        raise UserError(f"{entry.path} cannot be read: {error.strerror or error}") from error


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError as error:
        raise UserError(f"{entry.path} cannot be read: {error.strerror or error}") from error


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """What is in a folder, by name: the order of a file system is another one on every machine."""
    try:
        with os.scandir(folder) as found:
            entries = [e for e in found if not e.name.startswith(".") and e.name.lower() not in _LITTER]
    except OSError as error:
        raise UserError(f"{folder} cannot be read: {error.strerror or error}") from error
    return sorted(entries, key=lambda entry: entry.name)


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower()  # noqa: PTH122 (60,000 names: a Path each takes ten times as long)


def _no_part(root: Path, part: str) -> UserError:
    layout = "an image folder has train/CLASS/FILE and test/CLASS/FILE"
    try:
        inside = ", ".join(sorted(escaped_line(path.name) for path in root.iterdir())[:6]) or "nothing"
    except NotADirectoryError:
        return UserError(f"{root} is a file, not a folder; {layout}")
    except FileNotFoundError:
        return UserError(f"{root} does not exist; {layout}")
    except OSError as error:
        return UserError(f"{root} cannot be read: {error.strerror or error}; {layout}")
    return UserError(f"{root} has no folder {part}/ (it holds {inside}); {layout}")
