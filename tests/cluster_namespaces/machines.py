"""The hosts of a cluster and of its user: bench commands on them, and the launcher file."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from commands import command
from hosts import Host

from bench.data import DATASETS
from bench.data.local_files import cached

ROOT = Path(__file__).parents[2]
RAY = f"{sys.prefix}/bin/ray"
LAUNCHER = f"""
cluster_name: three
provider: {{type: local, head_ip: @head, worker_ips: [@one, @two]}}
auth: {{ssh_user: root, ssh_private_key: ~/.ssh/id_ed25519}}
file_mounts: {{~/.ray/auth_token: ~/.ray/auth_token}}
head_start_ray_commands:
  - {RAY} stop
  - >-
    RAY_AUTH_MODE=token {RAY} start --head --node-ip-address=@head --port=6379 --num-cpus=1
    --object-store-memory=200000000 --dashboard-host=127.0.0.1 --autoscaling-config=~/ray_bootstrap_config.yaml
worker_start_ray_commands:
  - {RAY} stop
  - RAY_AUTH_MODE=token {RAY} start --address=$RAY_HEAD_IP:6379 --num-cpus=1 --object-store-memory=200000000
metadata: {{bench: {{python: {sys.executable}, send_data: true}}}}
"""


@dataclass(frozen=True)
class Machines:
    """The cluster's hosts, and `client`, from where it is used; `launcher` is the file's name in the client's home."""

    head: Host
    one: Host
    two: Host
    client: Host
    launcher: str = "three.yaml"

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a bench command on the client, its output to be read."""
        return self.client.start(
            command(*arguments), env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )

    def bench(self, *arguments: str) -> str:
        """Run a bench command on the client, which has to succeed; what it prints."""
        done = self.client.run(*command(*arguments), env=environment(), timeout=900)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def nodes(self) -> int:
        """How many nodes the cluster has now."""
        done = self.head.run(RAY, "status", env={"RAY_AUTH_MODE": "token"})
        found = re.search(r"Active:\n (\d+) ", done.stdout)
        return int(found.group(1)) if found else 0

    def file(self, name: str) -> Path:
        """A file in the client's home."""
        return self.client.home / name


def environment() -> dict[str, str]:
    return {"PYTHONPATH": str(ROOT), "BENCH_DATA": str(data_folder())}


def data_folder() -> Path:
    """Where this machine keeps its data, which the client has too and the cluster has not."""
    info = DATASETS["fashion_mnist"]
    return Path(os.environ.get("BENCH_DATA") or cached(info).root.parent)
