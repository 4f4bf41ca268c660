"""What torch and timm answered before, kept in the user's cache so that a plan need not import and ask them again.

A suite's own names are resolved without them. Other names, whether a network fits its images, and how many operations
it takes are their answers, and stay the same until a package, the machine or bench itself changes; each such state has
a file of its own. Answers that depend on a user's code are never kept.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import json
import os
import platform
import shutil
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from bench.data.search_paths import user_cache

PACKAGES = ("torch", "torchvision", "timm", "numpy")
MAX_FILES = 8
"""Several environments of one user keep their answers side by side; older files are removed."""


def recall(question: str) -> Any:
    """The remembered answer to a question (any text), or None."""
    return _answers(_file()).get(_digest(question))


def remember(answers: Mapping[str, Any]) -> None:
    """Keep answers (plain JSON, not None) by question; a cache that cannot be written changes nothing."""
    file = _file()
    known = _answers(file)
    known.update({_digest(question): answer for question, answer in answers.items()})
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=file.parent)
        with os.fdopen(handle, "w") as stream:
            json.dump(_read(file) | known, stream)
        Path(temporary).replace(file)
        newest_first = sorted(file.parent.glob("*.json"), key=lambda path: path.stat().st_mtime, reverse=True)
        for old in newest_first[MAX_FILES:]:
            old.unlink(missing_ok=True)


@cache
def _answers(file: Path) -> dict[str, Any]:
    return _read(file)


def _read(file: Path) -> dict[str, Any]:
    """The answers in a file; none where it is missing, damaged or not ours."""
    try:
        found = json.loads(file.read_text())
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _file() -> Path:
    return user_cache() / "libraries" / f"{_installation()}.json"


@cache
def _installation() -> str:
    """A digest of what an answer may depend on: Python, the packages' versions, this machine, bench's own source."""
    found = hashlib.sha256(platform.python_version().encode())
    # Some optimizers want a compiler or a GPU, and a home folder may be shared by machines.
    compilers = [shutil.which(name) for name in ("c++", "g++", "clang++")]
    found.update(f"{platform.node()} {compilers} {Path('/proc/driver/nvidia').exists()}".encode())
    for package in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found.update(f"{package} {importlib.metadata.version(package)}\n".encode())
    package_folder = Path(__file__).parent
    for path in sorted(package_folder.rglob("*.py")):
        found.update(hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()[:16]


def _digest(question: str) -> str:
    return hashlib.sha256(question.encode()).hexdigest()[:24]
