"""Signals that end a run, those that a library turns into something else or swallows among them."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from commands import STOPPED, bench, without_stack

from bench.execution import signals
from bench.execution.signals import (
    finishing,
    is_stop,
    raise_if_stopped,
    stop_on_signals,
    uninterrupted,
)
from bench.ledger.ledger import Ledger

BOTH = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP]


@pytest.fixture(autouse=True)
def terminal() -> Iterator[None]:
    """As without nohup, which tests may run under: a terminal that is closed ends what it has started."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


def swallow(number: signal.Signals) -> None:
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(number)


@pytest.mark.parametrize("number", BOTH)
def test_a_swallowed_signal_is_remembered_until_the_outermost_part_ends(number: signal.Signals) -> None:
    with stop_on_signals():
        raise_if_stopped()
        with stop_on_signals():
            swallow(number)
        assert is_stop(ImportError("half a library"))
        with pytest.raises(KeyboardInterrupt):
            raise_if_stopped()
    raise_if_stopped()
    assert not is_stop(ImportError("half a library"))


def test_handlers_are_put_back() -> None:
    before = [signal.getsignal(number) for number in BOTH]
    with stop_on_signals():
        assert [signal.getsignal(number) for number in BOTH] != before
    assert [signal.getsignal(number) for number in BOTH] == before


def test_an_ignored_ctrl_c_stays_ignored() -> None:
    """As in a shell's background, and a closed terminal under nohup."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGHUP)}
    try:
        with stop_on_signals():
            for number in before:
                signal.raise_signal(number)
            raise_if_stopped()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_a_second_ctrl_c_does_not_keep_a_run_from_putting_things_away() -> None:
    put_away = False
    with stop_on_signals(), pytest.raises(KeyboardInterrupt):
        try:
            signal.raise_signal(signal.SIGINT)
        finally:
            with finishing():
                signal.raise_signal(signal.SIGINT)
                signal.raise_signal(signal.SIGTERM)
                put_away = True
    assert put_away


def test_what_is_not_to_be_broken_off_ends_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signals, "REPEAT_SECONDS", 0.0)
    steps = []
    with stop_on_signals(), pytest.raises(KeyboardInterrupt):
        with uninterrupted():
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGTERM)
            steps.append("first")
        steps.append("after it")
    with stop_on_signals(), pytest.raises(KeyboardInterrupt), uninterrupted():
        signal.raise_signal(signal.SIGINT)
        monkeypatch.setattr(signals, "UNINTERRUPTED_SECONDS", 0.0)
        steps.append("too long")
        signal.raise_signal(signal.SIGINT)
        steps.append("after it")
    with stop_on_signals(), pytest.raises(KeyboardInterrupt):
        swallow(signal.SIGINT)
        with uninterrupted():
            steps.append("begun though it was to stop")
    assert steps == ["first", "too long"]


def test_a_stop_that_is_raised_again_stops_no_later_part(monkeypatch: pytest.MonkeyPatch) -> None:
    stop_in_logging = compile("signal.raise_signal(signal.SIGINT)", logging.__file__, "exec")
    monkeypatch.setattr(signals, "AGAIN_SECONDS", 0.0)
    before = set(threading.enumerate())
    with stop_on_signals(), pytest.raises(KeyboardInterrupt):
        exec(stop_in_logging, {"signal": signal})
        time.sleep(60)
    monkeypatch.setattr(signals, "AGAIN_SECONDS", 0.2)
    try:
        with stop_on_signals():
            exec(stop_in_logging, {"signal": signal})
            timers = set(threading.enumerate()) - before
        assert timers
        with stop_on_signals():
            for timer in timers:
                timer.join()
            raise_if_stopped()
    except KeyboardInterrupt:  # which would end all tests
        pytest.fail("an earlier part's stop, or one inside logging, was raised")


def test_many_ctrl_c_leave_the_exit_code_and_the_words_alone(tmp_path: Path) -> None:
    """At every stage: while it ends, after the last word, while Python itself ends."""
    (tmp_path / "impatient.py").write_text("""
import atexit, os, signal, sys, threading, time
import bench.cli
from bench.__main__ import main

def interrupt():
    while True:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.002)

def app():
    threading.Thread(target=interrupt, daemon=True).start()
    time.sleep(60)

