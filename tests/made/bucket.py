"""A real S3 server on this machine's loopback, and what a bucket in it holds."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import s3fs
from moto.server import ThreadedMotoServer


@dataclass
class Bucket:
    """An empty bucket; `url` is that of a ledger in it, `fs` its contents as s3fs has them."""

    name: str
    server: ThreadedMotoServer
    port: int

    @property
    def url(self) -> str:
        return f"s3://{self.name}/results"

    @property
    def fs(self) -> Any:
        return s3fs.S3FileSystem(use_listings_cache=False, skip_instance_cache=True)

    def paths(self, folder: str = "") -> list[str]:
        """Keys below the ledger's URL, without that."""
        top = f"{self.name}/results/"
        return [path.removeprefix(top) for path in self.fs.find(top + folder)]

    def go_away(self) -> None:
        self.server.stop()

    def come_back(self) -> None:
        """The same server with what it held, at the same address."""
        self.server = start(self.port)


def start(port: int = 0) -> ThreadedMotoServer:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
    server.start()
    return server


def opened(monkeypatch: pytest.MonkeyPatch, state: Path) -> Bucket:
    """A server with one bucket; this process and those it starts find it. `state` stands for the user's state folder.

    It closes connections when it stops: call `go_away` at the end.
    """
    server = start()
    _, port = server.get_host_and_port()
    for variable in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(variable, raising=False)
    settings = {
        "AWS_ACCESS_KEY_ID": "me",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_MAX_ATTEMPTS": "1",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "AWS_EC2_METADATA_DISABLED": "true",
        "XDG_STATE_HOME": str(state),
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    bucket = Bucket(f"bench-{uuid.uuid4().hex[:8]}", server, port)
    bucket.fs.mkdir(bucket.name)
    return bucket
