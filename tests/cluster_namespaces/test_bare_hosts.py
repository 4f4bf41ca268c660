"""`bench run --cluster` on hosts that have Ray and nothing else, by examples/own_machines.yaml.

The file is taken as it stands but for addresses, user, the packages beside Ray in its `setup_commands`, and how often
Ray tries to install: what a run needs is then installed by Ray when it starts. Records go to a bucket, which asks for
s3fs there and for a secret.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from commands import command
from hosts import HOME, Host, have_hosts, hosts
from machines import ROOT
from wheels import requirements_of, write_wheels

pytestmark = pytest.mark.slow

SECRET = "wJalrXUtnFEMI-not-for-others"
NET = """
import os
from torch import nn

def small(input_shape, classes, width):
    assert os.environ["AWS_SECRET_ACCESS_KEY"] and os.environ["OF_THE_FILE"]
    return nn.Sequential(nn.Flatten(), nn.Linear(input_shape[1] * input_shape[2], width), nn.Linear(width, classes))
"""
SUITE = """
name: bare
defaults: {dataset: {name: npz, path: few.npz}, epochs: 2, batch_size: 20, seeds: 2}
grid:
  model: {name: "net.py:small", width: {grid: [4, 8]}}
  optimizer: {name: sgd, lr: 0.1}
"""
ENV = (
    "env: {OF_THE_FILE: seen, AWS_ENDPOINT_URL: 'http://CLIENT:5000', AWS_DEFAULT_REGION: us-east-1, "
    "AWS_ACCESS_KEY_ID: me, AWS_SECRET_ACCESS_KEY: null}"
)
RESULTS = "s3://records/results"


@dataclass(frozen=True)
class Bare:
    """The hosts; the client's home holds the launcher's file and the suite."""

    head: Host
    worker: Host
    client: Host
    file: str = "my cluster.yaml"

    def bench(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.client.run(*command(*arguments), env=self.environment(), timeout=900)

    def environment(self) -> dict[str, str]:
        bucket = {"AWS_ENDPOINT_URL": f"http://{self.client.address}:5000", "AWS_ACCESS_KEY_ID": "me"}
        more = {"AWS_DEFAULT_REGION": "us-east-1", "OF_THE_FILE": "here, where the suite is checked"}
        return {"PYTHONPATH": str(ROOT), "AWS_SECRET_ACCESS_KEY": SECRET, **bucket, **more}

    def other_file(self, name: str, old: str, new: str) -> str:
        """The launcher's file with something changed in it."""
        text = (self.client.home / self.file).read_text()
        assert old in text
        (self.client.home / name).write_text(text.replace(old, new))
        return name

    def gcs_server(self) -> str:
        return self.head.run("pidof", "gcs_server").stdout


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bare]:
    """Hosts with a Python, and pip that finds packages in a folder; a bucket on the client; no Ray yet."""
    have_hosts()
    folder = tmp_path_factory.mktemp("bare")
    wheels = folder / "wheels"
    write_wheels(wheels, [*requirements_of("benchgrid"), "s3fs"])
    kept = [ROOT, Path(sys.prefix), Path(sys.base_prefix), wheels]
    with hosts(folder / "hosts", ["head", "worker", "client"], kept) as up:
        for host in up.values():
            (host.home / ".config/pip").mkdir(parents=True)
            (host.home / ".config/pip/pip.conf").write_text(f"[global]\nno-index = true\nfind-links = {wheels}\n")
            (host.home / ".bashrc").write_text(f"export PATH={sys.base_prefix}/bin:$PATH\n")
        bare = Bare(**up)
        (bare.client.home / bare.file).write_text(launcher_file(bare))
        write_suite(bare.client.home)
        moto = bare.client.start([sys.executable, "-m", "moto.server", "-H", bare.client.address, "-p", "5000"])
        make = "import s3fs; s3fs.S3FileSystem().mkdir('records')"
        end = time.monotonic() + 300
        while bare.client.run(sys.executable, "-c", make, env=bare.environment()).returncode:
            assert moto.poll() is None and time.monotonic() < end
        yield bare
        moto.kill()
        moto.wait()


def launcher_file(bare: Bare) -> str:
    """examples/own_machines.yaml, on these hosts, with Ray alone installed."""
    changes = [
        (r"192\.168\.1\.11, 192\.168\.1\.12", bare.worker.address),
        (r"192\.168\.1\.10", bare.head.address),
        (r"ssh_user: me", "ssh_user: root"),
        (r": constraints.txt", f": {ROOT / 'constraints.txt'}"),
        (r"(ray\[default,train,tune\]')\n(?:    .*\n)+", r"\1\n"),
        # Ray tries three times to install what a run needs, which takes as long each time.
        (r"(\S+/ray start) --", r"RUNTIME_ENV_RETRY_TIMES=1 \1 --object-store-memory=200000000 --"),
        (r"metadata: \{bench: \{", f"metadata: {{bench: {{{ENV.replace('CLIENT', bare.client.address)}, "),
    ]
    text = (ROOT / "examples/own_machines.yaml").read_text()
    for old, new in changes:
        text, count = re.subn(old, new, text)
        assert count, old
    return text


