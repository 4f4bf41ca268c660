"""What tests with a real SLURM need of this machine: its programs, and its authentication."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest


def have_slurm() -> None:
    """Skip where SLURM is not installed; in CI it must be."""
    missing = [
        name for name in ("slurmctld", "slurmd", "sbatch", "munged") if not shutil.which(name, path=slurm_path())
    ]
    if os.getuid() == 0 and not missing:
        return
    if os.environ.get("BENCH_REQUIRE_SLURM"):
        pytest.fail(f"SLURM is required here; missing: {', '.join(missing) or 'root'}")
    pytest.skip("needs root and Debian's slurmctld, slurmd, slurm-client and munge")


def slurm_path() -> str:
    return f"{os.environ['PATH']}:/usr/sbin:/sbin"


def start_munge() -> None:
    """SLURM's authentication, if this machine does not run it."""
    if subprocess.run("munge -n | unmunge", shell=True, capture_output=True).returncode == 0:
        return
    key = Path("/etc/munge/munge.key")
    if not key.exists():
        key.parent.mkdir(parents=True, exist_ok=True)
        key.write_bytes(os.urandom(1024))
    Path("/run/munge").mkdir(exist_ok=True)
    subprocess.run("chown -R munge: /etc/munge /run/munge /var/log/munge /var/lib/munge", shell=True, check=True)
    key.chmod(0o400)
    subprocess.run(["su", "-s", "/bin/sh", "munge", "-c", "/usr/sbin/munged"], check=True, timeout=30)
