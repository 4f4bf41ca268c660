"""The user's own images: a folder of files, decoded once and saved as arrays in the user cache."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from bench.data import catalogue
from bench.data.decoded import (
    ImagePart,
    Notify,
    cache_folder,
    decode_parts,
    recall,
    save,
)
from bench.data.local_files import SourceFiles, combined, correct, read
from bench.data.npz import SourceArrays
from bench.data.prepare import Labels
from bench.errors import UserError, escaped_line, nearest
from bench.jsonutil import JsonObject

PARTS = ("train", "test")
VALIDATION = "val"
"""The folder of a validation part, which may be missing."""

_KINDS = "png jpg jpeg jpe jfif bmp dib gif webp tif tiff pgm ppm pbm pnm tga jp2 avif"
SUFFIXES = frozenset(f".{kind}" for kind in _KINDS.split())
"""Endings of image files; another file in a class's folder is an error, not an image silently left out."""

_LITTER = frozenset(("thumbs.db", "desktop.ini"))


@dataclass(frozen=True)
class ImageListing:
    """The image files of a folder, sorted by name: which they are, and their class numbers."""

    root: Path
    classes: tuple[str, ...]
    names: dict[str, list[str]]
    """`train`, perhaps `val`, and `test` to paths below `root`, with forward slashes."""
    labels: dict[str, list[int]]

    @property
    def files(self) -> SourceFiles:
        return SourceFiles(self.root, tuple(name for names in self.names.values() for name in names))


def list_images(root: Path) -> ImageListing:
    """List ``train/CLASS/FILE``, ``test/CLASS/FILE`` and perhaps ``val/CLASS/FILE``, sub-folders of a class included.

    Classes are the folders' names, sorted. Files and folders whose names begin with a dot are passed over.

    Raises
    ------
    UserError
        A folder is missing or cannot be read, a file is in no class or no image, a class has no images in one of
        the parts, a class's name cannot be shown, a folder is reached twice; the message names it.
    """
    images: dict[str, dict[str, list[str]]] = {}
    parts = [part for part in ("train", VALIDATION, "test") if part in PARTS or os.path.isdir(root / part)]  # noqa: PTH112
    for part in parts:
        folder = root / part
        if not os.path.isdir(folder):  # noqa: PTH112 (a Path's own raises where a folder above cannot be read)
            raise _no_part(root, part)
        images[part] = {}
        visited: dict[tuple[int, int], str] = {}
        for item in _entries(folder):
            if _is_folder(item):
                catalogue.check_names([item.name], str(folder))
                images[part][item.name] = list(_below(Path(item.path), f"{part}/{item.name}", visited))
            elif _suffix(item.name) in SUFFIXES:
                raise UserError(f"{item.path} is in no class: put it into a folder {part}/CLASS below {root}")
        if not images[part]:
            raise UserError(f"{folder} has no classes: put images into a folder per class, {part}/CLASS/FILE")
    _hold_together(root, images)
    classes = tuple(sorted(images["train"]))
    catalogue.check_names(classes, str(root))
    return ImageListing(
        root,
        classes,
        {part: [name for label in classes for name in images[part].get(label, ())] for part in parts},
        {part: [number for number, label in enumerate(classes) for _ in images[part].get(label, ())] for part in parts},
    )


def _hold_together(root: Path, images: dict[str, dict[str, list[str]]]) -> None:
    """Every class has images to learn from and images to be tested on."""
    unknown = sorted(set(images.get(VALIDATION, ())) - set(images["train"]))
    if unknown:
        raise UserError(
            f"{root / VALIDATION / unknown[0]}: there is no class {unknown[0]!r} to learn: "
            f"put images of it into train/{unknown[0]}, or remove {VALIDATION}/{unknown[0]}"
        )
    names = set(images["train"]) | set(images["test"])
    if len(names) < 2:
        raise UserError(f"{root} has one class, {next(iter(names))!r}: there is nothing to tell apart")
    for part, purpose in (("train", "learned"), ("test", "tested")):
        lacking = [name for name in sorted(names) if not images[part].get(name)]
        if lacking:
            name = lacking[0]
            what = "is empty" if name in images[part] else "does not exist"
            more = f" (nor can {', '.join(lacking[1:])})" if len(lacking) > 1 else ""
            other = next(other for other in PARTS if other != part)
            fill = [f"{each}/{name}" for each in PARTS if not images[each].get(name)]
            remove = [f"{each}/{name}" for each in PARTS if name in images[each]]  # only what is there
            hint = nearest(name, set(images[part]) - set(images[other]) - {name})
            raise UserError(
                f"{root / part / name} {what}, so class {name!r} cannot be {purpose}{more}: put images of it into "
                f"{' and '.join(fill)}, or remove {' and '.join(remove)}" + (f"\n  {hint}" if hint else "")
            )


