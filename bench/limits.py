"""This machine's processor and memory, and what a container allows of them (Linux's control groups, cgroups)."""

from __future__ import annotations

import contextlib
import os
import platform
from collections.abc import Iterator
from pathlib import Path

CGROUP, PROCESS = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


def cpu_limit(root: Path = CGROUP, process: Path = PROCESS) -> float | None:
    """CPUs' worth of time that this process gets at most (2.5: two and a half); None where nothing limits it.

    Unlike the set of CPUs a process may run on, a quota (``docker run --cpus``) is not in `os.sched_getaffinity`.
    """
    limits = []
    for folder in _folders(root, process, "cpu"):
        quota, _, period = _read(folder / "cpu.max").partition(" ")
        if not quota:  # version 1 of cgroups
            quota, period = _read(folder / "cpu.cfs_quota_us"), _read(folder / "cpu.cfs_period_us")
        with contextlib.suppress(ValueError, ZeroDivisionError):  # "max", or no such file
            limits.append(int(quota) / int(period))
    return min((limit for limit in limits if limit > 0), default=None)


def memory_limit(root: Path = CGROUP, process: Path = PROCESS) -> int | None:
    """Bytes of memory that this process and its neighbours in the container may use; None where nothing limits it."""
    limits = []
    for folder in _folders(root, process, "memory"):
        with contextlib.suppress(ValueError):
            limits.append(int(_read(folder / "memory.max") or _read(folder / "memory.limit_in_bytes")))
    return min((limit for limit in limits if limit < machine_memory()), default=None)


def memory(root: Path = CGROUP, process: Path = PROCESS) -> int:
    """Bytes of memory that this process may use: the machine's, or the container's share of it."""
    return memory_limit(root, process) or machine_memory()


def machine_memory() -> int:
    """Bytes of the machine's memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def processor_name() -> str:
    """The processor's own name."""
    for line in _read(Path("/proc/cpuinfo")).splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _folders(root: Path, process: Path, controller: str) -> Iterator[Path]:
    """This process's groups of a controller, innermost first; each group's limit holds for all within it."""
    for line in _read(process).splitlines():
        _, controllers, group = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        top = root / controllers if controllers else root
        inner = top / group.lstrip("/")
        yield from (folder for folder in (inner, *inner.parents) if folder.is_relative_to(top))


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
