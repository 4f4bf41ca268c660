"""Hosts on one machine: network namespaces on a bridge, each with processes, /tmp, home and an ssh server of its own.

A host sees nothing of another but what goes over the wire: no common process numbers (`ray stop` on one leaves the
rest alone), no common /tmp, home or shared memory. What is installed on the machine is there on every one. Needs root.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

REQUIRED = "BENCH_REQUIRE_NAMESPACES"
"""Set where tests with hosts must not be skipped, as in CI."""
TOOLS = ("ip", "unshare", "nsenter", "setpriv", "sshd", "ssh", "ssh-keygen", "rsync")
NETWORK = "10.77.0"
HOME = pwd.getpwuid(0).pw_dir
"""Where a host's only user, root, is at home; every host has a folder of its own there."""

SERVE = f"$(command -v sshd) -f {HOME}/.ssh/sshd_config"
"""The shell command that starts a host's ssh server."""

INIT = """
set -e
hostname {name}
mount -t tmpfs tmpfs /mnt
for path in {kept}; do
  place=/mnt/kept$path
  mkdir -p "$place" && mount --bind "$path" "$place"
done
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
mount --bind {folder}/home {home}
mount --bind {folder}/tmp /tmp
for path in {kept}; do
  mkdir -p "$path" && mount --bind "/mnt/kept$path" "$path"
done
mkdir -p /run/sshd
{serve}
while true; do sleep 3600 & wait $! || true; done
"""
"""What a host's first process does; it stays, and takes in processes whose parents have died."""

SSHD = """
ListenAddress {address}
HostKey {home}/.ssh/host_key
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
"""


