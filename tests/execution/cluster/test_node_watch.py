"""Nodes that do not start or join are reported by name, once, and others asked for."""

from __future__ import annotations

import re

import pytest

from bench.execution.cluster import node_watch
from bench.execution.cluster.node_watch import NodeWatch, latest_reason, missing_nodes

STATUS = """======== Autoscaler status: 2026-11-29 23:33:09.795063 ========
Node status
---------------------------------------------------------------
Active:
 1 local.cluster.node
Pending:
 192.0.2.3: local.cluster.node, setting-up
Recent failures:
 local.cluster.node: NodeTerminated (ip: 192.0.2.4)

Resources
---------------------------------------------------------------
Total Usage:
 0.0/2.0 CPU
"""
REFUSED = """Pending:
 (no pending nodes)
Recent failures:
 gpu-spot: LaunchFailed (latest_attempt: 11:22:{second}) -
 gpu-spot: LaunchFailed (latest_attempt: 11:22:{second}) -

Resources
"""
MONITOR_LOG = [
    "2026-11-30 11:22:01,1 INFO node_provider.py:423 -- Launching 1 nodes of type gpu-spot.",
    "2026-11-30 11:22:02,1 INFO node_provider.py:432 -- Failed to launch 1 nodes of type gpu-spot: An error occurred "
    "(InsufficientInstanceCapacity) when calling the RunInstances operation: none",
    "2026-11-30 11:22:03,1 INFO node_provider.py:432 -- Failed to launch 1 nodes of type other: An error occurred",
]


def test_nodes_that_do_not_join_are_in_what_ray_says_of_the_cluster() -> None:
    pending, failed = missing_nodes(STATUS)
    assert pending == ["192.0.2.3: local.cluster.node, setting-up"]
    assert failed == ["local.cluster.node: NodeTerminated (ip: 192.0.2.4)"]
    quiet = re.sub(r"(?<=:\n) (192|local).*", " (no such nodes)", STATUS)
    assert missing_nodes(quiet) == ([], [])


def test_a_node_is_reported_once_when_it_has_been_awaited_for_a_minute() -> None:
    watch = NodeWatch()
    assert [note.partition(";")[0] for note in watch.notes(STATUS, 0.0)] == [
        "node local.cluster.node: NodeTerminated (ip: 192.0.2.4)"
    ]
    assert watch.notes(STATUS, 40.0) == []
    assert [note.partition(";")[0] for note in watch.notes(STATUS, 60.0)] == [
        "node not joined yet: 192.0.2.3: local.cluster.node, setting-up"
    ]
    assert watch.notes(STATUS, 80.0) == []


def test_a_start_that_failed_is_reported_with_the_clouds_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_watch, "_log_lines", lambda _: MONITOR_LOG)
    watch = NodeWatch()
    (note,) = watch.notes(REFUSED.format(second="01"), 0.0)
    assert note.startswith("node gpu-spot: LaunchFailed; An error occurred (InsufficientInstanceCapacity)")
    assert watch.notes(REFUSED.format(second="09"), 20.0) == []  # tried again, with the same end
    assert latest_reason("other", MONITOR_LOG) == "An error occurred"
    assert latest_reason("gpu", MONITOR_LOG) == ""


def test_where_starts_fail_as_many_others_are_asked_for_as_are_not_awaited_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    import ray

    asked: list[dict[str, float]] = []

    class Task:
        def remote(self) -> object:
            return object()

    def remote(*, resources: dict[str, float], **_: object) -> object:
        asked.append(resources)
        return lambda _: Task()

    monkeypatch.setattr(ray, "is_initialized", lambda: True)
    monkeypatch.setattr(ray, "wait", lambda refs, **_: ([], refs))  # none has started yet
    monkeypatch.setattr(ray, "remote", remote)
    watch = NodeWatch("on_demand")
    assert watch.notes(REFUSED.format(second="01"), 0.0)[-1] == (
        "asking for 2 nodes with the resource on_demand instead"
    )
    assert watch.notes(REFUSED.format(second="01"), 20.0) == []
    assert watch.notes(REFUSED.format(second="30"), 40.0) == []  # both are awaited
    assert asked[0] == {"on_demand": 1}
