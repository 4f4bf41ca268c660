"""Connecting to a Ray cluster that runs already, or does not."""

from __future__ import annotations

import socket
import time

import pytest

from bench.errors import UserError
from bench.execution import ray_cluster
from bench.execution.messages import Connection


def test_a_server_that_takes_connections_and_says_nothing_is_waited_for_no_longer_than_the_deadline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ray_cluster, "STATUS_SECONDS", 3.0)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        ray_cluster.check_address(address)
        began = time.monotonic()
        with pytest.raises(UserError) as error, ray_cluster.connected(Connection(address)):
            pass
    assert f"--address {address}: no usable Ray cluster answers there: no answer within 3 s" in str(error.value)
    assert time.monotonic() - began < 60  # Ray alone tries for eleven minutes
