"""What every script here shares: the machine it ran on, a suite file in a temporary folder, and one table."""

from __future__ import annotations

import contextlib
import json
import math
import os
import platform
import statistics
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("benchgrid", "torch", "ray", "numpy")


def machine() -> str:
    """Processor, cores this process may use, load (others may be at work here) and versions, in one line."""
    model = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
    versions = [f"python {platform.python_version()}"]
    for package in PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            versions.append(f"{package} {version(package)}")
    return f"{model}, {len(os.sched_getaffinity(0))} cores, load {os.getloadavg()[0]:.1f}; {', '.join(versions)}"


def median_and_spread(values: Sequence[float], form: str = ".2f") -> str:
    """``median (smallest to largest)``."""
    return f"{statistics.median(values):{form}} ({min(values):{form}} to {max(values):{form}})"


def show(title: str, header: Sequence[str], rows: Sequence[Sequence[str]], load_before: float | None = None) -> None:
    """Print a table that reads as text and is Markdown, under the machine's line."""
    print(f"\n{title}\n\n{machine()}{'' if load_before is None else f'; load at the start {load_before:.1f}'}\n")
    print("\n".join(markdown(header, rows)))


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table, its columns in line."""
    table = [list(header), *[list(row) for row in rows]]
    widths = [max(len(row[column]) for row in table) for column in range(len(header))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in table
    ]
    return [lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]]


def verdict(value: float, bound: float, at_least: bool) -> str:
    """``yes`` or ``NO``, for the last column."""
    return "yes" if (value >= bound if at_least else value <= bound) else "NO"


def write_suite(folder: Path, grid: dict[str, Any], defaults: dict[str, Any], name: str = "timed") -> Path:
    """A suite file (JSON is YAML) in `folder`."""
    path = folder / f"{name}.yaml"
    path.write_text(json.dumps({"name": name, "limit": 20_000, "defaults": defaults, "grid": grid}))
    return path


def configuration(grid: dict[str, Any], **defaults: Any) -> dict[str, Any]:
    """A grid's only configuration: one epoch of the whole training part, everything else by default."""
    from bench.suite.suite import load_suite

    settings = {"dataset": "fashion_mnist", "epochs": 1, "validation": "none"}
    with tempfile.TemporaryDirectory() as folder:
        ((config, _),) = load_suite(write_suite(Path(folder), grid, settings | defaults)).configurations
    return config


def memory_of(pid: int | str = "self") -> dict[str, int]:
    """`Rss`, `Pss`, `Private` and the rest of ``/proc/PID/smaps_rollup`` in bytes."""
    found: dict[str, int] = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, _, value = line.partition(":")
        found[name] = int(value.split()[0]) * 1024
    return found | {"Private": found["Private_Clean"] + found["Private_Dirty"]}


def load_now() -> float:
    """Processes that want a core, averaged over the last minute."""
    return os.getloadavg()[0]


@dataclass(frozen=True)
class Cost:
    """What a process took: seconds by the clock, CPU seconds of it and its children, and its peak memory in MiB."""

    seconds: float
    cpu: float
    peak: float


def cost_of(command: Sequence[str], folder: Path | None = None) -> Cost:
    """Run a command in `folder` to its end; CalledProcessError where it fails.

    The peak is at least this process's own, from which the command's is split off: whoever measures stays small.
    """
    began = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Cost(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def exponent(sizes: Sequence[float], values: Sequence[float]) -> float:
    """The slope of log value against log size by least squares: 1 where the value grows with the size."""
    slope = statistics.linear_regression([math.log(one) for one in sizes], [math.log(one) for one in values]).slope
    return float(slope)
