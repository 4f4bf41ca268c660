"""A ledger's folder: what lies where, and whether a folder is one."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from bench.ledger.entry import folder_of, is_entry_name
from bench.ledger.home import Listing, Location
from bench.suite.errors import UserError

ENTRIES, INDEX, CLAIMS, TEMPORARY, CHECKPOINTS = "entries", "index.jsonl", "claims", "tmp", "checkpoints"
LOGS = "logs"
"""What trials printed, a file each; not read by anything but people."""


def entry_path(root: Path, name: str) -> Path:
    return root / ENTRIES / folder_of(name) / name


def check_folder(root: Path) -> bool:
    """Whether `root` holds entries; UserError when it is there and no ledger; an empty one may become it."""
    try:
        names = {path.name for path in root.iterdir()}
    except FileNotFoundError:
        return False
    except NotADirectoryError as error:
        raise UserError(f"{root}: a ledger is a folder, and this is a file; choose another place") from error
    except OSError as error:
        raise UserError(f"{root}: cannot be read as a ledger: {error.strerror}") from error
    return check_names(root, names)


def check_names(root: Location, names: set[str]) -> bool:
    """Whether there are entries among what lies in `root`; UserError where it is clearly something else."""
    visible = sorted(name for name in names if not name.startswith("."))
    if visible and not names & {ENTRIES, INDEX, CLAIMS, TEMPORARY, CHECKPOINTS}:
        raise UserError(
            f"{root}: not a ledger: it has no folder `{ENTRIES}` but holds {', '.join(visible[:3])}"
            f"{', ...' if len(visible) > 3 else ''}; name a ledger, or a new or empty folder"
        )
    return ENTRIES in names


def is_file(file: os.DirEntry[str], folder: bool = False) -> bool:
    """Whether this is a file (or a `folder`), or a link to one; a link to itself is neither."""
    with contextlib.suppress(OSError):
        return file.is_dir() if folder else file.is_file()
    return False


def list_files(root: Path) -> Listing:
    """What lies within ``entries``; nothing for a ledger that is not there yet. Raises UserError if it is unreadable.

    Looks into no file, so it is cheap to call again: 10,000 entries take some ten milliseconds on a local disk.
    (The folders' own mtimes would be cheaper, but two changes in one tick of the kernel's clock look like one.)
    """
    found = Listing({}, [])
    try:
        for folder in os.scandir(root / ENTRIES):
            if not is_file(folder, folder=True):
                continue
            for file in os.scandir(folder):
                if is_entry_name(file.name) and folder_of(file.name) == folder.name and is_file(file):
                    found.entries[file.name] = file
                elif file.name.endswith(".npz"):
                    found.strangers.append(Path(file.path))
    except FileNotFoundError:
        return found
    except OSError as error:
        raise UserError(f"{root}: cannot be read as a ledger: {error.filename}: {error.strerror}") from error
    return found
