"""What this package needs, and which of it a node lacks. Run as a script there, with a file of `requirements`."""

from __future__ import annotations

import json
import sys
from importlib.metadata import PackageNotFoundError, packages_distributions, requires, version
from pathlib import Path

from packaging.requirements import Requirement

MISSING = "bench/execution/cluster/requirements.py"
"""Where this file lies in a run's folder."""


def requirements(results: str) -> list[str]:
    """This package's requirements, each at the version installed here: one ledger, one set of versions.

    Ray itself is left out; the cluster's own runs the run. `results` is the ledger: for one at a URL the library that
    reaches it belongs to them.
    """
    found = []
    for text in requires("bench") or []:
        one = Requirement(text)
        if one.name != "ray" and (one.marker is None or one.marker.evaluate({"extra": ""})):
            found.append(_as_here(one.name))
    return list(dict.fromkeys(found + _libraries_for(results)))


def _libraries_for(results: str) -> list[str]:
    """What has the file system of a URL, such as s3fs for ``s3://``."""
    protocol, url, _ = results.partition("://")
    if not url:
        return []
    import fsspec  # not where this file is run as a script

    module = fsspec.get_filesystem_class(protocol.lower()).__module__.partition(".")[0]
    return [_as_here(name) for name in packages_distributions().get(module, [])]


def _as_here(name: str) -> str:
    return f"{name}=={version(name).partition('+')[0]}"


def missing(wanted: list[str]) -> list[str]:
    """Those that are not installed here at all; another version than asked for is left as it is."""
    lacking = []
    for text in wanted:
        try:
            version(Requirement(text).name)
        except PackageNotFoundError:
            lacking.append(text)
    return lacking


if __name__ == "__main__":
    print(json.dumps(missing(json.loads(Path(sys.argv[1]).read_text()))))
