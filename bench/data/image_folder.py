"""The user's own pictures: a folder of files, decoded once and kept as arrays in the user cache."""

from __future__ import annotations

import hashlib
import json
import math
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.arrays import MOST_MEMORY
from bench.data.contents import checksum, combined, correct, read
from bench.data.listing import PARTS, Listing, list_pictures
from bench.data.places import user_cache
from bench.limits import memory
from bench.suite.errors import UserError

ORDER_SEED = 0
"""Files come sorted by class; this seed mixes them, the same way on every machine for ever."""

DECODER = 2
"""Raised whenever the same picture would be decoded to other pixels than before."""

DIGESTS = "sha256.json"
"""The checksums of the arrays in a folder of the cache, which lies beside them."""


def fingerprint(path: Path) -> str:
    """SHA-256 (hex) over the names and contents of a folder's pictures; errors as in `list_pictures`."""
    listing = list_pictures(path)
    return checksum(listing.root, listing.all_names)


def train_labels(path: Path) -> NDArray[np.int64]:
    """The class numbers of the training part, in the order that `load` has them; errors as in `list_pictures`."""
    return _labels(list_pictures(path), "train")


def load(entry: dict[str, Any], notify: Callable[[str], None]) -> dict[str, Any]:
    """The fields of a `Dataset`, from the folder `entry["path"]` (`size` and `channels` as in a suite file).

    Each part is in a fixed, mixed order. Pixels that were decoded before are mapped from the user cache, and held
    against the checksum that was written with them.

    Raises
    ------
    UserError
        What `list_pictures` refuses; a picture that cannot be read or has another size than the others; more pixels
        than there is memory for; a file that changes meanwhile.
    """
    listing = list_pictures(Path(entry["path"]))
    sha256 = checksum(listing.root, listing.all_names)
    names = {part: [listing.names[part][i] for i in _order(len(listing.names[part]))] for part in PARTS}
    folder = user_cache() / "decoded" / _cache_name(sha256, entry)
    pixels = _cached(folder, listing)
    if pixels is None:
        notify(f"{listing.root}: reading {len(listing.all_names):,} pictures")
        pixels = _decoded(listing.root, names, entry, sha256)
        if _keep(pixels, folder):
            notify(f"{listing.root}: kept as arrays in {folder}")
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


def _labels(listing: Listing, part: str) -> NDArray[np.int64]:
    labels = np.array(listing.labels[part], dtype=np.int64)[_order(len(listing.labels[part]))]
    labels.flags.writeable = False
    return labels


def _order(count: int) -> NDArray[np.int64]:
    """A permutation from `numpy.random.RandomState`, whose stream NumPy keeps frozen (NEP 19)."""
    return np.random.RandomState(ORDER_SEED).permutation(count).astype(np.int64)


def _decoded(
    root: Path, names: dict[str, list[str]], entry: dict[str, Any], sha256: str
) -> dict[str, NDArray[np.uint8]]:
    """Pixels of each part, grey where the entry says so, or where it says nothing and every picture is grey."""
    from bench.data.pictures import ColourError

    if entry.get("channels") is not None:
        return _decode_all(root, names, entry, entry["channels"], False, sha256)
    try:
        return _decode_all(root, names, entry, 1, True, sha256)
    except ColourError:
        return _decode_all(root, names, entry, 3, False, sha256)


def _decode_all(
    root: Path, names: dict[str, list[str]], entry: dict[str, Any], channels: int, strict: bool, sha256: str
) -> dict[str, NDArray[np.uint8]]:
    """Every picture decoded; with `strict`, ColourError at the first that has colour."""
    from bench.data.pictures import decode

    count = sum(map(len, names.values()))
    size = (entry["size"][0], entry["size"][1]) if entry.get("size") else None
    if size is not None:  # before the first picture is made that large
        _fits(root, count, (channels, *size))
    pixels: dict[str, NDArray[np.uint8]] = {}
    digests = []
    first: tuple[str, tuple[int, ...]] | None = None
    for part in PARTS:
        for i, name in enumerate(names[part]):
            data = read(root / name)
            digests.append((name, hashlib.sha256(data).hexdigest()))
            try:
                picture = decode(data, channels, size, strict)
            except ValueError as error:
                raise UserError(
                    f"{root / name} cannot be read as a picture: {error}\n  mend or remove the file"
                ) from error
            if first is None:
                first = name, picture.shape
                _fits(root, count, picture.shape)
            if picture.shape != first[1]:
                raise _odd_one(root, name, picture.shape, *first)
            if i == 0:
                pixels[part] = np.empty((len(names[part]), *picture.shape), dtype=np.uint8)
            pixels[part][i] = picture
    found = combined(digests)
    if found != sha256:
        correct(root, found)
        raise UserError(f"{root}: its files changed while they were read; run the command again")
    return pixels


def _fits(root: Path, count: int, shape: tuple[int, ...]) -> None:
    needed = count * math.prod(shape)
    there = memory()
    if needed > MOST_MEMORY * there:
        raise UserError(
            f"{root}: {count:,} pictures of {shape[1]} x {shape[2]} take {needed / 2**30:.1f} GiB, more than half of "
            f"the {there / 2**30:.1f} GiB that this machine or container has; "
            "have them made smaller with `size: [HEIGHT, WIDTH]`"
        )


def _odd_one(root: Path, name: str, shape: tuple[int, ...], first: str, expected: tuple[int, ...]) -> UserError:
    return UserError(
        f"{root / name} is {shape[1]} x {shape[2]} (height x width), while {first} is {expected[1]} x {expected[2]}: "
        f"make them one size, or have all resized with `size: [{expected[1]}, {expected[2]}]`"
    )


def _cache_name(sha256: str, entry: dict[str, Any]) -> str:
    """Named after all that tells the pixels: contents, size, channels and the decoder's version."""
    import PIL

    height, width = entry.get("size") or ("own", "size")
    decoder = f"pillow-{PIL.__version__}-{DECODER}"
    return f"{sha256[:32]}-{height}-{width}-{entry.get('channels') or 'own'}-{decoder}-{ORDER_SEED}"


def _cached(folder: Path, listing: Listing) -> dict[str, NDArray[np.uint8]] | None:
    """Pixels of an earlier time, mapped; None where there are none, not all, or others than were written."""
    found = {}
    try:
        digests = json.loads((folder / DIGESTS).read_text())
        for part in PARTS:
            mapped = np.load(folder / f"{part}.npy", mmap_mode="r", allow_pickle=False)
            if mapped.dtype != np.uint8 or mapped.ndim != 4 or len(mapped) != len(listing.names[part]):
                return None
            found[part] = np.asarray(mapped)  # a plain array, which pickles without being copied first
            if _digest(found[part]) != digests[part]:
                return None
    except (OSError, ValueError, EOFError, KeyError, TypeError):
        return None
    return found


def _digest(pixels: NDArray[np.uint8]) -> str:
    """SHA-256 (hex) over the shape and the values."""
    found = hashlib.sha256(str(pixels.shape).encode())
    found.update(np.ascontiguousarray(pixels).data)
    return found.hexdigest()


def _keep(pixels: dict[str, NDArray[np.uint8]], folder: Path) -> bool:
    """Put both arrays into place at once; False where the cache cannot be written to, which costs time only."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".", dir=folder.parent, ignore_cleanup_errors=True) as aside:
            fresh = Path(aside, "arrays")
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
