"""In which folders may a data set's files be already?"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from bench.data.catalogue import DatasetInfo
from bench.errors import UserError

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
