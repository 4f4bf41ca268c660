"""Checkpoints of trials on other nodes, kept by a process where the driver runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

DRIVER = """
import sys
import time
from pathlib import Path
import pytest
from bench.execution.messages import RunOptions
from bench.execution.ray_cluster import local_ray, set_environment
set_environment()
import ray
from bench.execution.checkpoints import RemoteCheckpointStore
from bench.errors import UserError

with local_ray(RunOptions(), 0):
    store, path = RemoteCheckpointStore.start(), Path(sys.argv[1])
    with pytest.raises(FileNotFoundError):
        store.read(path)
    store.write(b"state", path)
    assert store.read(path) == b"state"
    ray.kill(store.actor)
    # Ray ends it when it comes to it, and it may answer until then.
    for _ in range(600):
        try:
            store.read(path)
        except OSError:
            break
        time.sleep(0.1)
    # What `bench.execution.checkpoints` takes for a checkpoint that cannot be read or written.
    with pytest.raises(OSError, match="does not answer"):
        store.read(path)
    with pytest.raises(UserError, match="does not answer"):
        store.write(b"state", path)
"""


@pytest.mark.slow
def test_a_checkpoint_is_read_back_and_its_keepers_end_is_no_failure_of_a_trial(tmp_path: Path) -> None:
    path = tmp_path / "results" / "checkpoints" / "a.pt"
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, path], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
