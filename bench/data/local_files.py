"""Files on this machine: where those of a data set may already be, and checksums of the user's own."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import stat
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.arrays import MAX_MEMORY_FRACTION
from bench.data.catalogue import DatasetInfo
from bench.errors import UserError
from bench.system import memory

SYSTEM_DATASETS = Path("/usr/share/datasets")
"""Where Debian's dataset packages put their files."""


@dataclass(frozen=True)
class SearchPath:
    """A folder to look in: `folders` in the order they are tried, `given` where the user named it."""

    label: str
    root: Path
    folders: tuple[Path, ...]
    given: bool = False


def user_cache() -> Path:
    """The folder of downloads, with a folder for each data set."""
    from platformdirs import user_cache_dir

    return Path(user_cache_dir("bench", appauthor=False))


def search_paths(info: DatasetInfo, data_dir: Path | None) -> list[SearchPath]:
    """The folders to search, in order: --data-dir, BENCH_DATA, the user cache, the system's datasets.

    Raises
    ------
    UserError
        `data_dir` is not a folder.
    """
    paths = []
    if data_dir is not None:
        root = _expanded(data_dir)
        if not _is_folder(root):
            raise UserError(f"--data-dir {data_dir}: there is no such folder; name one that exists, or leave it out")
        paths.append(_given("--data-dir", info, root))
    if os.environ.get("BENCH_DATA"):
        paths.append(_given("BENCH_DATA", info, _expanded(Path(os.environ["BENCH_DATA"]))))
    paths.append(cached(info))
    system = tuple(SYSTEM_DATASETS / folder for folder in info.folders)
    paths.append(SearchPath("system", SYSTEM_DATASETS, system))
    return paths


def cached(info: DatasetInfo) -> SearchPath:
    """The dataset's folder in the user cache."""
    folder = user_cache() / info.folders[0]
    return SearchPath("user cache", folder, (folder,))


def locate(info: DatasetInfo, search_path: SearchPath) -> tuple[list[Path] | None, str]:
    """The paths of the files at a search path, or None and the reason.

    An incomplete set does not count, since it may be a download under way: the reason names what it lacks.
    """
    incomplete = []
    for folder in search_path.folders:
        try:
            paths = [_file(folder, file.names) for file in info.files]
        except OSError as error:
            return None, f"cannot be read: {error.strerror or error}"
        complete = [path for path in paths if path is not None]
        if len(complete) == len(paths):
            return complete, ""
        if complete:
            lacking = [file.name for file, path in zip(info.files, paths, strict=True) if path is None]
            incomplete.append(f"{folder} is incomplete: it lacks {', '.join(lacking)}")
    if incomplete:
        return None, "; ".join(incomplete)
    return None, "holds none of its files" if _is_folder(search_path.root) else "no such folder"


def _given(label: str, info: DatasetInfo, root: Path) -> SearchPath:
    """A folder the user named, which may be the dataset's own or one of several datasets."""
    return SearchPath(label, root, (*(root / folder for folder in info.folders), root), given=True)


def _expanded(path: Path) -> Path:
    """With ``~`` resolved, which shells leave alone in ``--data-dir=~/x``; as it is where it names no user."""
    try:
        return path.expanduser()
    except RuntimeError:
        return path


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False


def _file(folder: Path, names: tuple[str, ...]) -> Path | None:
    """The first of these files that is there."""
    return next((folder / name for name in names if (folder / name).is_file()), None)


@dataclass(frozen=True)
class SourceFiles:
    """The files of a data set of the user's: all that its checksum is of, and all that another machine needs.

    `names` are below the folder `path`, with forward slashes; without them `path` is the one file.
    """

    path: Path
    names: tuple[str, ...] = ()

    @property
    def checksum(self) -> str:
        """Of a single file, that of its contents; of several, over their names too."""
        return checksum(self.path, self.names) if self.names else file_checksum(self.path)


def files_below(folder: Path, *, hidden: bool = True) -> Iterator[Path]:
    """Every file below a folder, through symbolic links, which the libraries that read data sets follow too.

    Raises
    ------
    UserError
        A folder cannot be read, or is reached again through a link, which would lead on for ever.
    """

    def unreadable(error: OSError) -> None:
        raise UserError(f"{error.filename} cannot be read: {error.strerror or error}") from error

    visited: dict[tuple[int, int], str] = {}
    for parent, folders, names in os.walk(folder, onerror=unreadable, followlinks=True):
        status = os.stat(parent)  # noqa: PTH116
        first_path = visited.setdefault((status.st_dev, status.st_ino), parent)
        if first_path != parent:
            raise UserError(f"{parent} is the folder {first_path} again, by a symbolic link: remove the link")
        if not hidden:
            folders[:] = [name for name in folders if not name.startswith(".")]
            names = [name for name in names if not name.startswith(".")]
        yield from (Path(parent, name) for name in names)


