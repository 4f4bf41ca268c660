"""This process and its machine: CPUs and GPUs it may use, and where temporary files go."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from bench.limits import CGROUP, PROCESS, cpu_limit


def cpu_count(root: Path = CGROUP, process: Path = PROCESS) -> int:
    """CPUs this process may keep busy: those it may run on, or the whole ones in a container's quota of CPU time."""
    limit = cpu_limit(root, process)
    return visible_cpus() if limit is None else max(1, min(visible_cpus(), int(limit)))


def visible_cpus() -> int:
    """CPUs this process may run on, whatever share of their time it gets."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def temporary_folder() -> Path:
    """Where Ray's files go while it runs: /tmp if there is one, since socket paths must stay under 108 characters."""
    return Path("/tmp") if Path("/tmp").is_dir() else Path(tempfile.gettempdir())


def gpu_count() -> int:
    """NVIDIA GPUs this process may use, told without torch or Ray; for a plan, Ray's own count decides a run."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return len([name for name in visible.split(",") if name.strip() not in ("", "-1")])
    driver = Path("/proc/driver/nvidia/gpus")
    return len(list(driver.iterdir())) if driver.is_dir() else 0


def gpu_places(gpus: float, each: float) -> int:
    """How many shares of `each` a machine's GPUs hold; a share below one GPU never lies across two."""
    return int(gpus) * int(1 / each + 1e-9) if each < 1 else int(gpus / each)


def places_on(machine: Mapping[str, float], cpus: float, gpus: float) -> int:
    """How many workers with so many CPUs and GPUs each a machine with Ray's resources `CPU` and `GPU` holds."""
    fit = int(machine.get("CPU", 0.0) / cpus)
    return min(fit, gpu_places(machine.get("GPU", 0.0), gpus)) if gpus else fit


def slots(cpus_per_trial: float, gpus_per_trial: float | None, jobs: int | None) -> int:
    """How many trials run side by side on this machine."""
    fit = int(max(cpu_count(), (jobs or 1) * cpus_per_trial) / cpus_per_trial)
    gpus = gpu_count()
    if gpus and gpus_per_trial != 0:
        fit = min(fit, gpu_places(gpus, gpus_per_trial or 1))
    return max(1, min(fit, jobs or fit))