def write_suite(folder: Path) -> None:
    (folder / "net.py").write_text(NET)
    (folder / "bare.yaml").write_text(SUITE)
    random = np.random.RandomState(0)
    images, labels = random.randint(0, 255, (300, 28, 28)).astype(np.uint8), random.randint(0, 2, 300)
    np.savez(
        folder / "few.npz",
        train_images=images[:200], train_labels=labels[:200], test_images=images[200:], test_labels=labels[200:],
    )  # fmt: skip


def test_a_run_starts_where_there_is_ray_and_nothing_else_and_keeps_its_secret(bare: Bare) -> None:
    options = ("--cluster", bare.file, "--results", RESULTS)
    done = bare.bench("run", "bare.yaml", *options)
    out = " ".join(done.stdout.split())
    assert done.returncode == 0, done.stdout
    assert re.search(r"missing on the cluster, installed by Ray when the run starts: .*rich==.*s3fs==", out)
    assert "4 of 4 trials ended" in out
    stored = "import s3fs; print(len(s3fs.S3FileSystem().glob('records/results/entries/*/*.npz')))"
    assert bare.client.run(sys.executable, "-c", stored, env=bare.environment()).stdout.strip() == "4"

    assert "bare-" in bare.bench("cluster", "status", "--cluster", bare.file).stdout
    folders = [str(host.folder / name) for host in (bare.head, bare.worker, bare.client) for name in ("tmp", "home")]
    told = subprocess.run(["grep", "-rlsI", SECRET, *folders], capture_output=True, text=True, check=False).stdout
    assert not told, told


def test_what_cannot_be_reached_or_asked_is_told_and_ray_left_as_it_is(bare: Bare) -> None:
    at_work = bare.gcs_server()
    assert at_work

    wrong = bare.other_file("wrong-python.yaml", "python: ~/bench-env/bin/python", "python: /no/such/python")
    done = bare.bench("run", "bare.yaml", "--set", "epochs=3", "--cluster", wrong, "--results", RESULTS)
    assert done.returncode == 2, done.stdout
    assert "Ray runs on the head of cluster 'ours'" in done.stdout
    assert "metadata.bench.python" in done.stdout

    bare.client.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{HOME}/.ssh/other")
    key = bare.other_file("wrong-key.yaml", "~/.ssh/id_ed25519", "~/.ssh/other")
    done = bare.bench("run", "bare.yaml", "--set", "epochs=3", "--cluster", key, "--results", RESULTS)
    assert done.returncode == 2, done.stdout
    assert "cannot be reached" in done.stdout
    assert "Permission denied" in done.stdout

    bare.head.cut()
    try:
        for arguments in (("run", "bare.yaml", "--set", "epochs=3"), ("cluster", "attach", "bare-x")):
            done = bare.bench(*arguments, "--cluster", bare.file, "--results", RESULTS)
            assert done.returncode == 2, done.stdout
            assert "cannot be reached" in done.stdout
            assert "ray exec 'my cluster.yaml' uptime" in done.stdout
    finally:
        bare.head.mend()
    done = bare.bench("cluster", "attach", "bare-x", "--cluster", bare.file)
    assert (done.returncode, "no run 'bare-x'" in done.stdout) == (2, True), done.stdout
    assert bare.gcs_server() == at_work


def test_a_run_whose_packages_cannot_be_installed_has_failed_and_says_why(bare: Bare) -> None:
    # Another ledger wants another set of packages, which Ray does not have yet; and one of them is nowhere.
    pip = bare.head.home / ".config/pip/pip.conf"
    found = pip.read_text()
    pip.write_text("[global]\nno-index = true\n")
    try:
        done = bare.bench("run", "bare.yaml", "--set", "epochs=3", "--cluster", bare.file, "--results", "local-results")
    finally:
        pip.write_text(found)
    assert done.returncode == 2, done.stdout
    assert "No matching distribution found for" in done.stdout
    left = bare.head.run("bash", "-c", "ls bench/runs/*/variables.json 2>/dev/null | wc -l").stdout.strip()
    assert left == "0"  # a driver that starts removes its own, and the client those of a run that never started
    status = bare.bench("cluster", "status", "--cluster", bare.file).stdout
    assert "failed before it started" in status, status
    assert "No matching distribution found for" in status, status


def test_ray_down_ends_ray(bare: Bare) -> None:
    ray = Path(sys.executable).parent / "ray"
    done = bare.client.run(str(ray), "down", "--yes", bare.file, env={"RAY_USAGE_STATS_ENABLED": "0"})
    assert done.returncode == 0, done.stdout
    assert not bare.gcs_server()
    assert not bare.head.runs("raylet")