SETTLED_SECONDS = 3.0
"""Files changed this shortly before they are read are read again the next time.

A file system's clock ticks in steps (two seconds on FAT): within one, a file can change and keep its times.
"""


def checksum(root: Path, names: Sequence[str]) -> str:
    """SHA-256 (hex) over names and contents of files below a folder, whatever their order.

    It is remembered in the user cache and taken from there as long as every file has its size, times (that of the
    last change of the file's entry among them, which no program can set) and inode.

    Raises
    ------
    UserError
        A file cannot be read; the message names it.
    """
    return _remembered(
        root, root, names, lambda: combined((name, hashlib.sha256(read(root / name)).hexdigest()) for name in names)
    )


def file_checksum(path: Path) -> str:
    """SHA-256 (hex) over the contents of one file, whatever its name; remembered, and errors, as in `checksum`."""
    return _remembered(path, path.parent, [path.name], lambda: hashlib.sha256(read(path)).hexdigest())


def _remembered(subject: Path, root: Path, names: Sequence[str], digest: Callable[[], str]) -> str:
    started_at = time.time()
    state, latest = _state(root, names)
    note_path = _note(subject)
    try:
        remembered = json.loads(note_path.read_text())
        if remembered["state"] == state:
            return str(remembered["checksum"])
    except (OSError, ValueError, KeyError, TypeError):
        pass  # never noted, or half a file: compute it
    digest_value = digest()
    if latest < started_at - SETTLED_SECONDS:
        _write(note_path, json.dumps({"state": state, "checksum": digest_value}))
    return digest_value


def correct(subject: Path, checksum: str) -> None:
    """Forget what is remembered of a file or folder if its contents have another checksum."""
    note_path = _note(subject)
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        if json.loads(note_path.read_text())["checksum"] != checksum:
            note_path.unlink()


def _note(subject: Path) -> Path:
    return user_cache() / "checksums" / f"{hashlib.sha256(os.fsencode(subject)).hexdigest()[:20]}.json"


def combined(digests: Iterable[tuple[str, str]]) -> str:
    """The checksum of files from their names and their own SHA-256 (hex)."""
    hasher = hashlib.sha256()
    for name, digest in sorted(digests):
        hasher.update(os.fsencode(f"{name}\0{digest}\n"))
    return hasher.hexdigest()


def read(path: Path) -> bytes:
    """A file's bytes; UserError as in `check_file`, and where it is larger than memory allows."""
    check_file(path)
    try:
        size = path.stat().st_size
        if size > MAX_MEMORY_FRACTION * memory():
            raise UserError(f"{path} has {size / 2**30:.1f} GiB, more than half of the memory there is")
        return path.read_bytes()
    except (OSError, MemoryError) as error:
        raise UserError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error


def check_file(path: Path) -> None:
    """UserError where a path is no file that ends: it cannot be read, is a folder, a pipe or a device."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from error
    if stat.S_ISDIR(mode):
        raise UserError(f"{path} cannot be read: {os.strerror(errno.EISDIR)}")
    if not stat.S_ISREG(mode):
        raise UserError(f"{path} is a pipe, a socket or a device: give a file")


def _state(root: Path, names: Iterable[str]) -> tuple[str, float]:
    """A hash of what the file system says about the files, and when the last of them changed."""
    hasher = hashlib.sha256()
    latest = 0
    for name in names:
        path = os.path.join(root, name)  # noqa: PTH118 (a Path each takes ten times as long)
        try:
            status = os.stat(path)  # noqa: PTH116
        except OSError as error:
            raise UserError(f"{path} cannot be read: {error.strerror or error}") from error
        attributes = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_dev)
        hasher.update(os.fsencode(f"{name}\0{attributes}\n"))
        latest = max(latest, status.st_mtime_ns, status.st_ctime_ns)
    return hasher.hexdigest(), latest / 1e9


def _write(path: Path, text: str) -> None:
    """Whole or not at all; a cache that cannot be written to costs time, nothing else."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=".", delete=False) as temporary:
            temporary.write(text)
        Path(temporary.name).replace(path)
    except OSError:
        pass