@dataclass
class Host:
    """One of the hosts; `pid` is its first process, whose end is the end of all of them."""

    name: str
    address: str
    namespace: str
    folder: Path
    pid: int

    @property
    def home(self) -> Path:
        """Its home, as the machine sees it."""
        return self.folder / "home"

    def serve(self) -> None:
        """Start the ssh server again, which dies with the other processes but the first."""
        done = self.run("bash", "-c", SERVE)
        if done.returncode:
            raise RuntimeError(f"host {self.name} starts no ssh server: {done.stdout}")

    def start(self, command: Sequence[str], **options: Any) -> subprocess.Popen[str]:
        """Start a command on this host, with its own home and none of the caller's Ray settings."""
        environment = {name: text for name, text in os.environ.items() if not name.startswith(("RAY_", "BENCH_RES"))}
        environment |= {"HOME": HOME, **options.pop("env", {})}
        enter = ["nsenter", f"--target={self.pid}", "--mount", "--pid", "--net", "--uts", "--ipc", f"--wdns={HOME}"]
        return subprocess.Popen([*enter, *command], env=environment, text=True, **options)

    def run(self, *command: str, timeout: float = 300, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a command on this host to its end; stderr goes with stdout."""
        process = self.start(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
        try:
            out, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        return subprocess.CompletedProcess(command, process.returncode, out)

    def runs(self, program: str) -> bool:
        """Whether a process of this program is there."""
        return self.run("pidof", program).returncode == 0

    def kill(self) -> None:
        """Power off: every process of the host ends at once."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def cut(self) -> None:
        """Pull the network cable."""
        self._link("down")

    def mend(self) -> None:
        """Put it back."""
        self._link("up")

    def _link(self, state: str) -> None:
        _call("ip", "netns", "exec", self.namespace, "ip", "link", "set", "eth0", state)


def lacking() -> str:
    """Why there can be no hosts here; "" when there can."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "network namespaces need root on Linux"
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        return f"not installed: {', '.join(missing)} (Debian: iproute2, openssh-server, rsync)"
    probe = subprocess.run(["unshare", "--net", "--pid", "--mount", "--uts", "--ipc", "--fork", "true"], check=False)
    return "this machine allows no namespaces" if probe.returncode else ""


def have_hosts() -> None:
    """Skip where there can be no hosts, and fail where they are required."""
    if reason := lacking():
        if os.environ.get(REQUIRED):
            pytest.fail(f"{REQUIRED} is set, but {reason}")
        pytest.skip(reason)


@contextlib.contextmanager
def hosts(folder: Path, names: Sequence[str], kept: Sequence[Path] = ()) -> Iterator[dict[str, Host]]:
    """Hosts that reach each other, by name; gone with everything on them at the end.

    `kept` are folders within /tmp or root's home that the hosts share with the machine all the same, as the checkout.
    """
    _sweep()
    mark = f"bench-{os.getpid()}-{secrets.token_hex(2)}"
    switch = f"{mark}-switch"
    spaces = [switch]
    started: list[tuple[Host, subprocess.Popen[bytes]]] = []
    key = folder / "id_ed25519"
    folder.mkdir(parents=True, exist_ok=True)
    _call("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key))
    try:
        _call("ip", "netns", "add", switch)
        _call("ip", "netns", "exec", switch, "ip", "link", "add", "bridge", "type", "bridge")
        _call("ip", "netns", "exec", switch, "ip", "link", "set", "bridge", "up")
        for number, name in enumerate(names, start=2):
            space, address = f"{mark}-{name}", f"{NETWORK}.{number}"
            _call("ip", "netns", "add", space)
            spaces.append(space)
            _plug(switch, space, f"port{number}", address)
            started.append(_boot(name, address, space, folder / name, key, _covered(kept)))
        yield {host.name: host for host, _ in started}
    finally:
        for host, process in started:
            host.kill()
            process.wait(timeout=300)
        for space in reversed(spaces):
            subprocess.run(["ip", "netns", "delete", space], check=False)


def _sweep() -> None:
    """Remove the namespaces of processes that were killed before they could."""
    listed = subprocess.run(["ip", "netns", "list"], check=True, capture_output=True, text=True).stdout
    for name in (line.split()[0] for line in listed.splitlines() if line.startswith("bench-")):
        if not Path("/proc", name.split("-")[1]).exists():
            subprocess.run(["ip", "netns", "delete", name], check=False)


def _plug(switch: str, space: str, port: str, address: str) -> None:
    """A cable from the switch to a host's eth0."""
    _call(
        "ip", "netns", "exec", switch, "ip", "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", space
    )
    _call("ip", "netns", "exec", switch, "ip", "link", "set", port, "master", "bridge", "up")
    _call("ip", "netns", "exec", space, "ip", "address", "add", f"{address}/24", "dev", "eth0")
    _call("ip", "netns", "exec", space, "ip", "link", "set", "eth0", "up")
    _call("ip", "netns", "exec", space, "ip", "link", "set", "lo", "up")


def _boot(
    name: str, address: str, space: str, folder: Path, key: Path, kept: list[str]
) -> tuple[Host, subprocess.Popen[bytes]]:
    ssh = folder / "home" / ".ssh"
    ssh.mkdir(parents=True)
    (folder / "tmp").mkdir(mode=0o1777)
    shutil.copy(key, ssh / "id_ed25519")
    shutil.copy(key.with_suffix(".pub"), ssh / "authorized_keys")
    _call("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(ssh / "host_key"))
    (ssh / "sshd_config").write_text(SSHD.format(address=address, home=HOME))
    (folder / "home" / ".bashrc").touch()
    script = INIT.format(name=name, folder=folder, home=HOME, serve=SERVE, kept=" ".join(kept))
    unshare = ["unshare", "--mount", "--pid", "--uts", "--ipc", "--fork", "--kill-child", "--mount-proc"]
    # Should this process be killed, its hosts go too.
    command = ["setpriv", "--pdeathsig", "KILL", "ip", "netns", "exec", space, *unshare, "bash", "-c", script]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    end = time.monotonic() + 300
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(IndexError):
            pid = int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0])
            host = Host(name, address, space, folder, pid)
            if host.runs("sshd"):
                return host, process
        time.sleep(0.1)
    process.kill()
    raise RuntimeError(f"host {name} did not start:\n{(folder / 'log').read_text()}")


def _covered(paths: Sequence[Path]) -> list[str]:
    """Those of the paths that a host's own /tmp and home would hide."""
    hidden = (Path("/tmp"), Path(HOME))
    return sorted({str(path.resolve()) for path in paths if any(path.resolve().is_relative_to(top) for top in hidden)})


def _call(*command: str) -> None:
    subprocess.run(command, check=True)
