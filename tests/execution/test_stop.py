"""Signals that end a run, and those that a library swallows; each in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SIGNALLED = """
import os, signal
from bench.execution.stop import is_stopped, raise_if_stopped, stop_on_signals

def interrupted():
    try:
        os.kill(os.getpid(), NUMBER)
    except KeyboardInterrupt:
        return True
    return False
"""


def run(code: str, number: str = "signal.SIGTERM") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", SIGNALLED.replace("NUMBER", number) + code], capture_output=True, text=True, timeout=60
    )


def test_both_signals_interrupt_and_are_remembered() -> None:
    for number in ("signal.SIGTERM", "signal.SIGINT"):
        done = run("with stop_on_signals(): print(is_stopped(), interrupted(), is_stopped())", number)
        assert (done.stdout, done.stderr) == ("False True True\n", "")


def test_handlers_are_put_back_and_an_ignored_ctrl_c_stays_ignored() -> None:
    done = run("""
signal.signal(signal.SIGINT, signal.SIG_IGN)
with stop_on_signals():
    os.kill(os.getpid(), signal.SIGINT)
    with stop_on_signals(): pass
    print(interrupted())
print(signal.getsignal(signal.SIGTERM) is signal.SIG_DFL, signal.getsignal(signal.SIGINT) is signal.SIG_IGN)
""")
    assert (done.stdout, done.stderr) == ("True\nTrue True\n", "")


def test_a_stop_that_a_library_swallowed_is_made_good() -> None:
    done = run("""
raise_if_stopped()
with stop_on_signals():
    interrupted()
    try:
        raise_if_stopped()
    except KeyboardInterrupt:
        print("made good")
""")
    assert (done.stdout, done.stderr) == ("made good\n", "")


def test_an_interrupt_inside_made_code_leaves_the_exit_code_alone(tmp_path: Path) -> None:
    """As when it comes while a data class is made; Python's own KeyboardInterrupt ends a module by SIGINT then."""
    module = (
        SIGNALLED.replace("NUMBER", "signal.SIGTERM")
        + """
with stop_on_signals():
    try:
        exec("os.kill(os.getpid(), signal.SIGTERM)")
    except KeyboardInterrupt:
        raise SystemExit(130) from None
"""
    )
    (tmp_path / "interrupted.py").write_text(module)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    done = subprocess.run([sys.executable, "-m", "interrupted"], env=environment, timeout=60)
    assert done.returncode == 130


PROGRAM = """
import sys
import bench.cli
from bench.__main__ import main

def app():
    interrupted()
    END

bench.cli.app = app
main()
"""


def test_whatever_an_interrupt_became_the_program_says_stopped() -> None:
    for end in ("raise ImportError('half a library')", "sys.exit(1)", "raise KeyboardInterrupt"):
        done = run(PROGRAM.replace("END", end))
        assert (done.returncode, done.stderr.splitlines()[0][:8]) == (130, "Stopped."), end


def test_what_was_not_interrupted_fails_as_itself() -> None:
    end = "pass\ndef app(): raise ImportError('half a library')\nbench.cli.app = app"
    done = run(PROGRAM.replace("    interrupted()\n    END", f"    {end}"))
    assert done.returncode == 1
    assert done.stderr.startswith("bench failed unexpectedly: ImportError: half a library")
