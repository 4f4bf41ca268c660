"""What is made of the answers of a head: reached or not, a command that failed, a Ray that runs there or none."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.errors import UserError
from bench.execution.cluster import cluster_state
from bench.execution.cluster import head as head_module
from bench.execution.cluster.head import CommandError, ConnectionLostError, connection_errors, shell, ssh_error
from bench.execution.cluster.jobs import Job, run_status
from bench.execution.cluster.launcher import ClusterSettings, Launcher

DENIED = """Checking Local environment settings
Fetched IP: 10.77.0.2
Warning: Permanently added '10.77.0.2' (ED25519) to the list of known hosts.
me@10.77.0.2: Permission denied (publickey,keyboard-interactive).
Error: Command failed:

  ssh -tt -i ~/.ssh/bad me@10.77.0.2 bash --login -c -i 'source ~/.bashrc; {command}'
"""
CUT = """Fetched IP: 10.77.0.2
ssh: connect to host 10.77.0.2 port 22: Connection timed out
Error: Command failed:

  ssh -tt me@10.77.0.2 bash --login -c -i 'source ~/.bashrc; {command}'
"""
Answer = Callable[[str], tuple[int, str]]


@pytest.fixture
def launcher(tmp_path: Path) -> Launcher:
    settings = ClusterSettings(python="/no/such/python", folder=str(tmp_path / "bench"))
    return Launcher(tmp_path / "my cluster.yaml", "three", "aws", settings, gpus=False, autoscaling=False)


@pytest.fixture
def head(monkeypatch: pytest.MonkeyPatch) -> Callable[[Answer], list[list[str]]]:
    """Have a function answer what Ray's launcher is asked to run on the head; the launcher's commands are listed."""
    asked: list[list[str]] = []

    def answer_with(answer: Answer) -> list[list[str]]:
        def call(_: Launcher, command: list[str], *__: object) -> tuple[int, str]:
            asked.append(command[4:])
            return answer(command[-1]) if "exec" in command else (0, "10.77.0.2\n")

        monkeypatch.setattr(head_module, "run_command", call)
        monkeypatch.setattr(cluster_state, "run_command", call)
        return asked

    return answer_with


def here(command: str) -> tuple[int, str]:
    """Run it in a shell of this machine, as ssh does on the head."""
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    return done.returncode, f"Fetched IP: 10.77.0.2\n{done.stdout}{done.stderr}Shared connection closed.\n"


@pytest.mark.parametrize("printed", [DENIED, CUT])
def test_a_head_that_is_not_reached_is_told_apart_from_a_command_that_fails(
    launcher: Launcher, head: Callable[[Answer], object], printed: str
) -> None:
    # The launcher prints the whole command that it could not run, with all that is in it.
    head(lambda command: (1, printed.format(command=command)))
    with pytest.raises(ConnectionLostError):
        shell(launcher, "cat run.json")
    head(here)
    with pytest.raises(CommandError):
        shell(launcher, "cat /no/such/file")
    assert shell(launcher, "echo one; echo two") == "one\ntwo\n"


@pytest.mark.parametrize(
    ("printed", "said"),
    [
        (DENIED, "me@10.77.0.2: Permission denied (publickey,keyboard-interactive)."),
        (CUT, "ssh: connect to host 10.77.0.2 port 22: Connection timed out"),
    ],
)
def test_of_a_connection_that_fails_the_words_of_ssh_are_told(launcher: Launcher, printed: str, said: str) -> None:
    assert ssh_error(printed) == said
    with pytest.raises(UserError) as error, connection_errors(launcher):
        raise ConnectionLostError(ssh_error(printed))
    assert said in str(error.value)
    assert f"ray exec '{launcher.path}' uptime" in str(error.value)


def test_a_cluster_is_not_started_while_its_head_cannot_be_reached(
    launcher: Launcher, head: Callable[[Answer], list[list[str]]]
) -> None:
    asked = head(lambda command: (1, CUT.format(command=command)))
    with pytest.raises(ConnectionLostError, match="timed out"):
        cluster_state.start_cluster(launcher, print)
    assert not [command for command in asked if command[0] == "up"]


def test_a_cluster_is_not_started_over_a_ray_whose_python_the_file_names_wrongly(
    launcher: Launcher, head: Callable[[Answer], list[list[str]]], tmp_path: Path
) -> None:
    program = tmp_path / "gcs_server"
    program.symlink_to("/bin/sleep")
    asked = head(here)
    with subprocess.Popen([program, "60"]) as server:
        try:
            with pytest.raises(UserError) as error:
                cluster_state.start_cluster(launcher, print)
        finally:
            server.kill()
    assert "Ray runs on the head" in str(error.value)
    assert "metadata.bench.python" in str(error.value)
    assert "/no/such/python" in str(error.value)
    assert not [command for command in asked if command[0] == "up"]


def test_a_cluster_on_which_another_run_is_at_work_is_not_torn_down(
    launcher: Launcher, head: Callable[[Answer], list[list[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = head(here)
    jobs = {"mine": Job("RUNNING"), "past": Job("SUCCEEDED"), "other": Job("RUNNING")}
    monkeypatch.setattr(cluster_state, "jobs_of", lambda _: jobs)
    said: list[str] = []
    cluster_state.tear_down(launcher, said.append, "mine")
    assert said == [
        f"cluster 'three' stays up: other run there; `ray down '{launcher.path}'` tears it down all the same"
    ]
    assert not asked
    del jobs["other"]
    cluster_state.tear_down(launcher, said.append, "mine")
    assert [command[0] for command in asked] == ["down"]


def test_a_key_that_new_machines_go_on_refusing_ends_the_wait_for_them(
    launcher: Launcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = (
        "import time\nwhile True: print('me@10.77.0.2: Permission denied (publickey).', flush=True); time.sleep(0.1)"
    )
    monkeypatch.setattr(cluster_state, "cluster_status", lambda _: None)
    monkeypatch.setattr(cluster_state, "ray_command", lambda *_: [sys.executable, "-c", refused])
    monkeypatch.setattr(cluster_state, "DENIED_SECONDS", 1.0)
    with pytest.raises(UserError) as error:
        cluster_state.start_cluster(launcher, lambda _: None)
    assert f"`ray up '{launcher.path}'` failed" in str(error.value)
    assert "Permission denied (publickey)" in str(error.value)


def test_a_run_that_tells_nothing_stands_as_ray_says() -> None:
    pip = Job(
        "FAILED", "runtime_env setup failed\nTraceback ...\nERROR: No matching distribution found for rich==15\n}"
    )
    assert run_status("r", "", "", pip).state == "failed before it started"
    assert run_status("r", "", "", pip).reason == "ERROR: No matching distribution found for rich==15"
    assert run_status("r", "", "", Job("PENDING")).state == "Ray is installing its packages"
    assert run_status("r", "", "", Job("RUNNING")).state == "starting"
    assert run_status("r", "", "", Job("GONE")).state == "not started"
    assert run_status("r", "running", "1 of 4", Job("RUNNING")).state == "running"
    assert run_status("r", "running", "1 of 4", Job("FAILED", "killed")).state == "ended without reporting why (failed)"
    assert run_status("r", "done", "4 of 4", Job("GONE")).state == "done"


def test_a_launcher_command_that_is_watched_ends_when_its_watcher_has_seen_enough(launcher: Launcher) -> None:
    script = "import time\nfor n in range(600): print(n, flush=True); time.sleep(0.1)"
    code, out = head_module.run_command(launcher, [sys.executable, "-c", script], None, lambda line: line != "3")
    assert code != 0
    assert out.split()[:4] == ["0", "1", "2", "3"]
    assert len(out.split()) < 600


def test_a_launcher_command_that_hangs_takes_its_own_processes_with_it(launcher: Launcher) -> None:
    with pytest.raises(ConnectionLostError, match=r"no answer within 0\.5 s"):
        head_module.run_command(launcher, ["bash", "-c", "sleep 321.5 & wait"], 0.5)
    listed = subprocess.run(["pgrep", "-u", str(os.getuid()), "-f", "^sleep 321.5"], capture_output=True, check=False)
    assert not listed.stdout