bench.cli.app = app
atexit.register(time.sleep, 0.2)
main()
""")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    command = [sys.executable, str(tmp_path / "impatient.py")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (130, STOPPED)


def test_a_stop_that_python_would_drop_is_raised_soon_after_and_not_printed(tmp_path: Path) -> None:
    """In a finalizer, a weak reference's callback and the hook of a fork; and not where the lock of logging is held."""
    (tmp_path / "dropped.py").write_text("""
import logging, os, signal, sys, time, weakref
from bench.__main__ import main
from bench.execution import signals
import bench.cli

class Finalized:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)

class Referred:
    pass

def app():
    if kind == "finalizer":
        Finalized()
    elif kind == "callback":
        referred = Referred()
        reference = weakref.ref(referred, lambda _: signal.raise_signal(signal.SIGINT))
        del referred
    elif kind == "fork":
        os.register_at_fork(after_in_parent=lambda: signal.raise_signal(signal.SIGINT))
        if not os.fork():
            os._exit(0)
    else:
        exec(compile("signal.raise_signal(signal.SIGINT); passed.append(1)", logging.__file__, "exec"),
             {"signal": signal, "passed": passed})
    passed.append(2)
    time.sleep(600)

signals.AGAIN_SECONDS = 1.0
passed = []
kind = sys.argv.pop(1)
bench.cli.app = app
try:
    main()
finally:
    print(passed)
""")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    for kind, passed in {"finalizer": [2], "callback": [2], "fork": [2], "logging": [1, 2]}.items():
        command = [sys.executable, str(tmp_path / "dropped.py"), kind]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
        assert (done.returncode, done.stderr, done.stdout) == (130, STOPPED, f"{passed}\n"), kind


@pytest.mark.parametrize(
    ("end", "stopped"),
    [
        (KeyboardInterrupt(), True),
        (SystemExit(130), True),
        (SystemExit(int(signal.SIGTERM)), True),
        (SystemExit(0), False),
        (SystemExit(1), False),
        (OSError("disk full"), False),
    ],
)
def test_what_tells_a_stop(end: BaseException, stopped: bool) -> None:
    with stop_on_signals():
        assert is_stop(end) == stopped


def test_a_stop_inside_made_code_leaves_the_exit_code_alone(tmp_path: Path) -> None:
    """As when it comes while a data class is made; Python's own KeyboardInterrupt ends a module by SIGINT then."""
    (tmp_path / "interrupted.py").write_text("""
import signal
from bench.execution.signals import stop_on_signals
with stop_on_signals():
    try:
        exec("signal.raise_signal(signal.SIGTERM)")
    except KeyboardInterrupt:
        raise SystemExit(130) from None
""")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    done = subprocess.run([sys.executable, "-m", "interrupted"], env=environment, timeout=300)
    assert done.returncode == 130


STOPPED_INSIDE = """
import signal, sys
from bench.__main__ import main

number, module, becomes = signal.Signals[sys.argv[1]], *sys.argv[2:4]

class Stop:
    "Stands for a library that is imported: asks to stop meanwhile, and swallows that or makes something else of it."

    def find_spec(self, name, *_):
        if name == module:
            sys.meta_path.remove(self)
            try:
                signal.raise_signal(number)
            except KeyboardInterrupt:
                if becomes:
                    raise ImportError(becomes) from None

sys.meta_path.insert(0, Stop())
sys.argv[1:] = sys.argv[4:]
main()
"""


@pytest.mark.parametrize(
    ("number", "module", "becomes", "records"),
    [
        ("SIGINT", "bench.cli", "", 0),
        ("SIGTERM", "bench.cli", "half a library", 0),
        ("SIGTERM", "bench.commands.run", "half a library", 0),
        ("SIGINT", "torch", "half a library", 0),
        ("SIGTERM", "torch", "", 0),
        ("SIGINT", "torch._dynamo", "half a library", 0),
        ("SIGTERM", "torch._dynamo", "", 1),  # inside the first trial, which then comes to its end
        ("SIGTERM", "timm.optim", "half a library", 0),
    ],
)
def test_whatever_an_import_makes_of_a_stop_the_run_ends_there_and_no_trial_fails(
    number: str, module: str, becomes: str, records: int, tmp_path: Path
) -> None:
    (tmp_path / "stopped.py").write_text(STOPPED_INSIDE)
    suite = write_suite(tmp_path, "{name: mlp, hidden: []}")
    run = ["run", str(suite), "--no-ray", "--results", str(tmp_path / "results")]
    run += ["--set", "deterministic=true"]  # for which a trial imports torch's compiler
    run += ["--set", "optimizer=lion"] if "timm" in module else []
    command = [sys.executable, str(tmp_path / "stopped.py"), number, module, becomes, *run]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (130, STOPPED)
    assert [record.status for record in Ledger(tmp_path / "results").records()] == ["complete"] * records


