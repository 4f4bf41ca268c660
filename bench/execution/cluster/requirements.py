"""What this package requires, and what of it a node lacks; on the head this file is run as a script."""

from __future__ import annotations

import json
import sys
from collections.abc import Collection
from importlib.metadata import PackageNotFoundError, packages_distributions, requires, version
from pathlib import Path

from packaging.requirements import Requirement

SCRIPT = "bench/execution/cluster/requirements.py"
"""This file in a run's folder."""
DISTRIBUTION = "benchgrid"
"""This package's name for pip; `bench` there is another project."""


def requirements(results: str, extras: Collection[str] = ()) -> list[str]:
    """This package's requirements, each at the version installed here: one ledger, one set of versions.

    Ray itself is left out: the cluster's is used. `results` is the ledger: the package with the file system of its URL
    is required as well. So are those of this package's `extras`, which data sets (`hf`) and searches need.
    """
    pinned = []
    for text in requires(DISTRIBUTION) or []:
        required = Requirement(text)
        marker = required.marker
        if required.name != "ray" and (
            marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras))
        ):
            pinned.append(_pinned(required.name))
    return list(dict.fromkeys(pinned + _file_system_packages(results)))


def _file_system_packages(results: str) -> list[str]:
    """The packages with the file system of a URL, such as s3fs for ``s3://``."""
    protocol, url, _ = results.partition("://")
    if not url:
        return []
    import fsspec  # not where this file is run as a script

    module = fsspec.get_filesystem_class(protocol.lower()).__module__.partition(".")[0]
    return [_pinned(name) for name in packages_distributions().get(module, [])]


def _pinned(name: str) -> str:
    return f"{name}=={version(name).partition('+')[0]}"


def missing(required: list[str]) -> list[str]:
    """Those that are not installed at all; another version than required is left as it is."""
    missing_ = []
    for text in required:
        try:
            version(Requirement(text).name)
        except PackageNotFoundError:
            missing_.append(text)
    return missing_


if __name__ == "__main__":
    print(json.dumps(missing(json.loads(Path(sys.argv[1]).read_text()))))
