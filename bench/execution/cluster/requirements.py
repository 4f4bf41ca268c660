"""What this package needs, and which of it a node lacks. Run as a script there, with a file of `requirements`."""

from __future__ import annotations

import json
import sys
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from packaging.requirements import Requirement

MISSING = "bench/execution/cluster/requirements.py"
"""Where this file lies in a run's folder."""


def requirements() -> list[str]:
    """This package's requirements, each at the version installed here: one ledger, one set of versions.

    Ray itself is left out; the cluster's own runs the run.
    """
    found = []
    for text in requires("bench") or []:
        one = Requirement(text)
        if one.name != "ray" and (one.marker is None or one.marker.evaluate({"extra": ""})):
            found.append(f"{one.name}=={version(one.name).partition('+')[0]}")
    return found


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