STOPPED_IN_RAY = """
import os, signal, sys, time
import ray
from ray._private.node import Node
from bench.__main__ import main

real_core_worker, real_init = ray._raylet.CoreWorker, ray.init

def core_worker(*arguments):
    "The last part of Ray's start, after which its threads run; signals that come meanwhile are raised here."
    worker = real_core_worker(*arguments)
    if moment == "inside":
        os.kill(os.getpid(), number)
    return worker

def end_processes(node, **options):
    "The last part of Ray's end, after its compiled part has dropped Python's handler."
    if moment == "end":
        os.kill(os.getpid(), number)
    real_end(node, **options)

def init(*arguments, **options):
    starts.append(1)
    if moment == "second" and len(starts) == 2:
        os.kill(os.getpid(), number)
    return real_init(*arguments, **options)

real_end, Node.kill_all_processes = Node.kill_all_processes, end_processes
ray._raylet.CoreWorker, ray.init = core_worker, init
number, moment, seconds, starts = signal.Signals[sys.argv.pop(1)], sys.argv.pop(1), float(sys.argv.pop(1)), []
try:
    main()
finally:
    time.sleep(seconds)
"""


@pytest.mark.parametrize(
    ("number", "moment", "seconds", "records"),
    [
        ("SIGINT", "inside", 0.0, 0),
        ("SIGTERM", "inside", 3.5, 0),
        ("SIGTERM", "end", 0.0, 2),
        ("SIGTERM", "second", 0.0, 2),
    ],
)
def test_a_stop_while_ray_starts_or_ends_does_not_crash_it(
    number: str, moment: str, seconds: float, records: int, tmp_path: Path
) -> None:
    """Broken off there, Ray's threads crash the process.

    At SIGTERM Ray's compiled part prints the stack and sets an alarm of 3 s; when it ends it leaves SIGTERM without
    Python's handler, so that the second suite of a command could not be stopped by it.
    """
    (tmp_path / "stopped.py").write_text(STOPPED_IN_RAY)
    suite = write_suite(tmp_path, "{name: mlp, hidden: []}")
    other = tmp_path / "other.yaml"
    other.write_text(suite.read_text().replace("name: t", "name: other").replace("epochs: 1", "epochs: 2"))
    command = [sys.executable, str(tmp_path / "stopped.py"), number, moment, str(seconds), "run", str(suite)]
    command += [str(other), "--results", str(tmp_path / "results")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert (done.returncode, without_stack(done.stderr)) == (130, STOPPED)
    assert [record.status for record in Ledger(tmp_path / "results").records()] == ["complete"] * records


NET = """
import os, signal, time
from pathlib import Path
from torch import nn

def net(input_shape, classes, stop_at=0):
    "Asks the run to stop the n-th time it is called; its own process was forked by a server that the run started."
    calls = Path("FOLDER") / "calls"
    with calls.open("a") as file:
        file.write(".")
    if calls.stat().st_size == stop_at:
        run = int(Path(f"/proc/{os.getppid()}/stat").read_text().rpartition(")")[2].split()[1])
        os.kill(run, signal.SIGTERM)
        time.sleep(30)
    return nn.Sequential(nn.Flatten(), nn.Linear(784, classes))
"""


def run(folder: Path, stop_at: int = 0) -> tuple[int, str, int, int]:
    """Two trials of a net: exit code, stderr, records, and how often the net was made."""
    folder.mkdir()
    (folder / "net.py").write_text(NET.replace("FOLDER", str(folder)))
    suite = write_suite(folder, f"{{name: 'net.py:net', stop_at: {stop_at}}}")
    code, _, err = bench("run", suite, "--no-ray", "--results", folder / "results")
    return code, err, len(Ledger(folder / "results").records()), (folder / "calls").stat().st_size


def write_suite(folder: Path, model: str) -> Path:
    """A suite of two trials on a few images of its own."""
    random = np.random.default_rng(0)
    parts = {f"{part}_images": random.integers(0, 256, (20, 28, 28), dtype=np.uint8) for part in ("train", "test")}
    np.savez(folder / "data.npz", **parts, train_labels=np.arange(20) % 2, test_labels=np.arange(20) % 2)
    path = folder / "suite.yaml"
    path.write_text(
        "name: t\ndefaults: {dataset: {name: npz, path: data.npz}, epochs: 1}\n"
        f"grid: {{model: {model}, seeds: 2}}\n"
    )
    return path


def test_a_stop_while_the_users_code_runs_ends_the_run_there_and_no_trial_fails(tmp_path: Path) -> None:
    code, err, records, calls = run(tmp_path / "whole")
    assert (code, records) == (0, 2), err
    assert run(tmp_path / "check", stop_at=1)[:3] == (130, STOPPED, 0)
    code, err, records, _ = run(tmp_path / "trial", stop_at=calls)
    assert (code, err.endswith(STOPPED), records) == (130, True, 1)
