"""Starting a Ray of the run's own."""

from __future__ import annotations

from typing import Any

import pytest
import ray

from bench.errors import UserError
from bench.execution.messages import RunOptions
from bench.execution.ray_cluster import local_ray


def test_a_machine_too_busy_for_ray_to_start_is_told_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def init(**_: Any) -> None:
        raise Exception("The current node timed out during startup. This could happen because ...")  # Ray 2.60's

    monkeypatch.setattr(ray, "init", init)
    with pytest.raises(UserError, match=r"this machine is busy .*--no-ray"), local_ray(RunOptions(), 0):
        pass
