"""What this process may use of its machine: CPUs, GPUs, memory, folders for temporary files; and versions there."""

from __future__ import annotations

import contextlib
import getpass
import importlib.metadata
import math
import os
import platform
import tempfile
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from bench import __version__
from bench.errors import UserError

CGROUP, PROCESS = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


def cpu_limit(root: Path = CGROUP, process: Path = PROCESS) -> float | None:
    """The limit of CPU time in CPUs, such as 2.5; None without a limit.

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
    """Bytes of memory that the container may use; None without a limit."""
    limits = []
    for folder in _folders(root, process, "memory"):
        with contextlib.suppress(ValueError):
            limits.append(int(_read(folder / "memory.max") or _read(folder / "memory.limit_in_bytes")))
    return min((limit for limit in limits if limit < machine_memory()), default=None)


def memory(root: Path = CGROUP, process: Path = PROCESS) -> int:
    """Bytes of memory that this process may use: the machine's, or the container's limit."""
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


UNUSED_QUOTA = 0.1
"""The fraction of a container's quota of CPU time that may be left unused, rather than have one more CPU share it."""


def cpu_count(root: Path = CGROUP, process: Path = PROCESS) -> int:
    """CPUs this process may keep busy: those it may run on, at most as many as use up a container's quota.

    Two trials use all of a quota of 1.5 CPUs, where one would leave a third of it.
    """
    limit = cpu_limit(root, process)
    if limit is None:
        return visible_cpus()
    return max(1, min(visible_cpus(), math.ceil((1 - UNUSED_QUOTA) * limit - 1e-9)))


def visible_cpus() -> int:
    """CPUs this process may run on, whatever its quota of CPU time."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


MAX_PATH_LENGTH = 24
"""Longest path of a folder for Ray's files: a socket's path may have 107 characters, of which Ray takes 83."""
PROBE_BYTES = 1_000_000


def temporary_folder() -> Path:
    """A folder for Ray's files: RAY_TMPDIR or TMPDIR where they are usable, else /tmp or another usable one.

    Raises
    ------
    UserError
        No folder can be written to and has a short enough path.
    """
    candidates = [(name, os.environ[name]) for name in ("RAY_TMPDIR", "TMPDIR") if os.environ.get(name)]
    reasons = []
    for name, text in [*candidates, *(("", folder) for folder in ("/tmp", "/var/tmp", "/dev/shm"))]:
        folder = Path(text).absolute()
        if len(str(folder)) > MAX_PATH_LENGTH:
            reason = f"is longer than the {MAX_PATH_LENGTH} characters that leave room for the names of sockets"
        else:
            try:
                with tempfile.TemporaryFile(dir=folder) as file:
                    file.write(bytes(PROBE_BYTES))
                return folder
            except OSError as error:
                reason = f"cannot be written to: {error.strerror or error}"
        reasons.append(f"\n  {f'{name}={folder}' if name else folder} {reason}")
    raise UserError(
        f"Ray finds no folder for its files:{''.join(reasons)}\n"
        "  name one with RAY_TMPDIR, or leave Ray out with --no-ray"
    )


def gpu_count(driver: Path = Path("/proc/driver/nvidia/gpus")) -> int:
    """NVIDIA GPUs this process may use, counted without torch or Ray; for plans, as runs use Ray's own count.

    A shell may set CUDA_VISIBLE_DEVICES on a machine without any.
    """
    n_gpus = len(list(driver.iterdir())) if driver.is_dir() else 0
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None or not n_gpus:
        return n_gpus
    count = 0
    for name in (text.strip() for text in visible.split(",")):
        # Like CUDA, stop at the first name that is no GPU and no MIG instance.
        if not (name.startswith(("GPU-", "MIG-")) or (name.isdecimal() and int(name) < n_gpus)):
            break
        count += 1
    return count


def set_environment_user() -> None:
    """Set a user name and a home folder where the system has none, as in a container with an unknown user id.

    torch, Ray and caches need both and fail without them.

    Raises
    ------
    UserError
        No temporary folder can be used as home.
    """
    try:
        getpass.getuser()
    except (KeyError, OSError):
        os.environ["LOGNAME"] = f"user-{os.getuid()}"
    try:
        Path.home()
        return
    except RuntimeError:
        pass
    try:
        home = Path(tempfile.gettempdir()) / f"bench-home-{os.getuid()}"
        home.mkdir(mode=0o700, exist_ok=True)
        if home.lstat().st_uid != os.getuid() or home.lstat().st_mode & 0o077:
            raise UserError(f"{home}: belongs to someone else; let HOME name a folder of yours")
    except OSError as error:
        raise UserError(f"there is no home folder, and none can be made: {error}; let HOME name one") from error
    os.environ["HOME"] = str(home)


def gpu_slots(gpus: float, gpus_per_slot: float) -> int:
    """How many slots of `gpus_per_slot` a machine's GPUs have; a fraction of a GPU is never split over two."""
    return int(gpus) * int(1 / gpus_per_slot + 1e-9) if gpus_per_slot < 1 else int(gpus / gpus_per_slot)


def slots_on(machine: Mapping[str, float], cpus: float, gpus: float) -> int:
    """How many workers with so many CPUs and GPUs each fit on a machine with Ray's resources `CPU` and `GPU`."""
    n_slots = int(machine.get("CPU", 0.0) / cpus)
    return min(n_slots, gpu_slots(machine.get("GPU", 0.0), gpus)) if gpus else n_slots


def slots(cpus_per_trial: float, gpus_per_trial: float | None, jobs: int | None) -> int:
    """How many trials run concurrently on this machine."""
    n_slots = int(max(cpu_count(), (jobs or 1) * cpus_per_trial) / cpus_per_trial)
    gpus = gpu_count()
    if gpus and gpus_per_trial != 0:
        n_slots = min(n_slots, gpu_slots(gpus, gpus_per_trial or 1))
    return max(1, min(n_slots, jobs or n_slots))


VERSIONED = ("torch", "torchvision", "timm", "ray", "numpy")
"""Packages whose versions a record has, besides bench's own."""


def versions() -> dict[str, str]:
    """Of Python and of the packages that can change a result, those that are installed."""
    return dict(_versions())


@cache
def _versions() -> dict[str, str]:
    versions_by_package = {"python": platform.python_version(), "bench": __version__}
    for package in VERSIONED:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions_by_package[package] = importlib.metadata.version(package)
    return versions_by_package