def _below(top: Path, name: str, visited: dict[tuple[int, int], str]) -> Iterator[str]:
    """The images in a class's folder, depth first; `visited` are the folders of this part that were entered before.

    Symbolic links are followed, but none into a folder for the second time: its images would count twice, and a
    link to a folder above itself would lead on for ever.
    """
    stack = [_entered(top, name, visited)]
    while stack:
        below, items = stack[-1]
        item = next(items, None)
        if item is None:
            stack.pop()
            continue
        path = f"{below}/{item.name}"
        if _is_folder(item):
            stack.append(_entered(Path(item.path), path, visited))
        elif _suffix(item.name) not in SUFFIXES:
            raise UserError(
                f"{item.path} has no ending of an image file (.png, .jpg, ...): take it out of the class's folder, "
                "or rename it to begin with a dot"
            )
        elif not _is_file(item):
            raise UserError(
                f"{item.path} is no file: a pipe, a socket, a device, or a link that leads nowhere; remove it"
            )
        else:
            yield path


def _entered(folder: Path, name: str, visited: dict[tuple[int, int], str]) -> tuple[str, Iterator[os.DirEntry[str]]]:
    items = iter(_entries(folder))
    status = folder.stat()
    first_path = visited.setdefault((status.st_dev, status.st_ino), name)
    if first_path != name:
        raise UserError(
            f"{folder} is the folder {first_path} again, by a symbolic link, and its images would count twice: "
            "remove the link"
        )
    return name, items


def _is_folder(item: os.DirEntry[str]) -> bool:
    try:
        return item.is_dir()
    except OSError as error:
        raise UserError(f"{item.path} cannot be read: {error.strerror or error}") from error


def _is_file(item: os.DirEntry[str]) -> bool:
    try:
        return item.is_file()
    except OSError as error:
        raise UserError(f"{item.path} cannot be read: {error.strerror or error}") from error


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """What is in a folder, by name: the order of a file system is another one on every machine."""
    try:
        with os.scandir(folder) as scanned:
            items = [e for e in scanned if not e.name.startswith(".") and e.name.lower() not in _LITTER]
    except OSError as error:
        raise UserError(f"{folder} cannot be read: {error.strerror or error}") from error
    return sorted(items, key=lambda item: item.name)


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


ORDER_SEED = 0
"""Files come sorted by class; this seed mixes them, the same way on every machine for ever."""


def fingerprint(component: JsonObject) -> str:
    """SHA-256 (hex) over the names and contents of a folder's images; errors as in `list_images`."""
    return source_files(component).checksum


def source_files(component: JsonObject) -> SourceFiles:
    """The images; errors as in `list_images`."""
    return list_images(Path(component["path"])).files


def labels(component: JsonObject, _: Notify) -> Labels:
    """The class numbers, in the order that `load` has them; errors as in `list_images`."""
    listing = list_images(Path(component["path"]))
    return Labels(_labels(listing, "train"), _labels(listing, "val") if "val" in listing.names else None)


def load(component: JsonObject, notify: Notify) -> SourceArrays:
    """The fields of a `Dataset`, from the folder `component["path"]` (`size` and `channels` as in a suite file).

    Each part is in a fixed, mixed order. Pixels that were decoded before are mapped from the user cache, and held
    against the checksum that was written with them.

    Raises
    ------
    UserError
        What `list_images` refuses; an image that cannot be read or has another size than the others; more pixels
        than there is memory for; a file that changes meanwhile.
    """
    listing = list_images(Path(component["path"]))
    sha256 = listing.files.checksum
    height, width = component.get("size") or ("own", "size")
    folder = cache_folder(sha256, height, width, component.get("channels") or "own", ORDER_SEED)
    pixels = recall(folder)
    if pixels is None:
        notify(f"{listing.root}: reading {len(listing.files.names):,} images")
        pixels = _decoded(listing, component, sha256)
        if save(pixels, folder):
            notify(f"{listing.root}: saved as arrays in {folder}")
            pixels = recall(folder) or pixels
    fields = {
        "classes": listing.classes,
        **{f"{part}_images": pixels[part] for part in listing.names},
        **{f"{part}_labels": _labels(listing, part) for part in listing.names},
        "sha256": sha256,
        "source": listing.root,
    }
    return cast(SourceArrays, fields)


def _labels(listing: ImageListing, part: str) -> NDArray[np.int64]:
    labels = np.array(listing.labels[part], dtype=np.int64)[_order(len(listing.labels[part]))]
    labels.flags.writeable = False
    return labels


def _order(count: int) -> NDArray[np.int64]:
    """A permutation from `numpy.random.RandomState`, whose stream NumPy keeps frozen (NEP 19)."""
    return np.random.RandomState(ORDER_SEED).permutation(count).astype(np.int64)


def _decoded(listing: ImageListing, component: JsonObject, sha256: str) -> dict[str, NDArray[Any]]:
    """Pixels of each part; UserError where the files are not those of the checksum."""
    digests: dict[str, str] = {}

    def files(part: str) -> Iterator[tuple[str, bytes, None]]:
        names = listing.names[part]
        for i in _order(len(names)):
            path = listing.root / names[i]
            data = read(path)
            digests[names[i]] = hashlib.sha256(data).hexdigest()
            yield str(path), data, None

    parts = {part: ImagePart(len(names), partial(files, part)) for part, names in listing.names.items()}
    size = (component["size"][0], component["size"][1]) if component.get("size") else None
    decoded = decode_parts(str(listing.root), parts, size, component.get("channels"))
    checksum_read = combined(digests.items())
    if checksum_read != sha256:
        correct(listing.root, checksum_read)
        raise UserError(f"{listing.root}: its files changed while they were read; run the command again")
    return {part: pixels for part, (pixels, _) in decoded.items()}
