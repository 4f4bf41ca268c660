"""From a dataset's name to its verified arrays: look, else fetch, then read."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.data import idx
from bench.data.catalogue import DatasetInfo, find
from bench.data.debian import from_debian
from bench.data.mirrors import Notify, RouteError, from_mirrors
from bench.data.places import cached, look, places, user_cache
from bench.data.verify import verified
from bench.suite.errors import UserError

ROUTES: dict[str, Callable[[DatasetInfo, Path, Path, Notify], None]] = {
    "mirrors": from_mirrors,
    "Debian package": from_debian,
}
"""In the order they are tried; each gets the dataset, the folder its files go into and an empty one to work in."""


@dataclass(frozen=True)
class Dataset:
    """A dataset as its makers published it: all pixels and labels in their order.

    Images are uint8 arrays of shape (N, C, H, W), read-only; labels are int64 arrays of shape (N,), class
    numbers that index `classes`. `sha256` is the catalogue's fingerprint, `source` the folder read.
    """

    name: str
    classes: tuple[str, ...]
    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.int64]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.int64]
    sha256: str
    source: Path


def _quietly(_: str) -> None:
    """Says nothing."""


def load(name: str, data_dir: Path | None = None, notify: Notify = _quietly) -> Dataset:
    """A dataset's pixels and labels, fetched first where no place has them.

    Places in order: `data_dir`, the environment variable BENCH_DATA, the user cache, ``/usr/share/datasets``.
    Else it is downloaded into the user cache, from the public mirrors or Debian's package. Whatever the
    route, every file is checked by SHA-256 of its unpacked bytes.

    Parameters
    ----------
    name
        A name of the catalogue, e.g. ``fashion_mnist``.
    data_dir
        A folder with the four IDX files (compressed or not), or with the dataset's usual sub-folder.
    notify
        Gets one line at a time on what is being fetched.

    Raises
    ------
    UserError
        Unknown name; a file that is found but truncated, damaged or another one; or no place and no
        route has the files, with the reason for each.
    """
    return load_info(find(name), data_dir, notify)


def fetch(name: str, data_dir: Path | None = None, notify: Notify = _quietly) -> Path:
    """Make sure that a dataset's files are there, and return their folder; parameters and errors as in `load`."""
    paths, _ = _obtain(find(name), data_dir, notify)
    return paths[0].parent


def load_info(info: DatasetInfo, data_dir: Path | None = None, notify: Notify = _quietly) -> Dataset:
    """`load` for a dataset that need not be in the catalogue."""
    paths, contents = _obtain(info, data_dir, notify)
    train_images = _images(info, paths[0], contents[0], info.train_size)
    train_labels = _labels(info, paths[1], contents[1], info.train_size)
    test_images = _images(info, paths[2], contents[2], info.test_size)
    test_labels = _labels(info, paths[3], contents[3], info.test_size)
    return Dataset(
        info.name,
        info.classes,
        train_images,
        train_labels,
        test_images,
        test_labels,
        info.fingerprint,
        paths[0].parent,
    )


def _obtain(info: DatasetInfo, data_dir: Path | None, notify: Notify) -> tuple[list[Path], list[bytes]]:
    """The paths and the verified, unpacked bytes of the four files."""
    tried = []
    for place in places(info, data_dir):
        paths, reason = look(info, place)
        if paths is not None:
            return paths, _verify(info, paths)
        tried.append(f"{place.label} ({place.root}): {reason}")
        if place.given:
            notify(f"{info.name}: {tried[-1]}; looking elsewhere")
    _download(info, tried, notify)
    paths, reason = look(info, cached(info))
    if paths is None:
        raise UserError(
            f"{cached(info).root}, where {info.name} was just downloaded to, {reason}; run the command again"
        )
    return paths, _verify(info, paths)


def _verify(info: DatasetInfo, paths: list[Path]) -> list[bytes]:
    return [verified(info, file, path) for file, path in zip(info.files, paths, strict=True)]


def _download(info: DatasetInfo, tried: list[str], notify: Notify) -> None:
    """Fetch into the user cache by the first route that leads there: written aside, verified, then renamed.

    `tried` holds the places that were looked in, with the reasons; the routes' reasons are added to it.
    """
    cache = user_cache()
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{info.name}-", dir=cache, ignore_cleanup_errors=True) as aside:
            for label, route in ROUTES.items():
                fetched, scratch = Path(aside, route.__name__, "fetched"), Path(aside, route.__name__, "scratch")
                fetched.mkdir(parents=True)
                scratch.mkdir()
                try:
                    route(info, fetched, scratch, notify)
                except RouteError as error:
                    tried.append(f"{label}: {error}")
                    continue
                _publish(fetched, cache / info.name)
                notify(f"{info.name}: verified and kept in {cache / info.name}")
                return
    except OSError as error:
        reason = f"{error.strerror or error}; let XDG_CACHE_HOME name a folder that can be written to"
        tried.append(f"no download, since the user cache ({cache}) cannot be written to: {reason}")
    raise _nowhere(info, tried)


def _publish(fetched: Path, folder: Path) -> None:
    """Put a whole folder into place at once, or file by file over what is there; safe for several processes."""
    try:
        fetched.rename(folder)
    except OSError:
        folder.mkdir(exist_ok=True)
        for path in fetched.iterdir():
            path.replace(folder / path.name)


def _nowhere(info: DatasetInfo, tried: list[str]) -> UserError:
    lines = "".join(f"\n  - {line}" for line in tried)
    names = ", ".join(f"{file.name}.gz" for file in info.files)
    return UserError(
        f"{info.name}: {info.title} is not on this machine and could not be fetched. Tried:{lines}\n"
        f"What to do: on a machine with a network, run `bench data fetch {info.name}` again; or put {names}\n"
        f"(or the unpacked files) into a folder and name it with --data-dir or the environment variable BENCH_DATA."
    )


def _images(info: DatasetInfo, path: Path, data: bytes, count: int) -> NDArray[np.uint8]:
    array = _parse(path, data)
    if array.size != count * int(np.prod(info.shape)) or len(array) != count:
        raise UserError(f"{path}: found an array of shape {array.shape}, expected {count} images of {info.shape}")
    return array.reshape(count, *info.shape)


def _labels(info: DatasetInfo, path: Path, data: bytes, count: int) -> NDArray[np.int64]:
    array = _parse(path, data)
    if array.shape != (count,) or int(array.max(initial=0)) >= len(info.classes):
        raise UserError(f"{path}: expected {count} labels below {len(info.classes)}, found shape {array.shape}")
    return array.astype(np.int64)


def _parse(path: Path, data: bytes) -> NDArray[np.uint8]:
    try:
        return idx.parse(data)
    except ValueError as error:
        raise UserError(f"{path}: {error}") from error
