"""Which picture files does an image folder have, of which class?"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

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
        the parts; the message names it.
    """
    found: dict[str, dict[str, list[str]]] = {}
    for part in PARTS:
        folder = root / part
        if not folder.is_dir():
            raise _no_part(root, part)
        found[part] = {}
        for entry in _entries(folder):
            if entry.is_dir():
                found[part][entry.name] = list(_below(Path(entry.path), f"{part}/{entry.name}"))
            elif _suffix(entry.name) in SUFFIXES:
                raise UserError(f"{entry.path} is in no class: put it into a folder {part}/CLASS below {root}")
        if not found[part]:
            raise UserError(f"{folder} has no classes: put pictures into a folder per class, {part}/CLASS/FILE")
    _hold_together(root, found)
    classes = tuple(sorted(found["train"]))
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
            hint = nearest(name, set(found[part]) - set(found[other]))
            raise UserError(
                f"{root / part / name} {what}, so class {name!r} cannot be {purpose}{more}: "
                f"put pictures of it there, or take {other}/{name} away" + (f"\n  {hint}" if hint else "")
            )


def _below(folder: Path, name: str) -> Iterator[str]:
    for entry in _entries(folder):
        below = f"{name}/{entry.name}"
        if entry.is_dir():
            yield from _below(Path(entry.path), below)
        elif _suffix(entry.name) in SUFFIXES:
            yield below
        else:
            raise UserError(
                f"{entry.path} has no ending of a picture file (.png, .jpg, ...): take it out of the class's folder, "
                "or rename it to begin with a dot"
            )


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
    if not root.is_dir():
        what = "is a file, not a folder" if root.exists() else "does not exist"
        return UserError(f"{root} {what}; {layout}")
    inside = ", ".join(sorted(path.name for path in root.iterdir())[:6]) or "nothing"
    return UserError(f"{root} has no folder {part}/ (it holds {inside}); {layout}")
