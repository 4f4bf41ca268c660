"""A cache of torch's and timm's answers on disk, so that plans need not import them.

Answers are which names the libraries have, whether a network fits its images, and how many operations it takes. They
are valid until a package, the machine or bench changes; each such state has a file of its own. Answers that depend on a
user's code are not cached.
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

from bench.data.local_files import user_cache
from bench.jsonutil import JsonObject

PACKAGES = ("torch", "torchvision", "timm", "numpy")
MAX_FILES = 8
"""Most files, one per environment; the oldest are removed."""


def recall(question: str) -> Any:
    """The cached answer to a question (any text), or None."""
    return _answers(_file()).get(_digest(question))


def remember(answers: Mapping[str, Any]) -> None:
    """Cache answers (plain JSON, not None) by question; write errors are ignored."""
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
def _answers(file: Path) -> JsonObject:
    return _read(file)


def _read(file: Path) -> JsonObject:
    """The answers in a file; none where it is missing or not valid."""
    try:
        answers = json.loads(file.read_text())
    except (OSError, ValueError, RecursionError):
        return {}
    return answers if isinstance(answers, dict) else {}


def _file() -> Path:
    return user_cache() / "libraries" / f"{_installation()}.json"


@cache
def _installation() -> str:
    """A digest of what answers depend on: Python, the packages' versions, this machine, bench's source."""
    digest = hashlib.sha256(platform.python_version().encode())
    # Some optimizers need a compiler or a GPU, and machines may share a home folder.
    compilers = [shutil.which(name) for name in ("c++", "g++", "clang++")]
    digest.update(f"{platform.node()} {compilers} {Path('/proc/driver/nvidia').exists()}".encode())
    for package in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            digest.update(f"{package} {importlib.metadata.version(package)}\n".encode())
    package_folder = Path(__file__).parent
    for path in sorted(package_folder.rglob("*.py")):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def _digest(question: str) -> str:
    return hashlib.sha256(question.encode()).hexdigest()[:24]
