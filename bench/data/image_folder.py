"""The user's own images: a folder of files, decoded once and saved as arrays in the user cache."""

from __future__ import annotations

import hashlib
import json
import math
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.arrays import MAX_MEMORY_FRACTION
from bench.data import catalogue
from bench.data.local_files import checksum, combined, correct, read, user_cache
from bench.data.npz import SourceArrays
from bench.errors import UserError, escaped_line, nearest
from bench.jsonutil import JsonObject
from bench.system import memory

PARTS = ("train", "test")

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
    """`train` and `test` to paths below `root`, with forward slashes."""
    labels: dict[str, list[int]]

    @property
    def all_names(self) -> list[str]:
        return [name for part in PARTS for name in self.names[part]]


def list_images(root: Path) -> ImageListing:
    """List ``train/CLASS/FILE`` and ``test/CLASS/FILE`` below a folder, sub-folders of a class included.

    Classes are the folders' names, sorted. Files and folders whose names begin with a dot are passed over.

    Raises
    ------
    UserError
        A folder is missing or cannot be read, a file is in no class or no image, a class has no images in one of
        the parts, a class's name cannot be shown, a folder is reached twice; the message names it.
    """
    images: dict[str, dict[str, list[str]]] = {}
    for part in PARTS:
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
        {part: [name for label in classes for name in images[part][label]] for part in PARTS},
        {part: [number for number, label in enumerate(classes) for _ in images[part][label]] for part in PARTS},
    )


def _hold_together(root: Path, images: dict[str, dict[str, list[str]]]) -> None:
    """Every class has images to learn from and images to be tested on."""
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

DECODER = 2
"""Raised whenever the same image would be decoded to other pixels than before."""

DIGESTS = "sha256.json"
"""The checksums of the arrays in a folder of the cache, next to them."""


def fingerprint(path: Path) -> str:
    """SHA-256 (hex) over the names and contents of a folder's images; errors as in `list_images`."""
    listing = list_images(path)
    return checksum(listing.root, listing.all_names)


def train_labels(path: Path) -> NDArray[np.int64]:
    """The class numbers of the training part, in the order that `load` has them; errors as in `list_images`."""
    return _labels(list_images(path), "train")


def load(component: JsonObject, notify: Callable[[str], None]) -> SourceArrays:
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
    sha256 = checksum(listing.root, listing.all_names)
    names = {part: [listing.names[part][i] for i in _order(len(listing.names[part]))] for part in PARTS}
    folder = user_cache() / "decoded" / _cache_name(sha256, component)
    pixels = _cached(folder, listing)
    if pixels is None:
        notify(f"{listing.root}: reading {len(listing.all_names):,} images")
        pixels = _decoded(listing.root, names, component, sha256)
        if _keep(pixels, folder):
            notify(f"{listing.root}: saved as arrays in {folder}")
            pixels = _cached(folder, listing) or pixels
    return {
        "classes": listing.classes,
        "train_images": pixels["train"],
        "train_labels": _labels(listing, "train"),
        "test_images": pixels["test"],
        "test_labels": _labels(listing, "test"),
        "sha256": sha256,
        "source": listing.root,
    }


def _labels(listing: ImageListing, part: str) -> NDArray[np.int64]:
    labels = np.array(listing.labels[part], dtype=np.int64)[_order(len(listing.labels[part]))]
    labels.flags.writeable = False
    return labels


def _order(count: int) -> NDArray[np.int64]:
    """A permutation from `numpy.random.RandomState`, whose stream NumPy keeps frozen (NEP 19)."""
    return np.random.RandomState(ORDER_SEED).permutation(count).astype(np.int64)


def _decoded(
    root: Path, names: dict[str, list[str]], component: JsonObject, sha256: str
) -> dict[str, NDArray[np.uint8]]:
    """Pixels of each part, grey where the component says so, or where it says nothing and every image is grey."""
    from bench.data.image_file import ColourError

    if component.get("channels") is not None:
        return _decode_all(root, names, component, component["channels"], False, sha256)
    try:
        return _decode_all(root, names, component, 1, True, sha256)
    except ColourError:
        return _decode_all(root, names, component, 3, False, sha256)


