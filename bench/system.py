"""This process and its machine: CPUs and GPUs it may use, and where temporary files go."""

from __future__ import annotations

import contextlib
import getpass
import os
import platform
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from bench.errors import UserError

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


def cpu_count(root: Path = CGROUP, process: Path = PROCESS) -> int:
    """CPUs this process may keep busy: those it may run on, or the whole ones in a container's quota of CPU time."""
    limit = cpu_limit(root, process)
    return visible_cpus() if limit is None else max(1, min(visible_cpus(), int(limit)))


def visible_cpus() -> int:
    """CPUs this process may run on, whatever share of their time it gets."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


LONGEST_TEMPORARY = 24
"""Characters of a folder's path that Ray's files can go into: a socket's path may have 107, and ours end in 83."""
TRIED_BYTES = 1_000_000


def temporary_folder() -> Path:
    """Where Ray's files go while it runs: RAY_TMPDIR or TMPDIR where they will do, else /tmp or another that will.

    Raises
    ------
    UserError
        None can be written to, or the paths of sockets would become too long below it.
    """
    named = [(name, os.environ[name]) for name in ("RAY_TMPDIR", "TMPDIR") if os.environ.get(name)]
    reasons = []
    for name, text in [*named, *(("", folder) for folder in ("/tmp", "/var/tmp", "/dev/shm"))]:
        folder = Path(text).absolute()
        if len(str(folder)) > LONGEST_TEMPORARY:
            reason = f"is longer than the {LONGEST_TEMPORARY} characters that leave room for the names of sockets"
        else:
            try:
                with tempfile.TemporaryFile(dir=folder) as file:
                    file.write(bytes(TRIED_BYTES))
                return folder
            except OSError as error:
                reason = f"cannot be written to: {error.strerror or error}"
        reasons.append(f"\n  {f'{name}={folder}' if name else folder} {reason}")
    raise UserError(
        f"Ray finds no folder for its files:{''.join(reasons)}\n"
        "  name one with RAY_TMPDIR, or leave Ray out with --no-ray"
    )


def gpu_count(driver: Path = Path("/proc/driver/nvidia/gpus")) -> int:
    """NVIDIA GPUs this process may use, told without torch or Ray; for a plan, Ray's own count decides a run.

    A shell may set CUDA_VISIBLE_DEVICES on a machine without any.
    """
    there = len(list(driver.iterdir())) if driver.is_dir() else 0
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None or not there:
        return there
    count = 0
    for name in (text.strip() for text in visible.split(",")):
        # CUDA, too, takes the names up to the first that is none of a GPU, or of a part (MIG) of one.
        if not (name.startswith(("GPU-", "MIG-")) or (name.isdecimal() and int(name) < there)):
            break
        count += 1
    return count


def settle_user() -> None:
    """Name a user and a home folder where the system knows neither, as in a container under a number of its own.

    torch, Ray and caches ask for both, and end in errors of their own where there are none.

    Raises
    ------
    UserError
        There is no temporary folder that could stand for a home.
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


def gpu_slots(gpus: float, each: float) -> int:
    """How many shares of `each` a machine's GPUs hold; a share below one GPU never lies across two."""
    return int(gpus) * int(1 / each + 1e-9) if each < 1 else int(gpus / each)


def slots_on(machine: Mapping[str, float], cpus: float, gpus: float) -> int:
    """How many workers with so many CPUs and GPUs each a machine with Ray's resources `CPU` and `GPU` holds."""
    fit = int(machine.get("CPU", 0.0) / cpus)
    return min(fit, gpu_slots(machine.get("GPU", 0.0), gpus)) if gpus else fit


def slots(cpus_per_trial: float, gpus_per_trial: float | None, jobs: int | None) -> int:
    """How many trials run side by side on this machine."""
    fit = int(max(cpu_count(), (jobs or 1) * cpus_per_trial) / cpus_per_trial)
    gpus = gpu_count()
    if gpus and gpus_per_trial != 0:
        fit = min(fit, gpu_slots(gpus, gpus_per_trial or 1))
    return max(1, min(fit, jobs or fit))
