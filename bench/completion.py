"""What a shell completes: suites, axes with their components, keys of the ledger, kinds of `bench list`.

It is asked for at every press of a key, so nothing here imports torch, or fails: what cannot be read completes nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

MAX_KEYS = 200


def complete_suites(incomplete: str) -> list[str]:
    """Suites that come with bench, and suite files."""
    from bench.suite.find_suite import shipped_suites

    folder, _, _ = incomplete.rpartition("/")
    files = []
    if (Path(folder or ".")).is_dir():
        for path in sorted(Path(folder or ".").iterdir()):
            name = f"{folder}/{path.name}" if folder else path.name
            files += [name] if path.suffix in (".yaml", ".yml") else []
    return [name for name in [*shipped_suites(), *files] if name.startswith(incomplete)]


def complete_axis(incomplete: str) -> list[str]:
    """``model=`` after ``mod``, ``model=mlp`` after ``model=m``."""
    from bench.components import AXES
    from bench.suite.schema import COUNT_AXES

    axis, equals, start = incomplete.partition("=")
    if not equals:
        return [f"{name}=" for name in (*AXES, *COUNT_AXES) if name.startswith(axis)]
    return [f"{axis}={name}" for name in AXES.get(axis, ()) if name.startswith(start)]


def complete_dataset(incomplete: str) -> list[str]:
    """Data sets of the catalogue."""
    from bench.data.catalogue import DATASETS

    return [name for name in DATASETS if name.startswith(incomplete)]


def complete_key(incomplete: str) -> list[str]:
    """Keys of the trials in the ledger that BENCH_RESULTS names, or `results`."""
    from bench.ledger.store import RESULTS

    return sorted(set(_keys(Path(os.environ.get("BENCH_RESULTS", RESULTS)), incomplete)))[:MAX_KEYS]


def _keys(root: Path, incomplete: str) -> Iterator[str]:
    """From the names of the entries, so that none is read."""
    entries = root / "entries"
    if not entries.is_dir():
        return
    for folder in sorted(entries.iterdir()):
        if folder.is_dir() and (folder.name.startswith(incomplete[:2]) or not incomplete):
            for path in folder.glob("*.npz"):
                if path.name.startswith(incomplete):
                    yield path.name.partition("-")[0]