def _decode_all(
    root: Path, names: dict[str, list[str]], component: JsonObject, channels: int, strict: bool, sha256: str
) -> dict[str, NDArray[np.uint8]]:
    """Every image decoded; with `strict`, ColourError at the first that has colour."""
    from bench.data.image_file import decode

    count = sum(map(len, names.values()))
    size = (component["size"][0], component["size"][1]) if component.get("size") else None
    if size is not None:  # before the first image is made that large
        _fits(root, count, (channels, *size))
    pixels: dict[str, NDArray[np.uint8]] = {}
    digests = []
    first: tuple[str, tuple[int, ...]] | None = None
    for part in PARTS:
        for i, name in enumerate(names[part]):
            data = read(root / name)
            digests.append((name, hashlib.sha256(data).hexdigest()))
            try:
                image = decode(data, channels, size, strict)
            except ValueError as error:
                raise UserError(
                    f"{root / name} cannot be read as an image: {error}\n  mend or remove the file"
                ) from error
            if first is None:
                first = name, image.shape
                _fits(root, count, image.shape)
            if image.shape != first[1]:
                raise _odd_one(root, name, image.shape, *first)
            if i == 0:
                pixels[part] = np.empty((len(names[part]), *image.shape), dtype=np.uint8)
            pixels[part][i] = image
    checksum_read = combined(digests)
    if checksum_read != sha256:
        correct(root, checksum_read)
        raise UserError(f"{root}: its files changed while they were read; run the command again")
    return pixels


def _fits(root: Path, count: int, shape: tuple[int, ...]) -> None:
    needed = count * math.prod(shape)
    available = memory()
    if needed > MAX_MEMORY_FRACTION * available:
        raise UserError(
            f"{root}: {count:,} images of {shape[1]} x {shape[2]} take {needed / 2**30:.1f} GiB, more than half of "
            f"the {available / 2**30:.1f} GiB that this machine or container has; "
            "have them made smaller with `size: [HEIGHT, WIDTH]`"
        )


def _odd_one(root: Path, name: str, shape: tuple[int, ...], first: str, expected: tuple[int, ...]) -> UserError:
    return UserError(
        f"{root / name} is {shape[1]} x {shape[2]} (height x width), while {first} is {expected[1]} x {expected[2]}: "
        f"make them one size, or have all resized with `size: [{expected[1]}, {expected[2]}]`"
    )


def _cache_name(sha256: str, component: JsonObject) -> str:
    """Named after all that tells the pixels: contents, size, channels and the decoder's version."""
    import PIL

    height, width = component.get("size") or ("own", "size")
    decoder = f"pillow-{PIL.__version__}-{DECODER}"
    return f"{sha256[:32]}-{height}-{width}-{component.get('channels') or 'own'}-{decoder}-{ORDER_SEED}"


def _cached(folder: Path, listing: ImageListing) -> dict[str, NDArray[np.uint8]] | None:
    """Pixels of an earlier time, mapped; None where there are none, not all, or others than were written."""
    arrays = {}
    try:
        digests = json.loads((folder / DIGESTS).read_text())
        for part in PARTS:
            array = np.load(folder / f"{part}.npy", mmap_mode="r", allow_pickle=False)
            if array.dtype != np.uint8 or array.ndim != 4 or len(array) != len(listing.names[part]):
                return None
            arrays[part] = np.asarray(array)  # a plain array, which pickles without being copied first
            if _digest(arrays[part]) != digests[part]:
                return None
    except (OSError, ValueError, EOFError, KeyError, TypeError):
        return None
    return arrays


def _digest(pixels: NDArray[np.uint8]) -> str:
    """SHA-256 (hex) over the shape and the values."""
    hasher = hashlib.sha256(str(pixels.shape).encode())
    hasher.update(np.ascontiguousarray(pixels).data)
    return hasher.hexdigest()


def _keep(pixels: dict[str, NDArray[np.uint8]], folder: Path) -> bool:
    """Put both arrays into place at once; False where the cache cannot be written to, which costs time only."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".", dir=folder.parent, ignore_cleanup_errors=True) as temporary:
            fresh = Path(temporary, "arrays")
            fresh.mkdir()
            for part, array in pixels.items():
                np.save(fresh / f"{part}.npy", array, allow_pickle=False)
            (fresh / DIGESTS).write_text(json.dumps({part: _digest(array) for part, array in pixels.items()}))
            try:
                fresh.rename(folder)
            except OSError:  # an incomplete or damaged one, or another process was faster
                for path in fresh.iterdir():
                    path.replace(folder / path.name)
    except OSError:
        return False
    return True
