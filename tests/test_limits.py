"""Limits of a container, read from files as the kernel shows them."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.system import cpu_count, cpu_limit, machine_memory, memory, memory_limit, slots, visible_cpus


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")


@pytest.fixture
def process(tmp_path: Path) -> Path:
    """What ``/proc/self/cgroup`` says."""
    return tmp_path / "process"


def test_version_2_the_tightest_group_counts(tmp_path: Path, process: Path) -> None:
    process.write_text("0::/user/job\n")
    write(
        tmp_path / "cgroup",
        {
            "user/cpu.max": "150000 100000",
            "user/job/cpu.max": "max 100000",
            "user/memory.max": "max",
            "user/job/memory.max": "1000000",
        },
    )
    assert cpu_limit(tmp_path / "cgroup", process) == 1.5
    assert memory_limit(tmp_path / "cgroup", process) == 1_000_000
    assert memory(tmp_path / "cgroup", process) == 1_000_000


def test_version_1_seen_from_within_a_container(tmp_path: Path, process: Path) -> None:
    process.write_text("4:memory:/docker/0123\n3:cpu,cpuacct:/docker/0123\n")
    write(
        tmp_path / "cgroup",
        {
            "cpu,cpuacct/cpu.cfs_quota_us": "50000",
            "cpu,cpuacct/cpu.cfs_period_us": "100000",
            "memory/memory.limit_in_bytes": "2000000",
        },
    )
    assert cpu_limit(tmp_path / "cgroup", process) == 0.5
    assert memory_limit(tmp_path / "cgroup", process) == 2_000_000


def test_no_limit(tmp_path: Path, process: Path) -> None:
    process.write_text("4:memory:/\n3:cpu:/\n0::/\n")
    write(
        tmp_path / "cgroup",
        {
            "cpu/cpu.cfs_quota_us": "-1",
            "cpu/cpu.cfs_period_us": "100000",
            "memory/memory.limit_in_bytes": "9223372036854771712",
        },
    )
    assert cpu_limit(tmp_path / "cgroup", process) is None
    assert memory_limit(tmp_path / "cgroup", process) is None


def test_a_system_without_control_groups(tmp_path: Path, process: Path) -> None:
    assert cpu_limit(tmp_path / "cgroup", process) is None
    assert memory_limit(tmp_path / "cgroup", process) is None
    assert memory(tmp_path / "cgroup", process) == machine_memory()


@pytest.mark.parametrize(
    ("quota", "cpus"), [("150000", 2), ("111000", 1), ("100000", 1), ("20000", 1), ("max", None), ("99900000", None)]
)
def test_trials_leave_at_most_a_tenth_of_a_quota(quota: str, cpus: int | None, tmp_path: Path, process: Path) -> None:
    """As many as use up nine tenths of it, and no more than CPUs."""
    process.write_text("0::/job\n")
    write(tmp_path / "cgroup", {"job/cpu.max": f"{quota} 100000"})
    assert cpu_count(tmp_path / "cgroup", process) == min(cpus or visible_cpus(), visible_cpus())


def test_as_many_trials_as_cpus_may_be_kept_busy() -> None:
    assert slots(1, 0, None) == cpu_count()
    assert slots(cpu_count(), 0, None) == 1
