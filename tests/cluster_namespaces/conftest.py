"""A cluster of three hosts, brought up by Ray's own launcher from a fourth."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hosts import have_hosts, hosts
from machines import LAUNCHER, RAY, ROOT, Machines, data_folder

from bench.data import fetch


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    """Three hosts that make the cluster and the client; nothing runs on them yet but ssh servers."""
    have_hosts()
    fetch("fashion_mnist")
    kept = [ROOT, Path(sys.prefix), Path(sys.base_prefix), data_folder()]
    with hosts(tmp_path_factory.mktemp("hosts"), ["head", "one", "two", "client"], kept) as up:
        text = LAUNCHER
        for name, host in up.items():
            text = text.replace(f"@{name}", host.address)
        machines = Machines(**up)
        machines.file(machines.launcher).write_text(text)
        done = machines.client.run(RAY, "get-auth-token", "--generate")
        assert done.returncode == 0, done.stdout
        yield machines
